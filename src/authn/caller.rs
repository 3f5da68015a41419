//! Who is asking, once that is verified.

use std::{fmt, net::IpAddr, sync::Arc};

use ringfence_indexes::{Principal, RequestContext, Selection, Subject, TenantId, Timestamp};

use super::{key_record::KeyRecord, keyring::HeldKey, token::Directory};
use crate::{
    audit::Actor,
    authz::{Denied, Scopes},
};

/// An authenticated requester: whose eyes, which credential, which rights.
///
/// ```compile_fail
/// let caller = ringfence::authn::Caller(todo!()); // private field: only authentication makes one
/// ```
#[derive(Clone)]
pub struct Caller(Arc<Identity>);

/// What authentication found out; the parts of a [`Caller`].
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) credential: Credential,
    /// Whose credential it is.
    pub(super) principal: Option<Principal>,
    /// The person on whose behalf the credential's owner asks.
    pub(super) acting_for: Option<Principal>,
    /// Whose documents are read. INVARIANT: without principals where nobody reads.
    pub(super) reader: Subject,
    /// Who writes: the person named, or the credential's owner.
    pub(super) writer: Subject,
    pub(super) scopes: Scopes,
    pub(super) ceiling: Selection,
    /// The key as it was when it was verified.
    pub(super) key: Option<HeldKey>,
    /// Refused from this moment on.
    pub(super) expires_at: Option<Timestamp>,
    /// What the directory has to do with who reads.
    pub(super) directory: Directory,
    /// What the token that was made for one task is limited to.
    pub(super) task: Task,
}

/// What a token that was made for one task says of the task.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Task {
    /// What for, as the application that asked for the token said.
    pub(super) purpose: Option<String>,
    /// The most results of one answer.
    pub(super) results_max: Option<usize>,
}

/// The credential that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An API key, by id.
    Key {
        /// The key's id.
        id: String,
        /// The token of the person it acts for, if it showed one.
        on_behalf: Option<TokenFacts>,
    },
    /// A token of a configured issuer.
    Token(TokenFacts),
    /// A token that an application was given for one task of a person.
    Task {
        /// The application's key.
        key: String,
        /// The token's id.
        id: String,
        /// The person's own token.
        subject: TokenFacts,
    },
    /// A client certificate, by the name of its mapping.
    Certificate(String),
}

/// What has to be looked at again before bytes leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// The issuer.
    pub issuer: String,
    /// When the token expires.
    pub expires_at: Timestamp,
    /// The token's id, for revocation.
    pub jti: Option<String>,
    /// When the token was issued, where it says so.
    pub issued_at: Option<Timestamp>,
}

impl Caller {
    pub(super) fn new(identity: Identity) -> Self {
        Self(Arc::new(identity))
    }

    /// The same caller in a request from this address: what tenant policies may look at.
    fn seen_from(mut self, network: IpAddr) -> Self {
        let identity = Arc::make_mut(&mut self.0);
        let context = RequestContext { purpose: identity.task.purpose.clone(), network: Some(network) };
        identity.reader = identity.reader.clone().in_context(context.clone());
        identity.writer = identity.writer.clone().in_context(context);
        self
    }

    /// The tenant, which comes from the credential alone.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        self.0.reader.tenant()
    }

    /// On whose behalf documents are read; without principals where nobody reads.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.0.reader
    }

    /// Who writes: the person the credential names, else the credential's owner.
    #[must_use]
    pub fn writer(&self) -> &Subject {
        &self.0.writer
    }

    /// Whether somebody reads: false for a service that names nobody and may not read as itself.
    #[must_use]
    pub fn reads(&self) -> bool {
        !self.0.reader.principals().is_empty()
    }

    /// What the credential may do.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// The collections that the credential is limited to.
    #[must_use]
    pub fn ceiling(&self) -> &Selection {
        &self.0.ceiling
    }

    pub(super) fn held_key(&self) -> Option<&HeldKey> {
        self.0.key.as_ref()
    }

    /// The key's record, where a key was shown or stands behind what was shown.
    pub(super) fn key(&self) -> Option<&Arc<KeyRecord>> {
        self.0.key.as_ref().map(|held| &held.record)
    }

    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at
    }

    pub(super) fn directory(&self) -> Directory {
        self.0.directory
    }

    /// The person's own token, whoever showed it.
    pub(super) fn token(&self) -> Option<&TokenFacts> {
        match &self.0.credential {
            Credential::Key { on_behalf, .. } => on_behalf.as_ref(),
            Credential::Token(facts) | Credential::Task { subject: facts, .. } => Some(facts),
            Credential::Certificate(_) => None,
        }
    }

    /// Who reads: the person named, or the credential's owner.
    pub(super) fn person(&self) -> Option<&Principal> {
        self.acting_for().or_else(|| self.principal())
    }

    /// The credential that was shown.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.0.credential
    }

    /// The API key's id, where one was shown or stands behind the token that was.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        match &self.0.credential {
            Credential::Key { id, .. } | Credential::Task { key: id, .. } => Some(id),
            Credential::Token(_) | Credential::Certificate(_) => None,
        }
    }

    /// What for the request is made, as the application said that got the token; `None` where it said nothing.
    #[must_use]
    pub fn purpose(&self) -> Option<&str> {
        self.0.task.purpose.as_deref()
    }

    /// The most results that one answer may have; `None` for the server's own limit.
    #[must_use]
    pub fn results_max(&self) -> Option<usize> {
        self.0.task.results_max
    }

    /// Whose credential it is.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.0.principal.as_ref()
    }

    /// The person on whose behalf the credential's owner asks.
    #[must_use]
    pub fn acting_for(&self) -> Option<&Principal> {
        self.0.acting_for.as_ref()
    }
}

impl Caller {
    /// Who is recorded in the audit log: the credential, whose it is, and on whose behalf.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let credential = match &self.0.credential {
            Credential::Key { id, .. } => id.clone(),
            Credential::Token(facts) => format!("{}#{}", facts.issuer, facts.jti.as_deref().unwrap_or("-")),
            Credential::Task { key, id, .. } => format!("{key}/{id}"),
            Credential::Certificate(name) => format!("certificate {name}"),
        };
        let name = |principal: &Principal| principal.as_str().to_owned();
        Actor {
            credential,
            principal: self.0.principal.as_ref().map(name),
            acting_for: self.0.acting_for.as_ref().map(name),
            purpose: self.0.task.purpose.clone(),
        }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Caller")
            .field("tenant", self.tenant())
            .field("credential", &self.0.credential)
            .field("principal", &self.0.principal)
            .field("acting_for", &self.0.acting_for)
            .finish_non_exhaustive()
    }
}

/// The holder of an operator key: manages tenants, reaches no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    pub(super) key: HeldKey,
}

impl Operator {
    /// The key's id.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key.record.id
    }

    /// Who is recorded in the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor { credential: self.key_id().to_owned(), ..Actor::default() }
    }
}

/// Who is asking.
#[derive(Clone, Debug)]
pub enum Authenticated {
    /// Somebody of a tenant.
    Caller(Caller),
    /// An operator.
    Operator(Operator),
}

impl Authenticated {
    /// The same in a request from this address.
    #[must_use]
    pub fn seen_from(self, network: IpAddr) -> Self {
        match self {
            Self::Caller(caller) => Self::Caller(caller.seen_from(network)),
            Self::Operator(operator) => Self::Operator(operator),
        }
    }

    /// The caller of a tenant.
    ///
    /// # Errors
    /// [`Denied::NoContentForOperator`] for an operator's key.
    pub const fn caller(&self) -> Result<&Caller, Denied> {
        match self {
            Self::Caller(caller) => Ok(caller),
            Self::Operator(_) => Err(Denied::NoContentForOperator),
        }
    }
}
