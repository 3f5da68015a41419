//! Names of groups that were given up, as rows.

use std::collections::BTreeMap;

use ringfence_indexes::{Change, Principal, Standing, TenantId, Timestamp};
use sqlx::{FromRow, SqliteConnection};

use super::{
    StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
};

/// The name of a group that was given up. The next group of the name is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName {
    /// The name, `group:…`.
    pub name: Principal,
    /// How many groups bore it before the next one.
    pub generation: u32,
    /// When it was given up last.
    pub since: Timestamp,
}

impl GroupName {
    /// What the engine knows of it.
    #[must_use]
    pub fn to_change(&self) -> Change {
        let Self { generation, since, .. } = *self;
        let standing = Standing { generation, since, is_active: true, attributes: BTreeMap::new() };
        Change::PutStanding { name: self.name.clone(), standing }
    }
}

#[derive(FromRow)]
struct GroupNameRow {
    group_name: String,
    generation: i64,
    since: i64,
    digest: Vec<u8>,
}

impl GroupNameRow {
    fn compute_digest(&self, tenant: &TenantId) -> [u8; 32] {
        let digest = RowDigest::of("group_names").text(tenant.as_str()).text(&self.group_name);
        digest.int(self.generation).int(self.since).finish()
    }

    fn read(self, tenant: &TenantId) -> Result<(GroupName, [u8; 32]), StoreError> {
        let fault = || damaged(format!("the group name `{}` of `{tenant}`", self.group_name));
        let digest = digest_of(&self.digest)?;
        if digest != self.compute_digest(tenant) {
            return Err(fault());
        }
        let record = GroupName {
            name: Principal::new(&self.group_name).map_err(|_| fault())?,
            generation: u32::try_from(self.generation).map_err(|_| fault())?,
            since: Timestamp(self.since),
        };
        Ok((record, digest))
    }
}

/// Every name of a tenant's groups that was given up, with its digest.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<(GroupName, [u8; 32])>, StoreError> {
    let rows: Vec<GroupNameRow> = sqlx::query_as(
        "SELECT group_name, generation, since, digest FROM group_names WHERE tenant_id = $1 ORDER BY group_name",
    )
    .bind(tenant.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.read(tenant)).collect()
}

/// One of them.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    name: &Principal,
) -> Result<Option<(GroupName, [u8; 32])>, StoreError> {
    let row: Option<GroupNameRow> = sqlx::query_as(
        "SELECT group_name, generation, since, digest FROM group_names WHERE tenant_id = $1 AND group_name = $2",
    )
    .bind(tenant.as_str())
    .bind(name.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.read(tenant)).transpose()
}

/// Writes one of them and gives back its digest.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    record: &GroupName,
) -> Result<[u8; 32], StoreError> {
    let (group_name, generation) = (record.name.to_string(), i64::from(record.generation));
    let row = GroupNameRow { group_name, generation, since: record.since.0, digest: Vec::new() };
    let digest = row.compute_digest(tenant);
    sqlx::query(
        "INSERT INTO group_names (tenant_id, group_name, generation, since, digest) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (tenant_id, group_name) DO UPDATE SET generation = excluded.generation, \
         since = excluded.since, digest = excluded.digest",
    )
    .bind(tenant.as_str())
    .bind(row.group_name)
    .bind(row.generation)
    .bind(row.since)
    .bind(digest.to_vec())
    .execute(connection)
    .await?;
    Ok(digest)
}
