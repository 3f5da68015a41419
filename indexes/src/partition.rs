//! Partitions: one class's documents, with their segments.
//!
//! Segments are written once and merged in tiers, as in a log-structured merge tree, always within the class:
//! what lies in other classes decides neither the layout nor the work.

use std::{collections::BTreeSet, sync::Arc};

use rpds::RedBlackTreeMapSync;

use crate::{
    acl::Acl,
    class::ClassId,
    document::DocumentRecord,
    id::{ChunkId, CollectionId, DocumentId},
    lexical::analyzer::Analyzer,
    options::EngineOptions,
    segment::{LiveSegment, Row},
};

/// Segments of one tier before they become one of the next.
const TIER_SEGMENTS_MAX: usize = 4;
/// Segments of this many rows are merged no further, which bounds the time a write can take.
const SEGMENT_ROWS_MAX: usize = 16_384;

/// One class's documents.
#[derive(Clone, Debug)]
pub(crate) struct Partition {
    pub(crate) class: ClassId,
    pub(crate) collection: CollectionId,
    pub(crate) acl: Arc<Acl>,
    pub(crate) documents: RedBlackTreeMapSync<DocumentId, Arc<DocumentRecord>>,
    pub(crate) segments: Vec<LiveSegment>,
}

/// What a list of changes did to one class. A document that was replaced is in both.
#[derive(Default)]
pub(crate) struct Touched {
    /// The chunks that were there before.
    pub(crate) left: Vec<ChunkId>,
    /// The documents whose chunks are to be indexed.
    pub(crate) came: BTreeSet<DocumentId>,
}

impl Partition {
    pub(crate) fn new(class: ClassId, collection: CollectionId, acl: Arc<Acl>) -> Self {
        Self { class, collection, acl, documents: RedBlackTreeMapSync::new_sync(), segments: Vec::new() }
    }

    /// Brings the segments up to the documents, of which these have changed since.
    pub(crate) fn reindex(&mut self, touched: &Touched, analyzer: &mut Analyzer, options: &EngineOptions) {
        if !touched.left.is_empty() {
            for segment in &mut self.segments {
                *segment = segment.without(&touched.left);
            }
        }
        let mut rows = Vec::new();
        for document in touched.came.iter().filter_map(|id| self.documents.get(id)) {
            rows.extend(document.chunks.iter().map(|chunk| Row { chunk: chunk.clone(), document: document.clone() }));
        }
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(SEGMENT_ROWS_MAX));
            self.segments.push(LiveSegment::build(rows, analyzer, options));
            rows = rest;
        }
        self.tidy(options);
    }

    /// Rewrites what is mostly dead, and merges tiers that are full.
    fn tidy(&mut self, options: &EngineOptions) {
        self.segments.retain(|segment| segment.live_rows > 0);
        for segment in &mut self.segments {
            if segment.live_rows * 2 < segment.segment.rows.len() {
                *segment = LiveSegment::merge(std::slice::from_ref(segment), options);
            }
        }
        while let Some(tier) = self.full_tier() {
            let (full, mut others): (Vec<_>, Vec<_>) =
                self.segments.drain(..).partition(|segment| tier_of(segment) == Some(tier));
            others.push(LiveSegment::merge(&full, options));
            self.segments = others;
        }
    }

    fn full_tier(&self) -> Option<u32> {
        let tiers = self.segments.iter().filter_map(tier_of);
        tiers.clone().find(|tier| tiers.clone().filter(|other| other == tier).count() > TIER_SEGMENTS_MAX)
    }
}

/// Tiers grow by a factor of four; the largest segments are in none.
fn tier_of(segment: &LiveSegment) -> Option<u32> {
    let rows = segment.live_rows;
    (rows < SEGMENT_ROWS_MAX).then(|| rows.max(1).ilog2() / 2)
}
