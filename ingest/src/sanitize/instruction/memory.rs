//! What is known of the sentences of a text, kept from one round of the sanitiser to the next.
//!
//! A round takes something out somewhere; nearly all sentences are as they were. What a sentence says by itself depends on its own bytes and on whether it is code, so a sentence that lies untouched between edits needs no second look. What stands around it is compared, not assumed: only where the whole window is as it was is the sum of its features taken over. The outcome is that of looking anew, to the byte; the tests compare the two.

use std::ops::Range;

use crate::{
    draft::Edit,
    sanitize::instruction::{
        foreign::Tongue,
        model::context::{Glance, WINDOW},
        sentence::Sentence,
        verdict::Look,
    },
};

/// A sentence as it was seen.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Where it stands in the text as it is now.
    pub(super) range: Range<usize>,
    pub(super) in_code: bool,
    /// Its number in the text that was seen.
    pub(super) number: usize,
    /// What it says by itself, before its document was looked at.
    pub(super) look: Look,
    /// Its margin without its surroundings, and what the surroundings add.
    pub(super) margin: i32,
    pub(super) context: i32,
    /// Its words among the hashes.
    pub(super) words: Range<usize>,
    pub(super) english: u32,
    /// Its tongue and how many letters it has, where somebody asked.
    pub(super) tongue: Option<(Tongue, usize)>,
    /// As its neighbours saw it.
    pub(super) glance: Glance,
    /// Whether it is in the same paragraph as the sentence before it.
    pub(super) goes_on: bool,
}

/// The sentences of the text that was seen last.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(super) seen: Vec<Seen>,
    pub(super) hashes: Vec<u32>,
    /// How many sentences the text had when it was seen.
    pub(super) count: usize,
    /// For the tests: remembers nothing.
    forgets: bool,
}

impl Memory {
    /// One that remembers nothing, so that every round looks anew.
    #[cfg(test)]
    pub(crate) fn forgetful() -> Self {
        Self { forgets: true, ..Self::default() }
    }

    /// Follows edits of the text, which are in order and apart: sentences that they touch are forgotten, the others move.
    pub(crate) fn follow(&mut self, edits: &[Edit]) {
        let (mut removed, mut added) = (0, 0);
        let mut next = 0;
        self.seen.retain_mut(|seen| {
            while let Some(edit) = edits.get(next).filter(|edit| edit.range.end <= seen.range.start) {
                removed += edit.range.len();
                added += edit.replacement.len();
                next += 1;
            }
            let is_touched = edits.get(next).is_some_and(|edit| edit.range.start < seen.range.end);
            seen.range = seen.range.start + added - removed..seen.range.end + added - removed;
            !is_touched
        });
    }

    /// For each sentence of the text as it is now the place of what is remembered of it.
    pub(super) fn known(&self, sentences: &[Sentence]) -> Vec<Option<usize>> {
        let mut next = 0;
        let known = |sentence: &Sentence| {
            while self.seen.get(next).is_some_and(|seen| seen.range.start < sentence.range.start) {
                next += 1;
            }
            let seen = self.seen.get(next)?;
            (seen.range == sentence.range && seen.in_code == sentence.in_code).then_some(next)
        };
        sentences.iter().map(known).collect()
    }

    /// Takes the place of what was remembered.
    pub(super) fn replace(&mut self, seen: Vec<Seen>, hashes: Vec<u32>) {
        if !self.forgets {
            *self = Self { count: seen.len(), seen, hashes, forgets: false };
        }
    }

    /// For each sentence what its surroundings added, where they are as they were: the same sentences in the same window, which their document makes the same of.
    pub(super) fn contexts(&self, known: &[Option<usize>], now: &[Seen]) -> Vec<Option<i32>> {
        let is_same = |index: usize| {
            let seen = &self.seen[known[index]?];
            let (then, own) = (&seen.glance, &now[index].glance);
            (then.points == own.points && then.foreign == own.foreign).then_some(seen)
        };
        let seen: Vec<Option<&Seen>> = (0..now.len()).map(is_same).collect();
        let goes_on = |index: usize| {
            let (Some(before), Some(seen)) = (seen[index - 1], seen[index]) else { return false };
            seen.number == before.number + 1 && seen.goes_on == now[index].goes_on
        };
        let mut contexts = Vec::with_capacity(now.len());
        let mut start = 0;
        while start < now.len() {
            let mut end = start + 1;
            while end < now.len() && goes_on(end) {
                end += 1;
            }
            for (index, seen) in seen.iter().enumerate().take(end).skip(start) {
                let Some(seen) = seen else {
                    contexts.push(None);
                    continue;
                };
                let before = index >= start + WINDOW || (start == 0 && seen.number == index);
                let rest = now.len() - index;
                let after = index + WINDOW < end || (end == now.len() && self.count - seen.number == rest);
                contexts.push((before && after).then_some(seen.context));
            }
            start = end;
        }
        contexts
    }
}

#[cfg(test)]
mod tests {
    use super::{Memory, Seen};
    use crate::{
        draft::Edit,
        finding::FindingKind,
        sanitize::instruction::{model::context::Glance, verdict::Look},
    };

    fn seen(number: usize) -> Seen {
        Seen {
            range: number * 10..number * 10 + 8,
            in_code: false,
            number,
            look: Look::default(),
            margin: 0,
            context: i32::try_from(number).unwrap(),
            words: 0..0,
            english: 0,
            tongue: None,
            glance: Glance::default(),
            goes_on: !number.is_multiple_of(3),
        }
    }

    #[test]
    fn what_edits_touch_is_forgotten_and_the_rest_moves() {
        let mut memory = Memory::default();
        memory.replace((0..4).map(seen).collect(), Vec::new());
        memory.follow(&[
            Edit { range: 8..10, kind: FindingKind::Comment, replacement: "" },
            Edit { range: 17..19, kind: FindingKind::Comment, replacement: "[mask]" },
        ]);
        let left: Vec<_> = memory.seen.iter().map(|seen| (seen.number, seen.range.clone())).collect();
        assert_eq!(left, [(0, 0..8), (2, 22..30), (3, 32..40)]);
    }

    #[test]
    fn surroundings_are_known_where_the_whole_window_is() {
        let mut memory = Memory::default();
        memory.replace((0..60).map(seen).collect(), Vec::new());
        let whole: Vec<Option<usize>> = (0..60).map(Some).collect();
        let now: Vec<Seen> = (0..60).map(seen).collect();
        assert!(memory.contexts(&whole, &now).iter().all(Option::is_some));
        // Without the sentence 30: the ten before and after it have another window.
        let known: Vec<Option<usize>> = (0..60).filter(|number| *number != 30).map(Some).collect();
        let now: Vec<Seen> = (0..60).filter(|number| *number != 30).map(seen).collect();
        let contexts = memory.contexts(&known, &now);
        let unknown: Vec<usize> = (0..59).filter(|index| contexts[*index].is_none()).collect();
        assert_eq!(unknown, (20..40).collect::<Vec<_>>());
    }
}
