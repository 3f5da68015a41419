//! From the store to memory: engine, catalog and keyring as they were when the last write was acknowledged.

use std::sync::Arc;

use ringfence_indexes::{Change, Engine, EngineError, TenantId};

use super::StartError;
use crate::{
    authn::Keyring,
    catalog::Catalog,
    seal::{MasterKey, TenantKeys},
    store::{Store, TenantRecord},
};

/// Groups that are read at once.
const GROUPS: usize = 1_000;

/// Reads everything. What is damaged is refused: a server that starts answers from what was written.
pub(super) async fn replay(
    store: &Store,
    master: &MasterKey,
    keyring: &Keyring,
) -> Result<(Arc<Engine>, Arc<Catalog>), StartError> {
    let (engine, catalog) = (Engine::new(), Catalog::default());
    store.check_ledger(None).await?;
    for (record, revision) in store.tenants().await? {
        replay_tenant(store, master, &engine, &catalog, record, revision).await?;
    }
    for key in store.keys().await? {
        keyring.insert(key);
    }
    keyring.uses().restore(store.key_uses().await?);
    Ok((Arc::new(engine), Arc::new(catalog)))
}

async fn replay_tenant(
    store: &Store,
    master: &MasterKey,
    engine: &Engine,
    catalog: &Catalog,
    record: TenantRecord,
    revision: u64,
) -> Result<(), StartError> {
    let tenant = record.id.clone();
    store.check_ledger(Some(&tenant)).await?;
    engine.create_tenant(&tenant, TenantKeys::derive(master, &tenant).chunk_key(), revision);
    catalog.put_tenant(record);
    let mut changes = Vec::new();
    for collection in store.collections(&tenant).await? {
        changes.push(Change::PutCollection(collection.to_engine()));
        catalog.put_collection(&tenant, collection);
    }
    changes.extend(groups(store, &tenant).await?);
    engine.apply(&tenant, revision, changes)?;
    let mut refused: Result<(), EngineError> = Ok(());
    store
        .each_document(&tenant, |documents| {
            if refused.is_ok() {
                refused = engine.apply(&tenant, revision, documents.into_iter().map(Change::PutDocument).collect());
            }
        })
        .await?;
    Ok(refused?)
}

async fn groups(store: &Store, tenant: &TenantId) -> Result<Vec<Change>, StartError> {
    let (mut changes, mut after) = (Vec::new(), None);
    loop {
        let page = store.groups(tenant, after.as_ref(), GROUPS).await?;
        let Some(last) = page.last() else { return Ok(changes) };
        after = Some(last.group.clone());
        changes.extend(page.into_iter().map(|group| Change::PutGroup { group: group.group, members: group.members }));
    }
}
