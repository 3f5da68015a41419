//! Vectors of unit length and the exact search among them.
//!
//! [`fixed`] is their form: whole numbers of 24 bits with a power of two a vector, three bytes a value in memory and in the store.
//! [`quantize`] holds the rows of a segment, the first byte of each value apart, which is what a scan reads;
//! [`kernel`] multiplies them, [`flat`] is the scan itself.
//! [`hnsw`] is a graph for very large classes, which an engine uses only if it was told that it may approximate.

pub(crate) mod fixed;
pub(crate) mod flat;
pub(crate) mod hnsw;
mod kernel;
pub(crate) mod quantize;

use std::{fmt, sync::Arc};

use crate::error::EngineError;

/// The most dimensions a vector may have.
pub const DIMENSIONS_MAX: usize = 4096;

/// A finite vector of unit length, whose values are whole multiples of a 24-bit fraction of the largest: see [`fixed`].
#[derive(Clone, PartialEq)]
pub struct Vector(Arc<[f32]>);

impl Vector {
    /// Checks a vector and scales it to unit length.
    ///
    /// # Errors
    /// [`EngineError::VectorLength`] unless it has 1 to [`DIMENSIONS_MAX`] dimensions,
    /// [`EngineError::VectorWithoutDirection`] if it is zero or not finite.
    #[expect(clippy::needless_pass_by_value, reason = "a parsed vector replaces what it was parsed from")]
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
    pub fn new(values: Vec<f32>) -> Result<Self, EngineError> {
        if values.is_empty() || values.len() > DIMENSIONS_MAX {
            return Err(EngineError::VectorLength { found: values.len(), max: DIMENSIONS_MAX });
        }
        // In f64, where neither the square of the largest f32 overflows nor that of the smallest vanishes.
        let norm = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if !norm.is_finite() || norm == 0.0 {
            return Err(EngineError::VectorWithoutDirection);
        }
        Ok(Self(fixed::round(values.iter().map(|value| (f64::from(*value) / norm) as f32))))
    }

    /// A vector that was made by [`Vector::new`] earlier, bit for bit: scaling it once more could change its last bits, and with them the order of results after a restart.
    /// One that an earlier release made, with all bits of f32, becomes what this one makes of the same values.
    ///
    /// # Errors
    /// [`EngineError::VectorLength`] and [`EngineError::VectorWithoutDirection`] where it cannot have been made so.
    pub fn restore(values: Vec<f32>) -> Result<Self, EngineError> {
        if values.is_empty() || values.len() > DIMENSIONS_MAX {
            return Err(EngineError::VectorLength { found: values.len(), max: DIMENSIONS_MAX });
        }
        let norm = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
        if (norm - 1.0).abs() >= 1e-4 || norm.is_nan() {
            return Err(EngineError::VectorWithoutDirection);
        }
        Ok(Self(fixed::round(values.into_iter())))
    }

    /// The exponent and three bytes for each value: what [`Vector::from_fixed`] takes.
    #[must_use]
    pub fn to_fixed(&self) -> (i8, Vec<u8>) {
        let exponent = fixed::exponent(&self.0);
        let codes = self.0.iter().map(|value| fixed::code(*value, exponent).to_le_bytes());
        (exponent, codes.flat_map(|[low, middle, high, _sign]| [low, middle, high]).collect())
    }

    /// The vector that [`Vector::to_fixed`] was given, bit for bit.
    ///
    /// # Errors
    /// [`EngineError::VectorLength`] and [`EngineError::VectorWithoutDirection`] where it cannot have been made so.
    pub fn from_fixed(exponent: i8, bytes: &[u8]) -> Result<Self, EngineError> {
        let (codes, rest) = bytes.as_chunks::<3>();
        let step = fixed::step(exponent);
        let value =
            |[low, middle, high]: &[u8; 3]| fixed::value(i32::from_le_bytes([0, *low, *middle, *high]) >> 8, step);
        if !rest.is_empty() {
            return Err(EngineError::VectorLength { found: codes.len(), max: DIMENSIONS_MAX });
        }
        Self::restore(codes.iter().map(value).collect())
    }

    /// Values that were rounded when the vector was made.
    pub(crate) fn assert_fixed(values: Vec<f32>) -> Self {
        Self(values.into())
    }

    /// The values.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// How many dimensions it has.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Vector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Vector({} dimensions)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f32], expected: Option<&[f32]>) {
        let vector = Vector::new(values.to_vec()).ok();
        let found = vector.as_ref().map(Vector::values);
        assert_eq!(found.map(<[f32]>::len), expected.map(<[f32]>::len));
        // Half of what a whole number counts is the most that rounding takes.
        let near = |(found, expected): (&f32, &f32)| (found - expected).abs() <= 2.0_f32.powi(-24);
        assert!(found.into_iter().flatten().zip(expected.into_iter().flatten()).all(near), "{found:?} {expected:?}");
    }

    #[test]
    fn gives_back_a_vector_bit_for_bit() {
        let vector = Vector::new((1..=97_u16).map(|value| f32::from(value).sqrt()).collect()).unwrap();
        assert_eq!(Vector::restore(vector.values().to_vec()).unwrap(), vector);
        for refused in [&[][..], &[0.0], &[2.0, 0.0], &[f32::NAN], &[f32::INFINITY, 0.0]] {
            assert!(Vector::restore(refused.to_vec()).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn three_bytes_a_value_keep_a_vector() {
        for scale in [1.0_f32, 1e-3, 300.0] {
            let values = (0..200_u16).map(|value| (f32::from(value) * 0.37).sin() * scale + 1e-6);
            let vector = Vector::new(values.collect()).unwrap();
            let (exponent, bytes) = vector.to_fixed();
            assert_eq!(bytes.len(), 600);
            assert_eq!(Vector::from_fixed(exponent, &bytes).unwrap(), vector);
            assert!(Vector::from_fixed(exponent, &bytes[1..]).is_err());
            assert!(Vector::from_fixed(exponent + 1, &bytes).is_err());
        }
    }

    #[test]
    fn takes_only_what_has_a_direction() {
        check(&[3.0, 4.0], Some(&[0.6, 0.8]));
        check(&[f32::MAX, 0.0], Some(&[1.0, 0.0]));
        check(&[f32::MIN_POSITIVE / 4.0, 0.0], Some(&[1.0, 0.0]));
        for refused in [&[][..], &[0.0, -0.0], &[f32::NAN, 1.0], &[f32::INFINITY], &[1.0; DIMENSIONS_MAX + 1]] {
            check(refused, None);
        }
    }
}
