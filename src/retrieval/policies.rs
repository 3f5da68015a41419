//! How what is found may leave: the release policy of each collection, and which collections are trusted enough.

use std::{collections::BTreeSet, sync::Arc};

use ringfence_indexes::{CollectionId, Selection};

use crate::{
    authn::Caller,
    authz,
    catalog::{Catalog, Collections},
    release::ReleasePolicy,
    store::Trust,
};

/// The policies of a tenant's collections for one caller, as they are now.
#[derive(Clone, Debug)]
pub struct Policies {
    collections: Collections,
    may_read_personal: bool,
}

impl Policies {
    /// The policies for a caller.
    #[must_use]
    pub fn for_caller(catalog: &Catalog, caller: &Caller) -> Self {
        Self {
            collections: catalog.collections(caller.tenant()),
            may_read_personal: caller.scopes().contains(authz::Scope::PiiRead),
        }
    }

    /// The policy of a collection; the strictest where its settings are not known.
    #[must_use]
    pub fn of(&self, collection: &CollectionId) -> ReleasePolicy {
        self.collections.get(collection).map_or_else(ReleasePolicy::strictest, |settings| {
            ReleasePolicy::new(&settings.redact, self.may_read_personal, settings.trust.name())
        })
    }

    /// Whether the policies of these collections are still what they were when something was released by them.
    pub fn still_hold<'a>(&self, now: &Self, collections: impl IntoIterator<Item = &'a CollectionId>) -> bool {
        Arc::ptr_eq(&self.collections, &now.collections)
            || collections.into_iter().all(|collection| self.of(collection) == now.of(collection))
    }

    /// The part of a selection that is trusted at least so much. Narrowed before anything is ranked, so that what falls out leaves no trace in the scores.
    #[must_use]
    pub fn trusted(&self, asked: &Selection, least: Trust) -> Selection {
        if least == Trust::Untrusted {
            return asked.clone();
        }
        let trusted = self.collections.values().filter(|settings| settings.trust >= least);
        let trusted: BTreeSet<_> = trusted.map(|settings| settings.id.clone()).collect();
        asked.intersect(&Selection::Only(trusted))
    }
}
