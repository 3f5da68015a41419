//! What is kept beside what is served: originals, what waits for a review, and what an older sanitiser made.

use ringfence_indexes::{CollectionId, Document, DocumentId, Selection, TenantId};
use ringfence_ingest::QuarantineReason;
use sqlx::{Connection as _, FromRow, SqliteConnection};

use super::{Decision, DocumentRow, StoredContent, head, load, source_digest};
use crate::store::{StoreError, error::damaged, form};

/// A document with everything that is kept of it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What is known of it, with its passages.
    pub document: Document,
    /// Whether it is indexed or held back.
    pub content: StoredContent,
    /// The sealed original, where it is kept.
    pub source: Option<Vec<u8>>,
    /// The digest of that: which original this is.
    pub source_digest: Option<Vec<u8>>,
    /// What a reviewer released it as, if one did.
    pub decision: Option<Decision>,
}

/// A document that is held back.
#[derive(Clone, Debug)]
pub struct Quarantined {
    /// What is known of it; no passages.
    pub document: Document,
    /// Why.
    pub reason: QuarantineReason,
}

/// A document that another version of the sanitiser made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outdated {
    /// Where it lies.
    pub collection: CollectionId,
    /// Its name.
    pub document: DocumentId,
    /// Whether its original is kept.
    pub has_source: bool,
}

/// The place after which a list goes on.
pub type PlaceAfter = (CollectionId, DocumentId);

/// Everything that is kept of one document, as it was at one moment.
pub(in crate::store) async fn kept(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    document: &DocumentId,
) -> Result<Option<Kept>, StoreError> {
    let mut transaction = connection.begin().await?;
    let Some(row) = head(&mut transaction, tenant, collection, document).await? else { return Ok(None) };
    let source = source(&mut transaction, tenant, collection, document).await?;
    let source_digest_found = source.as_deref().map(|sealed| source_digest(sealed).to_vec());
    if source_digest_found != row.source_digest {
        return Err(row.damaged());
    }
    let decision = row.decision.as_deref().map(|name| Decision::from_name(name).ok_or_else(|| row.damaged()));
    let decision = decision.transpose()?;
    let (document, content) = load(&mut transaction, tenant, row).await?;
    Ok(Some(Kept { document, content, source, source_digest: source_digest_found, decision }))
}

async fn source(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    document: &DocumentId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let row: Option<(Vec<u8>,)> =
        sqlx::query_as("SELECT sealed FROM sources WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3")
            .bind(tenant.as_str())
            .bind(collection.as_str())
            .bind(document.as_str())
            .fetch_optional(connection)
            .await?;
    Ok(row.map(|(sealed,)| sealed))
}

/// A row of `documents` with the reason of its row in `quarantine`.
#[derive(FromRow)]
struct QuarantinedRow {
    #[sqlx(flatten)]
    head: DocumentRow,
    reason: String,
}

/// Documents of the selected collections that are held back, after a place, in the order of collection and id.
pub(in crate::store) async fn quarantined(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    selection: &Selection,
    after: Option<&PlaceAfter>,
    limit: i64,
) -> Result<Vec<Quarantined>, StoreError> {
    let (after_collection, after_document) = names(after);
    let rows: Vec<QuarantinedRow> = sqlx::query_as(
        "SELECT documents.collection_id, documents.document_id, status, acl, title, uri, metadata, content_hash, \
         ingested_at, ingested_by, version, findings, removed, fingerprint, content_digest, sanitizer, source_digest, \
         decision, digest, reason \
         FROM quarantine CROSS JOIN documents USING (tenant_id, collection_id, document_id) \
         WHERE quarantine.tenant_id = $1 AND (quarantine.collection_id, quarantine.document_id) > ($2, $3) \
         AND ($4 IS NULL OR quarantine.collection_id IN (SELECT value FROM json_each($4))) \
         ORDER BY quarantine.collection_id, quarantine.document_id LIMIT $5",
    )
    .bind(tenant.as_str())
    .bind(after_collection)
    .bind(after_document)
    .bind(selected(selection))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.read(tenant)).collect()
}

impl QuarantinedRow {
    fn read(self, tenant: &TenantId) -> Result<Quarantined, StoreError> {
        let head = self.head.check(tenant)?;
        let reason = form::reason_from(&self.reason).ok_or_else(|| damaged("the reason of a quarantine"))?;
        Ok(Quarantined { document: head.with_chunks(Vec::new())?, reason })
    }
}

/// Documents of the selected collections that another version of the sanitiser made, after a place, in the order of collection and id.
pub(in crate::store) async fn outdated(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    selection: &Selection,
    sanitizer: &str,
    after: Option<&PlaceAfter>,
    limit: i64,
) -> Result<Vec<Outdated>, StoreError> {
    let (after_collection, after_document) = names(after);
    let rows: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT collection_id, document_id, source_digest IS NOT NULL FROM documents \
         WHERE tenant_id = $1 AND (collection_id, document_id) > ($2, $3) \
         AND ($4 IS NULL OR collection_id IN (SELECT value FROM json_each($4))) \
         AND (sanitizer IS NULL OR sanitizer <> $5) ORDER BY collection_id, document_id LIMIT $6",
    )
    .bind(tenant.as_str())
    .bind(after_collection)
    .bind(after_document)
    .bind(selected(selection))
    .bind(sanitizer)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let read = |(collection, document, has_source): (String, String, bool)| {
        Ok(Outdated {
            collection: CollectionId::new(&collection).map_err(|_| damaged("the name of a collection"))?,
            document: DocumentId::new(&document).map_err(|_| damaged("the name of a document"))?,
            has_source,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Documents that are held back with a source in the clear, as an older server left them.
pub(in crate::store) async fn in_the_clear(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<PlaceAfter>, StoreError> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT collection_id, document_id FROM quarantine WHERE tenant_id = $1 AND length(source) > 0 \
         ORDER BY collection_id, document_id",
    )
    .bind(tenant.as_str())
    .fetch_all(connection)
    .await?;
    let read = |(collection, document): (String, String)| {
        let collection = CollectionId::new(&collection).map_err(|_| damaged("the name of a collection"))?;
        Ok((collection, DocumentId::new(&document).map_err(|_| damaged("the name of a document"))?))
    };
    rows.into_iter().map(read).collect()
}

fn names(after: Option<&PlaceAfter>) -> (&str, &str) {
    after.map_or(("", ""), |(collection, document)| (collection.as_str(), document.as_str()))
}

/// The selected collections as JSON; NULL for all.
fn selected(selection: &Selection) -> Option<String> {
    match selection {
        Selection::All => None,
        Selection::Only(collections) => Some(form::write_list(collections.iter().map(CollectionId::as_str))),
    }
}
