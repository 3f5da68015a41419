//! Emergency grants as rows.

use ringfence_indexes::{CollectionId, Covered, EmergencyGrant, GrantId, Principal, TenantId, Timestamp};
use sqlx::{FromRow, SqliteConnection};

use super::{
    Store, StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
};

/// An emergency grant with what has to be known of it afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRecord {
    /// What it opens, to whom and until when.
    pub grant: EmergencyGrant,
    /// Why, in the words of who declared it.
    pub reason: String,
    /// When it was declared.
    pub declared_at: Timestamp,
    /// By whom.
    pub declared_by: String,
    /// When it was ended before its time, and by whom.
    pub ended: Option<(Timestamp, String)>,
}

/// Which grants of a tenant are asked for.
#[derive(Clone, Debug, Default)]
pub struct GrantsAsked {
    /// Those of one holder alone.
    pub holder: Option<Principal>,
    /// Those declared before this one.
    pub before: Option<GrantId>,
}

impl GrantRecord {
    /// Whether it lets somebody in.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.ended.is_none() && self.grant.is_in_force(now)
    }

    /// When it was over, if it is.
    #[must_use]
    pub fn over_since(&self, now: Timestamp) -> Option<Timestamp> {
        let by_itself = || (!self.grant.is_in_force(now)).then_some(self.grant.expires_at);
        self.ended.as_ref().map(|(at, _)| *at).or_else(by_itself)
    }
}

#[derive(FromRow)]
struct GrantRow {
    grant_id: String,
    holder: String,
    collection_id: String,
    documents: String,
    reason: String,
    declared_at: i64,
    declared_by: String,
    expires_at: i64,
    ended_at: Option<i64>,
    ended_by: Option<String>,
    digest: Vec<u8>,
}

impl GrantRow {
    fn new(tenant: &TenantId, record: &GrantRecord) -> Self {
        let grant = &record.grant;
        let ended = record.ended.as_ref();
        let mut row = Self {
            grant_id: grant.id.to_string(),
            holder: grant.holder.to_string(),
            collection_id: grant.collection.to_string(),
            documents: grant.documents.pattern(),
            reason: record.reason.clone(),
            declared_at: record.declared_at.0,
            declared_by: record.declared_by.clone(),
            expires_at: grant.expires_at.0,
            ended_at: ended.map(|(at, _)| at.0),
            ended_by: ended.map(|(_, by)| by.clone()),
            digest: Vec::new(),
        };
        row.digest = row.compute_digest(tenant).to_vec();
        row
    }

    fn compute_digest(&self, tenant: &TenantId) -> [u8; 32] {
        RowDigest::of("emergency_grants")
            .text(tenant.as_str())
            .text(&self.grant_id)
            .text(&self.holder)
            .text(&self.collection_id)
            .text(&self.documents)
            .text(&self.reason)
            .int(self.declared_at)
            .text(&self.declared_by)
            .int(self.expires_at)
            .maybe_int(self.ended_at)
            .maybe_text(self.ended_by.as_deref())
            .finish()
    }

    fn read(self, tenant: &TenantId) -> Result<(GrantRecord, [u8; 32]), StoreError> {
        let fault = || damaged(format!("emergency grant `{}` of `{tenant}`", self.grant_id));
        let digest = digest_of(&self.digest)?;
        if digest != self.compute_digest(tenant) {
            return Err(fault());
        }
        let grant = EmergencyGrant {
            id: GrantId::new(&self.grant_id).map_err(|_| fault())?,
            holder: Principal::restore(&self.holder).map_err(|_| fault())?,
            collection: CollectionId::new(&self.collection_id).map_err(|_| fault())?,
            documents: Covered::parse(&self.documents).map_err(|_| fault())?,
            expires_at: Timestamp(self.expires_at),
        };
        let record = GrantRecord {
            grant,
            reason: self.reason,
            declared_at: Timestamp(self.declared_at),
            declared_by: self.declared_by,
            ended: self.ended_at.map(Timestamp).zip(self.ended_by),
        };
        Ok((record, digest))
    }
}

impl Store {
    /// A tenant's emergency grants, those over included; the newest first.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn grants(
        &self,
        tenant: &TenantId,
        asked: &GrantsAsked,
        limit: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let mut connection = self.reader().await?;
        let rows: Vec<GrantRow> = sqlx::query_as(
            "SELECT grant_id, holder, collection_id, documents, reason, declared_at, declared_by, expires_at, \
             ended_at, ended_by, digest FROM emergency_grants WHERE tenant_id = $1 \
             AND ($2 IS NULL OR holder = $2) AND ($3 IS NULL OR grant_id < $3) ORDER BY grant_id DESC LIMIT $4",
        )
        .bind(tenant.as_str())
        .bind(asked.holder.as_ref().map(Principal::as_str))
        .bind(asked.before.as_ref().map(GrantId::as_str))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *connection)
        .await?;
        rows.into_iter().map(|row| row.read(tenant).map(|(record, _)| record)).collect()
    }

    /// One of a tenant's emergency grants.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn grant(&self, tenant: &TenantId, id: &GrantId) -> Result<Option<GrantRecord>, StoreError> {
        let mut connection = self.reader().await?;
        Ok(one(&mut connection, tenant, id).await?.map(|(record, _)| record))
    }
}

/// Every emergency grant of a tenant with its digest, in the order of their declaration.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<(GrantRecord, [u8; 32])>, StoreError> {
    let rows: Vec<GrantRow> = sqlx::query_as(
        "SELECT grant_id, holder, collection_id, documents, reason, declared_at, declared_by, expires_at, ended_at, \
         ended_by, digest FROM emergency_grants WHERE tenant_id = $1 ORDER BY grant_id",
    )
    .bind(tenant.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.read(tenant)).collect()
}

/// One emergency grant with its digest.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    id: &GrantId,
) -> Result<Option<(GrantRecord, [u8; 32])>, StoreError> {
    let row: Option<GrantRow> = sqlx::query_as(
        "SELECT grant_id, holder, collection_id, documents, reason, declared_at, declared_by, expires_at, ended_at, \
         ended_by, digest FROM emergency_grants WHERE tenant_id = $1 AND grant_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.read(tenant)).transpose()
}

/// Writes an emergency grant and gives back its digest.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    record: &GrantRecord,
) -> Result<[u8; 32], StoreError> {
    let row = GrantRow::new(tenant, record);
    let digest = digest_of(&row.digest)?;
    sqlx::query(
        "INSERT INTO emergency_grants (tenant_id, grant_id, holder, collection_id, documents, reason, declared_at, \
         declared_by, expires_at, ended_at, ended_by, digest) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (tenant_id, grant_id) DO UPDATE SET ended_at = excluded.ended_at, \
         ended_by = excluded.ended_by, digest = excluded.digest",
    )
    .bind(tenant.as_str())
    .bind(row.grant_id)
    .bind(row.holder)
    .bind(row.collection_id)
    .bind(row.documents)
    .bind(row.reason)
    .bind(row.declared_at)
    .bind(row.declared_by)
    .bind(row.expires_at)
    .bind(row.ended_at)
    .bind(row.ended_by)
    .bind(row.digest)
    .execute(connection)
    .await?;
    Ok(digest)
}

/// Forgets an emergency grant.
pub(super) async fn delete(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    id: &GrantId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM emergency_grants WHERE tenant_id = $1 AND grant_id = $2")
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}
