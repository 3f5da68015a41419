//! What lies under a slide: its background, the colours of its theme, and what its layout paints.

use std::collections::BTreeMap;

use crate::{
    parse::{
        archive::Archive,
        color::Rgb,
        package::{Relation, relations},
        xml::{Element, Piece, Reader, decode},
    },
    prepare::PrepareError,
};

/// What a text lies on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ground {
    Color(Rgb),
    /// A picture or a gradient: nothing is hidden on it by its colour.
    Unknown,
}

/// The background of a slide and the meaning of its colour names.
#[derive(Debug)]
pub(super) struct Backdrop {
    colors: BTreeMap<String, Rgb>,
    names: BTreeMap<String, String>,
    pub(super) ground: Ground,
    /// Whether layout or master paint something, whose place is not worked out.
    pub(super) is_painted: bool,
}

impl Backdrop {
    /// Follows a slide to its layout, master and theme.
    pub(super) fn read(archive: &Archive<'_>, slide: &BTreeMap<String, Relation>) -> Result<Self, PrepareError> {
        let mut backdrop = Self {
            colors: BTreeMap::new(),
            names: BTreeMap::new(),
            ground: Ground::Color(Rgb::WHITE),
            is_painted: false,
        };
        let mut links = slide.clone();
        let mut parts = Vec::new();
        for kind in ["slideLayout", "slideMaster", "theme"] {
            let Some(relation) = links.values().find(|relation| relation.kind == kind).cloned() else { break };
            let Some(part) = archive.part(&relation.target)? else { break };
            parts.push((kind, decode(part)?));
            links = relations(archive, &relation.target)?;
        }
        // The theme gives the colours that the others name; the layout has the last word.
        for (kind, part) in parts.iter().rev() {
            match *kind {
                "theme" => backdrop.read_theme(part)?,
                _ => backdrop.read_layer(part)?,
            }
        }
        Ok(backdrop)
    }

    fn read_theme(&mut self, part: &str) -> Result<(), PrepareError> {
        let mut reader = Reader::new(part);
        let mut path: Vec<String> = Vec::new();
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) => {
                    let slot = path.last().filter(|_| path.iter().rev().nth(1).is_some_and(|name| name == "clrScheme"));
                    let color = match element.name.as_str() {
                        "srgbClr" => element.attribute("val"),
                        "sysClr" => element.attribute("lastClr"),
                        _ => None,
                    };
                    if let (Some(slot), Some(color)) = (slot, color.and_then(Rgb::from_hex)) {
                        self.colors.insert(slot.clone(), color);
                    }
                    path.push(element.name);
                }
                Piece::End => drop(path.pop()),
                Piece::Text(_) => {}
            }
        }
        Ok(())
    }

    fn read_layer(&mut self, part: &str) -> Result<(), PrepareError> {
        let mut reader = Reader::new(part);
        let mut path: Vec<String> = Vec::new();
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) => {
                    self.take(&element, &path);
                    path.push(element.name);
                }
                Piece::End => drop(path.pop()),
                Piece::Text(_) => {}
            }
        }
        Ok(())
    }

    /// Takes in an element of a slide, a layout or a master that says something about the background.
    pub(super) fn take(&mut self, element: &Element, path: &[String]) {
        let parent = path.last().map(String::as_str).unwrap_or_default();
        let in_background = path.iter().any(|name| name == "bg");
        match element.name.as_str() {
            "clrMap" | "overrideClrMapping" => {
                for (name, _) in NAMES {
                    if let Some(meant) = element.attribute(name) {
                        self.names.insert(name.to_owned(), meant.to_owned());
                    }
                }
            }
            "blipFill" | "gradFill" | "pattFill" if in_background => self.ground = Ground::Unknown,
            "srgbClr" | "schemeClr" if in_background && matches!(parent, "solidFill" | "bgRef") => {
                self.ground = self.color(element).map_or(Ground::Unknown, Ground::Color);
            }
            "pic" => self.is_painted = true,
            "solidFill" | "blipFill" | "gradFill" | "pattFill" if parent == "spPr" => self.is_painted = true,
            _ => {}
        }
    }

    /// The colour of `a:srgbClr` or `a:schemeClr`.
    pub(super) fn color(&self, element: &Element) -> Option<Rgb> {
        let value = element.attribute("val")?;
        if element.name == "srgbClr" {
            return Rgb::from_hex(value);
        }
        let usual = NAMES.iter().find(|(name, _)| *name == value).map(|(_, meant)| *meant);
        let meant = self.names.get(value).map(String::as_str).or(usual).unwrap_or(value);
        let basic = match meant {
            "lt1" => Some(Rgb::WHITE),
            "dk1" => Some(Rgb::BLACK),
            _ => None,
        };
        self.colors.get(meant).copied().or(basic)
    }
}

/// The names that a map may give another meaning, with the usual one.
const NAMES: [(&str, &str); 4] = [("bg1", "lt1"), ("tx1", "dk1"), ("bg2", "lt2"), ("tx2", "dk2")];
