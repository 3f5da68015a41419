//! The bare scan: rows in class order, a range for each class, and nothing else.

use std::{collections::HashMap, ops::Range};

use pulp::{NullaryFnOnce, cast, x86::V3};

use crate::{
    TOP_K,
    workload::{DIMENSIONS, Query, Workload},
};

/// Codes that are read at once.
const WIDTH: usize = 16;
const LARGEST_CODE: f32 = 127.0;
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// A score and a row.
type Scored = (f32, u32);

pub(crate) struct Scan {
    simd: V3,
    /// The rows of each class.
    classes: HashMap<usize, Range<usize>>,
    vectors: Vec<f32>,
    codes: Vec<i8>,
    /// What a code counts in each row, and the length of what the codes leave.
    rounded: Vec<(f32, f32)>,
    postings: HashMap<String, Vec<(u32, u32)>>,
    lengths: Vec<u32>,
    /// Words of each class.
    sums: HashMap<usize, u64>,
}

impl Scan {
    pub(crate) fn new(workload: &Workload) -> Self {
        let mut order: Vec<usize> = (0..workload.chunks.len()).collect();
        order.sort_by_key(|row| workload.chunks[*row].class);
        let mut scan = Self {
            simd: V3::try_new().expect("the bare scan is written for AVX2"),
            classes: HashMap::new(),
            vectors: Vec::new(),
            codes: Vec::new(),
            rounded: Vec::new(),
            postings: HashMap::new(),
            lengths: Vec::new(),
            sums: HashMap::new(),
        };
        for (place, row) in order.into_iter().enumerate() {
            let chunk = &workload.chunks[row];
            let class = scan.classes.entry(chunk.class).or_insert(place..place);
            class.end = place + 1;
            scan.push_vector(chunk.vector.values());
            let length = scan.push_text(u32::try_from(place).expect("few rows"), &chunk.text);
            *scan.sums.entry(chunk.class).or_default() += u64::from(length);
        }
        scan
    }

    #[expect(clippy::cast_possible_truncation, reason = "rounded to a byte")]
    fn push_vector(&mut self, values: &[f32]) {
        let scale = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs())) / LARGEST_CODE;
        let mut lost = 0.0_f32;
        for value in values {
            let code = (value / scale).round();
            self.codes.push(code as i8);
            lost += (value - code * scale).powi(2);
        }
        self.vectors.extend_from_slice(values);
        self.rounded.push((scale, lost.sqrt() * 1.0001 + 1e-6));
    }

    fn push_text(&mut self, row: u32, text: &str) -> u32 {
        let mut counts: HashMap<&str, u32> = HashMap::new();
        text.split_whitespace().for_each(|word| *counts.entry(word).or_default() += 1);
        let length = counts.values().sum();
        for (word, count) in counts {
            self.postings.entry(word.to_owned()).or_default().push((row, count));
        }
        self.lengths.push(length);
        length
    }

    fn ranges(&self, classes: &[usize]) -> Vec<Range<usize>> {
        let mut ranges: Vec<_> = classes.iter().filter_map(|class| self.classes.get(class)).cloned().collect();
        ranges.sort_unstable_by_key(|range| range.start);
        ranges
    }

    /// The nearest rows, the best first.
    #[expect(clippy::cast_possible_truncation, reason = "rounded to 16 bits")]
    pub(crate) fn nearest(&self, query: &Query, classes: &[usize]) -> Vec<Scored> {
        let values = query.vector.values();
        let scale = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs())) / LARGEST_CODE;
        let codes: Vec<i16> = values.iter().map(|value| (value / scale).round() as i16).collect();
        let lost = values.iter().zip(&codes).map(|(value, code)| (value - f32::from(*code) * scale).powi(2));
        let lost = lost.sum::<f32>().sqrt() * 1.01;
        let ranges = self.ranges(classes);
        let mut uppers: Vec<Scored> = Vec::with_capacity(ranges.iter().map(Range::len).sum());
        let mut lowers = Top::new();
        self.simd.vectorize(Products {
            scan: self,
            ranges: &ranges,
            codes: &codes,
            each: |row: usize, product: i32| {
                let (row_scale, row_lost) = self.rounded[row];
                #[expect(clippy::cast_precision_loss, reason = "within the bound")]
                let estimate = product as f32 * row_scale * scale;
                let margin = row_lost + lost;
                let row = u32::try_from(row).expect("few rows");
                uppers.push((estimate + margin, row));
                lowers.push(estimate - margin, row);
            },
        });
        let mut best = Top::new();
        for (_, row) in uppers.into_iter().filter(|(upper, _)| *upper >= lowers.floor) {
            let row_values = &self.vectors[row as usize * DIMENSIONS..][..DIMENSIONS];
            best.push(self.simd.vectorize(Cosine { left: row_values, right: values }), row);
        }
        best.rows
    }

    /// The rows that the words say most of, the best first.
    #[expect(clippy::cast_precision_loss, reason = "scores")]
    pub(crate) fn worded(&self, query: &Query, classes: &[usize]) -> Vec<Scored> {
        let ranges = self.ranges(classes);
        let count = ranges.iter().map(Range::len).sum::<usize>() as f32;
        let words: u64 = classes.iter().filter_map(|class| self.sums.get(class)).sum();
        let average = words as f32 / count;
        let mut hits: Vec<(u32, f32)> = Vec::new();
        for word in query.text.split_whitespace() {
            let Some(list) = self.postings.get(word) else { continue };
            let (first, mut rest) = (hits.len(), &**list);
            for range in &ranges {
                let before = |(row, _): &(u32, u32)| (*row as usize) < range.start;
                let mut step = 1;
                while step < rest.len() && before(&rest[step]) {
                    step *= 2;
                }
                let reach = rest.len().min(step + 1);
                rest = &rest[rest[..reach].partition_point(before)..];
                let within = rest.iter().take_while(|(row, _)| (*row as usize) < range.end).count();
                hits.extend(rest[..within].iter().map(|(row, times)| {
                    let (times, length) = (*times as f32, self.lengths[*row as usize] as f32);
                    (*row, times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length / average)))
                }));
                rest = &rest[within..];
            }
            let having = (hits.len() - first) as f32;
            let weight = (1.0 + (count - having + 0.5) / (having + 0.5)).ln();
            hits[first..].iter_mut().for_each(|(_, score)| *score *= weight);
        }
        hits.sort_unstable_by_key(|(row, _)| *row);
        let mut best = Top::new();
        for same in hits.chunk_by(|left, right| left.0 == right.0) {
            best.push(same.iter().map(|(_, score)| score).sum(), same[0].0);
        }
        best.rows
    }
}

/// The best rows so far.
struct Top {
    rows: Vec<Scored>,
    floor: f32,
}

impl Top {
    fn new() -> Self {
        Self { rows: Vec::with_capacity(TOP_K + 1), floor: f32::NEG_INFINITY }
    }

    #[inline(always)]
    fn push(&mut self, score: f32, row: u32) {
        if score > self.floor {
            self.insert(score, row);
        }
    }

    #[inline(never)]
    fn insert(&mut self, score: f32, row: u32) {
        let place = self.rows.partition_point(|(other, _)| *other >= score);
        self.rows.insert(place, (score, row));
        self.rows.truncate(TOP_K);
        if self.rows.len() == TOP_K {
            self.floor = self.rows[TOP_K - 1].0;
        }
    }
}

struct Products<'a, F> {
    scan: &'a Scan,
    ranges: &'a [Range<usize>],
    codes: &'a [i16],
    each: F,
}

impl<F: FnMut(usize, i32)> NullaryFnOnce for Products<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { scan, ranges, codes, mut each } = self;
        let V3 { avx, avx2, sse2, .. } = scan.simd;
        let query = codes.as_chunks::<WIDTH>().0.as_chunks::<2>().0;
        let product = |row: [i8; WIDTH], query: [i16; WIDTH]| {
            avx2._mm256_madd_epi16(avx2._mm256_cvtepi8_epi16(cast(row)), cast(query))
        };
        for row in ranges.iter().cloned().flatten() {
            let codes = &scan.codes[row * DIMENSIONS..][..DIMENSIONS];
            let codes = codes.as_chunks::<WIDTH>().0.as_chunks::<2>().0;
            let (mut left, mut right) = (avx._mm256_setzero_si256(), avx._mm256_setzero_si256());
            for (codes, query) in codes.iter().zip(query) {
                left = avx2._mm256_add_epi32(left, product(codes[0], query[0]));
                right = avx2._mm256_add_epi32(right, product(codes[1], query[1]));
            }
            let sum = avx2._mm256_add_epi32(left, right);
            let half = sse2._mm_add_epi32(avx._mm256_castsi256_si128(sum), avx2._mm256_extracti128_si256::<1>(sum));
            let quarter = sse2._mm_add_epi32(half, sse2._mm_shuffle_epi32::<0b01_00_11_10>(half));
            let whole = sse2._mm_add_epi32(quarter, sse2._mm_shuffle_epi32::<0b10_11_00_01>(quarter));
            each(row, sse2._mm_cvtsi128_si32(whole));
        }
    }
}

struct Cosine<'a> {
    left: &'a [f32],
    right: &'a [f32],
}

impl NullaryFnOnce for Cosine<'_> {
    type Output = f32;

    #[inline(always)]
    fn call(self) -> f32 {
        let mut sums = [0.0_f32; 2 * WIDTH];
        let (left, right) = (self.left.as_chunks::<{ 2 * WIDTH }>().0, self.right.as_chunks::<{ 2 * WIDTH }>().0);
        for (left, right) in left.iter().zip(right) {
            for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
                *sum = left.mul_add(*right, *sum);
            }
        }
        sums.iter().sum()
    }
}
