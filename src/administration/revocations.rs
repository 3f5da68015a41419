//! Revoking tokens that others issue: one by its id, or all of a subject from before a moment.

use ringfence_indexes::{Principal, Timestamp};

use super::{Administration, AdministrationError, Page};
use crate::{
    audit::Action,
    authn::{Revocation, RevocationTarget},
    authz::{ManageKeys, Permit},
    commit::Write,
    retrieval::answer::Answer,
};

/// What is to be revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationRequest {
    /// One token.
    Token {
        /// The `iss` claim.
        issuer: String,
        /// The `jti` claim.
        jti: String,
    },
    /// Every token of a subject that was issued before a moment; before now where there is none.
    Subject {
        /// The user or service.
        subject: Principal,
        /// The moment.
        issued_before: Option<Timestamp>,
    },
}

/// A revocation that is in force, with the sealed revision of the change.
#[derive(Debug)]
pub struct Revoked {
    /// What holds now.
    pub revocation: Revocation,
    /// The sealed revision.
    pub revision: String,
}

impl Administration {
    /// Revokes tokens: refused for every request that begins after the answer, and in flight when looked at again.
    ///
    /// # Errors
    /// [`AdministrationError::Field`] for what makes no sense.
    pub async fn revoke(
        &self,
        permit: &Permit<ManageKeys>,
        request: RevocationRequest,
        expires_at: Option<Timestamp>,
        request_id: &str,
    ) -> Result<Answer<Revoked>, AdministrationError> {
        let now = self.clock.now();
        let target = match request {
            RevocationRequest::Token { issuer, jti } => {
                if !self.authenticator.is_issuer(&issuer) {
                    return Err(field("/issuer", "is not an issuer whose tokens are accepted"));
                }
                RevocationTarget::Token { issuer, jti }
            }
            RevocationRequest::Subject { subject, issued_before } => {
                let issued_before = issued_before.unwrap_or(now);
                if issued_before > now {
                    return Err(field("/issued_before", "lies in the future"));
                }
                RevocationTarget::Subject { subject, issued_before }
            }
        };
        if expires_at.is_some_and(|end| end <= now) {
            return Err(field("/expires_at", "lies in the past"));
        }
        let revocation = Revocation { tenant: permit.tenant().clone(), target, expires_at, created_at: now };
        let (tenant, id) = (revocation.tenant.clone(), revocation.id());
        let write = Write::Revoke(Box::new(revocation.clone()));
        let committed = self.commit(permit.caller(), write, 201, request_id).await?;
        // What was there before may reach further.
        let in_force = self.authenticator.revocations().get(&tenant, &id).unwrap_or(revocation);
        Ok(Answer::new(Revoked { revocation: in_force, revision: committed.revision }, committed.receipt))
    }

    /// The tenant's revocations after one of them.
    ///
    /// # Errors
    /// [`AdministrationError`] where the answer cannot be recorded.
    pub async fn revocations(
        &self,
        permit: &Permit<ManageKeys>,
        after: Option<&str>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<Page<Revocation>>, AdministrationError> {
        let entries = self.authenticator.revocations().page(permit.tenant(), after, limit + 1);
        let page = Page::cut(entries, limit);
        let count = page.entries.len();
        self.recorded(permit.caller(), Action::ListRevocations, None, count, page, request_id).await
    }
}

fn field(pointer: &str, detail: &'static str) -> AdministrationError {
    AdministrationError::Field { pointer: pointer.to_owned(), detail }
}
