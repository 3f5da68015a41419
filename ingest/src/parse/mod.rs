//! From decoded text to the normalised source: what a person would read, and what was hidden from that person.

mod html;
mod text;

use crate::{finding::Finding, prepare::PrepareError, source::MediaType};

/// What a parser yields.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// The normalised source: text with Markdown-like structure, lines ended by `\n`.
    pub(crate) text: String,
    /// The title, if the format has one.
    pub(crate) title: Option<String>,
    /// What the format hides, which is not in the text.
    pub(crate) findings: Vec<Finding>,
}

/// Parses a text of a format.
pub(crate) fn parse(media_type: MediaType, text: &str) -> Result<Parsed, PrepareError> {
    match media_type {
        MediaType::Plain => Ok(text::parse(text, false)),
        MediaType::Markdown => Ok(text::parse(text, true)),
        MediaType::Html => html::parse(text),
    }
}
