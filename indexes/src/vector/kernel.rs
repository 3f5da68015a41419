//! The two loops that a search spends its time in: int8 rows by a query, and exact rows by a query.
//!
//! Whole numbers give the same in any order. Of f32, sixteen partial sums are kept and added in a fixed order without fused multiplication,
//! so that the bits do not depend on the machine or on how many rows are compared at once.

use pulp::NullaryFnOnce;

use crate::vector::quantize::{Exact, ROUNDING};
#[cfg(target_arch = "x86_64")]
use pulp::{cast, x86::V3};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m128i, __m256i};

/// Codes that are read at once. Rows are filled up to twice as many.
const WIDTH: usize = 16;
/// Partial sums of a dot product of f32.
const LANES: usize = 16;
/// Rows that are compared exactly at once: while one waits for memory, the others go on.
pub(crate) const GROUP: usize = 4;

/// The fastest way of this machine; found once a search.
#[derive(Clone, Copy)]
pub(crate) enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Avx2(V3),
    Portable(pulp::Arch),
}

impl Kernel {
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = V3::try_new() {
            return Self::Avx2(simd);
        }
        Self::Portable(pulp::Arch::new())
    }

    /// The product of each row with the query. Rows and query have the same length, a multiple of 32;
    /// the sizes of codes are such that no sum overflows.
    pub(crate) fn dot(self, codes: &[i8], query: &[i16], out: &mut Vec<i32>) {
        debug_assert!(query.len().is_multiple_of(2 * WIDTH) && codes.len().is_multiple_of(query.len()), "whole rows");
        out.clear();
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => {
                let (codes, query) = (codes.as_chunks().0, query.as_chunks().0);
                simd.vectorize(Avx2Dot { simd, codes, query, out });
            }
            Self::Portable(arch) => arch.dispatch(PortableDot { codes, query, out }),
        }
    }

    /// The upper bounds of rows.
    pub(crate) fn uppers(self, estimates: Estimates<'_>, out: &mut Vec<f32>) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.vectorize(Uppers { estimates, out }),
            Self::Portable(arch) => arch.dispatch(Uppers { estimates, out }),
        }
    }

    /// The product of two rows of one length.
    pub(crate) fn dot_one(self, left: &[f32], right: &[f32]) -> f32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.vectorize(OneDot { left, right }),
            Self::Portable(arch) => arch.dispatch(OneDot { left, right }),
        }
    }

    /// Adds the product of each row's exact values with the query; all have the same length. `values` is room for them.
    pub(crate) fn dot_exact(self, rows: &[Exact<'_>], query: &[f32], values: &mut Vec<f32>, out: &mut Vec<f32>) {
        values.resize(GROUP * query.len(), 0.0);
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.vectorize(ExactDot { rows, query, values, out }),
            Self::Portable(arch) => arch.dispatch(ExactDot { rows, query, values, out }),
        }
    }
}

#[cfg(target_arch = "x86_64")]
struct Avx2Dot<'a> {
    simd: V3,
    codes: &'a [[i8; WIDTH]],
    query: &'a [[i16; WIDTH]],
    out: &'a mut Vec<i32>,
}

#[cfg(target_arch = "x86_64")]
impl NullaryFnOnce for Avx2Dot<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd: V3 { avx, avx2, sse2, .. }, codes, query, out } = self;
        let product = |row: [i8; WIDTH], query: [i16; WIDTH]| {
            let row = avx2._mm256_cvtepi8_epi16(cast::<_, __m128i>(row));
            avx2._mm256_madd_epi16(row, cast::<_, __m256i>(query))
        };
        let (query, _) = query.as_chunks::<2>();
        for row in codes.chunks_exact(2 * query.len()) {
            let (mut left, mut right) = (avx._mm256_setzero_si256(), avx._mm256_setzero_si256());
            for (row, query) in row.as_chunks::<2>().0.iter().zip(query) {
                left = avx2._mm256_add_epi32(left, product(row[0], query[0]));
                right = avx2._mm256_add_epi32(right, product(row[1], query[1]));
            }
            let sum = avx2._mm256_add_epi32(left, right);
            let half = sse2._mm_add_epi32(avx._mm256_castsi256_si128(sum), avx2._mm256_extracti128_si256::<1>(sum));
            let quarter = sse2._mm_add_epi32(half, sse2._mm_shuffle_epi32::<0b01_00_11_10>(half));
            let whole = sse2._mm_add_epi32(quarter, sse2._mm_shuffle_epi32::<0b10_11_00_01>(quarter));
            out.push(sse2._mm_cvtsi128_si32(whole));
        }
    }
}

struct PortableDot<'a> {
    codes: &'a [i8],
    query: &'a [i16],
    out: &'a mut Vec<i32>,
}

impl NullaryFnOnce for PortableDot<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let product = |(code, query): (&i8, &i16)| i32::from(*code) * i32::from(*query);
        self.out.extend(
            self.codes
                .chunks_exact(self.query.len())
                .map(|row| -> i32 { row.iter().zip(self.query).map(product).sum() }),
        );
    }
}

/// What the products of rows with a query say of their cosines: an estimate, and how far off it may be.
#[derive(Clone, Copy)]
pub(crate) struct Estimates<'a> {
    pub(crate) products: &'a [i32],
    /// What is kept of each row beside its codes; as many as products.
    pub(crate) scales: &'a [f32],
    pub(crate) residuals: &'a [f32],
    /// The same of the query.
    pub(crate) scale: f32,
    pub(crate) residual: f32,
}

impl Estimates<'_> {
    /// The lower bound of a row.
    pub(crate) fn lower(&self, place: usize) -> f32 {
        let (estimate, margin) = self.bounds(self.products[place], self.scales[place], self.residuals[place]);
        estimate - margin
    }

    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "the rounding is within the margin kept")]
    fn bounds(&self, product: i32, scale: f32, residual: f32) -> (f32, f32) {
        (product as f32 * (scale * self.scale), residual + self.residual * (1.0 + residual) + ROUNDING)
    }
}

struct Uppers<'a> {
    estimates: Estimates<'a>,
    out: &'a mut Vec<f32>,
}

impl NullaryFnOnce for Uppers<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { estimates, out } = self;
        out.clear();
        let rows = estimates.products.iter().zip(estimates.scales).zip(estimates.residuals);
        out.extend(rows.map(|((product, scale), residual)| {
            let (estimate, margin) = estimates.bounds(*product, *scale, *residual);
            estimate + margin
        }));
    }
}

struct ExactDot<'a> {
    rows: &'a [Exact<'a>],
    query: &'a [f32],
    /// Room for a group of rows.
    values: &'a mut [f32],
    out: &'a mut Vec<f32>,
}

impl NullaryFnOnce for ExactDot<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { rows, query, values, out } = self;
        let (groups, rest) = rows.as_chunks::<GROUP>();
        for group in groups {
            let mut room = values.chunks_exact_mut(query.len());
            let room: [&mut [f32]; GROUP] = std::array::from_fn(|_| room.next().expect("there is room for a group"));
            for (values, row) in room.into_iter().zip(group) {
                row.read(values);
            }
            let mut filled = values.chunks_exact(query.len());
            let filled: [&[f32]; GROUP] = std::array::from_fn(|_| filled.next().expect("there is room for a group"));
            out.extend(dot_group(filled, query));
        }
        for row in rest {
            let values = &mut values[..query.len()];
            row.read(values);
            out.extend(dot_group([&*values], query));
        }
    }
}

struct OneDot<'a> {
    left: &'a [f32],
    right: &'a [f32],
}

impl NullaryFnOnce for OneDot<'_> {
    type Output = f32;

    #[inline(always)]
    fn call(self) -> f32 {
        let [product] = dot_group([self.left], self.right);
        product
    }
}

/// The product of each of some rows with the query; each row's sum is the same in any group.
#[inline(always)]
fn dot_group<const N: usize>(rows: [&[f32]; N], query: &[f32]) -> [f32; N] {
    let mut sums = [[0.0_f32; LANES]; N];
    let (query, query_rest) = query.as_chunks::<LANES>();
    let chunks = rows.map(|row| row.as_chunks::<LANES>());
    for (index, query) in query.iter().enumerate() {
        for (sums, (row, _)) in sums.iter_mut().zip(&chunks) {
            for ((sum, value), query) in sums.iter_mut().zip(&row[index]).zip(query) {
                *sum += value * query;
            }
        }
    }
    for (sums, (_, rest)) in sums.iter_mut().zip(&chunks) {
        for ((sum, value), query) in sums.iter_mut().zip(*rest).zip(query_rest) {
            *sum += value * query;
        }
    }
    sums.map(|sums| sums.iter().sum())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, prop, prop_oneof, proptest};

    use super::*;
    use crate::vector::{
        Vector,
        quantize::{Quantized, lows},
    };

    proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_kernel_gives_the_same(
            strides in 1_usize..9,
            rows in 0_usize..5,
            values in prop::collection::vec(-127_i8..=127, 8 * 32 * 5),
            query in prop::collection::vec(-32_767_i16..=32_767, 8 * 32),
            extreme in prop::option::of(prop_oneof![Just(127_i8), Just(-127)]),
        ) {
            let codes: Vec<i8> = values.into_iter().map(|value| extreme.unwrap_or(value)).collect();
            let query: Vec<i16> = query.into_iter().map(|value| extreme.map_or(value, |_| 32_767)).collect();
            let length = strides * 32;
            let (query, codes) = (&query[..length], &codes[..rows * length]);
            let product = |(code, query): (&i8, &i16)| i32::from(*code) * i32::from(*query);
            let expected: Vec<i32> = codes.chunks_exact(length).map(|row| row.iter().zip(query).map(product).sum()).collect();
            let mut found = Vec::new();
            for kernel in [Kernel::detect(), Kernel::Portable(pulp::Arch::new())] {
                kernel.dot(codes, query, &mut found);
                assert_eq!(found, expected);
            }
        }

        #[test]
        fn floats_have_the_same_bits_in_any_group(
            rows in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 53), 0..11),
            query in prop::collection::vec(-1.0_f32..1.0, 53),
        ) {
            let vectors: Vec<Option<Vector>> = rows.into_iter().map(|row| Vector::new(row).ok()).collect();
            let alone: Vec<u32> =
                vectors.iter().flatten().map(|row| dot_group([row.values()], &query)[0].to_bits()).collect();
            let rows = Quantized::build(vectors.iter().map(Option::as_ref));
            let lows: Vec<Vec<u8>> = vectors.iter().flatten().map(lows).collect();
            let exact: Vec<Exact<'_>> = lows.iter().enumerate().map(|(position, lows)| rows.exact(position, lows)).collect();
            for kernel in [Kernel::detect(), Kernel::Portable(pulp::Arch::new())] {
                let mut found = Vec::new();
                kernel.dot_exact(&exact, &query, &mut Vec::new(), &mut found);
                assert_eq!(found.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), alone);
            }
        }
    }
}
