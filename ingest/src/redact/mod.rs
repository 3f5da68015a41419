//! Finding and masking what must not leave: credentials always, personal data by policy.

mod credentials;
mod glance;
mod personal;

use std::{collections::BTreeSet, ops::Range};

use self::glance::Glance;
use crate::{draft::Edit, finding::FindingKind};

/// A kind of value that is masked. The wire names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RedactionKind {
    /// A vendor token or API key.
    ApiKey,
    /// A private key block.
    PrivateKey,
    /// A password in a URL, connection string or assignment.
    Password,
    /// A JSON Web Token.
    Jwt,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A payment card number, valid by Luhn.
    Card,
    /// An IBAN, valid by mod 97.
    Iban,
    /// A public IP address.
    Ip,
    /// A social security number of the United States.
    Ssn,
}

impl RedactionKind {
    /// Every kind, credentials first.
    pub const ALL: [Self; 10] = [
        Self::ApiKey,
        Self::PrivateKey,
        Self::Password,
        Self::Jwt,
        Self::Email,
        Self::Phone,
        Self::Card,
        Self::Iban,
        Self::Ip,
        Self::Ssn,
    ];
    /// The kinds of personal data, which a collection's policy chooses among.
    pub const PERSONAL: [Self; 6] = [Self::Email, Self::Phone, Self::Card, Self::Iban, Self::Ip, Self::Ssn];

    /// The stable name on the wire and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::PrivateKey => "private-key",
            Self::Password => "password",
            Self::Jwt => "jwt",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ip => "ip",
            Self::Ssn => "ssn",
        }
    }

    /// What stands in place of a value.
    pub(crate) const fn placeholder(self) -> &'static str {
        match self {
            Self::ApiKey => "[redacted:api-key]",
            Self::PrivateKey => "[redacted:private-key]",
            Self::Password => "[redacted:password]",
            Self::Jwt => "[redacted:jwt]",
            Self::Email => "[redacted:email]",
            Self::Phone => "[redacted:phone]",
            Self::Card => "[redacted:card]",
            Self::Iban => "[redacted:iban]",
            Self::Ip => "[redacted:ip]",
            Self::Ssn => "[redacted:ssn]",
        }
    }

    /// The kind of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How often a kind was masked in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedactionCount {
    /// What was masked.
    pub kind: RedactionKind,
    /// How often.
    pub count: u32,
}

/// A text with its masked values counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// The text, with placeholders such as `[redacted:email]`.
    pub text: String,
    /// Counts by kind, in the order of [`RedactionKind::ALL`], zeroes left out.
    pub counts: Vec<RedactionCount>,
}

/// A value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) kind: RedactionKind,
    pub(crate) range: Range<usize>,
}

impl Match {
    /// The edit that puts the placeholder in place of the value.
    pub(crate) fn edit(&self) -> Edit {
        Edit { range: self.range.clone(), kind: FindingKind::Credential, replacement: self.kind.placeholder() }
    }
}

/// Passes until nothing more is found; a mask may set free what stood beside it.
const PASSES_MAX: usize = 12;
/// From this pass on whole words are masked: values that were written one after the other without a gap would take a pass each.
const WIDE_FROM: usize = 3;

/// Masks credentials, and of the personal data the given kinds.
#[must_use]
pub fn redact(text: &str, personal: &BTreeSet<RedactionKind>) -> Redacted {
    let mut text = text.to_owned();
    let mut kinds: Vec<RedactionKind> = Vec::new();
    for pass in 0..PASSES_MAX {
        let mut matches = find(&text, personal);
        if matches.is_empty() {
            break;
        }
        if pass >= WIDE_FROM {
            matches = widened(&text, matches);
        }
        text = mask(&text, &matches);
        kinds.extend(matches.into_iter().map(|found| found.kind));
    }
    Redacted { text, counts: count(kinds.into_iter()) }
}

fn mask(text: &str, matches: &[Match]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for found in matches {
        masked.push_str(&text[done..found.range.start]);
        masked.push_str(found.kind.placeholder());
        done = found.range.end;
    }
    masked.push_str(&text[done..]);
    masked
}

/// Finds credentials, and of the personal data the given kinds, in order and apart from each other.
pub(crate) fn find(text: &str, personal: &BTreeSet<RedactionKind>) -> Vec<Match> {
    find_seen(text, &Glance::of(text), personal)
}

/// The same by those detectors that can find something in a text that looks so.
fn find_seen(text: &str, glance: &Glance, personal: &BTreeSet<RedactionKind>) -> Vec<Match> {
    let mut found = Vec::new();
    credentials::find(text, glance, &mut found);
    personal::find(text, glance, personal, &mut found);
    if found.is_empty() {
        return found;
    }
    let placeholders = placeholders(text);
    found.retain(|found| !found.range.is_empty() && !overlaps(&placeholders, &found.range));
    found.sort_by_key(|found| (found.range.start, std::cmp::Reverse(found.range.end), found.kind));
    let mut apart: Vec<Match> = Vec::with_capacity(found.len());
    for next in found {
        match apart.last_mut() {
            Some(last) if next.range.start < last.range.end => last.range.end = last.range.end.max(next.range.end),
            _ => apart.push(next),
        }
    }
    apart
}

/// The matches, each as far as its word goes; what is masked already stays.
fn widened(text: &str, matches: Vec<Match>) -> Vec<Match> {
    let placeholders = placeholders(text);
    let mut wide: Vec<Match> = Vec::with_capacity(matches.len());
    for Match { kind, range } in matches {
        let before = placeholders.partition_point(|placeholder| placeholder.end <= range.start);
        let floor = before.checked_sub(1).map_or(0, |before| placeholders[before].end);
        let ceiling = placeholders.get(before).map_or(text.len(), |placeholder| placeholder.start);
        let blank = |character: char| character.is_whitespace();
        let start = text[floor..range.start].rfind(blank).map_or(floor, |at| text.ceil_char_boundary(floor + at + 1));
        let end = text[range.end..ceiling].find(blank).map_or(ceiling, |at| range.end + at);
        match wide.last_mut() {
            Some(last) if start < last.range.end => last.range.end = last.range.end.max(end),
            _ => wide.push(Match { kind, range: start..end }),
        }
    }
    wide
}

/// Counts by kind, in the order of [`RedactionKind::ALL`], zeroes left out.
pub(crate) fn count(kinds: impl Iterator<Item = RedactionKind>) -> Vec<RedactionCount> {
    let mut counts = std::collections::BTreeMap::new();
    for kind in kinds {
        *counts.entry(kind).or_insert(0_u32) += 1;
    }
    counts.into_iter().map(|(kind, count)| RedactionCount { kind, count }).collect()
}

/// Where a text already has placeholders; what overlaps them has been masked before.
fn placeholders(text: &str) -> Vec<Range<usize>> {
    let starts = text.match_indices("[redacted:").map(|(at, _)| at);
    starts
        .filter_map(|at| {
            let tail = &text[at..];
            let placeholder = RedactionKind::ALL.into_iter().map(RedactionKind::placeholder);
            placeholder
                .filter(|placeholder| tail.starts_with(placeholder))
                .map(|placeholder| at..at + placeholder.len())
                .next()
        })
        .collect()
}

fn overlaps(ranges: &[Range<usize>], range: &Range<usize>) -> bool {
    let next = ranges.partition_point(|other| other.end <= range.start);
    ranges.get(next).is_some_and(|other| other.start < range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_a_gap_between_them_are_all_masked() {
        let keys = "AKIAQ4T7XK2PLM5VZR3H".repeat(40);
        for text in [keys.clone(), format!("see {keys} and more"), format!("ü{keys}ü {keys}")] {
            let redacted = redact(&text, &BTreeSet::new());
            assert!(!redacted.text.contains("AKIA"), "{}", redacted.text);
            assert_eq!(redact(&redacted.text, &BTreeSet::new()).text, redacted.text);
        }
        assert!(redact(&format!("see {keys} and more"), &BTreeSet::new()).text.ends_with(" and more"));
    }
}
