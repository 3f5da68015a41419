//! Tenants as rows.

use ringfence_indexes::{TenantId, Timestamp};
use sqlx::SqliteConnection;

use super::{
    StoreError, TenantRecord,
    digest::{RowDigest, digest_of},
    error::damaged,
};

type TenantRow = (String, String, i64, Vec<u8>);

fn compute_digest(id: &str, name: &str, created_at: i64) -> [u8; 32] {
    RowDigest::of("tenants").text(id).text(name).int(created_at).finish()
}

fn read((id, name, created_at, digest): TenantRow) -> Result<(TenantRecord, [u8; 32]), StoreError> {
    let fault = || damaged(format!("tenant `{id}`"));
    let digest = digest_of(&digest)?;
    if digest != compute_digest(&id, &name, created_at) {
        return Err(fault());
    }
    let id = TenantId::new(&id).map_err(|_| fault())?;
    Ok((TenantRecord { id, name, created_at: Timestamp(created_at) }, digest))
}

/// Every tenant, by name.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<TenantRecord>, StoreError> {
    let rows: Vec<TenantRow> =
        sqlx::query_as("SELECT tenant_id, name, created_at, digest FROM tenants ORDER BY tenant_id")
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(|row| read(row).map(|(record, _)| record)).collect()
}

/// One tenant with its digest.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Option<(TenantRecord, [u8; 32])>, StoreError> {
    let row: Option<TenantRow> =
        sqlx::query_as("SELECT tenant_id, name, created_at, digest FROM tenants WHERE tenant_id = $1")
            .bind(tenant.as_str())
            .fetch_optional(connection)
            .await?;
    row.map(read).transpose()
}

/// Writes a new tenant and gives back its digest.
pub(super) async fn insert(connection: &mut SqliteConnection, record: &TenantRecord) -> Result<[u8; 32], StoreError> {
    let digest = compute_digest(record.id.as_str(), &record.name, record.created_at.0);
    sqlx::query("INSERT INTO tenants (tenant_id, name, created_at, digest) VALUES ($1, $2, $3, $4)")
        .bind(record.id.as_str())
        .bind(record.name.as_str())
        .bind(record.created_at.0)
        .bind(digest.to_vec())
        .execute(connection)
        .await?;
    Ok(digest)
}

/// Deletes a tenant with every row that it has.
pub(super) async fn delete(connection: &mut SqliteConnection, tenant: &TenantId) -> Result<(), StoreError> {
    // What refers goes before what it refers to.
    for sql in [
        "DELETE FROM contents WHERE tenant_id = $1",
        "DELETE FROM sources WHERE tenant_id = $1",
        "DELETE FROM quarantine WHERE tenant_id = $1",
        "DELETE FROM placements WHERE tenant_id = $1",
        "DELETE FROM folders WHERE tenant_id = $1",
        "DELETE FROM documents WHERE tenant_id = $1",
        "DELETE FROM collections WHERE tenant_id = $1",
        "DELETE FROM members WHERE tenant_id = $1",
        "DELETE FROM groups WHERE tenant_id = $1",
        "DELETE FROM group_names WHERE tenant_id = $1",
        "DELETE FROM users WHERE tenant_id = $1",
        "DELETE FROM user_names WHERE tenant_id = $1",
        "DELETE FROM directory_settings WHERE tenant_id = $1",
        "DELETE FROM key_uses WHERE tenant_id = $1",
        "DELETE FROM keys WHERE tenant_id = $1",
        "DELETE FROM policies WHERE tenant_id = $1",
        "DELETE FROM policy_settings WHERE tenant_id = $1",
        "DELETE FROM revocations WHERE tenant_id = $1",
        "DELETE FROM emergency_grants WHERE tenant_id = $1",
        "DELETE FROM tenants WHERE tenant_id = $1",
        "DELETE FROM ledgers WHERE tenant_id = $1",
    ] {
        sqlx::query(sql).bind(tenant.as_str()).execute(&mut *connection).await?;
    }
    Ok(())
}
