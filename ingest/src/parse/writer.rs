//! One way to write the normalised source, for every format with a structure of its own.

use crate::{
    fault::Fault,
    finding::{Action, Finding, FindingKind},
    parse::{Parsed, TEXT_BYTES_MAX},
    prepare::PrepareError,
};

/// Words from which an alternative text or a property is prose, which speaks, rather than a name.
const PROSE_WORDS: usize = 4;

/// What was written last: blocks are parted by a blank line, items and rows by a line break.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Block,
    Item,
    Row,
}

/// Takes a document block by block.
pub(crate) struct Writer {
    out: String,
    last: Last,
    findings: Vec<Finding>,
    is_full: bool,
}

impl Writer {
    pub(crate) const fn new() -> Self {
        Self { out: String::new(), last: Last::Nothing, findings: Vec::new(), is_full: false }
    }

    /// A heading: a section, a page, a sheet, a slide.
    pub(crate) fn heading(&mut self, level: u8, title: &str) {
        let title = one_line(title);
        if !title.is_empty() {
            let marks = "#".repeat(usize::from(level.clamp(1, 6)));
            self.write(Last::Block, "", &[&marks, " ", &title]);
        }
    }

    /// Running text; line breaks inside stay.
    pub(crate) fn paragraph(&mut self, text: &str) {
        let text = text.trim_matches(['\n', '\r']).trim_end();
        if !text.trim().is_empty() {
            self.write(Last::Block, "", &[text]);
        }
    }

    /// An item of a list at a depth from 0.
    pub(crate) fn item(&mut self, depth: usize, text: &str) {
        let text = one_line(text);
        if !text.is_empty() {
            self.write(Last::Item, &"  ".repeat(depth.min(8)), &["- ", &text]);
        }
    }

    /// A row of a table.
    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        let cells: Vec<String> = cells.iter().map(|cell| one_line(cell.as_ref())).collect();
        let used = cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
        if used > 0 {
            self.write(Last::Row, "", &[&cells[..used].join(" | ")]);
        }
    }

    /// A line that stays beside its neighbours.
    pub(crate) fn line(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.write(Last::Row, "", &[text.trim_end()]);
        }
    }

    /// What was written by another parser, with its findings.
    pub(crate) fn embed(&mut self, parsed: &Parsed) {
        let text = parsed.text.trim_end();
        let before = self.out.len();
        if text.trim().is_empty() {
            self.findings
                .extend(parsed.findings.iter().map(|finding| Finding { range: before..before, ..finding.clone() }));
            return;
        }
        self.write(Last::Block, "", &[text]);
        let start = self.out.len().saturating_sub(text.len());
        let moved = |at: usize| (start + at).min(self.out.len());
        let findings = parsed
            .findings
            .iter()
            .map(|finding| Finding { range: moved(finding.range.start)..moved(finding.range.end), ..finding.clone() });
        self.findings.extend(findings);
    }

    fn write(&mut self, kind: Last, indent: &str, parts: &[&str]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.out.len() + length + indent.len() + 2 > TEXT_BYTES_MAX {
            self.is_full = true;
            return;
        }
        match (self.last, kind) {
            (Last::Nothing, _) => {}
            (Last::Item, Last::Item) | (Last::Row, Last::Row) => self.out.push('\n'),
            _ => self.out.push_str("\n\n"),
        }
        self.out.push_str(indent);
        parts.iter().for_each(|part| self.out.push_str(part));
        self.last = kind;
    }

    /// Something that a person does not see stood here. Of one kind at one place, one is enough.
    pub(crate) fn report(&mut self, kind: FindingKind) {
        let at = self.out.len();
        let known = self.findings.iter().rev().take_while(|finding| finding.range.start == at);
        if known.clone().all(|finding| finding.kind != kind) {
            self.findings.push(Finding { kind, action: Action::Stripped, range: at..at });
        }
    }

    /// [`report`](Self::report)s a hidden text, if it is one.
    pub(crate) fn report_hidden(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.report(FindingKind::HiddenText);
        }
    }

    /// Reports an alternative text or a property that holds prose; a mere name says nothing to anybody.
    pub(crate) fn report_prose(&mut self, text: &str) {
        if text.split_whitespace().nth(PROSE_WORDS - 1).is_some() {
            self.report(FindingKind::HiddenText);
        }
    }

    /// Whether the text has grown beyond what a document may have.
    pub(crate) const fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) fn finish(self, title: Option<String>) -> Result<Parsed, PrepareError> {
        if self.is_full {
            return Err(PrepareError::Unparseable(Fault::TooLarge));
        }
        let title = title.map(|title| short_title(&title)).filter(|title| !title.is_empty());
        Ok(Parsed { text: self.out, title, findings: self.findings })
    }
}

/// A title of a readable length on one line.
pub(crate) fn short_title(title: &str) -> String {
    let title = one_line(title);
    title[..title.floor_char_boundary(300)].trim_end().to_owned()
}

/// Runs of white space as one blank.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::Writer;
    use crate::{finding::FindingKind, parse::TEXT_BYTES_MAX};

    #[test]
    fn blocks_are_parted_and_neighbours_are_not() {
        let mut writer = Writer::new();
        writer.heading(2, " A\n title ");
        writer.paragraph("one\ntwo\n");
        writer.item(0, "a");
        writer.item(1, "b");
        writer.row(&["x", " y\nz ", ""]);
        writer.row(&["", ""]);
        writer.report_hidden(" ");
        writer.report_hidden("seen by nobody");
        writer.report_hidden("nor this");
        writer.row(&["1", "", "3"]);
        let parsed = writer.finish(Some("  ".to_owned())).expect("fits");
        assert_eq!(parsed.text, "## A title\n\none\ntwo\n\n- a\n  - b\n\nx | y z\n1 |  | 3");
        assert_eq!(parsed.title, None);
        let places: Vec<_> = parsed.findings.iter().map(|finding| (finding.kind, finding.range.clone())).collect();
        assert_eq!(places, [(FindingKind::HiddenText, 39..39)]);
    }

    #[test]
    fn too_much_text_is_refused_and_not_cut() {
        let mut writer = Writer::new();
        let megabyte = "x".repeat(1 << 20);
        for _ in 0..=TEXT_BYTES_MAX >> 20 {
            writer.paragraph(&megabyte);
        }
        assert!(writer.finish(None).is_err());
    }
}
