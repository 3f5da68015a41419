//! Snapshots: immutable states of one tenant. They share their structure, so a write copies little.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use crate::{
    class::ClassIndex,
    collection::Collection,
    directory::Directory,
    document::DocumentRecord,
    id::{CollectionId, DocumentId},
    partition::Partition,
    principal::Principal,
};

/// The live documents of one collection.
pub(crate) type Documents = RedBlackTreeMapSync<DocumentId, Arc<DocumentRecord>>;

/// One state of a tenant.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) epoch: u64,
    pub(crate) key: [u8; 32],
    pub(crate) collections: RedBlackTreeMapSync<CollectionId, Arc<Collection>>,
    /// From a principal to the collections that name it as a reader.
    pub(crate) readers: HashTrieMapSync<Principal, BTreeSet<CollectionId>>,
    pub(crate) documents: RedBlackTreeMapSync<CollectionId, Documents>,
    pub(crate) classes: ClassIndex,
    pub(crate) partitions: HashTrieMapSync<u32, Arc<Partition>>,
    pub(crate) directory: Directory,
}

impl Snapshot {
    pub(crate) fn empty(key: [u8; 32], epoch: u64) -> Self {
        Self {
            epoch,
            key,
            collections: RedBlackTreeMapSync::new_sync(),
            readers: HashTrieMapSync::new_sync(),
            documents: RedBlackTreeMapSync::new_sync(),
            classes: ClassIndex::default(),
            partitions: HashTrieMapSync::new_sync(),
            directory: Directory::default(),
        }
    }

    /// A live document, whoever may read it.
    pub(crate) fn document(&self, collection: &CollectionId, document: &DocumentId) -> Option<&Arc<DocumentRecord>> {
        self.documents.get(collection)?.get(document)
    }

    /// The collections that name one of these principals as a reader.
    pub(crate) fn readable_collections(
        &self,
        principals: &BTreeSet<Principal>,
    ) -> BTreeMap<CollectionId, Arc<Collection>> {
        let names = principals.iter().filter_map(|principal| self.readers.get(principal)).flatten();
        names.filter_map(|name| Some((name.clone(), self.collections.get(name)?.clone()))).collect()
    }

    /// Creates or replaces a collection's settings, or removes them.
    pub(crate) fn set_collection(&mut self, id: &CollectionId, collection: Option<Arc<Collection>>) {
        let before = self.collections.get(id).map(|collection| collection.readers.clone()).unwrap_or_default();
        let after = collection.as_ref().map(|collection| collection.readers.clone()).unwrap_or_default();
        for principal in before.symmetric_difference(&after) {
            let mut names = self.readers.get(principal).cloned().unwrap_or_default();
            if after.contains(principal) {
                names.insert(id.clone());
            } else {
                names.remove(id);
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
