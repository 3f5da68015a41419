//! Keys and signatures of a provider and of an attacker: what a library for tokens would not sign is signed here by hand.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{self, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

/// An RSA key.
pub(crate) struct Rsa(RsaKeyPair);

impl Rsa {
    pub(crate) fn generate() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(crate) fn jwk(&self, id: &str) -> Value {
        // PKCS#1: a sequence of a 257-byte integer, whose first byte is the sign, and the exponent 65537.
        let der = self.0.public_key().as_ref();
        let modulus = BASE64URL_NOPAD.encode(&der[9..265]);
        json!({"kty": "RSA", "kid": id, "alg": "RS256", "use": "sig", "n": modulus, "e": "AQAB"})
    }

    /// The public key in the forms that a careless server has lying about as bytes.
    pub(crate) fn public_forms(&self) -> Vec<Vec<u8>> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        let body = BASE64.encode(der.as_ref());
        let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
        let modulus = self.jwk("x")["n"].to_string();
        let stripped = pem.trim().as_bytes().to_vec();
        vec![pem.into_bytes(), stripped, der.as_ref().to_vec(), modulus.into_bytes()]
    }

    pub(crate) fn sign(&self, header: &[u8], claims: &[u8]) -> String {
        self.sign_as(&signature::RSA_PKCS1_SHA256, header, claims)
    }

    pub(crate) fn sign_as(&self, encoding: &'static dyn RsaEncoding, header: &[u8], claims: &[u8]) -> String {
        let signed = signed(header, claims);
        let mut bytes = vec![0; self.0.public_modulus_len()];
        self.0.sign(encoding, &SystemRandom::new(), signed.as_bytes(), &mut bytes).unwrap();
        format!("{signed}.{}", part(&bytes))
    }
}

/// An Ed25519 key.
pub(crate) struct Ed(Ed25519KeyPair);

impl Ed {
    pub(crate) fn generate() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn jwk(&self, id: &str) -> Value {
        let x = BASE64URL_NOPAD.encode(self.0.public_key().as_ref());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "use": "sig", "x": x})
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    pub(crate) fn sign(&self, header: &[u8], claims: &[u8]) -> String {
        let signed = signed(header, claims);
        let signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", part(signature.as_ref()))
    }
}

/// A token signed with a secret.
pub(crate) fn sign_hmac(algorithm: hmac::Algorithm, secret: &[u8], header: &Value, claims: &Value) -> String {
    let signed = signed(header.to_string().as_bytes(), claims.to_string().as_bytes());
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), signed.as_bytes());
    format!("{signed}.{}", part(tag.as_ref()))
}

/// What a signature covers.
pub(crate) fn signed(header: &[u8], claims: &[u8]) -> String {
    format!("{}.{}", part(header), part(claims))
}

pub(crate) fn part(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
