//! A new model: vectors of two models are never compared, so everything that the old one placed is placed anew before the server answers.
//!
//! The passages are in the store, sanitised; nothing is parsed again. It is done collection by collection. A collection is marked first, so that a start that was broken off, or an older program, does not take a mixture for whole.

use std::sync::Arc;

use ringfence_indexes::{CollectionId, Document, DocumentId, TenantId, Vector, VectorSource};
use ringfence_ingest::PreparedChunk;

use super::StartError;
use crate::{
    embed::{Embedder, EmbedderError},
    store::{Beside, DocumentRow, SourceChange, Store, StoredContent, Writer},
};

/// Documents of one transaction.
const DOCUMENTS: i64 = 256;

/// Places anew what another model placed.
pub(super) async fn reembed(store: &Store, embedder: &Arc<Embedder>) -> Result<(), StartError> {
    let mut stale = Vec::new();
    for (tenant, collection) in store.all_collections().await? {
        let is_builtin = matches!(collection.record.embedding, VectorSource::Builtin { .. });
        if is_builtin && collection.embedder.as_deref() != Some(embedder.fingerprint()) {
            stale.push((tenant, collection.record.id));
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    let mut writer = store.writer().await?;
    for (tenant, collection) in stale {
        tracing::info!(tenant.id = %tenant, collection.id = %collection, "the embedder has changed: embedding anew");
        move_collection(store, &mut writer, &tenant, &collection, embedder).await?;
    }
    writer.close().await;
    Ok(())
}

async fn move_collection(
    store: &Store,
    writer: &mut Writer,
    tenant: &TenantId,
    collection: &CollectionId,
    embedder: &Arc<Embedder>,
) -> Result<(), StartError> {
    mark(writer, tenant, collection, format!("unfinished {}", embedder.fingerprint()), embedder).await?;
    let mut after: Option<DocumentId> = None;
    loop {
        let page = store.active_after(tenant, collection, after.as_ref(), DOCUMENTS).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        writer.begin().await?;
        for document in page {
            move_document(writer, tenant, collection, &document, embedder).await?;
        }
        writer.commit().await?;
    }
    mark(writer, tenant, collection, embedder.fingerprint().to_owned(), embedder).await
}

async fn mark(
    writer: &mut Writer,
    tenant: &TenantId,
    collection: &CollectionId,
    name: String,
    embedder: &Embedder,
) -> Result<(), StartError> {
    writer.begin().await?;
    writer.set_embedder(tenant, collection, name, embedder.dimensions()).await?;
    writer.advance(tenant).await?;
    writer.commit().await?;
    Ok(())
}

async fn move_document(
    writer: &mut Writer,
    tenant: &TenantId,
    collection: &CollectionId,
    id: &DocumentId,
    embedder: &Arc<Embedder>,
) -> Result<(), StartError> {
    let Some(before) = writer.document(tenant, collection, id).await? else { return Ok(()) };
    let (mut document, _) = writer.load_document(tenant, before.clone()).await?;
    let vectors = place(&document, embedder).await?;
    document.chunks.iter_mut().zip(vectors).for_each(|(chunk, vector)| chunk.vector = vector);
    let content = StoredContent::Active(document.chunks.clone());
    let (row, content) = DocumentRow::new(tenant, &document, &content, &Beside::default())?;
    let row = row.with_beside_of(&before, tenant);
    let key = (tenant.clone(), collection.clone(), id.clone());
    writer.put_document(key, row, &content, SourceChange::Stays, Some(&before)).await?;
    Ok(())
}

/// Where the passages of a document lie for the present model.
async fn place(document: &Document, embedder: &Arc<Embedder>) -> Result<Vec<Option<Vector>>, StartError> {
    let failed = |failure| StartError::Embedder(EmbedderError::Reembedding(failure));
    let passages: Vec<PreparedChunk> = document.chunks.iter().map(|chunk| chunk.prepared.clone()).collect();
    let info = Arc::clone(&document.info);
    if let Some(vectors) = embedder.ask_passages(info.title.as_ref(), passages.iter()).await.map_err(failed)? {
        return Ok(vectors);
    }
    let embedder = Arc::clone(embedder);
    let computed = tokio::task::spawn_blocking(move || embedder.embed_passages(info.title.as_ref(), passages.iter()));
    let computed = computed.await.map_err(|error| crate::store::StoreError::Failed(error.into()))?;
    Ok(computed.map_err(failed)?.unwrap_or_default())
}
