//! What may be set for an engine. No setting changes what a caller may read.

use std::sync::Arc;

use crate::spill::Spill;

/// What the parts of an engine share.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) options: EngineOptions,
    /// Where passages and exact vectors are set aside; in memory without one.
    pub(crate) spill: Option<Arc<Spill>>,
}

/// How an engine lays out what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// From this many rows on, a segment keeps its words in a tantivy index instead of packed lists. Answers are the same.
    pub inverted_rows_min: usize,
    /// Up to this many rows, those of a class lie in a slab that small classes share, and are read row by row. Answers are the same.
    pub slab_rows_max: usize,
    /// From this many rows on, a class is searched by a graph once one is built, and its nearest vectors are found nearly always.
    ///
    /// Nothing, which is the default, keeps every search exact and every answer the same bit for bit.
    /// With graphs, an answer may differ with whether a graph is built yet; what other classes hold still cannot change it,
    /// but how busy the one builder is with them can decide when. Meant for classes of several 100,000 rows whose scan is too slow.
    pub graph_rows_min: Option<usize>,
}

impl Default for EngineOptions {
    /// As measured: below 2048 rows, the fixed cost of a tantivy index outweighs what its blocks save, and up to 16, that of a segment what a row costs in a slab.
    fn default() -> Self {
        Self { inverted_rows_min: 2048, slab_rows_max: 16, graph_rows_min: None }
    }
}
