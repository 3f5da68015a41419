//! Writing the visible text of a page as Markdown-like text.

use std::collections::HashMap;

use html5ever::{LocalName, tokenizer::Tag};

use super::hide::{Rules, attribute, hides, is_hidden_element, sets_background};
use crate::{
    finding::{Action, Finding, FindingKind},
    parse::Parsed,
};

/// A break that is owed before the next text; the largest owed one is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Break {
    None,
    Space,
    Line,
    Paragraph,
}

/// An element that is open.
struct Open {
    name: LocalName,
    background: bool,
}

/// The part of the stack that is out of sight.
struct Hidden {
    /// The length of the stack with the hiding element on it.
    depth: usize,
    /// Whether there was anything in it.
    has_text: bool,
}

/// Takes tags and text, and keeps the visible part.
pub(super) struct Renderer {
    out: String,
    owed: Break,
    /// Written before the next text: a heading mark, a list mark.
    prefix: String,
    stack: Vec<Open>,
    /// How many elements of a name are open, so that a stray end tag costs no search.
    open: HashMap<LocalName, usize>,
    backgrounds: usize,
    hidden: Option<Hidden>,
    pre: usize,
    lists: usize,
    cells: usize,
    row_has_cell: bool,
    title: String,
    first_heading: Option<(usize, usize)>,
    findings: Vec<Finding>,
    rules: Rules,
}

impl Renderer {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            out: String::new(),
            owed: Break::None,
            prefix: String::new(),
            stack: Vec::new(),
            open: HashMap::new(),
            backgrounds: 0,
            hidden: None,
            pre: 0,
            lists: 0,
            cells: 0,
            row_has_cell: false,
            title: String::new(),
            first_heading: None,
            findings: Vec::new(),
            rules,
        }
    }

    /// A start tag.
    pub(super) fn start(&mut self, tag: &Tag) {
        let name = &*tag.name;
        self.close_implied(name);
        if is_void(name) {
            self.void(tag);
            return;
        }
        if self.hidden.is_none() && name == "body" {
            self.end(&LocalName::from("head"));
        }
        let background = sets_background(tag);
        let hides = is_hidden_element(name) || hides(tag, &self.rules, self.backgrounds > 0);
        self.stack.push(Open { name: tag.name.clone(), background });
        *self.open.entry(tag.name.clone()).or_default() += 1;
        self.backgrounds += usize::from(background);
        if self.hidden.is_none() {
            if hides {
                self.hidden = Some(Hidden { depth: self.stack.len(), has_text: false });
            } else {
                self.enter(name);
            }
        } else if name == "body" {
            // A head without an end tag ends where the body begins.
            self.reveal_body();
        }
    }

    fn reveal_body(&mut self) {
        let in_head = self.hidden.as_ref().and_then(|hidden| self.stack.get(hidden.depth - 1));
        if in_head.is_some_and(|open| &*open.name == "head") {
            self.report_hidden();
        }
    }

    /// An end tag: closes up to the nearest open element of that name, if there is one.
    pub(super) fn end(&mut self, name: &LocalName) {
        if &**name == "br" || &**name == "p" && self.open.get(name).is_none_or(|count| *count == 0) {
            self.owe(Break::Line);
            return;
        }
        if self.open.get(name).is_none_or(|count| *count == 0) {
            return;
        }
        while let Some(top) = self.pop() {
            if top == *name {
                break;
            }
        }
    }

    /// Text.
    pub(super) fn text(&mut self, text: &str) {
        let in_title = self.stack.last().is_some_and(|open| &*open.name == "title");
        if in_title && self.open.get(&LocalName::from("svg")).is_none_or(|count| *count == 0) {
            self.title.push_str(text);
        } else if let Some(hidden) = &mut self.hidden {
            hidden.has_text |= !text.trim().is_empty();
        } else if self.pre > 0 {
            self.flush();
            self.out.push_str(&text.replace("\r\n", "\n").replace('\r', "\n"));
        } else {
            self.running_text(text);
        }
    }

    /// A comment.
    pub(super) fn comment(&mut self, comment: &str) {
        if !comment.trim().is_empty() {
            self.report(FindingKind::Comment);
        }
    }

    /// The result.
    pub(super) fn finish(mut self) -> Parsed {
        while self.pop().is_some() {}
        let mut title = squeeze(&self.title);
        if let (true, Some((start, end))) = (title.is_empty(), self.first_heading) {
            title = squeeze(&self.out[start..end]);
        }
        let text = self.out.trim_end().to_owned();
        for finding in &mut self.findings {
            finding.range = finding.range.start.min(text.len())..finding.range.end.min(text.len());
        }
        Parsed { text, title: (!title.is_empty()).then_some(title), findings: self.findings }
    }

    fn report(&mut self, kind: FindingKind) {
        let at = self.out.len();
        self.findings.push(Finding { kind, action: Action::Stripped, range: at..at });
    }

    fn report_hidden(&mut self) {
        if self.hidden.take().is_some_and(|hidden| hidden.has_text) {
            self.report(FindingKind::HiddenText);
        }
    }

    fn void(&mut self, tag: &Tag) {
        if self.hidden.is_some() {
            return;
        }
        match &*tag.name {
            "br" if self.pre > 0 => self.out.push('\n'),
            "br" => self.owe(if self.cells > 0 { Break::Space } else { Break::Line }),
            "hr" => self.owe(Break::Paragraph),
            // An alternative text is not seen where the image is.
            "img" if attribute(tag, "alt").is_some_and(|alt| alt.split_whitespace().count() > 1) => {
                self.report(FindingKind::HiddenText);
            }
            "input" if attribute(tag, "value").is_some_and(|value| value.split_whitespace().count() > 1) => {
                self.report(FindingKind::HiddenText);
            }
            _ => {}
        }
    }

    /// Closes what the start of an element closes by itself.
    fn close_implied(&mut self, name: &str) {
        while let Some(top) = self.stack.last() {
            let closes = match &*top.name {
                "p" => is_block(name),
                "li" => name == "li",
                "dt" | "dd" => matches!(name, "dt" | "dd"),
                "td" | "th" => matches!(name, "td" | "th" | "tr" | "tbody" | "thead" | "tfoot"),
                "tr" => matches!(name, "tr" | "tbody" | "thead" | "tfoot"),
                "option" => matches!(name, "option" | "optgroup"),
                _ => false,
            };
            if !closes || self.pop().is_none() {
                break;
            }
        }
    }

    fn enter(&mut self, name: &str) {
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.owe(Break::Paragraph);
                self.prefix = format!("{} ", "#".repeat(usize::from(name.as_bytes()[1] - b'0')));
                if name == "h1" && self.first_heading.is_none() {
                    self.first_heading = Some((usize::MAX, usize::MAX));
                }
            }
            "ul" | "ol" => {
                self.owe(if self.lists == 0 { Break::Paragraph } else { Break::Line });
                self.lists += 1;
            }
            "li" => {
                self.owe(Break::Line);
                self.prefix = format!("{}- ", "  ".repeat(self.lists.clamp(1, 5) - 1));
            }
            "pre" => {
                self.owe(Break::Paragraph);
                self.pre += 1;
                if self.pre == 1 {
                    self.flush();
                    self.out.push_str("```\n");
                }
            }
            "tr" => {
                self.owe(Break::Line);
                self.row_has_cell = false;
            }
            "td" | "th" => self.enter_cell(),
            name if is_block(name) => self.owe(self.block_break(name)),
            _ => {}
        }
    }

    fn enter_cell(&mut self) {
        if self.row_has_cell && self.pre == 0 {
            self.owed = self.owed.min(Break::None);
            if !self.out.is_empty() && !self.out.ends_with('\n') {
                self.out.push_str(" | ");
            }
        }
        self.row_has_cell = true;
        self.cells += 1;
    }

    fn block_break(&self, name: &str) -> Break {
        if self.cells > 0 {
            Break::Space
        } else if matches!(
            name,
            "p" | "section"
                | "article"
                | "table"
                | "blockquote"
                | "dl"
                | "figure"
                | "main"
                | "header"
                | "footer"
                | "nav"
        ) {
            Break::Paragraph
        } else {
            Break::Line
        }
    }

    /// Takes the top off the stack and does what its end means.
    fn pop(&mut self) -> Option<LocalName> {
        let depth = self.stack.len();
        let top = self.stack.pop()?;
        if let Some(count) = self.open.get_mut(&top.name) {
            *count = count.saturating_sub(1);
        }
        self.backgrounds -= usize::from(top.background);
        match &self.hidden {
            Some(hidden) if hidden.depth == depth => self.report_hidden(),
            Some(_) => {}
            None => self.leave(&top.name),
        }
        Some(top.name)
    }

    fn leave(&mut self, name: &str) {
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                if let (Some((start, end)), "h1") = (&mut self.first_heading, name)
                    && *end == usize::MAX
                {
                    (*start, *end) = (if *start == usize::MAX { self.out.len() } else { *start }, self.out.len());
                }
                self.prefix.clear();
                self.owe(Break::Paragraph);
            }
            "ul" | "ol" => {
                self.lists = self.lists.saturating_sub(1);
                self.owe(if self.lists == 0 { Break::Paragraph } else { Break::Line });
            }
            "li" => {
                self.prefix.clear();
                self.owe(Break::Line);
            }
            "pre" => {
                self.pre = self.pre.saturating_sub(1);
                if self.pre == 0 {
                    self.out.push_str(if self.out.ends_with('\n') { "```" } else { "\n```" });
                    self.owe(Break::Paragraph);
                }
            }
            "td" | "th" => self.cells = self.cells.saturating_sub(1),
            "tr" => self.owe(Break::Line),
            name if is_block(name) => self.owe(self.block_break(name)),
            _ => {}
        }
    }

    fn owe(&mut self, owed: Break) {
        if self.pre == 0 {
            self.owed = self.owed.max(owed);
        }
    }

    /// Writes what is owed before text.
    fn flush(&mut self) {
        let owed = std::mem::replace(&mut self.owed, Break::None);
        if !self.out.is_empty() {
            match owed {
                Break::None => {}
                Break::Space if self.out.ends_with([' ', '\n']) => {}
                Break::Space => self.out.push(' '),
                Break::Line => self.out.push('\n'),
                Break::Paragraph => self.out.push_str("\n\n"),
            }
        }
        self.out.push_str(&std::mem::take(&mut self.prefix));
        if let Some((start, _)) = &mut self.first_heading
            && *start == usize::MAX
        {
            *start = self.out.len();
        }
    }

    fn running_text(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let word = rest.len() - rest.trim_start_matches(|character: char| character.is_ascii_whitespace()).len();
            if word > 0 {
                self.owe(Break::Space);
                rest = &rest[word..];
                continue;
            }
            let end = rest.find(|character: char| character.is_ascii_whitespace()).unwrap_or(rest.len());
            self.flush();
            self.out.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
    )
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "center"
            | "dd"
            | "details"
            | "dir"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hgroup"
            | "hr"
            | "legend"
            | "li"
            | "main"
            | "menu"
            | "nav"
            | "ol"
            | "option"
            | "p"
            | "pre"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "thead"
            | "tfoot"
            | "tr"
            | "ul"
            | "caption"
            | "body"
            | "html"
    )
}
