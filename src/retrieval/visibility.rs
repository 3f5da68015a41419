//! For whom a collection exists: its readers, its writers, and credentials that manage collections. For all others it is absent.

use ringfence_indexes::{CollectionId, Engine, Scope, Timestamp};

use crate::{
    authn::Caller,
    authz,
    catalog::{Catalog, Collections},
};

/// What one caller knows of a tenant's collections.
#[derive(Debug)]
pub struct Visibility {
    collections: Collections,
    read: Scope,
    write: Scope,
    manages: bool,
    ceiling: ringfence_indexes::Selection,
}

impl Visibility {
    /// What the caller knows now; `None` where the tenant is gone.
    #[must_use]
    pub fn of(catalog: &Catalog, engine: &Engine, caller: &Caller, now: Timestamp) -> Option<Self> {
        let ceiling = caller.ceiling().clone();
        Some(Self {
            collections: catalog.collections(caller.tenant()),
            read: engine.scope(caller.subject(), &ceiling, now).ok()?,
            write: engine.scope(caller.writer(), &ceiling, now).ok()?,
            manages: caller.scopes().contains(authz::Scope::Collections),
            ceiling,
        })
    }

    /// Whether the collection exists for the caller.
    #[must_use]
    pub fn exists(&self, collection: &CollectionId) -> bool {
        self.collections.contains_key(collection)
            && (self.read.may_read_collection(collection) || self.administers(collection))
    }

    /// Whether the caller may see who reads and writes the collection, and what its documents' ACL is by default.
    #[must_use]
    pub fn administers(&self, collection: &CollectionId) -> bool {
        let manages = self.manages && self.ceiling.contains(collection);
        manages || self.write.may_write_collection(collection)
    }

    /// Whether documents of the collection may be written.
    #[must_use]
    pub fn may_write(&self, collection: &CollectionId) -> bool {
        self.collections.contains_key(collection) && self.write.may_write_collection(collection)
    }

    /// Every collection of the tenant, whether or not it exists for the caller.
    #[must_use]
    pub const fn collections(&self) -> &Collections {
        &self.collections
    }

    /// On whose behalf documents are read.
    #[must_use]
    pub const fn reading(&self) -> &Scope {
        &self.read
    }
}
