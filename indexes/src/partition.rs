//! Partitions: one class's documents, with their segments.
//!
//! A class of many rows has segments of its own, merged always within the class: what lies in other classes decides neither their layout nor the work.
//! The rows of a small class lie in the slab of its collection. Which of the two it is follows from the class alone.

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
    tiers::{SEGMENT_ROWS_MAX, tidy},
    vector::Vector,
};

/// One class's documents.
#[derive(Clone, Debug)]
pub(crate) struct Partition {
    pub(crate) class: ClassId,
    pub(crate) collection: CollectionId,
    pub(crate) acl: Arc<Acl>,
    pub(crate) documents: RedBlackTreeMapSync<DocumentId, Arc<DocumentEntry>>,
    /// Those of its own; none where its rows are in the slab.
    pub(crate) segments: Vec<LiveSegment>,
    /// Whether its rows are in the slab.
    pub(crate) is_small: bool,
    /// How many rows its documents have.
    pub(crate) rows: usize,
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
            is_small: true,
            rows: 0,
            graphs: Vec::new(),
        }
    }

    /// Whether the rows belong into the slab: those of a class that grows leave it later than those of one that shrinks come to it.
    pub(crate) fn belongs_into_slab(&self, options: &EngineOptions) -> bool {
        self.rows <= if self.is_small { options.slab_rows_max } else { options.slab_rows_max / 2 }
    }

    /// Has segments of its own from now on, at first of these rows that were in the slab.
    pub(crate) fn leave_slab(&mut self, rows: &[LiveSegment], options: &EngineOptions) {
        self.is_small = false;
        if !rows.is_empty() {
            self.segments.push(LiveSegment::merge(rows, options));
        }
    }

    /// Has its rows in the slab from now on.
    pub(crate) fn enter_slab(&mut self) {
        self.is_small = true;
        self.segments.clear();
        self.graphs.clear();
    }

    /// The rows of some of its documents.
    pub(crate) fn rows_of<'a>(&self, documents: impl Iterator<Item = &'a DocumentId>) -> Vec<Row> {
        let documents = documents.filter_map(|id| self.documents.get(id));
        let rows =
            documents.flat_map(|document| (0_u32..).take(document.chunks.len()).map(move |chunk| (document, chunk)));
        rows.map(|(document, chunk)| Row { document: document.clone(), chunk }).collect()
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
        let mut rows = self.rows_of(touched.came.iter());
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(SEGMENT_ROWS_MAX));
            self.segments.push(LiveSegment::build(rows, fresh, kind, analyzer, options)?);
            rows = rest;
        }
        tidy(&mut self.segments, |parts| LiveSegment::merge(parts, options));
        Ok(options.graph_rows_min.and_then(|rows_min| self.plan_graph(rows_min)))
    }

    /// The same with some of its documents and nothing that is made of them, and the passages of the others; `None` where it has none of them.
    pub(crate) fn limited(&self, has: impl Fn(&DocumentEntry) -> bool) -> Option<(Self, Vec<ChunkId>)> {
        let mut limited = Self::new(self.class, self.collection.clone(), Arc::clone(&self.acl));
        let mut others = Vec::new();
        for (id, document) in &self.documents {
            if has(document) {
                limited.documents.insert_mut(id.clone(), Arc::clone(document));
            } else {
                others.extend(document.chunks.iter().map(|chunk| chunk.id));
            }
        }
        (!limited.documents.is_empty()).then_some((limited, others))
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
}
