//! For whom a collection exists: its readers, its writers, and credentials that manage collections. For all others it is absent.

use ringfence_indexes::{CollectionId, Engine, Principal, Scope, Timestamp};

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
    /// Whether the credential writes at all.
    may_ingest: bool,
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
            may_ingest: [authz::Scope::Ingest, authz::Scope::Acl].iter().any(|scope| caller.scopes().contains(*scope)),
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
        manages || self.is_writer(collection)
    }

    /// Whether the caller is named as a writer, or is let in with everyone by a credential that writes at all.
    ///
    /// Where nobody was named everyone is a writer: that alone must not show a closed collection to all who search.
    fn is_writer(&self, collection: &CollectionId) -> bool {
        let everyone = Principal::everyone();
        let is_open = self.collections.get(collection).is_some_and(|settings| settings.writers.contains(&everyone));
        self.write.may_write_collection(collection) && (self.may_ingest || !is_open)
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
