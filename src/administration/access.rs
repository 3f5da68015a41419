//! Questions about who may read a document: why somebody may or may not, and what another ACL would change.
//!
//! Both are answered from one snapshot of the engine, which decides as a reading does. Neither changes anything, and both are recorded.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_indexes::{
    Acl, Candidate, CollectionId, DocumentId, Explanation, Principal, PrincipalKind, RequestContext, Simulation,
    Supposed, TenantId,
};

use super::{Administration, AdministrationError};
use crate::{
    audit::Action,
    authn::Caller,
    authz::{self, Explain, Permit, SetAcl},
    retrieval::answer::{Answer, compute},
    seal::TenantKeys,
};

/// The most principals that a simulation looks at where none are named.
pub const CANDIDATES_MAX: usize = 10_000;

impl Administration {
    /// Why somebody may read a document or not, with the sealed revision that was looked at.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where the tenant has no such document, or the credential's limits leave its collection out.
    pub async fn explain(
        &self,
        permit: &Permit<Explain>,
        (collection, document): (CollectionId, DocumentId),
        supposed: Supposed,
        request_id: &str,
    ) -> Result<Answer<(Explanation, String)>, AdministrationError> {
        let caller = permit.caller();
        if !caller.ceiling().contains(&collection) {
            return Err(AdministrationError::NotFound);
        }
        // Whom it was asked about is what the record is for.
        let resource = Some(format!("{collection}/{document} for {}", supposed.name));
        let (engine, tenant, now) = (self.engine.clone(), caller.tenant().clone(), self.clock.now());
        let explain = move || engine.explain(&tenant, &collection, &document, &supposed, now);
        let explanation = compute(explain).await.flatten().ok_or(AdministrationError::NotFound)?;
        let body = (explanation.clone(), self.seal(caller.tenant(), explanation.epoch));
        self.recorded(caller, Action::Explain, resource, explanation.checks.len(), body, request_id).await
    }

    /// What another ACL of a document would open and close, with how many were looked at and the sealed revision.
    ///
    /// The caller is one that might set the ACL, which is for [`Ingestion::check_acl_change`](crate::ingestion::service::Ingestion::check_acl_change) to say.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is no such document, or it waits for a review and nobody reads it.
    pub async fn simulate(
        &self,
        permit: &Permit<SetAcl>,
        (collection, document): (CollectionId, DocumentId),
        acl: Acl,
        asked: Option<BTreeSet<Principal>>,
        request_id: &str,
    ) -> Result<Answer<(Simulation, usize, String)>, AdministrationError> {
        let caller = permit.caller();
        let resource = Some(format!("{collection}/{document}"));
        // As it would be pinned if it were set.
        let acl = self.engine.names(caller.tenant()).ok_or(AdministrationError::CredentialGone)?.pin(acl);
        let named = asked.unwrap_or_else(|| self.named(caller, (&collection, &document), &acl));
        let candidates = self.candidates(caller, &named);
        let (engine, tenant, now) = (self.engine.clone(), caller.tenant().clone(), self.clock.now());
        let simulate = move || engine.simulate(&tenant, &collection, &document, &acl, &candidates, now);
        let simulation = compute(simulate).await.flatten().ok_or(AdministrationError::NotFound)?;
        let count = simulation.opens.len() + simulation.closes.len();
        let revision = self.seal(caller.tenant(), simulation.epoch);
        let body = (simulation, named.len(), revision);
        self.recorded(caller, Action::SimulateAcl, resource, count, body, request_id).await
    }

    /// Whom the caller may know of: the directory, both ACLs, the collection's readers and writers; and the owners of keys, for those who manage keys.
    fn named(&self, caller: &Caller, place: (&CollectionId, &DocumentId), acl: &Acl) -> BTreeSet<Principal> {
        let mut named = self.known_about(caller, place);
        named.extend(acl.allow.iter().chain(&acl.deny).map(Principal::name));
        while named.len() > CANDIDATES_MAX {
            named.pop_last();
        }
        named
    }

    /// The same without another ACL.
    pub(super) fn known_about(&self, caller: &Caller, place: (&CollectionId, &DocumentId)) -> BTreeSet<Principal> {
        let mut named = self.engine.named_principals(caller.tenant(), place.0, place.1, CANDIDATES_MAX);
        if knows_keys(caller) {
            let keyring = self.authenticator.keyring();
            let keys = keyring.records(|key| key.tenant.as_ref() == Some(caller.tenant()));
            named.extend(keys.iter().filter_map(|key| key.subject.clone()));
        }
        while named.len() > CANDIDATES_MAX {
            named.pop_last();
        }
        named
    }

    /// Each of them as their keys have them, for those who manage keys; else by name, with attributes that are not known.
    pub(super) fn candidates(&self, caller: &Caller, named: &BTreeSet<Principal>) -> Vec<Candidate> {
        let keyring = self.authenticator.keyring();
        let is_theirs = |subject: &Principal| knows_keys(caller) && named.contains(subject);
        let keys = keyring
            .records(|key| key.tenant.as_ref() == Some(caller.tenant()) && key.subject.as_ref().is_some_and(is_theirs));
        let mut candidates = Vec::new();
        for key in &keys {
            let Some(name) = key.subject.clone() else { continue };
            let (groups, attributes) = (key.groups.clone(), key.attributes.clone());
            let supposed = Supposed { name, groups, attributes, context: RequestContext::default() };
            candidates.push(Candidate { supposed, attributes_known: true });
        }
        let with_keys: BTreeSet<_> = keys.iter().filter_map(|key| key.subject.clone()).collect();
        for name in named.difference(&with_keys) {
            let supposed = Supposed {
                name: name.clone(),
                groups: BTreeSet::new(),
                attributes: BTreeMap::new(),
                context: RequestContext::default(),
            };
            candidates.push(Candidate { supposed, attributes_known: false });
        }
        candidates
    }

    pub(super) fn seal(&self, tenant: &TenantId, epoch: u64) -> String {
        TenantKeys::derive(&self.master, tenant).sealer().seal_revision(epoch, &self.entropy)
    }
}

fn knows_keys(caller: &Caller) -> bool {
    caller.scopes().contains(authz::Scope::Keys)
}

/// Whether a principal may be a group of a credential.
#[must_use]
pub fn may_be_group(principal: &Principal) -> bool {
    matches!(principal.kind(), PrincipalKind::Group | PrincipalKind::Role)
}
