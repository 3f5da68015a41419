//! The words that cues are made of, by language.
//!
//! Entries are separated by `|`; `*` at the end marks a stem, and `¦` stands for a bar. An entry without classes is an exception: it wins over the shorter entries that it contains.

mod english;
mod european;
mod world;

use crate::sanitize::instruction::prelude::Classes;

/// A group of entries with their classes.
pub(super) type Group = (Classes, &'static str);

/// Every group of every language.
pub(super) fn all() -> impl Iterator<Item = Group> {
    [english::GROUPS, european::GROUPS, world::GROUPS].into_iter().flatten().copied()
}
