//! Vectors as whole numbers: each value is a multiple of one power of two, and the number has 24 bits.
//!
//! A vector is rounded so when it is made, to 2^-23 of about its largest value: less than what f32 rounds off in one product of two vectors.
//! From then on nothing is lost: three bytes a value say all of it, the first byte alone is what a scan reads,
//! and a value is the same f32 wherever it is made from them. So memory and the store hold a quarter less, and no answer differs between them.

/// Bits of a number, without its sign.
const BITS: i32 = 23;
/// Bits that lie below the first byte.
const LOW_BITS: i32 = 16;
/// The largest first byte.
const HIGH_MAX: f32 = 127.0;

/// The power of two that a vector's first bytes count in is `2^(exponent - 7)`: the smallest in which they stay within ±127.
///
/// The bound is a whole multiple of every step, so rounding to steps never leads to another exponent that loses something.
pub(crate) fn exponent(values: &[f32]) -> i8 {
    let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    // Of a unit vector with at most 4096 values the largest is between 2^-6 and 1.
    let mut exponent = i8::MIN;
    for candidate in -24..=1 {
        exponent = candidate;
        if largest <= HIGH_MAX * high_step(candidate) {
            break;
        }
    }
    exponent
}

/// What one first byte counts.
pub(crate) fn high_step(exponent: i8) -> f32 {
    2.0_f32.powi(i32::from(exponent) - BITS + LOW_BITS)
}

/// What one whole number counts.
pub(crate) fn step(exponent: i8) -> f32 {
    2.0_f32.powi(i32::from(exponent) - BITS)
}

/// The number of a value. Exact for a value that was rounded.
#[expect(clippy::cast_possible_truncation, reason = "within 24 bits, as the exponent says")]
pub(crate) fn code(value: f32, exponent: i8) -> i32 {
    (value / step(exponent)).round_ties_even() as i32
}

/// The value of a number: both factors and the product are exact.
#[expect(clippy::cast_precision_loss, reason = "24 bits are what f32 holds")]
#[inline(always)]
pub(crate) fn value(code: i32, step: f32) -> f32 {
    code as f32 * step
}

/// The first byte of a number, to the nearest, and what is left.
#[expect(clippy::cast_possible_truncation, reason = "split into a byte and 16 bits")]
pub(crate) const fn split(code: i32) -> (i8, i16) {
    let high = (code + (1 << (LOW_BITS - 1))) >> LOW_BITS;
    (high as i8, (code - (high << LOW_BITS)) as i16)
}

/// The number that [`split`] was given.
#[inline(always)]
pub(crate) fn join(high: i8, low: i16) -> i32 {
    (i32::from(high) << LOW_BITS) + i32::from(low)
}

/// Rounds values to whole numbers of steps.
pub(crate) fn round(values: impl Iterator<Item = f32>) -> std::sync::Arc<[f32]> {
    let values: Vec<f32> = values.collect();
    let exponent = exponent(&values);
    let step = step(exponent);
    values.into_iter().map(|rough| value(code(rough, exponent), step)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;

    proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 256, failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_was_rounded_stays(values in prop::collection::vec(-1.0_f32..=1.0, 1..40), largest in 0.015_f32..=1.0) {
            let mut values = values;
            values.push(largest);
            let exponent_before = exponent(&values);
            let rounded = round(values.iter().copied());
            assert_eq!(round(rounded.iter().copied()), rounded);
            let (exponent, step) = (exponent(&rounded), step(exponent(&rounded)));
            assert!(exponent <= exponent_before);
            for (value, rough) in rounded.iter().zip(&values) {
                let (high, low) = split(code(*value, exponent));
                assert!(high.unsigned_abs() <= 127);
                assert_eq!(self::value(join(high, low), step).to_bits(), (*value + 0.0).to_bits());
                assert!((value - rough).abs() <= super::step(exponent_before) / 2.0);
            }
        }
    }

    #[test]
    fn the_largest_first_byte_is_127() {
        for largest in [1.0_f32, 0.996, 0.992_187_5, 0.992_187_6, 0.5, 0.496, 0.015_625] {
            let exponent = exponent(&[largest, -largest]);
            for value in [largest, -largest] {
                let (high, low) = split(code(value, exponent));
                assert_eq!(join(high, low), code(value, exponent), "{value}");
                assert_ne!(high, i8::MIN);
            }
            assert!(largest > HIGH_MAX * high_step(exponent - 1), "{largest}");
        }
    }
}
