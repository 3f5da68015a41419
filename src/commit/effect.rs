//! What a durable write changes in memory: engine, catalog and keyring.

use std::{collections::BTreeMap, sync::Arc};

use ringfence_indexes::{Change, CollectionId, Engine, EngineError, TenantId, Timestamp};

use crate::{
    authn::{KeyRecord, Keyring, Revocation, Revocations},
    catalog::Catalog,
    seal::{MasterKey, TenantKeys},
    store::{CollectionRecord, TenantRecord},
};

/// What follows from one write.
#[derive(Debug)]
pub(super) enum Effect {
    /// Nothing in memory knows of it.
    None,
    CreateTenant(TenantRecord),
    DropTenant(TenantId),
    PutCollection(TenantId, CollectionRecord),
    /// A collection, and the grants that end with it.
    DropCollection(TenantId, CollectionId, Vec<Change>),
    Index(TenantId, Change),
    /// Several changes of one write, the keys that went with it, and those that it changed.
    Directory(TenantId, Vec<Change>, Vec<String>, Vec<KeyRecord>),
    IndexAll(TenantId, Vec<Change>),
    PutKey(KeyRecord),
    DropKey(Option<TenantId>, String),
    /// An entry, and the moment at which those that are over are forgotten.
    Revoke(Revocation, Timestamp),
}

/// Everything in memory that follows the store.
#[derive(Clone, Debug)]
pub(super) struct Derived {
    pub(super) master: Arc<MasterKey>,
    pub(super) engine: Arc<Engine>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) revocations: Arc<Revocations>,
}

/// The index changes of a tenant that wait to become one snapshot.
#[derive(Default)]
struct Pending {
    epoch: u64,
    changes: Vec<Change>,
}

impl Derived {
    /// Makes the effects of a group visible, in the order of its writes; each with its tenant's revision.
    pub(super) fn publish(&self, effects: impl IntoIterator<Item = (Effect, u64)>) -> Result<(), EngineError> {
        let mut pending: BTreeMap<TenantId, Pending> = BTreeMap::new();
        for (effect, revision) in effects {
            let (tenant, changes): (_, Vec<Change>) = match effect {
                Effect::None => continue,
                Effect::CreateTenant(record) => {
                    self.flush(&record.id, pending.remove(&record.id))?;
                    let keys = TenantKeys::derive(&self.master, &record.id);
                    self.engine.create_tenant(&record.id, keys.chunk_key(), revision);
                    self.catalog.put_tenant(record);
                    continue;
                }
                Effect::DropTenant(tenant) => {
                    // What was written to it in the same group is gone with it.
                    pending.remove(&tenant);
                    self.keyring.remove_where(|key| key.tenant.as_ref() == Some(&tenant));
                    self.catalog.remove_tenant(&tenant);
                    self.revocations.remove_tenant(&tenant);
                    self.engine.drop_tenant(&tenant);
                    continue;
                }
                Effect::PutKey(record) => {
                    let tenant = record.tenant.clone();
                    self.keyring.insert(record);
                    let Some(tenant) = tenant else { continue };
                    (tenant, Vec::new())
                }
                Effect::DropKey(tenant, id) => {
                    self.keyring.remove(&id);
                    let Some(tenant) = tenant else { continue };
                    (tenant, Vec::new())
                }
                Effect::Revoke(revocation, now) => {
                    let tenant = revocation.tenant.clone();
                    self.revocations.prune(&tenant, now);
                    self.revocations.insert(revocation);
                    (tenant, Vec::new())
                }
                Effect::PutCollection(tenant, record) => {
                    let change = Change::PutCollection(record.to_engine());
                    self.catalog.put_collection(&tenant, record);
                    (tenant, vec![change])
                }
                Effect::DropCollection(tenant, collection, mut changes) => {
                    self.catalog.remove_collection(&tenant, &collection);
                    changes.push(Change::DeleteCollection(collection));
                    (tenant, changes)
                }
                Effect::Index(tenant, change) => (tenant, vec![change]),
                Effect::Directory(tenant, changes, keys, narrowed) => {
                    keys.iter().for_each(|id| self.keyring.remove(id));
                    narrowed.into_iter().for_each(|key| self.keyring.insert(key));
                    (tenant, changes)
                }
                Effect::IndexAll(tenant, changes) => (tenant, changes),
            };
            let waiting = pending.entry(tenant).or_default();
            waiting.epoch = revision;
            // A write that changes no index still has its revision, which a read may demand.
            waiting.changes.extend(changes);
        }
        pending.into_iter().try_for_each(|(tenant, pending)| self.flush(&tenant, Some(pending)))
    }

    fn flush(&self, tenant: &TenantId, pending: Option<Pending>) -> Result<(), EngineError> {
        pending.map_or(Ok(()), |pending| self.engine.apply(tenant, pending.epoch, pending.changes))
    }
}
