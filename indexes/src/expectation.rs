//! Expectations: who must be able to read what, and who must not, held against a snapshot with the policies that it has or might get.

use std::{collections::HashMap, ops::Bound, sync::Arc};

use roaring::RoaringBitmap;

use crate::{
    acl::Timestamp,
    collection::Selection,
    document::DocumentEntry,
    engine::Engine,
    explain::Supposed,
    id::{CollectionId, DocumentId, TenantId},
    policy::Policy,
    rules::Ruleset,
    snapshot::Snapshot,
};

/// What is expected of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Somebody.
    pub supposed: Supposed,
    /// When; the present without it.
    pub at: Option<Timestamp>,
    /// Whether they can read it.
    pub readable: bool,
    /// What.
    pub target: Target,
}

/// What an expectation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A collection: whether they are among its readers.
    Collection(CollectionId),
    /// One document.
    Document(CollectionId, DocumentId),
    /// Every document of a collection whose id begins so.
    Documents(CollectionId, String),
}

/// How an expectation is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Which expectation, by its place in the list.
    pub index: usize,
    /// A document that they can read and must not, or must and cannot; `None` for a collection.
    pub document: Option<DocumentId>,
}

impl Engine {
    /// The expectations that do not hold with these policies, or with those that there are; `None` where there is no such tenant.
    #[must_use]
    pub fn unmet(
        &self,
        tenant: &TenantId,
        rules: Option<&Ruleset>,
        expectations: &[Expectation],
        now: Timestamp,
    ) -> Option<Vec<Unmet>> {
        let snapshot = self.snapshot(tenant)?;
        let policy = snapshot.policy.with_rules(rules);
        let mut trial = Trial { snapshot: &snapshot, policy: &policy, now, readable: HashMap::new() };
        let unmet = |(index, expectation): (usize, &Expectation)| {
            trial.counterexample(expectation).map(|document| Unmet { index, document })
        };
        Some(expectations.iter().enumerate().filter_map(unmet).collect())
    }
}

/// Expectations being held against a policy; what somebody reads of a collection is worked out once.
struct Trial<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    now: Timestamp,
    readable: HashMap<(Supposed, Option<Timestamp>, CollectionId), Arc<RoaringBitmap>>,
}

impl Trial<'_> {
    /// What shows that an expectation does not hold.
    fn counterexample(&mut self, expectation: &Expectation) -> Option<Option<DocumentId>> {
        let Expectation { supposed, readable: expected, target, .. } = expectation;
        match target {
            Target::Collection(collection) => {
                let principals = self.policy.directory.closure(&supposed.principals());
                let settings = self.policy.collections.get(collection);
                let found = settings.is_some_and(|settings| !settings.readers.is_disjoint(&principals));
                (found != *expected).then_some(None)
            }
            Target::Document(collection, document) => {
                let readable = self.readable(expectation, collection);
                let record = self.snapshot.document(collection, document);
                let found = record.is_some_and(|record| readable.contains(record.class));
                (found != *expected).then(|| Some(document.clone()))
            }
            Target::Documents(collection, prefix) => {
                let readable = self.readable(expectation, collection);
                let contradicts = |record: &Arc<DocumentEntry>| readable.contains(record.class) != *expected;
                let start = DocumentId::new(prefix).map_or(Bound::Unbounded, Bound::Included);
                let documents = self.snapshot.documents.get(collection)?;
                let mut under = documents
                    .range::<DocumentId, _>((start, Bound::Unbounded))
                    .take_while(|(id, _)| id.as_str().starts_with(prefix.as_str()));
                under.find(|(_, record)| contradicts(record)).map(|(id, _)| Some(id.clone()))
            }
        }
    }

    fn readable(&mut self, expectation: &Expectation, collection: &CollectionId) -> Arc<RoaringBitmap> {
        let Expectation { supposed, at, .. } = expectation;
        let key = (supposed.clone(), *at, collection.clone());
        let (policy, now) = (self.policy, at.unwrap_or(self.now));
        let work_out = || {
            let selection = Selection::Only([collection.clone()].into());
            let decision = policy.suppose(supposed, &selection);
            Arc::new(policy.readable_at(&decision, &supposed.context, now))
        };
        self.readable.entry(key).or_insert_with(work_out).clone()
    }
}
