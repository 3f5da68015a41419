//! What tenants and collections there are, in memory: settings that every request needs and none should wait for.
//!
//! Derived from the store at start; the committer changes it before it acknowledges, so a changed setting holds from its acknowledgement on.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use ringfence_indexes::{CollectionId, TenantId};

use crate::store::{CollectionRecord, TenantRecord};

/// The collections of one tenant by name.
pub type Collections = Arc<BTreeMap<CollectionId, Arc<CollectionRecord>>>;

/// Every tenant and its collections.
#[derive(Debug, Default)]
pub struct Catalog {
    tenants: RwLock<HashMap<TenantId, Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    record: Arc<TenantRecord>,
    collections: Collections,
}

impl Catalog {
    /// A tenant.
    #[must_use]
    pub fn tenant(&self, tenant: &TenantId) -> Option<Arc<TenantRecord>> {
        Some(self.entry(tenant)?.record)
    }

    /// Every tenant, by name.
    #[must_use]
    pub fn tenants(&self) -> Vec<Arc<TenantRecord>> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let mut records: Vec<_> = tenants.values().map(|entry| Arc::clone(&entry.record)).collect();
        records.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        records
    }

    /// A tenant's collections; none for a tenant that is not there.
    #[must_use]
    pub fn collections(&self, tenant: &TenantId) -> Collections {
        self.entry(tenant).map(|entry| entry.collections).unwrap_or_default()
    }

    /// One collection of a tenant.
    #[must_use]
    pub fn collection(&self, tenant: &TenantId, collection: &CollectionId) -> Option<Arc<CollectionRecord>> {
        self.entry(tenant)?.collections.get(collection).cloned()
    }

    /// Begins a tenant without collections.
    pub fn put_tenant(&self, record: TenantRecord) {
        let entry = Entry { record: Arc::new(record), collections: Collections::default() };
        self.write().insert(entry.record.id.clone(), entry);
    }

    /// Forgets a tenant and its collections.
    pub fn remove_tenant(&self, tenant: &TenantId) {
        self.write().remove(tenant);
    }

    /// Makes a collection or changes its settings.
    pub fn put_collection(&self, tenant: &TenantId, record: CollectionRecord) {
        if let Some(entry) = self.write().get_mut(tenant) {
            Arc::make_mut(&mut entry.collections).insert(record.id.clone(), Arc::new(record));
        }
    }

    /// Forgets a collection.
    pub fn remove_collection(&self, tenant: &TenantId, collection: &CollectionId) {
        if let Some(entry) = self.write().get_mut(tenant) {
            Arc::make_mut(&mut entry.collections).remove(collection);
        }
    }

    fn entry(&self, tenant: &TenantId) -> Option<Entry> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<TenantId, Entry>> {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner)
    }
}
