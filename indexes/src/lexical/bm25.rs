//! BM25 with the statistics of a scope.
//!
//! Document frequency, lengths and the number of chunks are taken over the live chunks of the scope.
//! Terms are added in the order of their bytes, in f64: a score is a function of the query, the chunk and those statistics,
//! whatever segments the chunks lie in, and whatever else was ever indexed.

use std::collections::BTreeMap;

use crate::segment::LiveSegment;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Scores of rows, segment by segment; zero where no word matched.
pub(crate) struct Scores(Vec<Vec<f64>>);

impl Scores {
    /// The score of a row, if a word of the query matched.
    #[expect(clippy::cast_possible_truncation, reason = "scores are shown in f32")]
    pub(crate) fn get(&self, segment: usize, row: usize) -> Option<f32> {
        let score = *self.0[segment].get(row)?;
        (score > 0.0).then_some(score as f32)
    }

    /// Every row that matched, with its score.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, usize, f32)> {
        let rows = self.0.iter().enumerate().flat_map(|(segment, rows)| (0..rows.len()).map(move |row| (segment, row)));
        rows.filter_map(|(segment, row)| Some((segment, row, self.get(segment, row)?)))
    }
}

/// Scores the live rows of a scope's segments.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn score(segments: &[LiveSegment], query: &BTreeMap<Box<str>, u32>) -> Scores {
    let mut scores: Vec<Vec<f64>> = segments.iter().map(|_| Vec::new()).collect();
    let count: u64 = segments.iter().map(|segment| segment.live_rows as u64).sum();
    let length: u64 = segments.iter().map(|segment| segment.live_length).sum();
    let average = length as f64 / count as f64;
    let mut matches: Vec<(usize, usize, u32)> = Vec::new();
    for (term, weight) in query {
        matches.clear();
        for (index, segment) in segments.iter().enumerate() {
            let rows = segment.segment.postings.rows(term);
            let rows = rows.map(|(row, frequency)| (usize::try_from(row).expect("32 bits fit"), frequency));
            matches
                .extend(rows.filter(|(row, _)| segment.is_live(*row)).map(|(row, frequency)| (index, row, frequency)));
        }
        let having = matches.len() as f64;
        let idf = (1.0 + (count as f64 - having + 0.5) / (having + 0.5)).ln();
        for (index, row, frequency) in &matches {
            let segment = &segments[*index].segment;
            let (frequency, length) = (f64::from(*frequency), f64::from(segment.lengths[*row]));
            let part = frequency * (K1 + 1.0) / (frequency + K1 * (1.0 - B + B * length / average));
            let rows = &mut scores[*index];
            rows.resize(segment.rows.len(), 0.0);
            rows[*row] += f64::from(*weight) * idf * part;
        }
    }
    Scores(scores)
}
