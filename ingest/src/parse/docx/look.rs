//! How a run of text looks, as far as it decides whether a person sees it.

use crate::parse::{
    color::Rgb,
    xml::{Element, Space},
};

/// Below this many half-points a text is a line of dust.
const HALF_POINTS_MIN: f64 = 5.0;
/// Characters squeezed to less than this percentage cannot be read.
const SCALE_MIN: f64 = 10.0;

/// A property that colours the ground under a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    None,
    Color(Rgb),
    /// A pattern or a style whose colour is not worked out; nothing is hidden on it.
    Unknown,
}

/// The properties of a run; `None` is inherited.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    vanishes: Option<bool>,
    /// `Some(None)` is automatic: black or white, whichever can be read.
    color: Option<Option<Rgb>>,
    half_points: Option<f64>,
    scale: Option<f64>,
    is_transparent: Option<bool>,
    fill: Option<Fill>,
}

impl Look {
    /// Takes in one element of `w:rPr`.
    pub(super) fn read(&mut self, element: &Element) {
        match (element.space, element.name.as_str()) {
            (Space::Word, "vanish" | "webHidden" | "specVanish") => {
                self.vanishes = Some(element.is_on("val"));
            }
            (Space::Word, "color") => self.color = Some(color(element)),
            (Space::Word, "sz") => self.half_points = element.number("val"),
            (Space::Word, "w") => self.scale = element.number("val"),
            (Space::Word, "highlight") => self.fill = element.attribute("val").map(highlight),
            (Space::Word, "shd") => self.fill = self.fill.or_else(|| Some(shade(element))),
            (Space::Word14, "noFill") => self.is_transparent = Some(true),
            _ => {}
        }
    }

    /// These properties, and those of a base where they say nothing.
    pub(super) fn over(self, base: Self) -> Self {
        Self {
            vanishes: self.vanishes.or(base.vanishes),
            color: self.color.or(base.color),
            half_points: self.half_points.or(base.half_points),
            scale: self.scale.or(base.scale),
            is_transparent: self.is_transparent.or(base.is_transparent),
            fill: self.fill.or(base.fill),
        }
    }

    /// Whether a person does not see a text of this look on a ground.
    pub(super) fn is_hidden(&self, ground: Fill) -> bool {
        let ground = match self.fill {
            None | Some(Fill::None) => ground,
            Some(fill) => fill,
        };
        let ground = match ground {
            Fill::None => Some(Rgb::WHITE),
            Fill::Color(color) => Some(color),
            Fill::Unknown => None,
        };
        let is_lost = match (self.color.flatten(), ground) {
            (Some(color), Some(ground)) => color.vanishes_on(ground),
            _ => false,
        };
        self.vanishes == Some(true)
            || self.is_transparent == Some(true)
            || self.half_points.is_some_and(|size| size < HALF_POINTS_MIN)
            || self.scale.is_some_and(|scale| scale < SCALE_MIN)
            || is_lost
    }
}

/// The colour of `w:color`, where the theme's two basic ones are taken to be white and black.
fn color(element: &Element) -> Option<Rgb> {
    let is_shaded = element.attribute("themeShade").is_some() || element.attribute("themeTint").is_some();
    match element.attribute("themeColor") {
        Some("background1" | "light1") if !is_shaded => Some(Rgb::WHITE),
        _ => element.attribute("val").and_then(Rgb::from_hex),
    }
}

/// The ground of `w:shd`.
pub(super) fn shade(element: &Element) -> Fill {
    let pattern = element.attribute("val").unwrap_or("clear");
    let is_themed = element.attribute("themeFill").is_some_and(|theme| theme != "background1");
    match element.attribute("fill") {
        _ if pattern == "nil" => Fill::None,
        _ if pattern != "clear" => Fill::Unknown,
        Some(fill) => match Rgb::from_hex(fill) {
            Some(color) => Fill::Color(color),
            None if is_themed => Fill::Unknown,
            None => Fill::None,
        },
        None if is_themed => Fill::Unknown,
        None => Fill::None,
    }
}

fn highlight(name: &str) -> Fill {
    Fill::Color(match name {
        "none" => return Fill::None,
        "yellow" => Rgb(255, 255, 0),
        "green" => Rgb(0, 255, 0),
        "cyan" => Rgb(0, 255, 255),
        "magenta" => Rgb(255, 0, 255),
        "blue" => Rgb(0, 0, 255),
        "red" => Rgb(255, 0, 0),
        "white" => Rgb::WHITE,
        "black" => Rgb::BLACK,
        "darkBlue" => Rgb(0, 0, 128),
        "darkCyan" => Rgb(0, 128, 128),
        "darkGreen" => Rgb(0, 128, 0),
        "darkMagenta" => Rgb(128, 0, 128),
        "darkRed" => Rgb(128, 0, 0),
        "darkYellow" => Rgb(128, 128, 0),
        "darkGray" => Rgb(128, 128, 128),
        "lightGray" => Rgb(192, 192, 192),
        _ => return Fill::Unknown,
    })
}
