//! The exact search by scan: int8 decides which rows are left open, their exact values decide those.
//!
//! With unit vectors `q = q' + r_q` and `x = x' + r_x` (primes: what int8 keeps),
//! `q·x - q'·x' = q·r_x + r_q·x'`, and by Cauchy-Schwarz its size is at most `|r_x| + |r_q| · (1 + |r_x|)`.
//! So every row has a lower and an upper bound. A row whose upper bound is below the k-th largest lower bound
//! has k rows that are truly above it; all others are compared by their true cosine. The result equals that of comparing all.

use std::cmp::Ordering;

use crate::{
    error::EngineError,
    id::ChunkId,
    segment::LiveSegment,
    vector::{
        Vector,
        kernel::{Estimates, GROUP, Kernel},
        quantize::QueryCodes,
    },
};

/// Rows whose products are made before their bounds are looked at: they stay in the nearest cache.
const BLOCK_ROWS: usize = 256;

/// Rows whose upper bounds are compared at once.
const GROUP_ROWS: usize = 16;

/// Segments that are touched before they are scanned.
const BATCH_SEGMENTS: usize = 64;
/// Bytes that a processor brings at once.
const LINE: usize = 64;

/// Looks at the first rows of some segments. Small ones lie scattered over the memory: so their ways to the processor overlap, instead of each waiting for the one before it.
fn touch(segments: &[&LiveSegment]) {
    let alone = segments.iter().filter(|live| !live.is_shared());
    let line = |live: &&LiveSegment| {
        let vectors = &live.segment.vectors;
        let codes = vectors.codes.iter().step_by(2 * LINE).take(4).fold(0, |sum: i8, code| sum ^ code);
        u32::from(codes.unsigned_abs()) ^ vectors.rows.first().copied().unwrap_or_default()
    };
    std::hint::black_box(alone.map(line).fold(0, |sum, line| sum ^ line));
}

/// A row and its cosine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Neighbour {
    pub(crate) segment: usize,
    pub(crate) row: usize,
    pub(crate) score: f32,
    pub(crate) id: ChunkId,
}

/// Best score first; equal scores by chunk id.
pub(crate) fn rank(left: (f32, ChunkId), right: (f32, ChunkId)) -> Ordering {
    right.0.total_cmp(&left.0).then_with(|| left.1.cmp(&right.1))
}

/// The `count` rows nearest to the query, in no order, among the rows that pass of the segments that `takes_part` names.
pub(crate) fn search(
    segments: &[&LiveSegment],
    takes_part: impl Fn(usize) -> bool,
    query: &Vector,
    count: usize,
    passes: impl Fn(usize, usize) -> bool,
) -> Result<Vec<Neighbour>, EngineError> {
    let scan = Scan { kernel: Kernel::detect(), query: QueryCodes::new(query) };
    let mut open = Open::new(count);
    let mut room = Room { products: Vec::with_capacity(BLOCK_ROWS), uppers: Vec::with_capacity(BLOCK_ROWS) };
    for (start, batch) in (0..).step_by(BATCH_SEGMENTS).zip(segments.chunks(BATCH_SEGMENTS)) {
        touch(batch);
        for (index, live) in (start..).zip(batch) {
            if live.segment.vectors.dimensions == query.dimensions() && takes_part(index) {
                scan.segment(index, live, &passes, &mut room, &mut open);
            }
        }
    }
    let open: Vec<(usize, usize)> = open.finish().collect();
    let mut neighbours = neighbours(segments, &open, query)?;
    best(&mut neighbours, count, |neighbour| (neighbour.score, neighbour.id));
    Ok(neighbours)
}

/// These rows, which have vectors, with their cosines.
pub(crate) fn neighbours(
    segments: &[&LiveSegment],
    rows: &[(usize, usize)],
    query: &Vector,
) -> Result<Vec<Neighbour>, EngineError> {
    let scored = rows.iter().zip(compare(segments, rows, query)?);
    let neighbour = |((segment, row), score): (&(usize, usize), f32)| {
        let id = segments[*segment].segment.ids[*row];
        Neighbour { segment: *segment, row: *row, score, id }
    };
    Ok(scored.map(neighbour).collect())
}

/// The exact cosine of each of these rows, which have vectors, to the query, which has as many dimensions.
pub(crate) fn compare(
    segments: &[&LiveSegment],
    rows: &[(usize, usize)],
    query: &Vector,
) -> Result<Vec<f32>, EngineError> {
    let kernel = Kernel::detect();
    let mut scores = Vec::with_capacity(rows.len());
    let (mut rooms, mut values): ([Vec<u8>; GROUP], Vec<f32>) = Default::default();
    for group in rows.chunks(GROUP) {
        let mut exact = Vec::with_capacity(GROUP);
        for ((segment, row), room) in group.iter().zip(&mut rooms) {
            let segment = &segments[*segment].segment;
            let position = segment.vectors.position(*row).expect("only rows with a vector are among the nearest");
            let lows = segment.rows[*row].chunk().lows.as_ref().expect("a row with a vector has all of it");
            exact.push(segment.vectors.exact(position, lows.read(room)?));
        }
        kernel.dot_exact(&exact, query.values(), &mut values, &mut scores);
    }
    Ok(scores)
}

/// Keeps the best `count`, in no order.
pub(crate) fn best<T>(items: &mut Vec<T>, count: usize, key: impl Fn(&T) -> (f32, ChunkId)) {
    if count < items.len() {
        items.select_nth_unstable_by(count, |left, right| rank(key(left), key(right)));
        items.truncate(count);
    }
}

struct Scan {
    kernel: Kernel,
    query: QueryCodes,
}

impl Scan {
    fn segment(
        &self,
        index: usize,
        live: &LiveSegment,
        passes: &impl Fn(usize, usize) -> bool,
        Room { products, uppers }: &mut Room,
        open: &mut Open,
    ) {
        let vectors = &live.segment.vectors;
        let (stride, positions) = (vectors.stride(), live.ranges().map(|rows| vectors.positions(rows)));
        let blocks = positions.flat_map(|range| {
            let end = range.end;
            range.step_by(BLOCK_ROWS).map(move |start| start..end.min(start + BLOCK_ROWS))
        });
        for block in blocks {
            self.kernel.dot(&vectors.codes[block.start * stride..block.end * stride], &self.query.codes, products);
            let (scales, residuals) = (&vectors.scales[block.clone()], &vectors.residuals[block.clone()]);
            let (scale, residual) = (self.query.scale, self.query.residual);
            self.kernel.uppers(Estimates { products, scales, residuals, scale, residual }, uppers);
            for (start, uppers) in (0..).step_by(GROUP_ROWS).zip(uppers.chunks(GROUP_ROWS)) {
                // Most groups have none, which whole registers tell.
                if !uppers.iter().fold(false, |any, upper| any | (*upper >= open.floor)) {
                    continue;
                }
                for (place, upper) in (start..).zip(uppers) {
                    let row = vectors.rows[block.start + place] as usize;
                    if *upper >= open.floor && live.is_live(row) && passes(index, row) {
                        let estimates = Estimates { products, scales, residuals, scale, residual };
                        open.push(index, row, estimates.lower(place), *upper);
                    }
                }
            }
        }
    }
}

/// Room for a block.
struct Room {
    products: Vec<i32>,
    uppers: Vec<f32>,
}

/// The rows that may be among the best `count`, as far as the scan has come.
struct Open {
    count: usize,
    /// Below this no upper bound can belong to the best.
    floor: f32,
    /// The best lower bounds, up to twice `count` of them.
    lowers: Vec<f32>,
    /// Each with its upper bound and its segment.
    rows: Vec<(f32, usize, usize)>,
}

impl Open {
    fn new(count: usize) -> Self {
        Self { count: count.max(1), floor: f32::NEG_INFINITY, lowers: Vec::new(), rows: Vec::new() }
    }

    fn push(&mut self, segment: usize, row: usize, lower: f32, upper: f32) {
        self.rows.push((upper, segment, row));
        if lower > self.floor {
            self.lowers.push(lower);
            if self.lowers.len() >= self.count.saturating_mul(2) {
                self.raise();
            }
        }
    }

    fn raise(&mut self) {
        let last = self.count - 1;
        let (_, floor, _) = self.lowers.select_nth_unstable_by(last, |left, right| right.total_cmp(left));
        self.floor = *floor;
        self.lowers.truncate(self.count);
    }

    fn finish(mut self) -> impl Iterator<Item = (usize, usize)> {
        if self.lowers.len() >= self.count {
            self.raise();
        }
        let floor = self.floor;
        self.rows.into_iter().filter(move |(upper, ..)| *upper >= floor).map(|(_, segment, row)| (segment, row))
    }
}
