//! How users' names stand in a directory, and which attributes a tenant declares.
//!
//! A name outlives its bearer, a group's like a user's: ACLs and tokens that were written for a person who is gone must not serve the next one of that name. So each bearer is a *generation* of the name. An ACL is pinned to the generation that bears its names when it is written; the first generation is the plain name, so that nothing changes where no name is ever given twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use crate::{
    acl::{Acl, Timestamp},
    engine::Engine,
    id::TenantId,
    principal::{AttributeSource, AttributeValue, Principal},
    snapshot::Snapshot,
};

/// How a user's name stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many others bore the name before.
    pub generation: u32,
    /// When its bearer got it.
    pub since: Timestamp,
    /// Whether its bearer may ask; never where nobody bears it.
    pub is_active: bool,
    /// What the directory says of its bearer.
    pub attributes: BTreeMap<String, AttributeValue>,
}

/// What values an attribute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// Several texts.
    Strings,
}

impl AttributeType {
    /// Every type.
    pub const ALL: [Self; 4] = [Self::String, Self::Integer, Self::Boolean, Self::Strings];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Strings => "strings",
        }
    }

    /// Whether a value is of this type.
    #[must_use]
    pub const fn is_of(self, value: &AttributeValue) -> bool {
        matches!(
            (self, value),
            (Self::String, AttributeValue::Text(_))
                | (Self::Integer, AttributeValue::Integer(_))
                | (Self::Boolean, AttributeValue::Boolean(_))
                | (Self::Strings, AttributeValue::Texts(_))
        )
    }
}

/// What a tenant says of one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// What values it has; another counts as missing.
    pub kind: AttributeType,
    /// Where it may come from; from elsewhere it counts as missing.
    pub from: BTreeSet<AttributeSource>,
}

/// The attributes that a tenant declares, by name.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Declarations(pub BTreeMap<String, Declaration>);

impl Declarations {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a value counts; `source` is `None` where it is only supposed.
    pub(crate) fn counts(&self, name: &str, value: &AttributeValue, source: Option<AttributeSource>) -> bool {
        let may_come = |declaration: &Declaration| source.is_none_or(|source| declaration.from.contains(&source));
        self.0.get(name).is_none_or(|declaration| declaration.kind.is_of(value) && may_come(declaration))
    }

    /// Whether an attribute is declared to come from there.
    #[must_use]
    pub fn is_from(&self, name: &str, source: AttributeSource) -> bool {
        self.0.get(name).is_some_and(|declaration| declaration.from.contains(&source))
    }
}

/// What the names of one snapshot mean.
#[derive(Clone)]
pub struct Names(Arc<Snapshot>);

impl fmt::Debug for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Names(…)")
    }
}

impl Engine {
    /// What names mean in a tenant now; `None` where the tenant is gone.
    #[must_use]
    pub fn names(&self, tenant: &TenantId) -> Option<Names> {
        self.snapshot(tenant).map(Names)
    }
}

impl Names {
    /// Whether the directory lets somebody of this name ask.
    #[must_use]
    pub fn admits(&self, name: &Principal) -> bool {
        self.0.policy.directory.admits(name)
    }

    /// Since when its bearer bears the name, where others bore it before: what was issued earlier was not issued to them.
    #[must_use]
    pub fn borne_anew_since(&self, name: &Principal) -> Option<Timestamp> {
        let standing = self.0.policy.directory.standing(name)?;
        (standing.generation > 0).then_some(standing.since)
    }

    /// These groups as somebody named them at a moment: one whose name was given up since is a former bearer of it, who is granted nothing and denied what the name is.
    #[must_use]
    pub fn groups_at(&self, groups: BTreeSet<Principal>, named_at: Option<Timestamp>) -> BTreeSet<Principal> {
        if !self.0.policy.directory.gave_up_groups() {
            return groups;
        }
        let meant = |group: Principal| match self.borne_anew_since(&group) {
            Some(since) if named_at.is_none_or(|at| at < since) => group.of_generation(u32::MAX),
            _ => group,
        };
        groups.into_iter().map(meant).collect()
    }

    /// The ACL for those who bear its names now. `deny` stays by name, so that it holds for every bearer.
    #[must_use]
    pub fn pin(&self, acl: Acl) -> Acl {
        Acl { allow: self.pin_all(acl.allow), ..acl }
    }

    /// The bearers of these names.
    #[must_use]
    pub fn pin_all(&self, names: BTreeSet<Principal>) -> BTreeSet<Principal> {
        names.into_iter().map(|name| self.0.policy.directory.bearer(&name)).collect()
    }

    /// The ACL as it is shown: plain names for those who bear them now. A former bearer is shown as one, in a form that cannot be written back.
    #[must_use]
    pub fn shown(&self, acl: &Acl) -> Acl {
        Acl { allow: self.shown_all(&acl.allow), ..acl.clone() }
    }

    /// Principals as they are shown.
    #[must_use]
    pub fn shown_all(&self, principals: &BTreeSet<Principal>) -> BTreeSet<Principal> {
        principals.iter().map(|principal| self.shown_one(principal)).collect()
    }

    fn shown_one(&self, principal: &Principal) -> Principal {
        let name = principal.name();
        let is_current = self.0.policy.directory.bearer(&name) == *principal;
        if is_current { name } else { name.former() }
    }

    /// The attributes that the tenant declares.
    #[must_use]
    pub fn declarations(&self) -> Declarations {
        self.0.policy.directory.declarations().clone()
    }

    /// Whether only users that the directory knows may ask.
    #[must_use]
    pub fn known_users_only(&self) -> bool {
        self.0.policy.directory.requires_known_users()
    }

    /// How a name stands, if the directory knows it or knew it.
    #[must_use]
    pub fn standing(&self, name: &Principal) -> Option<Standing> {
        self.0.policy.directory.standing(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Directory;

    fn principal(name: &str) -> Principal {
        Principal::new(name).unwrap()
    }

    fn set(names: &[&str]) -> BTreeSet<Principal> {
        names.iter().map(|name| Principal::restore(name).unwrap()).collect()
    }

    fn standing(generation: u32, is_active: bool) -> Standing {
        Standing { generation, since: Timestamp(7), is_active, attributes: BTreeMap::new() }
    }

    fn names(directory: Directory) -> Names {
        let mut snapshot = Snapshot::empty([0; 32], 0);
        let mut policy = (*snapshot.policy).clone();
        policy.directory = directory;
        snapshot.policy = policy.into();
        Names(Arc::new(snapshot))
    }

    #[test]
    fn a_name_that_is_borne_anew_means_another() {
        let mut directory = Directory::default();
        directory.put(&principal("group:eng"), set(&["user:a"]));
        let before = names(directory.clone()).pin(Acl { allow: set(&["user:a"]), ..Acl::default() });
        directory.put_standing(principal("user:a"), standing(1, true));
        let closed = directory.closure(&set(&["user:a", "everyone"]));
        assert_eq!(closed, set(&["user:a;1", "everyone", "group:eng"]));
        assert!(!before.permits(&closed, &BTreeMap::new(), Timestamp(0)));
        let names = names(directory);
        let after = names.pin(Acl { allow: set(&["user:a"]), ..Acl::default() });
        assert!(after.permits(&closed, &BTreeMap::new(), Timestamp(0)));
        let denied = names.pin(Acl { allow: set(&["everyone"]), deny: set(&["user:a"]), ..Acl::default() });
        assert!(!denied.permits(&closed, &BTreeMap::new(), Timestamp(0)), "a denial holds for every bearer");
        assert_eq!(names.shown(&after).allow, set(&["user:a"]));
        let shown = names.shown(&before).allow.pop_first().unwrap();
        assert_eq!(shown.as_str(), "user:a;former");
        assert!(Principal::new(shown.as_str()).is_err() && Principal::restore(shown.as_str()).is_err());
        assert_eq!(names.borne_anew_since(&principal("user:a")), Some(Timestamp(7)));
        assert_eq!(names.borne_anew_since(&principal("user:b")), None);
    }

    #[test]
    fn only_the_store_says_which_bearer_is_meant() {
        for name in ["user:a;1", "user:a;former", "user:a;"] {
            assert!(Principal::new(name).is_err(), "{name}");
        }
        for name in ["user:a;0", "user:a;01", "user:a;-1", "role:a;1", "service:a;1", "user:;1", "user:a;b;1"] {
            assert!(Principal::restore(name).is_err(), "{name}");
        }
        let restored = Principal::restore("user:a;12").unwrap();
        assert_eq!((restored.as_str(), restored.name()), ("user:a;12", principal("user:a")));
    }

    #[test]
    fn a_group_of_a_given_up_name_is_another() {
        let mut directory = Directory::default();
        directory.put(&principal("group:eng"), set(&["user:a"]));
        let before = names(directory.clone()).pin(Acl { allow: set(&["group:eng"]), ..Acl::default() });
        let nothing = BTreeMap::new();
        let permits = |acl: &Acl, directory: &Directory, who: &[&str]| {
            acl.permits(&directory.closure(&set(who)), &nothing, Timestamp(0))
        };
        assert!(permits(&before, &directory, &["user:a"]) && permits(&before, &directory, &["user:b", "group:eng"]));
        directory.put(&principal("group:eng"), BTreeSet::new());
        directory.put_standing(principal("group:eng"), standing(1, true));
        directory.put(&principal("group:eng"), set(&["user:a"]));
        let names = names(directory.clone());
        let after = names.pin(Acl { allow: set(&["group:eng"]), ..Acl::default() });
        let denied = Acl { allow: set(&["everyone"]), deny: set(&["group:eng"]), ..Acl::default() };
        for who in [&["user:a"][..], &["user:b", "group:eng"]] {
            assert!(!permits(&before, &directory, who) && permits(&after, &directory, who));
            let who = [who, &["everyone"]].concat();
            assert!(!permits(&denied, &directory, &who), "a denial holds for every bearer");
        }
        assert_eq!(names.shown(&before).allow.pop_first().unwrap().as_str(), "group:eng;former");
        assert_eq!(names.shown(&after).allow, set(&["group:eng"]));
        // What a token named before the name was given up is another group than the one of today.
        let old = names.groups_at(set(&["group:eng", "group:ops"]), Some(Timestamp(6)));
        let closed = directory.closure(&old);
        assert!(!after.permits(&closed, &nothing, Timestamp(0)) && !before.permits(&closed, &nothing, Timestamp(0)));
        assert!(closed.contains(&principal("group:ops")));
        let closed = directory.closure(&names.groups_at(set(&["group:eng"]), Some(Timestamp(7))));
        assert!(after.permits(&closed, &nothing, Timestamp(0)));
        assert!(names.groups_at(set(&["group:eng"]), None) != set(&["group:eng"]));
        let everyone = directory.closure(&names.groups_at(set(&["group:eng", "everyone"]), None));
        assert!(!denied.permits(&everyone, &nothing, Timestamp(0)), "nobody escapes a denial by an old token");
    }

    #[test]
    fn who_is_not_admitted_is_nobody() {
        let mut directory = Directory::default();
        directory.put_standing(principal("user:a"), standing(0, false));
        assert!(directory.closure(&set(&["user:a", "everyone"])).is_empty());
        assert_eq!(directory.closure(&set(&["user:b"])), set(&["user:b"]));
        directory.require_known_users(true);
        assert!(directory.closure(&set(&["user:b"])).is_empty());
        assert_eq!(directory.closure(&set(&["service:b", "everyone"])).len(), 2);
        directory.put_standing(principal("user:a"), standing(0, true));
        assert_eq!(directory.closure(&set(&["user:a"])), set(&["user:a"]));
    }

    #[test]
    fn attributes_count_as_they_are_declared() {
        use AttributeSource::{Claims, Directory as FromDirectory, Keys};
        let mut directory = Directory::default();
        let own = BTreeMap::from([
            ("clearance".to_owned(), AttributeValue::Integer(9)),
            ("region".to_owned(), AttributeValue::Integer(1)),
            ("free".to_owned(), AttributeValue::Boolean(true)),
        ]);
        let user = set(&["user:a"]);
        assert_eq!(directory.attributes(&user, &own, Some(Claims)), own, "nothing is declared");
        let declare = |kind, from: &[AttributeSource]| Declaration { kind, from: from.iter().copied().collect() };
        directory.declare(Declarations(BTreeMap::from([
            ("clearance".to_owned(), declare(AttributeType::Integer, &[Claims, FromDirectory])),
            ("region".to_owned(), declare(AttributeType::String, &[Claims, Keys])),
        ])));
        let counted = directory.attributes(&user, &own, Some(Claims));
        assert_eq!(counted.keys().collect::<Vec<_>>(), ["clearance", "free"], "another type is missing");
        assert!(!directory.attributes(&user, &own, Some(Keys)).contains_key("clearance"), "another source is missing");
        let mut held = standing(0, true);
        held.attributes.insert("clearance".to_owned(), AttributeValue::Integer(2));
        held.attributes.insert("region".to_owned(), AttributeValue::Text("eu".to_owned()));
        directory.put_standing(principal("user:a"), held.clone());
        let counted = directory.attributes(&user, &own, Some(Claims));
        assert_eq!(counted["clearance"], AttributeValue::Integer(2), "the directory knows better");
        assert!(!counted.contains_key("region"), "it is not declared to come from the directory");
        held.attributes.insert("clearance".to_owned(), AttributeValue::Text("2".to_owned()));
        directory.put_standing(principal("user:a"), held);
        assert!(!directory.attributes(&user, &own, Some(Claims)).contains_key("clearance"));
    }
}
