//! The store: what is true. Everything else is derived from it.
//!
//! SQLite in WAL with `synchronous = FULL` (NORMAL lost acknowledged commits in simulated power cuts); one writing connection, several reading ones.
//! SQL is a literal with bound parameters in the dialect that PostgreSQL shares: `$1`, `RETURNING`, `ON CONFLICT`; ids as `TEXT`, times as `BIGINT` microseconds, digests as bytes.

mod records;

pub use records::{CollectionRecord, GroupRecord, TenantRecord, Trust};

use std::path::Path;

use ringfence_indexes::{Document, Principal, TenantId};

use crate::authn::KeyRecord;

/// The database of a data directory.
#[derive(Clone, Debug)]
pub struct Store {}

/// Why the store does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full; nothing was written.
    #[error("the disk is full")]
    Full,
    /// The database failed.
    #[error("the database failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row does not hold what was written.
    #[error("the database is damaged: {0}")]
    Damaged(String),
}

impl Store {
    /// Opens or creates the database of a data directory and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be opened or is newer than this program.
    pub async fn open(_data_dir: &Path) -> Result<Self, StoreError> {
        unimplemented!("store")
    }

    /// Every tenant with its durable revision.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn tenants(&self) -> Result<Vec<(TenantRecord, u64)>, StoreError> {
        unimplemented!("store")
    }

    /// A tenant's collections.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn collections(&self, _tenant: &TenantId) -> Result<Vec<CollectionRecord>, StoreError> {
        unimplemented!("store")
    }

    /// A tenant's groups after one of them, in the order of their names.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn groups(
        &self,
        _tenant: &TenantId,
        _after: Option<&Principal>,
        _limit: usize,
    ) -> Result<Vec<GroupRecord>, StoreError> {
        unimplemented!("store")
    }

    /// One group.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn group(&self, _tenant: &TenantId, _group: &Principal) -> Result<Option<GroupRecord>, StoreError> {
        unimplemented!("store")
    }

    /// Every key, operators' included.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        unimplemented!("store")
    }

    /// A tenant's active documents, given piece by piece.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or holds what was not written.
    pub async fn each_document(
        &self,
        _tenant: &TenantId,
        _take: impl FnMut(Vec<Document>) + Send,
    ) -> Result<(), StoreError> {
        unimplemented!("store")
    }
}
