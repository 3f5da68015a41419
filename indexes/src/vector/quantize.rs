//! Rows of int8 with a bound on what they lose.

use crate::vector::Vector;

/// What f32 arithmetic may add to any cosine or bound here: with at most 4096 dimensions in 16 partial sums,
/// the relative rounding error is below (4096/16 + 16) · 2^-24 < 2e-5; five times that is kept.
pub(crate) const ROUNDING: f32 = 1e-4;

/// A unit vector rounded to int8: `x = scale · codes + residual`.
pub(crate) struct Codes<T> {
    pub(crate) codes: Vec<T>,
    pub(crate) scale: f32,
    /// The length of the residual.
    pub(crate) residual: f32,
}

/// Rounds a vector to whole multiples of 1/127 of its largest value.
#[expect(clippy::cast_possible_truncation, reason = "rounded values lie within ±127; the norm is rounded to f32")]
pub(crate) fn quantize<T>(vector: &Vector, code: impl Fn(i8) -> T) -> Codes<T> {
    let largest = vector.values().iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let scale = largest / 127.0;
    let mut squares = 0.0_f64;
    let round = |value: &f32| {
        let rounded = (value / scale).round().clamp(-127.0, 127.0);
        squares += (f64::from(*value) - f64::from(rounded) * f64::from(scale)).powi(2);
        code(rounded as i8)
    };
    let codes = vector.values().iter().map(round).collect();
    Codes { codes, scale, residual: squares.sqrt() as f32 }
}

/// The int8 rows of a segment, contiguous; rows without a vector are left out.
#[derive(Debug, Default)]
pub(crate) struct Quantized {
    pub(crate) dimensions: usize,
    /// The segment's row of each.
    pub(crate) rows: Vec<u32>,
    pub(crate) codes: Vec<i8>,
    pub(crate) scales: Vec<f32>,
    pub(crate) residuals: Vec<f32>,
}

impl Quantized {
    /// All vectors have one length, as their collection says.
    pub(crate) fn build<'a>(vectors: impl Iterator<Item = Option<&'a Vector>>) -> Self {
        let mut quantized = Self::default();
        for (row, vector) in (0_u32..).zip(vectors) {
            let Some(vector) = vector else { continue };
            let codes = quantize(vector, |code| code);
            quantized.dimensions = vector.dimensions();
            quantized.rows.push(row);
            quantized.codes.extend_from_slice(&codes.codes);
            quantized.scales.push(codes.scale);
            quantized.residuals.push(codes.residual);
        }
        quantized
    }
}
