//! Putting a prepared document together: sanitise, mask, attach each finding to its chunk.

use std::collections::BTreeSet;

use crate::{
    chunk::Passage,
    draft::{Draft, tidy},
    finding::{Action, Finding, FindingKind},
    label::sanitize_label,
    media_type::MediaType,
    prepare::{Prepared, PreparedChunk, QuarantineReason, SanitizePolicy},
    redact::{self, RedactionCount, RedactionKind},
    sanitize::{Memory, SanitizerFailed, sanitize, settle},
    untrusted::UntrustedText,
};

/// A text that is sanitised and has its credentials masked.
pub(crate) struct Cleaned {
    pub(crate) draft: Draft,
    pub(crate) findings: Vec<Finding>,
    /// Where in the source a credential of which kind was masked, in order.
    pub(crate) masked: Vec<(usize, RedactionKind)>,
}

/// Rounds of sanitising and masking; honest text needs one, and one more to see that nothing is left.
const ROUNDS_MAX: usize = 8;

/// Sanitises a text and masks its credentials, in turn until neither has anything to do: a mask may bring its neighbours together into something new.
pub(crate) fn clean(text: String, policy: SanitizePolicy) -> Result<Cleaned, SanitizerFailed> {
    let mut cleaned = Cleaned { draft: Draft::new(text), findings: Vec::new(), masked: Vec::new() };
    let mut memory = Memory::default();
    for _ in 0..ROUNDS_MAX {
        let sanitized = sanitize(cleaned.draft, policy, &mut memory)?;
        cleaned.draft = sanitized.draft;
        cleaned.findings.extend(sanitized.findings);
        let matches = redact::find(cleaned.draft.text(), &BTreeSet::new());
        if matches.is_empty() {
            cleaned.findings = settle(cleaned.findings);
            cleaned.masked.sort_unstable_by_key(|(at, _)| *at);
            return Ok(cleaned);
        }
        for found in &matches {
            let range = cleaned.draft.origin(&found.range);
            cleaned.masked.push((range.start, found.kind));
            cleaned.findings.push(Finding { kind: FindingKind::Credential, action: Action::Masked, range });
        }
        let masks = tidy(matches.iter().map(redact::Match::edit).collect());
        cleaned.draft.apply(&masks);
        memory.follow(&masks);
    }
    Err(SanitizerFailed)
}

/// A prepared document under construction.
pub(crate) struct Assembly {
    title: Option<UntrustedText>,
    media_type: MediaType,
    chunks: Vec<PreparedChunk>,
    findings: Vec<Finding>,
    /// Set where something must hold the document back.
    pub(crate) quarantine: Option<QuarantineReason>,
}

impl Assembly {
    pub(crate) fn new(title: Option<String>, media_type: MediaType, findings: Vec<Finding>) -> Self {
        let title = title.map(|title| sanitize_label(&title)).filter(|title| !title.trim().is_empty());
        Self { title: title.map(UntrustedText::new), media_type, chunks: Vec::new(), findings, quarantine: None }
    }

    /// Takes in the passages of a cleaned text that begins at `offset` of the normalised source.
    pub(crate) fn take(&mut self, cleaned: &Cleaned, passages: Vec<Passage>, offset: usize, index: Option<usize>) {
        let mut findings = std::mem::take(&mut self.findings);
        let hidden = if index.is_none() { findings.clone() } else { Vec::new() };
        let own: Vec<Finding> = settle(cleaned.findings.iter().cloned().chain(hidden).collect());
        let spans: Vec<_> = passages.iter().map(|passage| cleaned.draft.origin(&passage.range)).collect();
        for (position, passage) in passages.into_iter().enumerate() {
            // A finding between two chunks belongs to the one before it; before the first, to the first.
            let from = if position == 0 { 0 } else { spans[position].start };
            let to = spans.get(position + 1).map_or(usize::MAX, |next| next.start);
            let ordinal = index.unwrap_or(position);
            self.chunks.push(PreparedChunk {
                text: UntrustedText::new(cleaned.draft.text()[passage.range.clone()].to_owned()),
                heading: passage.heading.into(),
                span: shift(&spans[position], offset),
                ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX),
                findings: within(&own, from, to).map(|finding| moved(finding, offset)).collect(),
                masked: count(&cleaned.masked, from, to).into(),
            });
        }
        findings.extend(cleaned.findings.iter().map(|finding| moved(finding, offset)));
        self.findings = findings;
    }

    pub(crate) fn finish(self) -> Prepared {
        let Self { title, media_type, mut chunks, findings, mut quarantine } = self;
        let mut findings = findings;
        findings.sort_by_key(|finding| (finding.range.start, finding.range.end, finding.kind));
        if findings.iter().any(|finding| finding.action == Action::Quarantined) && quarantine.is_none() {
            quarantine = Some(QuarantineReason::Policy);
        }
        if quarantine.is_some() {
            chunks.clear();
        }
        let taken = |finding: &&Finding| matches!(finding.action, Action::Stripped | Action::Masked);
        let removed = findings.iter().filter(taken).count();
        Prepared { title, media_type: media_type.name(), chunks, findings, removed, quarantine }
    }
}

fn within(findings: &[Finding], from: usize, to: usize) -> impl Iterator<Item = &Finding> {
    let start = findings.partition_point(|finding| finding.range.start < from);
    findings[start..].iter().take_while(move |finding| finding.range.start < to)
}

fn count(masked: &[(usize, RedactionKind)], from: usize, to: usize) -> Vec<RedactionCount> {
    let start = masked.partition_point(|(at, _)| *at < from);
    redact::count(masked[start..].iter().take_while(|(at, _)| *at < to).map(|(_, kind)| *kind))
}

const fn shift(range: &std::ops::Range<usize>, offset: usize) -> std::ops::Range<usize> {
    range.start + offset..range.end + offset
}

fn moved(finding: &Finding, offset: usize) -> Finding {
    Finding { range: shift(&finding.range, offset), ..finding.clone() }
}
