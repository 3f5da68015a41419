//! Snapshots: immutable states of one tenant. They share their structure, so a write copies little.

use std::sync::{Arc, OnceLock};

use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use crate::{
    acl::Timestamp,
    collection::{Selection, VectorSource},
    document::DocumentEntry,
    failpoint::{self, Fault, Place},
    id::{CollectionId, DocumentId},
    memory::{Memory, ReaderKey, Recent},
    partition::Partition,
    policy::{Decision, Policy},
    principal::Subject,
    rules::{RequestContext, Verdict},
    segment::LiveSegment,
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
    pub(crate) partitions: HashTrieMapSync<u32, Arc<Partition>>,
    /// Whether a class may have a graph.
    pub(crate) has_graphs: bool,
    /// About how much memory the documents take, with what is made of them.
    pub(crate) bytes: u64,
    readable: Memory<Readable>,
}

/// Classes with their partitions, rising.
pub(crate) type Classes = Vec<(u32, Arc<Partition>)>;

/// A decision with the partitions of one snapshot that it opens.
pub(crate) struct Readable {
    pub(crate) decision: Arc<Decision>,
    /// What is opened where nothing of the request decides.
    plain: Arc<Opened>,
    /// Those that a tenant policy may permit for a request.
    permittable: Classes,
    /// The same after what tenant policies say of a request.
    narrowed: Recent<Arc<Verdict>, Opened>,
}

/// Partitions that may be read.
pub(crate) struct Opened {
    decision: Arc<Decision>,
    pub(crate) always: Classes,
    /// Those that may be read while their window is open.
    pub(crate) windowed: Classes,
    segments: OnceLock<Segments>,
}

/// The segments of some partitions, and where the vectors of each come from.
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
            partitions: HashTrieMapSync::new_sync(),
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

    /// The partitions that a subject may read, some of them while their window is open.
    pub(crate) fn readable(&self, subject: &Subject, selection: &Selection) -> Arc<Readable> {
        let reader = ReaderKey::of(&self.key, subject, selection);
        if let Some(readable) = self.readable.recall(&reader).or_else(|| recall_lasting(subject, &reader)) {
            return readable;
        }
        let decision = self.policy.decide(reader, subject, selection);
        let partitions = |classes: &[u32]| {
            let found = classes.iter().filter_map(|class| Some((*class, self.partitions.get(class)?.clone())));
            found.collect::<Vec<_>>()
        };
        let plain =
            Arc::new(Opened::new(decision.clone(), partitions(&decision.always), partitions(&decision.windowed)));
        let permittable = partitions(&decision.permittable);
        let copies = if decision.contextual.is_some() { 2 + VERDICTS_KEPT } else { 2 };
        let weight = copies * decision.weight();
        let readable = Arc::new(Readable { decision, plain, permittable, narrowed: Recent::new(VERDICTS_KEPT) });
        failpoint::reached(Place::Remembering, subject.tenant());
        self.readable.keep(reader, readable.clone(), weight, self.policy.memory_limit());
        keep_lasting(subject, reader, &readable);
        readable
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
        let own = self.plain.always.iter().chain(&self.plain.windowed);
        let permitted = self.permittable.iter().filter(|(class, _)| verdict.permitted.contains(*class));
        let all = own.chain(permitted).filter(|(class, _)| !verdict.forbidden.contains(*class)).cloned();
        let (mut windowed, mut always): (Classes, Classes) = all.partition(|(_, partition)| partition.acl.has_window());
        always.sort_unstable_by_key(|(class, _)| *class);
        windowed.sort_unstable_by_key(|(class, _)| *class);
        Opened::new(self.decision.clone(), always, windowed)
    }
}

impl Opened {
    const fn new(decision: Arc<Decision>, always: Classes, windowed: Classes) -> Self {
        Self { decision, always, windowed, segments: OnceLock::new() }
    }

    /// The segments that may be read at any time.
    pub(crate) fn segments(&self) -> &Segments {
        self.segments.get_or_init(|| self.segments_of(&self.always))
    }

    /// The segments of these partitions.
    pub(crate) fn segments_of(&self, partitions: &[(u32, Arc<Partition>)]) -> Segments {
        let mut all = Segments::default();
        for (_, partition) in partitions {
            let settings = self.decision.collections.get(&partition.collection);
            let source = settings.expect("a permitted partition lies in a readable collection").vectors;
            all.segments.extend(partition.segments.iter().cloned());
            all.sources.resize(all.segments.len(), source);
        }
        all
    }
}
