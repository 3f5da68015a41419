//! What is known of an API key; its secret only as a keyed hash.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use ringfence_indexes::{AttributeValue, CollectionId, Principal, TenantId, Timestamp};

use crate::authz::Scopes;

/// An API key without its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The public part of the key string.
    pub id: String,
    /// The tenant; only an operator's key has none.
    pub tenant: Option<TenantId>,
    /// Who holds it.
    pub kind: KeyKind,
    /// A name for people.
    pub name: String,
    /// Whose key it is.
    pub subject: Option<Principal>,
    /// What it may do.
    pub scopes: Scopes,
    /// The collections it is limited to; `None` means all.
    pub collections: Option<BTreeSet<CollectionId>>,
    /// Groups of the subject, beside the directory's.
    pub groups: BTreeSet<Principal>,
    /// Attributes of the subject.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// Networks in CIDR form that it may be used from; `None` means all.
    pub networks: Option<Vec<String>>,
    /// Refused from this moment on.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The keyed hash of the secret.
    pub secret_hash: [u8; 32],
    /// The secret before, while both are taken.
    pub previous: Option<PreviousSecret>,
}

/// The secret that a key had before it was rotated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PreviousSecret {
    /// The keyed hash.
    pub hash: [u8; 32],
    /// Refused from this moment on.
    pub until: Timestamp,
}

impl KeyRecord {
    /// The keyed hashes of the secrets that are taken now, the newest first.
    pub(super) fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &[u8; 32]> {
        let previous = self.previous.as_ref().filter(|previous| now < previous.until).map(|previous| &previous.hash);
        std::iter::once(&self.secret_hash).chain(previous)
    }

    /// Whether the other record gives the same rights: it may have another secret.
    pub(super) fn differs_in_secret_alone(&self, other: &Self) -> bool {
        Self { secret_hash: other.secret_hash, previous: other.previous, ..self.clone() } == *other
    }
}

/// Who holds a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A person: reads as that person.
    User,
    /// A program: reads as the person it names, or as itself with `read_as_service`.
    Service,
    /// A program driven by a model; like a service.
    Agent,
    /// Manages tenants, reaches no content.
    Operator,
}

impl KeyKind {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Agent => "agent",
            Self::Operator => "operator",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Service, Self::Agent, Self::Operator].into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("kind", &self.kind)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
