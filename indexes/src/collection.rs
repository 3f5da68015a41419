//! Collections, and the part of them that a request selects.

use std::collections::BTreeSet;

use crate::{id::CollectionId, lexical::kind::AnalyzerKind, principal::Principal};

/// Where the vectors of a collection come from. Vectors of two sources are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorSource {
    /// The server's own embedder.
    Builtin {
        /// How long each vector is.
        dimensions: usize,
    },
    /// The client brings a vector for each chunk and each query.
    Client {
        /// How long each vector is.
        dimensions: usize,
    },
}

impl VectorSource {
    /// How long each vector is.
    #[must_use]
    pub const fn dimensions(self) -> usize {
        match self {
            Self::Builtin { dimensions } | Self::Client { dimensions } => dimensions,
        }
    }
}

/// What the engine knows of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// The name.
    pub id: CollectionId,
    /// One of these must match for any of its documents to be readable.
    pub readers: BTreeSet<Principal>,
    /// One of these must match to write.
    pub writers: BTreeSet<Principal>,
    /// Where its vectors come from.
    pub vectors: VectorSource,
    /// How far its authors are trusted, as tenant policies see it: a label, and no licence for anything.
    pub trust: &'static str,
    /// How its texts are cut into terms. A change cuts what is there anew.
    pub analyzer: AnalyzerKind,
}

/// The collections that a request, or the ceiling of a credential, is limited to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Selection {
    /// No limit beyond what the subject may read.
    #[default]
    All,
    /// These alone.
    Only(BTreeSet<CollectionId>),
}

impl Selection {
    /// What both select.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, selection) | (selection, Self::All) => selection.clone(),
            (Self::Only(left), Self::Only(right)) => Self::Only(left.intersection(right).cloned().collect()),
        }
    }

    /// Whether a collection is selected.
    #[must_use]
    pub fn contains(&self, collection: &CollectionId) -> bool {
        match self {
            Self::All => true,
            Self::Only(collections) => collections.contains(collection),
        }
    }
}
