//! The walk through a part of a document, element by element, with a frame for each that is open.

use super::{
    look::{Fill, Look, shade},
    styles::{Styles, outline_level},
};
use crate::{
    parse::{
        color::Rgb,
        writer::Writer,
        xml::{Element, Piece, Reader, Space},
    },
    prepare::PrepareError,
};

/// Extensions that Word knows; a choice that requires another one is not shown.
const KNOWN_EXTENSIONS: [&str; 12] =
    ["wps", "wpg", "wpc", "wpi", "w14", "w15", "w16", "wp14", "a14", "am3d", "cx", "aink"];
/// A text box thinner than a point, in the units of the format.
const SLIVER_EMU: f64 = 12_700.0;

/// What an open element means for those inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Paragraph,
    ParagraphProperties,
    Run,
    RunProperties,
    Text,
    DeletedText,
    Table,
    TableProperties,
    Row,
    RowProperties,
    Cell,
    CellProperties,
    /// Nothing in it is shown.
    Hidden,
    /// Says the same again, or nothing to anybody.
    Skipped,
    Other,
}

#[derive(Default)]
struct Paragraph {
    text: String,
    style: Option<String>,
    level: Option<u8>,
    depth: usize,
    list: Option<bool>,
    fill: Option<Fill>,
}

#[derive(Default)]
struct Table {
    cells: Vec<String>,
    ground: Option<Fill>,
    is_styled_dark: bool,
}

/// A walk that writes what is seen and reports what is not.
pub(super) struct Walk<'a> {
    styles: &'a Styles,
    writer: &'a mut Writer,
    frames: Vec<Frame>,
    paragraphs: Vec<Paragraph>,
    runs: Vec<Look>,
    tables: Vec<Table>,
    /// Open frames that hide.
    hidden: usize,
    skipped: usize,
    /// Whether the choice of an alternative was taken, for each open one.
    choices: Vec<bool>,
    title: Option<String>,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(styles: &'a Styles, writer: &'a mut Writer) -> Self {
        Self {
            styles,
            writer,
            frames: Vec::new(),
            paragraphs: Vec::new(),
            runs: Vec::new(),
            tables: Vec::new(),
            hidden: 0,
            skipped: 0,
            choices: Vec::new(),
            title: None,
        }
    }

    /// Walks through a part; yields the title, if it has one.
    pub(super) fn run(mut self, part: &str) -> Result<Option<String>, PrepareError> {
        let mut reader = Reader::new(part);
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) => self.start(&element),
                Piece::End => self.end(),
                Piece::Text(text) => self.text(&text),
            }
            if self.writer.is_full() {
                break;
            }
        }
        Ok(self.title)
    }

    fn start(&mut self, element: &Element) {
        let parent = self.frames.last().copied().unwrap_or(Frame::Other);
        let frame = match element.space {
            Space::Word => self.start_word(element, parent),
            Space::Word14 if parent == Frame::RunProperties => {
                self.run_property(element);
                // Only the fill of the letters counts: outlines and glows mostly have none.
                if element.name == "textFill" { Frame::RunProperties } else { Frame::Other }
            }
            Space::Compatibility => self.start_alternative(element),
            Space::WordDrawing => self.start_drawing(element),
            // What Word does not know it does not show.
            Space::Other if matches!(parent, Frame::Other | Frame::Cell) && self.looks_like_word(element) => {
                Frame::Hidden
            }
            _ => Frame::Other,
        };
        match frame {
            Frame::Hidden => self.hidden += 1,
            Frame::Skipped => self.skipped += 1,
            Frame::Paragraph => self.paragraphs.push(Paragraph::default()),
            Frame::Run => {
                let style = self.paragraphs.last().and_then(|paragraph| paragraph.style.as_deref());
                self.runs.push(self.styles.base(style));
            }
            Frame::Table => self.tables.push(Table::default()),
            Frame::Row => self.tables.iter_mut().rev().take(1).for_each(|table| table.cells.clear()),
            Frame::Cell => {
                if let Some(table) = self.tables.last_mut() {
                    table.cells.push(String::new());
                    table.ground = None;
                }
            }
            _ => {}
        }
        self.frames.push(frame);
    }

    fn looks_like_word(&self, element: &Element) -> bool {
        matches!(element.name.as_str(), "p" | "r" | "t" | "tbl" | "tr" | "tc" | "body")
    }

    fn start_word(&mut self, element: &Element, parent: Frame) -> Frame {
        match parent {
            Frame::ParagraphProperties => return self.paragraph_property(element),
            Frame::RunProperties => {
                self.run_property(element);
                return Frame::Other;
            }
            Frame::TableProperties => {
                self.table_property(element);
                return Frame::Other;
            }
            Frame::RowProperties if matches!(element.name.as_str(), "hidden" | "del") && element.is_on("val") => {
                return self.hide_row();
            }
            Frame::CellProperties if element.name == "shd" => {
                if let Some(table) = self.tables.last_mut() {
                    table.ground = Some(shade(element));
                }
                return Frame::Other;
            }
            _ => {}
        }
        match element.name.as_str() {
            "p" => Frame::Paragraph,
            "pPr" if parent == Frame::Paragraph => Frame::ParagraphProperties,
            "r" => Frame::Run,
            "rPr" if parent == Frame::Run => Frame::RunProperties,
            "t" if parent == Frame::Run => Frame::Text,
            "delText" => Frame::DeletedText,
            "del" | "moveFrom" => Frame::Hidden,
            "tab" | "ptab" => self.mark(' '),
            "br" | "cr" => self.mark('\n'),
            "noBreakHyphen" => self.mark('-'),
            "tbl" => Frame::Table,
            "tblPr" => Frame::TableProperties,
            "tr" => Frame::Row,
            "trPr" => Frame::RowProperties,
            "tc" => Frame::Cell,
            "tcPr" => Frame::CellProperties,
            // The lines that part notes from the text.
            "footnote" | "endnote" if element.attribute("type").is_some_and(|kind| kind != "normal") => Frame::Skipped,
            _ => Frame::Other,
        }
    }

    fn mark(&mut self, mark: char) -> Frame {
        if self.hidden == 0 && self.skipped == 0 && !self.runs.is_empty() {
            self.push_text(&mark.to_string());
        }
        Frame::Other
    }

    fn paragraph_property(&mut self, element: &Element) -> Frame {
        let Some(paragraph) = self.paragraphs.last_mut() else { return Frame::Other };
        let value = element.attribute("val").unwrap_or_default();
        match element.name.as_str() {
            "pStyle" => paragraph.style = Some(value.to_owned()),
            "outlineLvl" => paragraph.level = outline_level(element),
            "ilvl" => paragraph.depth = value.parse().unwrap_or(0),
            "numId" => paragraph.list = Some(value != "0"),
            "shd" => paragraph.fill = Some(shade(element)),
            "numPr" => return Frame::ParagraphProperties,
            _ => {}
        }
        Frame::Other
    }

    fn run_property(&mut self, element: &Element) {
        let Some(look) = self.runs.last_mut() else { return };
        if element.is(Space::Word, "rStyle") {
            let style = element.attribute("val").and_then(|id| self.styles.get(id));
            *look = style.map_or(*look, |style| style.look.over(*look));
            return;
        }
        let mut own = Look::default();
        own.read(element);
        *look = own.over(*look);
    }

    fn table_property(&mut self, element: &Element) {
        if element.name == "tblStyle" {
            let style = element.attribute("val").and_then(|id| self.styles.get(id));
            if let Some(table) = self.tables.last_mut() {
                table.is_styled_dark = style.is_some_and(|style| style.has_dark_cells);
            }
        }
    }

    /// Hides the rest of the row: its frame hides from here on.
    fn hide_row(&mut self) -> Frame {
        if let Some(row) = self.frames.iter_mut().rev().find(|frame| **frame == Frame::Row) {
            *row = Frame::Hidden;
            self.hidden += 1;
        }
        Frame::Other
    }

    fn start_alternative(&mut self, element: &Element) -> Frame {
        match element.name.as_str() {
            "AlternateContent" => {
                self.choices.push(false);
                Frame::Other
            }
            "Choice" => {
                let mut required = element.attribute("Requires").unwrap_or_default().split_whitespace();
                let is_known = required.all(|name| KNOWN_EXTENSIONS.iter().any(|known| name.starts_with(known)));
                match self.choices.last_mut() {
                    Some(taken) if is_known && !*taken => {
                        *taken = true;
                        Frame::Other
                    }
                    _ => Frame::Hidden,
                }
            }
            "Fallback" if self.choices.last() == Some(&true) => Frame::Skipped,
            _ => Frame::Other,
        }
    }

    fn start_drawing(&mut self, element: &Element) -> Frame {
        match element.name.as_str() {
            "docPr" => {
                for name in ["descr", "title"] {
                    self.writer.report_prose(element.attribute(name).unwrap_or_default());
                }
                if matches!(element.attribute("hidden"), Some("1" | "true")) {
                    self.hide_drawing();
                }
            }
            "extent" => {
                let is_sliver = |name| element.number(name).is_some_and(|length| length < SLIVER_EMU);
                if is_sliver("cx") || is_sliver("cy") {
                    self.hide_drawing();
                }
            }
            _ => {}
        }
        Frame::Other
    }

    /// Hides what follows in the drawing whose property was just read: the frame around it hides from here on.
    fn hide_drawing(&mut self) {
        if let Some(around) = self.frames.last_mut().filter(|frame| **frame == Frame::Other) {
            *around = Frame::Hidden;
            self.hidden += 1;
        }
    }

    fn text(&mut self, text: &str) {
        let frame = self.frames.last().copied();
        if self.skipped > 0 || !matches!(frame, Some(Frame::Text | Frame::DeletedText)) {
            return;
        }
        let is_hidden = frame == Some(Frame::DeletedText)
            || self.hidden > 0
            || self.runs.last().is_some_and(|look| look.is_hidden(self.ground()));
        if is_hidden {
            self.writer.report_hidden(text);
        } else {
            self.push_text(text);
        }
    }

    /// What lies under the text: the nearest of paragraph, cell and page that has a colour.
    fn ground(&self) -> Fill {
        let paragraph = self.paragraphs.last();
        let styled = paragraph.and_then(|paragraph| paragraph.style.as_deref()).and_then(|id| self.styles.get(id));
        let own = paragraph.and_then(|paragraph| paragraph.fill).or_else(|| styled.and_then(|style| style.fill));
        if let Some(fill) = own.filter(|fill| *fill != Fill::None) {
            return fill;
        }
        for table in self.tables.iter().rev() {
            match table.ground {
                Some(fill) if fill != Fill::None => return fill,
                _ if table.is_styled_dark => return Fill::Unknown,
                _ => {}
            }
        }
        Fill::Color(Rgb::WHITE)
    }

    fn push_text(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.push_str(text);
        }
    }

    fn end(&mut self) {
        match self.frames.pop() {
            Some(Frame::Hidden) => self.hidden -= 1,
            Some(Frame::Skipped) => self.skipped -= 1,
            Some(Frame::Run) => {
                self.runs.pop();
            }
            Some(Frame::Paragraph) => {
                if let Some(paragraph) = self.paragraphs.pop() {
                    self.end_paragraph(&paragraph);
                }
            }
            Some(Frame::Row) => self.end_row(),
            Some(Frame::Table) => {
                self.tables.pop();
            }
            _ => {}
        }
    }

    fn end_paragraph(&mut self, paragraph: &Paragraph) {
        if paragraph.text.trim().is_empty() {
            return;
        }
        if let Some(cell) = self.tables.last_mut().and_then(|table| table.cells.last_mut()) {
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(&paragraph.text);
            return;
        }
        let style = paragraph.style.as_deref().and_then(|id| self.styles.get(id));
        let level = paragraph.level.or_else(|| style.and_then(|style| style.level));
        let is_item = paragraph.list.or_else(|| style.map(|style| style.is_item)).unwrap_or(false);
        if let Some(level) = level {
            let names_the_document = style.is_some_and(|style| style.is_title) || level == 1;
            if names_the_document && self.title.is_none() {
                self.title = Some(paragraph.text.clone());
            }
            self.writer.heading(level, &paragraph.text);
        } else if is_item {
            self.writer.item(paragraph.depth, &paragraph.text);
        } else {
            self.writer.paragraph(&paragraph.text);
        }
    }

    /// A row of an inner table becomes part of the cell that it stands in.
    fn end_row(&mut self) {
        let Some(table) = self.tables.last_mut() else { return };
        let cells = std::mem::take(&mut table.cells);
        let outer = self.tables.len().checked_sub(2).and_then(|index| self.tables[index].cells.last_mut());
        match outer {
            Some(cell) => {
                for text in cells.iter().filter(|text| !text.is_empty()) {
                    if !cell.is_empty() {
                        cell.push(' ');
                    }
                    cell.push_str(text);
                }
            }
            None => self.writer.row(&cells),
        }
    }
}
