//! A text as a detector should see it: compatibility forms resolved, case folded, invisible characters gone, each byte mapped to its origin.

use std::ops::Range;

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use crate::sanitize::invisible::is_invisible;

/// A folded line.
pub(crate) struct Folded {
    pub(crate) text: String,
    /// For each byte of the folded text the range of the character it came from.
    origins: Vec<(u32, u8)>,
}

impl Folded {
    /// Folds with compatibility forms and case.
    pub(crate) fn new(text: &str) -> Self {
        let mut folded = Self { text: String::with_capacity(text.len()), origins: Vec::with_capacity(text.len()) };
        for (at, character) in text.char_indices() {
            folded.take(at, character);
        }
        folded
    }

    fn take(&mut self, at: usize, character: char) {
        if character.is_ascii() {
            self.push(at, 1, character.to_ascii_lowercase());
        } else if !is_invisible(character) {
            for part in std::iter::once(character).nfkc().flat_map(char::to_lowercase) {
                if !is_combining_mark(part) {
                    self.push(at, character.len_utf8(), part);
                }
            }
        }
    }

    fn push(&mut self, at: usize, len: usize, character: char) {
        self.text.push(character);
        // INVARIANT: a document is at most 16 MiB and a character at most 4 bytes; saturating keeps the types honest.
        let origin = (u32::try_from(at).unwrap_or(u32::MAX), u8::try_from(len).unwrap_or(4));
        self.origins.extend(std::iter::repeat_n(origin, character.len_utf8()));
    }

    /// The range of the original line that a range of the folded one came from.
    pub(crate) fn origin(&self, range: &Range<usize>) -> Range<usize> {
        let Some(first) = self.origins.get(range.start) else { return 0..0 };
        let last = self.origins[range.end.max(range.start + 1) - 1];
        first.0 as usize..last.0 as usize + usize::from(last.1)
    }
}

#[cfg(test)]
mod tests {
    use super::Folded;

    #[test]
    fn folding_maps_back() {
        let text = "é＜|IM\u{200b}_Start|>";
        let folded = Folded::new(text);
        assert_eq!(folded.text, "é<|im_start|>");
        let at = folded.text.find("im_start").expect("there");
        assert_eq!(&text[folded.origin(&(at..at + 8))], "IM\u{200b}_Start");
    }
}
