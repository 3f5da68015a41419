//! Tokens (JWT), verified more strictly than the RFCs demand.
//!
//! `jsonwebtoken` checks the signature; everything else is checked here, since a usual set-up of it accepted a future `iat`, duplicate claims, an array as `iss`, `zip`, an empty `crit` and more (RFC 8725).
//! Headers that would choose a key (`jwk`, `jku`, `x5u`, `x5c`) are never looked at: the key comes from the issuer's configured set alone.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, crypto};
use ringfence_indexes::{AttributeValue, Principal, PrincipalKind, TenantId, Timestamp};
use serde_json::{Map, Value};

use super::{
    caller::TokenFacts,
    issuer::{GroupSource, Issuer, Lookup, TenantSource},
    strict_json,
};
use crate::authz::{Scope, Scopes};

/// The longest token in bytes.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// The longest key id in bytes.
const KEY_ID_BYTES_MAX: usize = 256;
/// The most principals of one caller.
pub(super) const PRINCIPALS_MAX: usize = 10_000;
/// Subjects that a careless issuer or reader could take for everybody.
const RESERVED_NAMES: [&str; 3] = ["everyone", "public", "anonymous"];

/// What a verified token says.
#[derive(Clone, Debug)]
pub(super) struct VerifiedToken {
    pub(super) tenant: TenantId,
    pub(super) principal: Principal,
    pub(super) groups: Groups,
    pub(super) attributes: BTreeMap<String, AttributeValue>,
    pub(super) scopes: Scopes,
    /// Whether the token itself says its scopes, as its issuer does by `scope_claim`.
    pub(super) says_scopes: bool,
    pub(super) facts: TokenFacts,
    /// The certificate that its holder must show beside it (RFC 8705).
    pub(super) bound_to: Option<[u8; 32]>,
}

/// The groups of a token's user, as far as the token tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    pub(super) named: BTreeSet<Principal>,
    pub(super) directory: Directory,
}

/// What the server's directory has to do with a token's user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Directory {
    /// It adds its groups.
    #[default]
    Adds,
    /// It adds nothing: the issuer alone names groups.
    IsLeftOut,
    /// It alone knows the groups, and must know some: not known is not none.
    MustKnow,
}

impl Directory {
    /// A stable name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Adds => "adds",
            Self::IsLeftOut => "is_left_out",
            Self::MustKnow => "must_know",
        }
    }

    /// What has this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Adds, Self::IsLeftOut, Self::MustKnow].into_iter().find(|directory| directory.name() == name)
    }
}

/// Why a token is refused; outside, all but one are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    /// Not a genuine, current token of a configured issuer.
    Invalid,
    /// The issuer of this number may have a key of the token's id that is not known here yet.
    UnknownKey(usize),
    /// Genuine, but it does not say which groups the user is in. A `deny` for a group could not be honoured.
    GroupsUnresolved,
}

/// Verifies a token with the keys of the issuer that it names.
pub(super) fn verify(token: &str, issuers: &[Issuer], now: Timestamp) -> Result<VerifiedToken, TokenError> {
    let parts = split(token).ok_or(TokenError::Invalid)?;
    let header = parse_part(parts.header).ok_or(TokenError::Invalid)?;
    let claims = parse_part(parts.claims).ok_or(TokenError::Invalid)?;
    let (algorithm, key_id) = check_header(&header).ok_or(TokenError::Invalid)?;
    let named = claims.get("iss").and_then(Value::as_str).ok_or(TokenError::Invalid)?;
    // Several audiences of one issuer are several entries: the first whose key and audience fit counts.
    let fits = |issuer: &Issuer| {
        issuer.issuer == named && has_audience(&claims, &issuer.audience) && issuer.algorithms.contains(&algorithm)
    };
    let mut refusal = TokenError::Invalid;
    for (number, issuer) in issuers.iter().enumerate().filter(|(_, issuer)| fits(issuer)) {
        match signature(issuer, &parts, algorithm, key_id, now) {
            Signature::Genuine => return read_claims(&claims, issuer, now),
            Signature::Forged => {}
            Signature::UnknownKey => refusal = TokenError::UnknownKey(number),
        }
    }
    Err(refusal)
}

struct Parts<'token> {
    header: &'token str,
    claims: &'token str,
    signature: &'token str,
    signed: &'token str,
}

fn split(token: &str) -> Option<Parts<'_>> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let whole = !signature.is_empty() && !claims.contains('.');
    // Strict base64url: no padding, no other alphabet, no stray trailing bits.
    (whole && BASE64URL_NOPAD.decode(signature.as_bytes()).is_ok()).then_some(Parts {
        header,
        claims,
        signature,
        signed,
    })
}

fn parse_part(part: &str) -> Option<Map<String, Value>> {
    strict_json::parse_object(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?)
}

/// The algorithm and key id; `None` for a header that changes how the token is to be read.
fn check_header(header: &Map<String, Value>) -> Option<(Algorithm, Option<&str>)> {
    if ["crit", "zip", "cty", "b64", "enc"].iter().any(|name| header.contains_key(*name)) {
        return None;
    }
    let is_access_token = |kind: &str| kind.eq_ignore_ascii_case("JWT") || kind.eq_ignore_ascii_case("at+jwt");
    if !header.get("typ").is_none_or(|kind| kind.as_str().is_some_and(is_access_token)) {
        return None;
    }
    let key_id = match header.get("kid") {
        None => None,
        Some(Value::String(id)) if id.len() <= KEY_ID_BYTES_MAX => Some(id.as_str()),
        Some(_) => return None,
    };
    // `none` is not among the names that parse, in any spelling.
    Some((header.get("alg")?.as_str()?.parse().ok()?, key_id))
}

fn has_audience(claims: &Map<String, Value>, audience: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(several)) => {
            several.iter().all(Value::is_string) && several.iter().any(|one| one.as_str() == Some(audience))
        }
        _ => false,
    }
}

enum Signature {
    Genuine,
    Forged,
    /// No key of this id is known.
    UnknownKey,
}

fn signature(
    issuer: &Issuer,
    parts: &Parts<'_>,
    algorithm: Algorithm,
    key_id: Option<&str>,
    now: Timestamp,
) -> Signature {
    let Some(keys) = issuer.keys.current(now) else { return Signature::UnknownKey };
    let is_genuine = |key| crypto::verify(parts.signature, parts.signed.as_bytes(), key, algorithm).unwrap_or(false);
    match keys.find(key_id, algorithm) {
        Lookup::Found(key) | Lookup::Only(key) if is_genuine(key) => Signature::Genuine,
        // Without ids nothing else tells that the issuer has changed its key.
        Lookup::Unknown | Lookup::Only(_) => Signature::UnknownKey,
        Lookup::Found(_) | Lookup::Unfit => Signature::Forged,
    }
}

fn read_claims(claims: &Map<String, Value>, issuer: &Issuer, now: Timestamp) -> Result<VerifiedToken, TokenError> {
    let expires_at = check_times(claims, issuer, now).ok_or(TokenError::Invalid)?;
    let tenant = match &issuer.tenant {
        TenantSource::Fixed(tenant) => Some(tenant.clone()),
        TenantSource::Claim(claim) => {
            claims.get(claim).and_then(Value::as_str).and_then(|name| TenantId::new(name).ok())
        }
    };
    let subject = claims.get(&issuer.subject_claim).and_then(Value::as_str).and_then(subject_principal);
    let jti = match claims.get("jti") {
        None => None,
        Some(Value::String(jti)) => Some(jti.clone()),
        Some(_) => return Err(TokenError::Invalid),
    };
    Ok(VerifiedToken {
        tenant: tenant.ok_or(TokenError::Invalid)?,
        principal: subject.ok_or(TokenError::Invalid)?,
        groups: read_groups(claims, issuer)?,
        attributes: read_attributes(claims, issuer).ok_or(TokenError::Invalid)?,
        scopes: read_scopes(claims, issuer).ok_or(TokenError::Invalid)?,
        says_scopes: issuer.scope_claim.is_some(),
        facts: TokenFacts { issuer: issuer.issuer.clone(), expires_at, jti, issued_at: issued_at(claims) },
        bound_to: confirmation(claims).ok_or(TokenError::Invalid)?,
    })
}

/// Checks `exp`, `nbf` and `iat`; gives back when the token is refused from, leeway included.
fn check_times(claims: &Map<String, Value>, issuer: &Issuer, now: Timestamp) -> Option<Timestamp> {
    let now_seconds = now.0.div_euclid(1_000_000);
    let expires = claims.get("exp")?.as_i64().filter(|expires| *expires > 0)?;
    let refused_from = expires.checked_add(issuer.leeway_seconds)?;
    let has_begun = |name: &str| match claims.get(name) {
        None => true,
        Some(value) => value.as_i64().is_some_and(|begins| begins <= now_seconds + issuer.leeway_seconds),
    };
    let is_current = now_seconds < refused_from && expires - now_seconds <= issuer.max_lifetime_seconds;
    let valid = is_current && has_begun("nbf") && has_begun("iat");
    valid.then(|| refused_from.checked_mul(1_000_000).map(Timestamp)).flatten()
}

/// When the token was issued, as far as it tells; [`check_times`] has seen that it is a number.
fn issued_at(claims: &Map<String, Value>) -> Option<Timestamp> {
    claims.get("iat")?.as_i64()?.checked_mul(1_000_000).map(Timestamp)
}

/// The certificate that a token is bound to. `None` for a token that asks for a proof which is not understood here: without it the token must not hold (RFC 7800, 3.1).
fn confirmation(claims: &Map<String, Value>) -> Option<Option<[u8; 32]>> {
    let Some(confirmation) = claims.get("cnf") else { return Some(None) };
    let members = confirmation.as_object().filter(|members| members.len() == 1)?;
    let thumbprint = BASE64URL_NOPAD.decode(members.get("x5t#S256")?.as_str()?.as_bytes()).ok()?;
    thumbprint.try_into().ok().map(Some)
}

/// `alice` is `user:alice`; a prefix other than `user:` and `service:` is refused, so that no subject becomes a group.
fn subject_principal(subject: &str) -> Option<Principal> {
    let principal = match subject.split_once(':') {
        None => Principal::new(&format!("user:{subject}")),
        Some(_) => Principal::new(subject),
    };
    let principal = principal.ok()?;
    let (_, name) = principal.as_str().split_once(':')?;
    let reserved = RESERVED_NAMES.iter().any(|reserved| name.eq_ignore_ascii_case(reserved));
    let may_ask = matches!(principal.kind(), PrincipalKind::User | PrincipalKind::Service);
    (may_ask && !reserved).then_some(principal)
}

fn read_groups(claims: &Map<String, Value>, issuer: &Issuer) -> Result<Groups, TokenError> {
    match &issuer.groups {
        GroupSource::Directory => Ok(Groups::default()),
        GroupSource::Token { claim } => {
            let named = named_groups(claims, claim, issuer.groups_optional)?;
            Ok(Groups { named, directory: Directory::IsLeftOut })
        }
        GroupSource::Both { claim, directory_for_unknown } => {
            match named_groups(claims, claim, issuer.groups_optional) {
                Ok(named) => Ok(Groups { named, directory: Directory::Adds }),
                Err(TokenError::GroupsUnresolved) if *directory_for_unknown => {
                    Ok(Groups { named: BTreeSet::new(), directory: Directory::MustKnow })
                }
                Err(error) => Err(error),
            }
        }
    }
}

fn named_groups(
    claims: &Map<String, Value>,
    claim: &str,
    is_optional: bool,
) -> Result<BTreeSet<Principal>, TokenError> {
    // Entra ID leaves the groups out beyond 200 and points elsewhere: unknown, not none.
    let pointed_elsewhere = claims.get("_claim_names").is_some_and(|names| names.get(claim).is_some());
    let left_out = claims.get("hasgroups").is_some_and(|has| *has != Value::Bool(false));
    if pointed_elsewhere || left_out {
        return Err(TokenError::GroupsUnresolved);
    }
    let names = match claims.get(claim) {
        None if is_optional => return Ok(BTreeSet::new()),
        None => return Err(TokenError::GroupsUnresolved),
        Some(value) => value.as_array().filter(|names| names.len() <= PRINCIPALS_MAX).ok_or(TokenError::Invalid)?,
    };
    names.iter().map(|name| name.as_str().and_then(group_principal).ok_or(TokenError::Invalid)).collect()
}

fn group_principal(name: &str) -> Option<Principal> {
    let prefixed = name.starts_with("group:") || name.starts_with("role:");
    if prefixed { Principal::new(name).ok() } else { Principal::group(name).ok() }
}

fn read_attributes(claims: &Map<String, Value>, issuer: &Issuer) -> Option<BTreeMap<String, AttributeValue>> {
    let object = match issuer.attributes_claim.as_ref().and_then(|claim| claims.get(claim)) {
        None => None,
        Some(value) => Some(value.as_object()?),
    };
    let mapped = issuer.attributes.iter().filter_map(|(name, claim)| Some((name, claims.get(claim)?)));
    let present = object.into_iter().flatten().chain(mapped);
    present.map(|(name, value)| Some((name.clone(), attribute_value(value)?))).collect()
}

/// An attribute from JSON; `None` for what no requirement could be checked against.
#[must_use]
pub fn attribute_value(value: &Value) -> Option<AttributeValue> {
    match value {
        Value::Bool(value) => Some(AttributeValue::Boolean(*value)),
        Value::Number(number) => number.as_i64().map(AttributeValue::Integer),
        Value::String(text) => Some(AttributeValue::Text(text.clone())),
        Value::Array(texts) => {
            let texts: Option<_> = texts.iter().map(|text| text.as_str().map(str::to_owned)).collect();
            texts.map(AttributeValue::Texts)
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// The issuer's scopes, narrowed by the scope claim where one is configured. Names of others (`openid`) give nothing.
fn read_scopes(claims: &Map<String, Value>, issuer: &Issuer) -> Option<Scopes> {
    let Some(claim) = &issuer.scope_claim else { return Some(issuer.scopes.clone()) };
    let names: Vec<&str> = match claims.get(claim) {
        None => Vec::new(),
        Some(Value::String(names)) => names.split(' ').collect(),
        Some(Value::Array(names)) => names.iter().map(Value::as_str).collect::<Option<_>>()?,
        Some(_) => return None,
    };
    let asked: Scopes = names.into_iter().filter_map(Scope::from_name).collect();
    Some(asked.intersect(&issuer.scopes))
}
