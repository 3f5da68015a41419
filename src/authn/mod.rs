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
pub(crate) mod strict_json;
mod token;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use ringfence_indexes::{AttributeValue, Principal, Selection, Subject, TenantId};

use self::{
    caller::{Identity, Task},
    token::{TokenError, VerifiedToken},
};
pub use jsonwebtoken::Algorithm;

pub use self::{
    caller::{Authenticated, Caller, Credential, Operator, TokenFacts},
    development::{DevelopmentClaims, DevelopmentIssuer, TTL_SECONDS_MAX},
    issuer::{Issuer, IssuerKeys, KeySetError, SECRET_BYTES_MIN, TenantSource},
    key_record::{KeyKind, KeyRecord},
    key_uses::KeyUses,
    keyring::{KeyHasher, Keyring, NewKey, key_id_of},
    network::Network,
    token::attribute_value,
};
use crate::{authz::Scope, clock::Clock};

/// Verifies credentials.
#[derive(Debug)]
pub struct Authenticator {
    keyring: Arc<Keyring>,
    issuers: Vec<Issuer>,
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

impl Authenticator {
    /// An authenticator of these keys and issuers.
    #[must_use]
    pub const fn new(keyring: Arc<Keyring>, issuers: Vec<Issuer>, clock: Arc<Clock>) -> Self {
        Self { keyring, issuers, clock }
    }

    /// The keys, which the committer changes.
    #[must_use]
    pub const fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// Verifies the credential of a request.
    ///
    /// # Errors
    /// [`Unauthenticated`] says which answer is due.
    pub fn authenticate(
        &self,
        headers: &CredentialHeaders<'_>,
        peer: IpAddr,
    ) -> Result<Authenticated, Unauthenticated> {
        let credential = headers.authorization.and_then(bearer).ok_or(Unauthenticated::Invalid)?;
        if !keyring::looks_like_key(credential) {
            let token = self.verify_token(credential)?;
            return match (headers.act_as, headers.on_behalf_of) {
                (None, None) => Ok(Authenticated::Caller(token_caller(token))),
                (Some(_), _) => Err(Unauthenticated::MissingScope(Scope::Assert)),
                (None, Some(_)) => Err(Unauthenticated::MissingScope(Scope::Act)),
            };
        }
        let record = self.keyring.verify(credential, peer, self.clock.now()).ok_or(Unauthenticated::Invalid)?;
        let acting = self.acting(headers, &record)?;
        if record.kind == KeyKind::Operator {
            return Ok(Authenticated::Operator(Operator { key_id: record.id.clone() }));
        }
        key_caller(record, acting).map(Authenticated::Caller).ok_or(Unauthenticated::Invalid)
    }

    /// Whether the caller's credential still holds: looked at again before bytes leave.
    #[must_use]
    pub fn still_valid(&self, caller: &Caller) -> bool {
        let now = self.clock.now();
        caller.key().is_none_or(|key| self.keyring.is_current(key, now))
            && caller.token().is_none_or(|token| now < token.expires_at)
    }

    /// The person that the key's holder acts for, if a header names one.
    fn acting(&self, headers: &CredentialHeaders<'_>, key: &KeyRecord) -> Result<Option<Acting>, Unauthenticated> {
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
                Ok(Some(Acting { principal: named.person, groups: named.groups, attributes, token: None }))
            }
            (None, Some(token)) => {
                may(Scope::Act)?;
                let token = self.verify_token(token)?;
                // A token of another tenant is as good as none: nothing crosses between tenants.
                if key.tenant.as_ref() != Some(&token.tenant) {
                    return Err(Unauthenticated::Invalid);
                }
                let VerifiedToken { principal, groups, attributes, facts, .. } = token;
                Ok(Some(Acting { principal, groups, attributes, token: Some(facts) }))
            }
            (Some(_), Some(_)) => Err(Unauthenticated::MalformedActing),
        }
    }

    fn verify_token(&self, token: &str) -> Result<VerifiedToken, Unauthenticated> {
        token::verify(token, &self.issuers, self.clock.now()).map_err(|error| match error {
            TokenError::Invalid => Unauthenticated::Invalid,
            TokenError::GroupsUnresolved => Unauthenticated::GroupsUnresolved,
        })
    }
}

/// The person that a key's holder acts for.
struct Acting {
    principal: Principal,
    groups: BTreeSet<Principal>,
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
        |own| subject(tenant.clone(), own, key.groups.clone(), key.attributes.clone()),
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
    mut principals: BTreeSet<Principal>,
    attributes: BTreeMap<String, AttributeValue>,
) -> Subject {
    principals.extend([principal, Principal::everyone()]);
    assert_verified(tenant, principals, attributes)
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
