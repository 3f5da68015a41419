//! Lists of access: who can read a document, and what somebody can read.
//!
//! For administrators alone, who may know of every document. Whoever is asked about is only supposed, so nothing can be read with what is found here but names.

use std::{collections::BTreeSet, ops::Bound};

use crate::{
    acl::{Acl, Timestamp},
    case::Case,
    collection::Selection,
    document::DocumentEntry,
    engine::Engine,
    explain::Supposed,
    id::{CollectionId, DocumentId, TenantId},
    principal::Principal,
    simulate::Candidate,
};

/// Who can read a document.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ReadersOfDocument {
    /// Those who can now, of the candidates.
    pub readers: BTreeSet<Principal>,
    /// Those who would with the attributes that the document asks for, which are not known.
    pub depends_on_attributes: BTreeSet<Principal>,
    /// The store's revision that was looked at.
    pub epoch: u64,
}

/// What somebody can read of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ReadableDocuments {
    /// Documents in the order of their ids.
    pub documents: Vec<DocumentId>,
    /// The store's revision that was looked at.
    pub epoch: u64,
}

impl Engine {
    /// Which of the candidates can read a document; `None` where there is no such document.
    ///
    /// Of somebody with several credentials, one is enough.
    #[must_use]
    pub fn readers_of(
        &self,
        tenant: &TenantId,
        (collection, document): (&CollectionId, &DocumentId),
        candidates: &[Candidate],
        now: Timestamp,
    ) -> Option<ReadersOfDocument> {
        let snapshot = self.snapshot(tenant)?;
        let record = snapshot.document(collection, document)?;
        let (policy, directory) = (&snapshot.policy, &snapshot.policy.directory);
        let settings = policy.collections.get(collection)?;
        let bare = Acl { require: BTreeSet::new(), ..Acl::clone(&record.acl) };
        let asks = !record.acl.require.is_empty() || policy.rules.look_at_attributes();
        let mut found = ReadersOfDocument { epoch: snapshot.epoch, ..ReadersOfDocument::default() };
        for candidate in candidates.iter().filter(|candidate| directory.admits(&candidate.supposed.name)) {
            let supposed = candidate.supposed.as_known_to(directory);
            let principals = directory.closure(&supposed.principals());
            let Supposed { name, attributes, context, .. } = &supposed;
            let document = Some(document);
            let case = Case { policy, settings, document, principals: &principals, attributes, context, now };
            if case.permits(&record.acl) {
                found.readers.insert(name.clone());
            } else if asks && !candidate.attributes_known && case.permits(&bare) {
                found.depends_on_attributes.insert(name.clone());
            }
        }
        found.depends_on_attributes = &found.depends_on_attributes - &found.readers;
        Some(found)
    }

    /// Documents of a collection that somebody can read, after one of them, at most `limit`; `None` where there is no such collection.
    #[must_use]
    pub fn readable_by(
        &self,
        tenant: &TenantId,
        collection: &CollectionId,
        supposed: &Supposed,
        (after, limit): (Option<&DocumentId>, usize),
        now: Timestamp,
    ) -> Option<ReadableDocuments> {
        let snapshot = self.snapshot(tenant)?;
        let policy = &snapshot.policy;
        policy.collections.get(collection)?;
        let mut found = ReadableDocuments { epoch: snapshot.epoch, ..ReadableDocuments::default() };
        if !policy.directory.admits(&supposed.name) {
            return Some(found);
        }
        let decision = policy.suppose(supposed, &Selection::Only(BTreeSet::from([collection.clone()])));
        let classes = policy.readable_at(&decision, &supposed.context, now);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let documents = snapshot.documents.get(collection).into_iter();
        let documents = documents.flat_map(|all| all.range::<DocumentId, _>((start, Bound::Unbounded)));
        let granted = decision.granted.as_ref().map(|granted| policy.in_force(granted, &supposed.context, now));
        let is_opened = |document: &DocumentEntry| granted.as_ref().is_some_and(|granted| granted.opens(document));
        let readable = documents.filter(|(_, document)| classes.contains(document.class) || is_opened(document));
        found.documents = readable.take(limit).map(|(id, _)| id.clone()).collect();
        Some(found)
    }
}
