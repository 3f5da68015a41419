//! Short texts that travel beside a document.

use crate::{assemble::clean, prepare::SanitizePolicy};

/// Rounds until a label has settled.
const ROUNDS_MAX: usize = 8;

/// Sanitises a short text that travels beside a document: a title, a URI, a metadata value.
///
/// The guarantees hold for the result, instructions and credentials are taken out whatever the policy, and benign text comes through byte for byte.
#[must_use]
pub fn sanitize_label(text: &str) -> String {
    let mut label = text.to_owned();
    for _ in 0..ROUNDS_MAX {
        let Ok(cleaned) = clean(label.clone(), SanitizePolicy::Strip) else { return String::new() };
        if cleaned.draft.text() == label {
            return label;
        }
        // What is trimmed may have kept the rest from being what it looks like now.
        label = cleaned.draft.into_text().trim().to_owned();
    }
    // Fail closed: a label that cannot be sanitised is no label.
    String::new()
}
