//! An issuer of tokens that the configuration trusts, and its keys.

use std::{collections::BTreeMap, fmt, sync::Arc};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use ringfence_indexes::{TenantId, Timestamp};
use serde_json::Value;

use super::{key_file::KeyFile, remote_keys::RemoteKeys, strict_json};
use crate::authz::Scopes;

/// The shortest secret for HS256: as long as its hash (RFC 7518, 3.2).
pub const SECRET_BYTES_MIN: usize = 32;
/// The smallest RSA modulus (RFC 7518, 3.3).
const RSA_BITS_MIN: usize = 2048;
/// The most keys of one set.
const KEYS_MAX: usize = 100;
/// Members that only a private or a shared key has (RFC 7518, 6).
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

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
    /// Where the groups of its users come from.
    pub groups: GroupSource,
    /// Whether a token without the groups claim has no groups. Otherwise its groups are unknown.
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
    pub keys: KeySource,
}

/// Where the groups of an issuer's users come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupSource {
    /// A claim alone; the server's directory adds nothing to it.
    Token {
        /// The claim.
        claim: String,
    },
    /// The server's directory alone.
    Directory,
    /// A claim and the directory together.
    Both {
        /// The claim.
        claim: String,
        /// Whether the directory may answer alone where the token does not say which groups the user is in; otherwise the request is refused.
        directory_for_unknown: bool,
    },
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// Read at the start.
    Fixed(Arc<IssuerKeys>),
    /// In a file that is looked at again.
    File(Arc<KeyFile>),
    /// Published at an address.
    Remote(Arc<RemoteKeys>),
}

impl KeySource {
    /// Keys that stay as they are.
    #[must_use]
    pub fn fixed(keys: IssuerKeys) -> Self {
        Self::Fixed(Arc::new(keys))
    }

    /// The keys that may be trusted now.
    #[must_use]
    pub fn current(&self, now: Timestamp) -> Option<Arc<IssuerKeys>> {
        match self {
            Self::Fixed(keys) => Some(Arc::clone(keys)),
            Self::File(file) => file.current(now),
            Self::Remote(keys) => keys.current(now),
        }
    }
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

/// What was found for a token's key id and algorithm.
pub(super) enum Lookup<'keys> {
    /// The key that both name.
    Found(&'keys DecodingKey),
    /// The only key there is, where token or key has no id: another may have taken its place.
    Only(&'keys DecodingKey),
    /// No key has this id: the issuer may have a new one.
    Unknown,
    /// The token fits no key, whichever there may be.
    Unfit,
}

#[derive(Clone)]
struct IssuerKey {
    id: Option<String>,
    /// The algorithms this key may verify; fixed by its type, and by `alg` where it says so.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl IssuerKeys {
    /// The keys of a JWKS document. Keys for other uses or of unknown types are left out; a weak, private or symmetric key refuses the whole set.
    ///
    /// # Errors
    /// [`KeySetError`] says why.
    pub fn from_jwks(document: &[u8]) -> Result<Self, KeySetError> {
        let members = strict_json::parse_object(document).ok_or(KeySetError::Malformed)?;
        check_members(members.get("keys").and_then(Value::as_array).ok_or(KeySetError::Malformed)?)?;
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

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key of this id that may verify this algorithm. A token without an id fits only a single key.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Lookup<'_> {
        let fits = |key: &IssuerKey| key.algorithms.contains(&algorithm);
        let named = |id: &str| self.0.iter().find(|key| key.id.as_deref() == Some(id));
        match (id, self.0.as_slice()) {
            (id, [only]) if id.is_none() || only.id.is_none() => match fits(only) {
                true => Lookup::Only(&only.key),
                false => Lookup::Unfit,
            },
            (None, _) => Lookup::Unfit,
            (Some(id), _) => match named(id) {
                Some(key) if fits(key) => Lookup::Found(&key.key),
                Some(_) => Lookup::Unfit,
                None => Lookup::Unknown,
            },
        }
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
            check_exponent(&parameters.e)?;
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

/// An exponent of 1 would make every text its own signature; an even one is no RSA key.
fn check_exponent(exponent: &str) -> Result<(), KeySetError> {
    let bytes = BASE64URL_NOPAD.decode(exponent.as_bytes()).map_err(|_| KeySetError::Malformed)?;
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let is_sound = significant.last().is_some_and(|last| last % 2 == 1) && significant != [1];
    if is_sound { Ok(()) } else { Err(KeySetError::WeakRsa) }
}

/// Looks at what the parser of keys passes over.
fn check_members(keys: &[Value]) -> Result<(), KeySetError> {
    if keys.len() > KEYS_MAX {
        return Err(KeySetError::TooMany);
    }
    let is_private = |key: &Value| PRIVATE_MEMBERS.iter().any(|member| key.get(member).is_some());
    if keys.iter().any(is_private) { Err(KeySetError::Private) } else { Ok(()) }
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
    /// A private key in a set of public keys: whoever has read it can sign.
    #[error("the key set has a private key: it must be replaced, and only its public half published")]
    Private,
    /// More keys than anybody rotates through.
    #[error("the key set has more than {KEYS_MAX} keys")]
    TooMany,
    /// A short RSA modulus, or an exponent that is none.
    #[error("an RSA key of the key set has fewer than 2048 bits or an unsafe exponent")]
    WeakRsa,
    /// A short shared secret.
    #[error("the shared secret has fewer than 32 bytes")]
    ShortSecret,
}
