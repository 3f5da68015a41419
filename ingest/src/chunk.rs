//! Cutting a text into passages along its structure.
//!
//! A passage never crosses a heading. Blocks are packed up to a target; a block that is too long by itself is cut at the best place near the target: a line, a sentence, a word, at last a grapheme.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::blocks::{Block, BlockKind, blocks};

/// A passage is closed once it has this many bytes.
const TARGET_BYTES: usize = 1000;
/// No passage has more bytes than this.
const MAX_BYTES: usize = 2000;
/// The search for a good place to cut goes back no further than this.
const LOOK_BACK_BYTES: usize = 600;
/// A heading path is kept to this many bytes a step, so that it cannot carry a document.
const HEADING_BYTES: usize = 120;

/// A passage: its bytes and the headings above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    pub(crate) range: Range<usize>,
    pub(crate) heading: String,
}

/// Cuts a text into passages. The same text is always cut the same way.
pub(crate) fn passages(text: &str) -> Vec<Passage> {
    let mut cutter = Cutter { text, path: Vec::new(), open: None, passages: Vec::new() };
    for block in blocks(text) {
        cutter.take(block);
    }
    cutter.close();
    cutter.passages
}

struct Cutter<'a> {
    text: &'a str,
    path: Vec<(u8, String)>,
    open: Option<Range<usize>>,
    passages: Vec<Passage>,
}

impl Cutter<'_> {
    fn take(&mut self, block: Block) {
        if let BlockKind::Heading { level, title } = block.kind {
            // Headings in a row stay together, so that no passage is a bare heading.
            let only_headings = self.open.as_ref().is_some_and(|open| self.is_bare_heading(open));
            if !only_headings {
                self.close();
            }
            self.path.retain(|(above, _)| *above < level);
            self.path.push((level, shorten(&title)));
            self.extend(block.range);
            return;
        }
        self.extend(block.range);
    }

    fn is_bare_heading(&self, range: &Range<usize>) -> bool {
        range.len() < 200
            && blocks(&self.text[range.clone()]).iter().all(|block| matches!(block.kind, BlockKind::Heading { .. }))
    }

    fn extend(&mut self, range: Range<usize>) {
        let start = self.open.as_ref().map_or(range.start, |open| open.start);
        let fits = range.end - start <= TARGET_BYTES + TARGET_BYTES / 5;
        let open_is_small = self.open.as_ref().is_none_or(|open| open.len() < TARGET_BYTES / 5);
        if fits || (open_is_small && range.end - start <= MAX_BYTES) {
            self.open = Some(start..range.end);
        } else if range.len() <= MAX_BYTES && !open_is_small {
            self.close();
            self.open = Some(range);
        } else {
            self.open = Some(start..range.end);
            self.split();
        }
        if self.open.as_ref().is_some_and(|open| open.len() >= TARGET_BYTES) {
            self.close();
        }
    }

    /// Cuts what is open until the rest fits.
    fn split(&mut self) {
        while let Some(open) = self.open.clone().filter(|open| open.len() > MAX_BYTES) {
            let cut = cut_before(self.text, open.start, open.start + TARGET_BYTES + TARGET_BYTES / 5);
            self.open = Some(open.start..cut);
            self.close();
            self.open = Some(cut..open.end);
        }
    }

    fn close(&mut self) {
        let Some(range) = self.open.take() else { return };
        let range = trim(self.text, range);
        if !range.is_empty() {
            let heading = self.path.iter().map(|(_, title)| title.as_str()).filter(|title| !title.is_empty());
            let heading = heading.collect::<Vec<_>>().join(" › ");
            self.passages.push(Passage { range, heading });
        }
    }
}

/// The best place to cut in `(start, limit]`.
fn cut_before(text: &str, start: usize, limit: usize) -> usize {
    let limit = text.floor_char_boundary(limit);
    let from = text.floor_char_boundary(limit.saturating_sub(LOOK_BACK_BYTES).max(start + 1));
    let window = &text[from..limit];
    let place = ["\n\n", "\n", ". ", "。", "! ", "? ", "; ", " "]
        .iter()
        .find_map(|mark| window.rfind(mark).map(|at| from + at + mark.len()))
        .filter(|place| *place > start);
    place.unwrap_or_else(|| grapheme_before(text, start, limit))
}

/// The last grapheme boundary before a limit; a grapheme of absurd length is cut at a character.
fn grapheme_before(text: &str, start: usize, limit: usize) -> usize {
    let from = text.floor_char_boundary(limit.saturating_sub(64).max(start));
    let end = text.floor_char_boundary((limit + 64).min(text.len()));
    let boundaries = text[from..end].grapheme_indices(true).map(|(at, _)| from + at);
    boundaries.take_while(|at| *at <= limit).last().filter(|at| *at > start && *at > from).unwrap_or(limit)
}

/// Drops white space at the end and blank lines at the start; indentation stays.
fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let content = text[range.clone()].trim_end();
    let blank = content.len() - content.trim_start().len();
    let lead = content[..blank].rfind('\n').map_or(0, |at| at + 1);
    range.start + lead..range.start + content.len().max(lead)
}

fn shorten(title: &str) -> String {
    title[..title.floor_char_boundary(HEADING_BYTES)].trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, proptest};

    use super::{MAX_BYTES, passages};

    fn texts(text: &str) -> Vec<(&str, String)> {
        passages(text).into_iter().map(|passage| (&text[passage.range], passage.heading)).collect()
    }

    #[test]
    fn sections_become_passages_with_their_path() {
        let text = "intro\n\n# A\n\none\n\n## B\n\ntwo\n\n# C\nthree";
        let expected = [("intro", ""), ("# A\n\none", "A"), ("## B\n\ntwo", "A › B"), ("# C\nthree", "C")];
        assert_eq!(texts(text), expected.map(|(text, heading)| (text, heading.to_owned())));
    }

    #[test]
    fn long_text_is_cut_at_sentences() {
        let text = "A sentence of some length. ".repeat(200);
        let cut = passages(&text);
        assert!(cut.len() >= 3);
        for passage in &cut {
            assert!(text[passage.range.clone()].ends_with('.'));
            assert!(passage.range.len() <= MAX_BYTES);
        }
    }

    #[test]
    fn one_endless_word_is_cut_hard() {
        let text = "x".repeat(10_000);
        assert_eq!(passages(&text).iter().map(|passage| passage.range.len()).sum::<usize>(), 10_000);
        let zalgo = format!("e{}", "\u{301}".repeat(5000));
        assert!(passages(&zalgo).iter().all(|passage| passage.range.len() <= MAX_BYTES));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn passages_are_ordered_and_lose_only_white_space(text in "([a-zé \\n#-]{0,40}\\n){0,60}|[x👩🏽‍💻é]{0,4000}") {
            let mut end = 0;
            for passage in passages(&text) {
                assert!(passage.range.start >= end && passage.range.len() <= MAX_BYTES);
                assert!(text[end..passage.range.start].trim().is_empty());
                end = passage.range.end;
            }
            assert!(text[end..].trim().is_empty());
        }
    }
}
