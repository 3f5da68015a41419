//! Everything that is not content: tenants, keys, groups, collections.
//!
//! Each file is one of them. Reads are recorded before they are answered; writes are recorded by the committer.

pub mod access;
pub mod collections;
pub mod directory;
pub mod emergency;
pub mod expectations;
pub mod groups;
pub mod keys;
pub mod policies;
pub mod policy_trials;
pub mod reach;
pub mod revocations;
mod scim_groups;
pub mod scim_resource;
mod scim_users;
pub mod tenants;

use std::sync::Arc;

use ringfence_indexes::{Engine, TenantId};

use self::policies::PolicyTurns;
use crate::{
    audit::{Action, Actor, AuditError, AuditEvent, AuditLog},
    authn::{Authenticator, Caller},
    authz::OperatorPermit,
    catalog::Catalog,
    clock::Clock,
    commit::{CommitError, Committed, Committer, Write, WriteRequest},
    embed::Embedder,
    entropy::Entropy,
    retrieval::answer::{Answer, record},
    scim::ScimError,
    seal::MasterKey,
    store::{Store, StoreError},
};

/// Manages tenants, keys, groups and collections.
pub struct Administration {
    /// Who knows whether a credential still holds, and holds the keys.
    pub authenticator: Arc<Authenticator>,
    /// Tenants and collections.
    pub catalog: Arc<Catalog>,
    /// The indexes, which know who may read a collection.
    pub engine: Arc<Engine>,
    /// The server's embedder, which says how long its vectors are.
    pub embedder: Arc<Embedder>,
    /// Groups and keys.
    pub store: Store,
    /// The one writer.
    pub committer: Arc<Committer>,
    /// Where reads are recorded.
    pub audit: Arc<AuditLog>,
    /// The present.
    pub clock: Arc<Clock>,
    /// Where new keys come from.
    pub entropy: Arc<Entropy>,
    /// What revisions are sealed with.
    pub master: Arc<MasterKey>,
    /// Whose policies are being changed: one change of a tenant's at a time.
    pub policy_turns: PolicyTurns,
}

/// Why nothing is administered.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// 404: absent, or the caller may not know of it.
    #[error("there is no such resource")]
    NotFound,
    /// 401: the credential was revoked or ran out meanwhile.
    #[error("the credential does not hold any more")]
    CredentialGone,
    /// 409: the name is taken. Only operators are told so.
    #[error("the tenant exists already")]
    TenantTaken,
    /// 409: nobody could make operator keys any more.
    #[error("it is the last operator key that never expires: make another one first")]
    LastOperatorKey,
    /// 403: a key would be wider than the one that makes it.
    #[error("{0}")]
    Wider(&'static str),
    /// 422: a field.
    #[error("{pointer}: {detail}")]
    Field {
        /// The JSON pointer of the fault.
        pointer: String,
        /// What is wrong there.
        detail: &'static str,
    },
    /// 422: fields, in words that the request gave rise to.
    #[error("fields are invalid")]
    Fields(Vec<(String, String)>),
    /// 422: permission tests fail with the change, so it was not made.
    #[error("permission tests fail")]
    TestsFail(Vec<(String, String)>),
    /// 400 or 409: a SCIM request.
    #[error(transparent)]
    Scim(#[from] ScimError),
    /// 412: the resource is not the one that was asked about, or is changing too fast.
    #[error("the resource has another version")]
    Stale,
    /// 503 or 507, or what the committer found.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// 503: the database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// 503: no record, no answer.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// A page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// The entries, in the order of their names.
    pub entries: Vec<T>,
    /// Whether more follow.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// A page of at most `limit` from a list that was asked for one more.
    fn cut(mut entries: Vec<T>, limit: usize) -> Self {
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        Self { entries, has_more }
    }
}

impl Administration {
    /// Records what a caller of a tenant is about to be told.
    async fn recorded<T>(
        &self,
        caller: &Caller,
        action: Action,
        resource: Option<String>,
        count: usize,
        body: T,
        request_id: &str,
    ) -> Result<Answer<T>, AdministrationError> {
        if !self.authenticator.still_valid(caller) {
            return Err(AdministrationError::CredentialGone);
        }
        let tenant = Some(caller.tenant().clone());
        self.recorded_as(tenant, caller.actor(), action, resource, count, body, request_id).await
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of one record")]
    async fn recorded_as<T>(
        &self,
        tenant: Option<TenantId>,
        actor: Actor,
        action: Action,
        resource: Option<String>,
        count: usize,
        body: T,
        request_id: &str,
    ) -> Result<Answer<T>, AdministrationError> {
        let event = AuditEvent { resource, count, ..AuditEvent::new(tenant, actor, action, request_id) };
        let receipt = record(&self.audit, event).await?;
        Ok(Answer::new(body, receipt))
    }

    /// Commits a write of a caller of a tenant, whose credential must still hold.
    async fn commit(
        &self,
        caller: &Caller,
        write: Write,
        status: u16,
        request_id: &str,
    ) -> Result<Committed, AdministrationError> {
        if !self.authenticator.still_valid(caller) {
            return Err(AdministrationError::CredentialGone);
        }
        self.commit_as(caller.actor(), write, status, request_id).await
    }

    /// Commits a write of an operator, whose key must still hold.
    async fn commit_operator(
        &self,
        permit: &OperatorPermit,
        write: Write,
        status: u16,
        request_id: &str,
    ) -> Result<Committed, AdministrationError> {
        self.check_operator(permit)?;
        self.commit_as(permit.operator().actor(), write, status, request_id).await
    }

    /// Whether an operator's key still holds.
    fn check_operator(&self, permit: &OperatorPermit) -> Result<(), AdministrationError> {
        let holds = self.authenticator.operator_still_valid(permit.operator());
        if holds { Ok(()) } else { Err(AdministrationError::CredentialGone) }
    }

    async fn commit_as(
        &self,
        actor: Actor,
        write: Write,
        status: u16,
        request_id: &str,
    ) -> Result<Committed, AdministrationError> {
        let request = WriteRequest { write, actor, request_id: request_id.to_owned(), status };
        self.committer.commit(request).await.map_err(|error| match error {
            CommitError::NoCollection
            | CommitError::NoDocument
            | CommitError::NoGroup
            | CommitError::NoUser
            | CommitError::NoKey
            | CommitError::NoPolicy
            | CommitError::NoGrant
            | CommitError::NoTenant => AdministrationError::NotFound,
            CommitError::TenantExists => AdministrationError::TenantTaken,
            CommitError::LastOperatorKey => AdministrationError::LastOperatorKey,
            other => AdministrationError::Commit(other),
        })
    }
}
