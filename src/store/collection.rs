//! Collections as rows.

use ringfence_indexes::{AnalyzerKind, CollectionId, TenantId, Timestamp, VectorSource};
use ringfence_ingest::RedactionKind;
use sqlx::{FromRow, SqliteConnection};

use super::{
    CollectionRecord, StoreError, Trust,
    digest::{RowDigest, digest_of},
    error::damaged,
    form,
};

/// A collection and which built-in embedder made its vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCollection {
    /// The settings.
    pub record: CollectionRecord,
    /// The fingerprint of the embedder; `None` where the client brings the vectors.
    pub embedder: Option<String>,
}

#[derive(FromRow)]
struct CollectionRow {
    collection_id: String,
    description: String,
    default_acl: Option<String>,
    readers: String,
    writers: String,
    trust: String,
    sanitize: String,
    redact: String,
    retention_days: Option<i64>,
    accept: String,
    embedding: String,
    dimensions: i64,
    embedder: Option<String>,
    analyzer: String,
    created_at: i64,
    digest: Vec<u8>,
}

impl CollectionRow {
    fn new(tenant: &TenantId, stored: &StoredCollection) -> Result<Self, StoreError> {
        let record = &stored.record;
        let (embedding, dimensions) = match record.embedding {
            VectorSource::Builtin { dimensions } => ("builtin", dimensions),
            VectorSource::Client { dimensions } => ("client", dimensions),
        };
        let mut row = Self {
            collection_id: record.id.as_str().to_owned(),
            description: record.description.clone(),
            default_acl: record.default_acl.as_ref().map(form::write_acl).transpose()?,
            readers: form::write_principals(&record.readers),
            writers: form::write_principals(&record.writers),
            trust: record.trust.name().to_owned(),
            sanitize: form::sanitize_name(record.sanitize).to_owned(),
            redact: form::write_list(record.redact.iter().map(|kind| kind.name())),
            retention_days: record.retention_days.map(i64::from),
            accept: form::write_list(record.accept.iter().map(String::as_str)),
            embedding: embedding.to_owned(),
            dimensions: i64::try_from(dimensions).unwrap_or(i64::MAX),
            embedder: stored.embedder.clone(),
            analyzer: record.analyzer.name().to_owned(),
            created_at: record.created_at.0,
            digest: Vec::new(),
        };
        row.digest = row.compute_digest(tenant).to_vec();
        Ok(row)
    }

    fn compute_digest(&self, tenant: &TenantId) -> [u8; 32] {
        let digest = RowDigest::of("collections")
            .text(tenant.as_str())
            .text(&self.collection_id)
            .text(&self.description)
            .maybe_text(self.default_acl.as_deref())
            .text(&self.readers)
            .text(&self.writers)
            .text(&self.trust)
            .text(&self.sanitize)
            .text(&self.redact)
            .maybe_int(self.retention_days)
            .text(&self.accept)
            .text(&self.embedding)
            .int(self.dimensions)
            .maybe_text(self.embedder.as_deref())
            .int(self.created_at);
        // Rows from before there was a choice have the default, and a digest without it.
        if self.analyzer == AnalyzerKind::default().name() {
            digest.finish()
        } else {
            digest.text(&self.analyzer).finish()
        }
    }

    fn read(self, tenant: &TenantId) -> Result<(StoredCollection, [u8; 32]), StoreError> {
        let digest = digest_of(&self.digest)?;
        let name = format!("collection `{}` of `{tenant}`", self.collection_id);
        if digest != self.compute_digest(tenant) {
            return Err(damaged(name));
        }
        let fault = || damaged(name.clone());
        let dimensions = usize::try_from(self.dimensions).map_err(|_| fault())?;
        let record = CollectionRecord {
            id: CollectionId::new(&self.collection_id).map_err(|_| fault())?,
            description: self.description,
            default_acl: self.default_acl.as_deref().map(form::read_acl).transpose()?,
            readers: form::read_principals(&self.readers)?,
            writers: form::read_principals(&self.writers)?,
            trust: Trust::from_name(&self.trust).ok_or_else(fault)?,
            sanitize: form::sanitize_from(&self.sanitize).ok_or_else(fault)?,
            redact: form::read_list(&self.redact, RedactionKind::from_name)?,
            retention_days: self.retention_days.map(u32::try_from).transpose().map_err(|_| fault())?,
            accept: form::read_list(&self.accept, |text| Some(text.to_owned()))?,
            embedding: match self.embedding.as_str() {
                "builtin" => VectorSource::Builtin { dimensions },
                "client" => VectorSource::Client { dimensions },
                _ => return Err(fault()),
            },
            analyzer: AnalyzerKind::from_name(&self.analyzer).ok_or_else(fault)?,
            created_at: Timestamp(self.created_at),
        };
        Ok((StoredCollection { record, embedder: self.embedder }, digest))
    }
}

/// Every collection of a tenant with its digest, by name.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<(StoredCollection, [u8; 32])>, StoreError> {
    let rows: Vec<CollectionRow> = sqlx::query_as(
        "SELECT collection_id, description, default_acl, readers, writers, trust, sanitize, redact, retention_days, \
         accept, embedding, dimensions, embedder, analyzer, created_at, digest \
         FROM collections WHERE tenant_id = $1 ORDER BY collection_id",
    )
    .bind(tenant.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.read(tenant)).collect()
}

/// Every collection of every tenant, by tenant and name.
pub(super) async fn of_all_tenants(
    connection: &mut SqliteConnection,
) -> Result<Vec<(TenantId, StoredCollection)>, StoreError> {
    let rows: Vec<OwnedRow> = sqlx::query_as(
        "SELECT tenant_id, collection_id, description, default_acl, readers, writers, trust, sanitize, redact, \
         retention_days, accept, embedding, dimensions, embedder, analyzer, created_at, digest \
         FROM collections ORDER BY tenant_id, collection_id",
    )
    .fetch_all(connection)
    .await?;
    let read = |row: OwnedRow| {
        let tenant = TenantId::new(&row.tenant_id).map_err(|_| damaged("the name of a tenant"))?;
        let (stored, _) = row.collection.read(&tenant)?;
        Ok((tenant, stored))
    };
    rows.into_iter().map(read).collect()
}

/// A row of `collections` with its tenant.
#[derive(FromRow)]
struct OwnedRow {
    tenant_id: String,
    #[sqlx(flatten)]
    collection: CollectionRow,
}

/// One collection with its digest.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
) -> Result<Option<(StoredCollection, [u8; 32])>, StoreError> {
    let row: Option<CollectionRow> = sqlx::query_as(
        "SELECT collection_id, description, default_acl, readers, writers, trust, sanitize, redact, retention_days, \
         accept, embedding, dimensions, embedder, analyzer, created_at, digest \
         FROM collections WHERE tenant_id = $1 AND collection_id = $2",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.read(tenant)).transpose()
}

/// Writes a collection and gives back its digest.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    stored: &StoredCollection,
) -> Result<[u8; 32], StoreError> {
    let row = CollectionRow::new(tenant, stored)?;
    let digest = digest_of(&row.digest)?;
    sqlx::query(
        "INSERT INTO collections (tenant_id, collection_id, description, default_acl, readers, writers, trust, \
         sanitize, redact, retention_days, accept, embedding, dimensions, embedder, analyzer, created_at, digest) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
         ON CONFLICT (tenant_id, collection_id) DO UPDATE SET description = excluded.description, \
         default_acl = excluded.default_acl, readers = excluded.readers, writers = excluded.writers, \
         trust = excluded.trust, sanitize = excluded.sanitize, redact = excluded.redact, \
         retention_days = excluded.retention_days, accept = excluded.accept, embedding = excluded.embedding, \
         dimensions = excluded.dimensions, embedder = excluded.embedder, analyzer = excluded.analyzer, created_at = excluded.created_at, \
         digest = excluded.digest",
    )
    .bind(tenant.as_str())
    .bind(row.collection_id)
    .bind(row.description)
    .bind(row.default_acl)
    .bind(row.readers)
    .bind(row.writers)
    .bind(row.trust)
    .bind(row.sanitize)
    .bind(row.redact)
    .bind(row.retention_days)
    .bind(row.accept)
    .bind(row.embedding)
    .bind(row.dimensions)
    .bind(row.embedder)
    .bind(row.analyzer)
    .bind(row.created_at)
    .bind(row.digest)
    .execute(connection)
    .await?;
    Ok(digest)
}

/// Deletes a collection that has no documents.
pub(super) async fn delete(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM collections WHERE tenant_id = $1 AND collection_id = $2")
        .bind(tenant.as_str())
        .bind(collection.as_str())
        .execute(connection)
        .await?;
    Ok(())
}
