//! Who is asking: API keys, tokens of configured issuers and for one task, client certificates, and acting for a person.
//!
//! Only this module makes a [`Caller`]. Every cause of a refused credential has one answer outside.

mod acting;
mod admission;
mod budgets;
mod caller;
mod certificate;
mod development;
mod exchange;
mod identity;
mod issuer;
mod key_file;
mod key_record;
mod key_uses;
mod keyring;
mod network;
mod remote_keys;
mod revocations;
pub(crate) mod strict_json;
mod task_token;
mod token;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use ringfence_indexes::{
    Engine, Principal, TenantId,
    failpoint::{self, Fault},
};

use self::{
    budgets::Budgets,
    identity::{Acting, Holder, task_caller, token_caller},
    task_token::TaskToken,
    token::{Directory, Groups, TokenError, VerifiedToken},
};
pub use jsonwebtoken::Algorithm;

pub use self::{
    caller::{Authenticated, Caller, Credential, Operator, TokenFacts},
    certificate::{CertificateMapping, CertificateName, ClientCertificate},
    development::{DevelopmentClaims, DevelopmentIssuer, TTL_SECONDS_MAX},
    exchange::{ExchangeError, ExchangeRequest, TaskTokenIssued},
    issuer::{GroupSource, Issuer, IssuerKeys, KeySetError, KeySource, SECRET_BYTES_MIN, TenantSource},
    key_file::{KeyFile, KeyFileError},
    key_record::{KeyKind, KeyRecord, PreviousSecret},
    key_uses::KeyUses,
    keyring::{KeyHasher, Keyring, NewKey, key_id_of},
    network::Network,
    remote_keys::{FetchError, RemoteKeys, UrlError},
    revocations::{Revocation, RevocationTarget, Revocations},
    task_token::{Caveat, TTL_SECONDS_MAX as TASK_SECONDS_MAX, TaskTokens, is_purpose},
    token::attribute_value,
};
use crate::{authz::Scope, clock::Clock, entropy::Entropy};

/// The issuer that revocations of tokens for a task name.
pub const TASK_ISSUER: &str = "ringfence";

/// Verifies credentials.
#[derive(Debug)]
pub struct Authenticator {
    parts: AuthenticatorParts,
    budgets: Budgets,
}

/// What an authenticator looks things up in.
#[derive(Debug)]
pub struct AuthenticatorParts {
    /// The API keys.
    pub keyring: Arc<Keyring>,
    /// The issuers of tokens.
    pub issuers: Vec<Issuer>,
    /// The client certificates.
    pub certificates: Vec<CertificateMapping>,
    /// The tokens that are refused.
    pub revocations: Arc<Revocations>,
    /// What makes and reads tokens for a task.
    pub tasks: TaskTokens,
    /// Whose directory answers where a token does not say which groups its user is in.
    pub engine: Arc<Engine>,
    /// The present.
    pub clock: Arc<Clock>,
    /// Where the names of new tokens come from.
    pub entropy: Arc<Entropy>,
}

/// What a request shows of who asks.
#[derive(Clone, Copy, Default)]
pub struct CredentialHeaders<'request> {
    /// `Authorization`.
    pub authorization: Option<&'request str>,
    /// `Ringfence-As`.
    pub act_as: Option<&'request str>,
    /// `Ringfence-On-Behalf-Of`.
    pub on_behalf_of: Option<&'request str>,
    /// The certificate of the connection.
    pub certificate: Option<&'request ClientCertificate>,
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
    /// An authenticator of these parts.
    #[must_use]
    pub fn new(parts: AuthenticatorParts) -> Self {
        Self { parts, budgets: Budgets::default() }
    }

    /// The keys, which the committer changes.
    #[must_use]
    pub const fn keyring(&self) -> &Arc<Keyring> {
        &self.parts.keyring
    }

    /// The tokens that are refused, which the committer changes.
    #[must_use]
    pub const fn revocations(&self) -> &Arc<Revocations> {
        &self.parts.revocations
    }

    /// Whether an issuer of this name is configured, or the name is that of tokens for a task.
    #[must_use]
    pub fn is_issuer(&self, name: &str) -> bool {
        name == TASK_ISSUER || self.parts.issuers.iter().any(|issuer| issuer.issuer == name)
    }

    /// Keeps the keys fresh that issuers publish, or that files hold, for as long as it is polled.
    pub async fn keep_keys(&self) {
        // Side by side: an issuer that does not answer holds up none of the others.
        let keeping = self.parts.issuers.iter().map(|issuer| async move {
            let (name, clock) = (issuer.issuer.clone(), Arc::clone(&self.parts.clock));
            match &issuer.keys {
                KeySource::Fixed(_) => {}
                KeySource::File(file) => Arc::clone(file).keep(name, clock).await,
                KeySource::Remote(keys) => Arc::clone(keys).keep(name, clock).await,
            }
        });
        futures_util::future::join_all(keeping).await;
    }

    /// Whether each issuer whose keys are renewed has some that may be trusted now, by its name.
    #[must_use]
    pub fn published_keys(&self) -> Vec<(&str, bool)> {
        let renewed = self.parts.issuers.iter().filter(|issuer| !matches!(issuer.keys, KeySource::Fixed(_)));
        let now = self.parts.clock.now();
        renewed.map(|issuer| (issuer.issuer.as_str(), issuer.keys.current(now).is_some())).collect()
    }

    /// Verifies the credential of a request. A token with a key id that is not known waits for its issuer's keys to be fetched anew, once and not for long.
    ///
    /// A bearer credential counts rather than the connection's certificate, which authenticates a request without one.
    ///
    /// # Errors
    /// [`Unauthenticated`] says which answer is due.
    pub async fn authenticate(
        &self,
        headers: &CredentialHeaders<'_>,
        peer: IpAddr,
    ) -> Result<Authenticated, Unauthenticated> {
        let verified = self.with_fresh_keys(|| self.verify(headers, peer)).await;
        self.admitted(verified?)
    }

    /// Looks, and once more after the issuer's keys were fetched anew, if that is what was missing.
    async fn with_fresh_keys<T>(&self, look: impl Fn() -> Result<T, Refusal>) -> Result<T, Unauthenticated> {
        let issuer = match look() {
            Ok(found) => return Ok(found),
            Err(Refusal::Final(refused)) => return Err(refused),
            Err(Refusal::UnknownKey(issuer)) => issuer,
        };
        let is_renewed = match self.parts.issuers.get(issuer).map(|issuer| &issuer.keys) {
            Some(KeySource::Remote(keys)) => keys.demand(&self.parts.clock).await,
            Some(KeySource::File(file)) => file.demand(&self.parts.clock).await,
            Some(KeySource::Fixed(_)) | None => false,
        };
        if !is_renewed {
            return Err(Unauthenticated::Invalid);
        }
        look().map_err(|refusal| match refusal {
            Refusal::Final(refused) => refused,
            Refusal::UnknownKey(_) => Unauthenticated::Invalid,
        })
    }

    /// Verifies the credential of a request with what is known here.
    fn verify(&self, headers: &CredentialHeaders<'_>, peer: IpAddr) -> Result<Authenticated, Refusal> {
        let now = self.parts.clock.now();
        let holder = match (headers.authorization, headers.certificate) {
            (None, Some(certificate)) => self.certified(certificate).ok_or(Unauthenticated::Invalid)?,
            (shown, _) => {
                let credential = shown.and_then(bearer).ok_or(Unauthenticated::Invalid)?;
                if !keyring::looks_like_key(credential) {
                    return self.verify_bearer(credential, headers, peer);
                }
                let held = self.parts.keyring.verify(credential, peer, now).ok_or(Unauthenticated::Invalid)?;
                if held.record.kind == KeyKind::Operator {
                    need_no_acting(headers)?;
                    return Ok(Authenticated::Operator(Operator { key: held }));
                }
                Holder::of_key(held).ok_or(Unauthenticated::Invalid)?
            }
        };
        let acting = self.acting(headers, &holder)?;
        Ok(Authenticated::Caller(holder.caller(acting)))
    }

    /// Verifies a token: of a configured issuer, or for a task.
    fn verify_bearer(
        &self,
        credential: &str,
        headers: &CredentialHeaders<'_>,
        peer: IpAddr,
    ) -> Result<Authenticated, Refusal> {
        if credential.starts_with(task_token::PREFIX) {
            let token = self.parts.tasks.open(credential).filter(|token| self.task_holds(token));
            let token = token.ok_or(Unauthenticated::Invalid)?;
            need_no_acting(headers)?;
            return self.task_of(token, peer).map(Authenticated::Caller).ok_or(Unauthenticated::Invalid.into());
        }
        let token = self.verify_token(credential)?;
        let is_bound_elsewhere =
            token.bound_to.is_some_and(|bound| headers.certificate.is_none_or(|shown| shown.fingerprint != bound));
        if is_bound_elsewhere {
            return Err(Unauthenticated::Invalid.into());
        }
        need_no_acting(headers)?;
        Ok(Authenticated::Caller(token_caller(self.with_meant_groups(token))))
    }

    /// Whether the caller's credential still holds: looked at again before bytes leave.
    #[must_use]
    pub fn still_valid(&self, caller: &Caller) -> bool {
        let now = self.parts.clock.now();
        let key_holds = caller.held_key().is_none_or(|held| self.parts.keyring.is_current(held, now));
        let is_in_time = caller.expires_at().is_none_or(|end| now < end)
            && caller.token().is_none_or(|token| now < token.expires_at);
        let is_known = self.is_known_where_needed(caller) && self.admits(caller);
        if failpoint::has(Fault::NoCredentialCheck, caller.tenant()) {
            return true;
        }
        key_holds && is_in_time && !self.is_revoked(caller) && is_known
    }

    /// Whether an operator's key still holds.
    #[must_use]
    pub fn operator_still_valid(&self, operator: &Operator) -> bool {
        self.parts.keyring.is_current(&operator.key, self.parts.clock.now())
    }

    fn is_revoked(&self, caller: &Caller) -> bool {
        let Some(person) = caller.person() else { return false };
        let refuses = |facts: &TokenFacts| self.parts.revocations.refuse(caller.tenant(), person, facts);
        let own = match caller.credential() {
            Credential::Task { id, subject, .. } => refuses(&task_facts(id, subject)),
            _ => false,
        };
        own || caller.token().is_some_and(refuses)
    }

    fn is_known_where_needed(&self, caller: &Caller) -> bool {
        caller.directory() != Directory::MustKnow
            || caller.person().is_some_and(|person| self.parts.engine.is_member(caller.tenant(), person))
    }

    /// Whose certificate it is, while it is in its time.
    fn certified(&self, certificate: &ClientCertificate) -> Option<Holder> {
        let mut fitting = self.parts.certificates.iter().filter(|mapping| mapping.name.fits(certificate));
        // Where two fit, it is not said who asks.
        let (Some(mapping), None) = (fitting.next(), fitting.next()) else { return None };
        let is_current = certificate.is_current(self.parts.clock.now());
        is_current.then(|| Holder::of_certificate(certificate, mapping))
    }

    /// The person that a program acts for, if a header names one.
    fn acting(&self, headers: &CredentialHeaders<'_>, holder: &Holder) -> Result<Option<Acting>, Refusal> {
        let may = |scope: Scope| match holder.is_program && holder.scopes.contains(scope) {
            true => Ok(()),
            false => Err(Unauthenticated::MissingScope(scope)),
        };
        match (headers.act_as, headers.on_behalf_of) {
            (None, None) => Ok(None),
            (Some(value), None) => {
                may(Scope::Assert)?;
                let named = acting::parse(value).ok_or(Unauthenticated::MalformedActing)?;
                // What is asserted of the person are groups; attributes that nobody verified are missing, and fail.
                let attributes = BTreeMap::new();
                let groups = Groups { named: named.groups, directory: Directory::Adds };
                Ok(Some(Acting { principal: named.person, groups, attributes, token: None, scopes: None }))
            }
            (None, Some(token)) => {
                may(Scope::Act)?;
                let token = self.verify_token(token)?;
                // A token of another tenant is as good as none: nothing crosses between tenants. One that is bound to its holder's certificate is nobody else's to show.
                if token.tenant != holder.tenant || token.bound_to.is_some() {
                    return Err(Unauthenticated::Invalid.into());
                }
                Ok(Some(self.with_meant_groups(token).into()))
            }
            (Some(_), Some(_)) => Err(Unauthenticated::MalformedActing.into()),
        }
    }

    fn with_meant_groups(&self, token: VerifiedToken) -> VerifiedToken {
        let groups = self.as_meant(&token.tenant, token.groups, token.facts.issued_at);
        VerifiedToken { groups, ..token }
    }

    fn verify_token(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        let token = token::verify(token, &self.parts.issuers, self.parts.clock.now())?;
        let is_admitted = self.admits_person(&token.tenant, &token.principal, Some(&token.facts));
        if !is_admitted || self.parts.revocations.refuse(&token.tenant, &token.principal, &token.facts) {
            return Err(TokenError::Invalid);
        }
        self.check_known(&token.tenant, &token.principal, &token.groups)?;
        Ok(token)
    }

    /// A user whom the directory does not know is not one without groups.
    fn check_known(&self, tenant: &TenantId, person: &Principal, groups: &Groups) -> Result<(), TokenError> {
        let is_known = groups.directory != Directory::MustKnow || self.parts.engine.is_member(tenant, person);
        if is_known { Ok(()) } else { Err(TokenError::GroupsUnresolved) }
    }

    /// Whether a token for a task is in its time and nothing of it was revoked; the key behind it is looked at apart.
    fn task_holds(&self, token: &TaskToken) -> bool {
        let root = &token.root;
        let subject = TokenFacts {
            issuer: root.issuer.clone(),
            expires_at: token.limits.expires_at,
            jti: root.jti.clone(),
            issued_at: root.issued_at,
        };
        let is_revoked = [task_facts(&root.id, &subject), subject.clone()]
            .iter()
            .any(|facts| self.parts.revocations.refuse(&root.tenant, &root.person, facts));
        let is_known = self.check_known(&root.tenant, &root.person, &root.groups).is_ok()
            && self.admits_person(&root.tenant, &root.person, Some(&subject));
        self.parts.clock.now() < token.limits.expires_at && !is_revoked && is_known
    }

    /// The holder of a token for a task, whose key still stands behind it; counts the request.
    fn task_of(&self, mut token: TaskToken, peer: IpAddr) -> Option<Caller> {
        let now = self.parts.clock.now();
        token.root.groups = self.as_meant(&token.root.tenant, token.root.groups, token.root.issued_at);
        let held = self.parts.keyring.behind(&token.root.key, &token.root.secret, peer, now)?;
        let (budgets, until) = (token.budgets.clone(), token.limits.expires_at);
        let caller = task_caller(token, held)?;
        self.budgets.spend(&budgets, until, now).then_some(caller)
    }
}

/// A token for a task as revocations know it. It was not issued before the person's own.
fn task_facts(id: &str, subject: &TokenFacts) -> TokenFacts {
    TokenFacts { issuer: TASK_ISSUER.to_owned(), jti: Some(id.to_owned()), ..subject.clone() }
}

/// Refuses a credential that names somebody else and cannot.
const fn need_no_acting(headers: &CredentialHeaders<'_>) -> Result<(), Unauthenticated> {
    match (headers.act_as, headers.on_behalf_of) {
        (None, None) => Ok(()),
        (Some(_), _) => Err(Unauthenticated::MissingScope(Scope::Assert)),
        (None, Some(_)) => Err(Unauthenticated::MissingScope(Scope::Act)),
    }
}

/// The `Bearer` credential of an `Authorization` header; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, credential) = header.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}

#[cfg(test)]
mod tests;
