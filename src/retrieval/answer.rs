//! What leaves the services: a body that was recorded.

use std::sync::Arc;

use crate::{
    audit::{AuditError, AuditEvent, AuditLog, Receipt},
    retrieval::ranking::ReleasedHit,
};

/// A body that may leave, for its audit record is written.
///
/// ```compile_fail
/// let answer = ringfence::retrieval::answer::Answer { body: "unrecorded" }; // private fields, and `new` takes a receipt
/// ```
#[derive(Debug)]
pub struct Answer<T> {
    body: T,
    receipt: Receipt,
}

impl<T> Answer<T> {
    /// Joins a body with the proof that it was recorded.
    #[must_use]
    pub const fn new(body: T, receipt: Receipt) -> Self {
        Self { body, receipt }
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &T {
        &self.body
    }

    /// The body and the proof.
    pub fn into_parts(self) -> (T, Receipt) {
        (self.body, self.receipt)
    }
}

/// Records an event on the blocking pool: the record is a write to a file, and waits for the disk where it is configured so.
///
/// # Errors
/// [`AuditError`]: there must be no answer.
pub async fn record(audit: &Arc<AuditLog>, event: AuditEvent) -> Result<Receipt, AuditError> {
    let audit = Arc::clone(audit);
    compute(move || audit.record(&event)).await.unwrap_or(Err(AuditError::Failed))
}

/// Computes on the blocking pool; `None` where the server is stopping.
///
/// A panic inside goes on in the caller, where it becomes a 500 without content.
pub async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(made) => Some(made),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_cancelled) => None,
        },
    }
}

/// How many threads a server's runtime has beside one for each place to compute in. They take requests and give answers while every place is taken.
pub const SPARE_THREADS: usize = 2;

/// Computes on the thread that the request is on, where the runtime has more threads than `places` to compute in; otherwise on the blocking pool. The caller holds one of the places.
///
/// Handing a search over and back wakes two threads, which costs as much as a small search does.
pub async fn compute_in_place<T: Send + 'static>(
    places: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if tokio::runtime::Handle::current().metrics().num_workers() > places {
        return Some(work());
    }
    compute(work).await
}

/// What a search answers.
#[derive(Debug)]
pub struct SearchAnswer {
    /// The passages, best first.
    pub hits: Vec<ReleasedHit>,
    /// The passages as one text for a prompt, if asked for.
    pub context: Option<String>,
    /// The estimated tokens of the passages together.
    pub tokens: usize,
    /// The sealed revision that was searched.
    pub revision: String,
}
