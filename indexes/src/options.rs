//! What may be set for an engine. No setting changes what a caller may read.

/// How an engine lays out what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// From this many rows on, a segment keeps its words in a tantivy index instead of packed lists. Answers are the same.
    pub inverted_rows_min: usize,
}

impl Default for EngineOptions {
    /// As measured: below, the fixed cost of a tantivy index outweighs what its blocks save.
    fn default() -> Self {
        Self { inverted_rows_min: 2048 }
    }
}
