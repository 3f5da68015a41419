//! Personal data with a form that can be checked: addresses, numbers with check digits, public networks.

use std::{collections::BTreeSet, sync::LazyLock};

use regex::Regex;

use crate::redact::{Match, RedactionKind};

static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}\b")
        .expect("the pattern is constant and tested")
});

/// Finds personal data of the given kinds.
pub(super) fn find(text: &str, kinds: &BTreeSet<RedactionKind>, found: &mut Vec<Match>) {
    if kinds.contains(&RedactionKind::Email) && text.contains('@') {
        found.extend(EMAIL.find_iter(text).map(|email| Match { kind: RedactionKind::Email, range: email.range() }));
    }
}
