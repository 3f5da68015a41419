//! Lists of access, for administrators: who can read a document, and what somebody can read.

use ringfence_indexes::{CollectionId, DocumentId, Principal, Supposed};

use super::{Administration, AdministrationError};
use crate::{
    audit::Action,
    authz::{Explain, Permit},
    retrieval::answer::{Answer, compute},
};

/// A page of a list of access.
#[derive(Debug)]
pub struct AccessPage<T> {
    /// The entries, in order.
    pub entries: Vec<T>,
    /// Whether more follow.
    pub has_more: bool,
    /// The sealed revision that was looked at.
    pub revision: String,
}

impl Administration {
    /// Who can read a document, after one of them, and whether they need attributes for it that are not known.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where the tenant has no such document, or the credential's limits leave its collection out.
    pub async fn readers(
        &self,
        permit: &Permit<Explain>,
        (collection, document): (CollectionId, DocumentId),
        after: Option<&Principal>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<AccessPage<(Principal, bool)>>, AdministrationError> {
        let caller = permit.caller();
        if !caller.ceiling().contains(&collection) {
            return Err(AdministrationError::NotFound);
        }
        let resource = Some(format!("{collection}/{document}"));
        let named = self.known_about(caller, (&collection, &document));
        let candidates = self.candidates(caller, &named);
        let (engine, tenant, now) = (self.engine.clone(), caller.tenant().clone(), self.clock.now());
        let find = move || engine.readers_of(&tenant, (&collection, &document), &candidates, now);
        let found = compute(find).await.flatten().ok_or(AdministrationError::NotFound)?;
        let certain = found.readers.into_iter().map(|principal| (principal, false));
        let mut entries: Vec<_> =
            certain.chain(found.depends_on_attributes.into_iter().map(|principal| (principal, true))).collect();
        entries.sort();
        entries.retain(|(principal, _)| after.is_none_or(|after| principal > after));
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let page = AccessPage { has_more, revision: self.seal(caller.tenant(), found.epoch), entries };
        self.recorded(caller, Action::ExplainReaders, resource, page.entries.len(), page, request_id).await
    }

    /// What somebody can read of a collection, after one of them.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where the tenant has no such collection, or the credential's limits leave it out.
    pub async fn readable(
        &self,
        permit: &Permit<Explain>,
        (collection, supposed): (CollectionId, Supposed),
        after: Option<DocumentId>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<AccessPage<DocumentId>>, AdministrationError> {
        let caller = permit.caller();
        if !caller.ceiling().contains(&collection) {
            return Err(AdministrationError::NotFound);
        }
        // Whom it was asked about is what the record is for.
        let resource = Some(format!("{collection} for {}", supposed.name));
        let (engine, tenant, now) = (self.engine.clone(), caller.tenant().clone(), self.clock.now());
        let find = move || engine.readable_by(&tenant, &collection, &supposed, (after.as_ref(), limit + 1), now);
        let mut found = compute(find).await.flatten().ok_or(AdministrationError::NotFound)?;
        let has_more = found.documents.len() > limit;
        found.documents.truncate(limit);
        let revision = self.seal(caller.tenant(), found.epoch);
        let page = AccessPage { entries: found.documents, has_more, revision };
        self.recorded(caller, Action::ExplainDocuments, resource, page.entries.len(), page, request_id).await
    }
}
