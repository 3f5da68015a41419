//! One case: somebody in front of one class, decided for itself.
//!
//! Readers are answered from the index of classes, all classes at once. Questions about one document, and about an ACL that no document has, are answered here; a property test holds the two together.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    acl::{Acl, Timestamp},
    collection::Collection,
    id::{DocumentId, GrantId},
    policy::Policy,
    principal::{AttributeValue, Principal},
    rules::{Effect, Place, Reason, RequestContext},
};

/// Somebody who would read in a collection.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) settings: &'a Collection,
    /// The document; none where an ACL is asked about that no document has.
    pub(crate) document: Option<&'a DocumentId>,
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
        (self.has_of_right(acl, reasons) || !self.grants().is_empty())
            && acl.permits_if_allowed(self.principals, self.attributes, self.now)
            && !reasons.iter().any(|reason| reason.effect == Effect::Forbid)
    }

    /// Whether they are let in without a grant.
    pub(crate) fn has_of_right(&self, acl: &Acl, reasons: &BTreeSet<Reason>) -> bool {
        let is_permitted = reasons.iter().any(|reason| reason.effect == Effect::Permit);
        self.is_reader() && (acl.allows(self.principals) || is_permitted)
    }

    /// The emergency grants that let them in.
    pub(crate) fn grants(&self) -> Vec<GrantId> {
        let Some(document) = self.document else { return Vec::new() };
        self.policy.grants.covering(self.principals, (&self.settings.id, document), self.now)
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
