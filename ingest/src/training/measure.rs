//! Measuring a detector on rows: how much of each instruction it takes out, and how much of an honest text.

use std::{borrow::Cow, ops::Range};

use crate::{
    draft::Draft,
    finding::{Action, Finding},
    prepare::SanitizePolicy,
    sanitize::{
        Memory,
        instruction::{Judges, model::Model},
        sanitize_with,
    },
    training::corpus::{Row, overlap},
};

/// An instruction counts as removed if so much of it is.
pub const REMOVED_SHARE: f64 = 0.8;

/// Who judges whether a sentence is an instruction.
#[derive(Debug)]
pub struct Detector {
    rules: bool,
    model: Option<Model>,
}

impl Detector {
    /// The rules alone.
    #[must_use]
    pub const fn rules() -> Self {
        Self { rules: true, model: None }
    }

    /// A model, with or without the rules' own verdict beside it; `None` if the file is no model.
    #[must_use]
    pub fn model(file: Vec<u8>, with_rules: bool) -> Option<Self> {
        Some(Self { rules: with_rules, model: Some(Model::read(Cow::Owned(file))?) })
    }

    /// The same with other lines, in 256ths of log-odds.
    #[must_use]
    pub fn with_lines(mut self, seed: i32, beside: i32, veto: i32) -> Self {
        if let Some(model) = &mut self.model {
            (model.lines.seed, model.lines.beside, model.lines.veto) = (seed, beside, veto);
        }
        self
    }

    /// What the sanitiser takes out of a text: everything, and what it takes out in any case (hidden things, tokens, markup that loads).
    #[must_use]
    pub fn removed(&self, text: &str) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
        let judges = Judges { rules: self.rules, model: self.model.as_ref() };
        let draft = Draft::new(text.to_owned());
        let Ok(sanitized) = sanitize_with(draft, SanitizePolicy::Strip, judges, &mut Memory::default()) else {
            return (std::iter::once(0..text.len()).collect(), Vec::new());
        };
        let ranges = |counts: fn(&Finding) -> bool| {
            let stripped = sanitized.findings.iter().filter(|finding| finding.action == Action::Stripped);
            joined(stripped.filter(|finding| counts(finding)).map(|finding| finding.range.clone()).collect())
        };
        (ranges(|_| true), ranges(|finding| !finding.kind.name().contains("instruction")))
    }

    /// Whether any of a row's instructions is touched, and whether [`REMOVED_SHARE`] of all is taken out.
    #[must_use]
    pub fn meets(&self, row: &Row) -> (bool, bool) {
        let (gone, _) = self.removed(&row.text);
        let pairs = row.spans.iter().flat_map(|span| gone.iter().map(move |range| overlap(range, span)));
        let covered: usize = pairs.sum();
        let whole: usize = row.spans.iter().map(Range::len).sum();
        (covered > 0, ratio(covered, whole) >= REMOVED_SHARE)
    }

    /// Of an honest text: its sentences, those lost, and those of them lost to instructions.
    #[must_use]
    pub fn loses(&self, text: &str) -> (usize, usize, usize) {
        let (gone, guaranteed) = self.removed(text);
        let is_gone = |ranges: &[Range<usize>], sentence: &Range<usize>| {
            let covered: usize = ranges.iter().map(|range| overlap(range, sentence)).sum();
            covered * 2 >= sentence.len()
        };
        let sentences = sentences(text);
        let lost = sentences.iter().filter(|sentence| is_gone(&gone, sentence));
        let by_judgement = lost.clone().filter(|sentence| !is_gone(&guaranteed, sentence));
        (sentences.len(), lost.count(), by_judgement.count())
    }
}

fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// Sentences as a simple reader cuts them, apart from how the sanitiser does it.
#[must_use]
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let bytes = text.as_bytes();
    for at in 0..bytes.len() {
        let ends = bytes[at] == b'\n'
            || (b".!?".contains(&bytes[at]) && bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace));
        if ends || at + 1 == bytes.len() {
            let whole = &text[start..=at];
            let sentence = whole.trim();
            if sentence.len() > 2 {
                let offset = start + (whole.len() - whole.trim_start().len());
                found.push(offset..offset + sentence.len());
            }
            start = at + 1;
        }
    }
    found
}

/// A part of a whole; 0 of nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
