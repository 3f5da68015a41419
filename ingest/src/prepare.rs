//! The façade: a source in, prepared chunks and findings out.

use std::ops::Range;

use crate::{
    assemble::{Assembly, clean},
    chunk::{Passage, passages},
    fault::Fault,
    finding::Finding,
    media_type::MediaType,
    parse,
    parsed::{ParsedDocument, parse_document},
    redact::RedactionCount,
    sanitize::SanitizerFailed,
    source,
    untrusted::UntrustedText,
};

/// A document as it came in.
#[derive(Clone, Debug)]
pub struct Source {
    /// The title given by the client; else the parser's, if the format has one.
    pub title: Option<String>,
    /// The content.
    pub content: Content,
}

/// The content of a source.
#[derive(Clone)]
pub enum Content {
    /// Text given in a JSON field: Markdown if it is any, else plain.
    Text(String),
    /// A file with its declared media type (`None`: decide by content).
    File {
        /// The bytes as they came.
        bytes: Vec<u8>,
        /// The declared media type, parameters included.
        media_type: Option<String>,
    },
    /// A client that cuts by itself: one entry a chunk.
    Chunks(Vec<String>),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "Text({} bytes)", text.len()),
            Self::File { bytes, media_type } => write!(formatter, "File({} bytes, {media_type:?})", bytes.len()),
            Self::Chunks(chunks) => write!(formatter, "Chunks({})", chunks.len()),
        }
    }
}

/// What a collection wants done with text that speaks to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SanitizePolicy {
    /// Take it out.
    #[default]
    Strip,
    /// Leave it and say so.
    Flag,
    /// Hold the document back.
    Quarantine,
}

/// How to prepare a document.
#[derive(Clone, Debug, Default)]
pub struct PrepareOptions {
    /// What to do with instructions. Guarantees (invisible characters, control tokens, exfiltration, credentials) are always enforced.
    pub policy: SanitizePolicy,
    /// Accepted media types, without parameters; empty accepts every supported type.
    pub accept: Vec<String>,
}

/// A document that may enter an index.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The sanitised title.
    pub title: Option<UntrustedText>,
    /// The detected media type.
    pub media_type: &'static str,
    /// The chunks in document order; empty for a document that is held back or has no visible text.
    pub chunks: Vec<PreparedChunk>,
    /// Everything that was found, in order of position.
    pub findings: Vec<Finding>,
    /// How many findings were stripped or masked.
    pub removed: usize,
    /// Whether the document must be held back, and why.
    pub quarantine: Option<QuarantineReason>,
}

/// Why a document is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuarantineReason {
    /// The collection's policy holds back what was found.
    Policy,
    /// The sanitiser failed; nothing passes unsanitised.
    SanitizerFailed,
    /// A newer version refuses what an older one took.
    Refused,
}

/// A sanitised passage that may be indexed. Only [`prepare`](crate::prepare) makes one.
///
/// ```compile_fail
/// let chunk = ringfence_ingest::PreparedChunk { text: todo!(), span: 0..1, ordinal: 0 }; // private fields: nothing enters an index unsanitised
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedChunk {
    pub(crate) text: UntrustedText,
    pub(crate) heading: Box<str>,
    pub(crate) span: Range<usize>,
    pub(crate) ordinal: u32,
    pub(crate) findings: Box<[Finding]>,
    pub(crate) masked: Box<[RedactionCount]>,
}

impl PreparedChunk {
    /// The sanitised text.
    #[must_use]
    pub const fn text(&self) -> &UntrustedText {
        &self.text
    }

    /// The headings above the chunk, outermost first, joined by ` › `; empty where there are none.
    #[must_use]
    pub fn heading(&self) -> &str {
        &self.heading
    }

    /// The bytes of the normalised source that the chunk covers.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The position in the document, from 0; for client chunks the index of the client's entry.
    #[must_use]
    pub const fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// The findings inside the span.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Credentials that were masked before indexing.
    #[must_use]
    pub fn masked(&self) -> &[RedactionCount] {
        &self.masked
    }

    /// A chunk that the store gives back. The caller vouches that it was written by [`prepare`](crate::prepare).
    #[must_use]
    pub fn assert_prepared(
        text: UntrustedText,
        heading: String,
        span: Range<usize>,
        ordinal: u32,
        findings: Vec<Finding>,
        masked: Vec<RedactionCount>,
    ) -> Self {
        Self { text, heading: heading.into(), span, ordinal, findings: findings.into(), masked: masked.into() }
    }
}

/// Why a document cannot be prepared. Nothing of it is kept.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PrepareError {
    /// 415: no parser for the type, or the collection does not accept it.
    #[error("media type `{0}` is not supported here")]
    UnsupportedMediaType(String),
    /// 415: the content is not what the declared type says.
    #[error("the content is {detected}, not the declared `{declared}`")]
    DisguisedMediaType {
        /// What the client said.
        declared: String,
        /// What the bytes say.
        detected: &'static str,
    },
    /// 422: the parser refused.
    #[error("the document cannot be parsed: {0}")]
    Unparseable(Fault),
    /// 422: a document without text.
    #[error("the document has no text")]
    Empty,
}

/// Parses, sanitises, masks credentials, and cuts into chunks.
///
/// The parser runs in this process: whoever has a cage calls [`parse_document`] in there, and [`prepare_parsed`] with what comes out.
///
/// # Errors
/// [`PrepareError`] where the document is refused as a whole.
pub fn prepare(source: Source, options: &PrepareOptions) -> Result<Prepared, PrepareError> {
    match source.content {
        Content::Text(text) => prepare_parsed(source.title, given_text(&text), options),
        Content::File { bytes, media_type } => {
            let parsed = parse_document(&bytes, media_type.as_deref(), &options.accept)?;
            drop(bytes);
            prepare_parsed(source.title, parsed, options)
        }
        Content::Chunks(chunks) => prepare_chunks(source.title, chunks, options),
    }
}

/// The normalised source: what the places of findings and the spans of chunks count in. It has not been sanitised.
///
/// A file that needs a parser comes with what the parser made of it.
///
/// # Errors
/// [`PrepareError`] where a file comes without that and cannot be parsed here.
pub fn normalized(content: &Content, parsed: Option<&ParsedDocument>) -> Result<UntrustedText, PrepareError> {
    let text = match (parsed, content) {
        (Some(parsed), _) => parsed.text.clone(),
        (None, Content::Text(text)) => given_text(text).text,
        (None, Content::File { bytes, media_type }) => parse_document(bytes, media_type.as_deref(), &[])?.text,
        (None, Content::Chunks(chunks)) => {
            let texts: Vec<String> = chunks.iter().map(|chunk| parse::text::parse(chunk, false).text).collect();
            texts.join("\n")
        }
    };
    Ok(UntrustedText::new(text))
}

fn given_text(text: &str) -> ParsedDocument {
    let media_type = source::detect_text(text);
    let parsed = parse::text::parse(text, media_type == MediaType::Markdown);
    ParsedDocument { title: parsed.title, media_type, text: parsed.text, findings: parsed.findings }
}

/// The part of [`prepare`] after the parser, which may have run in another process.
///
/// # Errors
/// [`PrepareError::Empty`] where there is nothing to prepare.
pub fn prepare_parsed(
    title: Option<String>,
    parsed: ParsedDocument,
    options: &PrepareOptions,
) -> Result<Prepared, PrepareError> {
    if parsed.text.trim().is_empty() && parsed.findings.is_empty() {
        return Err(PrepareError::Empty);
    }
    let title = title.or(parsed.title);
    let mut assembly = Assembly::new(title, parsed.media_type, parsed.findings);
    match clean(parsed.text, options.policy) {
        Ok(cleaned) => {
            let passages = passages(cleaned.draft.text());
            assembly.take(&cleaned, passages, 0, None);
        }
        Err(SanitizerFailed) => assembly.quarantine = Some(QuarantineReason::SanitizerFailed),
    }
    Ok(assembly.finish())
}

fn prepare_chunks(
    title: Option<String>,
    chunks: Vec<String>,
    options: &PrepareOptions,
) -> Result<Prepared, PrepareError> {
    if chunks.iter().all(|chunk| chunk.trim().is_empty()) {
        return Err(PrepareError::Empty);
    }
    let mut assembly = Assembly::new(title, MediaType::Plain, Vec::new());
    let mut offset = 0;
    for (index, chunk) in chunks.into_iter().enumerate() {
        let chunk = parse::text::parse(&chunk, false).text;
        let len = chunk.len();
        match clean(chunk, options.policy) {
            Ok(cleaned) => {
                let text = cleaned.draft.text();
                let passage = Passage { range: 0..text.len(), heading: String::new() };
                let passages = if text.trim().is_empty() { Vec::new() } else { vec![passage] };
                assembly.take(&cleaned, passages, offset, Some(index));
            }
            Err(SanitizerFailed) => assembly.quarantine = Some(QuarantineReason::SanitizerFailed),
        }
        // The normalised source of client chunks is their text joined by line breaks.
        offset += len + 1;
    }
    Ok(assembly.finish())
}
