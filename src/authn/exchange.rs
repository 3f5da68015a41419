//! Token exchange (RFC 8693): an application shows the token of a person, and gets one of its own for a task of that person.
//!
//! What the new token may do is what person, application and request all allow. An earlier token of the same application is narrowed by a caveat, so that its limits, its budget and its end stay in force.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use ringfence_indexes::{CollectionId, Principal, Selection, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Authenticator, Caller, Credential, KeyKind, Refusal, Unauthenticated,
    keyring::secret_fingerprint,
    task_token::{self, Caveat, Limits, Root, TTL_SECONDS_MAX},
};
use crate::authz::{ExchangeToken, Permit, Scope, Scopes};

/// Scopes that no token for a task has: to make keys that outlive it, or to be somebody else.
const NEVER: [Scope; 5] = [Scope::Keys, Scope::Act, Scope::Assert, Scope::ReadAsService, Scope::BreakGlass];

/// What is asked for.
#[derive(Debug)]
pub struct ExchangeRequest {
    /// The person's token, or an earlier one for the same application.
    pub subject_token: SecretString,
    /// These scopes; all that are possible where nothing is asked.
    pub scopes: Option<Scopes>,
    /// These collections; all that are possible where nothing is asked.
    pub collections: Option<BTreeSet<CollectionId>>,
    /// So many results of one answer at most.
    pub results_max: Option<usize>,
    /// How long it holds; at most [`TTL_SECONDS_MAX`], which is also what holds where nothing is asked.
    pub ttl_seconds: Option<u32>,
    /// What for.
    pub purpose: Option<String>,
    /// So many requests at most.
    pub budget: Option<u32>,
}

/// A token for a task.
#[derive(Debug)]
pub struct TaskTokenIssued {
    /// The token.
    pub token: SecretString,
    /// Its id.
    pub id: String,
    /// The person.
    pub person: Principal,
    /// What it may do.
    pub scopes: Scopes,
    /// How long it holds.
    pub expires_in_seconds: i64,
}

/// Why no token is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The credential is not the key of a program that asks as itself.
    #[error("a token is exchanged by the API key of a program, which names nobody else")]
    NotAnApplication,
    /// Not a genuine, current token of a person of this tenant: one wording for all causes.
    #[error("the `subject_token` does not hold")]
    SubjectToken,
    /// The person's groups are not known.
    #[error("the `subject_token` does not list the user's groups, so what they may read is unknown")]
    GroupsUnresolved,
    /// A scope that person, application or earlier token lack, or that no token for a task has.
    #[error("the `scope` goes beyond what the user, this credential or the earlier token may do")]
    Scope,
    /// Collections beyond those of the credential or the earlier token.
    #[error("the `collections` go beyond those of this credential or the earlier token")]
    Collections,
    /// The earlier token was made for something else.
    #[error("the `purpose` of an earlier token cannot be changed")]
    Purpose,
    /// The user's groups and attributes do not fit into a token.
    #[error("the user has too many groups and attributes for a token: let the directory name the groups")]
    TooLarge,
}

impl Authenticator {
    /// Makes a token for a task.
    ///
    /// # Errors
    /// [`ExchangeError`] says why there is none.
    pub async fn exchange(
        &self,
        permit: &Permit<ExchangeToken>,
        request: &ExchangeRequest,
    ) -> Result<TaskTokenIssued, ExchangeError> {
        let caller = permit.caller();
        let is_program = caller.key().is_some_and(|key| matches!(key.kind, KeyKind::Service | KeyKind::Agent));
        let asks_as_itself = matches!(caller.credential(), Credential::Key { on_behalf: None, .. });
        if !is_program || !asks_as_itself || caller.acting_for().is_some() {
            return Err(ExchangeError::NotAnApplication);
        }
        if request.subject_token.expose_secret().starts_with(task_token::PREFIX) {
            return self.narrow(caller, request);
        }
        self.mint_task(caller, request).await
    }

    async fn mint_task(&self, caller: &Caller, request: &ExchangeRequest) -> Result<TaskTokenIssued, ExchangeError> {
        let shown = request.subject_token.expose_secret();
        let verified = self.with_fresh_keys(|| self.verify_token(shown).map_err(Refusal::from)).await;
        let token = verified.map_err(|refused| match refused {
            Unauthenticated::GroupsUnresolved => ExchangeError::GroupsUnresolved,
            _ => ExchangeError::SubjectToken,
        })?;
        // A token that is bound to its holder's certificate is not the application's to show.
        if token.tenant != *caller.tenant() || token.bound_to.is_some() {
            return Err(ExchangeError::SubjectToken);
        }
        let held = caller.held_key().ok_or(ExchangeError::NotAnApplication)?;
        let now = self.parts.clock.now();
        let ends = [Some(self.asked_end(request)), Some(token.facts.expires_at), held.record.expires_at];
        let mut limits = Limits {
            scopes: possible(&token.scopes.intersect(caller.scopes())),
            collections: caller.ceiling().clone(),
            results_max: request.results_max,
            expires_at: ends.into_iter().flatten().min().unwrap_or(now),
        };
        limits.join(&self.asked(request, &limits)?);
        let root = Root {
            id: HEXLOWER.encode(&self.parts.entropy.bytes::<12>()),
            tenant: token.tenant,
            key: held.record.id.clone(),
            secret: secret_fingerprint(&held.secret_hash),
            person: token.principal,
            groups: token.groups,
            attributes: token.attributes,
            issuer: token.facts.issuer,
            jti: token.facts.jti,
            issued_at: token.facts.issued_at,
            purpose: request.purpose.clone(),
            limits,
            budget: request.budget,
            is_of_this_process: true,
        };
        let token = self.parts.tasks.mint(&root, &self.parts.entropy).ok_or(ExchangeError::TooLarge)?;
        let Root { id, person, limits, .. } = root;
        Ok(issued(token, id, person, limits, now))
    }

    /// Narrows an earlier token of the same application by a caveat.
    fn narrow(&self, caller: &Caller, request: &ExchangeRequest) -> Result<TaskTokenIssued, ExchangeError> {
        let shown = request.subject_token.expose_secret();
        let token = self.parts.tasks.open(shown).ok_or(ExchangeError::SubjectToken)?;
        let held = caller.held_key().ok_or(ExchangeError::NotAnApplication)?;
        let is_own = token.root.key == held.record.id && token.root.tenant == *caller.tenant();
        if !is_own || !self.task_holds(&token) {
            return Err(ExchangeError::SubjectToken);
        }
        if request.purpose.is_some() && request.purpose != token.root.purpose {
            return Err(ExchangeError::Purpose);
        }
        let caveat = self.asked(request, &token.limits)?;
        let longer = caveat.append(shown).ok_or(ExchangeError::TooLarge)?;
        // Read back, so that what is told is what holds.
        let child = self.parts.tasks.open(&longer).ok_or(ExchangeError::TooLarge)?;
        let (root, limits) = (child.root, child.limits);
        Ok(issued(SecretString::from(longer), root.id, root.person, limits, self.parts.clock.now()))
    }

    /// What a request asks of what is possible.
    fn asked(&self, request: &ExchangeRequest, possible: &Limits) -> Result<Caveat, ExchangeError> {
        if request.scopes.as_ref().is_some_and(|asked| !asked.is_subset(&possible.scopes)) {
            return Err(ExchangeError::Scope);
        }
        if let (Some(asked), Selection::Only(own)) = (&request.collections, &possible.collections)
            && !asked.is_subset(own)
        {
            return Err(ExchangeError::Collections);
        }
        Ok(Caveat {
            scopes: request.scopes.clone(),
            collections: request.collections.clone(),
            results_max: request.results_max,
            expires_at: Some(self.asked_end(request)),
            budget: request.budget,
            purpose: None,
        })
    }

    fn asked_end(&self, request: &ExchangeRequest) -> Timestamp {
        let seconds = i64::from(request.ttl_seconds.unwrap_or(TTL_SECONDS_MAX).min(TTL_SECONDS_MAX));
        Timestamp(self.parts.clock.now().0.saturating_add(seconds * 1_000_000))
    }
}

fn possible(scopes: &Scopes) -> Scopes {
    scopes.iter().filter(|scope| !NEVER.contains(scope)).collect()
}

fn issued(token: SecretString, id: String, person: Principal, limits: Limits, now: Timestamp) -> TaskTokenIssued {
    let expires_in_seconds = limits.expires_at.0.saturating_sub(now.0).div_euclid(1_000_000).max(0);
    TaskTokenIssued { token, id, person, scopes: limits.scopes, expires_in_seconds }
}
