//! Users of the directory as rows, and the names they bear.

use ringfence_indexes::{Principal, PrincipalKind, TenantId, Timestamp};
use sqlx::{FromRow, SqliteConnection};

use super::{
    StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
    form,
    records::{NameRecord, UserRecord},
};
use crate::scim::folded;

/// Users that are read at once.
pub(super) const USERS: i64 = 1_000;

#[derive(FromRow)]
struct UserRow {
    user_id: String,
    user_name: String,
    external_id: Option<String>,
    active: i64,
    resource: String,
    created_at: i64,
    changed_at: i64,
    digest: Vec<u8>,
}

impl UserRow {
    fn new(tenant: &TenantId, record: &UserRecord) -> Result<Self, StoreError> {
        let mut row = Self {
            user_id: record.id.clone(),
            user_name: record.user_name().to_owned(),
            external_id: record.external_id.clone(),
            active: i64::from(record.active),
            resource: form::write_metadata(&record.resource)?,
            created_at: record.created_at.0,
            changed_at: record.changed_at.0,
            digest: Vec::new(),
        };
        row.digest = row.compute_digest(tenant).to_vec();
        Ok(row)
    }

    fn compute_digest(&self, tenant: &TenantId) -> [u8; 32] {
        RowDigest::of("users")
            .text(tenant.as_str())
            .text(&self.user_id)
            .text(&self.user_name)
            .maybe_text(self.external_id.as_deref())
            .int(self.active)
            .text(&self.resource)
            .int(self.created_at)
            .int(self.changed_at)
            .finish()
    }

    fn read(self, tenant: &TenantId) -> Result<(UserRecord, [u8; 32]), StoreError> {
        let fault = || damaged(format!("user `{}` of `{tenant}`", self.user_id));
        let digest = digest_of(&self.digest)?;
        if digest != self.compute_digest(tenant) {
            return Err(fault());
        }
        let record = UserRecord {
            principal: principal(&self.user_name).ok_or_else(fault)?,
            external_id: self.external_id,
            active: self.active != 0,
            resource: form::read_metadata(&self.resource)?,
            created_at: Timestamp(self.created_at),
            changed_at: Timestamp(self.changed_at),
            id: self.user_id,
        };
        Ok((record, digest))
    }
}

fn principal(user_name: &str) -> Option<Principal> {
    Principal::new(&format!("user:{user_name}")).ok().filter(|name| name.kind() == PrincipalKind::User)
}

/// The digest of a user's row: what its present form is recognised by.
pub(super) fn digest(tenant: &TenantId, record: &UserRecord) -> Result<[u8; 32], StoreError> {
    Ok(UserRow::new(tenant, record)?.compute_digest(tenant))
}

/// What a user is looked up by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UserKey<'a> {
    /// The id.
    Id(&'a str),
    /// The user name; its case does not matter.
    Name(&'a str),
}

/// One user with its digest.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    key: UserKey<'_>,
) -> Result<Option<(UserRecord, [u8; 32])>, StoreError> {
    let (sql, value) = match key {
        UserKey::Id(id) => (
            "SELECT user_id, user_name, external_id, active, resource, created_at, changed_at, digest FROM users \
             WHERE tenant_id = $1 AND user_id = $2",
            id.to_owned(),
        ),
        UserKey::Name(name) => (
            "SELECT user_id, user_name, external_id, active, resource, created_at, changed_at, digest FROM users \
             WHERE tenant_id = $1 AND folded_name = $2",
            folded(name),
        ),
    };
    let row: Option<UserRow> =
        sqlx::query_as(sql).bind(tenant.as_str()).bind(value.as_str()).fetch_optional(connection).await?;
    let found = row.map(|row| row.read(tenant)).transpose()?;
    // Found by an index of its own, which may be damaged where the row is not.
    let fits = |record: &UserRecord| match key {
        UserKey::Id(id) => record.id == id,
        UserKey::Name(_) => folded(record.user_name()) == value,
    };
    if found.as_ref().is_some_and(|(record, _)| !fits(record)) { Err(damaged("the index of users")) } else { Ok(found) }
}

/// The users with an external id.
pub(super) async fn of_external_id(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    external_id: &str,
) -> Result<Vec<(UserRecord, [u8; 32])>, StoreError> {
    let rows: Vec<UserRow> = sqlx::query_as(
        "SELECT user_id, user_name, external_id, active, resource, created_at, changed_at, digest FROM users \
         WHERE tenant_id = $1 AND external_id = $2 ORDER BY user_id",
    )
    .bind(tenant.as_str())
    .bind(external_id)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.read(tenant)).collect()
}

/// Users after one of them, in the order of their ids.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<(UserRecord, [u8; 32])>, StoreError> {
    let rows: Vec<UserRow> = sqlx::query_as(
        "SELECT user_id, user_name, external_id, active, resource, created_at, changed_at, digest FROM users \
         WHERE tenant_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.read(tenant)).collect()
}

/// The ids of users by their names.
pub(super) async fn ids(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    names: &[&str],
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT user_name, user_id FROM users \
         WHERE tenant_id = $1 AND user_name IN (SELECT value FROM json_each($2))",
    )
    .bind(tenant.as_str())
    .bind(form::write_list(names.iter().copied()))
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// The names of users by their ids.
pub(super) async fn names_of(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    ids: &[&str],
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT user_id, user_name FROM users WHERE tenant_id = $1 AND user_id IN (SELECT value FROM json_each($2))",
    )
    .bind(tenant.as_str())
    .bind(form::write_list(ids.iter().copied()))
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Writes a user and gives back its digest.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    record: &UserRecord,
) -> Result<[u8; 32], StoreError> {
    let row = UserRow::new(tenant, record)?;
    let digest = digest_of(&row.digest)?;
    sqlx::query(
        "INSERT INTO users (tenant_id, user_id, user_name, folded_name, external_id, active, resource, created_at, \
         changed_at, digest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET user_name = excluded.user_name, \
         folded_name = excluded.folded_name, external_id = excluded.external_id, active = excluded.active, \
         resource = excluded.resource, created_at = excluded.created_at, changed_at = excluded.changed_at, \
         digest = excluded.digest",
    )
    .bind(tenant.as_str())
    .bind(row.user_id)
    .bind(row.user_name.as_str())
    .bind(folded(&row.user_name))
    .bind(row.external_id)
    .bind(row.active)
    .bind(row.resource)
    .bind(row.created_at)
    .bind(row.changed_at)
    .bind(row.digest)
    .execute(connection)
    .await?;
    Ok(digest)
}

/// Deletes a user. The name stays known.
pub(super) async fn delete(connection: &mut SqliteConnection, tenant: &TenantId, id: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM users WHERE tenant_id = $1 AND user_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(FromRow)]
struct NameRow {
    user_name: String,
    generation: i64,
    user_id: Option<String>,
    since: i64,
    digest: Vec<u8>,
}

impl NameRow {
    fn new(tenant: &TenantId, record: &NameRecord) -> Self {
        let mut row = Self {
            user_name: plain(&record.name).to_owned(),
            generation: i64::from(record.generation),
            user_id: record.bearer.clone(),
            since: record.since.0,
            digest: Vec::new(),
        };
        row.digest = row.compute_digest(tenant).to_vec();
        row
    }

    fn compute_digest(&self, tenant: &TenantId) -> [u8; 32] {
        RowDigest::of("user_names")
            .text(tenant.as_str())
            .text(&self.user_name)
            .int(self.generation)
            .maybe_text(self.user_id.as_deref())
            .int(self.since)
            .finish()
    }

    fn read(self, tenant: &TenantId) -> Result<(NameRecord, [u8; 32]), StoreError> {
        let fault = || damaged(format!("the name `{}` of `{tenant}`", self.user_name));
        let digest = digest_of(&self.digest)?;
        if digest != self.compute_digest(tenant) {
            return Err(fault());
        }
        let record = NameRecord {
            name: principal(&self.user_name).ok_or_else(fault)?,
            generation: u32::try_from(self.generation).map_err(|_| fault())?,
            bearer: self.user_id,
            since: Timestamp(self.since),
        };
        Ok((record, digest))
    }
}

/// The name without its prefix.
pub(super) fn plain(name: &Principal) -> &str {
    name.as_str().strip_prefix("user:").unwrap_or(name.as_str())
}

/// How a name stands, with its digest.
pub(super) async fn name(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    name: &Principal,
) -> Result<Option<(NameRecord, [u8; 32])>, StoreError> {
    let row: Option<NameRow> = sqlx::query_as(
        "SELECT user_name, generation, user_id, since, digest FROM user_names WHERE tenant_id = $1 AND user_name = $2",
    )
    .bind(tenant.as_str())
    .bind(plain(name))
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.read(tenant)).transpose()
}

/// Every name with its digest.
pub(super) async fn all_names(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<(NameRecord, [u8; 32])>, StoreError> {
    let rows: Vec<NameRow> = sqlx::query_as(
        "SELECT user_name, generation, user_id, since, digest FROM user_names WHERE tenant_id = $1 ORDER BY user_name",
    )
    .bind(tenant.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.read(tenant)).collect()
}

/// Writes how a name stands and gives back the digest.
pub(super) async fn put_name(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    record: &NameRecord,
) -> Result<[u8; 32], StoreError> {
    let row = NameRow::new(tenant, record);
    let digest = digest_of(&row.digest)?;
    sqlx::query(
        "INSERT INTO user_names (tenant_id, user_name, generation, user_id, since, digest) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (tenant_id, user_name) DO UPDATE SET generation = excluded.generation, \
         user_id = excluded.user_id, since = excluded.since, digest = excluded.digest",
    )
    .bind(tenant.as_str())
    .bind(row.user_name)
    .bind(row.generation)
    .bind(row.user_id)
    .bind(row.since)
    .bind(row.digest)
    .execute(connection)
    .await?;
    Ok(digest)
}
