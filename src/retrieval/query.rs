//! What a search asks, within bounds.

use std::{collections::BTreeSet, fmt};

use ringfence_indexes::{Filter, Mode, Principal, Selection, Vector};

use crate::{context::ContextFormat, store::Trust};

/// The longest query in bytes.
pub const QUERY_BYTES_MAX: usize = 8 * 1_024;
/// How many passages are given where nothing is asked.
pub const TOP_K_DEFAULT: usize = 8;
/// The most passages of one answer.
pub const TOP_K_MAX: usize = 100;

/// Bytes taken for one token. An estimate: tokenizers differ, and four bytes a token is common for English prose.
const BYTES_PER_TOKEN: usize = 4;

/// A query's text. It says as much about the one who asks as a document about its author, so it does not reach logs.
#[derive(Clone, PartialEq, Eq)]
pub struct QueryText(String);

/// One search, checked.
#[derive(Clone, Debug)]
pub struct Query {
    /// What is asked.
    pub text: QueryText,
    /// How many passages are wanted, 1 to [`TOP_K_MAX`].
    pub top_k: usize,
    /// The collections it is asked of.
    pub collections: Selection,
    /// Which documents take part.
    pub filter: Filter,
    /// How to rank.
    pub mode: Mode,
    /// The query in the space of client vectors.
    pub vector: Option<Vector>,
    /// How many tokens the passages may have together, by estimate.
    pub max_tokens: Option<usize>,
    /// How many passages may come from one document.
    pub max_per_document: Option<usize>,
    /// How the context is rendered.
    pub format: ContextFormat,
    /// Whether the last word may go on without a `*`.
    pub prefix: bool,
    /// The least score of a passage.
    pub min_score: Option<f32>,
    /// Whether a passage is dropped that says almost the same as a better one.
    pub collapse_duplicates: bool,
    /// From 0 to 1: how much being unlike those already chosen counts.
    pub diversity: Option<f32>,
    /// The least trust of a passage's collection.
    pub min_trust: Trust,
    /// Who will see the answer beside the one who asks; what any of them may not read is not found.
    pub audience: Option<BTreeSet<Principal>>,
}

/// Why a query's text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQueryText {
    /// Nothing but blanks.
    #[error("must not be empty")]
    Empty,
    /// Too long.
    #[error("must have at most {QUERY_BYTES_MAX} bytes")]
    TooLong,
}

impl QueryText {
    /// Checks and wraps a text.
    ///
    /// # Errors
    /// [`InvalidQueryText`] says which bound it breaks.
    pub fn new(text: String) -> Result<Self, InvalidQueryText> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(InvalidQueryText::TooLong);
        }
        if text.trim().is_empty() {
            return Err(InvalidQueryText::Empty);
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for QueryText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "QueryText({} bytes)", self.0.len())
    }
}

/// How many tokens a text is taken to have: a quarter of its bytes, rounded up.
#[must_use]
pub const fn estimated_tokens(text: &str) -> usize {
    text.len().div_ceil(BYTES_PER_TOKEN)
}

/// How many of these texts, from the first on, fit into `max_tokens` together.
///
/// The list is cut at the first text that does not fit, so that no worse passage takes the place of a better one.
#[must_use]
pub fn fitting<'a>(texts: impl Iterator<Item = &'a str>, max_tokens: Option<usize>) -> usize {
    let Some(max_tokens) = max_tokens else { return texts.count() };
    texts
        .scan(0_usize, |used, text| {
            *used = used.saturating_add(estimated_tokens(text));
            Some(*used)
        })
        .take_while(|used| *used <= max_tokens)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_a_query() {
        assert_eq!(QueryText::new(" \t\n".to_owned()), Err(InvalidQueryText::Empty));
        assert!(QueryText::new("é".repeat(QUERY_BYTES_MAX / 2)).is_ok());
        assert_eq!(QueryText::new("x".repeat(QUERY_BYTES_MAX + 1)), Err(InvalidQueryText::TooLong));
    }

    #[test]
    fn shows_only_a_length() {
        let query = QueryText::new("salary of bo".to_owned()).unwrap();
        assert_eq!(format!("{query:?}"), "QueryText(12 bytes)");
    }

    #[test]
    fn cuts_at_the_first_text_that_does_not_fit() {
        let texts = ["12345678", "123456789", "1"];
        for (max_tokens, expected) in [(None, 3), (Some(0), 0), (Some(2), 1), (Some(4), 1), (Some(5), 2), (Some(6), 3)]
        {
            assert_eq!(fitting(texts.into_iter(), max_tokens), expected, "{max_tokens:?}");
        }
    }
}
