//! Bytes in, prepared chunks and findings out.
//!
//! Pure: no tenants, ACLs, clock, network or disk. Every document is presumed written by an attacker.

mod assemble;
mod blocks;
mod chunk;
mod draft;
mod fault;
mod finding;
mod label;
mod media_type;
mod parse;
mod parsed;
mod prepare;
mod redact;
mod sanitize;
mod source;
mod untrusted;

pub use fault::Fault;
pub use finding::{Action, Finding, FindingKind};
pub use label::sanitize_label;
pub use parsed::{
    ANSWER_BYTES_MAX, ParsedDocument, check_declared, needs_parser, parse_document, read_answer, write_answer,
};
pub use prepare::{
    Content, PrepareError, PrepareOptions, Prepared, PreparedChunk, QuarantineReason, SanitizePolicy, Source,
    normalized, prepare, prepare_parsed,
};
pub use redact::{Redacted, RedactionCount, RedactionKind, redact};
pub use untrusted::UntrustedText;

/// The version of the sanitiser's and the redactor's rules, which a store keeps beside each document: a newer version may judge differently.
pub const RULES_VERSION: &str = "1";

/// The version of everything that decides what of a document is served, as one word: what a store keeps beside each document, and what answers show.
#[must_use]
pub fn sanitizer_version() -> String {
    format!("rules-{RULES_VERSION}")
}
