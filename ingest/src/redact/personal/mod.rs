//! Personal data with a form that can be checked: addresses, numbers with check digits, public networks, telephone numbers.
//!
//! What has a check digit is found first; a telephone number is the least certain and yields to everything else.

mod card;
mod email;
mod iban;
mod ip;
mod phone;
mod ssn;

use std::{collections::BTreeSet, ops::Range};

use crate::redact::{
    Match, RedactionKind,
    glance::{CARD_DIGITS_MIN, Glance, PHONE_DIGITS_MIN, SSN_DIGITS_MIN},
    overlaps,
};

/// Finds personal data of the given kinds.
pub(super) fn find(text: &str, glance: &Glance, kinds: &BTreeSet<RedactionKind>, found: &mut Vec<Match>) {
    if !RedactionKind::PERSONAL.iter().any(|kind| kinds.contains(kind)) {
        return;
    }
    let mut certain: Vec<Match> = Vec::new();
    let mut take = |kind, ranges: Vec<Range<usize>>| {
        certain.extend(ranges.into_iter().map(|range| Match { kind, range }));
    };
    if text.contains(['@', '＠']) {
        take(RedactionKind::Email, email::find(text));
    }
    if glance.opens_iban {
        take(RedactionKind::Iban, iban::find(text));
    }
    if glance.digits >= CARD_DIGITS_MIN {
        take(RedactionKind::Card, card::find(text));
    }
    if glance.digits >= SSN_DIGITS_MIN {
        take(RedactionKind::Ssn, ssn::find(text));
    }
    if glance.digits > 0 && (glance.dots >= 3 || glance.colons >= 2) {
        take(RedactionKind::Ip, ip::find(text));
    }
    if glance.digits >= PHONE_DIGITS_MIN && kinds.contains(&RedactionKind::Phone) {
        let mut taken: Vec<Range<usize>> = certain.iter().map(|found| found.range.clone()).collect();
        taken.sort_by_key(|range| range.start);
        let phones = phone::find(text).into_iter().filter(|range| !overlaps(&taken, range));
        certain.extend(phones.map(|range| Match { kind: RedactionKind::Phone, range }));
    }
    found.extend(certain.into_iter().filter(|found| kinds.contains(&found.kind)));
}

/// What stands before the word of a placeholder.
const PLACEHOLDER: &str = "[redacted:";

/// Whether one of some words stands within so many bytes before a place. The word of a placeholder is none: what was masked would name what follows it.
fn names_before(text: &str, at: usize, bytes: usize, names: &[&str]) -> bool {
    let from = text.floor_char_boundary(at.saturating_sub(bytes + PLACEHOLDER.len()));
    let before = text[from..at].to_lowercase();
    let first = before.len().saturating_sub(bytes);
    let is_said = |place: usize| place >= first && !before[..place].ends_with(PLACEHOLDER);
    names.iter().any(|name| before.match_indices(name).any(|(place, _)| is_said(place)))
}

/// Whether a number stands for itself: not within a word, a longer number, a path.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let before = text[..range.start].chars().next_back();
    let mut after = text[range.end..].chars();
    let next = after.next();
    let decimal = matches!(next, Some('.' | ',')) && after.next().is_some_and(|digit| digit.is_ascii_digit());
    let joined = |character: char| character.is_ascii_alphanumeric() || character == '_';
    !before.is_some_and(|before| joined(before) || matches!(before, '.' | '$' | '€' | '£' | '#'))
        && !next.is_some_and(joined)
        && !decimal
}
