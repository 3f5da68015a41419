//! What the right answer is, and how good an answer was.

use crate::workload::{Query, Workload};

/// Results of every query.
pub const TOP_K: usize = 10;
/// Scores nearer than this are the same: what f32 sums differ by when they are added in another order.
const TIE: f32 = 1e-6;

/// The exact answer to a query: all permitted chunks compared.
#[derive(Clone, Debug)]
pub struct Truth {
    /// The nearest permitted chunks with their cosines, best first.
    pub best: Vec<(usize, f32)>,
}

/// How good an answer was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Right results.
    pub hits: usize,
    /// How many right results there are.
    pub wanted: usize,
    /// Whether fewer were found than there are.
    pub is_short: bool,
    /// Results that the user may not read.
    pub leaks: usize,
}

impl Workload {
    /// The exact answers to all queries, by two threads.
    ///
    /// # Panics
    /// Where a thread does.
    #[must_use]
    pub fn truths(&self) -> Vec<Truth> {
        let half = self.queries.len().div_ceil(2);
        std::thread::scope(|scope| {
            let parts = self.queries.chunks(half.max(1));
            let threads: Vec<_> = parts
                .map(|queries| scope.spawn(|| queries.iter().map(|query| self.truth(query)).collect::<Vec<_>>()))
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("comparing vectors does not panic")).collect()
        })
    }

    /// The exact answer to one query.
    #[must_use]
    pub fn truth(&self, query: &Query) -> Truth {
        let mut best: Vec<(usize, f32)> = Vec::with_capacity(TOP_K + 1);
        for row in self.readable(query) {
            let score = dot(self.vector(row), &query.vector);
            if best.len() < TOP_K || score > best[TOP_K - 1].1 {
                let at = best.partition_point(|(_, other)| *other >= score);
                best.insert(at, (row, score));
                best.truncate(TOP_K);
            }
        }
        Truth { best }
    }

    /// Judges an answer to a query by the rows it named. A row as near as the last right one counts as right.
    #[must_use]
    pub fn judge(&self, query: &Query, truth: &Truth, rows: &[usize]) -> Judgement {
        let permitted: Vec<usize> = rows.iter().copied().filter(|row| self.may_read(query, *row)).collect();
        let floor = truth.best.last().map_or(f32::INFINITY, |(_, score)| score - TIE);
        let mut distinct = permitted.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let hits = distinct.iter().filter(|row| dot(self.vector(**row), &query.vector) >= floor).count();
        Judgement {
            hits: hits.min(truth.best.len()),
            wanted: truth.best.len(),
            is_short: distinct.len() < truth.best.len(),
            leaks: rows.len() - permitted.len(),
        }
    }
}

/// As fast as portable code is compiled for this machine.
pub(crate) fn dot(left: &[f32], right: &[f32]) -> f32 {
    const LANES: usize = 32;
    let mut sums = [0.0_f32; LANES];
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Options;

    #[test]
    fn answers_are_judged_by_who_asked() {
        let options = Options { chunks: 8_000, dimensions: 64, queries_per_bucket: 4, ..Options::default() };
        let workload = Workload::new(options);
        let truths = workload.truths();
        assert_eq!(truths.len(), workload.queries.len());
        for (query, truth) in workload.queries.iter().zip(&truths) {
            assert_eq!(truth.best.len(), TOP_K);
            assert!(truth.best.is_sorted_by(|left, right| left.1 >= right.1));
            let rows: Vec<usize> = truth.best.iter().map(|(row, _)| *row).collect();
            let right = Judgement { hits: 10, wanted: 10, is_short: false, leaks: 0 };
            assert_eq!(workload.judge(query, truth, &rows), right);
            let hidden = (0..8_000).find(|row| !workload.may_read(query, *row)).unwrap();
            let mut wrong = rows.clone();
            wrong[0] = hidden;
            let expected = Judgement { hits: 9, wanted: 10, is_short: true, leaks: 1 };
            assert_eq!(workload.judge(query, truth, &wrong), expected);
            let twice = vec![rows[0]; 10];
            assert_eq!(workload.judge(query, truth, &twice), Judgement { hits: 1, is_short: true, ..right });
        }
    }
}
