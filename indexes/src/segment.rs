//! Segments: immutable rows of one class, with their int8 vectors and postings, and which of them still live.

use std::sync::Arc;

use crate::{
    document::{ChunkRecord, DocumentRecord},
    id::ChunkId,
    lexical::{analyzer::Analyzer, postings::Postings},
    options::EngineOptions,
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
    /// The chunk of each row.
    pub(crate) ids: Vec<ChunkId>,
    /// The rows in the order of their ids: a chunk is found without passing over the others.
    places: Box<[u32]>,
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
    pub(crate) fn build(rows: Vec<Row>, analyzer: &mut Analyzer, options: &EngineOptions) -> Self {
        analyzer.trim();
        let count = |row: &Row| {
            let title = row.document.info.title.as_ref().map_or("", |title| title.expose_untrusted());
            let prepared = &row.chunk.prepared;
            analyzer.count([title, prepared.heading(), prepared.text().expose_untrusted()])
        };
        let counts: Vec<_> = rows.iter().map(count).collect();
        let lengths = counts.iter().map(|counts| counts.length).collect();
        let postings = Postings::build(&counts, analyzer, options.inverted_rows_min);
        let vectors = Quantized::build(rows.iter().map(|row| row.chunk.vector.as_ref()));
        Self::whole(rows, lengths, postings, vectors)
    }

    fn whole(rows: Vec<Row>, lengths: Vec<u32>, postings: Postings, vectors: Quantized) -> Self {
        let ids: Vec<ChunkId> = rows.iter().map(|row| row.chunk.id).collect();
        let mut places: Box<[u32]> = (0_u32..).take(ids.len()).collect();
        places.sort_unstable_by_key(|row| ids[*row as usize]);
        let live_rows = rows.len();
        let live_length = lengths.iter().map(|length| u64::from(*length)).sum();
        let segment = Arc::new(Segment { rows, lengths, postings, vectors, ids, places });
        Self { segment, dead: Arc::new([]), live_rows, live_length }
    }

    /// One segment of the live rows of several.
    pub(crate) fn merge(parts: &[Self], options: &EngineOptions) -> Self {
        let count = parts.iter().map(|part| part.live_rows).sum();
        let mut next = 0_u32;
        let mut maps = Vec::with_capacity(parts.len());
        let (mut rows, mut lengths) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for part in parts {
            let mut map = vec![None; part.segment.rows.len()];
            for row in part.live() {
                map[row] = Some(next);
                next += 1;
                rows.push(part.segment.rows[row].clone());
                lengths.push(part.segment.lengths[row]);
            }
            maps.push(map);
        }
        let parts: Vec<_> = parts.iter().map(|part| &part.segment).zip(maps).collect();
        let vectors: Vec<_> = parts.iter().map(|(segment, map)| (&segment.vectors, map.as_slice())).collect();
        let vectors = Quantized::merge(&vectors);
        let postings: Vec<_> = parts.into_iter().map(|(segment, map)| (&segment.postings, map)).collect();
        Self::whole(rows, lengths, Postings::merge(&postings, count, options.inverted_rows_min), vectors)
    }

    /// The same segment without these chunks, as far as it has them.
    pub(crate) fn without(&self, chunks: &[ChunkId]) -> Self {
        let gone: Vec<usize> = chunks.iter().flat_map(|chunk| self.rows_of(chunk)).collect();
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

    /// The live rows of a chunk.
    fn rows_of(&self, chunk: &ChunkId) -> impl Iterator<Item = usize> {
        let Segment { ids, places, .. } = &*self.segment;
        let start = places.partition_point(|row| ids[*row as usize] < *chunk);
        let rows = places[start..].iter().map(|row| *row as usize);
        let chunk = *chunk;
        rows.take_while(move |row| ids[*row] == chunk).filter(|row| self.is_live(*row))
    }

    /// Whether all rows live.
    pub(crate) fn is_whole(&self) -> bool {
        self.dead.is_empty()
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
