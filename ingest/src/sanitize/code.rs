//! Whether a place lies in code.

use std::ops::Range;

use crate::blocks::code_ranges;

/// Ranges of code, in order.
pub(crate) struct InCode(Vec<Range<usize>>);

impl InCode {
    /// The fenced code of a text.
    pub(crate) fn of(text: &str) -> Self {
        Self(code_ranges(text))
    }

    /// Takes ranges that are in order and apart.
    pub(crate) const fn new(ranges: Vec<Range<usize>>) -> Self {
        Self(ranges)
    }

    /// Whether a byte lies in code.
    pub(crate) fn contains(&self, at: usize) -> bool {
        let next = self.0.partition_point(|range| range.end <= at);
        self.0.get(next).is_some_and(|range| range.start <= at)
    }
}
