//! An issuer of tokens that the configuration trusts, and its keys.

use std::{collections::BTreeMap, fmt};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use ringfence_indexes::TenantId;

use super::strict_json;
use crate::authz::Scopes;

/// The shortest secret for HS256: as long as its hash (RFC 7518, 3.2).
pub const SECRET_BYTES_MIN: usize = 32;
/// The smallest RSA modulus (RFC 7518, 3.3).
const RSA_BITS_MIN: usize = 2048;

/// How tokens of one issuer are verified and read.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The `iss` claim, compared byte for byte.
    pub issuer: String,
    /// The `aud` claim must be or contain this.
    pub audience: String,
    /// The algorithms that are accepted; never `none`.
    pub algorithms: Vec<Algorithm>,
    /// Where the tenant comes from.
    pub tenant: TenantSource,
    /// The claim that names the user.
    pub subject_claim: String,
    /// The claim with the user's groups; without one, groups come from the directory alone.
    pub groups_claim: Option<String>,
    /// Whether a token without the groups claim has no groups. Otherwise its groups are unknown and it is refused.
    pub groups_optional: bool,
    /// Attribute name → claim.
    pub attributes: BTreeMap<String, String>,
    /// A claim that holds an object of attributes, whatever their names: the development issuer's.
    pub attributes_claim: Option<String>,
    /// What its tokens may do at most.
    pub scopes: Scopes,
    /// The claim that narrows the scopes.
    pub scope_claim: Option<String>,
    /// How far clocks may differ.
    pub leeway_seconds: i64,
    /// The longest time from now until a token expires.
    pub max_lifetime_seconds: i64,
    /// The keys.
    pub keys: IssuerKeys,
}

/// Where a token's tenant comes from.
#[derive(Clone, Debug)]
pub enum TenantSource {
    /// Every token of the issuer is of this tenant.
    Fixed(TenantId),
    /// A claim names it.
    Claim(String),
}

/// The keys of an issuer.
#[derive(Clone)]
pub struct IssuerKeys(Vec<IssuerKey>);

#[derive(Clone)]
struct IssuerKey {
    id: Option<String>,
    /// The algorithms this key may verify; fixed by its type, and by `alg` where it says so.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl IssuerKeys {
    /// The keys of a JWKS document. Keys for other uses or of unknown types are left out; a weak or symmetric key refuses the whole set.
    ///
    /// # Errors
    /// [`KeySetError`] says why.
    pub fn from_jwks(document: &[u8]) -> Result<Self, KeySetError> {
        strict_json::parse_object(document).ok_or(KeySetError::Malformed)?;
        let set: JwkSet = serde_json::from_slice(document).map_err(|_| KeySetError::Malformed)?;
        let mut keys: Vec<IssuerKey> = Vec::new();
        for jwk in &set.keys {
            let Some(key) = issuer_key(jwk)? else { continue };
            if keys.iter().any(|other| other.id == key.id) {
                return Err(KeySetError::DuplicateKeyId);
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self(keys)) }
    }

    /// A shared secret, for HS256 alone.
    ///
    /// # Errors
    /// [`KeySetError::ShortSecret`] under 32 bytes.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeySetError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeySetError::ShortSecret);
        }
        let key = DecodingKey::from_secret(secret);
        Ok(Self(vec![IssuerKey { id: None, algorithms: vec![Algorithm::HS256], key }]))
    }

    /// One Ed25519 public key: the development issuer's.
    ///
    /// # Errors
    /// [`KeySetError::Malformed`] where it is not one.
    pub fn from_ed25519(id: &str, public_key: &[u8; 32]) -> Result<Self, KeySetError> {
        let key = DecodingKey::from_ed_components(&BASE64URL_NOPAD.encode(public_key));
        let key = key.map_err(|_| KeySetError::Malformed)?;
        Ok(Self(vec![IssuerKey { id: Some(id.to_owned()), algorithms: vec![Algorithm::EdDSA], key }]))
    }

    /// The key of this id that may verify this algorithm. A token without an id fits only a single key.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let key = match (id, self.0.as_slice()) {
            (None, [only]) => only,
            (Some(_), [only]) if only.id.is_none() => only,
            (None, _) => return None,
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id))?,
        };
        key.algorithms.contains(&algorithm).then_some(&key.key)
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IssuerKeys({})", self.0.len())
    }
}

fn issuer_key(jwk: &Jwk) -> Result<Option<IssuerKey>, KeySetError> {
    let for_signatures = jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    if !for_signatures {
        return Ok(None);
    }
    let possible: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(parameters) => {
            check_modulus(&parameters.n)?;
            AlgorithmFamily::Rsa.algorithms()
        }
        AlgorithmParameters::EllipticCurve(parameters) => match parameters.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => return Ok(None),
        },
        AlgorithmParameters::OctetKeyPair(parameters) if parameters.curve == EllipticCurve::Ed25519 => {
            &[Algorithm::EdDSA]
        }
        AlgorithmParameters::OctetKey(_) => return Err(KeySetError::Symmetric),
        _ => return Ok(None),
    };
    let pinned = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
    let allowed = |algorithm: &&Algorithm| pinned.as_ref().is_none_or(|name| *name == format!("{algorithm:?}"));
    let algorithms: Vec<_> = possible.iter().filter(allowed).copied().collect();
    let key = DecodingKey::from_jwk(jwk).map_err(|_| KeySetError::Malformed)?;
    Ok((!algorithms.is_empty()).then(|| IssuerKey { id: jwk.common.key_id.clone(), algorithms, key }))
}

fn check_modulus(modulus: &str) -> Result<(), KeySetError> {
    let bytes = BASE64URL_NOPAD.decode(modulus.as_bytes()).map_err(|_| KeySetError::Malformed)?;
    let significant = bytes.iter().skip_while(|byte| **byte == 0).count();
    if significant * 8 < RSA_BITS_MIN { Err(KeySetError::WeakRsa) } else { Ok(()) }
}

/// Why an issuer's keys are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not a JWKS document.
    #[error("the key set is not a JWKS document")]
    Malformed,
    /// Nothing in it can verify a token.
    #[error("the key set has no key that can verify a signature")]
    Empty,
    /// Two keys of one id.
    #[error("two keys of the key set have the same id")]
    DuplicateKeyId,
    /// A secret in a set of public keys.
    #[error("the key set has a symmetric key: use `secret_file` for HS256")]
    Symmetric,
    /// A short RSA modulus.
    #[error("an RSA key of the key set has fewer than 2048 bits")]
    WeakRsa,
    /// A short shared secret.
    #[error("the shared secret has fewer than 32 bytes")]
    ShortSecret,
}
