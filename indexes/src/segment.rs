//! Segments: immutable rows of one class, with their int8 vectors and postings, and which of them still live.

use std::{collections::HashSet, sync::Arc};

use crate::{
    document::{ChunkRecord, DocumentRecord},
    id::DocumentId,
    lexical::{analyzer::Analyzer, postings::Postings},
    vector::quantize::Quantized,
};

/// A chunk in a segment.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) chunk: Arc<ChunkRecord>,
    pub(crate) document: Arc<DocumentRecord>,
}

/// Rows that never change, and what is derived from them.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) rows: Vec<Row>,
    /// How many terms each row has.
    pub(crate) lengths: Vec<u32>,
    pub(crate) postings: Postings,
    pub(crate) vectors: Quantized,
}

/// A segment as one snapshot sees it.
#[derive(Clone, Debug)]
pub(crate) struct LiveSegment {
    pub(crate) segment: Arc<Segment>,
    /// One bit a row that is gone; empty while all live.
    dead: Arc<[u64]>,
    pub(crate) live_rows: usize,
    pub(crate) live_length: u64,
}

impl LiveSegment {
    /// Indexes new rows.
    #[expect(clippy::disallowed_methods, reason = "the text is cut into terms for the index and nothing else")]
    pub(crate) fn build(rows: Vec<Row>, analyzer: &mut Analyzer) -> Self {
        let mut lengths = Vec::with_capacity(rows.len());
        let mut counts = Vec::with_capacity(rows.len());
        for row in &rows {
            let title = row.document.info.title.as_ref().map_or("", |title| title.expose_untrusted());
            let prepared = &row.chunk.prepared;
            let (terms, length) = analyzer.count([title, prepared.heading(), prepared.text().expose_untrusted()]);
            counts.push(terms);
            lengths.push(length);
        }
        let postings = Postings::build(counts.iter());
        let vectors = Quantized::build(rows.iter().map(|row| row.chunk.vector.as_ref()));
        Self::whole(Segment { rows, lengths, postings, vectors })
    }

    fn whole(segment: Segment) -> Self {
        let live_rows = segment.rows.len();
        let live_length = segment.lengths.iter().map(|length| u64::from(*length)).sum();
        Self { segment: Arc::new(segment), dead: Arc::new([]), live_rows, live_length }
    }

    /// One segment of the live rows of several.
    pub(crate) fn merge(parts: &[Self]) -> Self {
        let mut next = 0_u32;
        let mut maps = Vec::with_capacity(parts.len());
        let (mut rows, mut lengths) = (Vec::new(), Vec::new());
        for part in parts {
            let mut map = vec![None; part.segment.rows.len()];
            for row in part.live() {
                map[row] = Some(next);
                next += 1;
                rows.push(part.segment.rows[row].clone());
                lengths.push(part.segment.lengths[row]);
            }
            maps.push((&part.segment.postings, map));
        }
        let vectors = Quantized::build(rows.iter().map(|row| row.chunk.vector.as_ref()));
        Self::whole(Segment { rows, lengths, postings: Postings::merge(&maps), vectors })
    }

    /// The same segment without the rows of these documents.
    pub(crate) fn without(&self, documents: &HashSet<DocumentId>) -> Self {
        let gone: Vec<usize> =
            self.live().filter(|row| documents.contains(&self.segment.rows[*row].document.id)).collect();
        if gone.is_empty() {
            return self.clone();
        }
        let mut dead = self.dead.to_vec();
        dead.resize(self.segment.rows.len().div_ceil(64), 0);
        let mut live = Self { live_rows: self.live_rows - gone.len(), ..self.clone() };
        for row in gone {
            dead[row / 64] |= 1 << (row % 64);
            live.live_length -= u64::from(self.segment.lengths[row]);
        }
        live.dead = dead.into();
        live
    }

    /// Whether a row still lives.
    pub(crate) fn is_live(&self, row: usize) -> bool {
        self.dead.get(row / 64).is_none_or(|word| word & (1 << (row % 64)) == 0)
    }

    /// The rows that still live.
    pub(crate) fn live(&self) -> impl Iterator<Item = usize> {
        (0..self.segment.rows.len()).filter(|row| self.is_live(*row))
    }
}
