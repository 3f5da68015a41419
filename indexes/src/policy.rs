//! What decides who reads what: the collections, classes and groups of a snapshot.
//!
//! It changes less often than the documents, so snapshots share it, and a decision is kept with the policy it follows from.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rpds::{HashTrieMapSync, HashTrieSetSync, RedBlackTreeMapSync};

use crate::{
    class::ClassIndex,
    collection::{Collection, Selection},
    directory::Directory,
    id::CollectionId,
    memory::{Memory, ReaderKey},
    principal::{AttributeValue, Principal, Subject},
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
    decisions: Memory<Decision>,
}

/// What was decided for a reader, whatever the time.
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
}

impl Decision {
    /// How much memory it takes, in entries.
    pub(crate) fn weight(&self) -> usize {
        16 + self.principals.len()
            + self.attributes.len()
            + self.collections.len()
            + self.always.len()
            + self.windowed.len()
    }
}

impl Policy {
    pub(crate) fn empty() -> Self {
        Self {
            collections: RedBlackTreeMapSync::new_sync(),
            readers: HashTrieMapSync::new_sync(),
            classes: ClassIndex::default(),
            directory: Directory::default(),
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
        let mut collections = self.readable_collections(&principals);
        collections.retain(|id, _| selection.contains(id));
        let (always, windowed) = self.classes.decide(&principals, &attributes, collections.keys());
        let decision = Arc::new(Decision { principals, attributes, collections, always, windowed });
        self.decisions.keep(reader, decision.clone(), decision.weight(), self.memory_limit());
        decision
    }

    /// The collections that name one of these principals as a reader.
    fn readable_collections(&self, principals: &BTreeSet<Principal>) -> BTreeMap<CollectionId, Arc<Collection>> {
        let names =
            principals.iter().filter_map(|principal| self.readers.get(principal)).flat_map(HashTrieSetSync::iter);
        names.filter_map(|name| Some((name.clone(), self.collections.get(name)?.clone()))).collect()
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
