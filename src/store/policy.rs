//! Tenant policies and their settings as rows: every version of a policy is one, its deletion included.

use ringfence_indexes::{PolicyName, TenantId, Timestamp};
use sqlx::{FromRow, SqliteConnection};

use super::{
    Store, StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
};

/// One version of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// The policy.
    pub name: PolicyName,
    /// Which version, from 1 on; a deleted policy that is made again goes on counting.
    pub version: u32,
    /// The Cedar text; `None` for the version that deletes it.
    pub text: Option<String>,
    /// What it is for.
    pub description: String,
    /// When it was written.
    pub written_at: Timestamp,
    /// By whom.
    pub written_by: String,
}

/// What a tenant says of all its policies.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PolicySettings {
    /// Whether policies that permit take part.
    pub permit: bool,
    /// The permission tests, as they were given.
    pub tests: String,
    /// When this was said last; `None` where nothing was.
    pub written: Option<(Timestamp, String)>,
}

#[derive(FromRow)]
struct PolicyRow {
    policy_name: String,
    version: i64,
    source: Option<String>,
    description: String,
    written_at: i64,
    written_by: String,
    digest: Vec<u8>,
}

impl PolicyRow {
    fn compute_digest(&self, tenant: &TenantId) -> [u8; 32] {
        RowDigest::of("policies")
            .text(tenant.as_str())
            .text(&self.policy_name)
            .int(self.version)
            .maybe_text(self.source.as_deref())
            .text(&self.description)
            .int(self.written_at)
            .text(&self.written_by)
            .finish()
    }

    fn new(tenant: &TenantId, record: &PolicyRecord) -> Self {
        let mut row = Self {
            policy_name: record.name.as_str().to_owned(),
            version: i64::from(record.version),
            source: record.text.clone(),
            description: record.description.clone(),
            written_at: record.written_at.0,
            written_by: record.written_by.clone(),
            digest: Vec::new(),
        };
        row.digest = row.compute_digest(tenant).to_vec();
        row
    }

    fn read(self, tenant: &TenantId) -> Result<PolicyRecord, StoreError> {
        let fault = || damaged(format!("policy `{}` of `{tenant}`", self.policy_name));
        if digest_of(&self.digest)? != self.compute_digest(tenant) {
            return Err(fault());
        }
        Ok(PolicyRecord {
            name: PolicyName::new(&self.policy_name).map_err(|_| fault())?,
            version: u32::try_from(self.version).map_err(|_| fault())?,
            text: self.source,
            description: self.description,
            written_at: Timestamp(self.written_at),
            written_by: self.written_by,
        })
    }
}

impl Store {
    /// A tenant's policies that hold after one of them, in the order of their names.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn policies(
        &self,
        tenant: &TenantId,
        after: Option<&PolicyName>,
        limit: usize,
    ) -> Result<Vec<PolicyRecord>, StoreError> {
        let mut connection = self.reader().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        page(&mut connection, tenant, after.map_or("", PolicyName::as_str), limit).await
    }

    /// The versions of a policy before one of them, the newest first; deletions are among them.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn policy_versions(
        &self,
        tenant: &TenantId,
        name: &PolicyName,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Vec<PolicyRecord>, StoreError> {
        let mut connection = self.reader().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        versions(&mut connection, tenant, name, before, limit).await
    }

    /// What a tenant says of all its policies.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn policy_settings(&self, tenant: &TenantId) -> Result<PolicySettings, StoreError> {
        let mut connection = self.reader().await?;
        Ok(settings(&mut connection, tenant).await?.map(|(settings, _)| settings).unwrap_or_default())
    }
}

fn records(tenant: &TenantId, rows: Vec<PolicyRow>) -> Result<Vec<PolicyRecord>, StoreError> {
    rows.into_iter().map(|row| row.read(tenant)).collect()
}

/// The policies that hold after one of them, in the order of their names.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<PolicyRecord>, StoreError> {
    let rows: Vec<PolicyRow> = sqlx::query_as(
        "SELECT policy_name, version, source, description, written_at, written_by, digest FROM policies AS policy \
         WHERE tenant_id = $1 AND policy_name > $2 AND source IS NOT NULL AND version = \
         (SELECT MAX(version) FROM policies WHERE tenant_id = $1 AND policy_name = policy.policy_name) \
         ORDER BY policy_name LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    records(tenant, rows)
}

/// The versions of a policy before one of them, the newest first.
pub(super) async fn versions(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    name: &PolicyName,
    before: Option<u32>,
    limit: i64,
) -> Result<Vec<PolicyRecord>, StoreError> {
    let rows: Vec<PolicyRow> = sqlx::query_as(
        "SELECT policy_name, version, source, description, written_at, written_by, digest FROM policies \
         WHERE tenant_id = $1 AND policy_name = $2 AND version < $3 ORDER BY version DESC LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(name.as_str())
    .bind(before.map_or(i64::MAX, i64::from))
    .bind(limit)
    .fetch_all(connection)
    .await?;
    records(tenant, rows)
}

/// Writes a new version and gives back its digest.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    record: &PolicyRecord,
) -> Result<[u8; 32], StoreError> {
    let row = PolicyRow::new(tenant, record);
    sqlx::query(
        "INSERT INTO policies (tenant_id, policy_name, version, source, description, written_at, written_by, digest) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(tenant.as_str())
    .bind(row.policy_name.as_str())
    .bind(row.version)
    .bind(row.source.as_deref())
    .bind(row.description.as_str())
    .bind(row.written_at)
    .bind(row.written_by.as_str())
    .bind(row.digest.clone())
    .execute(connection)
    .await?;
    digest_of(&row.digest)
}

/// Forgets the versions of a policy up to one of them, and gives back their digests.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    name: &PolicyName,
    up_to: u32,
) -> Result<Vec<[u8; 32]>, StoreError> {
    let rows: Vec<(Vec<u8>,)> = sqlx::query_as(
        "DELETE FROM policies WHERE tenant_id = $1 AND policy_name = $2 AND version <= $3 RETURNING digest",
    )
    .bind(tenant.as_str())
    .bind(name.as_str())
    .bind(i64::from(up_to))
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|(digest,)| digest_of(&digest)).collect()
}

type SettingsRow = (i64, String, i64, String, Vec<u8>);

fn settings_digest(tenant: &TenantId, permit: i64, tests: &str, written_at: i64, written_by: &str) -> [u8; 32] {
    let digest = RowDigest::of("policy_settings").text(tenant.as_str()).int(permit);
    digest.text(tests).int(written_at).text(written_by).finish()
}

/// A tenant's settings with their digest, where there are any.
pub(super) async fn settings(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Option<(PolicySettings, [u8; 32])>, StoreError> {
    let row: Option<SettingsRow> = sqlx::query_as(
        "SELECT permit, tests, written_at, written_by, digest FROM policy_settings WHERE tenant_id = $1",
    )
    .bind(tenant.as_str())
    .fetch_optional(connection)
    .await?;
    let Some((permit, tests, written_at, written_by, digest)) = row else { return Ok(None) };
    let digest = digest_of(&digest)?;
    if digest != settings_digest(tenant, permit, &tests, written_at, &written_by) {
        return Err(damaged(format!("the policy settings of `{tenant}`")));
    }
    let written = Some((Timestamp(written_at), written_by));
    Ok(Some((PolicySettings { permit: permit != 0, tests, written }, digest)))
}

/// Writes a tenant's settings and gives back their digest.
pub(super) async fn put_settings(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    settings: &PolicySettings,
) -> Result<[u8; 32], StoreError> {
    let (written_at, written_by) = settings.written.clone().unwrap_or((Timestamp(0), String::new()));
    let permit = i64::from(settings.permit);
    let digest = settings_digest(tenant, permit, &settings.tests, written_at.0, &written_by);
    sqlx::query(
        "INSERT INTO policy_settings (tenant_id, permit, tests, written_at, written_by, digest) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id) DO UPDATE SET permit = excluded.permit, \
         tests = excluded.tests, written_at = excluded.written_at, written_by = excluded.written_by, \
         digest = excluded.digest",
    )
    .bind(tenant.as_str())
    .bind(permit)
    .bind(settings.tests.as_str())
    .bind(written_at.0)
    .bind(written_by)
    .bind(digest.to_vec())
    .execute(connection)
    .await?;
    Ok(digest)
}
