//! A text under edit that remembers where each byte came from.
//!
//! Detectors work on the current text; findings and spans speak of the normalised source. The draft maps one onto the other.

use std::ops::Range;

use crate::finding::FindingKind;

/// One change to a text: a range that goes, and what stands there instead (mostly nothing).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) range: Range<usize>,
    pub(crate) kind: FindingKind,
    pub(crate) replacement: &'static str,
}

impl Edit {
    /// An edit that takes a range out.
    pub(crate) const fn remove(range: Range<usize>, kind: FindingKind) -> Self {
        Self { range, kind, replacement: "" }
    }
}

/// A text and its origin. Invariant: pieces cover the text in order, without gaps and without empty pieces.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    text: String,
    pieces: Vec<Piece>,
    origin_len: usize,
}

#[derive(Clone, Debug)]
struct Piece {
    /// Where the piece begins in the current text.
    at: usize,
    len: usize,
    /// What it stands for in the source; as long as the piece if the bytes are the source's own.
    origin: Range<usize>,
    kept: bool,
}

impl Draft {
    /// A draft that equals its source.
    pub(crate) fn new(text: String) -> Self {
        let len = text.len();
        let pieces = if len == 0 { Vec::new() } else { vec![Piece { at: 0, len, origin: 0..len, kept: true }] };
        Self { text, pieces, origin_len: len }
    }

    /// The current text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The current text, given up by the draft.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// The source range that a range of the current text stands for.
    pub(crate) fn origin(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.origin_start(range.start);
        let end = if range.end > range.start { self.origin_end(range.end) } else { start };
        start..end.max(start)
    }

    fn origin_start(&self, at: usize) -> usize {
        match self.piece_at(at) {
            Some(piece) if piece.kept => piece.origin.start + (at - piece.at),
            Some(piece) => piece.origin.start,
            None => self.origin_len,
        }
    }

    fn origin_end(&self, at: usize) -> usize {
        match self.piece_at(at - 1) {
            Some(piece) if piece.kept => piece.origin.start + (at - piece.at),
            Some(piece) => piece.origin.end,
            None => self.origin_len,
        }
    }

    fn piece_at(&self, at: usize) -> Option<&Piece> {
        let index = self.pieces.partition_point(|piece| piece.at + piece.len <= at);
        self.pieces.get(index)
    }

    /// Applies edits, which must be in order and apart from each other (see [`tidy`]).
    pub(crate) fn apply(&mut self, edits: &[Edit]) {
        if edits.is_empty() {
            return;
        }
        let mut next =
            Self { text: String::with_capacity(self.text.len()), pieces: Vec::new(), origin_len: self.origin_len };
        let mut index = 0;
        let mut done = 0;
        for edit in edits {
            index = self.copy(&mut next, done..edit.range.start, index);
            if !edit.replacement.is_empty() {
                next.push(edit.replacement, self.origin(&edit.range), false);
            }
            done = edit.range.end;
        }
        self.copy(&mut next, done..self.text.len(), index);
        *self = next;
    }

    /// Copies a range of this draft onto the end of another, and returns the piece to go on from.
    fn copy(&self, onto: &mut Self, range: Range<usize>, mut index: usize) -> usize {
        while let Some(piece) = self.pieces.get(index) {
            let start = piece.at.max(range.start);
            let end = (piece.at + piece.len).min(range.end);
            if start < end {
                let origin = if piece.kept {
                    piece.origin.start + (start - piece.at)..piece.origin.start + (end - piece.at)
                } else {
                    piece.origin.clone()
                };
                onto.push(&self.text[start..end], origin, piece.kept);
            }
            if piece.at + piece.len > range.end {
                break;
            }
            index += 1;
        }
        index
    }

    fn push(&mut self, text: &str, origin: Range<usize>, kept: bool) {
        self.pieces.push(Piece { at: self.text.len(), len: text.len(), origin, kept });
        self.text.push_str(text);
    }
}

/// Sorts edits and joins those that overlap; the one that begins first gives the joined edit its kind.
pub(crate) fn tidy(mut edits: Vec<Edit>) -> Vec<Edit> {
    edits.retain(|edit| !edit.range.is_empty());
    edits.sort_by_key(|edit| (edit.range.start, std::cmp::Reverse(edit.range.end)));
    let mut tidied: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        match tidied.last_mut() {
            Some(last) if edit.range.start < last.range.end => last.range.end = last.range.end.max(edit.range.end),
            _ => tidied.push(edit),
        }
    }
    tidied
}

#[cfg(test)]
mod tests {
    use super::{Draft, Edit, tidy};
    use crate::finding::FindingKind;

    fn edit(range: std::ops::Range<usize>, replacement: &'static str) -> Edit {
        Edit { range, kind: FindingKind::ControlToken, replacement }
    }

    #[test]
    fn edits_compose_and_map_back_to_the_source() {
        let mut draft = Draft::new("0123456789".to_owned());
        draft.apply(&[edit(2..4, ""), edit(6..7, "[x]")]);
        assert_eq!(draft.text(), "0145[x]789");
        assert_eq!(draft.origin(&(2..4)), 4..6);
        assert_eq!(draft.origin(&(4..7)), 6..7);
        draft.apply(&[edit(0..3, "")]);
        assert_eq!(draft.text(), "5[x]789");
        assert_eq!(draft.origin(&(0..1)), 5..6);
        assert_eq!(draft.origin(&(4..7)), 7..10);
        assert_eq!(draft.origin(&(7..7)), 10..10);
    }

    #[test]
    fn overlapping_edits_become_one() {
        let tidied = tidy(vec![edit(5..9, ""), edit(1..3, ""), edit(2..6, "")]);
        assert_eq!(tidied, vec![edit(1..9, "")]);
    }
}
