//! Rows of int8 with a bound on what they lose.

use crate::vector::Vector;

/// What f32 arithmetic may add to any cosine or bound here: with at most 4096 dimensions in 16 partial sums,
/// the relative rounding error is below (4096/16 + 16) · 2^-24 < 2e-5; five times that is kept.
pub(crate) const ROUNDING: f32 = 1e-4;

/// Codes of a row are filled up with zeros to a multiple of this, so that the scan reads whole registers.
pub(crate) const STRIDE: usize = 32;

/// A unit vector rounded to int8: `x = scale · codes + residual`.
pub(crate) struct Codes {
    /// Within ±127, filled up to a multiple of [`STRIDE`].
    pub(crate) codes: Vec<i8>,
    pub(crate) scale: f32,
    /// The length of the residual.
    pub(crate) residual: f32,
}

/// Rounds a vector to whole multiples of 1/127 of its largest value.
pub(crate) fn quantize(vector: &Vector) -> Codes {
    let mut codes = Vec::with_capacity(vector.dimensions().next_multiple_of(STRIDE));
    let (scale, residual) = quantize_into(vector, &mut codes);
    Codes { codes, scale, residual }
}

#[expect(clippy::cast_possible_truncation, reason = "rounded values lie within ±127; the norm is rounded to f32")]
fn quantize_into(vector: &Vector, codes: &mut Vec<i8>) -> (f32, f32) {
    let largest = vector.values().iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let scale = largest / 127.0;
    let mut squares = 0.0_f64;
    codes.extend(vector.values().iter().map(|value| {
        let rounded = (value / scale).round().clamp(-127.0, 127.0);
        squares += (f64::from(*value) - f64::from(rounded) * f64::from(scale)).powi(2);
        rounded as i8
    }));
    codes.resize(codes.len().next_multiple_of(STRIDE), 0);
    (scale, squares.sqrt() as f32)
}

/// The int8 rows of a segment, contiguous; rows without a vector are left out.
#[derive(Debug, Default)]
pub(crate) struct Quantized {
    pub(crate) dimensions: usize,
    /// The segment's row of each.
    pub(crate) rows: Vec<u32>,
    /// A multiple of [`STRIDE`] a row.
    pub(crate) codes: Vec<i8>,
    pub(crate) scales: Vec<f32>,
    pub(crate) residuals: Vec<f32>,
}

impl Quantized {
    /// Codes a row takes.
    pub(crate) const fn stride(&self) -> usize {
        self.dimensions.next_multiple_of(STRIDE)
    }

    /// All vectors have one length, as their collection says.
    pub(crate) fn build<'a>(vectors: impl ExactSizeIterator<Item = Option<&'a Vector>>) -> Self {
        let mut quantized = Self::default();
        let most = vectors.len();
        for (row, vector) in (0_u32..).zip(vectors) {
            let Some(vector) = vector else { continue };
            if quantized.dimensions == 0 {
                quantized.dimensions = vector.dimensions();
                quantized.codes.reserve_exact(most * quantized.stride());
            }
            let (scale, residual) = quantize_into(vector, &mut quantized.codes);
            quantized.rows.push(row);
            quantized.scales.push(scale);
            quantized.residuals.push(residual);
        }
        quantized.shrink();
        quantized
    }

    /// The rows of several segments, one after the other; `rows` gives each old row its new one, rising, or none.
    pub(crate) fn merge(parts: &[(&Self, &[Option<u32>])]) -> Self {
        let mut merged = Self::default();
        let count = parts.iter().map(|(part, _)| part.rows.len()).sum();
        merged.rows.reserve_exact(count);
        for (part, new) in parts {
            if part.dimensions > 0 && merged.dimensions == 0 {
                merged.dimensions = part.dimensions;
                merged.codes.reserve_exact(count * merged.stride());
            }
            let stride = part.stride();
            for (position, row) in part.rows.iter().enumerate() {
                let Some(row) = new[*row as usize] else { continue };
                merged.rows.push(row);
                merged.codes.extend_from_slice(&part.codes[position * stride..(position + 1) * stride]);
                merged.scales.push(part.scales[position]);
                merged.residuals.push(part.residuals[position]);
            }
        }
        merged.shrink();
        merged
    }

    fn shrink(&mut self) {
        self.rows.shrink_to_fit();
        self.codes.shrink_to_fit();
        self.scales.shrink_to_fit();
        self.residuals.shrink_to_fit();
    }
}
