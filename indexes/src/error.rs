//! What can go wrong at this crate's boundary.

use crate::id::{CollectionId, TenantId};

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Empty or too long.
    #[error("must have 1 to {max} bytes")]
    Length {
        /// The longest allowed, in bytes.
        max: usize,
    },
    /// A character that this kind of name may not have.
    #[error("has a character that is not allowed")]
    Characters,
    /// A principal without one of the known prefixes.
    #[error("must be `everyone` or start with `user:`, `group:`, `service:` or `role:`")]
    Prefix,
}

/// Why the engine refuses.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// The tenant does not exist.
    #[error("no tenant `{0}`")]
    NoTenant(TenantId),
    /// The tenant is not open: its documents are in the store alone.
    #[error("tenant `{0}` is not open")]
    Closed(TenantId),
    /// What was set aside did not come back as it was. The tenant is closed then, and read from the store anew.
    #[error("what was set aside is damaged")]
    Damaged,
    /// A change names a collection that does not exist.
    #[error("no collection `{0}`")]
    NoCollection(CollectionId),
    /// A vector that the collection cannot hold.
    #[error("the vector has {found} dimensions, the collection takes {expected}")]
    Dimensions {
        /// What the collection takes.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// NaN, infinite or zero: a cosine with it means nothing.
    #[error("the vector has no direction")]
    VectorWithoutDirection,
    /// A vector that is empty or too long.
    #[error("a vector has 1 to {max} dimensions, not {found}")]
    VectorLength {
        /// What came.
        found: usize,
        /// The most.
        max: usize,
    },
    /// A collection with documents cannot change where its vectors come from.
    #[error("collection `{0}` holds documents, so its vectors must stay what they are")]
    VectorSource(CollectionId),
}
