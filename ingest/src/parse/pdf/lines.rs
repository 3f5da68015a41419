//! From pieces of text with places to lines and paragraphs.
//!
//! The order is that of the file, which is the reading order in what word processors write; pieces are joined by where they stand.

use super::geometry::Rectangle;

/// A gap between two pieces, in parts of the size, from which it is a blank.
const BLANK_GAP: f64 = 0.1;
/// Pieces on one line differ in height by less than this part of the size.
const LINE_SHIFT: f64 = 0.45;
/// Lines of one paragraph are no further apart than this part of the size.
const PARAGRAPH_GAP: f64 = 1.9;

/// A shown string.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Where it begins.
    pub(super) start: (f64, f64),
    /// Where the next one would follow.
    pub(super) end: (f64, f64),
    /// The direction of writing, of length one.
    pub(super) along: (f64, f64),
    pub(super) size: f64,
    pub(super) text: String,
}

impl Piece {
    /// The space that its letters take.
    pub(super) fn bounds(&self) -> Rectangle {
        let mut bounds = Rectangle::from_corners(self.start, self.end);
        let up = (-self.along.1 * self.size * 0.7, self.along.0 * self.size * 0.7);
        bounds.include((self.start.0 + up.0, self.start.1 + up.1));
        bounds.include((self.end.0 + up.0, self.end.1 + up.1));
        bounds
    }
}

/// What stands between two pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    None,
    Blank,
    Line,
    Paragraph,
}

/// Joins the pieces of a page.
pub(super) fn join(pieces: &[Piece]) -> String {
    let mut text = String::new();
    let mut last: Option<&Piece> = None;
    for piece in pieces {
        match last.map(|last| gap(last, piece)) {
            Some(Gap::Blank) if !text.ends_with([' ', '\n']) && !piece.text.starts_with(' ') => text.push(' '),
            Some(Gap::Line) => end_line(&mut text, "\n"),
            Some(Gap::Paragraph) => end_line(&mut text, "\n\n"),
            _ => {}
        }
        push(&mut text, &piece.text);
        last = Some(piece);
    }
    text.truncate(text.trim_end().len());
    text
}

fn end_line(text: &mut String, mark: &str) {
    text.truncate(text.trim_end_matches(' ').len());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str(mark);
    }
}

fn gap(last: &Piece, piece: &Piece) -> Gap {
    let size = last.size.max(piece.size).max(0.1);
    let turned = last.along.0 * piece.along.0 + last.along.1 * piece.along.1 < 0.98;
    let step = (piece.start.0 - last.end.0, piece.start.1 - last.end.1);
    let forward = step.0 * last.along.0 + step.1 * last.along.1;
    let down = step.0 * last.along.1 - step.1 * last.along.0;
    if turned || down.abs() > size * PARAGRAPH_GAP || down < -size * LINE_SHIFT {
        Gap::Paragraph
    } else if down > size * LINE_SHIFT {
        Gap::Line
    } else if forward < -size * 1.5 {
        // Back on the same height: another column or a cell before it.
        Gap::Line
    } else if forward > size * BLANK_GAP {
        Gap::Blank
    } else {
        Gap::None
    }
}

/// Ligatures are one letter to the font and several to a reader.
fn push(text: &mut String, piece: &str) {
    for character in piece.chars() {
        match character {
            'ﬀ' => text.push_str("ff"),
            'ﬁ' => text.push_str("fi"),
            'ﬂ' => text.push_str("fl"),
            'ﬃ' => text.push_str("ffi"),
            'ﬄ' => text.push_str("ffl"),
            'ﬅ' | 'ﬆ' => text.push_str("st"),
            '\u{a0}' => text.push(' '),
            '\u{ad}' => text.push('-'),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, join};

    fn piece(x: f64, y: f64, width: f64, text: &str) -> Piece {
        Piece { start: (x, y), end: (x + width, y), along: (1.0, 0.0), size: 10.0, text: text.to_owned() }
    }

    #[test]
    fn pieces_are_joined_by_their_places() {
        let pieces = [
            piece(0.0, 100.0, 20.0, "Hel"),
            piece(20.2, 100.0, 10.0, "lo"),
            piece(33.0, 100.0, 20.0, "world"),
            piece(54.0, 103.0, 5.0, "2"),
            piece(0.0, 88.0, 20.0, "ﬁne "),
            piece(0.0, 50.0, 20.0, "next"),
            piece(100.0, 100.0, 20.0, "column"),
        ];
        assert_eq!(join(&pieces), "Hello world2\nfine\n\nnext\n\ncolumn");
    }
}
