//! From the store to memory: engine, catalog and keyring as they were when the last write was acknowledged.

use std::sync::Arc;

use ringfence_indexes::{Change, Document, Engine, TenantId, TenantPolicy};

use super::StartError;
use crate::{
    authn::{Keyring, Revocations},
    catalog::Catalog,
    seal::{MasterKey, TenantKeys},
    store::{Store, StoreError, TenantRecord},
};

/// Groups that are read at once.
const GROUPS: usize = 1_000;

/// Reads everything. What is damaged is refused: a server that starts answers from what was written.
pub(super) async fn replay(
    store: &Store,
    master: &MasterKey,
    keyring: &Keyring,
    revocations: &Revocations,
) -> Result<(Arc<Engine>, Arc<Catalog>), StartError> {
    let (engine, catalog) = (Arc::new(Engine::new()), Catalog::default());
    store.check_ledger(None).await?;
    for (record, revision) in store.tenants().await? {
        let tenant = record.id.clone();
        replay_tenant(store, master, &engine, &catalog, record, revision).await?;
        for revocation in store.revocations(&tenant).await? {
            revocations.insert(revocation);
        }
    }
    for key in store.keys().await? {
        keyring.insert(key);
    }
    keyring.uses().restore(store.key_uses().await?);
    Ok((engine, Arc::new(catalog)))
}

async fn replay_tenant(
    store: &Store,
    master: &MasterKey,
    engine: &Arc<Engine>,
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
    changes.extend(policies(store, &tenant).await?);
    engine.apply(&tenant, revision, changes)?;
    index_documents(store, engine, &tenant, revision).await
}

/// Reads and indexes at the same time: the one waits for the disk and decodes, the other counts words.
async fn index_documents(
    store: &Store,
    engine: &Arc<Engine>,
    tenant: &TenantId,
    revision: u64,
) -> Result<(), StartError> {
    let (pieces, waiting) = std::sync::mpsc::sync_channel::<Vec<Document>>(1);
    let (to, of) = (Arc::clone(engine), tenant.clone());
    let indexing = tokio::task::spawn_blocking(move || {
        waiting
            .into_iter()
            .try_for_each(|documents| to.apply(&of, revision, documents.into_iter().map(Change::PutDocument).collect()))
    });
    let read = store
        .each_document(tenant, |documents| {
            // It fails only where indexing ended with an error, which is told below.
            let _ = pieces.send(documents);
        })
        .await;
    drop(pieces);
    indexing.await.map_err(|panic| StoreError::Failed(panic.into()))??;
    Ok(read?)
}

/// A policy that does not hold to the schema any more ends the start: without it, what it forbids would be open.
async fn policies(store: &Store, tenant: &TenantId) -> Result<Vec<Change>, StartError> {
    let mut changes = vec![Change::EnablePermit(store.policy_settings(tenant).await?.permit)];
    for record in store.policies(tenant, None, usize::MAX).await? {
        let text = record.text.unwrap_or_default();
        let policy = TenantPolicy::check(record.name.clone(), &text);
        let fault = |fault| StartError::Policy { tenant: tenant.clone(), policy: record.name, fault };
        changes.push(Change::PutPolicy(Arc::new(policy.map_err(fault)?)));
    }
    Ok(changes)
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
