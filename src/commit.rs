//! The one writer of everything.

mod write;

pub use write::{CommitError, Committed, DocumentBody, DocumentWrite, Outcome, Write};
