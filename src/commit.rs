//! The one writer of everything.
//!
//! A group of writes is one transaction with a savepoint each; the audit records are on disk before the commit; the engine, the catalog and the keyring are changed after it, in commit order; only then are the writes acknowledged.

mod write;

pub use write::{CommitError, Committed, DocumentBody, DocumentWrite, Outcome, Write, WriteRequest};

/// Takes writes from many requests and makes them durable in groups.
#[derive(Debug)]
pub struct Committer {}

impl Committer {
    /// Makes one write durable, recorded and visible.
    ///
    /// # Errors
    /// [`CommitError`]: nothing of it happened, except where it says otherwise.
    pub async fn commit(&self, _request: WriteRequest) -> Result<Committed, CommitError> {
        unimplemented!("commit")
    }
}
