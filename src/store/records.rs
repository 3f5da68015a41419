//! What the store keeps beside documents, in the words of the domain.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_indexes::{
    Acl, AnalyzerKind, AttributeValue, Change, Collection, CollectionId, Declarations, DocumentId, Principal, Standing,
    TenantId, Timestamp, VectorSource,
};
use ringfence_ingest::{RedactionKind, SanitizePolicy};

use crate::{
    authn::attribute_value,
    scim::{Resource, schema},
};

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
    /// How its texts are cut into terms.
    pub analyzer: AnalyzerKind,
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
            analyzer: self.analyzer,
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
    /// Its name in SCIM: random. Empty for one that was made before groups had ids, until the server starts.
    pub id: String,
    /// Its name at the identity provider.
    pub external_id: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

/// A user of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// The name in SCIM: random.
    pub id: String,
    /// The name that ACLs grant to: `user:` and the resource's `userName`.
    pub principal: Principal,
    /// The name at the identity provider.
    pub external_id: Option<String>,
    /// Whether the user may ask.
    pub active: bool,
    /// The SCIM resource without what the server adds.
    pub resource: Resource,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

impl UserRecord {
    /// The principal without its prefix.
    #[must_use]
    pub fn user_name(&self) -> &str {
        self.principal.as_str().strip_prefix("user:").unwrap_or_default()
    }

    /// What the directory says of the user: the attributes that the tenant may declare.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, AttributeValue> {
        let inside = |urn: &str| self.resource.get(urn).and_then(serde_json::Value::as_object).into_iter().flatten();
        let core = self.resource.iter().filter(|(name, _)| ATTRIBUTES_OF_CORE.contains(&name.as_str()));
        // What the tenant declares by itself comes last, and wins.
        let all = core.chain(inside(schema::ENTERPRISE)).chain(inside(schema::ATTRIBUTES));
        all.filter_map(|(name, value)| Some((name.clone(), attribute_value(value)?))).collect()
    }
}

/// Attributes of every user that may be declared to come from the directory, beside those of the extensions.
const ATTRIBUTES_OF_CORE: [&str; 5] = ["title", "userType", "preferredLanguage", "locale", "timezone"];

/// Who bears a user's name. It outlives the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRecord {
    /// The name, `user:…`.
    pub name: Principal,
    /// How many others bore it before.
    pub generation: u32,
    /// The id of the user who bears it; nobody may ask under it where there is none.
    pub bearer: Option<String>,
    /// When the bearer got it.
    pub since: Timestamp,
}

impl NameRecord {
    /// How the name stands, given its bearer.
    #[must_use]
    pub fn standing(&self, bearer: Option<&UserRecord>) -> Standing {
        Standing {
            generation: self.generation,
            since: self.since,
            is_active: bearer.is_some_and(|bearer| bearer.active),
            attributes: bearer.map(UserRecord::attributes).unwrap_or_default(),
        }
    }
}

/// What a tenant says of its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Which attributes there are.
    Attributes(Declarations),
    /// Whether only users that the directory knows may ask.
    KnownUsersOnly(bool),
}

impl Setting {
    /// What the engine knows of it.
    #[must_use]
    pub fn to_change(&self) -> Change {
        match self {
            Self::Attributes(declarations) => Change::DeclareAttributes(declarations.clone()),
            Self::KnownUsersOnly(required) => Change::RequireKnownUsers(*required),
        }
    }
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

/// A folder of a collection: what lies in it takes its ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRecord {
    /// Where it is.
    pub collection: CollectionId,
    /// Its name; folders and documents have names of their own each.
    pub id: DocumentId,
    /// The folder that it lies in.
    pub parent: Option<DocumentId>,
    /// Who may read what lies in it. Without `allow` it grants what its parent does.
    pub acl: Acl,
}

/// Where a document lies among folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The folder.
    pub folder: DocumentId,
    /// The document's own ACL, if it has one.
    pub own: Option<Acl>,
}
