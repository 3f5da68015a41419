//! The rows of a segment: int8 with a bound on what they lose, and what they lose.

use std::ops::Range;

use crate::vector::{Vector, fixed};

/// What f32 arithmetic may add to any cosine or bound here: with at most 4096 dimensions in 16 partial sums,
/// the relative rounding error is below (4096/16 + 16) · 2^-24 < 2e-5; five times that is kept.
pub(crate) const ROUNDING: f32 = 1e-4;

/// Rows are filled up with zeros to a multiple of this, so that the scan reads whole registers.
const STRIDE: usize = 32;
/// The largest code of a row.
const ROW_CODE_MAX: i32 = 127;

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
        let finest = i16::try_from(i32::MAX / (ROW_CODE_MAX * dimensions)).unwrap_or(i16::MAX);
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

/// The rows of a segment, contiguous; rows without a vector are left out. The first byte of each value is here, the two others with its chunk.
///
/// `x = scale · codes + residual`, with what belongs to each row in lists of their own, so that a scan reads whole registers of them.
#[derive(Debug, Default)]
pub(crate) struct Quantized {
    pub(crate) dimensions: usize,
    /// [`Self::stride`] codes a row.
    pub(crate) codes: Vec<i8>,
    /// Powers of two: what each vector's first bytes count in.
    pub(crate) scales: Vec<f32>,
    /// The length of each residual.
    pub(crate) residuals: Vec<f32>,
    /// The segment's row of each, rising.
    pub(crate) rows: Vec<u32>,
}

/// A row with all its bytes.
#[derive(Clone, Copy)]
pub(crate) struct Exact<'a> {
    codes: &'a [i8],
    /// What the codes leave, in units of 2^-16 of their scale: 16 bits each.
    lows: &'a [[u8; 2]],
    step: f32,
}

impl Exact<'_> {
    /// Its values, as many as there is room for.
    #[inline(always)]
    pub(crate) fn read(&self, values: &mut [f32]) {
        for ((value, high), low) in values.iter_mut().zip(self.codes).zip(self.lows) {
            *value = fixed::value(fixed::join(*high, i16::from_le_bytes(*low)), self.step);
        }
    }

    /// The vector.
    pub(crate) fn vector(&self) -> Vector {
        let mut values = vec![0.0; self.lows.len()];
        self.read(&mut values);
        Vector::assert_fixed(values)
    }
}

/// The bytes of a vector that [`Quantized`] does not keep.
pub(crate) fn lows(vector: &Vector) -> Vec<u8> {
    let exponent = fixed::exponent(vector.values());
    let low = |value: &f32| fixed::split(fixed::code(*value, exponent)).1.to_le_bytes();
    vector.values().iter().flat_map(low).collect()
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
            if let Some(vector) = vector {
                quantized.push(row, vector);
            }
        }
        quantized
    }

    #[expect(clippy::cast_possible_truncation, reason = "the norm is rounded to f32")]
    fn push(&mut self, row: u32, vector: &Vector) {
        let exponent = fixed::exponent(vector.values());
        let mut squares = 0_u64;
        for value in vector.values() {
            let (high, low) = fixed::split(fixed::code(*value, exponent));
            self.codes.push(high);
            squares += u64::from(low.unsigned_abs()).pow(2);
        }
        self.codes.resize(self.codes.len().next_multiple_of(STRIDE), 0);
        #[expect(clippy::cast_precision_loss, reason = "at most 4096 squares of 15 bits")]
        let residual = ((squares as f64).sqrt() * f64::from(fixed::step(exponent))) as f32;
        self.scales.push(fixed::high_step(exponent));
        self.residuals.push(residual);
        self.rows.push(row);
    }

    /// The rows of several segments, one after the other; `rows` gives each old row its new one, rising, or none.
    pub(crate) fn merge(parts: &[(&Self, &[Option<u32>])]) -> Self {
        let live = |(part, new): &(&Self, &[Option<u32>])| {
            part.rows.iter().filter(|row| new[**row as usize].is_some()).count()
        };
        let dimensions = parts.iter().map(|(part, _)| part.dimensions).max().unwrap_or_default();
        let mut merged = Self::sized(parts.iter().map(live).sum(), dimensions);
        for (part, new) in parts {
            for (position, old) in part.rows.iter().enumerate() {
                if let Some(row) = new[*old as usize] {
                    merged.copy(part, position, row);
                }
            }
        }
        merged
    }

    /// These rows of several, in this order: each a part and a row of it. All that have a vector have one of this length.
    pub(crate) fn gather(parts: &[&Self], order: &[(usize, usize)]) -> Self {
        let dimensions = parts.iter().map(|part| part.dimensions).max().unwrap_or_default();
        let mut gathered = Self::sized(order.len(), dimensions);
        for (row, (part, old)) in (0_u32..).zip(order) {
            let part = parts[*part];
            if let Some(position) = part.position(*old) {
                gathered.copy(part, position, row);
            }
        }
        gathered
    }

    /// Appends the vector at a position of another as that of a row.
    fn copy(&mut self, other: &Self, position: usize, row: u32) {
        self.codes.extend_from_slice(other.codes_at(position));
        self.scales.push(other.scales[position]);
        self.residuals.push(other.residuals[position]);
        self.rows.push(row);
    }

    /// Where the vectors of consecutive rows lie, as far as they have one.
    pub(crate) fn positions(&self, rows: Range<usize>) -> Range<usize> {
        let last = self.rows.last().map_or(0, |last| *last as usize + 1);
        if last == self.rows.len() {
            // Every row up to the last of them has one.
            return rows.start.min(last)..rows.end.min(last);
        }
        let position = |row: usize| self.rows.partition_point(|other| (*other as usize) < row);
        position(rows.start)..position(rows.end)
    }

    /// Where a row's vector lies, if it has one.
    pub(crate) fn position(&self, row: usize) -> Option<usize> {
        // Mostly every row has one, and then its position is the row.
        let is_at = |position: usize| self.rows.get(position).is_some_and(|other| *other as usize == row);
        let found = || self.rows.binary_search_by_key(&row, |other| *other as usize).ok();
        if is_at(row) { Some(row) } else { found() }
    }

    fn codes_at(&self, position: usize) -> &[i8] {
        let stride = self.stride();
        &self.codes[position * stride..][..stride]
    }

    /// The row at a position, with the bytes that are kept elsewhere.
    pub(crate) fn exact<'a>(&'a self, position: usize, lows: &'a [u8]) -> Exact<'a> {
        let step = self.scales[position] * 2.0_f32.powi(-16);
        Exact { codes: self.codes_at(position), lows: lows.as_chunks().0, step }
    }

    /// Empty, with room for just this many rows.
    fn sized(rows: usize, dimensions: usize) -> Self {
        Self {
            dimensions,
            codes: Vec::with_capacity(rows * dimensions.next_multiple_of(STRIDE)),
            scales: Vec::with_capacity(rows),
            residuals: Vec::with_capacity(rows),
            rows: Vec::with_capacity(rows),
        }
    }
}
