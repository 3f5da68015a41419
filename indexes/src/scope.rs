//! Scopes: what one subject may read of one snapshot, and the reading itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Bound,
    sync::Arc,
};

use crate::{
    acl::Timestamp,
    collection::{Collection, Selection},
    document::{DocumentRecord, DocumentView},
    error::EngineError,
    fusion,
    id::{CollectionId, DocumentId},
    partition::Partition,
    principal::{Principal, Subject},
    search::{Hit, SearchRequest},
    snapshot::Snapshot,
};

/// The partitions of one snapshot that one subject may read.
///
/// It holds them, rather than describing them: there is no index to combine with the wrong token.
///
/// ```compile_fail
/// let scope = ringfence_indexes::Scope { partitions: Default::default() }; // only `Engine::scope` makes one
/// ```
pub struct Scope {
    snapshot: Arc<Snapshot>,
    /// The subject's principals with all their groups.
    principals: BTreeSet<Principal>,
    selection: Selection,
    collections: BTreeMap<CollectionId, Arc<Collection>>,
    partitions: BTreeMap<u32, Arc<Partition>>,
}

impl Scope {
    pub(crate) fn resolve(snapshot: Arc<Snapshot>, subject: &Subject, selection: &Selection, now: Timestamp) -> Self {
        let principals = snapshot.directory.closure(subject.principals());
        let mut collections = snapshot.readable_collections(&principals);
        collections.retain(|id, _| selection.contains(id));
        let candidates = snapshot.classes.candidates(&principals, collections.keys());
        let partitions = candidates.iter().filter_map(|class| Some((class, snapshot.partitions.get(&class)?.clone())));
        let permitted = |partition: &Arc<Partition>| partition.acl.permits(&principals, subject.attributes(), now);
        let partitions = partitions.filter(|(_, partition)| permitted(partition)).collect();
        Self { snapshot, principals, selection: selection.clone(), collections, partitions }
    }

    /// The store's revision that this scope shows. It counts others' doings, so it never leaves the server.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.snapshot.epoch
    }

    /// The selected collections whose readers include the subject, in order.
    #[must_use]
    pub fn readable_collections(&self) -> Vec<CollectionId> {
        self.collections.keys().cloned().collect()
    }

    /// Whether the subject is among a selected collection's readers.
    #[must_use]
    pub fn may_read_collection(&self, collection: &CollectionId) -> bool {
        self.collections.contains_key(collection)
    }

    /// Whether the subject is among a selected collection's writers.
    #[must_use]
    pub fn may_write_collection(&self, collection: &CollectionId) -> bool {
        let settings = self.snapshot.collections.get(collection).filter(|_| self.selection.contains(collection));
        settings.is_some_and(|settings| !settings.writers.is_disjoint(&self.principals))
    }

    /// The best passages, best first.
    ///
    /// # Errors
    /// None today: a query that means nothing finds nothing.
    pub fn search(&self, request: &SearchRequest<'_>) -> Result<Vec<Hit>, EngineError> {
        let mut segments = Vec::new();
        let mut sources = Vec::new();
        for partition in self.partitions.values() {
            let settings = self.collections.get(&partition.collection);
            let source = settings.expect("a permitted partition lies in a readable collection").vectors;
            sources.extend(partition.segments.iter().map(|_| source));
            segments.extend(&partition.segments);
        }
        Ok(fusion::search(&segments, &sources, request))
    }

    /// A document, if it exists and may be read.
    #[must_use]
    pub fn fetch(&self, collection: &CollectionId, document: &DocumentId) -> Option<DocumentView> {
        let record = self.snapshot.document(collection, document)?;
        self.partitions.contains_key(&record.class).then(|| record.clone())
    }

    /// Readable documents of a collection in the order of their ids, after one of them.
    #[must_use]
    pub fn documents(&self, collection: &CollectionId, after: Option<&DocumentId>, limit: usize) -> Vec<DocumentView> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found: Vec<DocumentView> = Vec::new();
        for partition in self.partitions.values().filter(|partition| partition.collection == *collection) {
            let range = partition.documents.range::<DocumentId, _>((start, Bound::Unbounded));
            found.extend(range.take(limit).map(|(_, document)| document.clone()));
        }
        found.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        found.truncate(limit);
        found
    }

    /// Whether every hit of an earlier scope is still live, unchanged and permitted.
    #[must_use]
    pub fn still_permits(&self, hits: &[Hit]) -> bool {
        hits.iter().all(|hit| {
            let now = self.fetch(&hit.document.collection, &hit.document.id);
            now.is_some_and(|now| Arc::ptr_eq(&now, &hit.document) || says_the_same(&now, hit))
        })
    }
}

/// Whether a document shows of a hit what it showed before. Its ACL and version may have changed.
fn says_the_same(now: &DocumentRecord, hit: &Hit) -> bool {
    let beside = |document: &DocumentRecord| {
        let info = document.info.clone();
        (info.title.clone(), info.uri.clone(), info.metadata.clone(), info.content_hash.clone())
    };
    let chunk = now.chunks.iter().find(|chunk| chunk.id == hit.chunk.id);
    chunk.is_some_and(|chunk| chunk.prepared == hit.chunk.prepared) && beside(now) == beside(&hit.document)
}

impl fmt::Debug for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Scope({} partitions)", self.partitions.len())
    }
}
