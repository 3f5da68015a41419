//! The graphics state: what the operators before a string say about how it is shown.

use std::rc::Rc;

use super::{
    color::Space,
    font::Font,
    geometry::{Matrix, Rectangle},
};
use crate::parse::color::Rgb;

/// A colour with the space in which it was given.
#[derive(Clone, Copy)]
pub(super) struct Ink {
    pub(super) space: Space,
    /// `None` is a colour that is not worked out.
    pub(super) color: Option<Rgb>,
}

impl Ink {
    const BLACK: Self = Self { space: Space::Gray, color: Some(Rgb::BLACK) };
}

/// The state that `q` saves and `Q` restores.
#[derive(Clone)]
pub(super) struct State {
    pub(super) matrix: Matrix,
    pub(super) clip: Option<Rectangle>,
    pub(super) fill: Ink,
    pub(super) stroke: Ink,
    pub(super) fill_opacity: f64,
    pub(super) stroke_opacity: f64,
    /// Whether what is painted lies on what is below as paint does: no blending, no mask.
    pub(super) is_opaque: bool,
    pub(super) font: Option<Rc<Font>>,
    pub(super) size: f64,
    pub(super) character_spacing: f64,
    pub(super) word_spacing: f64,
    pub(super) stretch: f64,
    pub(super) leading: f64,
    pub(super) rise: f64,
    pub(super) mode: u8,
}

impl State {
    pub(super) const fn new(matrix: Matrix) -> Self {
        Self {
            matrix,
            clip: None,
            fill: Ink::BLACK,
            stroke: Ink::BLACK,
            fill_opacity: 1.0,
            stroke_opacity: 1.0,
            is_opaque: true,
            font: None,
            size: 0.0,
            character_spacing: 0.0,
            word_spacing: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
            mode: 0,
        }
    }

    /// The colour and opacity of letters in the present mode; `None` if they are not painted at all.
    pub(super) const fn letters(&self) -> Option<(Option<Rgb>, f64)> {
        match self.mode {
            0 | 4 => Some((self.fill.color, self.fill_opacity)),
            1 | 5 => Some((self.stroke.color, self.stroke_opacity)),
            // Filled and stroked: one of the two is enough to be read.
            2 | 6 if self.fill_opacity > 0.1 && self.stroke_opacity > 0.1 => Some((None, 1.0)),
            2 | 6 => Some((self.fill.color, self.fill_opacity.max(self.stroke_opacity))),
            _ => None,
        }
    }
}
