//! Words: what a text is cut into, the postings of a segment, and BM25 over a scope.
//!
//! Every class has postings of its own, so a search never passes over the words of documents that the reader may not see:
//! not in its statistics and not in its time. General search libraries keep one dictionary for all documents and count the deleted ones.

pub(crate) mod analyzer;
pub(crate) mod bm25;
pub(crate) mod postings;
