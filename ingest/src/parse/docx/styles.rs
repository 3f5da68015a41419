//! The styles of a document: what a paragraph, a run or a table looks like by name.

use std::collections::HashMap;

use super::look::{Fill, Look, shade};
use crate::{
    parse::{
        color::Rgb,
        xml::{Element, Piece, Reader, Space},
    },
    prepare::PrepareError,
};

/// Word itself stops at eleven.
const CHAIN_MAX: usize = 16;

/// A style, with what it inherits.
#[derive(Clone, Debug, Default)]
pub(super) struct Style {
    based_on: Option<String>,
    pub(super) look: Look,
    /// The level of a heading, from 1.
    pub(super) level: Option<u8>,
    pub(super) is_title: bool,
    pub(super) is_item: bool,
    pub(super) fill: Option<Fill>,
    /// A table style that darkens cells: which ones is not worked out.
    pub(super) has_dark_cells: bool,
}

/// All styles of a document.
#[derive(Debug, Default)]
pub(super) struct Styles {
    defaults: Look,
    by_id: HashMap<String, Style>,
    /// The style of a paragraph that names none.
    normal: Option<String>,
}

impl Styles {
    pub(super) fn read(parts: &[String]) -> Result<Self, PrepareError> {
        let mut styles = Self::default();
        for part in parts {
            styles.read_part(part)?;
        }
        let ids: Vec<String> = styles.by_id.keys().cloned().collect();
        let resolved = ids.into_iter().map(|id| (id.clone(), styles.resolve(&id))).collect();
        styles.by_id = resolved;
        Ok(styles)
    }

    fn read_part(&mut self, part: &str) -> Result<(), PrepareError> {
        let mut reader = Reader::new(part);
        let mut path: Vec<String> = Vec::new();
        let mut open: Option<(String, Style)> = None;
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) if element.is(Space::Word, "style") => {
                    let id = element.attribute("styleId").unwrap_or_default().to_owned();
                    let is_paragraph = element.attribute("type") == Some("paragraph");
                    if is_paragraph && element.attribute("default").is_some_and(|on| matches!(on, "1" | "true")) {
                        self.normal = Some(id.clone());
                    }
                    open = Some((id, Style::default()));
                    path.push(element.name);
                }
                Piece::Start(element) => {
                    match &mut open {
                        Some((_, style)) => style.take(&path, &element),
                        None if path.iter().any(|step| step == "rPrDefault") => self.defaults.read(&element),
                        None => {}
                    }
                    path.push(element.name);
                }
                Piece::End => {
                    if path.pop().is_some_and(|name| name == "style") {
                        self.by_id.extend(open.take());
                    }
                }
                Piece::Text(_) => {}
            }
        }
        Ok(())
    }

    fn resolve(&self, id: &str) -> Style {
        let mut style = self.by_id.get(id).cloned().unwrap_or_default();
        let mut base = style.based_on.clone();
        for _ in 0..CHAIN_MAX {
            let Some(own) = base.as_ref().and_then(|id| self.by_id.get(id)) else { break };
            style.look = style.look.over(own.look);
            style.level = style.level.or(own.level);
            style.is_title |= own.is_title;
            style.is_item |= own.is_item;
            style.fill = style.fill.or(own.fill);
            style.has_dark_cells |= own.has_dark_cells;
            base.clone_from(&own.based_on);
        }
        style
    }

    /// A style by its id.
    pub(super) fn get(&self, id: &str) -> Option<&Style> {
        self.by_id.get(id)
    }

    /// The look that a run has in a paragraph, before its own properties.
    pub(super) fn base(&self, paragraph: Option<&str>) -> Look {
        let style = paragraph.or(self.normal.as_deref()).and_then(|id| self.by_id.get(id));
        style.map_or(self.defaults, |style| style.look.over(self.defaults))
    }
}

impl Style {
    fn take(&mut self, path: &[String], element: &Element) {
        let value = || element.attribute("val").unwrap_or_default();
        let within = |name: &str| path.iter().any(|step| step == name);
        match element.name.as_str() {
            "shd" if within("tcPr") || within("tblPr") => {
                self.has_dark_cells |= match shade(element) {
                    Fill::None => false,
                    Fill::Color(color) => !color.vanishes_on(Rgb::WHITE),
                    Fill::Unknown => true,
                };
            }
            _ if within("tblStylePr") => {}
            "name" => self.name(&value().to_ascii_lowercase()),
            "basedOn" => self.based_on = Some(value().to_owned()),
            "outlineLvl" => self.level = self.level.or_else(|| outline_level(element)),
            "numId" => self.is_item = value() != "0",
            "shd" if within("pPr") => self.fill = Some(shade(element)),
            _ if within("rPr") && !within("pPr") => self.look.read(element),
            _ => {}
        }
    }

    fn name(&mut self, name: &str) {
        self.is_title = name == "title";
        let level = name.strip_prefix("heading ").and_then(|level| level.parse().ok());
        self.level = level.filter(|level| (1..=9).contains(level)).or(if self.is_title { Some(1) } else { None });
    }
}

/// The level of `w:outlineLvl`, from 1; 9 stands for body text.
pub(super) fn outline_level(element: &Element) -> Option<u8> {
    let level: u8 = element.attribute("val")?.parse().ok()?;
    (level < 9).then_some(level + 1)
}
