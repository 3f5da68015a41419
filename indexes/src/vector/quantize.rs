//! Rows of int8 with a bound on what they lose.

use crate::vector::Vector;

/// What f32 arithmetic may add to any cosine or bound here: with at most 4096 dimensions in 16 partial sums,
/// the relative rounding error is below (4096/16 + 16) · 2^-24 < 2e-5; five times that is kept.
pub(crate) const ROUNDING: f32 = 1e-4;

/// Rows are filled up with zeros to a multiple of this, so that the scan reads whole registers.
const STRIDE: usize = 32;
/// The largest code of a row.
const ROW_CODE_MAX: i16 = 127;

/// A query rounded to whole numbers: `q = scale · codes + residual`.
pub(crate) struct QueryCodes {
    pub(crate) codes: Vec<i16>,
    pub(crate) scale: f32,
    /// The length of the residual.
    pub(crate) residual: f32,
}

impl QueryCodes {
    /// As fine as 16 bits allow without a sum of products that overflows 31 bits.
    pub(crate) fn new(query: &Vector) -> Self {
        let dimensions = i32::try_from(query.dimensions()).expect("at most 4096");
        let finest = i16::try_from(i32::MAX / (i32::from(ROW_CODE_MAX) * dimensions)).unwrap_or(i16::MAX);
        let mut codes = Vec::with_capacity(query.dimensions().next_multiple_of(STRIDE));
        let (scale, residual) = quantize(query, finest, |code| codes.push(code));
        codes.resize(codes.len().next_multiple_of(STRIDE), 0);
        Self { codes, scale, residual }
    }
}

/// Rounds a vector to whole multiples of a fraction of its largest value; gives the scale and the length of what is lost.
#[expect(clippy::cast_possible_truncation, reason = "rounded values lie within the bound; the norm is rounded to f32")]
fn quantize(vector: &Vector, largest_code: i16, mut each: impl FnMut(i16)) -> (f32, f32) {
    let largest = vector.values().iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let bound = f32::from(largest_code);
    let scale = largest / bound;
    let mut squares = 0.0_f64;
    for value in vector.values() {
        let rounded = (value / scale).round().clamp(-bound, bound);
        squares += (f64::from(*value) - f64::from(rounded) * f64::from(scale)).powi(2);
        each(rounded as i16);
    }
    (scale, squares.sqrt() as f32)
}

/// What belongs to a row of codes: `x = scale · codes + residual`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounded {
    pub(crate) scale: f32,
    /// The length of the residual.
    pub(crate) residual: f32,
    /// The segment's row.
    pub(crate) row: u32,
}

/// The int8 rows of a segment, contiguous; rows without a vector are left out.
#[derive(Debug, Default)]
pub(crate) struct Quantized {
    pub(crate) dimensions: usize,
    /// [`Self::stride`] codes a row.
    pub(crate) codes: Vec<i8>,
    pub(crate) rounded: Vec<Rounded>,
    /// What was rounded.
    pub(crate) exact: Vec<Vector>,
}

impl Quantized {
    /// Codes a row takes.
    pub(crate) const fn stride(&self) -> usize {
        self.dimensions.next_multiple_of(STRIDE)
    }

    /// All vectors have one length, as their collection says.
    pub(crate) fn build<'a>(vectors: impl Iterator<Item = Option<&'a Vector>> + Clone) -> Self {
        let mut quantized = Self::sized(
            vectors.clone().flatten().count(),
            vectors.clone().flatten().next().map_or(0, Vector::dimensions),
        );
        for (row, vector) in (0_u32..).zip(vectors) {
            let Some(vector) = vector else { continue };
            let codes = &mut quantized.codes;
            let push = |code| codes.push(i8::try_from(code).expect("row codes lie within ±127"));
            let (scale, residual) = quantize(vector, ROW_CODE_MAX, push);
            codes.resize(codes.len().next_multiple_of(STRIDE), 0);
            quantized.rounded.push(Rounded { scale, residual, row });
            quantized.exact.push(vector.clone());
        }
        quantized
    }

    /// The rows of several segments, one after the other; `rows` gives each old row its new one, rising, or none.
    pub(crate) fn merge(parts: &[(&Self, &[Option<u32>])]) -> Self {
        let live = |(part, new): &(&Self, &[Option<u32>])| {
            part.rounded.iter().filter(|rounded| new[rounded.row as usize].is_some()).count()
        };
        let dimensions = parts.iter().map(|(part, _)| part.dimensions).max().unwrap_or_default();
        let mut merged = Self::sized(parts.iter().map(live).sum(), dimensions);
        for (part, new) in parts {
            let rows = part.rounded.iter().zip(part.codes.chunks_exact(part.stride().max(1))).zip(&part.exact);
            for ((rounded, codes), exact) in rows {
                let Some(row) = new[rounded.row as usize] else { continue };
                merged.codes.extend_from_slice(codes);
                merged.rounded.push(Rounded { row, ..*rounded });
                merged.exact.push(exact.clone());
            }
        }
        merged
    }

    /// The vector of a row, if it has one.
    pub(crate) fn of_row(&self, row: usize) -> Option<&Vector> {
        // Mostly every row has one, and then its position is the row.
        let is_at = |position: usize| self.rounded.get(position).is_some_and(|rounded| rounded.row as usize == row);
        let found = || self.rounded.binary_search_by_key(&row, |rounded| rounded.row as usize).ok();
        let position = if is_at(row) { Some(row) } else { found() };
        position.map(|position| &self.exact[position])
    }

    /// Empty, with room for just this many rows.
    fn sized(rows: usize, dimensions: usize) -> Self {
        let codes = Vec::with_capacity(rows * dimensions.next_multiple_of(STRIDE));
        Self { dimensions, codes, rounded: Vec::with_capacity(rows), exact: Vec::with_capacity(rows) }
    }
}
