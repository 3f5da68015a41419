//! The ledger of a tenant: its durable revision, and the exclusive or of the digests of all its rows, so that a row that was lost, or that came back, is found as well as one that was changed.

use std::collections::HashMap;

use ringfence_indexes::TenantId;
use sqlx::SqliteConnection;

use super::{
    StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
    key::owner,
};

/// The durable revision of a tenant, and the sum of the digests of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Ledger {
    pub(super) revision: u64,
    checksum: [u8; 32],
}

impl Ledger {
    /// The ledger of a row; an error where the row is not what was written.
    fn parse(tenant: &str, revision: i64, checksum: &[u8], digest: &[u8]) -> Result<Self, StoreError> {
        let fault = || damaged(format!("the ledger of `{tenant}`"));
        let ledger = Self {
            revision: u64::try_from(revision).map_err(|_| fault())?,
            checksum: checksum.try_into().map_err(|_| fault())?,
        };
        if ledger.digest(tenant) == *digest { Ok(ledger) } else { Err(fault()) }
    }

    /// Counts a row in that was out, or out that was in.
    pub(super) fn toggle(&mut self, digest: &[u8; 32]) {
        self.checksum.iter_mut().zip(digest).for_each(|(sum, byte)| *sum ^= byte);
    }

    pub(super) const fn checksum(&self) -> &[u8; 32] {
        &self.checksum
    }

    fn digest(&self, tenant: &str) -> [u8; 32] {
        let revision = i64::try_from(self.revision).unwrap_or(i64::MAX);
        RowDigest::of("ledgers").text(tenant).int(revision).bytes(&self.checksum).finish()
    }
}

/// The ledger of a tenant, or of the server.
pub(super) async fn read(connection: &mut SqliteConnection, name: &str) -> Result<Option<Ledger>, StoreError> {
    let row: Option<(i64, Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT revision, checksum, digest FROM ledgers WHERE tenant_id = $1")
            .bind(name)
            .fetch_optional(connection)
            .await?;
    row.map(|(revision, checksum, digest)| Ledger::parse(name, revision, &checksum, &digest)).transpose()
}

pub(super) async fn write(connection: &mut SqliteConnection, name: &str, ledger: &Ledger) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO ledgers (tenant_id, revision, checksum, digest) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant_id) DO UPDATE SET revision = excluded.revision, checksum = excluded.checksum, \
         digest = excluded.digest",
    )
    .bind(name)
    .bind(i64::try_from(ledger.revision).unwrap_or(i64::MAX))
    .bind(ledger.checksum().to_vec())
    .bind(ledger.digest(name).to_vec())
    .execute(connection)
    .await?;
    Ok(())
}

/// The rows of a tenant that are read one by one when it is opened, and counted then.
const READ_WHEN_OPENED: [&str; 8] = [
    "SELECT digest FROM collections WHERE tenant_id = $1",
    "SELECT digest FROM documents WHERE tenant_id = $1",
    "SELECT digest FROM groups WHERE tenant_id = $1",
    "SELECT digest FROM group_names WHERE tenant_id = $1",
    "SELECT digest FROM users WHERE tenant_id = $1",
    "SELECT digest FROM user_names WHERE tenant_id = $1",
    "SELECT digest FROM directory_settings WHERE tenant_id = $1",
    "SELECT digest FROM emergency_grants WHERE tenant_id = $1",
];
/// The other rows of a tenant. Every table whose rows the ledger counts stands in one of the two lists.
const OTHERS: [&str; 6] = [
    "SELECT digest FROM folders WHERE tenant_id = $1",
    "SELECT digest FROM placements WHERE tenant_id = $1",
    "SELECT digest FROM keys WHERE tenant_id = $1",
    "SELECT digest FROM policies WHERE tenant_id = $1",
    "SELECT digest FROM policy_settings WHERE tenant_id = $1",
    "SELECT digest FROM revocations WHERE tenant_id = $1",
];

/// The ledgers of all tenants and of the server, by name.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<HashMap<String, Ledger>, StoreError> {
    let rows: Vec<(String, i64, Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT tenant_id, revision, checksum, digest FROM ledgers").fetch_all(connection).await?;
    let read = |(name, revision, checksum, digest): (String, i64, Vec<u8>, Vec<u8>)| {
        let ledger = Ledger::parse(&name, revision, &checksum, &digest)?;
        Ok((name, ledger))
    };
    rows.into_iter().map(read).collect()
}

/// Counts the rows of a tenant in that its documents and settings do not read.
pub(super) async fn toggle_others(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    rows_of: &mut Ledger,
) -> Result<(), StoreError> {
    for sql in OTHERS {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(sql).bind(tenant.as_str()).fetch_all(&mut *connection).await?;
        for (digest,) in rows {
            rows_of.toggle(&digest_of(&digest)?);
        }
    }
    Ok(())
}

/// The exclusive or of the digests of all rows that the tenant has, or the server where there is none.
pub(super) async fn sum_of_rows(
    connection: &mut SqliteConnection,
    tenant: Option<&TenantId>,
) -> Result<[u8; 32], StoreError> {
    let sql: Vec<&'static str> = if tenant.is_some() {
        READ_WHEN_OPENED.into_iter().chain(OTHERS).collect()
    } else {
        vec!["SELECT digest FROM tenants WHERE tenant_id <> $1", "SELECT digest FROM keys WHERE tenant_id = $1"]
    };
    let mut sum = Ledger::default();
    for sql in sql {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as(sql).bind(owner(tenant)).fetch_all(&mut *connection).await?;
        for (digest,) in rows {
            sum.toggle(&digest_of(&digest)?);
        }
    }
    Ok(*sum.checksum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_read_back_and_any_change_is_seen() {
        let mut ledger = Ledger { revision: 7, ..Ledger::default() };
        ledger.toggle(&[5; 32]);
        let digest = ledger.digest("acme");
        assert_eq!(Ledger::parse("acme", 7, ledger.checksum(), &digest).unwrap(), ledger);
        assert!(Ledger::parse("acme", 8, ledger.checksum(), &digest).is_err());
        assert!(Ledger::parse("globex", 7, ledger.checksum(), &digest).is_err());
        assert!(Ledger::parse("acme", 7, &[4; 32], &digest).is_err());
        ledger.toggle(&[5; 32]);
        assert_eq!(ledger, Ledger { revision: 7, ..Ledger::default() });
    }
}
