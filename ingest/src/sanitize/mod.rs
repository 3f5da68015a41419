//! The sanitiser: detectors in a row, repeated until nothing is left to do.
//!
//! Each detector is a function of the current text alone and proposes edits; taking something out can bring its neighbours together into something new, so the row is run again until a round changes nothing. What does not settle within a few rounds was built not to, and is held back.

mod code;
mod comment;
mod control;
mod fold;
mod invisible;
mod markup;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{
    draft::{Draft, Edit, tidy},
    finding::{Action, Finding, FindingKind},
    prepare::SanitizePolicy,
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

/// Detectors whose findings are taken out whatever the policy, in the order in which they uncover each other.
const GUARANTEES: [Detector; 4] = [invisible::detect, control::detect, comment::detect, markup::detect];
/// Detectors of text that speaks to the machine: the policy decides.
const INSTRUCTIONS: [Detector; 0] = [];

/// Sanitises a text under a policy. Idempotent: a sanitised text comes through as it is.
pub(crate) fn sanitize(text: String, policy: SanitizePolicy) -> Result<Sanitized, SanitizerFailed> {
    catch_unwind(AssertUnwindSafe(|| run(text, policy))).unwrap_or(Err(SanitizerFailed))
}

fn run(text: String, policy: SanitizePolicy) -> Result<Sanitized, SanitizerFailed> {
    let mut draft = Draft::new(text);
    let mut findings = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let mut changed = false;
        for detector in GUARANTEES {
            changed |= strip(&mut draft, detector, &mut findings);
        }
        if policy == SanitizePolicy::Strip {
            for detector in INSTRUCTIONS {
                changed |= strip(&mut draft, detector, &mut findings);
            }
        }
        if !changed {
            report_only(&draft, policy, &mut findings);
            return Ok(Sanitized { draft, findings: settle(findings) });
        }
    }
    Err(SanitizerFailed)
}

fn strip(draft: &mut Draft, detector: Detector, findings: &mut Vec<Finding>) -> bool {
    let edits = tidy(detector(draft.text()));
    for edit in &edits {
        findings.push(Finding { kind: edit.kind, action: Action::Stripped, range: draft.origin(&edit.range) });
    }
    draft.apply(&edits);
    !edits.is_empty()
}

fn report_only(draft: &Draft, policy: SanitizePolicy, findings: &mut Vec<Finding>) {
    let action = match policy {
        SanitizePolicy::Strip => return,
        SanitizePolicy::Flag => Action::Flagged,
        SanitizePolicy::Quarantine => Action::Quarantined,
    };
    for detector in INSTRUCTIONS {
        for edit in tidy(detector(draft.text())) {
            findings.push(Finding { kind: edit.kind, action, range: draft.origin(&edit.range) });
        }
    }
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
