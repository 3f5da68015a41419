//! Words: what a text is cut into, the postings of a segment, and BM25 over a scope.
//!
//! A class has postings of its own, or, if it is small, a list for each of its rows in a slab that is read by rows. So a search never passes over the words
//! of documents that the reader may not see: not in its statistics and not in its time. tantivy cuts the text and holds the postings of large segments; the scores are ours,
//! because tantivy counts deleted documents and breaks ties by where they lie.

pub(crate) mod analyzer;
mod bigrams;
pub(crate) mod bm25;
pub(crate) mod forward;
mod inverted;
pub(crate) mod kind;
mod packed;
pub(crate) mod phrase;
pub(crate) mod postings;
mod prefix;
pub(crate) mod query;
mod statistics;
mod width;
