//! The walk through a sheet, cell by cell.

use super::{
    Workbook,
    styles::{Font, Styles},
};
use crate::{
    parse::{
        color::Rgb,
        writer::{Writer, one_line},
        xml::{Element, Piece, Reader, Space},
    },
    prepare::PrepareError,
};

/// Empty cells between two full ones that are shown as such; a gap that is wider is no table.
const GAP_MAX: usize = 8;
/// Ranges of hidden columns.
const COLUMN_RANGES_MAX: usize = 10_000;

/// A text of the shared table: what is seen of it, and whether something of it is not.
#[derive(Debug, Default)]
pub(super) struct SharedText {
    pub(super) seen: String,
    pub(super) hides: bool,
}

/// Reads the table of shared texts.
pub(super) fn read_strings(parts: &[String], styles: &Styles) -> Result<Vec<SharedText>, PrepareError> {
    let mut strings = Vec::new();
    for part in parts {
        let mut reader = Reader::new(part);
        let mut rich = RichText::default();
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) => rich.start(&element, styles),
                Piece::Text(text) => rich.text(&text),
                Piece::End => {
                    if rich.end().is_some_and(|name| name == "si") {
                        strings.push(std::mem::take(&mut rich.text));
                    }
                }
            }
        }
    }
    Ok(strings)
}

/// A text made of runs, each with a font of its own.
#[derive(Default)]
struct RichText {
    path: Vec<String>,
    font: Font,
    text: SharedText,
}

impl RichText {
    fn start(&mut self, element: &Element, styles: &Styles) {
        match element.name.as_str() {
            "r" | "si" | "is" => self.font = Font::default(),
            _ if self.path.last().is_some_and(|name| name == "rPr") => self.font.read(element, &styles.theme),
            _ => {}
        }
        self.path.push(element.name.clone());
    }

    fn text(&mut self, text: &str) {
        // `rPh` says how a text is spoken.
        let is_spoken = self.path.iter().any(|name| name == "rPh");
        if self.path.last().is_none_or(|name| name != "t") || is_spoken {
            return;
        }
        if self.font.is_hidden(Some(Rgb::WHITE)) {
            self.text.hides |= !text.trim().is_empty();
        } else {
            self.text.seen.push_str(text);
        }
    }

    fn end(&mut self) -> Option<String> {
        self.path.pop()
    }
}

/// A walk that writes the rows that are shown.
pub(super) struct Sheet<'a> {
    workbook: &'a Workbook,
    /// Rows whose ground a table style paints.
    headers: Vec<u32>,
    writer: &'a mut Writer,
    hidden_columns: Vec<(usize, usize)>,
    row: Row,
    cell: Cell,
    rich: RichText,
    value: String,
}

#[derive(Default)]
struct Row {
    number: u32,
    is_hidden: bool,
    next_column: usize,
    cells: Vec<(usize, String)>,
}

#[derive(Default)]
struct Cell {
    column: usize,
    style: usize,
    kind: String,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(workbook: &'a Workbook, headers: Vec<u32>, writer: &'a mut Writer) -> Self {
        Self {
            workbook,
            headers,
            writer,
            hidden_columns: Vec::new(),
            row: Row::default(),
            cell: Cell::default(),
            rich: RichText::default(),
            value: String::new(),
        }
    }

    pub(super) fn run(mut self, part: &str) -> Result<(), PrepareError> {
        let mut reader = Reader::new(part);
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) => {
                    if element.space == Space::Sheet {
                        self.start(&element);
                    }
                    self.rich.start(&element, &self.workbook.styles);
                }
                Piece::Text(text) => {
                    if self.rich.path.last().is_some_and(|name| name == "v") {
                        self.value.push_str(&text);
                    }
                    self.rich.text(&text);
                }
                Piece::End => match self.rich.end().as_deref() {
                    Some("c") => self.end_cell(),
                    Some("row") => self.end_row(),
                    _ => {}
                },
            }
            if self.writer.is_full() {
                break;
            }
        }
        Ok(())
    }

    fn start(&mut self, element: &Element) {
        match element.name.as_str() {
            "col" if matches!(element.attribute("hidden"), Some("1" | "true")) => {
                let number = |name| element.attribute(name).and_then(|value| value.parse::<usize>().ok());
                if self.hidden_columns.len() < COLUMN_RANGES_MAX {
                    self.hidden_columns.extend(number("min").zip(number("max")));
                }
            }
            "row" => {
                let number = element.attribute("r").and_then(|number| number.parse().ok());
                self.row = Row {
                    number: number.unwrap_or(self.row.number.saturating_add(1)),
                    is_hidden: matches!(element.attribute("hidden"), Some("1" | "true")),
                    next_column: 1,
                    cells: Vec::new(),
                };
            }
            "c" => {
                let place = element.attribute("r").and_then(coordinates);
                self.cell = Cell {
                    column: place.map_or(self.row.next_column, |(_, column)| column),
                    style: element.attribute("s").and_then(|style| style.parse().ok()).unwrap_or(0),
                    kind: element.attribute("t").unwrap_or("n").to_owned(),
                };
                self.row.next_column = self.cell.column.saturating_add(1);
                self.value.clear();
                self.rich.text = SharedText::default();
            }
            _ => {}
        }
    }

    fn end_cell(&mut self) {
        let style = self.workbook.styles.cell(self.cell.style);
        let value = std::mem::take(&mut self.value);
        let inline = std::mem::take(&mut self.rich.text);
        let (text, hides) = match self.cell.kind.as_str() {
            "s" => {
                let shared = value.trim().parse::<usize>().ok().and_then(|index| self.workbook.strings.get(index));
                shared.map_or((String::new(), false), |shared| (shared.seen.clone(), shared.hides))
            }
            "inlineStr" => (inline.seen, inline.hides),
            "b" => (if value.trim() == "1" { "TRUE" } else { "FALSE" }.to_owned(), false),
            "str" | "e" | "d" => (value, false),
            _ => match value.trim().parse::<f64>() {
                Ok(number) => match style.format.show(number, self.workbook.is_1904) {
                    Some(text) => (text, false),
                    None => (String::new(), true),
                },
                Err(_) => (value, false),
            },
        };
        let ground = if self.headers.contains(&self.row.number) { None } else { style.ground };
        let column = self.cell.column;
        let in_hidden_column = self.hidden_columns.iter().any(|(from, to)| (*from..=*to).contains(&column));
        let is_hidden = self.row.is_hidden
            || in_hidden_column
            || style.format == super::format::Format::Hidden
            || style.font.is_hidden(ground);
        if hides {
            self.writer.report(crate::finding::FindingKind::HiddenText);
        }
        if is_hidden {
            self.writer.report_hidden(&text);
        } else {
            let text = one_line(&text);
            if !text.is_empty() {
                self.row.cells.push((column, text));
            }
        }
    }

    fn end_row(&mut self) {
        let mut shown: Vec<&str> = Vec::new();
        let mut last = 1;
        for (column, text) in &self.row.cells {
            let gap = column.saturating_sub(last);
            if gap <= GAP_MAX {
                shown.extend(std::iter::repeat_n("", gap));
            }
            shown.push(text);
            last = column.saturating_add(1);
        }
        self.writer.row(&shown);
        self.row.cells.clear();
    }
}

/// Row and column of a name such as `B3`, from 1.
pub(super) fn coordinates(name: &str) -> Option<(u32, usize)> {
    let letters = name.bytes().take_while(u8::is_ascii_alphabetic).count();
    if letters == 0 || letters > 4 {
        return None;
    }
    let digit = |letter: u8| usize::from(letter.to_ascii_uppercase() - b'A') + 1;
    let column = name.bytes().take(letters).fold(0, |column, letter| column * 26 + digit(letter));
    Some((name[letters..].parse().ok()?, column))
}
