//! Scopes: what one subject may read of one snapshot, and the reading itself.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    fmt,
    ops::Bound,
    sync::Arc,
};

use crate::{
    acl::Timestamp,
    collection::{Collection, Selection, VectorSource},
    document::{DocumentEntry, DocumentInfo, DocumentRecord, DocumentView},
    emergency::InForce,
    error::EngineError,
    fusion,
    graph::ClassGraph,
    id::{ChunkId, CollectionId, DocumentId, GrantId},
    partition::Partition,
    policy::Decision,
    principal::{Principal, Subject},
    search::{Hit, SearchRequest},
    segment::LiveSegment,
    snapshot::{Opened, Readable, Segments, Snapshot},
    tenant::Tenant,
};

/// The classes of one snapshot that one subject may read.
///
/// It holds what they have, rather than describing it: there is no index to combine with the wrong token.
///
/// ```compile_fail
/// let scope = ringfence_indexes::Scope { classes: Default::default() }; // only `Engine::scope` makes one
/// ```
pub struct Scope {
    tenant: Arc<Tenant>,
    snapshot: Arc<Snapshot>,
    /// What the subject may read whatever the time and the request; shared with other scopes of the same reader.
    readable: Arc<Readable>,
    /// The same after what tenant policies say of the request.
    opened: Arc<Opened>,
    /// The classes that may be read now, rising.
    now: Now,
    /// What emergency grants open beside these.
    lent: Lent,
    selection: Selection,
}

/// What the time makes of what is opened. Classes rise.
enum Now {
    /// Everything of all times, and these classes whose window is open.
    Open(Vec<u32>),
    /// These classes alone: the request is answered where others listen.
    Only(Vec<u32>),
}

/// What emergency grants open now of what may not be read of right.
#[derive(Default)]
struct Lent {
    in_force: InForce,
    /// With those of their documents alone that a grant covers; rising.
    partitions: Vec<(u32, Arc<Partition>)>,
    /// The classes of which every document is covered, and those of which some are; rising.
    whole: Vec<u32>,
    partial: Vec<u32>,
    /// The passages of these that are not.
    others: Vec<ChunkId>,
}

impl Scope {
    pub(crate) fn resolve(
        tenant: Arc<Tenant>,
        snapshot: Arc<Snapshot>,
        subject: &Subject,
        selection: &Selection,
        now: Timestamp,
    ) -> Self {
        let readable = snapshot.readable(subject, selection);
        let opened = readable.opened(subject.context(), now);
        let is_open = |class: &u32| opened.partition(*class).is_some_and(|partition| partition.acl.is_open_at(now));
        let open = opened.windowed().iter().copied().filter(is_open).collect();
        let (lent, selection) = (Lent::default(), selection.clone());
        let mut scope = Self { tenant, snapshot, readable, opened, now: Now::Open(open), lent, selection };
        if let Some(granted) = &scope.readable.decision.granted {
            scope.lent = scope.lend(scope.snapshot.policy.in_force(granted, subject.context(), now));
        }
        debug_assert!(
            scope.own_partitions().all(|partition| {
                let Decision { principals, attributes, collections, .. } = &*scope.readable.decision;
                let may_permit = scope.snapshot.policy.rules.may_permit();
                partition.acl.permits_if_allowed(principals, attributes, now)
                    && (may_permit || partition.acl.permits(principals, attributes, now))
                    && collections.contains_key(&partition.collection)
            }),
            "the index of classes decides as the policy does"
        );
        scope
    }

    /// What grants open that is not read of right already.
    fn lend(&self, in_force: InForce) -> Lent {
        let mut lent = Lent::default();
        for class in in_force.classes.iter().filter(|class| !self.holds(*class)) {
            let Some(partition) = self.opened.partition(class) else { continue };
            if in_force.opens_all_of(&partition.collection) {
                lent.whole.push(class);
                lent.partitions.push((class, Arc::clone(partition)));
            } else if let Some((limited, others)) = partition.limited(|document| in_force.opens(document)) {
                lent.partial.push(class);
                lent.partitions.push((class, Arc::new(limited)));
                lent.others.extend(others);
            }
        }
        Lent { in_force, ..lent }
    }

    /// The segments of what grants open.
    fn lent_segments(&self) -> Segments {
        let mut segments = self.opened.segments_of(&self.lent.whole);
        let partial = self.opened.segments_of(&self.lent.partial);
        for (segment, source) in partial.segments.iter().zip(partial.sources) {
            let covered = segment.without(&self.lent.others);
            if covered.live_rows > 0 {
                segments.segments.push(covered);
                segments.sources.push(source);
            }
        }
        segments
    }

    /// The part that each of these may read as well: what may be said where they all listen.
    ///
    /// Of a member nothing is known but the name and what the directory says of it; what needs more is left out. So is what an emergency grant opens: it is for its holder's eyes.
    #[must_use]
    pub fn shared_with(self, audience: &BTreeSet<Principal>, now: Timestamp) -> Self {
        let policy = &self.snapshot.policy;
        let readable = audience.iter().map(|member| policy.readable_by(member, &self.selection, now));
        let shared = readable.reduce(|all, one| all & one).unwrap_or_default();
        let (always, open) = self.classes();
        let mut only: Vec<u32> = always.iter().chain(open).copied().filter(|class| shared.contains(*class)).collect();
        only.sort_unstable();
        Self { now: Now::Only(only), lent: Lent::default(), ..self }
    }

    /// The classes of all times, where nobody else listens, and those beside them.
    fn classes(&self) -> (&[u32], &[u32]) {
        match &self.now {
            Now::Open(open) => (self.opened.always(), open),
            Now::Only(only) => (&[], only),
        }
    }

    /// What may be read of right.
    fn own_partitions(&self) -> impl Iterator<Item = &Arc<Partition>> {
        let (always, now) = self.classes();
        always.iter().chain(now).filter_map(|class| self.opened.partition(*class))
    }

    fn partitions(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.own_partitions().chain(self.lent.partitions.iter().map(|(_, partition)| partition))
    }

    /// Whether a class may be read of right.
    fn holds(&self, class: u32) -> bool {
        let (always, now) = self.classes();
        always.binary_search(&class).is_ok() || now.binary_search(&class).is_ok()
    }

    fn collections(&self) -> &BTreeMap<CollectionId, Arc<Collection>> {
        &self.readable.decision.collections
    }

    /// The store's revision that this scope shows. It counts others' doings, so it never leaves the server.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.snapshot.epoch
    }

    /// The selected collections whose readers include the subject, in order, and those in which an emergency grant opens something.
    #[must_use]
    pub fn readable_collections(&self) -> Vec<CollectionId> {
        let granted = self.lent.in_force.grants.iter().map(|grant| &grant.collection);
        let granted = granted.filter(|collection| self.snapshot.policy.collections.contains_key(*collection));
        let all: BTreeSet<&CollectionId> = self.collections().keys().chain(granted).collect();
        all.into_iter().cloned().collect()
    }

    /// Whether the subject is among a selected collection's readers, or an emergency grant opens something there.
    #[must_use]
    pub fn may_read_collection(&self, collection: &CollectionId) -> bool {
        let is_there = || self.snapshot.policy.collections.contains_key(collection);
        self.collections().contains_key(collection) || (self.lent.in_force.reaches(collection) && is_there())
    }

    /// Whether the subject is among a selected collection's writers.
    #[must_use]
    pub fn may_write_collection(&self, collection: &CollectionId) -> bool {
        let settings = self.snapshot.policy.collections.get(collection);
        let settings = settings.filter(|_| self.selection.contains(collection));
        settings.is_some_and(|settings| !settings.writers.is_disjoint(&self.readable.decision.principals))
    }

    /// Whether one of these collections is searched by vectors that the server makes, whether or not it holds anything.
    #[must_use]
    pub fn compares_builtin_vectors(&self) -> bool {
        let granted = self.lent.in_force.grants.iter().map(|grant| &grant.collection);
        let granted = granted.filter_map(|collection| self.snapshot.policy.collections.get(collection));
        let mut collections = self.collections().values().chain(granted);
        collections.any(|collection| matches!(collection.vectors, VectorSource::Builtin { .. }))
    }

    /// The best passages, best first.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] where something does not come back as it was set aside; the tenant is closed then.
    pub fn search(&self, request: &SearchRequest<'_>) -> Result<Vec<Hit>, EngineError> {
        let nothing = Segments::default();
        let (always, now) = match &self.now {
            Now::Open(open) => (self.opened.segments(), self.opened.segments_of(open)),
            Now::Only(only) => (&nothing, self.opened.segments_of(only)),
        };
        let lent = self.lent_segments();
        let segments: Vec<&LiveSegment> = always.segments.iter().chain(&now.segments).chain(&lent.segments).collect();
        let sources: Vec<_> = always.sources.iter().chain(&now.sources).chain(&lent.sources).copied().collect();
        // Asked anew each time: a graph may have been built since.
        let may_have = self.snapshot.has_graphs.then(|| self.partitions()).into_iter().flatten();
        let graphs: Vec<&ClassGraph> =
            may_have.filter_map(|partition| partition.graph()).map(|graph| &**graph).collect();
        self.trusting(fusion::search(&segments, &sources, &graphs, request))
    }

    /// A document, if it exists and may be read.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] where something does not come back as it was set aside; the tenant is closed then.
    pub fn fetch(&self, collection: &CollectionId, document: &DocumentId) -> Result<Option<DocumentView>, EngineError> {
        let found = self.entry(collection, document);
        self.trusting(found.map(|entry| DocumentRecord::read(entry).map(Arc::new)).transpose())
    }

    /// Whether a document exists and may be read.
    #[must_use]
    pub fn has(&self, collection: &CollectionId, document: &DocumentId) -> bool {
        self.entry(collection, document).is_some()
    }

    /// Whether a document exists and may be read of right, without an emergency grant: what whoever changes it needs.
    #[must_use]
    pub fn has_of_right(&self, collection: &CollectionId, document: &DocumentId) -> bool {
        self.snapshot.document(collection, document).is_some_and(|entry| self.holds(entry.class))
    }

    /// The emergency grants without which a document could not be read, if it can be read at all.
    #[must_use]
    pub fn grants_needed(&self, collection: &CollectionId, document: &DocumentId) -> Vec<GrantId> {
        if self.lent.partitions.is_empty() || self.has_of_right(collection, document) {
            return Vec::new();
        }
        self.lent.in_force.opening(collection, document).map(|grant| grant.id.clone()).collect()
    }

    /// A document that was found before, as it is now. It mostly still lies in its class, where it is found among fewer than the tenant has.
    fn same_entry(&self, before: &DocumentEntry) -> Option<&Arc<DocumentEntry>> {
        let class = self.snapshot.holdings.partitions.get(&before.class);
        let class = class.filter(|class| class.collection == before.collection && self.holds(before.class));
        class.and_then(|class| class.documents.get(&before.id)).or_else(|| self.entry(&before.collection, &before.id))
    }

    /// The emergency grants without which a collection would not be there for the subject.
    #[must_use]
    pub fn grants_showing(&self, collection: &CollectionId) -> Vec<GrantId> {
        if self.collections().contains_key(collection) || !self.may_read_collection(collection) {
            return Vec::new();
        }
        let showing = self.lent.in_force.grants.iter().filter(|grant| grant.collection == *collection);
        showing.map(|grant| grant.id.clone()).collect()
    }

    fn entry(&self, collection: &CollectionId, document: &DocumentId) -> Option<&Arc<DocumentEntry>> {
        let may_read = |entry: &DocumentEntry| self.holds(entry.class) || self.lent.in_force.opens(entry);
        self.snapshot.document(collection, document).filter(|entry| may_read(entry))
    }

    /// Closes the tenant where something of it is damaged, so that it is read from the store anew.
    fn trusting<T>(&self, read: Result<T, EngineError>) -> Result<T, EngineError> {
        read.inspect_err(|error| {
            if matches!(error, EngineError::Damaged) {
                self.tenant.distrust();
            }
        })
    }

    /// Readable documents of a collection in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] where something does not come back as it was set aside; the tenant is closed then.
    pub fn documents(
        &self,
        collection: &CollectionId,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentView>, EngineError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let classes = self.partitions().filter(|partition| partition.collection == *collection);
        let ranges = classes.map(|partition| partition.documents.range::<DocumentId, _>((start, Bound::Unbounded)));
        let mut ranges: Vec<_> = ranges.map(|range| range.map(|(_, document)| document)).collect();
        // The next document of each class, the smallest on top.
        let mut next: BinaryHeap<Reverse<(&DocumentId, usize)>> = BinaryHeap::with_capacity(ranges.len());
        let mut heads: Vec<Option<&Arc<DocumentEntry>>> = ranges.iter_mut().map(Iterator::next).collect();
        next.extend(heads.iter().enumerate().filter_map(|(class, head)| Some(Reverse((&head.as_ref()?.id, class)))));
        let mut found = Vec::new();
        while let Some(Reverse((_, class))) = next.pop().filter(|_| found.len() < limit) {
            found.extend(heads[class].map(|entry| DocumentRecord::read(entry).map(Arc::new)));
            heads[class] = ranges[class].next();
            next.extend(heads[class].map(|document| Reverse((&document.id, class))));
        }
        self.trusting(found.into_iter().collect())
    }

    /// Whether every hit of an earlier scope is still live, unchanged and permitted.
    #[must_use]
    pub fn still_permits(&self, hits: &[Hit]) -> bool {
        hits.iter().all(|hit| {
            let now = self.same_entry(&hit.document.entry);
            now.is_some_and(|now| self.trusting(says_the_same(now, hit)).unwrap_or(false))
        })
    }
}

/// Whether a document shows of a hit what it showed before. Its ACL and version may have changed.
fn says_the_same(now: &Arc<DocumentEntry>, hit: &Hit) -> Result<bool, EngineError> {
    let before = &hit.document.entry;
    if Arc::ptr_eq(&now.info, &before.info) && Arc::ptr_eq(&now.chunks, &before.chunks) {
        return Ok(true);
    }
    let beside = |info: DocumentInfo| (info.title, info.uri, info.metadata, info.content_hash);
    let Some(place) = now.chunks.iter().position(|chunk| chunk.id == hit.chunk.id()) else { return Ok(false) };
    Ok(now.read_chunk(place)? == *hit.chunk && beside(now.read_info()?) == beside(hit.document.info().clone()))
}

impl fmt::Debug for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (always, now) = self.classes();
        write!(formatter, "Scope({} classes)", always.len() + now.len())
    }
}
