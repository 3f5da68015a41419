//! Groups of the directory as rows.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_indexes::{Principal, TenantId, Timestamp};
use sqlx::{FromRow, SqliteConnection};

use super::{
    GroupRecord, StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
    form,
};

#[derive(FromRow)]
struct GroupRow {
    group_name: String,
    group_id: Option<String>,
    external_id: Option<String>,
    created_at: i64,
    changed_at: i64,
    digest: Vec<u8>,
}

impl GroupRecord {
    /// The digest of the group's row and its members: what its present form is recognised by.
    pub(crate) fn digest(&self, tenant: &TenantId) -> [u8; 32] {
        let head = RowDigest::of("groups").text(tenant.as_str()).text(self.group.as_str());
        let digest = self.members.iter().fold(head, |digest, member| digest.text(member.as_str()));
        if self.id.is_empty() {
            // As it was before groups had ids.
            return digest.finish();
        }
        digest
            .text(&self.id)
            .maybe_text(self.external_id.as_deref())
            .int(self.created_at.0)
            .int(self.changed_at.0)
            .finish()
    }
}

impl GroupRow {
    fn read(
        self,
        tenant: &TenantId,
        members: impl IntoIterator<Item = String>,
    ) -> Result<(GroupRecord, [u8; 32]), StoreError> {
        let fault = || damaged(format!("group `{}` of `{tenant}`", self.group_name));
        let members = members.into_iter().map(|member| Principal::new(&member).map_err(|_| fault()));
        let record = GroupRecord {
            group: Principal::new(&self.group_name).map_err(|_| fault())?,
            members: members.collect::<Result<BTreeSet<_>, _>>()?,
            id: self.group_id.clone().unwrap_or_default(),
            external_id: self.external_id.clone(),
            created_at: Timestamp(self.created_at),
            changed_at: Timestamp(self.changed_at),
        };
        let digest = digest_of(&self.digest)?;
        if digest == record.digest(tenant) { Ok((record, digest)) } else { Err(fault()) }
    }
}

/// Groups after one of them with their digests, in the order of their names.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<(GroupRecord, [u8; 32])>, StoreError> {
    let heads: Vec<GroupRow> = sqlx::query_as(
        "SELECT group_name, group_id, external_id, created_at, changed_at, digest FROM groups \
         WHERE tenant_id = $1 AND group_name > $2 ORDER BY group_name LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    let Some(last) = heads.last() else { return Ok(Vec::new()) };
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT group_name, member FROM members WHERE tenant_id = $1 AND group_name > $2 AND group_name <= $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(last.group_name.as_str())
    .fetch_all(connection)
    .await?;
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (group, member) in rows {
        members.entry(group).or_default().push(member);
    }
    heads
        .into_iter()
        .map(|head| {
            let members = members.remove(&head.group_name).unwrap_or_default();
            head.read(tenant, members)
        })
        .collect()
}

/// One group with its digest.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    group: &Principal,
) -> Result<Option<(GroupRecord, [u8; 32])>, StoreError> {
    let head: Option<GroupRow> = sqlx::query_as(
        "SELECT group_name, group_id, external_id, created_at, changed_at, digest FROM groups \
         WHERE tenant_id = $1 AND group_name = $2",
    )
    .bind(tenant.as_str())
    .bind(group.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(head) = head else { return Ok(None) };
    let members: Vec<(String,)> = sqlx::query_as("SELECT member FROM members WHERE tenant_id = $1 AND group_name = $2")
        .bind(tenant.as_str())
        .bind(group.as_str())
        .fetch_all(connection)
        .await?;
    head.read(tenant, members.into_iter().map(|(member,)| member)).map(Some)
}

/// The group of an id.
pub(super) async fn by_id(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<(GroupRecord, [u8; 32])>, StoreError> {
    let name: Option<(String,)> =
        sqlx::query_as("SELECT group_name FROM groups WHERE tenant_id = $1 AND group_id = $2")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&mut *connection)
            .await?;
    let Some((name,)) = name else { return Ok(None) };
    let name = Principal::new(&name).map_err(|_| damaged("the index of groups"))?;
    let found = one(connection, tenant, &name).await?;
    // Found by an index of its own, which may be damaged where the row is not.
    if found.as_ref().is_some_and(|(record, _)| record.id != id) {
        Err(damaged("the index of groups"))
    } else {
        Ok(found)
    }
}

/// The ids of groups by their names.
pub(super) async fn ids(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    names: &[&str],
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT group_name, group_id FROM groups \
         WHERE tenant_id = $1 AND group_id IS NOT NULL AND group_name IN (SELECT value FROM json_each($2))",
    )
    .bind(tenant.as_str())
    .bind(form::write_list(names.iter().copied()))
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// The names of the groups of these ids.
pub(super) async fn names_of(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    ids: &[&str],
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT group_id, group_name FROM groups \
         WHERE tenant_id = $1 AND group_id IN (SELECT value FROM json_each($2))",
    )
    .bind(tenant.as_str())
    .bind(form::write_list(ids.iter().copied()))
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// The name of every group.
pub(super) async fn names(connection: &mut SqliteConnection, tenant: &TenantId) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = sqlx::query_as("SELECT group_name FROM groups WHERE tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// The groups that have a member.
pub(super) async fn of_member(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    member: &Principal,
) -> Result<Vec<Principal>, StoreError> {
    let rows: Vec<(String,)> = sqlx::query_as("SELECT group_name FROM members WHERE tenant_id = $1 AND member = $2")
        .bind(tenant.as_str())
        .bind(member.as_str())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|(name,)| Principal::new(name).map_err(|_| damaged("the name of a group"))).collect()
}

/// The groups that have no id yet, of every tenant.
pub(super) async fn without_id(connection: &mut SqliteConnection) -> Result<Vec<(String, String)>, StoreError> {
    Ok(sqlx::query_as("SELECT tenant_id, group_name FROM groups WHERE group_id IS NULL").fetch_all(connection).await?)
}

/// Writes a group, of which `before` is what was there, and gives back its digest.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    record: &GroupRecord,
    before: &BTreeSet<Principal>,
) -> Result<[u8; 32], StoreError> {
    let (tenant_id, name) = (tenant.as_str(), record.group.as_str());
    let digest = record.digest(tenant);
    sqlx::query(
        "INSERT INTO groups (tenant_id, group_name, group_id, external_id, created_at, changed_at, digest) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (tenant_id, group_name) DO UPDATE SET group_id = excluded.group_id, \
         external_id = excluded.external_id, created_at = excluded.created_at, changed_at = excluded.changed_at, \
         digest = excluded.digest",
    )
    .bind(tenant_id)
    .bind(name)
    .bind((!record.id.is_empty()).then_some(record.id.as_str()))
    .bind(record.external_id.as_deref())
    .bind(record.created_at.0)
    .bind(record.changed_at.0)
    .bind(digest.to_vec())
    .execute(&mut *connection)
    .await?;
    let list = |members: &mut dyn Iterator<Item = &Principal>| form::write_list(members.map(Principal::as_str));
    let changes = [
        (
            "DELETE FROM members WHERE tenant_id = $1 AND group_name = $2 \
             AND member IN (SELECT value FROM json_each($3))",
            list(&mut before.difference(&record.members)),
        ),
        (
            "INSERT INTO members (tenant_id, group_name, member) SELECT $1, $2, value FROM json_each($3)",
            list(&mut record.members.difference(before)),
        ),
    ];
    for (sql, members) in changes {
        if members != "[]" {
            sqlx::query(sql).bind(tenant_id).bind(name).bind(members).execute(&mut *connection).await?;
        }
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
