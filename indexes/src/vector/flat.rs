//! The exact search by scan: int8 decides which rows are left open, f32 decides those.
//!
//! With unit vectors `q = q' + r_q` and `x = x' + r_x` (primes: what int8 keeps),
//! `q·x - q'·x' = q·r_x + r_q·x'`, and by Cauchy-Schwarz its size is at most `|r_x| + |r_q| · (1 + |r_x|)`.
//! So every row has a lower and an upper bound. A row whose upper bound is below the k-th largest lower bound
//! has k rows that are truly above it; all others are compared by their true cosine. The result equals that of comparing all.

use std::cmp::Ordering;

use crate::{
    id::ChunkId,
    segment::LiveSegment,
    vector::{
        Vector,
        quantize::{Codes, ROUNDING, quantize},
    },
};

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

/// The `count` rows nearest to the query, among the rows that pass of the segments with these indices.
pub(crate) fn search(
    segments: &[LiveSegment],
    indices: &[usize],
    query: &Vector,
    count: usize,
    passes: impl Fn(usize, usize) -> bool,
) -> Vec<Neighbour> {
    let mut bounds = Vec::new();
    let codes = quantize(query, i16::from);
    for index in indices {
        if segments[*index].segment.vectors.dimensions == query.dimensions() {
            scan(*index, &segments[*index], &codes, &passes, &mut bounds);
        }
    }
    let floor = kth_largest(bounds.iter().map(|bound| bound.lower).collect(), count);
    let mut neighbours: Vec<Neighbour> = Vec::new();
    for bound in bounds.iter().filter(|bound| bound.upper >= floor) {
        let chunk = &segments[bound.segment].segment.rows[bound.row].chunk;
        let vector = chunk.vector.as_ref().expect("only rows with a vector have codes");
        let score = vector.cosine(query);
        neighbours.push(Neighbour { segment: bound.segment, row: bound.row, score, id: chunk.id });
    }
    neighbours.sort_unstable_by(|left, right| rank((left.score, left.id), (right.score, right.id)));
    neighbours.truncate(count);
    neighbours
}

struct Bound {
    segment: usize,
    row: usize,
    lower: f32,
    upper: f32,
}

fn scan(
    index: usize,
    live: &LiveSegment,
    query: &Codes<i16>,
    passes: &impl Fn(usize, usize) -> bool,
    bounds: &mut Vec<Bound>,
) {
    let vectors = &live.segment.vectors;
    let products = dot_all(&vectors.codes, &query.codes);
    for (position, product) in products.into_iter().enumerate() {
        let row = usize::try_from(vectors.rows[position]).expect("32 bits fit");
        if !live.is_live(row) || !passes(index, row) {
            continue;
        }
        let residual = vectors.residuals[position];
        #[expect(clippy::cast_precision_loss, reason = "the rounding is within the margin kept")]
        let estimate = product as f32 * vectors.scales[position] * query.scale;
        let margin = residual + query.residual * (1.0 + residual) + ROUNDING;
        bounds.push(Bound { segment: index, row, lower: estimate - margin, upper: estimate + margin });
    }
}

/// The k-th largest of some numbers, or a number below all if there are fewer.
fn kth_largest(mut numbers: Vec<f32>, k: usize) -> f32 {
    if numbers.len() < k || k == 0 {
        return f32::NEG_INFINITY;
    }
    *numbers.select_nth_unstable_by(k - 1, |left, right| right.total_cmp(left)).1
}

/// The dot product of every row with the query. Whole numbers: any order of adding gives the same.
fn dot_all(codes: &[i8], query: &[i16]) -> Vec<i32> {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            let dot = |row: &[i8]| -> i32 {
                row.iter().zip(query).map(|(code, query)| i32::from(i16::from(*code)) * i32::from(*query)).sum()
            };
            codes.chunks_exact(query.len()).map(dot).collect()
        },
    )
}
