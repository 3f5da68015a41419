//! The resource of a question as Cedar sees it: a class, with as much of its ACL as the policies look at.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Entity, EntityUid, RestrictedExpression};

use super::{
    looks::Looks,
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

/// What tells classes of one collection apart for some policies: classes that are equal here have one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Shape<'a> {
    allow: Option<&'a BTreeSet<Principal>>,
    deny: Option<&'a BTreeSet<Principal>>,
    require: Option<&'a BTreeSet<Requirement>>,
}

impl<'a> Shape<'a> {
    pub(super) fn of(acl: &'a Acl, looks: Looks) -> Self {
        Self {
            allow: looks.allow.then_some(&acl.allow),
            deny: looks.deny.then_some(&acl.deny),
            require: looks.require.then_some(&acl.require),
        }
    }

    /// The entity under a name; what is not looked at is left empty. `None` where it cannot be represented.
    pub(super) fn entity(&self, name: EntityUid, place: Place<'_>) -> Option<Entity> {
        let names = |set: Option<&BTreeSet<Principal>>| {
            // By name, whoever bore it when the ACL was written.
            let names: BTreeSet<Principal> = set.into_iter().flatten().map(Principal::name).collect();
            let texts = names.iter().map(|name| RestrictedExpression::new_string(name.as_str().to_owned()));
            RestrictedExpression::new_set(texts)
        };
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let required: BTreeSet<&str> =
            self.require.into_iter().flatten().map(|requirement| requirement.attribute.as_str()).collect();
        let fields = [
            ("collection".to_owned(), text(place.collection.as_str())),
            ("trust".to_owned(), text(place.trust)),
            ("allow".to_owned(), names(self.allow)),
            ("deny".to_owned(), names(self.deny)),
            ("require".to_owned(), RestrictedExpression::new_set(required.into_iter().map(text))),
        ];
        let parents = [uid(COLLECTION, place.collection.as_str())];
        Entity::new_with_tags(name, fields, parents, self.floors()).ok()
    }

    /// How much is asked of each attribute at least.
    fn floors(&self) -> impl Iterator<Item = (String, RestrictedExpression)> {
        let mut floors: BTreeMap<&str, i64> = BTreeMap::new();
        for requirement in self.require.into_iter().flatten() {
            if let Condition::AtLeast(floor) = requirement.condition {
                let most = floors.entry(&requirement.attribute).or_insert(floor);
                *most = floor.max(*most);
            }
        }
        floors.into_iter().map(|(name, floor)| (name.to_owned(), RestrictedExpression::new_long(floor)))
    }
}
