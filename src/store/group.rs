//! Groups of the directory as rows.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_indexes::{Principal, TenantId};
use sqlx::SqliteConnection;

use super::{
    GroupRecord, StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
};

fn compute_digest(tenant: &TenantId, group: &str, members: &BTreeSet<Principal>) -> [u8; 32] {
    let head = RowDigest::of("groups").text(tenant.as_str()).text(group);
    members.iter().fold(head, |digest, member| digest.text(member.as_str())).finish()
}

fn read(
    tenant: &TenantId,
    name: &str,
    digest: &[u8],
    members: impl IntoIterator<Item = String>,
) -> Result<(GroupRecord, [u8; 32]), StoreError> {
    let fault = || damaged(format!("group `{name}` of `{tenant}`"));
    let members = members.into_iter().map(|member| Principal::new(&member).map_err(|_| fault()));
    let members = members.collect::<Result<BTreeSet<_>, _>>()?;
    let digest = digest_of(digest)?;
    if digest != compute_digest(tenant, name, &members) {
        return Err(fault());
    }
    Ok((GroupRecord { group: Principal::new(name).map_err(|_| fault())?, members }, digest))
}

/// Groups after one of them with their digests, in the order of their names.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<(GroupRecord, [u8; 32])>, StoreError> {
    let heads: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT group_name, digest FROM groups WHERE tenant_id = $1 AND group_name > $2 ORDER BY group_name LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    let Some((last, _)) = heads.last() else { return Ok(Vec::new()) };
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT group_name, member FROM members WHERE tenant_id = $1 AND group_name > $2 AND group_name <= $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(last.as_str())
    .fetch_all(connection)
    .await?;
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (group, member) in rows {
        members.entry(group).or_default().push(member);
    }
    heads
        .into_iter()
        .map(|(name, digest)| read(tenant, &name, &digest, members.remove(&name).unwrap_or_default()))
        .collect()
}

/// One group with its digest.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    group: &Principal,
) -> Result<Option<(GroupRecord, [u8; 32])>, StoreError> {
    let digest: Option<(Vec<u8>,)> =
        sqlx::query_as("SELECT digest FROM groups WHERE tenant_id = $1 AND group_name = $2")
            .bind(tenant.as_str())
            .bind(group.as_str())
            .fetch_optional(&mut *connection)
            .await?;
    let Some((digest,)) = digest else { return Ok(None) };
    let members: Vec<(String,)> = sqlx::query_as("SELECT member FROM members WHERE tenant_id = $1 AND group_name = $2")
        .bind(tenant.as_str())
        .bind(group.as_str())
        .fetch_all(connection)
        .await?;
    read(tenant, group.as_str(), &digest, members.into_iter().map(|(member,)| member)).map(Some)
}

/// Writes a group, of which `before` is what was there, and gives back its digest.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    record: &GroupRecord,
    before: &BTreeSet<Principal>,
) -> Result<[u8; 32], StoreError> {
    let (tenant_id, name) = (tenant.as_str(), record.group.as_str());
    let digest = compute_digest(tenant, name, &record.members);
    sqlx::query(
        "INSERT INTO groups (tenant_id, group_name, digest) VALUES ($1, $2, $3) \
         ON CONFLICT (tenant_id, group_name) DO UPDATE SET digest = excluded.digest",
    )
    .bind(tenant_id)
    .bind(name)
    .bind(digest.to_vec())
    .execute(&mut *connection)
    .await?;
    for gone in before.difference(&record.members) {
        sqlx::query("DELETE FROM members WHERE tenant_id = $1 AND group_name = $2 AND member = $3")
            .bind(tenant_id)
            .bind(name)
            .bind(gone.as_str())
            .execute(&mut *connection)
            .await?;
    }
    for new in record.members.difference(before) {
        sqlx::query("INSERT INTO members (tenant_id, group_name, member) VALUES ($1, $2, $3)")
            .bind(tenant_id)
            .bind(name)
            .bind(new.as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(digest)
}

/// Deletes a group with its members.
pub(super) async fn delete(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    group: &Principal,
) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM members WHERE tenant_id = $1 AND group_name = $2",
        "DELETE FROM groups WHERE tenant_id = $1 AND group_name = $2",
    ] {
        sqlx::query(sql).bind(tenant.as_str()).bind(group.as_str()).execute(&mut *connection).await?;
    }
    Ok(())
}
