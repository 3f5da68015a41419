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
#[cfg(any(test, feature = "training"))]
pub mod training;
mod untrusted;

use std::sync::LazyLock;

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

/// The version of the rules of the sanitiser and the redactor.
pub const RULES_VERSION: &str = "3";

/// The version of everything that judges a document, rules and model: `rules-3+model-1f2e3d4c`. A store keeps it beside each document, because another version may judge differently.
#[must_use]
pub fn sanitizer_version() -> String {
    static VERSION: LazyLock<String> =
        LazyLock::new(|| format!("rules-{RULES_VERSION}+model-{}", sanitize::instruction::model::shipped_digest()));
    VERSION.clone()
}
