//! Who may read a document, and the one function that decides.

use std::collections::{BTreeMap, BTreeSet};

use crate::principal::{AttributeValue, Principal};

/// A point in time, in microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// What an attribute must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// A whole number of at least this.
    AtLeast(i64),
    /// One of these texts; for an attribute of several texts, one of them is one of these.
    In(BTreeSet<String>),
}

/// A condition on one attribute. A missing attribute, or one of another type, fails.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    /// The attribute's name.
    pub attribute: String,
    /// What it must be.
    pub condition: Condition,
}

/// Who may read a document. The default grants nobody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Acl {
    /// One of these must match.
    pub allow: BTreeSet<Principal>,
    /// None of these may match; deny wins.
    pub deny: BTreeSet<Principal>,
    /// All of these must hold.
    pub require: BTreeSet<Requirement>,
    /// Readable from this moment on.
    pub not_before: Option<Timestamp>,
    /// Readable before this moment only.
    pub expires_at: Option<Timestamp>,
}

impl Acl {
    /// Whether someone with these principals and attributes may read, now.
    ///
    /// Pure; principals are the complete set, nested groups included. `allow` means the person who bore a name when it was written, `deny` everybody who ever bears it.
    #[must_use]
    pub fn permits(
        &self,
        principals: &BTreeSet<Principal>,
        attributes: &BTreeMap<String, AttributeValue>,
        now: Timestamp,
    ) -> bool {
        self.allows(principals) && self.permits_if_allowed(principals, attributes, now)
    }

    /// Whether an entry of `allow` matches.
    pub(crate) fn allows(&self, principals: &BTreeSet<Principal>) -> bool {
        self.allow.iter().any(|principal| principals.contains(principal))
    }

    /// Whether everything but `allow` lets them read: what a tenant policy that permits cannot stand in for.
    pub(crate) fn permits_if_allowed(
        &self,
        principals: &BTreeSet<Principal>,
        attributes: &BTreeMap<String, AttributeValue>,
        now: Timestamp,
    ) -> bool {
        !self.denies(principals) && self.requires_no_more_than(attributes) && self.is_open_at(now)
    }

    /// What an ACL means in a folder: restrictions add up, and who is granted is the folder's where it does not say so itself.
    ///
    /// So whoever is denied in a folder is denied in all that lies in it, and a grant further down never widens what a folder demands.
    #[must_use]
    pub fn under(&self, folder: &Self) -> Self {
        let allow = if self.allow.is_empty() { &folder.allow } else { &self.allow };
        let combined = Self {
            allow: allow.clone(),
            deny: self.deny.union(&folder.deny).cloned().collect(),
            require: self.require.union(&folder.require).cloned().collect(),
            not_before: self.not_before.max(folder.not_before),
            expires_at: [self.expires_at, folder.expires_at].into_iter().flatten().min(),
        };
        let is_never_open = combined.not_before.zip(combined.expires_at).is_some_and(|(start, end)| end <= start);
        // Windows that do not meet let nobody in, and an ACL has no other way of saying so.
        if is_never_open { Self::default() } else { combined }
    }

    /// Whether an entry of `deny` matches.
    fn denies(&self, principals: &BTreeSet<Principal>) -> bool {
        let by_name = |principal: &Principal| principal.has_generation() && self.deny.contains(&principal.name());
        !self.deny.is_empty() && (!self.deny.is_disjoint(principals) || principals.iter().any(by_name))
    }

    /// Whether every requirement holds for these attributes.
    pub(crate) fn requires_no_more_than(&self, attributes: &BTreeMap<String, AttributeValue>) -> bool {
        self.require.iter().all(|requirement| requirement.holds(attributes))
    }

    /// Whether it asks for more than principals.
    pub(crate) fn has_conditions(&self) -> bool {
        !self.require.is_empty() || self.has_window()
    }

    /// Whether the time decides.
    pub(crate) const fn has_window(&self) -> bool {
        self.not_before.is_some() || self.expires_at.is_some()
    }

    /// Whether `now` lies inside the window.
    #[must_use]
    pub fn is_open_at(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|start| start <= now) && self.expires_at.is_none_or(|end| now < end)
    }

    /// An encoding that is equal exactly for equal ACLs: the input of a class's keyed hash.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        for set in [&self.allow, &self.deny] {
            out.length(set.len());
            set.iter().for_each(|principal| out.text(principal.as_str()));
        }
        out.length(self.require.len());
        for requirement in &self.require {
            out.text(&requirement.attribute);
            match &requirement.condition {
                Condition::AtLeast(floor) => {
                    out.byte(0);
                    out.number(*floor);
                }
                Condition::In(values) => {
                    out.byte(1);
                    out.length(values.len());
                    values.iter().for_each(|value| out.text(value));
                }
            }
        }
        for edge in [self.not_before, self.expires_at] {
            out.byte(u8::from(edge.is_some()));
            out.number(edge.map_or(0, |timestamp| timestamp.0));
        }
        out.0
    }
}

impl Requirement {
    pub(crate) fn holds(&self, attributes: &BTreeMap<String, AttributeValue>) -> bool {
        match (&self.condition, attributes.get(&self.attribute)) {
            (Condition::AtLeast(floor), Some(AttributeValue::Integer(value))) => value >= floor,
            (Condition::In(allowed), Some(AttributeValue::Text(value))) => allowed.contains(value),
            (Condition::In(allowed), Some(AttributeValue::Texts(values))) => !allowed.is_disjoint(values),
            _ => false,
        }
    }
}

/// Length-prefixed fields, so that no two ACLs share an encoding.
#[derive(Default)]
struct Encoder(Vec<u8>);

impl Encoder {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn length(&mut self, length: usize) {
        self.0.extend_from_slice(&(length as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principals(names: &[&str]) -> BTreeSet<Principal> {
        names.iter().map(|name| Principal::new(name).unwrap()).collect()
    }

    fn acl(allow: &[&str], deny: &[&str]) -> Acl {
        Acl { allow: principals(allow), deny: principals(deny), ..Acl::default() }
    }

    #[track_caller]
    fn check(acl: &Acl, who: &[&str], attributes: &[(&str, AttributeValue)], now: i64, expected: bool) {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        assert_eq!(acl.permits(&principals(who), &attributes, Timestamp(now)), expected);
    }

    #[test]
    fn grants_only_what_is_allowed_and_not_denied() {
        check(&Acl::default(), &["user:a", "everyone"], &[], 0, false);
        check(&acl(&["group:eng"], &[]), &["user:a", "group:eng"], &[], 0, true);
        check(&acl(&["group:eng"], &["group:out"]), &["group:eng", "group:out"], &[], 0, false);
        check(&acl(&["everyone"], &[]), &[], &[], 0, false);
        check(&acl(&["user:A"], &[]), &["user:a"], &[], 0, false);
    }

    #[test]
    fn requires_attributes_of_the_right_type() {
        let mut secret = acl(&["everyone"], &[]);
        secret.require.insert(Requirement { attribute: "clearance".into(), condition: Condition::AtLeast(2) });
        check(&secret, &["everyone"], &[], 0, false);
        check(&secret, &["everyone"], &[("clearance", AttributeValue::Integer(1))], 0, false);
        check(&secret, &["everyone"], &[("clearance", AttributeValue::Integer(2))], 0, true);
        check(&secret, &["everyone"], &[("clearance", AttributeValue::Text("9".into()))], 0, false);
        check(&secret, &["everyone"], &[("clearance", AttributeValue::Boolean(true))], 0, false);
    }

    #[test]
    fn keeps_its_window_closed_at_the_end() {
        let window =
            Acl { not_before: Some(Timestamp(10)), expires_at: Some(Timestamp(20)), ..acl(&["everyone"], &[]) };
        for (now, expected) in [(9, false), (10, true), (19, true), (20, false)] {
            check(&window, &["everyone"], &[], now, expected);
        }
    }
}
