//! Partitions: one class's documents, with their segments.
//!
//! Segments are written once and merged in tiers, as in a log-structured merge tree, always within the class:
//! what lies in other classes decides neither the layout nor the work.

use std::{collections::BTreeSet, sync::Arc};

use rpds::RedBlackTreeMapSync;

use crate::{
    acl::Acl,
    class::ClassId,
    document::DocumentEntry,
    error::EngineError,
    graph::{ClassGraph, Task},
    id::{ChunkId, CollectionId, DocumentId},
    lexical::{analyzer::Analyzer, kind::AnalyzerKind},
    options::EngineOptions,
    segment::{Fresh, LiveSegment, Row},
    vector::Vector,
};

/// Segments of one tier before they become one. A search asks each segment for its words, so few are better than cheap writes.
const TIER_SEGMENTS_MAX: usize = 2;
/// Segments of fewer rows are all of the lowest tier.
const TIER_ROWS_MIN: usize = 16;
/// Segments of this many rows are merged no further, which bounds the time a write can take.
const SEGMENT_ROWS_MAX: usize = 16_384;

/// One class's documents.
#[derive(Clone, Debug)]
pub(crate) struct Partition {
    pub(crate) class: ClassId,
    pub(crate) collection: CollectionId,
    pub(crate) acl: Arc<Acl>,
    pub(crate) documents: RedBlackTreeMapSync<DocumentId, Arc<DocumentEntry>>,
    pub(crate) segments: Vec<LiveSegment>,
    /// The last graph that was built and the one asked for after it; the newest last.
    graphs: Vec<Arc<ClassGraph>>,
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
        Self {
            class,
            collection,
            acl,
            documents: RedBlackTreeMapSync::new_sync(),
            segments: Vec::new(),
            graphs: Vec::new(),
        }
    }

    /// Brings the segments up to the documents, of which these have changed since; `fresh` are the passages that came. A graph may be worth building then.
    pub(crate) fn reindex(
        &mut self,
        touched: &Touched,
        fresh: &Fresh,
        kind: AnalyzerKind,
        analyzer: &mut Analyzer,
        options: &EngineOptions,
    ) -> Result<Option<Task>, EngineError> {
        if !touched.left.is_empty() {
            for segment in &mut self.segments {
                *segment = segment.without(&touched.left);
            }
        }
        let mut rows = Vec::new();
        for document in touched.came.iter().filter_map(|id| self.documents.get(id)) {
            rows.extend(
                (0_u32..).zip(document.chunks.iter()).map(|(chunk, _)| Row { document: document.clone(), chunk }),
            );
        }
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(SEGMENT_ROWS_MAX));
            self.segments.push(LiveSegment::build(rows, fresh, kind, analyzer, options)?);
            rows = rest;
        }
        self.tidy(options);
        Ok(options.graph_rows_min.and_then(|rows_min| self.plan_graph(rows_min)))
    }

    /// The vector of a chunk that is indexed, if it has one.
    pub(crate) fn vector(&self, chunk: ChunkId, place: u32) -> Result<Option<Vector>, EngineError> {
        for segment in &self.segments {
            if let Some(vector) = segment.vector(chunk, place)? {
                return Ok(Some(vector));
            }
        }
        Ok(None)
    }

    /// The graph that can be used.
    pub(crate) fn graph(&self) -> Option<&Arc<ClassGraph>> {
        self.graphs.iter().rev().find(|graph| graph.is_built())
    }

    /// Asks for a graph if the class is large and the newest one misses much of it. Small segments are merged soon, so they are left to the scan.
    fn plan_graph(&mut self, rows_min: usize) -> Option<Task> {
        if self.segments.iter().map(|segment| segment.live_rows).sum::<usize>() < rows_min {
            self.graphs.clear();
            return None;
        }
        let is_large = |segment: &&LiveSegment| segment.live_rows >= SEGMENT_ROWS_MAX.min(rows_min / 4);
        let large: Vec<LiveSegment> = self.segments.iter().filter(is_large).cloned().collect();
        let rows = |segments: &mut dyn Iterator<Item = &LiveSegment>| segments.map(|segment| segment.live_rows).sum();
        let all: usize = rows(&mut large.iter());
        let newest = self.graphs.last();
        let covered: usize =
            newest.map_or(0, |graph| rows(&mut large.iter().filter(|segment| graph.covers(&segment.segment))));
        if all == 0 || covered * 4 >= all * 3 {
            return None;
        }
        self.graphs.retain(|graph| graph.is_built());
        self.graphs.drain(..self.graphs.len().saturating_sub(1));
        let (graph, task) = ClassGraph::ask(large);
        self.graphs.push(graph);
        Some(task)
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
    (rows < SEGMENT_ROWS_MAX).then(|| (rows / TIER_ROWS_MIN).max(1).ilog2() / 2)
}
