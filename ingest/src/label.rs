//! Short texts that travel beside a document.

use crate::{assemble::clean, prepare::SanitizePolicy};

/// Sanitises a short text that travels beside a document: a title, a URI, a metadata value.
///
/// The guarantees hold for the result, instructions and credentials are taken out whatever the policy, and benign text comes through byte for byte.
#[must_use]
pub fn sanitize_label(text: &str) -> String {
    match clean(text.to_owned(), SanitizePolicy::Strip) {
        Ok(cleaned) if cleaned.draft.text() == text => text.to_owned(),
        Ok(cleaned) => cleaned.draft.into_text().trim().to_owned(),
        // Fail closed: a label that cannot be sanitised is no label.
        Err(_) => String::new(),
    }
}
