//! BM25 with the statistics of a scope.
//!
//! Document frequency, lengths and the number of chunks are taken over the live chunks of the scope.
//! Terms are added in f64, the weightiest first: a score is a function of the query, the chunk and those statistics,
//! whatever segments the chunks lie in, and whatever else was ever indexed.
//!
//! Rows that have none but light words are passed over once the best found so far are out of their reach (Turtle and Flood 1995, "MaxScore").

use std::cell::Cell;

use crate::{
    id::ChunkId,
    lexical::{
        query::Words,
        statistics::{List, Statistics},
    },
    segment::LiveSegment,
    vector::flat::best,
};

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
    query: &Words,
    count: usize,
    passes: impl Fn(usize, usize) -> bool,
    wanted: &[(usize, usize)],
) -> Matches {
    let statistics = Statistics::of(segments, query);
    let mut top = Top { count: count.max(1), floor: f32::NEG_INFINITY, matches: Vec::new() };
    let mut scores = vec![None; wanted.len()];
    let mut sums = SUMS.take();
    for lists in statistics.lists.chunk_by(|left, right| left.segment == right.segment) {
        let index = lists[0].segment;
        let live = segments[index];
        let start = wanted.partition_point(|(segment, _)| *segment < index);
        let length = wanted[start..].partition_point(|(segment, _)| *segment == index);
        let wanted = &wanted[start..start + length];
        sums.begin(live, wanted.iter().map(|(_, row)| *row));
        sums.add(live, lists, &statistics, top.floor);
        for (score, (_, row)) in scores[start..].iter_mut().zip(wanted) {
            *score = sums.get(*row);
        }
        sums.drain(|row, score| {
            if score >= top.floor && live.is_live(row) && passes(index, row) {
                top.push(Match { segment: index, row, score, id: live.segment.ids[row] });
            }
        });
    }
    SUMS.set(sums);
    Matches { best: top.finish(), wanted: scores }
}

thread_local! {
    /// The sums of the search before, all zero again. Taken while in use, so a search that panics leaves none behind.
    static SUMS: Cell<Sums> = const { Cell::new(Sums { sums: Vec::new(), is_touched: Vec::new(), touched: Vec::new() }) };
}

/// The sums of one segment's rows, used for one after the other.
#[derive(Default)]
struct Sums {
    /// Zero where nothing has been added.
    sums: Vec<f64>,
    is_touched: Vec<bool>,
    touched: Vec<u32>,
}

impl Sums {
    /// Begins with a segment; the wanted rows count as touched.
    fn begin(&mut self, live: &LiveSegment, wanted: impl Iterator<Item = usize>) {
        if self.sums.len() < live.segment.rows.len() {
            self.sums.resize(live.segment.rows.len(), 0.0);
            self.is_touched.resize(live.segment.rows.len(), false);
        }
        for row in wanted {
            self.is_touched[row] = true;
            self.touched.push(u32::try_from(row).expect("rows are counted in 32 bits"));
        }
    }

    /// Adds the terms in the order of their lists. From the first term on whose bound is below the floor, only to what is touched.
    #[expect(clippy::cast_possible_truncation, reason = "a bound is compared as the scores below it are")]
    fn add(&mut self, live: &LiveSegment, lists: &[List], statistics: &Statistics, floor: f32) {
        let segment = &live.segment;
        let lengths = statistics.lengths(live);
        let parts = lengths.parts();
        for list in lists {
            let weight = statistics.weights[list.term];
            let is_light = (statistics.bounds[list.term] as f32) < floor;
            if is_light && self.touched.is_empty() {
                return;
            }
            list.read(live, |row, frequency| {
                let is_touched = &mut self.is_touched[row as usize];
                if !*is_touched {
                    if is_light {
                        return;
                    }
                    *is_touched = true;
                    self.touched.push(row);
                }
                self.sums[row as usize] += weight * lengths.part(parts, frequency, segment.lengths[row as usize]);
            });
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "scores are shown in f32")]
    fn get(&self, row: usize) -> Option<f32> {
        self.sums.get(row).filter(|sum| **sum > 0.0).map(|sum| *sum as f32)
    }

    /// Gives each row that has a sum and forgets it.
    fn drain(&mut self, mut each: impl FnMut(usize, f32)) {
        let mut touched = std::mem::take(&mut self.touched);
        for row in touched.drain(..) {
            let row = row as usize;
            if let Some(score) = self.get(row) {
                each(row, score);
            }
            self.sums[row] = 0.0;
            self.is_touched[row] = false;
        }
        self.touched = touched;
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
