//! Snapshots: immutable states of one tenant. They share their structure, so a write copies little.

use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use crate::{
    acl::Timestamp,
    collection::{Selection, VectorSource},
    document::DocumentEntry,
    emergency::Granted,
    error::EngineError,
    failpoint::{self, Fault, Place},
    id::{ChunkId, CollectionId, DocumentId},
    memory::{Memory, ReaderKey, Recent},
    partition::Partition,
    policy::{Decision, Policy},
    principal::Subject,
    rules::{RequestContext, Verdict},
    segment::LiveSegment,
    slab::Slab,
    vector::Vector,
};

/// How many lists of classes are kept for a reader whose requests tenant policies look at.
const VERDICTS_KEPT: usize = 2;

/// The live documents of one collection.
pub(crate) type Documents = RedBlackTreeMapSync<DocumentId, Arc<DocumentEntry>>;

/// One state of a tenant.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) epoch: u64,
    /// Whether the documents are here; they are in the store alone otherwise.
    pub(crate) is_open: bool,
    pub(crate) key: [u8; 32],
    pub(crate) policy: Arc<Policy>,
    pub(crate) documents: RedBlackTreeMapSync<CollectionId, Documents>,
    pub(crate) holdings: Holdings,
    /// Whether a class may have a graph.
    pub(crate) has_graphs: bool,
    /// About how much memory the documents take, with what is made of them.
    pub(crate) bytes: u64,
    readable: Memory<Readable>,
}

/// What there is of each class. A copy shares its structure.
#[derive(Clone)]
pub(crate) struct Holdings {
    pub(crate) partitions: HashTrieMapSync<u32, Arc<Partition>>,
    /// The small classes of each collection.
    pub(crate) slabs: RedBlackTreeMapSync<CollectionId, Arc<Slab>>,
    /// The classes that have segments of their own.
    pub(crate) large: Arc<RoaringBitmap>,
}

/// A decision with what it opens of one snapshot.
pub(crate) struct Readable {
    pub(crate) decision: Arc<Decision>,
    /// What is opened where nothing of the request decides.
    plain: Arc<Opened>,
    /// The same after what tenant policies say of a request.
    narrowed: Recent<Arc<Verdict>, Opened>,
}

/// Classes that may be read, rising.
pub(crate) struct Opened {
    decision: Arc<Decision>,
    holdings: Holdings,
    /// Where tenant policies looked at the request, what they left: classes of all times, and those with a window.
    narrowed: Option<[Vec<u32>; 2]>,
    segments: OnceLock<Segments>,
}

/// The segments of some classes, and where the vectors of each come from.
#[derive(Default)]
pub(crate) struct Segments {
    pub(crate) segments: Vec<LiveSegment>,
    pub(crate) sources: Vec<VectorSource>,
}

impl Snapshot {
    pub(crate) fn empty(key: [u8; 32], epoch: u64) -> Self {
        Self {
            epoch,
            is_open: true,
            key,
            policy: Arc::new(Policy::empty()),
            documents: RedBlackTreeMapSync::new_sync(),
            holdings: Holdings::default(),
            has_graphs: false,
            bytes: 0,
            readable: Memory::default(),
        }
    }

    /// The same without documents: what decides, and nothing that was decided about.
    pub(crate) fn closed(&self) -> Self {
        let policy = Arc::new(self.policy.without_classes());
        Self { is_open: false, policy, ..Self::empty(self.key, self.epoch) }
    }

    /// A live document, whoever may read it.
    pub(crate) fn document(&self, collection: &CollectionId, document: &DocumentId) -> Option<&Arc<DocumentEntry>> {
        self.documents.get(collection)?.get(document)
    }

    /// What a subject may read, some of it while its window is open.
    pub(crate) fn readable(&self, subject: &Subject, selection: &Selection) -> Arc<Readable> {
        let reader = ReaderKey::of(&self.key, subject, selection);
        if let Some(readable) = self.readable.recall(&reader).or_else(|| recall_lasting(subject, &reader)) {
            return readable;
        }
        let decision = self.policy.decide(reader, subject, selection);
        let opened = Opened::new(decision.clone(), self.holdings.clone(), None);
        let copies = if decision.contextual.is_some() { 2 + VERDICTS_KEPT } else { 2 };
        let weight = copies * decision.weight();
        let readable = Arc::new(Readable { decision, plain: Arc::new(opened), narrowed: Recent::new(VERDICTS_KEPT) });
        failpoint::reached(Place::Remembering, subject.tenant());
        self.readable.keep(reader, readable.clone(), weight, self.policy.memory_limit());
        keep_lasting(subject, reader, &readable);
        readable
    }
}

impl Default for Holdings {
    fn default() -> Self {
        Self { partitions: HashTrieMapSync::new_sync(), slabs: RedBlackTreeMapSync::new_sync(), large: Arc::default() }
    }
}

impl Holdings {
    /// The vector of a chunk of a class, at this place in its document, if it has one.
    pub(crate) fn vector(&self, class: u32, chunk: ChunkId, place: u32) -> Result<Option<Vector>, EngineError> {
        let Some(partition) = self.partitions.get(&class) else { return Ok(None) };
        if !partition.is_small {
            return partition.vector(chunk, place);
        }
        self.slabs.get(&partition.collection).map_or(Ok(None), |slab| slab.vector(chunk, place))
    }
}

/// A memory that outlives its snapshot: the planted fault.
static LASTING: OnceLock<Memory<Readable>> = OnceLock::new();

fn recall_lasting(subject: &Subject, reader: &ReaderKey) -> Option<Arc<Readable>> {
    let is_planted = failpoint::has(Fault::LastingMemory, subject.tenant());
    if is_planted { LASTING.get()?.recall(reader) } else { None }
}

fn keep_lasting(subject: &Subject, reader: ReaderKey, readable: &Arc<Readable>) {
    if failpoint::has(Fault::LastingMemory, subject.tenant()) {
        LASTING.get_or_init(Memory::default).keep(reader, readable.clone(), 1, usize::MAX);
    }
}

impl Readable {
    /// What a request opens at a moment, but for the windows of time.
    pub(crate) fn opened(&self, context: &RequestContext, now: Timestamp) -> Arc<Opened> {
        let verdict = self.decision.contextual.as_ref().map(|contextual| contextual.judge(context, now));
        let Some(verdict) = verdict.filter(|verdict| !verdict.is_empty()) else { return Arc::clone(&self.plain) };
        if let Some(opened) = self.narrowed.recall(|other| Arc::ptr_eq(other, &verdict) || *other == verdict) {
            return opened;
        }
        let opened = Arc::new(self.narrow(&verdict));
        self.narrowed.keep(verdict, Arc::clone(&opened));
        opened
    }

    fn narrow(&self, verdict: &Verdict) -> Opened {
        let Decision { always, windowed, permittable, .. } = &*self.decision;
        let holdings = &self.plain.holdings;
        let has_window =
            |class: &u32| holdings.partitions.get(class).is_some_and(|partition| partition.acl.has_window());
        let permitted = permittable.iter().copied().filter(|class| verdict.permitted.contains(*class));
        let (some_windowed, some_always): (Vec<u32>, Vec<u32>) = permitted.partition(has_window);
        let left = |own: &[u32], others: Vec<u32>| {
            let all = own.iter().copied().chain(others).filter(|class| !verdict.forbidden.contains(*class));
            let mut all: Vec<u32> = all.collect();
            all.sort_unstable();
            all
        };
        let narrowed = [left(always, some_always), left(windowed, some_windowed)];
        Opened::new(self.decision.clone(), holdings.clone(), Some(narrowed))
    }
}

impl Opened {
    const fn new(decision: Arc<Decision>, holdings: Holdings, narrowed: Option<[Vec<u32>; 2]>) -> Self {
        Self { decision, holdings, narrowed, segments: OnceLock::new() }
    }

    /// The classes that may be read at any time.
    pub(crate) fn always(&self) -> &[u32] {
        self.narrowed.as_ref().map_or(&self.decision.always, |[always, _]| always)
    }

    /// Those that may be read while their window is open.
    pub(crate) fn windowed(&self) -> &[u32] {
        self.narrowed.as_ref().map_or(&self.decision.windowed, |[_, windowed]| windowed)
    }

    pub(crate) fn partition(&self, class: u32) -> Option<&Arc<Partition>> {
        self.holdings.partitions.get(&class)
    }

    /// The segments that may be read at any time.
    pub(crate) fn segments(&self) -> &Segments {
        self.segments.get_or_init(|| self.segments_of(self.always()))
    }

    /// The segments of these classes, which rise and are permitted.
    pub(crate) fn segments_of(&self, classes: &[u32]) -> Segments {
        let mut all = Segments::default();
        if classes.is_empty() {
            return all;
        }
        let mut extend = |segments: &mut dyn Iterator<Item = LiveSegment>, source: VectorSource| {
            all.segments.extend(segments);
            all.sources.resize(all.segments.len(), source);
        };
        let own = &self.decision.collections;
        let granted = self.decision.granted.iter().flat_map(Granted::collections);
        for (id, collection) in own.iter().chain(granted.filter(|(id, _)| !own.contains_key(*id))) {
            if let Some(slab) = self.holdings.slabs.get(id) {
                extend(&mut slab.views(classes).into_iter(), collection.vectors);
            }
        }
        let large = classes.iter().filter(|class| self.holdings.large.contains(**class));
        for partition in large.filter_map(|class| self.partition(*class)) {
            let settings = self.decision.settings(&partition.collection);
            let source = settings.expect("a permitted class lies in a readable collection").vectors;
            extend(&mut partition.segments.iter().cloned(), source);
        }
        all
    }
}
