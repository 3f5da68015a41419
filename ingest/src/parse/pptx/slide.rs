//! The walk through a slide.

use super::{
    Outline, cells,
    theme::{Backdrop, Ground},
};
use crate::{
    parse::{
        color::Rgb,
        writer::Writer,
        xml::{Element, Piece, Reader, Space},
    },
    prepare::PrepareError,
};

/// Hundredths of a point.
const SIZE_MIN: f64 = 250.0;
/// Thousandths of a percent of opacity, below which letters cannot be read.
const ALPHA_MIN: f64 = 8_000.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Group,
    Shape,
    ShapeProperties,
    ShapeFill,
    Row,
    Cell,
    Paragraph,
    Run,
    RunProperties,
    RunFill,
    RunColor,
    Text,
    Hidden,
    Skipped,
    Other,
}

#[derive(Clone, Copy)]
struct Place {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Place {
    fn meets(&self, other: &Self) -> bool {
        self.left < other.left + other.width
            && other.left < self.left + self.width
            && self.top < other.top + other.height
            && other.top < self.top + self.height
    }
}

#[derive(Default)]
struct Shape {
    corner: Option<(f64, f64)>,
    size: Option<(f64, f64)>,
    fill: Option<Ground>,
    is_picture: bool,
    is_title: bool,
    is_number: bool,
    paragraphs: Vec<String>,
}

impl Shape {
    fn place(&self) -> Option<Place> {
        let ((left, top), (width, height)) = (self.corner?, self.size?);
        Some(Place { left, top, width, height })
    }
}

#[derive(Clone, Copy, Default)]
struct Look {
    color: Option<Rgb>,
    is_hidden: bool,
}

/// What a slide turned out to be.
#[derive(Default)]
pub(super) struct Found {
    pub(super) is_hidden: bool,
    pub(super) title: Option<String>,
}

/// A walk that writes what is on the screen.
pub(super) struct Slide<'a> {
    outline: &'a Outline,
    backdrop: Backdrop,
    writer: &'a mut Writer,
    frames: Vec<Frame>,
    path: Vec<String>,
    shape: Shape,
    groups: usize,
    cells: Option<Vec<String>>,
    /// What lies under each cell of the slide, and how many cells were opened.
    cell_grounds: Vec<Option<Ground>>,
    cell_count: usize,
    paragraph: String,
    look: Look,
    /// Where something was painted that is not the background.
    painted: Vec<Option<Place>>,
    hidden: usize,
    skipped: usize,
    found: Found,
}

impl<'a> Slide<'a> {
    pub(super) fn new(outline: &'a Outline, mut backdrop: Backdrop, writer: &'a mut Writer) -> Self {
        let painted = if backdrop.is_painted { vec![None] } else { Vec::new() };
        backdrop.is_painted = false;
        Self {
            outline,
            backdrop,
            writer,
            frames: Vec::new(),
            path: Vec::new(),
            shape: Shape::default(),
            groups: 0,
            cells: None,
            cell_grounds: Vec::new(),
            cell_count: 0,
            paragraph: String::new(),
            look: Look::default(),
            painted,
            hidden: 0,
            skipped: 0,
            found: Found::default(),
        }
    }

    /// Walks through the slide.
    pub(super) fn run(mut self, part: &str) -> Result<Found, PrepareError> {
        self.cell_grounds = cells::grounds(part, &self.backdrop)?;
        let mut reader = Reader::new(part);
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) => self.start(element),
                Piece::End => self.end(),
                Piece::Text(text) => self.text(&text),
            }
            if self.writer.is_full() {
                break;
            }
        }
        Ok(self.found)
    }

    fn start(&mut self, element: Element) {
        self.backdrop.take(&element, &self.path);
        let parent = self.frames.last().copied().unwrap_or(Frame::Other);
        let frame = match element.space {
            Space::Slides => self.start_slide(&element, parent),
            Space::Drawing => self.start_drawing(&element, parent),
            Space::Compatibility if element.name == "Fallback" => Frame::Skipped,
            _ => Frame::Other,
        };
        match frame {
            Frame::Hidden => self.hidden += 1,
            Frame::Skipped => self.skipped += 1,
            Frame::Group => self.groups += 1,
            Frame::Cell => {
                self.cells.get_or_insert_default().push(String::new());
                self.cell_count += 1;
            }
            _ => {}
        }
        self.frames.push(frame);
        self.path.push(element.name);
    }

    fn start_slide(&mut self, element: &Element, parent: Frame) -> Frame {
        match element.name.as_str() {
            "sld" => {
                self.found.is_hidden = !element.is_on("show");
                Frame::Other
            }
            "grpSp" => Frame::Group,
            "sp" | "pic" | "graphicFrame" | "cxnSp" => {
                self.shape = Shape { is_picture: element.name == "pic", ..Shape::default() };
                Frame::Shape
            }
            "cNvPr" => {
                for name in ["descr", "title"] {
                    self.writer.report_prose(element.attribute(name).unwrap_or_default());
                }
                if matches!(element.attribute("hidden"), Some("1" | "true")) {
                    self.hide_shape();
                }
                Frame::Other
            }
            "ph" => {
                let kind = element.attribute("type").unwrap_or_default();
                self.shape.is_title = matches!(kind, "title" | "ctrTitle");
                self.shape.is_number = matches!(kind, "sldNum" | "dt");
                Frame::Other
            }
            "spPr" | "grpSpPr" => Frame::ShapeProperties,
            "xfrm" if parent == Frame::Shape => Frame::ShapeProperties,
            _ => Frame::Other,
        }
    }

    fn start_drawing(&mut self, element: &Element, parent: Frame) -> Frame {
        match (element.name.as_str(), parent) {
            ("xfrm", Frame::ShapeProperties) => Frame::ShapeProperties,
            ("off", Frame::ShapeProperties) => {
                self.shape.corner = element.number("x").zip(element.number("y"));
                self.check_place();
                Frame::Other
            }
            ("ext", Frame::ShapeProperties) => {
                self.shape.size = element.number("cx").zip(element.number("cy"));
                self.check_place();
                Frame::Other
            }
            ("solidFill", Frame::ShapeProperties) => Frame::ShapeFill,
            ("gradFill" | "blipFill" | "pattFill" | "grpFill", Frame::ShapeProperties) => {
                self.shape.fill = Some(Ground::Unknown);
                Frame::Other
            }
            ("srgbClr" | "schemeClr", Frame::ShapeFill) => {
                self.shape.fill = Some(self.backdrop.color(element).map_or(Ground::Unknown, Ground::Color));
                Frame::Other
            }
            // The style of a shape fills it where its own properties say nothing.
            ("fillRef", _) if element.attribute("idx") != Some("0") && self.shape.fill.is_none() => {
                self.shape.fill = Some(Ground::Unknown);
                Frame::Other
            }
            ("tr", _) => Frame::Row,
            ("tc", _) => Frame::Cell,
            ("p", _) => Frame::Paragraph,
            ("r" | "fld", Frame::Paragraph) => {
                self.look = Look::default();
                Frame::Run
            }
            ("br", Frame::Paragraph) => {
                self.paragraph.push('\n');
                Frame::Other
            }
            ("rPr", Frame::Run) => {
                self.look.is_hidden = element.number("sz").is_some_and(|size| size < SIZE_MIN);
                Frame::RunProperties
            }
            ("noFill", Frame::RunProperties) => {
                self.look.is_hidden = true;
                Frame::Other
            }
            ("solidFill", Frame::RunProperties) => Frame::RunFill,
            ("srgbClr" | "schemeClr", Frame::RunFill) => {
                self.look.color = self.backdrop.color(element);
                Frame::RunColor
            }
            ("alpha", Frame::RunColor) => {
                self.look.is_hidden |= element.number("val").is_some_and(|alpha| alpha < ALPHA_MIN);
                Frame::Other
            }
            ("lumMod" | "lumOff" | "shade" | "tint", Frame::RunColor) => {
                self.change_color(element);
                Frame::Other
            }
            ("t", Frame::Run) => Frame::Text,
            _ => Frame::Other,
        }
    }

    fn change_color(&mut self, element: &Element) {
        #[expect(clippy::cast_possible_truncation, reason = "a ratio near one")]
        let part = (element.number("val").unwrap_or(100_000.0) / 100_000.0) as f32;
        self.look.color = match (element.name.as_str(), self.look.color) {
            ("lumMod" | "shade", Some(color)) => Some(mixed(color, part, 0.0)),
            ("lumOff", Some(color)) => Some(mixed(color, 1.0, part)),
            // A tint is lighter in a way of its own: not worked out.
            _ => None,
        };
    }

    /// Hides the shape or the group that is open: its frame hides from here on.
    fn hide_shape(&mut self) {
        let open =
            self.frames.iter_mut().rev().find(|frame| matches!(frame, Frame::Shape | Frame::Group | Frame::Hidden));
        if let Some(frame) = open.filter(|frame| **frame != Frame::Hidden) {
            self.groups -= usize::from(*frame == Frame::Group);
            *frame = Frame::Hidden;
            self.hidden += 1;
        }
    }

    /// What lies off the slide is not seen. Inside a group coordinates mean something else.
    fn check_place(&mut self) {
        let is_group = self.path.iter().any(|name| name == "grpSpPr");
        if self.groups > usize::from(is_group) {
            return;
        }
        let slide = Place { left: 0.0, top: 0.0, width: self.outline.width, height: self.outline.height };
        if self.shape.place().is_some_and(|place| place.width + place.height > 0.0 && !grown(place).meets(&slide)) {
            self.hide_shape();
        }
    }

    fn text(&mut self, text: &str) {
        if self.frames.last() != Some(&Frame::Text) || self.skipped > 0 || self.shape.is_number {
            return;
        }
        let is_lost = matches!((self.look.color, self.ground()), (Some(color), Ground::Color(ground)) if color.vanishes_on(ground));
        if self.hidden > 0 || self.look.is_hidden || is_lost {
            self.writer.report_hidden(text);
        } else {
            self.paragraph.push_str(text);
        }
    }

    /// What the text of the open shape lies on: its fill, what was painted under it, the background.
    fn ground(&self) -> Ground {
        let cell = self.cell_count.checked_sub(1).filter(|_| self.cells.is_some());
        if let Some(fill) = cell.and_then(|cell| self.cell_grounds.get(cell).copied().flatten()) {
            return fill;
        }
        if let Some(fill) = self.shape.fill {
            return fill;
        }
        let own = if self.groups > 0 { None } else { self.shape.place() };
        let is_over = |below: &Option<Place>| match (own, below) {
            (Some(own), Some(below)) => own.meets(below),
            _ => true,
        };
        if self.painted.iter().any(is_over) { Ground::Unknown } else { self.backdrop.ground }
    }

    fn end(&mut self) {
        self.path.pop();
        match self.frames.pop() {
            Some(Frame::Hidden) => {
                self.hidden -= 1;
                self.shape = Shape::default();
            }
            Some(Frame::Skipped) => self.skipped -= 1,
            Some(Frame::Group) => self.groups -= 1,
            Some(Frame::Paragraph) => self.end_paragraph(),
            Some(Frame::Row) => {
                let cells = self.cells.take().unwrap_or_default();
                self.writer.row(&cells);
            }
            Some(Frame::Shape) => self.end_shape(),
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        let text = std::mem::take(&mut self.paragraph);
        if text.trim().is_empty() {
            return;
        }
        match self.cells.as_mut().and_then(|cells| cells.last_mut()) {
            Some(cell) if cell.is_empty() => *cell = text,
            Some(cell) => {
                cell.push(' ');
                cell.push_str(&text);
            }
            None => self.shape.paragraphs.push(text),
        }
    }

    fn end_shape(&mut self) {
        let shape = std::mem::take(&mut self.shape);
        if shape.is_title {
            let title = shape.paragraphs.join(" ");
            self.writer.heading(2, &title);
            self.found.title = self.found.title.take().or(Some(title).filter(|title| !title.is_empty()));
        } else {
            self.writer.paragraph(&shape.paragraphs.join("\n"));
        }
        let is_plain = matches!((shape.fill, self.backdrop.ground), (Some(Ground::Color(fill)), Ground::Color(ground)) if fill == ground);
        if shape.is_picture || (shape.fill.is_some() && !is_plain) {
            let place = if self.groups > 0 { None } else { shape.place() };
            self.painted.push(place);
        }
    }
}

/// A shape is seen by its border too.
const fn grown(place: Place) -> Place {
    Place { left: place.left - 1.0, top: place.top - 1.0, width: place.width + 2.0, height: place.height + 2.0 }
}

fn mixed(color: Rgb, factor: f32, offset: f32) -> Rgb {
    let part = |byte: u8| (f32::from(byte) / 255.0).mul_add(factor, offset);
    Rgb::from_unit(part(color.0), part(color.1), part(color.2))
}

/// All text of a part, whatever it looks like: notes and diagrams.
pub(in crate::parse) fn text_of(part: &str) -> Result<String, PrepareError> {
    let mut reader = Reader::new(part);
    let mut text = String::new();
    let mut path: Vec<(Space, String, bool)> = Vec::new();
    while let Some(piece) = reader.next()? {
        match piece {
            Piece::Start(element) => {
                let is_number = element.name == "fld" || path.last().is_some_and(|(.., is_number)| *is_number);
                path.push((element.space, element.name, is_number));
            }
            Piece::End => {
                if path.pop().is_some_and(|(space, name, _)| space == Space::Drawing && name == "p") && !text.is_empty()
                {
                    text.push('\n');
                }
            }
            Piece::Text(piece) => {
                let is_text = path
                    .last()
                    .is_some_and(|(space, name, is_number)| *space == Space::Drawing && name == "t" && !is_number);
                if is_text {
                    text.push_str(&piece);
                }
            }
        }
    }
    Ok(text.trim().to_owned())
}
