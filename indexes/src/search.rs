//! What a search asks and what it finds.

use std::{fmt, sync::Arc};

use crate::{
    document::{ChunkRecord, DocumentRecord},
    filter::Filter,
    vector::Vector,
};

/// How passages are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Words and meaning, mixed.
    #[default]
    Hybrid,
    /// Words alone.
    Keyword,
    /// Meaning alone.
    Vector,
}

/// One search.
#[derive(Clone, Copy)]
pub struct SearchRequest<'a> {
    /// Any text; it cannot fail to parse. Where words rank, those between double quotes must stand side by side, and a `*` behind the last one stands for its rest.
    pub query: &'a str,
    /// Whether the last word may go on without a `*`, unless a blank follows it.
    pub prefix: bool,
    /// The query in the space of the built-in embedder.
    pub builtin_vector: Option<&'a Vector>,
    /// The query in the space of client vectors; compared where the dimensions agree.
    pub client_vector: Option<&'a Vector>,
    /// How to rank.
    pub mode: Mode,
    /// Which documents take part.
    pub filter: &'a Filter,
    /// How many passages are wanted.
    pub top_k: usize,
    /// How many of them may come from one document.
    pub max_per_document: Option<usize>,
    /// Whether a passage is dropped that says almost the same as a better one.
    pub collapse_duplicates: bool,
    /// The least score of a passage.
    pub min_score: Option<f32>,
    /// From 0 to 1: how much being unlike those already chosen counts beside the score when passages are chosen. The chosen are still listed by score.
    pub diversity: Option<f32>,
}

impl fmt::Debug for SearchRequest<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SearchRequest({} bytes, {:?}, top {})", self.query.len(), self.mode, self.top_k)
    }
}

/// A passage that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// What orders the list.
    pub score: f32,
    /// The BM25 score, if a word matched.
    pub keyword: Option<f32>,
    /// The cosine, if both sides have a vector of one space.
    pub vector: Option<f32>,
    /// The passage.
    pub chunk: Arc<ChunkRecord>,
    /// Its document.
    pub document: Arc<DocumentRecord>,
}
