//! API keys as rows.

use ringfence_indexes::{CollectionId, Principal, TenantId, Timestamp};
use sqlx::{FromRow, SqliteConnection};

use super::{
    StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
    form,
};
use crate::{
    authn::{KeyKind, KeyRecord, PreviousSecret},
    authz::Scopes,
};

#[derive(FromRow)]
struct KeyRow {
    tenant_id: String,
    key_id: String,
    kind: String,
    name: String,
    subject: Option<String>,
    scopes: String,
    collections: Option<String>,
    groups: String,
    attributes: String,
    networks: Option<String>,
    expires_at: Option<i64>,
    created_at: i64,
    secret_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    previous_until: Option<i64>,
    digest: Vec<u8>,
}

/// The name under which a key is filed: its tenant's, or the empty one of the server.
pub(super) fn owner(tenant: Option<&TenantId>) -> &str {
    tenant.map_or("", TenantId::as_str)
}

impl KeyRow {
    fn new(record: &KeyRecord) -> Self {
        let collections = record.collections.as_ref();
        let networks = record.networks.as_ref();
        let mut row = Self {
            tenant_id: owner(record.tenant.as_ref()).to_owned(),
            key_id: record.id.clone(),
            kind: record.kind.name().to_owned(),
            name: record.name.clone(),
            subject: record.subject.as_ref().map(|subject| subject.as_str().to_owned()),
            scopes: form::write_list(record.scopes.names()),
            collections: collections.map(|names| form::write_list(names.iter().map(CollectionId::as_str))),
            groups: form::write_principals(&record.groups),
            attributes: form::write_attributes(&record.attributes),
            networks: networks.map(|networks| form::write_list(networks.iter().map(String::as_str))),
            expires_at: record.expires_at.map(|time| time.0),
            created_at: record.created_at.0,
            secret_hash: record.secret_hash.to_vec(),
            previous_hash: record.previous.map(|previous| previous.hash.to_vec()),
            previous_until: record.previous.map(|previous| previous.until.0),
            digest: Vec::new(),
        };
        row.digest = row.compute_digest().to_vec();
        row
    }

    fn compute_digest(&self) -> [u8; 32] {
        let digest = RowDigest::of("keys")
            .text(&self.tenant_id)
            .text(&self.key_id)
            .text(&self.kind)
            .text(&self.name)
            .maybe_text(self.subject.as_deref())
            .text(&self.scopes)
            .maybe_text(self.collections.as_deref())
            .text(&self.groups)
            .text(&self.attributes)
            .maybe_text(self.networks.as_deref())
            .maybe_int(self.expires_at)
            .int(self.created_at)
            .bytes(&self.secret_hash);
        // A row from before there was a second secret keeps its digest.
        let digest = match (&self.previous_hash, self.previous_until) {
            (None, None) => digest,
            (hash, until) => digest.bytes(hash.as_deref().unwrap_or_default()).maybe_int(until),
        };
        digest.finish()
    }

    fn read(self) -> Result<(KeyRecord, [u8; 32]), StoreError> {
        let digest = digest_of(&self.digest)?;
        let fault = || damaged(format!("key `{}`", self.key_id));
        if digest != self.compute_digest() {
            return Err(fault());
        }
        let tenant = (!self.tenant_id.is_empty()).then(|| TenantId::new(&self.tenant_id));
        let scopes: Vec<String> = form::read_list(&self.scopes, |name| Some(name.to_owned()))?;
        let collections = self.collections.as_deref();
        let networks = self.networks.as_deref();
        let record = KeyRecord {
            tenant: tenant.transpose().map_err(|_| fault())?,
            kind: KeyKind::from_name(&self.kind).ok_or_else(fault)?,
            subject: self.subject.as_deref().map(Principal::new).transpose().map_err(|_| fault())?,
            scopes: Scopes::from_names(scopes.iter().map(String::as_str)).map_err(|_| fault())?,
            collections: collections
                .map(|list| form::read_list(list, |name| CollectionId::new(name).ok()))
                .transpose()?,
            groups: form::read_principals(&self.groups)?,
            attributes: form::read_attributes(&self.attributes)?,
            networks: networks.map(|list| form::read_list(list, |name| Some(name.to_owned()))).transpose()?,
            expires_at: self.expires_at.map(Timestamp),
            created_at: Timestamp(self.created_at),
            secret_hash: digest_of(&self.secret_hash)?,
            previous: match (&self.previous_hash, self.previous_until) {
                (Some(hash), Some(until)) => Some(PreviousSecret { hash: digest_of(hash)?, until: Timestamp(until) }),
                (None, None) => None,
                _ => return Err(fault()),
            },
            id: self.key_id,
            name: self.name,
        };
        Ok((record, digest))
    }
}

/// Every key with its digest.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<(KeyRecord, [u8; 32])>, StoreError> {
    let rows: Vec<KeyRow> = sqlx::query_as(
        "SELECT tenant_id, key_id, kind, name, subject, scopes, collections, groups, attributes, networks, expires_at, \
         created_at, secret_hash, previous_hash, previous_until, digest FROM keys ORDER BY tenant_id, key_id",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(KeyRow::read).collect()
}

/// One key with its digest, whoever owns it.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Option<(KeyRecord, [u8; 32])>, StoreError> {
    let row: Option<KeyRow> = sqlx::query_as(
        "SELECT tenant_id, key_id, kind, name, subject, scopes, collections, groups, attributes, networks, expires_at, \
         created_at, secret_hash, previous_hash, previous_until, digest FROM keys WHERE key_id = $1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    // Found by an index of its own, which may be damaged where the row is not.
    let found = row.map(KeyRow::read).transpose()?;
    if found.as_ref().is_some_and(|(record, _)| record.id != id) {
        Err(damaged("the index of keys"))
    } else {
        Ok(found)
    }
}

/// Writes a key and gives back its digest.
pub(super) async fn put(connection: &mut SqliteConnection, record: &KeyRecord) -> Result<[u8; 32], StoreError> {
    let row = KeyRow::new(record);
    let digest = digest_of(&row.digest)?;
    sqlx::query(
        "INSERT INTO keys (tenant_id, key_id, kind, name, subject, scopes, collections, groups, attributes, networks, \
         expires_at, created_at, secret_hash, previous_hash, previous_until, digest) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
         ON CONFLICT (tenant_id, key_id) DO UPDATE SET kind = excluded.kind, name = excluded.name, \
         subject = excluded.subject, scopes = excluded.scopes, collections = excluded.collections, \
         groups = excluded.groups, attributes = excluded.attributes, networks = excluded.networks, \
         expires_at = excluded.expires_at, created_at = excluded.created_at, secret_hash = excluded.secret_hash, \
         previous_hash = excluded.previous_hash, previous_until = excluded.previous_until, digest = excluded.digest",
    )
    .bind(row.tenant_id)
    .bind(row.key_id)
    .bind(row.kind)
    .bind(row.name)
    .bind(row.subject)
    .bind(row.scopes)
    .bind(row.collections)
    .bind(row.groups)
    .bind(row.attributes)
    .bind(row.networks)
    .bind(row.expires_at)
    .bind(row.created_at)
    .bind(row.secret_hash)
    .bind(row.previous_hash)
    .bind(row.previous_until)
    .bind(row.digest)
    .execute(connection)
    .await?;
    Ok(digest)
}

/// Deletes a key and what is known of its use.
pub(super) async fn delete(
    connection: &mut SqliteConnection,
    tenant: Option<&TenantId>,
    id: &str,
) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM keys WHERE tenant_id = $1 AND key_id = $2",
        "DELETE FROM key_uses WHERE tenant_id = $1 AND key_id = $2",
    ] {
        sqlx::query(sql).bind(owner(tenant)).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Whether there is an operator's key, other than this one, that never expires.
pub(super) async fn has_other_lasting_operator(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<bool, StoreError> {
    let found: Option<(i64,)> =
        sqlx::query_as("SELECT 1 FROM keys WHERE tenant_id = '' AND key_id <> $1 AND expires_at IS NULL LIMIT 1")
            .bind(id)
            .fetch_optional(connection)
            .await?;
    Ok(found.is_some())
}

/// When keys were last used.
pub(super) async fn uses(connection: &mut SqliteConnection) -> Result<Vec<(String, Timestamp)>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as("SELECT key_id, used_at FROM key_uses").fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id, at)| (id, Timestamp(at))).collect())
}

/// Notes that a key was used, if it still is there.
pub(super) async fn put_use(connection: &mut SqliteConnection, id: &str, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO key_uses (tenant_id, key_id, used_at) SELECT tenant_id, key_id, $2 FROM keys WHERE key_id = $1 \
         ON CONFLICT (tenant_id, key_id) DO UPDATE SET used_at = excluded.used_at",
    )
    .bind(id)
    .bind(at.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// The keys of a tenant that bring a group.
pub(super) async fn of_group(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    group: &Principal,
) -> Result<Vec<KeyRecord>, StoreError> {
    let rows: Vec<KeyRow> = sqlx::query_as(
        "SELECT tenant_id, key_id, kind, name, subject, scopes, collections, groups, attributes, networks, expires_at, \
         created_at, secret_hash, previous_hash, previous_until, digest FROM keys \
         WHERE tenant_id = $1 AND EXISTS (SELECT 1 FROM json_each(keys.groups) WHERE value = $2) ORDER BY key_id",
    )
    .bind(tenant.as_str())
    .bind(group.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.read().map(|(record, _)| record)).collect()
}

/// The ids of a subject's keys.
pub(super) async fn of_subject(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    subject: &Principal,
) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = sqlx::query_as("SELECT key_id FROM keys WHERE tenant_id = $1 AND subject = $2")
        .bind(tenant.as_str())
        .bind(subject.as_str())
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
