//! The resource of a question as Cedar sees it: a class, with as much of its collection and ACL as the policies look at.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Entity, EntityUid, RestrictedExpression};

use super::{
    looks::{ClassLooks, Sight},
    schema::{COLLECTION, uid},
};
use crate::{
    acl::{Acl, Condition, Requirement},
    id::CollectionId,
    principal::Principal,
};

/// Where a class lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) collection: &'a CollectionId,
    pub(crate) trust: &'a str,
}

/// What tells classes apart for some policies: classes that are equal here have one answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Shape<'a> {
    collection: Option<&'a CollectionId>,
    trust: Option<&'a str>,
    /// By name, whoever bore it when the ACL was written.
    allow: BTreeSet<&'a str>,
    deny: BTreeSet<&'a str>,
    /// What is asked for, and how much of it at least.
    require: BTreeMap<&'a str, Option<i64>>,
}

impl<'a> Shape<'a> {
    /// What is looked at of any class of a collection.
    pub(super) fn of_place(place: Place<'a>, looks: &ClassLooks) -> Self {
        Self {
            collection: looks.collection.then_some(place.collection),
            trust: looks.trust.then_some(place.trust),
            ..Self::default()
        }
    }

    /// What is looked at of a class.
    pub(super) fn of(place: Place<'a>, acl: &'a Acl, looks: &ClassLooks) -> Self {
        Self {
            allow: seen(&acl.allow, &looks.allow),
            deny: seen(&acl.deny, &looks.deny),
            require: floors(&acl.require, &looks.require),
            ..Self::of_place(place, looks)
        }
    }

    /// The entity under a name; what is not looked at is left empty. `None` where it cannot be represented.
    pub(super) fn entity(&self, name: EntityUid) -> Option<Entity> {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let set = |names: &mut dyn Iterator<Item = &str>| RestrictedExpression::new_set(names.map(text));
        let collection = self.collection.map_or("", CollectionId::as_str);
        let fields = [
            ("collection".to_owned(), text(collection)),
            ("trust".to_owned(), text(self.trust.unwrap_or_default())),
            ("allow".to_owned(), set(&mut self.allow.iter().copied())),
            ("deny".to_owned(), set(&mut self.deny.iter().copied())),
            ("require".to_owned(), set(&mut self.require.keys().copied())),
        ];
        let floors = self.require.iter().filter_map(|(name, floor)| Some((name, (*floor)?)));
        let tags = floors.map(|(name, floor)| ((*name).to_owned(), RestrictedExpression::new_long(floor)));
        let parents = self.collection.map(|collection| uid(COLLECTION, collection.as_str()));
        Entity::new_with_tags(name, fields, parents, tags).ok()
    }
}

fn seen<'a>(names: &'a BTreeSet<Principal>, sight: &Sight) -> BTreeSet<&'a str> {
    names.iter().map(Principal::plain).filter(|name| sight.sees(name)).collect()
}

fn floors<'a>(requirements: &'a BTreeSet<Requirement>, sight: &Sight) -> BTreeMap<&'a str, Option<i64>> {
    let mut floors: BTreeMap<&str, Option<i64>> = BTreeMap::new();
    for requirement in requirements.iter().filter(|requirement| sight.sees(&requirement.attribute)) {
        let most = floors.entry(&requirement.attribute).or_default();
        if let Condition::AtLeast(floor) = requirement.condition {
            *most = Some(most.map_or(floor, |most| most.max(floor)));
        }
    }
    floors
}
