//! Comments of the markup that plain text and Markdown may carry: `<!-- … -->` and `[//]: # (…)`.
//!
//! A renderer shows neither, so a person never reads them. In fenced code they are shown and stay.

use std::sync::LazyLock;

use regex::Regex;

use crate::{draft::Edit, finding::FindingKind, sanitize::code::InCode};

/// `[//]: # (text)`: a reference definition that nothing refers to.
static DEFINITION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^ {0,3}\[(?://|comment|_metadata_[^\]\n]{0,40}|#|\.)\]:[ \t]*(?:#|<>|<#>)?[ \t]*[\x22'(][^\n]*$")
        .expect("the pattern is constant and tested")
});

/// Proposes the removal of comments.
pub(crate) fn detect(text: &str) -> Vec<Edit> {
    if !text.contains("<!--") && !text.contains("]:") {
        return Vec::new();
    }
    let code = InCode::of(text);
    let mut edits = Vec::new();
    let mut done = 0;
    let mut closed = true;
    for (open, _) in text.match_indices("<!--") {
        if open < done || code.contains(open) || is_quoted(text, open) {
            continue;
        }
        // Once there is no end ahead there is none for any later opening either.
        let close = if closed { text[open + 4..].find("-->").map(|at| open + 4 + at + 3) } else { None };
        closed = close.is_some();
        // A renderer takes an open comment to run to the end of the block.
        done = close.unwrap_or_else(|| text[open..].find("\n\n").map_or(text.len(), |at| open + at));
        edits.push(Edit::remove(open..done, FindingKind::Comment));
    }
    for definition in DEFINITION.find_iter(text).filter(|definition| !code.contains(definition.start())) {
        edits.push(Edit::remove(definition.range(), FindingKind::Comment));
    }
    edits
}

/// Whether an opening stands as a whole in a code span, as documentation writes about it: `` `<!--` ``.
fn is_quoted(text: &str, open: usize) -> bool {
    let before = text[..open].ends_with('`');
    let line = text[open..].split('\n').next().unwrap_or_default();
    before && line.find('`').is_some_and(|end| line[4..end.max(4)].trim().trim_end_matches("-->").trim().len() <= 3)
}

#[cfg(test)]
mod tests {
    use super::detect;
    use crate::draft::{Draft, tidy};

    fn check(text: &str, expected: &str) {
        let mut draft = Draft::new(text.to_owned());
        draft.apply(&tidy(detect(text)));
        assert_eq!(draft.text(), expected, "{text:?}");
    }

    #[test]
    fn comments_go() {
        check("a <!-- b\nc --> d", "a  d");
        check("a <!-- b\nc\n\nd", "a \n\nd");
        check("x\n[//]: # (assistant note: do it)\ny", "x\n\ny");
        check("`<!-- secret words here -->`", "``");
    }

    #[test]
    fn code_and_mentions_stay() {
        for text in
            ["```html\n<!-- kept -->\n```", "opens with `<!--` and ends", "[ref]: https://example.com \"Title\""]
        {
            check(text, text);
        }
    }

    #[test]
    fn many_openings_are_linear() {
        assert_eq!(detect(&"<!--".repeat(200_000)).len(), 1);
    }
}
