//! The block structure of plain text and Markdown, line by line.
//!
//! An own scanner instead of a CommonMark parser: the chunker needs only where blocks begin and end, the sanitiser needs the same answer about code on texts that it is still editing, and one pass over lines cannot be made quadratic by nesting.

use std::ops::Range;

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    /// A heading with its level and its title.
    Heading { level: u8, title: String },
    /// Running text.
    Paragraph,
    /// Consecutive list items.
    List,
    /// Table rows.
    Table,
    /// Code: fenced.
    Code,
}

/// A block and the bytes it covers, without the line break at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) kind: BlockKind,
    pub(crate) range: Range<usize>,
}

/// Cuts a text into blocks.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    let mut fence: Option<(char, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let range = at..at + line.trim_end_matches(['\n', '\r']).len();
        at += line.len();
        let content = &text[range.clone()];
        if let Some((mark, length)) = fence {
            if let Some(block) = &mut open {
                block.range.end = range.end;
            }
            if closes_fence(content, mark, length) {
                fence = None;
                found.extend(open.take());
            }
            continue;
        }
        if let Some(opening) = opens_fence(content) {
            found.extend(open.replace(Block { kind: BlockKind::Code, range }));
            fence = Some(opening);
            continue;
        }
        let kind = match line_kind(content) {
            None => {
                found.extend(open.take());
                continue;
            }
            Some(kind) => kind,
        };
        match (&mut open, kind) {
            (Some(block), LineKind::Underline(level))
                if block.kind == BlockKind::Paragraph && one_line(text, block) =>
            {
                let title = text[block.range.clone()].trim().to_owned();
                block.kind = BlockKind::Heading { level, title };
                block.range.end = range.end;
                found.extend(open.take());
            }
            (_, LineKind::Heading(level, title)) => {
                found.extend(open.take());
                found.push(Block { kind: BlockKind::Heading { level, title }, range });
            }
            (Some(block), kind) if continues(&block.kind, &kind) => block.range.end = range.end,
            (_, kind) => found.extend(open.replace(Block { kind: kind.block(), range })),
        }
    }
    found.extend(open);
    found
}

/// The ranges of fenced code: those of [`blocks`], found by the fences alone.
pub(crate) fn code_ranges(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    if !text.contains("```") && !text.contains("~~~") {
        return found;
    }
    let mut open: Option<(Range<usize>, char, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let range = at..at + line.trim_end_matches(['\n', '\r']).len();
        at += line.len();
        let content = &text[range.clone()];
        if let Some((block, mark, length)) = &mut open {
            block.end = range.end;
            if closes_fence(content, *mark, *length) {
                found.extend(open.take().map(|(block, ..)| block));
            }
        } else if let Some((mark, length)) = opens_fence(content) {
            open = Some((range, mark, length));
        }
    }
    found.extend(open.map(|(block, ..)| block));
    found
}

enum LineKind {
    Heading(u8, String),
    Underline(u8),
    Item,
    Row,
    Text,
}

impl LineKind {
    const fn block(&self) -> BlockKind {
        match self {
            Self::Item => BlockKind::List,
            Self::Row => BlockKind::Table,
            _ => BlockKind::Paragraph,
        }
    }
}

fn continues(block: &BlockKind, line: &LineKind) -> bool {
    match block {
        BlockKind::Paragraph => matches!(line, LineKind::Text | LineKind::Underline(_)),
        BlockKind::List => matches!(line, LineKind::Item | LineKind::Text | LineKind::Underline(_)),
        BlockKind::Table => matches!(line, LineKind::Row | LineKind::Underline(_)),
        BlockKind::Heading { .. } | BlockKind::Code => false,
    }
}

/// What a line is by itself; `None` if it is blank.
fn line_kind(line: &str) -> Option<LineKind> {
    let content = line.trim();
    if content.is_empty() {
        return None;
    }
    let marks = content.bytes().take_while(|byte| *byte == b'#').count();
    if let 1..=6 = marks
        && (content.len() == marks || content[marks..].starts_with([' ', '\t']))
    {
        let level = u8::try_from(marks).unwrap_or(6);
        return Some(LineKind::Heading(level, content.trim_matches('#').trim().to_owned()));
    }
    if content.bytes().all(|byte| byte == b'=') {
        return Some(LineKind::Underline(1));
    }
    if content.len() > 1 && content.bytes().all(|byte| byte == b'-') {
        return Some(LineKind::Underline(2));
    }
    if is_item(content) {
        return Some(LineKind::Item);
    }
    let row = content.starts_with('|') || content.contains(" | ");
    Some(if row { LineKind::Row } else { LineKind::Text })
}

fn is_item(content: &str) -> bool {
    if ["- ", "* ", "+ ", "• "].iter().any(|mark| content.starts_with(mark)) {
        return true;
    }
    let digits = content.bytes().take_while(u8::is_ascii_digit).count();
    (1..=3).contains(&digits) && [". ", ") "].iter().any(|mark| content[digits..].starts_with(mark))
}

fn one_line(text: &str, block: &Block) -> bool {
    let range = &block.range;
    range.len() <= 200 && !text[range.clone()].contains('\n')
}

fn opens_fence(line: &str) -> Option<(char, usize)> {
    let content = line.trim_start();
    let mark = content.chars().next().filter(|mark| ['`', '~'].contains(mark))?;
    let length = content.chars().take_while(|character| *character == mark).count();
    (length >= 3 && !content[length..].contains('`')).then_some((mark, length))
}

fn closes_fence(line: &str, mark: char, length: usize) -> bool {
    let content = line.trim();
    content.len() >= length && content.chars().all(|character| character == mark)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, proptest};

    use super::{BlockKind, blocks, code_ranges};

    #[test]
    fn structure_is_found() {
        let text = "# One\nfirst\nstill first\n\n- a\n- b\n  more\n\nTwo\n---\n| a | b |\n|---|---|\n```rs\n# no heading\n\ncode\n```\nend";
        let kinds: Vec<(BlockKind, &str)> =
            blocks(text).into_iter().map(|block| (block.kind, &text[block.range])).collect();
        let heading = |level, title: &str| BlockKind::Heading { level, title: title.to_owned() };
        assert_eq!(
            kinds,
            vec![
                (heading(1, "One"), "# One"),
                (BlockKind::Paragraph, "first\nstill first"),
                (BlockKind::List, "- a\n- b\n  more"),
                (heading(2, "Two"), "Two\n---"),
                (BlockKind::Table, "| a | b |\n|---|---|"),
                (BlockKind::Code, "```rs\n# no heading\n\ncode\n```"),
                (BlockKind::Paragraph, "end"),
            ]
        );
    }

    #[test]
    fn an_unclosed_fence_runs_to_the_end() {
        let found = blocks("~~~\na\n\nb");
        assert_eq!((found.len(), &found[0].kind, found[0].range.clone()), (1, &BlockKind::Code, 0..8));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn code_is_the_same_by_its_fences_alone(text in "((```|~~~|````| ``` ?|~~~~|`)?[a`~# -]{0,4}\r?\n){0,12}") {
            let code = blocks(&text).into_iter().filter(|block| block.kind == BlockKind::Code);
            assert_eq!(code_ranges(&text), code.map(|block| block.range).collect::<Vec<_>>(), "{text:?}");
        }
    }
}
