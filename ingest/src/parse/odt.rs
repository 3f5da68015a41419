//! OpenDocument texts: headings, paragraphs, lists, tables and notes as they are shown.

use std::collections::HashMap;

use crate::{
    finding::FindingKind,
    parse::{
        Parsed,
        archive::Archive,
        color::Rgb,
        package::report_properties,
        writer::Writer,
        xml::{Element, Piece, Reader, Space, decode},
    },
    prepare::PrepareError,
};

/// Points.
const SIZE_MIN: f64 = 2.5;
/// Styles that inherit from each other.
const CHAIN_MAX: usize = 16;
/// Blanks that one `text:s` may stand for.
const BLANKS_MAX: usize = 64;

/// Parses a document.
pub(super) fn parse(archive: &Archive<'_>) -> Result<Parsed, PrepareError> {
    let content = decode(archive.required("content.xml")?)?;
    let mut styles = Styles::default();
    if let Some(part) = archive.part("styles.xml")? {
        styles.read(&decode(part)?)?;
    }
    styles.read(&content)?;
    let mut writer = Writer::new();
    let title = Walk::new(&styles, &mut writer).run(&content)?;
    report_properties(archive, &mut writer)?;
    writer.finish(title)
}

#[derive(Clone, Debug, Default)]
struct Style {
    parent: Option<String>,
    is_hidden: Option<bool>,
    color: Option<Rgb>,
    ground: Option<Rgb>,
    size: Option<f64>,
}

#[derive(Default)]
struct Styles(HashMap<String, Style>);

impl Styles {
    fn read(&mut self, part: &str) -> Result<(), PrepareError> {
        let mut reader = Reader::new(part);
        let mut open: Option<(String, usize)> = None;
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) if element.is(Space::OdfStyle, "style") => {
                    let name = element.attribute("name").unwrap_or_default().to_owned();
                    let parent = element.attribute("parent-style-name").map(str::to_owned);
                    self.0.insert(name.clone(), Style { parent, ..Style::default() });
                    open = Some((name, reader.depth()));
                }
                Piece::Start(element) => {
                    if let Some(style) = open.as_ref().and_then(|(name, _)| self.0.get_mut(name)) {
                        style.take(&element);
                    }
                }
                Piece::End if open.as_ref().is_some_and(|(_, depth)| reader.depth() < *depth) => open = None,
                Piece::End | Piece::Text(_) => {}
            }
        }
        Ok(())
    }

    fn resolve(&self, name: &str) -> Style {
        let mut style = self.0.get(name).cloned().unwrap_or_default();
        let mut parent = style.parent.clone();
        for _ in 0..CHAIN_MAX {
            let Some(own) = parent.as_ref().and_then(|name| self.0.get(name)) else { break };
            style = style.over(own);
            parent.clone_from(&own.parent);
        }
        style
    }
}

impl Style {
    fn take(&mut self, element: &Element) {
        if element.space != Space::OdfStyle || !element.name.ends_with("-properties") {
            return;
        }
        let format = |name| element.attribute_in(Space::OdfFormat, name);
        self.ground = self.ground.or_else(|| format("background-color").and_then(Rgb::from_hex));
        if element.name == "text-properties" {
            let display = element.attribute_in(Space::OdfText, "display");
            self.is_hidden = display.map(|display| display == "none").or(self.is_hidden);
            self.color = format("color").and_then(Rgb::from_hex).or(self.color);
            let points = format("font-size").and_then(|size| size.strip_suffix("pt"));
            self.size = points.and_then(|points| points.parse().ok()).or(self.size);
        }
    }

    fn over(self, base: &Self) -> Self {
        Self {
            parent: self.parent,
            is_hidden: self.is_hidden.or(base.is_hidden),
            color: self.color.or(base.color),
            ground: self.ground.or(base.ground),
            size: self.size.or(base.size),
        }
    }

    fn hides(&self) -> bool {
        let is_lost = self.color.is_some_and(|color| color.vanishes_on(self.ground.unwrap_or(Rgb::WHITE)));
        self.is_hidden == Some(true) || is_lost || self.size.is_some_and(|size| size < SIZE_MIN)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Heading(u8),
    Paragraph,
    Span,
    List,
    Row,
    Cell,
    Hidden,
    Comment,
    Skipped,
    Other,
}

struct Walk<'a> {
    styles: &'a Styles,
    writer: &'a mut Writer,
    frames: Vec<Frame>,
    looks: Vec<Style>,
    texts: Vec<String>,
    tables: Vec<Vec<String>>,
    lists: usize,
    hidden: usize,
    comments: usize,
    skipped: usize,
    title: Option<String>,
}

impl<'a> Walk<'a> {
    const fn new(styles: &'a Styles, writer: &'a mut Writer) -> Self {
        Self {
            styles,
            writer,
            frames: Vec::new(),
            looks: Vec::new(),
            texts: Vec::new(),
            tables: Vec::new(),
            lists: 0,
            hidden: 0,
            comments: 0,
            // Everything before the body.
            skipped: 0,
            title: None,
        }
    }

    fn run(mut self, part: &str) -> Result<Option<String>, PrepareError> {
        let mut reader = Reader::new(part);
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) => self.start(&element),
                Piece::Text(text) => self.text(&text),
                Piece::End => self.end(),
            }
            if self.writer.is_full() {
                break;
            }
        }
        Ok(self.title)
    }

    fn start(&mut self, element: &Element) {
        let frame = self.frame(element);
        match frame {
            Frame::Heading(_) | Frame::Paragraph => {
                self.texts.push(String::new());
                self.look(element, &Style::default());
            }
            Frame::Span => {
                let around = self.looks.last().cloned().unwrap_or_default();
                self.look(element, &around);
            }
            Frame::List => self.lists += 1,
            Frame::Row => self.tables.push(Vec::new()),
            Frame::Cell => self.tables.iter_mut().rev().take(1).for_each(|row| row.push(String::new())),
            Frame::Hidden => self.hidden += 1,
            Frame::Comment => self.comments += 1,
            Frame::Skipped => self.skipped += 1,
            Frame::Other => {}
        }
        self.frames.push(frame);
    }

    fn frame(&mut self, element: &Element) -> Frame {
        match (element.space, element.name.as_str()) {
            (Space::OdfText, "h") => {
                Frame::Heading(element.attribute("outline-level").and_then(|level| level.parse().ok()).unwrap_or(1))
            }
            (Space::OdfText, "p") => Frame::Paragraph,
            (Space::OdfText, "span") => Frame::Span,
            (Space::OdfText, "list") => Frame::List,
            (Space::OdfText, "s") => {
                let count = element.attribute("c").and_then(|count| count.parse().ok()).unwrap_or(1);
                self.text(&" ".repeat(count.min(BLANKS_MAX)));
                Frame::Other
            }
            (Space::OdfText, "tab") => {
                self.text(" ");
                Frame::Other
            }
            (Space::OdfText, "line-break") => {
                self.text("\n");
                Frame::Other
            }
            (Space::OdfText, "tracked-changes" | "hidden-text" | "hidden-paragraph") => Frame::Hidden,
            (Space::OdfText, "note-citation") => Frame::Skipped,
            (Space::OdfTable, "table-row")
                if matches!(element.attribute("visibility"), Some("collapse" | "filter")) =>
            {
                Frame::Hidden
            }
            (Space::OdfTable, "table-row") => Frame::Row,
            (Space::OdfTable, "table-cell") => Frame::Cell,
            (Space::OdfOffice, "annotation") => Frame::Comment,
            (Space::OdfOffice, "automatic-styles" | "font-face-decls" | "scripts") => Frame::Skipped,
            (Space::Other, "desc" | "title") => Frame::Skipped,
            _ => Frame::Other,
        }
    }

    fn look(&mut self, element: &Element, around: &Style) {
        let own = element.attribute("style-name").map(|name| self.styles.resolve(name)).unwrap_or_default();
        self.looks.push(own.over(around));
    }

    fn text(&mut self, text: &str) {
        let is_shown = self.frames.iter().rev().any(|frame| matches!(frame, Frame::Heading(_) | Frame::Paragraph));
        if self.comments > 0 {
            if !text.trim().is_empty() {
                self.writer.report(FindingKind::Comment);
            }
        } else if self.skipped > 0 {
            self.writer.report_prose(text);
        } else if self.hidden > 0 || (is_shown && self.looks.last().is_some_and(Style::hides)) {
            self.writer.report_hidden(text);
        } else if is_shown && let Some(own) = self.texts.last_mut() {
            own.push_str(text);
        }
    }

    fn end(&mut self) {
        match self.frames.pop() {
            Some(frame @ (Frame::Heading(_) | Frame::Paragraph)) => {
                self.looks.pop();
                let text = self.texts.pop().unwrap_or_default();
                self.end_block(frame, &text);
            }
            Some(Frame::Span) => drop(self.looks.pop()),
            Some(Frame::List) => self.lists -= 1,
            Some(Frame::Row) => self.end_row(),
            Some(Frame::Hidden) => self.hidden -= 1,
            Some(Frame::Comment) => self.comments -= 1,
            Some(Frame::Skipped) => self.skipped -= 1,
            _ => {}
        }
    }

    fn end_block(&mut self, frame: Frame, text: &str) {
        if let Some(cell) = self.tables.last_mut().and_then(|row| row.last_mut()) {
            if !cell.is_empty() && !text.is_empty() {
                cell.push(' ');
            }
            cell.push_str(text);
            return;
        }
        match frame {
            Frame::Heading(level) => {
                if level == 1 && self.title.is_none() {
                    self.title = Some(text.to_owned());
                }
                self.writer.heading(level, text);
            }
            _ if self.lists > 0 => self.writer.item(self.lists - 1, text),
            _ => self.writer.paragraph(text),
        }
    }

    fn end_row(&mut self) {
        let row = self.tables.pop().unwrap_or_default();
        match self.tables.last_mut().and_then(|outer| outer.last_mut()) {
            Some(cell) => cell.push_str(&row.join(" ")),
            None => self.writer.row(&row),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        finding::FindingKind::{self, Comment, HiddenText},
        parse::archive::{Archive, tests::pack},
    };

    const SPACES: &str = "xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' xmlns:text='urn:oasis:names:tc:opendocument:xmlns:text:1.0' xmlns:table='urn:oasis:names:tc:opendocument:xmlns:table:1.0' xmlns:style='urn:oasis:names:tc:opendocument:xmlns:style:1.0' xmlns:fo='urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0'";

    #[track_caller]
    fn check(body: &str, expected: &str, findings: &[FindingKind]) {
        let styles = "<style:style style:name='W'><style:text-properties fo:color='#ffffff'/></style:style><style:style style:name='V' style:parent-style-name='X'/><style:style style:name='X'><style:text-properties text:display='none'/></style:style><style:style style:name='S'><style:text-properties fo:font-size='1pt'/></style:style><style:style style:name='D'><style:text-properties fo:color='#ffffff' fo:background-color='#000080'/></style:style>";
        let content = format!(
            "<office:document-content {SPACES}><office:automatic-styles>{styles}</office:automatic-styles><office:body><office:text>{body}</office:text></office:body></office:document-content>"
        );
        let bytes = pack(&[("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", &content)]);
        let parsed = super::parse(&Archive::open(&bytes).expect("opens")).expect("parses");
        assert_eq!(parsed.text, expected, "{body}");
        assert_eq!(parsed.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), findings, "{body}");
    }

    #[test]
    fn structure_is_kept() {
        check(
            "<text:h text:outline-level='2'>Part</text:h><text:p>one<text:s text:c='2'/>two<text:line-break/>three</text:p>",
            "## Part\n\none  two\nthree",
            &[],
        );
        check(
            "<text:list><text:list-item><text:p>a</text:p><text:list><text:list-item><text:p>b</text:p></text:list-item></text:list></text:list-item></text:list>",
            "- a\n  - b",
            &[],
        );
        check(
            "<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell><text:p>b</text:p><text:p>c</text:p></table:table-cell></table:table-row></table:table>",
            "a | b c",
            &[],
        );
    }

    #[test]
    fn what_is_not_shown_is_left_out() {
        for style in ["W", "V", "S"] {
            check(
                &format!("<text:p>a<text:span text:style-name='{style}'>hidden</text:span>b</text:p>"),
                "ab",
                &[HiddenText],
            );
            check(&format!("<text:p text:style-name='{style}'>hidden</text:p>"), "", &[HiddenText]);
        }
        check("<text:p>a<text:span text:style-name='D'>b</text:span></text:p>", "ab", &[]);
        check(
            "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes><text:p>a</text:p>",
            "a",
            &[HiddenText],
        );
        check("<text:p>a<office:annotation><text:p>remark</text:p></office:annotation>b</text:p>", "ab", &[Comment]);
    }
}
