//! How much a sentence looks like an instruction to a machine.

use crate::sanitize::instruction::{
    cue::Cue,
    prelude::{ABOUT, COMMANDEER, Classes, MENTION},
    rules::{FAMILIES, Family, Part, RULES},
};

/// Points that make a sentence an instruction where nothing speaks for or against it.
pub(super) const NEEDED: u16 = 7;
/// Points that make a sentence go with a neighbour that is one.
pub(super) const NEEDED_BESIDE: u16 = 3;

/// Points that a sentence loses for talking about attacks, or in examples.
const MENTION_COSTS: u16 = 5;

/// What the rules say of a sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    /// The sum of the strongest rules of each family.
    pub(super) points: u16,
    /// Whether it cancels instructions or frees from them, rather than only giving some.
    pub(super) overrides: bool,
    /// Whether it announces a command that follows.
    pub(super) announces: bool,
    /// Whether it speaks about attacks, prompts or models, as documentation does.
    pub(super) about: bool,
    /// The strongest rule of each family.
    pub(super) families: [u16; FAMILIES],
}

/// Scores the cues of a sentence; `union` is the union of their classes.
pub(super) fn score(cues: &[Cue], union: Classes) -> Score {
    let mut best = [0_u16; FAMILIES];
    for rule in RULES {
        let family = rule.family as usize;
        let possible = rule.parts.iter().all(|part| union & part.any != 0 && union & part.marks == part.marks);
        if u16::from(rule.points) > best[family] && possible && holds(rule.parts, cues) {
            best[family] = rule.points.into();
        }
    }
    let of = |family: Family| best[family as usize];
    let announcing = of(Family::Override).max(of(Family::Notice)).max(of(Family::Address)).max(of(Family::Role));
    let mention = match (union & MENTION != 0, union & COMMANDEER != 0) {
        (false, _) => 0,
        (true, true) => MENTION_COSTS - 2,
        (true, false) => MENTION_COSTS,
    };
    Score {
        points: best.iter().sum::<u16>().saturating_sub(mention),
        overrides: of(Family::Override).max(of(Family::Role)) >= of(Family::Steer).max(of(Family::Leak)).max(5),
        announces: announcing >= 4,
        about: union & ABOUT != 0,
        families: best,
    }
}

/// Whether the parts of a rule occur in order, each near enough to the one before.
fn holds(parts: &[Part], cues: &[Cue]) -> bool {
    let Some((first, rest)) = parts.split_first() else { return true };
    cues.iter().enumerate().any(|(index, cue)| matches(first, cue) && goes_on(rest, cue, &cues[index + 1..]))
}

fn goes_on(parts: &[Part], last: &Cue, cues: &[Cue]) -> bool {
    let Some((first, rest)) = parts.split_first() else { return true };
    let near = cues.iter().enumerate().take_while(|(_, cue)| cue.from <= last.to + first.gap + 2);
    near.into_iter().any(|(index, cue)| matches(first, cue) && goes_on(rest, cue, &cues[index + 1..]))
}

const fn matches(part: &Part, cue: &Cue) -> bool {
    cue.classes & part.any != 0 && cue.classes & part.marks == part.marks
}
