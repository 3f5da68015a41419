//! The public keys of envelopes as a JWK Set: Ed25519 keys in the form of RFC 8037, named by their thumbprints (RFC 7638).

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, UnparsedPublicKey},
};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::EnvelopeError;

const KEY_BYTES: usize = 32;

/// The public keys that a server signs with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"keys": [{
    "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "use": "sig", "alg": "EdDSA"
}]}))]
pub struct PublicKeys {
    /// The keys.
    keys: Vec<Jwk>,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PublicKey, example = json!({
    "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "use": "sig", "alg": "EdDSA"
}))]
struct Jwk {
    /// `OKP`.
    kty: String,
    /// `Ed25519`.
    crv: String,
    /// The key, in base64url.
    x: String,
    /// Its thumbprint.
    kid: String,
    /// `sig`.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    /// `EdDSA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
}

/// Public keys that are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// Not a JWK Set.
    #[error("this is not a JWK Set of Ed25519 keys")]
    Form,
    /// A key whose name is not its thumbprint.
    #[error("the key `{0}` is not named by its thumbprint")]
    Name(String),
}

impl PublicKeys {
    /// The set of one key.
    pub(super) fn of(public: &[u8]) -> Self {
        let key = Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: BASE64URL_NOPAD.encode(public),
            kid: thumbprint(public),
            usage: Some("sig".to_owned()),
            alg: Some("EdDSA".to_owned()),
        };
        Self { keys: vec![key] }
    }

    /// Reads a set, such as from a file. Keys of other kinds are passed over.
    ///
    /// # Errors
    /// [`InvalidKeys`] where there is no usable key, or a key is not what its name says.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidKeys> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_slice(json).map_err(|_| InvalidKeys::Form)?;
        let keys: Vec<Jwk> = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        let keys: Vec<Jwk> = keys.into_iter().filter(|key| key.kty == "OKP" && key.crv == "Ed25519").collect();
        if keys.is_empty() {
            return Err(InvalidKeys::Form);
        }
        match keys.iter().find(|key| key.public().is_none_or(|public| thumbprint(&public) != key.kid)) {
            Some(key) => Err(InvalidKeys::Name(key.kid.clone())),
            None => Ok(Self { keys }),
        }
    }

    /// Whether the key of this name signed the message.
    pub(super) fn verify(&self, key_id: &str, message: &[u8], signature: &[u8]) -> Result<(), EnvelopeError> {
        let key = self.keys.iter().find(|key| key.kid == key_id).and_then(Jwk::public);
        let key = key.ok_or_else(|| EnvelopeError::UnknownKey(key_id.to_owned()))?;
        UnparsedPublicKey::new(&ED25519, key).verify(message, signature).map_err(|_| EnvelopeError::Signature)
    }
}

impl Jwk {
    fn public(&self) -> Option<Vec<u8>> {
        BASE64URL_NOPAD.decode(self.x.as_bytes()).ok().filter(|key| key.len() == KEY_BYTES)
    }
}

/// The SHA-256 of the key's required members in the order of their names.
pub(super) fn thumbprint(public: &[u8]) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, BASE64URL_NOPAD.encode(public));
    BASE64URL_NOPAD.encode(digest(&SHA256, members.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.3.
    #[test]
    fn names_a_key_by_its_thumbprint() {
        let public = BASE64URL_NOPAD.decode(b"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(thumbprint(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn reads_what_it_wrote_and_refuses_what_is_no_key() {
        let keys = PublicKeys::of(&[7; 32]);
        let json = serde_json::to_vec(&keys).unwrap();
        assert_eq!(PublicKeys::parse(&json), Ok(keys));
        let text = String::from_utf8(json).unwrap();
        for (from, to, error) in [
            ("\"kid\":\"", "\"kid\":\"x", None),
            ("OKP", "RSA", Some(InvalidKeys::Form)),
            ("\"x\":\"BwcH", "\"x\":\"BwcI", None),
            ("{\"keys\":", "{\"k\":", Some(InvalidKeys::Form)),
        ] {
            let changed = text.replace(from, to);
            let refused = PublicKeys::parse(changed.as_bytes()).expect_err(&changed);
            assert!(error.as_ref().is_none_or(|error| *error == refused), "{changed}: {refused}");
        }
    }
}
