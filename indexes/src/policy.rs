//! What decides who reads what: the collections, classes, groups and tenant policies of a snapshot.
//!
//! It changes less often than the documents, so snapshots share it, and a decision is kept with the policy it follows from.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roaring::RoaringBitmap;
use rpds::{HashTrieMapSync, HashTrieSetSync, RedBlackTreeMapSync};

use crate::{
    acl::Timestamp,
    class::{ClassIndex, Sorted},
    collection::{Collection, Selection},
    directory::Directory,
    emergency::{Granted, Grants},
    explain::Supposed,
    id::CollectionId,
    memory::{Memory, ReaderKey},
    principal::{AttributeValue, Principal, Subject},
    rules::{Contextual, Question, RequestContext, Ruleset},
};

/// A memory may weigh this much, and as much again for each class as [`WEIGHT_PER_CLASS`] says:
/// it stays small beside the tenant it serves.
const WEIGHT_MAX: usize = 1024;
const WEIGHT_PER_CLASS: usize = 32;

/// What decides in one snapshot.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) collections: RedBlackTreeMapSync<CollectionId, Arc<Collection>>,
    /// From a principal to the collections that name it as a reader.
    readers: HashTrieMapSync<Principal, HashTrieSetSync<CollectionId>>,
    pub(crate) classes: ClassIndex,
    pub(crate) directory: Directory,
    pub(crate) rules: Ruleset,
    pub(crate) grants: Grants,
    decisions: Memory<Decision>,
}

/// What was decided for a reader, whatever the time and the request.
#[derive(Debug)]
pub(crate) struct Decision {
    /// The reader's principals with all their groups.
    pub(crate) principals: BTreeSet<Principal>,
    /// The reader's attributes: those of the credential, as they are declared, and the directory's.
    pub(crate) attributes: BTreeMap<String, AttributeValue>,
    /// The selected collections that the reader may know of.
    pub(crate) collections: BTreeMap<CollectionId, Arc<Collection>>,
    /// The classes that the reader may read at any time, rising.
    pub(crate) always: Vec<u32>,
    /// The classes that the reader may read while their window is open, rising.
    pub(crate) windowed: Vec<u32>,
    /// The classes that the reader may read where a tenant policy permits the request, while their window is open, rising.
    pub(crate) permittable: Vec<u32>,
    /// The tenant policies that look at the request, and have the last word on all of these.
    pub(crate) contextual: Option<Contextual>,
    /// What emergency grants may open beside these.
    pub(crate) granted: Option<Granted>,
}

impl Decision {
    /// How much memory it takes, in entries.
    pub(crate) fn weight(&self) -> usize {
        let classes = self.always.len() + self.windowed.len() + self.permittable.len();
        let contextual = self.contextual.as_ref().map_or(0, Contextual::weight);
        let granted = self.granted.as_ref().map_or(0, Granted::weight);
        16 + self.principals.len() + self.attributes.len() + self.collections.len() + classes + contextual + granted
    }

    /// The settings of a collection that the reader may know of, of right or by a grant.
    pub(crate) fn settings(&self, collection: &CollectionId) -> Option<&Arc<Collection>> {
        let granted = || self.granted.as_ref()?.collections().get(collection);
        self.collections.get(collection).or_else(granted)
    }
}

impl Policy {
    pub(crate) fn empty() -> Self {
        Self {
            collections: RedBlackTreeMapSync::new_sync(),
            readers: HashTrieMapSync::new_sync(),
            classes: ClassIndex::default(),
            directory: Directory::default(),
            rules: Ruleset::default(),
            grants: Grants::default(),
            decisions: Memory::default(),
        }
    }

    /// The most that a memory of this policy, or of a snapshot with it, may weigh.
    pub(crate) fn memory_limit(&self) -> usize {
        WEIGHT_MAX + WEIGHT_PER_CLASS * self.classes.len()
    }

    /// What a reader may read. `reader` is made of the same subject and selection.
    pub(crate) fn decide(&self, reader: ReaderKey, subject: &Subject, selection: &Selection) -> Arc<Decision> {
        if let Some(decision) = self.decisions.recall(&reader) {
            return decision;
        }
        let principals = match subject.is_closed() {
            true => self.directory.bearers(subject.principals()),
            false => self.directory.closure(subject.principals()),
        };
        let attributes = self.directory.attributes(subject.principals(), subject.attributes(), Some(subject.source()));
        let decision = Arc::new(self.work_out(principals, attributes, selection));
        self.decisions.keep(reader, decision.clone(), decision.weight(), self.memory_limit());
        decision
    }

    /// What somebody with these principals, nested groups included, may read.
    ///
    /// Decides as [`Acl::permits`](crate::acl::Acl::permits) does and the tenant's policies narrow it, or widen it where the tenant has enabled that.
    pub(crate) fn work_out(
        &self,
        principals: BTreeSet<Principal>,
        attributes: BTreeMap<String, AttributeValue>,
        selection: &Selection,
    ) -> Decision {
        let mut collections = self.readable_collections(&principals);
        collections.retain(|id, _| selection.contains(id));
        let granted = self.classes.granted(&principals, collections.keys());
        let mut readable = self.classes.sort(&granted, &attributes);
        let (mut permittable, mut contextual) = (Sorted::default(), None);
        if !self.rules.is_idle() {
            if self.rules.may_permit() {
                let others = self.classes.undenied(&principals, collections.keys()) - &granted;
                permittable = self.classes.sort(&others, &attributes);
            }
            match self.rules.reader(&principals, &attributes) {
                Some(reader) => {
                    let asked = &readable.union() | &permittable.union();
                    let question =
                        Question { reader: &reader, collections: &collections, classes: &self.classes, asked: &asked };
                    let verdict = self.rules.judge(&question);
                    readable.extend(&permittable.within(&verdict.permitted));
                    readable = readable.without(&verdict.forbidden);
                    permittable = permittable.without(&(&verdict.forbidden | &verdict.permitted));
                    let asked = &readable.union() | &permittable.union();
                    contextual = self.rules.contextual(&Question { asked: &asked, ..question });
                }
                // Somebody whom the policies cannot be asked about reads nothing.
                None => (readable, permittable) = Default::default(),
            }
        }
        if contextual.is_none() {
            permittable = Sorted::default();
        }
        let rising = |classes: &RoaringBitmap| classes.iter().collect::<Vec<u32>>();
        let (always, windowed) = (rising(&readable.always), rising(&readable.windowed));
        let permittable = rising(&permittable.union());
        let granted = self.granted(&principals, &attributes, selection);
        Decision { principals, attributes, collections, always, windowed, permittable, contextual, granted }
    }

    /// What somebody who is only supposed may read.
    pub(crate) fn suppose(&self, supposed: &Supposed, selection: &Selection) -> Decision {
        let attributes = supposed.as_known_to(&self.directory).attributes;
        self.work_out(self.directory.closure(&supposed.principals()), attributes, selection)
    }

    /// What somebody may read at a moment of whom nothing is known but the name, and what the directory says of it.
    pub(crate) fn readable_by(&self, name: &Principal, selection: &Selection, now: Timestamp) -> RoaringBitmap {
        if !self.directory.admits(name) {
            return RoaringBitmap::new();
        }
        let (groups, attributes, context) = (BTreeSet::new(), BTreeMap::new(), RequestContext::default());
        let supposed = Supposed { name: name.clone(), groups, attributes, context };
        self.readable_at(&self.suppose(&supposed, selection), &supposed.context, now)
    }

    /// The same with other tenant policies, or as it is; nothing is remembered.
    pub(crate) fn with_rules(&self, rules: Option<&Ruleset>) -> Self {
        let mut policy = self.clone();
        if let Some(rules) = rules {
            policy.rules = rules.clone();
        }
        policy
    }

    /// The classes that a decision opens at a moment, to a request. What emergency grants open beside them is not among them: that is documents, not classes.
    pub(crate) fn readable_at(&self, decision: &Decision, context: &RequestContext, now: Timestamp) -> RoaringBitmap {
        let verdict = decision.contextual.as_ref().map(|contextual| contextual.judge(context, now));
        let verdict = verdict.unwrap_or_default();
        let is_open = |class: &u32| self.classes.acl(*class).is_some_and(|acl| acl.is_open_at(now));
        let windowed = decision.windowed.iter().filter(|class| is_open(class));
        let permitted = decision.permittable.iter().filter(|class| is_open(class));
        let permitted = permitted.filter(|class| verdict.permitted.contains(**class));
        let all: RoaringBitmap = decision.always.iter().chain(windowed).chain(permitted).copied().collect();
        all - &verdict.forbidden
    }

    /// The collections that name one of these principals as a reader.
    fn readable_collections(&self, principals: &BTreeSet<Principal>) -> BTreeMap<CollectionId, Arc<Collection>> {
        let names =
            principals.iter().filter_map(|principal| self.readers.get(principal)).flat_map(HashTrieSetSync::iter);
        names.filter_map(|name| Some((name.clone(), self.collections.get(name)?.clone()))).collect()
    }

    /// The same without a class: what decides, with nothing to decide about.
    pub(crate) fn without_classes(&self) -> Self {
        Self { classes: ClassIndex::default(), ..self.clone() }
    }

    /// How long the vectors of a collection are.
    pub(crate) fn dimensions(&self, collection: &CollectionId) -> usize {
        self.collections.get(collection).map_or(0, |collection| collection.vectors.dimensions())
    }

    /// Creates or replaces a collection's settings, or removes them.
    pub(crate) fn set_collection(&mut self, id: &CollectionId, collection: Option<Arc<Collection>>) {
        let before = self.collections.get(id).map(|collection| collection.readers.clone()).unwrap_or_default();
        let after = collection.as_ref().map(|collection| collection.readers.clone()).unwrap_or_default();
        for principal in before.symmetric_difference(&after) {
            let mut names = self.readers.get(principal).cloned().unwrap_or_else(HashTrieSetSync::new_sync);
            if after.contains(principal) {
                names.insert_mut(id.clone());
            } else {
                names.remove_mut(id);
            }
            if names.is_empty() {
                self.readers.remove_mut(principal);
            } else {
                self.readers.insert_mut(principal.clone(), names);
            }
        }
        match collection {
            Some(collection) => self.collections.insert_mut(id.clone(), collection),
            None => {
                self.collections.remove_mut(id);
            }
        }
    }
}
