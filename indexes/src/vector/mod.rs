//! Vectors of unit length and the exact search among them.
//!
//! [`quantize`] makes the int8 rows that a scan reads, [`kernel`] multiplies them, [`flat`] is the scan itself.
//! [`hnsw`] is a graph for very large classes, which an engine uses only if it was told that it may approximate.

pub(crate) mod flat;
pub(crate) mod hnsw;
mod kernel;
pub(crate) mod quantize;

use std::{fmt, sync::Arc};

use crate::error::EngineError;

/// The most dimensions a vector may have.
pub const DIMENSIONS_MAX: usize = 4096;

/// A finite vector of unit length.
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
        Ok(Self(values.iter().map(|value| (f64::from(*value) / norm) as f32).collect()))
    }

    /// A vector that was made by [`Vector::new`] earlier, bit for bit: scaling it once more could change its last bits, and with them the order of results after a restart.
    ///
    /// # Errors
    /// [`EngineError::VectorLength`] and [`EngineError::VectorWithoutDirection`] where it cannot have been made so.
    pub fn restore(values: Vec<f32>) -> Result<Self, EngineError> {
        if values.is_empty() || values.len() > DIMENSIONS_MAX {
            return Err(EngineError::VectorLength { found: values.len(), max: DIMENSIONS_MAX });
        }
        let norm = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
        if (norm - 1.0).abs() < 1e-4 { Ok(Self(values.into())) } else { Err(EngineError::VectorWithoutDirection) }
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
        assert_eq!(vector.as_ref().map(Vector::values), expected);
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
    fn takes_only_what_has_a_direction() {
        check(&[3.0, 4.0], Some(&[0.6, 0.8]));
        check(&[f32::MAX, 0.0], Some(&[1.0, 0.0]));
        check(&[f32::MIN_POSITIVE / 4.0, 0.0], Some(&[1.0, 0.0]));
        for refused in [&[][..], &[0.0, -0.0], &[f32::NAN, 1.0], &[f32::INFINITY], &[1.0; DIMENSIONS_MAX + 1]] {
            check(refused, None);
        }
    }
}
