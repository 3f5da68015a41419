//! Dot products of int8 rows with a query. Whole numbers: every kernel gives the same, on every machine.

use pulp::NullaryFnOnce;
#[cfg(target_arch = "x86_64")]
use pulp::{cast, x86::V3};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256i;

use crate::vector::quantize::STRIDE;

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

    /// The product of each row with the query. Codes lie within ±127; rows and query have the same whole number of strides.
    pub(crate) fn dot(self, codes: &[i8], query: &[i8], out: &mut Vec<i32>) {
        let (query, rest) = query.as_chunks::<STRIDE>();
        debug_assert!(
            rest.is_empty() && codes.len().is_multiple_of(query.len() * STRIDE),
            "whole rows of whole strides"
        );
        let (codes, _) = codes.as_chunks::<STRIDE>();
        out.clear();
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.vectorize(Avx2 { simd, codes, query, out }),
            Self::Portable(arch) => arch.dispatch(Portable { codes, query, out }),
        }
    }
}

#[cfg(target_arch = "x86_64")]
struct Avx2<'a> {
    simd: V3,
    codes: &'a [[i8; STRIDE]],
    query: &'a [[i8; STRIDE]],
    out: &'a mut Vec<i32>,
}

#[cfg(target_arch = "x86_64")]
impl NullaryFnOnce for Avx2<'_> {
    type Output = ();

    /// `x · q = |x| · (q with the sign of x)`, which is what the instruction for unsigned by signed bytes takes.
    /// Two products add up to at most 2 · 127², so its 16 bits never saturate.
    #[inline(always)]
    fn call(self) {
        let Self { simd: V3 { avx, avx2, sse2, .. }, codes, query, out } = self;
        let ones = avx._mm256_set1_epi16(1);
        for row in codes.chunks_exact(query.len()) {
            let mut sums = [avx._mm256_setzero_si256(); 2];
            for (index, (row, query)) in row.iter().zip(query).enumerate() {
                let (row, query): (__m256i, __m256i) = (cast(*row), cast(*query));
                let pairs = avx2._mm256_maddubs_epi16(avx2._mm256_abs_epi8(row), avx2._mm256_sign_epi8(query, row));
                let quads = avx2._mm256_madd_epi16(pairs, ones);
                sums[index % 2] = avx2._mm256_add_epi32(sums[index % 2], quads);
            }
            let sum = avx2._mm256_add_epi32(sums[0], sums[1]);
            let half = sse2._mm_add_epi32(avx._mm256_castsi256_si128(sum), avx2._mm256_extracti128_si256::<1>(sum));
            let quarter = sse2._mm_add_epi32(half, sse2._mm_shuffle_epi32::<0b01_00_11_10>(half));
            let whole = sse2._mm_add_epi32(quarter, sse2._mm_shuffle_epi32::<0b10_11_00_01>(quarter));
            out.push(sse2._mm_cvtsi128_si32(whole));
        }
    }
}

struct Portable<'a> {
    codes: &'a [[i8; STRIDE]],
    query: &'a [[i8; STRIDE]],
    out: &'a mut Vec<i32>,
}

impl NullaryFnOnce for Portable<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let product = |(code, query): (&i8, &i8)| i32::from(*code) * i32::from(*query);
        for row in self.codes.chunks_exact(self.query.len()) {
            let row = row.iter().flatten().zip(self.query.iter().flatten());
            self.out.push(row.map(product).sum());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;

    proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_kernel_gives_the_same(
            strides in 1_usize..9,
            rows in 0_usize..5,
            values in prop::collection::vec(-127_i8..=127, 8 * STRIDE * 5),
            extreme in prop::option::of(proptest::prelude::prop_oneof![proptest::prelude::Just(127_i8), proptest::prelude::Just(-127)]),
        ) {
            let values: Vec<i8> = values.into_iter().map(|value| extreme.unwrap_or(value)).collect();
            let length = strides * STRIDE;
            let (query, codes) = (&values[values.len() - length..], &values[..(rows * length).min(values.len() - length) / length * length]);
            let expected: Vec<i32> = codes
                .chunks_exact(length)
                .map(|row| row.iter().zip(query).map(|(code, query)| i32::from(*code) * i32::from(*query)).sum())
                .collect();
            let mut found = Vec::new();
            for kernel in [Kernel::detect(), Kernel::Portable(pulp::Arch::new())] {
                kernel.dot(codes, query, &mut found);
                assert_eq!(found, expected);
            }
        }
    }
}
