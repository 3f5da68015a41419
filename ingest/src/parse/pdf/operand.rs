//! Operands of operators, and objects that hold numbers.

use lopdf::{Document, Object};

use super::{
    font::number,
    geometry::{Matrix, Rectangle},
};

/// An operand.
pub(super) enum Operand {
    Number(f64),
    Name(Vec<u8>),
    String(Vec<u8>),
    Array(Vec<Operand>),
}

impl Operand {
    pub(super) const fn number(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            _ => None,
        }
    }
}

/// The number at a place; what is not there is 0.
pub(super) fn number_at(operands: &[Operand], index: usize) -> f64 {
    operands.get(index).and_then(Operand::number).unwrap_or(0.0)
}

/// A text mode.
pub(super) fn mode(value: f64) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
    let mode = value as u8;
    mode
}

/// A matrix of six operands.
pub(super) fn matrix(operands: &[Operand]) -> Option<Matrix> {
    let parts: Vec<f64> = operands.iter().filter_map(Operand::number).collect();
    parts.try_into().ok().map(Matrix)
}

fn numbers_of<const COUNT: usize>(document: &Document, object: &Object) -> Option<[f64; COUNT]> {
    let array = object.as_array().ok()?;
    let parts: Vec<f64> =
        array.iter().take(COUNT).filter_map(|part| number(document.dereference(part).ok()?.1)).collect();
    parts.try_into().ok()
}

/// A matrix object.
pub(super) fn matrix_of(document: &Document, object: &Object) -> Option<Matrix> {
    numbers_of(document, object).map(Matrix)
}

/// A rectangle object.
pub(super) fn rectangle_of(document: &Document, object: &Object) -> Option<Rectangle> {
    let [left, bottom, right, top] = numbers_of(document, object)?;
    Some(Rectangle::from_corners((left, bottom), (right, top)))
}
