//! From a file to the normalised source: what a person would read, and what was hidden from that person.
//!
//! A parser may be given anything. It has bounds on nesting, on unpacked bytes and on the text that it may yield; what gets past them (memory, time, a bug) ends in the cage.

pub(crate) mod archive;
mod color;
mod csv;
mod docx;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod mail;
mod odt;
mod package;
mod pdf;
mod pptx;
mod rtf;
pub(crate) mod text;
mod writer;
mod xlsx;
mod xml;

use crate::{
    fault::Fault,
    finding::Finding,
    media_type::MediaType,
    prepare::PrepareError,
    source::{Body, Opened},
};

/// No document has more text than this: as much as a plain text may be long.
pub(crate) const TEXT_BYTES_MAX: usize = 16 << 20;

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

/// Parses a file.
pub(crate) fn parse(opened: Opened<'_>) -> Result<Parsed, PrepareError> {
    let parsed = match (opened.media_type, opened.body) {
        (MediaType::Plain, Body::Text(text)) => text::parse(&text, false),
        (MediaType::Markdown, Body::Text(text)) => text::parse(&text, true),
        (MediaType::Html, Body::Text(text)) => html::parse(&text)?,
        (MediaType::Csv, Body::Text(text)) => csv::parse(&text, None)?,
        (MediaType::Tsv, Body::Text(text)) => csv::parse(&text, Some('\t'))?,
        (MediaType::Json, Body::Text(text)) => json::parse(&text)?,
        (MediaType::Mail, Body::Bytes(bytes)) => mail::parse(bytes)?,
        (MediaType::Rtf, Body::Bytes(bytes)) => rtf::parse(bytes)?,
        (MediaType::Pdf, Body::Bytes(bytes)) => pdf::parse(bytes)?,
        (MediaType::Docx, Body::Archive(archive)) => docx::parse(&archive)?,
        (MediaType::Pptx, Body::Archive(archive)) => pptx::parse(&archive)?,
        (MediaType::Xlsx, Body::Archive(archive)) => xlsx::parse(&archive)?,
        (MediaType::Odt, Body::Archive(archive)) => odt::parse(&archive)?,
        // `source::open` pairs each format with its body.
        _ => return Err(PrepareError::Unparseable(Fault::MissingPart)),
    };
    if parsed.text.len() > TEXT_BYTES_MAX {
        return Err(PrepareError::Unparseable(Fault::TooLarge));
    }
    Ok(parsed)
}
