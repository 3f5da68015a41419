//! Segments: immutable rows with their int8 vectors and postings, and which of them still live.
//!
//! The rows are of one class, or of many small ones, class by class: then a reader sees the segment through a view of the permitted classes alone.

use std::{collections::HashMap, ops::Range, sync::Arc};

use ringfence_ingest::UntrustedText;

use crate::{
    document::{ChunkEntry, DocumentChunk, DocumentEntry},
    error::EngineError,
    id::ChunkId,
    lexical::{
        analyzer::{Analyzer, Counts},
        forward::Forward,
        kind::AnalyzerKind,
        postings::Postings,
    },
    options::EngineOptions,
    spill::Blob,
    vector::{Vector, quantize::Quantized},
};

/// How often a word of the title counts, of the headings and of the passage. A document says in its title what it is about:
/// counting it twice is better on both test collections of `benches/README.md`, three times no better than twice.
const TITLE_WEIGHT: usize = 2;
const HEADING_WEIGHT: usize = 1;
const TEXT_WEIGHT: usize = 1;

/// A chunk in a segment.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) document: Arc<DocumentEntry>,
    /// The chunk's place in its document.
    pub(crate) chunk: u32,
}

/// Passages that are to be indexed, by id and place in their document; those that are not here are read.
///
/// A client's long passage may become several, which have one id.
pub(crate) type Fresh = HashMap<(ChunkId, u32), DocumentChunk>;

impl Row {
    pub(crate) fn chunk(&self) -> &ChunkEntry {
        &self.document.chunks[self.chunk as usize]
    }
}

/// Rows that never change, and what is derived from them.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) rows: Vec<Row>,
    /// How the rows were cut into terms.
    pub(crate) analyzer: AnalyzerKind,
    /// How many terms each row has.
    pub(crate) lengths: Vec<u32>,
    pub(crate) postings: Postings,
    pub(crate) vectors: Quantized,
    /// The chunk of each row.
    pub(crate) ids: Vec<ChunkId>,
    /// The rows in the order of their ids: a chunk is found without passing over the others.
    places: Box<[u32]>,
    /// Where many classes share the segment: each with its first row, rising.
    runs: Box<[Run]>,
}

/// The rows of one class in a shared segment, up to those of the next.
#[derive(Clone, Copy, Debug)]
struct Run {
    class: u32,
    start: u32,
}

impl Segment {
    /// The vector of a row, if it has one.
    pub(crate) fn vector(&self, row: usize) -> Result<Option<Vector>, EngineError> {
        let (Some(position), Some(lows)) = (self.vectors.position(row), &self.rows[row].chunk().lows) else {
            return Ok(None);
        };
        let mut room = Vec::new();
        Ok(Some(self.vectors.exact(position, lows.read(&mut room)?).vector()))
    }

    /// The rows of these classes, which rise; those that lie side by side together.
    fn ranges_of(&self, classes: &[u32]) -> Vec<Range<u32>> {
        let mut ranges: Vec<Range<u32>> = Vec::new();
        let (mut runs, mut classes) = (&*self.runs, classes);
        let rows = u32::try_from(self.rows.len()).expect("rows are counted in 32 bits");
        while let (Some(run), Some(class)) = (runs.first(), classes.first()) {
            if run.class == *class {
                let end = runs.get(1).map_or(rows, |next| next.start);
                match ranges.last_mut().filter(|last| last.end == run.start) {
                    Some(last) => last.end = end,
                    None => ranges.push(run.start..end),
                }
                (runs, classes) = (&runs[1..], &classes[1..]);
            } else if run.class < *class {
                runs = &runs[count_leading(runs, |run| run.class < *class)..];
            } else {
                classes = &classes[count_leading(classes, |class| *class < run.class)..];
            }
        }
        ranges
    }
}

/// A segment as one snapshot sees it.
#[derive(Clone, Debug)]
pub(crate) struct LiveSegment {
    pub(crate) segment: Arc<Segment>,
    /// One bit a row that is gone, or of a class that this view is not of; empty while all live.
    dead: Arc<[u64]>,
    /// Of a view of a shared segment: the rows of its classes, rising.
    ranges: Option<Arc<[Range<u32>]>>,
    pub(crate) live_rows: usize,
    pub(crate) live_length: u64,
}

impl LiveSegment {
    /// Indexes new rows of one class.
    pub(crate) fn build(
        rows: Vec<Row>,
        fresh: &Fresh,
        kind: AnalyzerKind,
        analyzer: &mut Analyzer,
        options: &EngineOptions,
    ) -> Result<Self, EngineError> {
        let form =
            |counts: &[Counts], analyzer: &Analyzer| Postings::build(counts, analyzer, options.inverted_rows_min);
        Self::index(rows, fresh, kind, analyzer, form)
    }

    /// Indexes new rows of several classes, class by class.
    pub(crate) fn build_shared(
        mut rows: Vec<Row>,
        fresh: &Fresh,
        kind: AnalyzerKind,
        analyzer: &mut Analyzer,
    ) -> Result<Self, EngineError> {
        rows.sort_by_key(|row| row.document.class);
        let form = |counts: &[Counts], analyzer: &Analyzer| Postings::Forward(Forward::build(counts, analyzer));
        Self::index(rows, fresh, kind, analyzer, form)
    }

    fn index(
        rows: Vec<Row>,
        fresh: &Fresh,
        kind: AnalyzerKind,
        analyzer: &mut Analyzer,
        form: impl Fn(&[Counts], &Analyzer) -> Postings,
    ) -> Result<Self, EngineError> {
        analyzer.trim();
        let mut titles = Titles::default();
        let counts =
            rows.iter().map(|row| count(row, fresh, kind, &mut titles, analyzer)).collect::<Result<Vec<_>, _>>()?;
        let lengths = counts.iter().map(|counts| counts.length).collect();
        let postings = form(&counts, analyzer);
        let vector = |row: &Row| fresh.get(&(row.chunk().id, row.chunk)).and_then(|chunk| chunk.vector.as_ref());
        let vectors = Quantized::build(rows.iter().map(vector));
        Ok(Self::whole(rows, kind, lengths, postings, vectors))
    }

    fn whole(
        rows: Vec<Row>,
        analyzer: AnalyzerKind,
        lengths: Vec<u32>,
        postings: Postings,
        vectors: Quantized,
    ) -> Self {
        let ids: Vec<ChunkId> = rows.iter().map(|row| row.chunk().id).collect();
        let mut places: Box<[u32]> = (0_u32..).take(ids.len()).collect();
        places.sort_unstable_by_key(|row| ids[*row as usize]);
        let live_rows = rows.len();
        let live_length = lengths.iter().map(|length| u64::from(*length)).sum();
        let runs = if postings.forward().is_some() { runs(&rows) } else { Box::default() };
        let segment = Arc::new(Segment { rows, analyzer, lengths, postings, vectors, ids, places, runs });
        Self { segment, dead: Arc::new([]), ranges: None, live_rows, live_length }
    }

    /// One segment of the live rows of several, which are of one class and so were cut alike.
    pub(crate) fn merge(parts: &[Self], options: &EngineOptions) -> Self {
        let analyzer = parts.first().map(|part| part.segment.analyzer).unwrap_or_default();
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
        Self::whole(rows, analyzer, lengths, Postings::merge(&postings, count, options.inverted_rows_min), vectors)
    }

    /// One shared segment of the live rows of several, class by class.
    pub(crate) fn merge_shared(parts: &[Self]) -> Self {
        let analyzer = parts.first().map(|part| part.segment.analyzer).unwrap_or_default();
        let places = parts.iter().enumerate().flat_map(|(part, live)| live.live().map(move |row| (part, row)));
        let mut order: Vec<(usize, usize)> = places.collect();
        // Stable: the rows of a document stay side by side.
        order.sort_by_key(|(part, row)| parts[*part].segment.rows[*row].document.class);
        let of = |(part, row): &(usize, usize)| (&parts[*part].segment, *row);
        let rows = order.iter().map(of).map(|(segment, row)| segment.rows[row].clone()).collect();
        let lengths = order.iter().map(of).map(|(segment, row)| segment.lengths[row]).collect();
        let vectors: Vec<_> = parts.iter().map(|part| &part.segment.vectors).collect();
        let vectors = Quantized::gather(&vectors, &order);
        let empty = Forward::default();
        let lists: Vec<_> = parts.iter().map(|part| part.segment.postings.forward().unwrap_or(&empty)).collect();
        let postings = Postings::Forward(Forward::gather(&lists, &order));
        Self::whole(rows, analyzer, lengths, postings, vectors)
    }

    /// What of a shared segment is of these classes, which rise; nothing if nothing live is.
    pub(crate) fn view(&self, classes: &[u32]) -> Option<Self> {
        let ranges = self.segment.ranges_of(classes);
        if ranges.is_empty() {
            return None;
        }
        let mut dead = vec![u64::MAX; self.segment.rows.len().div_ceil(64)];
        let (mut live_rows, mut live_length) = (0, 0);
        for row in ranges.iter().flat_map(|range| range.start as usize..range.end as usize) {
            if self.is_live(row) {
                dead[row / 64] &= !(1 << (row % 64));
                live_rows += 1;
                live_length += u64::from(self.segment.lengths[row]);
            }
        }
        let view = |ranges: Vec<Range<u32>>| Self {
            segment: self.segment.clone(),
            dead: dead.into(),
            ranges: Some(ranges.into()),
            live_rows,
            live_length,
        };
        (live_rows > 0).then(|| view(ranges))
    }

    /// Whether many classes share the segment, of which this may be a view.
    pub(crate) fn is_shared(&self) -> bool {
        self.segment.postings.forward().is_some()
    }

    /// The rows that are to be looked at, live or dead.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let all = self.ranges.is_none().then_some(0..self.segment.rows.len());
        let some = self.ranges.iter().flat_map(|ranges| ranges.iter());
        all.into_iter().chain(some.map(|range| range.start as usize..range.end as usize))
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

    /// The vector of a live chunk at this place in its document, if it has one.
    pub(crate) fn vector(&self, chunk: ChunkId, place: u32) -> Result<Option<Vector>, EngineError> {
        let mut rows = self.rows_of(&chunk).filter(|row| self.segment.rows[*row].chunk == place);
        rows.find_map(|row| self.segment.vector(row).transpose()).transpose()
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
        self.ranges().flatten().filter(|row| self.is_live(*row))
    }
}

/// Where each class begins among rows that lie class by class.
fn runs(rows: &[Row]) -> Box<[Run]> {
    let mut start = 0;
    let classes = rows.chunk_by(|left, right| left.document.class == right.document.class);
    let run = |rows: &[Row]| {
        let run = Run { class: rows[0].document.class, start };
        start += u32::try_from(rows.len()).expect("rows are counted in 32 bits");
        run
    };
    classes.map(run).collect()
}

/// How many items at the start fulfil a condition that none behind them does: found in steps that grow, because it is mostly few.
fn count_leading<T>(items: &[T], fulfils: impl Fn(&T) -> bool) -> usize {
    let mut step = 1;
    while step < items.len() && fulfils(&items[step]) {
        step *= 2;
    }
    let (from, to) = (step / 2, items.len().min(step + 1));
    let from = from.min(to);
    from + items[from..to].partition_point(fulfils)
}

/// The title of the last document that was read: its chunks lie side by side.
#[derive(Default)]
struct Titles(Option<(Arc<Blob>, Option<UntrustedText>)>);

impl Titles {
    fn of(&mut self, document: &DocumentEntry) -> Result<Option<&UntrustedText>, EngineError> {
        if !self.0.as_ref().is_some_and(|(info, _)| Arc::ptr_eq(info, &document.info)) {
            self.0 = Some((Arc::clone(&document.info), document.read_info()?.title));
        }
        Ok(self.0.as_ref().and_then(|(_, title)| title.as_ref()))
    }
}

/// The words of a row.
#[expect(clippy::disallowed_methods, reason = "the text is cut into terms for the index and nothing else")]
fn count(
    row: &Row,
    fresh: &Fresh,
    kind: AnalyzerKind,
    titles: &mut Titles,
    analyzer: &mut Analyzer,
) -> Result<Counts, EngineError> {
    let title = titles.of(&row.document)?.map_or("", UntrustedText::expose_untrusted);
    let read;
    let prepared = if let Some(chunk) = fresh.get(&(row.chunk().id, row.chunk)) {
        &chunk.prepared
    } else {
        read = row.document.read_chunk(row.chunk as usize)?;
        read.prepared()
    };
    let text = prepared.text().expose_untrusted();
    let parts = [(title, TITLE_WEIGHT), (prepared.heading(), HEADING_WEIGHT), (text, TEXT_WEIGHT)];
    Ok(analyzer.count(kind, parts))
}
