//! The styles of a workbook: which format a cell has, and whether its colours hide it.

use std::collections::HashMap;

use super::format::Format;
use crate::{
    parse::{
        color::Rgb,
        xml::{Element, Piece, Reader, Space},
    },
    prepare::PrepareError,
};

/// Points.
const SIZE_MIN: f64 = 2.5;

/// What a font says about being seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Font {
    color: Option<Rgb>,
    size: Option<f64>,
}

impl Font {
    /// Takes in one element of a font or of the properties of a run.
    pub(super) fn read(&mut self, element: &Element, theme: &[Rgb]) {
        match element.name.as_str() {
            "color" => self.color = color(element, theme),
            "sz" => self.size = element.number("val"),
            _ => {}
        }
    }

    /// Whether a person does not see a text in this font on a ground; an unknown ground hides nothing.
    pub(super) fn is_hidden(&self, ground: Option<Rgb>) -> bool {
        self.size.is_some_and(|size| size < SIZE_MIN)
            || self.color.zip(ground).is_some_and(|(color, ground)| color.vanishes_on(ground))
    }
}

/// How the cells of one style look.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellStyle {
    pub(super) format: Format,
    pub(super) font: Font,
    /// The colour under the text; `None` is a pattern.
    pub(super) ground: Option<Rgb>,
}

impl Default for CellStyle {
    fn default() -> Self {
        Self { format: Format::General, font: Font::default(), ground: Some(Rgb::WHITE) }
    }
}

/// The styles of a workbook by number.
#[derive(Debug, Default)]
pub(super) struct Styles {
    pub(super) theme: Vec<Rgb>,
    formats: HashMap<u32, Format>,
    fonts: Vec<Font>,
    fills: Vec<Option<Rgb>>,
    cells: Vec<CellStyle>,
}

impl Styles {
    pub(super) fn read(parts: &[String], themes: &[String]) -> Result<Self, PrepareError> {
        let mut styles = Self::default();
        for theme in themes {
            styles.theme = read_theme(theme)?;
        }
        for part in parts {
            styles.read_part(part)?;
        }
        Ok(styles)
    }

    /// The style of a number.
    pub(super) fn cell(&self, number: usize) -> CellStyle {
        self.cells.get(number).copied().unwrap_or_default()
    }

    fn read_part(&mut self, part: &str) -> Result<(), PrepareError> {
        let mut reader = Reader::new(part);
        let mut path: Vec<String> = Vec::new();
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) => {
                    if element.space == Space::Sheet {
                        self.take(&element, &path);
                    }
                    path.push(element.name);
                }
                Piece::End => drop(path.pop()),
                Piece::Text(_) => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, element: &Element, path: &[String]) {
        let parent = path.last().map(String::as_str).unwrap_or_default();
        let number = |name: &str| element.attribute(name).and_then(|value| value.parse::<usize>().ok());
        match (parent, element.name.as_str()) {
            ("numFmts", "numFmt") => {
                let id = element.attribute("numFmtId").and_then(|id| id.parse().ok());
                let format = element.attribute("formatCode").map(Format::from_code);
                self.formats.extend(id.zip(format));
            }
            ("fonts", "font") => self.fonts.push(Font::default()),
            ("font", _) if path.iter().any(|name| name == "fonts") => {
                if let Some(font) = self.fonts.last_mut() {
                    font.read(element, &self.theme);
                }
            }
            ("fills", "fill") => self.fills.push(Some(Rgb::WHITE)),
            ("fill", "patternFill") => {
                if let Some(fill) = self.fills.last_mut() {
                    *fill =
                        matches!(element.attribute("patternType"), None | Some("none" | "solid")).then_some(Rgb::WHITE);
                }
            }
            ("fill", "gradientFill") => self.fills.iter_mut().rev().take(1).for_each(|fill| *fill = None),
            ("patternFill", "fgColor") => {
                let color = color(element, &self.theme);
                self.fills.iter_mut().rev().take(1).for_each(|fill| *fill = fill.and(color));
            }
            ("cellXfs", "xf") => {
                let id = number("numFmtId").and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
                let font = self.fonts.get(number("fontId").unwrap_or(0)).copied().unwrap_or_default();
                let ground = self.fills.get(number("fillId").unwrap_or(0)).copied().unwrap_or(Some(Rgb::WHITE));
                let format = self.formats.get(&id).copied().unwrap_or_else(|| Format::builtin(id));
                self.cells.push(CellStyle { format, font, ground });
            }
            _ => {}
        }
    }
}

/// A colour by value, by place in the theme or by number; what depends on a tint is not worked out unless it is none.
fn color(element: &Element, theme: &[Rgb]) -> Option<Rgb> {
    let has_tint = element.number("tint").is_some_and(|tint| tint.abs() > 0.05);
    if has_tint {
        return None;
    }
    if let Some(rgb) = element.attribute("rgb") {
        return Rgb::from_hex(rgb);
    }
    if let Some(place) = element.attribute("theme").and_then(|place| place.parse::<usize>().ok()) {
        return theme.get(place).copied().or(match place {
            0 => Some(Rgb::WHITE),
            1 => Some(Rgb::BLACK),
            _ => None,
        });
    }
    match element.attribute("indexed") {
        Some("1" | "9" | "65") => Some(Rgb::WHITE),
        Some("0" | "8" | "64") => Some(Rgb::BLACK),
        _ => None,
    }
}

/// The colours of a theme in the order in which cells count them: light before dark.
fn read_theme(part: &str) -> Result<Vec<Rgb>, PrepareError> {
    let mut reader = Reader::new(part);
    let mut colors = Vec::new();
    let mut is_inside = false;
    while let Some(piece) = reader.next()? {
        let Piece::Start(element) = piece else { continue };
        match element.name.as_str() {
            "clrScheme" => is_inside = true,
            "fontScheme" => is_inside = false,
            "srgbClr" if is_inside => colors.extend(element.attribute("val").and_then(Rgb::from_hex)),
            "sysClr" if is_inside => colors.extend(element.attribute("lastClr").and_then(Rgb::from_hex)),
            _ => {}
        }
    }
    if colors.len() >= 4 {
        colors.swap(0, 1);
        colors.swap(2, 3);
    }
    Ok(colors)
}
