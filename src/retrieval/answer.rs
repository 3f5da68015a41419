//! What leaves the services: a body that was recorded.

use crate::{audit::Receipt, retrieval::ranking::ReleasedHit};

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
    #[must_use]
    pub fn into_parts(self) -> (T, Receipt) {
        (self.body, self.receipt)
    }
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
