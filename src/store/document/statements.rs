//! The statements on documents and their contents.

use futures_util::TryStreamExt as _;
use ringfence_indexes::{CollectionId, Document, DocumentId, TenantId, Timestamp};
use serde_json::Value;
use sqlx::{FromRow, Sqlite, SqliteConnection};

use super::{ContentRow, DocumentKey, DocumentRow, SourceChange, StoredContent, quarantine_digest};
use crate::store::{StoreError, digest::digest_of, error::damaged, form, ledger::Ledger};

/// How much is read before it is handed on: enough to index at once, little enough to hold.
const PIECE_BYTES: usize = 8 << 20;

/// What is known of one document.
pub(in crate::store) async fn head(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    document: &DocumentId,
) -> Result<Option<DocumentRow>, StoreError> {
    let row: Option<DocumentRow> = sqlx::query_as(
        "SELECT collection_id, document_id, status, acl, title, uri, metadata, content_hash, ingested_at, ingested_by, \
         version, findings, removed, fingerprint, content_digest, sanitizer, source_digest, decision, digest \
         FROM documents WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(document.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.check(tenant)).transpose()
}

/// What is known of several documents, in any order; those that are absent are left out.
pub(in crate::store) async fn heads(
    connection: &mut SqliteConnection,
    keys: &[DocumentKey],
) -> Result<Vec<(DocumentKey, DocumentRow)>, StoreError> {
    let names = keys.iter().map(|(tenant, collection, document)| {
        Value::from(vec![tenant.as_str(), collection.as_str(), document.as_str()])
    });
    let rows: Vec<OwnedRow> = sqlx::query_as(
        "SELECT tenant_id, collection_id, document_id, status, acl, title, uri, metadata, content_hash, ingested_at, \
         ingested_by, version, findings, removed, fingerprint, content_digest, sanitizer, source_digest, decision, \
         digest \
         FROM json_each($1) AS wanted CROSS JOIN documents ON tenant_id = json_extract(wanted.value, '$[0]') \
         AND collection_id = json_extract(wanted.value, '$[1]') AND document_id = json_extract(wanted.value, '$[2]')",
    )
    .bind(Value::from_iter(names).to_string())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(OwnedRow::read).collect()
}

/// A row of `documents` with its tenant.
#[derive(FromRow)]
struct OwnedRow {
    tenant_id: String,
    #[sqlx(flatten)]
    head: DocumentRow,
}

impl OwnedRow {
    fn read(self) -> Result<(DocumentKey, DocumentRow), StoreError> {
        let fault = || self.head.damaged();
        let tenant = TenantId::new(&self.tenant_id).map_err(|_| fault())?;
        let collection = CollectionId::new(&self.head.collection_id).map_err(|_| fault())?;
        let document = DocumentId::new(&self.head.document_id).map_err(|_| fault())?;
        let row = self.head.check(&tenant)?;
        Ok(((tenant, collection, document), row))
    }
}

/// The document of a row, with its passages; none for one that is held back.
pub(in crate::store) async fn load(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    row: DocumentRow,
) -> Result<(Document, StoredContent), StoreError> {
    if row.is_active() {
        let (chunks, vectors): (Vec<u8>, Vec<u8>) = sqlx::query_as(
            "SELECT chunks, vectors FROM contents WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3",
        )
        .bind(tenant.as_str())
        .bind(row.collection_id.as_str())
        .bind(row.document_id.as_str())
        .fetch_one(connection)
        .await?;
        let document = row.read(&chunks, &vectors)?;
        let content = StoredContent::Active(document.chunks.clone());
        return Ok((document, content));
    }
    let (reason, clear): (String, Vec<u8>) = sqlx::query_as(
        "SELECT reason, source FROM quarantine WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3",
    )
    .bind(tenant.as_str())
    .bind(row.collection_id.as_str())
    .bind(row.document_id.as_str())
    .fetch_one(connection)
    .await?;
    if quarantine_digest(&reason, &clear) != *row.content_digest {
        return Err(row.damaged());
    }
    let reason = form::reason_from(&reason).ok_or_else(|| damaged("the reason of a quarantine"))?;
    Ok((row.with_chunks(Vec::new())?, StoredContent::Quarantined { reason, clear }))
}

/// Writes what is known of a document; the parameters are those of [`bind_head`].
macro_rules! upsert_document {
    () => {
        "INSERT INTO documents (tenant_id, collection_id, document_id, status, acl, title, uri, metadata, \
         content_hash, ingested_at, ingested_by, version, findings, removed, fingerprint, content_digest, digest, \
         sanitizer, source_digest, decision) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
         ON CONFLICT (tenant_id, collection_id, document_id) DO UPDATE SET status = excluded.status, \
         acl = excluded.acl, title = excluded.title, uri = excluded.uri, metadata = excluded.metadata, \
         content_hash = excluded.content_hash, ingested_at = excluded.ingested_at, \
         ingested_by = excluded.ingested_by, version = excluded.version, findings = excluded.findings, \
         removed = excluded.removed, fingerprint = excluded.fingerprint, \
         content_digest = excluded.content_digest, digest = excluded.digest, sanitizer = excluded.sanitizer, \
         source_digest = excluded.source_digest, decision = excluded.decision; "
    };
}

/// Takes away what stood under the document's name.
macro_rules! delete_content {
    () => {
        "DELETE FROM contents WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3; \
         DELETE FROM quarantine WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3; "
    };
}

/// Puts the original of a document, or none, in place of what was there.
macro_rules! replace_source {
    () => {
        "DELETE FROM sources WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3; \
         INSERT INTO sources (tenant_id, collection_id, document_id, sealed) \
         SELECT $1, $2, $3, $23 WHERE $23 IS NOT NULL; "
    };
}

macro_rules! insert_passages {
    () => {
        "INSERT INTO contents (tenant_id, collection_id, document_id, chunks, vectors) VALUES ($1, $2, $3, $21, $22); "
    };
}

macro_rules! insert_quarantine {
    () => {
        "INSERT INTO quarantine (tenant_id, collection_id, document_id, reason, source) VALUES ($1, $2, $3, $21, $22); "
    };
}

/// Writes a document in place of what was there, in a savepoint of its own.
///
/// All in one call: each call is a round trip to the connection's thread, which costs more than the statement.
pub(in crate::store) async fn put(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    row: &DocumentRow,
    content: &ContentRow,
    source: SourceChange<'_>,
) -> Result<(), StoreError> {
    let sql = match (content, source) {
        (ContentRow::Active { .. }, SourceChange::Stays) => {
            concat!("SAVEPOINT one; ", delete_content!(), upsert_document!(), insert_passages!(), "RELEASE one")
        }
        (ContentRow::Active { .. }, SourceChange::Becomes(_)) => concat!(
            "SAVEPOINT one; ",
            delete_content!(),
            upsert_document!(),
            insert_passages!(),
            replace_source!(),
            "RELEASE one"
        ),
        (ContentRow::Quarantined { .. }, SourceChange::Stays) => {
            concat!("SAVEPOINT one; ", delete_content!(), upsert_document!(), insert_quarantine!(), "RELEASE one")
        }
        (ContentRow::Quarantined { .. }, SourceChange::Becomes(_)) => concat!(
            "SAVEPOINT one; ",
            delete_content!(),
            upsert_document!(),
            insert_quarantine!(),
            replace_source!(),
            "RELEASE one"
        ),
    };
    let query = bind_head(sqlx::query(sql), tenant, row);
    let query = match content {
        ContentRow::Active { chunks, vectors } => query.bind(chunks.as_slice()).bind(vectors.as_slice()),
        ContentRow::Quarantined { reason, source } => query.bind(*reason).bind(source.as_slice()),
    };
    let query = match source {
        SourceChange::Stays => query,
        SourceChange::Becomes(sealed) => query.bind(sealed),
    };
    query.execute(connection).await?;
    Ok(())
}

/// Writes what is known of a document and leaves its content.
pub(in crate::store) async fn put_head(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    row: &DocumentRow,
) -> Result<(), StoreError> {
    bind_head(sqlx::query(upsert_document!()), tenant, row).execute(connection).await?;
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, <Sqlite as sqlx::Database>::Arguments>;

fn bind_head<'q>(query: Query<'q>, tenant: &'q TenantId, row: &'q DocumentRow) -> Query<'q> {
    query
        .bind(tenant.as_str())
        .bind(row.collection_id.as_str())
        .bind(row.document_id.as_str())
        .bind(row.status.as_str())
        .bind(row.acl.as_str())
        .bind(row.title.as_deref())
        .bind(row.uri.as_deref())
        .bind(row.metadata.as_str())
        .bind(row.content_hash.as_str())
        .bind(row.ingested_at)
        .bind(row.ingested_by.as_str())
        .bind(row.version)
        .bind(row.findings.as_str())
        .bind(row.removed)
        .bind(row.fingerprint.as_slice())
        .bind(row.content_digest.as_slice())
        .bind(row.digest.as_slice())
        .bind(row.sanitizer.as_deref())
        .bind(row.source_digest.as_deref())
        .bind(row.decision.as_deref())
}

/// Deletes a document.
pub(in crate::store) async fn delete(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    row: &DocumentRow,
) -> Result<(), StoreError> {
    let sql = concat!(
        delete_content!(),
        "DELETE FROM sources WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3; ",
        "DELETE FROM documents WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3"
    );
    sqlx::query(sql)
        .bind(tenant.as_str())
        .bind(row.collection_id.as_str())
        .bind(row.document_id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// A row of `documents` beside its row of `contents`.
#[derive(FromRow)]
struct ActiveRow {
    #[sqlx(flatten)]
    head: DocumentRow,
    // A document whose passages are lost must be noticed, not left out.
    chunks: Option<Vec<u8>>,
    vectors: Option<Vec<u8>>,
}

impl ActiveRow {
    fn size(&self) -> usize {
        [&self.chunks, &self.vectors].into_iter().flatten().map(Vec::len).sum()
    }

    /// The document; none for one that is held back.
    fn read(self, tenant: &TenantId) -> Result<Option<Document>, StoreError> {
        let head = self.head.check(tenant)?;
        match (head.is_active(), self.chunks, self.vectors) {
            (true, Some(chunks), Some(vectors)) => head.read(&chunks, &vectors).map(Some),
            (false, None, None) => Ok(None),
            _ => Err(head.damaged()),
        }
    }
}

/// Gives every active document, piece by piece, in the order of collection and id, and counts every row into the ledger.
///
/// Every row is read and checked, held back or not: a damaged status must not hide a document.
pub(in crate::store) async fn each_active(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    rows_of: &mut Ledger,
    mut take: impl FnMut(Vec<Document>) + Send,
) -> Result<(), StoreError> {
    let mut rows = sqlx::query_as::<_, ActiveRow>(
        "SELECT collection_id, document_id, status, acl, title, uri, metadata, content_hash, ingested_at, ingested_by, \
         version, findings, removed, fingerprint, content_digest, sanitizer, source_digest, decision, digest, chunks, \
         vectors \
         FROM documents LEFT JOIN contents USING (tenant_id, collection_id, document_id) \
         WHERE tenant_id = $1 ORDER BY collection_id, document_id",
    )
    .bind(tenant.as_str())
    .fetch(connection);
    let (mut piece, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await? {
        bytes += row.size();
        rows_of.toggle(&row.head.digest()?);
        piece.extend(row.read(tenant)?);
        if bytes >= PIECE_BYTES {
            take(std::mem::take(&mut piece));
            bytes = 0;
        }
    }
    if !piece.is_empty() {
        take(piece);
    }
    Ok(())
}

/// How many documents a tenant has, counted up to a limit.
pub(in crate::store) async fn count(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    limit: i64,
) -> Result<usize, StoreError> {
    let (count,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM (SELECT 1 FROM documents WHERE tenant_id = $1 LIMIT $2) AS some")
            .bind(tenant.as_str())
            .bind(limit)
            .fetch_one(connection)
            .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Active documents' fingerprints, by collection and id.
pub(in crate::store) async fn fingerprints(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<(CollectionId, DocumentId, [u8; 32])>, StoreError> {
    let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(
        "SELECT collection_id, document_id, fingerprint FROM documents WHERE tenant_id = $1 AND status = 'active' \
         ORDER BY collection_id, document_id",
    )
    .bind(tenant.as_str())
    .fetch_all(connection)
    .await?;
    let read = |(collection, document, fingerprint): (String, String, Vec<u8>)| {
        let collection = CollectionId::new(&collection).map_err(|_| damaged("the name of a collection"))?;
        let document = DocumentId::new(&document).map_err(|_| damaged("the name of a document"))?;
        Ok((collection, document, digest_of(&fingerprint)?))
    };
    rows.into_iter().map(read).collect()
}

/// Documents of a collection that were ingested before a moment, the oldest first.
pub(in crate::store) async fn older_than(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<DocumentId>, StoreError> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT document_id FROM documents WHERE tenant_id = $1 AND collection_id = $2 AND ingested_at < $3 \
         ORDER BY ingested_at, document_id LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(before.0)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let read = |(id,): (String,)| DocumentId::new(&id).map_err(|_| damaged("the name of a document"));
    rows.into_iter().map(read).collect()
}

/// Whether a collection has a document, held back or not.
pub(in crate::store) async fn exists(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
) -> Result<bool, StoreError> {
    let row: Option<(i64,)> =
        sqlx::query_as("SELECT 1 FROM documents WHERE tenant_id = $1 AND collection_id = $2 LIMIT 1")
            .bind(tenant.as_str())
            .bind(collection.as_str())
            .fetch_optional(connection)
            .await?;
    Ok(row.is_some())
}

/// Deletes every document of a collection and gives back their digests.
pub(in crate::store) async fn delete_all(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
) -> Result<Vec<[u8; 32]>, StoreError> {
    for sql in [
        "DELETE FROM contents WHERE tenant_id = $1 AND collection_id = $2",
        "DELETE FROM quarantine WHERE tenant_id = $1 AND collection_id = $2",
        "DELETE FROM sources WHERE tenant_id = $1 AND collection_id = $2",
    ] {
        sqlx::query(sql).bind(tenant.as_str()).bind(collection.as_str()).execute(&mut *connection).await?;
    }
    let gone: Vec<(Vec<u8>,)> =
        sqlx::query_as("DELETE FROM documents WHERE tenant_id = $1 AND collection_id = $2 RETURNING digest")
            .bind(tenant.as_str())
            .bind(collection.as_str())
            .fetch_all(connection)
            .await?;
    gone.iter().map(|(digest,)| digest_of(digest)).collect()
}

/// Active documents of a collection after one of them, in the order of their ids.
pub(in crate::store) async fn active_after(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    after: Option<&DocumentId>,
    limit: i64,
) -> Result<Vec<DocumentId>, StoreError> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT document_id FROM documents WHERE tenant_id = $1 AND collection_id = $2 AND document_id > $3 \
         AND status = 'active' ORDER BY document_id LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(after.map_or("", DocumentId::as_str))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let read = |(id,): (String,)| DocumentId::new(&id).map_err(|_| damaged("the name of a document"));
    rows.into_iter().map(read).collect()
}
