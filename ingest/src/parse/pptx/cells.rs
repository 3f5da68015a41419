//! What lies under the text of table cells: their own fill comes after their text, so it is read beforehand.

use super::theme::{Backdrop, Ground};
use crate::{
    parse::xml::{Piece, Reader, Space},
    prepare::PrepareError,
};

/// Table styles that fill nothing: "No Style, No Grid" and "No Style, Table Grid".
const PLAIN_STYLES: [&str; 2] = ["{2D5ABB26-0587-4C30-8999-92F81FD0307C}", "{5940675A-B579-460E-94D1-54222C63F5DA}"];

/// The grounds of the cells of a slide in order; `None` for a cell that shows what its table lies on.
pub(super) fn grounds(part: &str, backdrop: &Backdrop) -> Result<Vec<Option<Ground>>, PrepareError> {
    let mut grounds = Vec::new();
    if !part.contains("tbl") {
        return Ok(grounds);
    }
    let mut reader = Reader::new(part);
    let mut path: Vec<String> = Vec::new();
    // What the style of the table gives cells without a fill of their own.
    let mut styled = None;
    while let Some(piece) = reader.next()? {
        match piece {
            Piece::Start(element) => {
                let parent = path.last().map(String::as_str).unwrap_or_default();
                let above = path.iter().rev().nth(1).map(String::as_str).unwrap_or_default();
                match (element.name.as_str(), parent, above) {
                    ("tbl", ..) => styled = None,
                    ("tc", ..) if element.space == Space::Drawing => grounds.push(styled),
                    ("gradFill" | "blipFill" | "pattFill" | "grpFill", "tcPr" | "tblPr", _) => {
                        set(parent, Some(Ground::Unknown), &mut styled, &mut grounds);
                    }
                    ("noFill", "tcPr", _) => set(parent, None, &mut styled, &mut grounds),
                    ("srgbClr" | "schemeClr", "solidFill", "tcPr" | "tblPr") => {
                        let ground = backdrop.color(&element).map_or(Ground::Unknown, Ground::Color);
                        set(above, Some(ground), &mut styled, &mut grounds);
                    }
                    // A darker or lighter shade is not worked out.
                    (_, "srgbClr" | "schemeClr", "solidFill")
                        if path.iter().rev().nth(2).is_some_and(|own| own == "tcPr") =>
                    {
                        set("tcPr", Some(Ground::Unknown), &mut styled, &mut grounds);
                    }
                    _ => {}
                }
                path.push(element.name);
            }
            Piece::End => drop(path.pop()),
            Piece::Text(text) => {
                let is_style = path.last().is_some_and(|own| own == "tableStyleId");
                if is_style && styled.is_none() && !PLAIN_STYLES.contains(&text.trim()) {
                    styled = Some(Ground::Unknown);
                }
            }
        }
    }
    Ok(grounds)
}

/// Sets the ground of the last cell, or that of the cells to come.
fn set(owner: &str, ground: Option<Ground>, styled: &mut Option<Ground>, grounds: &mut [Option<Ground>]) {
    if owner == "tblPr" {
        *styled = ground;
    } else if let Some(last) = grounds.last_mut() {
        *last = ground;
    }
}
