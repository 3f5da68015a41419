//! One case: somebody in front of one class, decided for itself.
//!
//! Readers are answered from the index of classes, all classes at once. Questions about one document, and about an ACL that no document has, are answered here; a property test holds the two together.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    acl::{Acl, Timestamp},
    collection::Collection,
    policy::Policy,
    principal::{AttributeValue, Principal},
    rules::{Effect, Place, Reason, RequestContext},
};

/// Somebody who would read in a collection.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) settings: &'a Collection,
    /// With all groups.
    pub(crate) principals: &'a BTreeSet<Principal>,
    pub(crate) attributes: &'a BTreeMap<String, AttributeValue>,
    pub(crate) context: &'a RequestContext,
    pub(crate) now: Timestamp,
}

impl Case<'_> {
    /// Whether they are among the collection's readers.
    pub(crate) fn is_reader(&self) -> bool {
        !self.settings.readers.is_disjoint(self.principals)
    }

    /// Whether they may read what has this ACL.
    pub(crate) fn permits(&self, acl: &Acl) -> bool {
        self.permits_for(acl, &self.reasons(acl))
    }

    /// The same, with the tenant policies that say something of it.
    pub(crate) fn permits_for(&self, acl: &Acl, reasons: &BTreeSet<Reason>) -> bool {
        let has = |effect: Effect| reasons.iter().any(|reason| reason.effect == effect);
        self.is_reader()
            && (acl.allows(self.principals) || has(Effect::Permit))
            && acl.permits_if_allowed(self.principals, self.attributes, self.now)
            && !has(Effect::Forbid)
    }

    /// The tenant policies that forbid or permit it.
    pub(crate) fn reasons(&self, acl: &Acl) -> BTreeSet<Reason> {
        let rules = &self.policy.rules;
        if rules.is_idle() {
            return BTreeSet::new();
        }
        let place = Place { collection: &self.settings.id, trust: self.settings.trust };
        let reader = rules.reader(self.principals, self.attributes);
        rules.reasons(reader.as_ref(), (place, acl), self.context, self.now)
    }
}
