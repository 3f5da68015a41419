//! What the store keeps beside documents, in the words of the domain.

use std::collections::BTreeSet;

use ringfence_indexes::{Acl, Collection, CollectionId, Principal, TenantId, Timestamp, VectorSource};
use ringfence_ingest::{RedactionKind, SanitizePolicy};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRecord {
    /// The name in keys and paths.
    pub id: TenantId,
    /// The name for people.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The settings of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionRecord {
    /// The name.
    pub id: CollectionId,
    /// What it is for.
    pub description: String,
    /// The ACL of documents that bring none; without it they are refused.
    pub default_acl: Option<Acl>,
    /// One of these must match for any document to be readable.
    pub readers: BTreeSet<Principal>,
    /// One of these must match to write.
    pub writers: BTreeSet<Principal>,
    /// A label for the reader, never a licence to skip a step.
    pub trust: Trust,
    /// What is done with text that speaks to the machine.
    pub sanitize: SanitizePolicy,
    /// The personal data that is masked on the way out.
    pub redact: BTreeSet<RedactionKind>,
    /// Documents are deleted this many days after they were ingested.
    pub retention_days: Option<u32>,
    /// Accepted media types; empty accepts every supported one.
    pub accept: Vec<String>,
    /// Where vectors come from.
    pub embedding: VectorSource,
    /// When it was made; a change keeps it.
    pub created_at: Timestamp,
}

impl CollectionRecord {
    /// What the engine knows of the collection.
    #[must_use]
    pub fn to_engine(&self) -> Collection {
        Collection {
            id: self.id.clone(),
            readers: self.readers.clone(),
            writers: self.writers.clone(),
            vectors: self.embedding,
            trust: self.trust.name(),
        }
    }
}

/// A group of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRecord {
    /// The group.
    pub group: Principal,
    /// Its direct members, groups among them.
    pub members: BTreeSet<Principal>,
}

/// How much the owner of a collection trusts its authors, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Trust {
    /// Anybody may have written it.
    #[default]
    Untrusted,
    /// Written inside the organisation.
    Internal,
    /// Reviewed before it was ingested.
    Curated,
}

impl Trust {
    /// The name on the wire and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::Internal => "internal",
            Self::Curated => "curated",
        }
    }

    /// The level of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Untrusted, Self::Internal, Self::Curated].into_iter().find(|trust| trust.name() == name)
    }
}
