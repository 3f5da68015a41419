//! What a page looks like: what was painted where, which strings lie on it, and which are lost.

use super::{geometry::Rectangle, lines::Piece};
use crate::parse::color::Rgb;

/// Painted areas that are kept; beyond them a ground counts as unknown.
const AREAS_MAX: usize = 4000;
/// A rectangle painted over letters hides them; so many are kept.
const COVERS_MAX: usize = 1000;

struct Area {
    place: Rectangle,
    /// `None` is a picture or a pattern.
    color: Option<Rgb>,
}

struct Cover {
    place: Rectangle,
    /// How many strings were written before.
    after: usize,
}

/// A page under construction.
pub(super) struct Canvas {
    page: Rectangle,
    areas: Vec<Area>,
    covers: Vec<Cover>,
    pieces: Vec<Piece>,
    hides: bool,
}

impl Canvas {
    pub(super) const fn new(page: Rectangle) -> Self {
        Self { page, areas: Vec::new(), covers: Vec::new(), pieces: Vec::new(), hides: false }
    }

    /// Something that is not shown stood here.
    pub(super) const fn hides_something(&mut self) {
        self.hides = true;
    }

    /// Paints an area; `covers` if it hides whatever lies within.
    pub(super) fn paint(&mut self, place: Rectangle, color: Option<Rgb>, covers: bool) {
        if !place.meets(&self.page) {
            return;
        }
        if self.areas.len() < AREAS_MAX {
            self.areas.push(Area { place, color });
        }
        if covers && self.covers.len() < COVERS_MAX {
            self.covers.push(Cover { place: place.grown(0.5), after: self.pieces.len() });
        }
    }

    /// Paints a picture.
    pub(super) fn paint_image(&mut self, place: Rectangle) {
        self.paint(place, None, false);
    }

    /// Writes a string in a colour; `None` if its letters are not painted.
    pub(super) fn write(&mut self, piece: Piece, letters: Option<Option<Rgb>>, clip: Option<&Rectangle>) {
        let bounds = piece.bounds().grown(0.1);
        let is_outside = !bounds.meets(&self.page) || clip.is_some_and(|clip| !bounds.meets(clip));
        let is_lost = letters.flatten().is_some_and(|color| self.is_lost(color, &bounds));
        if letters.is_none() || is_outside || is_lost {
            self.hides |= !piece.text.trim().is_empty();
            return;
        }
        // Bold is at times made by writing twice.
        let is_again = self.pieces.last().is_some_and(|last| {
            let apart = (last.start.0 - piece.start.0).abs().max((last.start.1 - piece.start.1).abs());
            last.text == piece.text && apart < piece.size * 0.15
        });
        if !is_again {
            self.pieces.push(piece);
        }
    }

    /// Whether a colour cannot be told from what lies under a string.
    fn is_lost(&self, color: Rgb, bounds: &Rectangle) -> bool {
        let could_be = color.vanishes_on(Rgb::WHITE)
            || self.areas.iter().any(|area| area.color.is_some_and(|own| color.vanishes_on(own)));
        if !could_be || self.areas.len() == AREAS_MAX {
            return false;
        }
        match self.areas.iter().rev().find(|area| area.place.meets(bounds)) {
            Some(area) => area.color.is_some_and(|own| color.vanishes_on(own)),
            None => color.vanishes_on(Rgb::WHITE),
        }
    }

    /// The strings that are seen, and whether something is not.
    pub(super) fn finish(mut self) -> (Vec<Piece>, bool) {
        let covers = std::mem::take(&mut self.covers);
        let is_covered = |index: usize, piece: &Piece| {
            let later = covers.partition_point(|cover| cover.after <= index);
            !covers[later..].is_empty() && {
                let bounds = piece.bounds();
                covers[later..].iter().any(|cover| cover.place.holds(&bounds))
            }
        };
        let mut seen = Vec::with_capacity(self.pieces.len());
        for (index, piece) in self.pieces.into_iter().enumerate() {
            if is_covered(index, &piece) {
                self.hides |= !piece.text.trim().is_empty();
            } else {
                seen.push(piece);
            }
        }
        (seen, self.hides)
    }
}
