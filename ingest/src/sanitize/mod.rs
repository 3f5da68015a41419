//! The sanitiser: detectors in a row, repeated until nothing is left to do.
//!
//! Each detector is a function of the current text alone and proposes edits; taking something out can bring its neighbours together into something new, so the row is run again until a round changes nothing. What does not settle within a few rounds was built not to, and is held back.

mod code;
mod comment;
mod control;
mod fold;
pub(crate) mod instruction;
mod invisible;
mod markup;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{
    draft::{Draft, Edit, tidy},
    finding::{Action, Finding, FindingKind},
    prepare::SanitizePolicy,
    sanitize::instruction::Judges,
};

/// Rounds until the text has settled; nested tokens need one a level, and honest text needs none.
const ROUNDS_MAX: usize = 24;
/// Findings of one kind that are this close are reported as one.
const FINDING_GAP_BYTES: usize = 8;

/// The sanitiser failed or did not settle: nothing of the text may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SanitizerFailed;

/// A sanitised text, still a draft so that its parts can be traced to the source.
#[derive(Debug)]
pub(crate) struct Sanitized {
    pub(crate) draft: Draft,
    pub(crate) findings: Vec<Finding>,
}

type Detector = fn(&str) -> Vec<Edit>;

/// Detectors that uncover what the others look at: first, one after the other.
const UNCOVERING: [Detector; 2] = [invisible::detect, comment::detect];
/// Detectors whose findings are taken out whatever the policy.
const GUARANTEES: [Detector; 2] = [control::detect, markup::detect];
/// Sanitises a text under a policy. Idempotent: a sanitised text comes through as it is.
pub(crate) fn sanitize(draft: Draft, policy: SanitizePolicy) -> Result<Sanitized, SanitizerFailed> {
    sanitize_with(draft, policy, Judges::shipped())
}

/// Sanitises a text with judges of one's own: for training and measuring.
pub(crate) fn sanitize_with(
    draft: Draft,
    policy: SanitizePolicy,
    judges: Judges<'_>,
) -> Result<Sanitized, SanitizerFailed> {
    catch_unwind(AssertUnwindSafe(|| run(draft, policy, judges))).unwrap_or(Err(SanitizerFailed))
}

fn run(mut draft: Draft, policy: SanitizePolicy, judges: Judges<'_>) -> Result<Sanitized, SanitizerFailed> {
    let mut findings = Vec::new();
    let instructions = match policy {
        SanitizePolicy::Strip => Action::Stripped,
        SanitizePolicy::Flag => Action::Flagged,
        SanitizePolicy::Quarantine => Action::Quarantined,
    };
    for _ in 0..ROUNDS_MAX {
        let mut changed = false;
        for detector in UNCOVERING {
            let edits = detector(draft.text());
            changed |= take(&mut draft, edits, Action::Stripped, &mut findings);
        }
        let mut edits: Vec<Edit> = GUARANTEES.iter().flat_map(|detector| detector(draft.text())).collect();
        // What speaks to the machine: the policy decides. The detector sees what the guarantees are about to take out, which is evidence.
        let found = tidy(instruction::detect(draft.text(), judges));
        report(&draft, &edits, Action::Stripped, &mut findings);
        report(&draft, &found, instructions, &mut findings);
        if policy == SanitizePolicy::Strip {
            edits.extend(found);
        }
        let edits = tidy(edits);
        draft.apply(&edits);
        if !changed && edits.is_empty() {
            return Ok(Sanitized { draft, findings: settle(findings) });
        }
    }
    Err(SanitizerFailed)
}

fn take(draft: &mut Draft, edits: Vec<Edit>, action: Action, findings: &mut Vec<Finding>) -> bool {
    let edits = tidy(edits);
    report(draft, &edits, action, findings);
    draft.apply(&edits);
    !edits.is_empty()
}

fn report(draft: &Draft, edits: &[Edit], action: Action, findings: &mut Vec<Finding>) {
    let finding = |edit: &Edit| Finding { kind: edit.kind, action, range: draft.origin(&edit.range) };
    findings.extend(edits.iter().filter(|edit| !edit.range.is_empty()).map(finding));
}

/// Puts findings in order of position and joins neighbours of one kind: a character between every two letters is one finding.
pub(crate) fn settle(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| (finding.range.start, finding.range.end, finding.kind));
    let mut settled: Vec<Finding> = Vec::new();
    for finding in findings {
        match settled.last_mut() {
            Some(last) if joins(last, &finding) => last.range.end = last.range.end.max(finding.range.end),
            _ => settled.push(finding),
        }
    }
    settled
}

fn joins(last: &Finding, next: &Finding) -> bool {
    let same = last.kind == next.kind && last.action == next.action;
    let characters = matches!(last.kind, FindingKind::InvisibleCharacters | FindingKind::BidiControl);
    let gap = if characters { FINDING_GAP_BYTES } else { 0 };
    // What the format hides has an empty range; two such things at one place stay two.
    same && !last.range.is_empty() && !next.range.is_empty() && next.range.start <= last.range.end + gap
}
