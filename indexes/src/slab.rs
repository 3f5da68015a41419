//! Slabs: the rows of a collection's small classes, in segments that these share.
//!
//! A tenant may have a class for each document. With segments of its own each would cost several allocations and a miss of the cache for every search;
//! in a slab its rows lie beside those of the next class, and a reader of many small classes reads ranges of one memory.
//!
//! A reader sees a slab through views: the ranges of the permitted classes, with every other row marked as dead. Vectors are compared and words are read row by row,
//! in these ranges alone, so that neither an answer nor the work for it depends on who else is in the slab.

use crate::{
    error::EngineError,
    id::ChunkId,
    lexical::{analyzer::Analyzer, kind::AnalyzerKind},
    segment::{Fresh, LiveSegment, Row},
    tiers::{SEGMENT_ROWS_MAX, tidy},
    vector::Vector,
};

/// The small classes of one collection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slab {
    segments: Vec<LiveSegment>,
}

impl Slab {
    /// Whether no row is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Lets chunks go, as far as they are here.
    pub(crate) fn remove(&mut self, chunks: &[ChunkId]) {
        for segment in &mut self.segments {
            *segment = segment.without(chunks);
        }
    }

    /// The live rows of one class, which leave the slab: each a view of a shared segment.
    pub(crate) fn take(&mut self, class: u32) -> Vec<LiveSegment> {
        let views = self.views(&[class]);
        let chunks: Vec<ChunkId> = views.iter().flat_map(|view| view.live().map(|row| view.segment.ids[row])).collect();
        self.remove(&chunks);
        views
    }

    /// Indexes rows of small classes.
    pub(crate) fn add(
        &mut self,
        mut rows: Vec<Row>,
        fresh: &Fresh,
        kind: AnalyzerKind,
        analyzer: &mut Analyzer,
    ) -> Result<(), EngineError> {
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(SEGMENT_ROWS_MAX));
            self.segments.push(LiveSegment::build_shared(rows, fresh, kind, analyzer)?);
            rows = rest;
        }
        Ok(())
    }

    /// Merges and rewrites what is due.
    pub(crate) fn tidy(&mut self) {
        tidy(&mut self.segments, LiveSegment::merge_shared);
    }

    /// What these classes, which rise, have here.
    pub(crate) fn views(&self, classes: &[u32]) -> Vec<LiveSegment> {
        self.segments.iter().filter_map(|segment| segment.view(classes)).collect()
    }

    /// The vector of a chunk, if it is here and has one.
    pub(crate) fn vector(&self, chunk: ChunkId, place: u32) -> Result<Option<Vector>, EngineError> {
        for segment in &self.segments {
            if let Some(vector) = segment.vector(chunk, place)? {
                return Ok(Some(vector));
            }
        }
        Ok(None)
    }
}
