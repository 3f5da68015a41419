//! Who is asking: API keys, tokens of configured issuers, and acting for a person.
//!
//! Only this module makes a [`Caller`]. Every cause of a refused credential has one answer outside.

mod acting;
mod caller;
mod development;
mod issuer;
mod key_record;
mod key_uses;
mod keyring;
mod network;
mod remote_keys;
pub(crate) mod strict_json;
mod token;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use ringfence_indexes::{AttributeValue, Engine, Principal, Selection, Subject, TenantId};

use self::{
    caller::{Identity, Task},
    token::{Directory, Groups, TokenError, VerifiedToken},
};
pub use jsonwebtoken::Algorithm;

pub use self::{
    caller::{Authenticated, Caller, Credential, Operator, TokenFacts},
    development::{DevelopmentClaims, DevelopmentIssuer, TTL_SECONDS_MAX},
    issuer::{GroupSource, Issuer, IssuerKeys, KeySetError, KeySource, SECRET_BYTES_MIN, TenantSource},
    key_record::{KeyKind, KeyRecord},
    key_uses::KeyUses,
    keyring::{KeyHasher, Keyring, NewKey, key_id_of},
    network::Network,
    remote_keys::{FetchError, RemoteKeys, UrlError},
    token::attribute_value,
};
use crate::{authz::Scope, clock::Clock};

/// Verifies credentials.
#[derive(Debug)]
pub struct Authenticator {
    keyring: Arc<Keyring>,
    issuers: Vec<Issuer>,
    /// Whose directory answers where a token does not say which groups its user is in.
    engine: Arc<Engine>,
    clock: Arc<Clock>,
}

/// The headers of a request that say who asks.
#[derive(Clone, Copy, Default)]
pub struct CredentialHeaders<'request> {
    /// `Authorization`.
    pub authorization: Option<&'request str>,
    /// `Ringfence-As`.
    pub act_as: Option<&'request str>,
    /// `Ringfence-On-Behalf-Of`.
    pub on_behalf_of: Option<&'request str>,
}

/// Why nobody is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// No credential, or none that holds: 401, one wording for all causes.
    #[error("a valid credential is required")]
    Invalid,
    /// The token does not say which groups the user is in: 403 `groups_unresolved`.
    #[error("the token does not list the user's groups, so what they may read is unknown")]
    GroupsUnresolved,
    /// `Ringfence-As` has another form, or both headers are sent: 400.
    #[error(
        "`Ringfence-As` must be `user:NAME` or `user:NAME; group:A, group:B`, and not stand beside `Ringfence-On-Behalf-Of`"
    )]
    MalformedActing,
    /// Acting for a person needs a scope that the credential lacks: 403.
    #[error("the credential needs the scope `{0}`")]
    MissingScope(Scope),
}

/// Why a credential was not taken at the first look.
enum Refusal {
    Final(Unauthenticated),
    /// The issuer of this number may have a key that is not known here yet.
    UnknownKey(usize),
}

impl From<Unauthenticated> for Refusal {
    fn from(refused: Unauthenticated) -> Self {
        Self::Final(refused)
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::Final(Unauthenticated::Invalid),
            TokenError::GroupsUnresolved => Self::Final(Unauthenticated::GroupsUnresolved),
            TokenError::UnknownKey(issuer) => Self::UnknownKey(issuer),
        }
    }
}

impl Authenticator {
    /// An authenticator of these keys and issuers.
    #[must_use]
    pub const fn new(keyring: Arc<Keyring>, issuers: Vec<Issuer>, engine: Arc<Engine>, clock: Arc<Clock>) -> Self {
        Self { keyring, issuers, engine, clock }
    }

    /// The keys, which the committer changes.
    #[must_use]
    pub const fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// Keeps the keys fresh that issuers publish, for as long as it is polled.
    pub async fn keep_keys(&self) {
        let remote = self.issuers.iter().filter_map(|issuer| match &issuer.keys {
            KeySource::Remote(keys) => Some((issuer.issuer.clone(), Arc::clone(keys))),
            KeySource::Fixed(_) => None,
        });
        // Side by side: an issuer that does not answer holds up none of the others.
        let keeping = remote.map(|(issuer, keys)| keys.keep(issuer, Arc::clone(&self.clock)));
        futures_util::future::join_all(keeping).await;
    }

    /// Whether each issuer that publishes its keys has some that may be trusted now, by its name.
    #[must_use]
    pub fn published_keys(&self) -> Vec<(&str, bool)> {
        let remote = self.issuers.iter().filter(|issuer| matches!(issuer.keys, KeySource::Remote(_)));
        let now = self.clock.now();
        remote.map(|issuer| (issuer.issuer.as_str(), issuer.keys.current(now).is_some())).collect()
    }

    /// Verifies the credential of a request. A token with a key id that is not known waits for its issuer's keys to be fetched anew, once and not for long.
    ///
    /// # Errors
    /// [`Unauthenticated`] says which answer is due.
    pub async fn authenticate(
        &self,
        headers: &CredentialHeaders<'_>,
        peer: IpAddr,
    ) -> Result<Authenticated, Unauthenticated> {
        let issuer = match self.verify(headers, peer) {
            Ok(authenticated) => return Ok(authenticated),
            Err(Refusal::Final(refused)) => return Err(refused),
            Err(Refusal::UnknownKey(issuer)) => issuer,
        };
        let is_renewed = match self.issuers.get(issuer).map(|issuer| &issuer.keys) {
            Some(KeySource::Remote(keys)) => keys.demand(&self.clock).await,
            _ => false,
        };
        if !is_renewed {
            return Err(Unauthenticated::Invalid);
        }
        self.verify(headers, peer).map_err(|refusal| match refusal {
            Refusal::Final(refused) => refused,
            Refusal::UnknownKey(_) => Unauthenticated::Invalid,
        })
    }

    /// Verifies the credential of a request with what is known here.
    fn verify(&self, headers: &CredentialHeaders<'_>, peer: IpAddr) -> Result<Authenticated, Refusal> {
        let credential = headers.authorization.and_then(bearer).ok_or(Unauthenticated::Invalid)?;
        if !keyring::looks_like_key(credential) {
            let token = self.verify_token(credential)?;
            return match (headers.act_as, headers.on_behalf_of) {
                (None, None) => Ok(Authenticated::Caller(token_caller(token))),
                (Some(_), _) => Err(Unauthenticated::MissingScope(Scope::Assert).into()),
                (None, Some(_)) => Err(Unauthenticated::MissingScope(Scope::Act).into()),
            };
        }
        let record = self.keyring.verify(credential, peer, self.clock.now()).ok_or(Unauthenticated::Invalid)?;
        let acting = self.acting(headers, &record)?;
        if record.kind == KeyKind::Operator {
            return Ok(Authenticated::Operator(Operator { key_id: record.id.clone() }));
        }
        key_caller(record, acting).map(Authenticated::Caller).ok_or(Unauthenticated::Invalid.into())
    }

    /// Whether the caller's credential still holds: looked at again before bytes leave.
    #[must_use]
    pub fn still_valid(&self, caller: &Caller) -> bool {
        let now = self.clock.now();
        caller.key().is_none_or(|key| self.keyring.is_current(key, now))
            && caller.token().is_none_or(|token| now < token.expires_at)
    }

    /// The person that the key's holder acts for, if a header names one.
    fn acting(&self, headers: &CredentialHeaders<'_>, key: &KeyRecord) -> Result<Option<Acting>, Refusal> {
        let may = |scope: Scope| match key.kind {
            KeyKind::Service | KeyKind::Agent if key.scopes.contains(scope) => Ok(()),
            _ => Err(Unauthenticated::MissingScope(scope)),
        };
        match (headers.act_as, headers.on_behalf_of) {
            (None, None) => Ok(None),
            (Some(value), None) => {
                may(Scope::Assert)?;
                let named = acting::parse(value).ok_or(Unauthenticated::MalformedActing)?;
                // What is asserted of the person are groups; attributes that nobody verified are missing, and fail.
                let attributes = BTreeMap::new();
                let groups = Groups { named: named.groups, directory: Directory::Adds };
                Ok(Some(Acting { principal: named.person, groups, attributes, token: None }))
            }
            (None, Some(token)) => {
                may(Scope::Act)?;
                let token = self.verify_token(token)?;
                // A token of another tenant is as good as none: nothing crosses between tenants.
                if key.tenant.as_ref() != Some(&token.tenant) {
                    return Err(Unauthenticated::Invalid.into());
                }
                let VerifiedToken { principal, groups, attributes, facts, .. } = token;
                Ok(Some(Acting { principal, groups, attributes, token: Some(facts) }))
            }
            (Some(_), Some(_)) => Err(Unauthenticated::MalformedActing.into()),
        }
    }

    fn verify_token(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        let token = token::verify(token, &self.issuers, self.clock.now())?;
        // A user whom the directory does not know is not one without groups.
        let must_know = token.groups.directory == Directory::MustKnow;
        if must_know && !self.engine.is_member(&token.tenant, &token.principal) {
            return Err(TokenError::GroupsUnresolved);
        }
        Ok(token)
    }
}

/// The person that a key's holder acts for.
struct Acting {
    principal: Principal,
    groups: Groups,
    attributes: BTreeMap<String, AttributeValue>,
    token: Option<TokenFacts>,
}

/// The `Bearer` credential of an `Authorization` header; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, credential) = header.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}

fn token_caller(token: VerifiedToken) -> Caller {
    let subject = subject(token.tenant, token.principal.clone(), token.groups, token.attributes);
    Caller::new(Identity {
        credential: Credential::Token(token.facts),
        key: None,
        principal: Some(token.principal),
        acting_for: None,
        reader: subject.clone(),
        writer: subject,
        scopes: token.scopes,
        ceiling: Selection::All,
        task: Task::default(),
    })
}

/// `None` for a key without a tenant, which only an operator's may be.
fn key_caller(key: Arc<KeyRecord>, acting: Option<Acting>) -> Option<Caller> {
    let tenant = key.tenant.clone()?;
    let own = key.subject.clone().map_or_else(
        || nobody(tenant.clone()),
        |own| {
            let groups = Groups { named: key.groups.clone(), directory: Directory::Adds };
            subject(tenant.clone(), own, groups, key.attributes.clone())
        },
    );
    let reads_as_itself = key.kind == KeyKind::User || key.scopes.contains(Scope::ReadAsService);
    let (reader, writer, acting_for, on_behalf) = match acting {
        Some(person) => {
            let subject = subject(tenant, person.principal.clone(), person.groups, person.attributes);
            (subject.clone(), subject, Some(person.principal), person.token)
        }
        None if reads_as_itself => (own.clone(), own, None, None),
        None => (nobody(tenant), own, None, None),
    };
    Some(Caller::new(Identity {
        credential: Credential::Key { id: key.id.clone(), on_behalf },
        principal: key.subject.clone(),
        acting_for,
        reader,
        writer,
        scopes: key.scopes.clone(),
        ceiling: key.collections.clone().map_or(Selection::All, Selection::Only),
        key: Some(key),
        task: Task::default(),
    }))
}

/// The verified subject of a person or service: their name, their groups, and `everyone`.
fn subject(
    tenant: TenantId,
    principal: Principal,
    groups: Groups,
    attributes: BTreeMap<String, AttributeValue>,
) -> Subject {
    let mut principals = groups.named;
    principals.extend([principal, Principal::everyone()]);
    let subject = assert_verified(tenant, principals, attributes);
    if groups.directory == Directory::IsLeftOut { subject.closed() } else { subject }
}

/// Reads nothing.
fn nobody(tenant: TenantId) -> Subject {
    assert_verified(tenant, BTreeSet::new(), BTreeMap::new())
}

#[expect(clippy::disallowed_methods, reason = "authentication is what verifies a subject")]
const fn assert_verified(
    tenant: TenantId,
    principals: BTreeSet<Principal>,
    attributes: BTreeMap<String, AttributeValue>,
) -> Subject {
    Subject::assert_verified(tenant, principals, attributes)
}

#[cfg(test)]
mod tests;
