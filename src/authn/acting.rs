//! `Ringfence-As: user:alice; group:eng, group:sales`: the person a trusted service names.

use std::collections::BTreeSet;

use ringfence_indexes::{Principal, PrincipalKind};

use super::token::PRINCIPALS_MAX;

/// The person named, with the groups asserted for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedPerson {
    pub(super) person: Principal,
    pub(super) groups: BTreeSet<Principal>,
}

/// Parses the header's value; `None` where it has another form. Nothing is skipped: a lost group could be one that is denied.
pub(super) fn parse(value: &str) -> Option<NamedPerson> {
    let (person, groups) = match value.split_once(';') {
        Some((person, groups)) => (person, Some(groups)),
        None => (value, None),
    };
    let person = Principal::new(person.trim_matches(' ')).ok().filter(|name| name.kind() == PrincipalKind::User)?;
    let groups = groups.filter(|groups| !groups.trim_matches(' ').is_empty());
    let groups: BTreeSet<_> =
        groups.into_iter().flat_map(|groups| groups.split(',')).map(group).collect::<Option<_>>()?;
    (groups.len() <= PRINCIPALS_MAX).then_some(NamedPerson { person, groups })
}

fn group(name: &str) -> Option<Principal> {
    let principal = Principal::new(name.trim_matches(' ')).ok()?;
    matches!(principal.kind(), PrincipalKind::Group | PrincipalKind::Role).then_some(principal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Option<(&str, &[&str])>) {
        let found = parse(value);
        let found = found
            .as_ref()
            .map(|named| (named.person.as_str(), named.groups.iter().map(Principal::as_str).collect::<Vec<_>>()));
        assert_eq!(found, expected.map(|(person, groups)| (person, groups.to_vec())), "{value}");
    }

    #[test]
    fn names_a_person_and_groups() {
        check("user:alice", Some(("user:alice", &[])));
        check("user:alice;", Some(("user:alice", &[])));
        check("user:alice; group:eng, group:sales", Some(("user:alice", &["group:eng", "group:sales"])));
        check(" user:a b ;role:x ", Some(("user:a b", &["role:x"])));
    }

    #[test]
    fn refuses_every_other_form() {
        for value in
            ["", "alice", "everyone", "group:eng", "service:x", "user:", "user:*", "user:a; eng", "user:a; user:b"]
        {
            check(value, None);
        }
        for value in ["user:a; group:x,", "user:a; group:x; group:y", "user:a, user:b", "user:a; everyone"] {
            check(value, None);
        }
    }
}
