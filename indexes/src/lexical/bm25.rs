//! BM25 with the statistics of a scope.
//!
//! Document frequency, lengths and the number of chunks are taken over the live chunks of the scope.
//! Terms are added in the order of their bytes, in f64: a score is a function of the query, the chunk and those statistics,
//! whatever segments the chunks lie in, and whatever else was ever indexed.

use std::collections::BTreeMap;

use crate::{id::ChunkId, lexical::postings::Place, segment::LiveSegment, vector::flat::best};

const K1: f64 = 1.2;
const B: f64 = 0.75;
/// Lengths below this have their part of the formula computed once a search.
const LENGTHS_KEPT: usize = 1024;

/// A row that has a word of the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match {
    pub(crate) segment: usize,
    pub(crate) row: usize,
    pub(crate) score: f32,
    pub(crate) id: ChunkId,
}

/// What a search by words finds.
pub(crate) struct Matches {
    /// The best rows among those that pass, in no order.
    pub(crate) best: Vec<Match>,
    /// The score of each wanted row, if a word of the query matched.
    pub(crate) wanted: Vec<Option<f32>>,
}

/// Finds the `count` best rows that pass, and scores the wanted rows, which are sorted.
pub(crate) fn search(
    segments: &[&LiveSegment],
    query: &BTreeMap<Box<str>, u32>,
    count: usize,
    passes: impl Fn(usize, usize) -> bool,
    wanted: &[(usize, usize)],
) -> Matches {
    let statistics = Statistics::of(segments, query);
    let mut top = Top { count: count.max(1), floor: f32::NEG_INFINITY, matches: Vec::new() };
    let mut scores = vec![None; wanted.len()];
    let mut sums = Sums::default();
    for lists in statistics.lists.chunk_by(|left, right| left.segment == right.segment) {
        let index = lists[0].segment;
        let live = segments[index];
        sums.add(live, lists, &statistics);
        let start = wanted.partition_point(|(segment, _)| *segment < index);
        for (place, (_, row)) in wanted.iter().enumerate().skip(start).take_while(|(_, (segment, _))| *segment == index)
        {
            scores[place] = sums.get(*row);
        }
        sums.drain(|row, score| {
            if score >= top.floor && live.is_live(row) && passes(index, row) {
                top.push(Match { segment: index, row, score, id: live.segment.rows[row].chunk.id });
            }
        });
    }
    Matches { best: top.finish(), wanted: scores }
}

/// Where a term's rows lie in one segment.
struct List {
    segment: usize,
    term: usize,
    place: Place,
}

/// What is counted over the scope before anything is scored.
struct Statistics {
    /// Segment by segment, in each the terms in their order.
    lists: Vec<List>,
    /// The weight of each term: how often the query has it, times how rare it is.
    weights: Vec<f64>,
    average_length: f64,
    /// The part of the formula that a row's length makes, for short rows.
    norms: Vec<f64>,
}

impl Statistics {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    fn of(segments: &[&LiveSegment], query: &BTreeMap<Box<str>, u32>) -> Self {
        let count: u64 = segments.iter().map(|segment| segment.live_rows as u64).sum();
        let length: u64 = segments.iter().map(|segment| segment.live_length).sum();
        let mut lists = Vec::new();
        let mut having = vec![0_u64; query.len()];
        for (segment, live) in segments.iter().enumerate() {
            for (term, word) in query.keys().enumerate() {
                let Some(place) = live.segment.postings.find(word) else { continue };
                having[term] += live_count(live, &place);
                lists.push(List { segment, term, place });
            }
        }
        let idf = |having: u64| (1.0 + (count as f64 - having as f64 + 0.5) / (having as f64 + 0.5)).ln();
        let weights = query.values().zip(having).map(|(times, having)| f64::from(*times) * idf(having)).collect();
        let average_length = length as f64 / count as f64;
        let norms = (0..LENGTHS_KEPT).map(|length| norm(length as f64, average_length)).collect();
        Self { lists, weights, average_length, norms }
    }

    fn norm(&self, length: u32) -> f64 {
        let known = self.norms.get(length as usize).copied();
        known.unwrap_or_else(|| norm(f64::from(length), self.average_length))
    }
}

fn norm(length: f64, average_length: f64) -> f64 {
    K1 * (1.0 - B + B * length / average_length)
}

/// How many live rows of a segment have a term.
fn live_count(live: &LiveSegment, place: &Place) -> u64 {
    if live.is_whole() {
        return u64::from(place.count());
    }
    let mut count = 0;
    live.segment.postings.read(place, |row, _| count += u64::from(live.is_live(row as usize)));
    count
}

/// The sums of one segment's rows, used for one after the other.
#[derive(Default)]
struct Sums {
    /// Zero where nothing has been added.
    sums: Vec<f64>,
    touched: Vec<u32>,
}

impl Sums {
    /// Adds the terms in the order of their lists.
    fn add(&mut self, live: &LiveSegment, lists: &[List], statistics: &Statistics) {
        let segment = &live.segment;
        if self.sums.len() < segment.rows.len() {
            self.sums.resize(segment.rows.len(), 0.0);
        }
        for list in lists {
            let weight = statistics.weights[list.term];
            segment.postings.read(&list.place, |row, frequency| {
                let (frequency, norm) = (f64::from(frequency), statistics.norm(segment.lengths[row as usize]));
                let sum = &mut self.sums[row as usize];
                if *sum == 0.0 {
                    self.touched.push(row);
                }
                *sum += weight * (frequency * (K1 + 1.0) / (frequency + norm));
            });
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "scores are shown in f32")]
    fn get(&self, row: usize) -> Option<f32> {
        self.sums.get(row).filter(|sum| **sum > 0.0).map(|sum| *sum as f32)
    }

    /// Gives each row that has a sum and forgets it.
    fn drain(&mut self, mut each: impl FnMut(usize, f32)) {
        for row in std::mem::take(&mut self.touched) {
            let row = row as usize;
            if let Some(score) = self.get(row) {
                each(row, score);
            }
            self.sums[row] = 0.0;
        }
    }
}

/// The best matches so far, and up to as many again that were not yet sorted out.
struct Top {
    count: usize,
    /// Below this a score cannot belong to the best.
    floor: f32,
    matches: Vec<Match>,
}

impl Top {
    fn push(&mut self, found: Match) {
        self.matches.push(found);
        if self.matches.len() >= self.count.saturating_mul(2) {
            self.cut();
            self.floor = self.matches.iter().fold(f32::INFINITY, |floor, found| floor.min(found.score));
        }
    }

    fn cut(&mut self) {
        best(&mut self.matches, self.count, |found| (found.score, found.id));
    }

    fn finish(mut self) -> Vec<Match> {
        self.cut();
        self.matches
    }
}
