//! The development issuer: tokens that the server itself vouches for, so that trying out users needs no identity provider.
//!
//! Whoever has the data directory can mint a token for anybody of any tenant. The configuration therefore turns it on explicitly, and only where the server listens on loopback.

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use ringfence_indexes::{Principal, TenantId, Timestamp};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::issuer::{GroupSource, Issuer, IssuerKeys, KeySource, TenantSource};
use crate::{
    authz::{Scope, Scopes},
    entropy::Entropy,
    seal::MasterKey,
};

/// The `iss` claim of its tokens.
const ISSUER: &str = "ringfence-development";
/// The `aud` claim of its tokens.
const AUDIENCE: &str = "ringfence";
/// The longest a token may live.
pub const TTL_SECONDS_MAX: u32 = 86_400;

/// Mints tokens with a key that derives from the master key.
pub struct DevelopmentIssuer {
    pair: Ed25519KeyPair,
    key_id: String,
}

/// Whom a development token speaks for.
#[derive(Clone, Debug)]
pub struct DevelopmentClaims {
    /// The tenant.
    pub tenant: TenantId,
    /// The user or service.
    pub subject: Principal,
    /// Groups, beside the directory's.
    pub groups: Vec<Principal>,
    /// Attributes that requirements are checked against.
    pub attributes: BTreeMap<String, Value>,
    /// What it may do.
    pub scopes: Scopes,
    /// How long it lives; at most [`TTL_SECONDS_MAX`].
    pub ttl_seconds: u32,
}

impl DevelopmentIssuer {
    /// The issuer of a server; the same for the same master key.
    ///
    /// # Panics
    /// Never: 32 bytes are a seed.
    #[must_use]
    pub fn derive(master: &MasterKey) -> Self {
        let seed = master.derive("development issuer");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes are a seed");
        let key_id = HEXLOWER.encode(&blake3::hash(pair.public_key().as_ref()).as_bytes()[..8]);
        Self { pair, key_id }
    }

    /// How the server verifies and reads its tokens.
    ///
    /// # Panics
    /// Never: the public key is one.
    #[must_use]
    pub fn issuer(&self) -> Issuer {
        let public: [u8; 32] = self.pair.public_key().as_ref().try_into().expect("an Ed25519 key has 32 bytes");
        Issuer {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            algorithms: vec![Algorithm::EdDSA],
            tenant: TenantSource::Claim("tenant".to_owned()),
            subject_claim: "sub".to_owned(),
            groups: GroupSource::Both { claim: "groups".to_owned(), directory_for_unknown: false },
            groups_optional: false,
            attributes: BTreeMap::new(),
            attributes_claim: Some("attributes".to_owned()),
            scopes: Scope::ALL.iter().copied().collect(),
            scope_claim: Some("scope".to_owned()),
            leeway_seconds: 0,
            max_lifetime_seconds: i64::from(TTL_SECONDS_MAX),
            keys: KeySource::fixed(IssuerKeys::from_ed25519(&self.key_id, &public).expect("the public half is a key")),
        }
    }

    /// Signs a token.
    ///
    /// # Panics
    /// Never: the key was made here, so that it signs.
    #[must_use]
    pub fn mint(&self, claims: &DevelopmentClaims, now: Timestamp, entropy: &Entropy) -> SecretString {
        let issued = now.0.div_euclid(1_000_000);
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": self.key_id});
        let groups: Vec<&str> = claims.groups.iter().map(Principal::as_str).collect();
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "iat": issued,
            "exp": issued + i64::from(claims.ttl_seconds.min(TTL_SECONDS_MAX)),
            "jti": HEXLOWER.encode(&entropy.bytes::<12>()),
            "tenant": claims.tenant.as_str(), "sub": claims.subject.as_str(), "groups": groups,
            "attributes": Map::from_iter(claims.attributes.clone()), "scope": claims.scopes.names().join(" "),
        });
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let key = self.pair.to_pkcs8().expect("the pair was made here");
        let key = EncodingKey::from_ed_der(key.as_ref());
        let signature = crypto::sign(signed.as_bytes(), &key, Algorithm::EdDSA).expect("the key is Ed25519");
        SecretString::from(format!("{signed}.{signature}"))
    }
}

impl fmt::Debug for DevelopmentIssuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DevelopmentIssuer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use ringfence_indexes::AttributeValue;
    use secrecy::ExposeSecret;

    use super::{super::token, *};

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn claims(ttl_seconds: u32) -> DevelopmentClaims {
        DevelopmentClaims {
            tenant: TenantId::new("acme").unwrap(),
            subject: Principal::new("user:alice").unwrap(),
            groups: vec![Principal::new("group:eng").unwrap()],
            attributes: BTreeMap::from([("clearance".to_owned(), json!(2)), ("region".to_owned(), json!("eu"))]),
            scopes: Scopes::from_names(["search", "read"]).unwrap(),
            ttl_seconds,
        }
    }

    #[test]
    fn its_tokens_are_verified_and_read_as_they_were_asked_for() {
        let issuer = DevelopmentIssuer::derive(&MasterKey::new([1; 32]));
        let minted = issuer.mint(&claims(60), NOW, &Entropy::seeded([2; 32]));
        let token = token::verify(minted.expose_secret(), &[issuer.issuer()], NOW).unwrap();
        assert_eq!((token.tenant.as_str(), token.principal.as_str()), ("acme", "user:alice"));
        assert_eq!(token.groups.named.iter().map(Principal::as_str).collect::<Vec<_>>(), ["group:eng"]);
        assert_eq!(token.attributes["clearance"], AttributeValue::Integer(2));
        assert_eq!(token.attributes["region"], AttributeValue::Text("eu".to_owned()));
        assert_eq!(token.scopes.names(), ["search", "read"]);
    }

    #[test]
    fn its_tokens_end_and_are_worth_nothing_elsewhere() {
        let issuer = DevelopmentIssuer::derive(&MasterKey::new([1; 32]));
        let minted = issuer.mint(&claims(u32::MAX), NOW, &Entropy::seeded([2; 32]));
        let later = Timestamp(NOW.0 + i64::from(TTL_SECONDS_MAX) * 1_000_000);
        assert!(token::verify(minted.expose_secret(), &[issuer.issuer()], later).is_err());
        let other = DevelopmentIssuer::derive(&MasterKey::new([9; 32]));
        assert!(token::verify(minted.expose_secret(), &[other.issuer()], NOW).is_err());
        assert!(!format!("{issuer:?}").contains("pair"));
    }
}
