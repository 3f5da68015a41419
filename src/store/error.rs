//! What the store may answer instead of what was asked for.

/// Why the store does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full; nothing was written.
    #[error("the disk is full")]
    Full,
    /// A write call failed: what was being written is not in the database, and never will be.
    #[error("the database cannot be written")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database failed.
    #[error("the database failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row does not hold what was written.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// A later program wrote the database.
    #[error("the database was written by a newer version of Ringfence; run that version, or restore a backup")]
    Newer,
}

/// SQLite's primary result code for a full disk.
const SQLITE_FULL: i32 = 13;
/// SQLite's extended result code for a failed write call. The last thing that a commit writes is the frame that makes it one, so nothing is committed.
/// A failed fsync has another code: then the frame is written, and whether the disk has it is unknown.
const SQLITE_IOERR_WRITE: i32 = 10 | (3 << 8);
/// SQLite's primary result codes for a file that is not what SQLite wrote.
const SQLITE_CORRUPT: [i32; 2] = [11, 26];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::ColumnDecode { index, .. } = &error {
            return Self::Damaged(format!("column {index} holds something else"));
        }
        let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<i32>().ok());
        if code == Some(SQLITE_IOERR_WRITE) {
            return Self::Unwritable(error.into());
        }
        match code.map(|extended| extended & 0xff) {
            Some(SQLITE_FULL) => Self::Full,
            Some(code) if SQLITE_CORRUPT.contains(&code) => Self::Damaged(error.to_string()),
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => Self::Newer,
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => Self::Failed(other.into()),
        }
    }
}

/// A column that does not hold what was written.
pub(super) fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::Damaged(what.into())
}
