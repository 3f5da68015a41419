//! From the store to memory: tenants, settings and keys at the start, and a tenant's documents when it is opened.

use std::sync::Arc;

use ringfence_indexes::{Change, Engine, TenantId, TenantPolicy};

use super::StartError;
use crate::{
    authn::{Keyring, Revocations},
    catalog::Catalog,
    seal::{MasterKey, TenantKeys},
    store::{Replayed, Store, StoreError, TenantSettings},
};

/// Reads what authentication and lists need. Every tenant is closed afterwards. What is damaged is refused: a server that starts answers from what was written.
pub(super) async fn replay(
    store: &Store,
    master: &MasterKey,
    keyring: &Keyring,
    revocations: &Revocations,
    engine: &Engine,
) -> Result<Arc<Catalog>, StartError> {
    let catalog = Catalog::default();
    store.check_ledger(None).await?;
    for (record, revision) in store.tenants().await? {
        let (key, settings) = (TenantKeys::derive(master, &record.id).chunk_key(), store.settings(&record.id).await?);
        engine.add_closed_tenant(&record.id, key, revision, changes(&record.id, settings)?)?;
        for revocation in store.revocations(&record.id).await? {
            revocations.insert(revocation);
        }
        catalog.put_tenant(record);
    }
    for (tenant, collection) in store.all_collections().await? {
        catalog.put_collection(&tenant, collection.record);
    }
    for key in store.keys().await? {
        keyring.insert(key);
    }
    keyring.uses().restore(store.key_uses().await?);
    Ok(Arc::new(catalog))
}

/// Opens a closed tenant from the store; nothing happens where it is open.
///
/// It reads and indexes at the same time: the one waits for the disk and decodes, the other counts words.
pub(super) async fn open_tenant(store: &Store, engine: &Arc<Engine>, tenant: &TenantId) -> Result<(), StartError> {
    let Some(opening) = engine.begin_opening(tenant)? else { return Ok(()) };
    let (pieces, waiting) = std::sync::mpsc::sync_channel::<Replayed>(1);
    let name = tenant.clone();
    let indexing = tokio::task::spawn_blocking(move || {
        let mut opening = opening;
        for piece in waiting {
            opening.take(match piece {
                Replayed::Settings(settings) => changes(&name, settings)?,
                Replayed::Documents(documents) => documents.into_iter().map(Change::PutDocument).collect(),
            })?;
        }
        Ok::<_, StartError>(opening)
    });
    let read = store
        .replay(tenant, |piece| {
            // It fails only where indexing ended with an error, which is told below.
            let _ = pieces.send(piece);
        })
        .await;
    drop(pieces);
    let opening = indexing.await.map_err(|panic| StoreError::Failed(panic.into()))??;
    engine.finish_opening(opening, read?)?;
    Ok(())
}

/// What decides in a tenant, as its engine takes it. A policy that does not hold to the schema any more is an error: without it, what it forbids would be open.
fn changes(tenant: &TenantId, settings: TenantSettings) -> Result<Vec<Change>, StartError> {
    let mut changes = settings.changes;
    changes.push(Change::EnablePermit(settings.permit));
    for record in settings.policies {
        let policy = TenantPolicy::check(record.name.clone(), &record.text.unwrap_or_default());
        let fault = |fault| StartError::Policy { tenant: tenant.clone(), policy: record.name, fault };
        changes.push(Change::PutPolicy(Arc::new(policy.map_err(fault)?)));
    }
    Ok(changes)
}
