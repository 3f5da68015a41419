//! The store: what is true. Everything else is derived from it.
//!
//! SQLite in WAL with `synchronous = FULL` (NORMAL lost acknowledged commits in simulated power cuts); one writing connection, several reading ones.
//! SQL is a literal with bound parameters in the dialect that PostgreSQL shares: `$1`, `RETURNING`, `ON CONFLICT`; ids as `TEXT`, times as `BIGINT` microseconds, digests as bytes.
//! What is read is what was written, or an error: see [`digest`].

mod collection;
mod decisive;
mod digest;
mod directory;
mod document;
mod error;
mod folder;
mod form;
mod grant;
mod group;
mod group_name;
mod key;
mod ledger;
mod policy;
mod policy_writer;
mod records;
mod revocation;
mod setting;
mod tenant;
mod user;
mod writer;

use std::{path::Path, time::Duration};

use ringfence_indexes::{CollectionId, Document, DocumentId, Selection, TenantId, Timestamp};
use sqlx::{
    ConnectOptions as _, Connection as _, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use self::ledger::Ledger;
pub use self::{
    collection::StoredCollection,
    decisive::TenantSettings,
    document::{Decision, DocumentStatus, Kept, Outdated, PlaceAfter, Quarantined, StoredContent},
    error::StoreError,
    grant::{GrantRecord, GrantsAsked},
    group_name::GroupName,
    policy::{PolicyRecord, PolicySettings},
    records::{
        CollectionRecord, FolderRecord, GroupRecord, NameRecord, Placement, Setting, TenantRecord, Trust, UserRecord,
    },
};
pub(crate) use self::{
    document::{Beside, DocumentKey, DocumentRow, SourceChange},
    form::reason_name,
    setting::{source_from, source_name},
    user::UserKey,
    writer::Writer,
};
use crate::authn::{KeyRecord, Revocation};

/// The database file in the data directory; SQLite keeps two more beside it.
pub const DATABASE_FILE: &str = "ringfence.db";
/// Connections that read.
const READERS: u32 = 4;
/// How long a connection waits for another's lock.
const BUSY: Duration = Duration::from_secs(10);
/// Pages in the log before SQLite moves them into the database: with fewer, ingest waits for the disk more often.
const CHECKPOINT_PAGES: &str = "2000";
/// Bytes of a page of a new database: a passage with its vector has 1 to 2 KB, and what is left of a page beside whole rows is lost. Measured on rows of 1.6 KB: 4 % less of a database than with 8 KiB, which is 15 % less than with 4 KiB.
const PAGE_BYTES: u32 = 16_384;

/// A piece of what an engine holds of a tenant.
#[derive(Debug)]
pub enum Replayed {
    /// What decides; it comes first.
    Settings(TenantSettings),
    /// Active documents.
    Documents(Vec<Document>),
}

/// The database of a data directory.
#[derive(Clone, Debug)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens or creates the database of a data directory and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be opened or is newer than this program.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(data_dir.join(DATABASE_FILE))
            .create_if_missing(true)
            .page_size(PAGE_BYTES)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .pragma("secure_delete", "ON")
            .pragma("temp_store", "MEMORY")
            .pragma("cell_size_check", "ON")
            .pragma("trusted_schema", "OFF")
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .disable_statement_logging();
        let pool = |size: u32| {
            SqlitePoolOptions::new()
                .min_connections(1)
                .max_connections(size)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = pool(1).connect_with(options.clone()).await?;
        sqlx::migrate!("migrations/sqlite").run(&writer).await?;
        let readers = pool(READERS).connect_with(options.pragma("query_only", "ON")).await?;
        Ok(Self { writer, readers })
    }

    /// The connection that writes; there is one, and its holder has it alone.
    pub(crate) async fn writer(&self) -> Result<Writer, StoreError> {
        Ok(Writer::new(self.writer.acquire().await?))
    }

    /// Empties the log into the database and closes every connection.
    ///
    /// # Errors
    /// [`StoreError`] where the log could not be emptied: nothing is lost, it is read at the next start.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.readers.close().await;
        let mut connection = self.writer.acquire().await?;
        let result = checkpoint(&mut connection).await;
        drop(connection);
        self.writer.close().await;
        result.map(|_| ())
    }

    /// Every tenant with its durable revision.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn tenants(&self) -> Result<Vec<(TenantRecord, u64)>, StoreError> {
        let mut connection = self.reader().await?;
        let ledgers = ledger::all(&mut connection).await?;
        let revision = |record: &TenantRecord| ledgers.get(record.id.as_str()).copied().unwrap_or_default().revision;
        let tenants = tenant::all(&mut connection).await?;
        Ok(tenants
            .into_iter()
            .map(|record| (revision(&record), record))
            .map(|(revision, record)| (record, revision))
            .collect())
    }

    /// Every collection of every tenant, each with the embedder that made its vectors.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn all_collections(&self) -> Result<Vec<(TenantId, StoredCollection)>, StoreError> {
        let mut connection = self.reader().await?;
        collection::of_all_tenants(&mut connection).await
    }

    /// How many documents a tenant has, counted up to a limit.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn count_documents(&self, tenant: &TenantId, limit: usize) -> Result<usize, StoreError> {
        let mut connection = self.reader().await?;
        document::count(&mut connection, tenant, i64::try_from(limit).unwrap_or(i64::MAX)).await
    }

    /// A tenant's collections.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn collections(&self, tenant: &TenantId) -> Result<Vec<CollectionRecord>, StoreError> {
        Ok(self.stored_collections(tenant).await?.into_iter().map(|stored| stored.record).collect())
    }

    /// A tenant's collections, each with the embedder that made its vectors.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn stored_collections(&self, tenant: &TenantId) -> Result<Vec<StoredCollection>, StoreError> {
        let mut connection = self.reader().await?;
        Ok(collection::all(&mut connection, tenant).await?.into_iter().map(|(stored, _)| stored).collect())
    }

    /// Every key, operators' included.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let mut connection = self.reader().await?;
        Ok(key::all(&mut connection).await?.into_iter().map(|(record, _)| record).collect())
    }

    /// A tenant's revocations of tokens.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn revocations(&self, tenant: &TenantId) -> Result<Vec<Revocation>, StoreError> {
        let mut connection = self.reader().await?;
        Ok(revocation::all(&mut connection, tenant).await?.into_iter().map(|(record, _)| record).collect())
    }

    /// When keys were last used, by their ids.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn key_uses(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let mut connection = self.reader().await?;
        key::uses(&mut connection).await
    }

    /// What an engine holds of a closed tenant: what decides about its documents. Whether a row is missing is found out when it is opened.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn settings(&self, tenant: &TenantId) -> Result<TenantSettings, StoreError> {
        let mut connection = self.reader().await?;
        decisive::read(&mut connection, tenant, &mut Ledger::default()).await
    }

    /// Everything of a tenant that an engine holds, as it is at one revision, which is given back: settings, groups, then active documents piece by piece.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails, holds what was not written, or lacks a row that was.
    pub async fn replay(&self, tenant: &TenantId, mut take: impl FnMut(Replayed) + Send) -> Result<u64, StoreError> {
        let mut connection = self.reader().await?;
        // One transaction: what is read is of one moment, and a write meanwhile does not look like damage.
        let mut transaction = connection.begin().await?;
        let name = key::owner(Some(tenant));
        let ledger = ledger::read(&mut transaction, name).await?.unwrap_or_default();
        let mut rows_of = Ledger::default();
        take(Replayed::Settings(decisive::read(&mut transaction, tenant, &mut rows_of).await?));
        ledger::toggle_others(&mut transaction, tenant, &mut rows_of).await?;
        let put = |documents| take(Replayed::Documents(documents));
        document::each_active(&mut transaction, tenant, &mut rows_of, put).await?;
        if rows_of.checksum() == ledger.checksum() { Ok(ledger.revision) } else { Err(missing_rows(name)) }
    }

    /// The fingerprints that an index of a tenant's documents must have, by collection and id.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn fingerprints(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<(CollectionId, DocumentId, [u8; 32])>, StoreError> {
        let mut connection = self.reader().await?;
        document::fingerprints(&mut connection, tenant).await
    }

    /// Active documents of a collection after one of them, in the order of their ids.
    pub(crate) async fn active_after(
        &self,
        tenant: &TenantId,
        collection: &CollectionId,
        after: Option<&DocumentId>,
        limit: i64,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let mut connection = self.reader().await?;
        document::active_after(&mut connection, tenant, collection, after, limit).await
    }

    /// Documents of a collection, held back or not, that were ingested before a moment; the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn older_than(
        &self,
        tenant: &TenantId,
        collection: &CollectionId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let mut connection = self.reader().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        document::older_than(&mut connection, tenant, collection, before, limit).await
    }

    /// One document as it is stored, held back or not.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn document(
        &self,
        tenant: &TenantId,
        collection: &CollectionId,
        document: &DocumentId,
    ) -> Result<Option<(Document, StoredContent)>, StoreError> {
        let mut connection = self.reader().await?;
        match document::head(&mut connection, tenant, collection, document).await? {
            Some(row) => document::load(&mut connection, tenant, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// One document with everything that is kept of it, its sealed original included.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn kept(
        &self,
        tenant: &TenantId,
        collection: &CollectionId,
        document: &DocumentId,
    ) -> Result<Option<Kept>, StoreError> {
        let mut connection = self.reader().await?;
        document::kept(&mut connection, tenant, collection, document).await
    }

    /// Documents that are held back, after a place, in the order of collection and id.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn quarantined(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        after: Option<&PlaceAfter>,
        limit: usize,
    ) -> Result<Vec<Quarantined>, StoreError> {
        let mut connection = self.reader().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        document::quarantined(&mut connection, tenant, selection, after, limit).await
    }

    /// Documents that are held back with a source in the clear, as an older server left them.
    pub(crate) async fn in_the_clear(&self, tenant: &TenantId) -> Result<Vec<PlaceAfter>, StoreError> {
        let mut connection = self.reader().await?;
        document::in_the_clear(&mut connection, tenant).await
    }

    /// Documents that another version of the sanitiser made, after a place, in the order of collection and id.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn outdated(
        &self,
        tenant: &TenantId,
        selection: &Selection,
        sanitizer: &str,
        after: Option<&PlaceAfter>,
        limit: usize,
    ) -> Result<Vec<Outdated>, StoreError> {
        let mut connection = self.reader().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        document::outdated(&mut connection, tenant, selection, sanitizer, after, limit).await
    }

    /// Compares the rows of a tenant, or of the server where there is none, with their ledger: none is missing, and none is there that should not be.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where they differ.
    pub async fn check_ledger(&self, tenant: Option<&TenantId>) -> Result<(), StoreError> {
        let mut connection = self.reader().await?;
        // Both are read in one transaction: a write between them would look like damage.
        let mut transaction = connection.begin().await?;
        let name = key::owner(tenant);
        let ledger = ledger::read(&mut transaction, name).await?.unwrap_or_default();
        let sum = ledger::sum_of_rows(&mut transaction, tenant).await?;
        if sum == *ledger.checksum() { Ok(()) } else { Err(missing_rows(name)) }
    }

    /// What SQLite finds wrong with its file; nothing for a sound one.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be read at all.
    pub async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let mut connection = self.reader().await?;
        let rows: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check").fetch_all(&mut *connection).await?;
        Ok(rows.into_iter().map(|(line,)| line).filter(|line| line != "ok").collect())
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.readers.acquire().await?)
    }
}

fn missing_rows(name: &str) -> StoreError {
    StoreError::Damaged(format!("rows of `{name}` are missing or not its own"))
}

/// Moves the log into the database and empties it; whether nothing of it is left.
async fn checkpoint(connection: &mut SqliteConnection) -> Result<bool, StoreError> {
    let (busy, ..): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    Ok(busy == 0)
}

#[cfg(test)]
pub(crate) mod tests;
