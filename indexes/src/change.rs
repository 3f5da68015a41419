//! What the store tells the engine. A list of changes becomes one snapshot.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    acl::Acl,
    collection::Collection,
    document::Document,
    emergency::EmergencyGrant,
    id::{CollectionId, DocumentId, GrantId, PolicyName},
    principal::Principal,
    rules::TenantPolicy,
    standing::{Declarations, Standing},
};

/// One change of a tenant.
#[derive(Clone, Debug)]
pub enum Change {
    /// Creates or replaces a collection's settings.
    PutCollection(Collection),
    /// Removes a collection and all its documents.
    DeleteCollection(CollectionId),
    /// Creates or replaces a document.
    PutDocument(Document),
    /// Removes a document; nothing happens if there is none.
    DeleteDocument {
        /// Where it lies.
        collection: CollectionId,
        /// Its name.
        document: DocumentId,
    },
    /// Moves a document to another class, without re-embedding; nothing happens if there is none.
    SetAcl {
        /// Where it lies.
        collection: CollectionId,
        /// Its name.
        document: DocumentId,
        /// The ACL from now on.
        acl: Acl,
        /// The document's version from now on.
        version: u32,
    },
    /// Creates or replaces a group of the directory.
    PutGroup {
        /// The group.
        group: Principal,
        /// Its direct members, groups among them.
        members: BTreeSet<Principal>,
    },
    /// Removes a group of the directory.
    DeleteGroup {
        /// The group.
        group: Principal,
    },
    /// Says how a user's name stands in the directory.
    PutStanding {
        /// The name, `user:…`.
        name: Principal,
        /// How it stands.
        standing: Standing,
    },
    /// Declares attributes; what was declared before is forgotten.
    DeclareAttributes(Declarations),
    /// Whether only users that the directory knows may read.
    RequireKnownUsers(bool),
    /// Creates or replaces a tenant policy.
    PutPolicy(Arc<TenantPolicy>),
    /// Removes a tenant policy.
    DeletePolicy(PolicyName),
    /// Says whether tenant policies that permit take part.
    EnablePermit(bool),
    /// Lets somebody in for a time.
    PutGrant(Arc<EmergencyGrant>),
    /// Ends an emergency grant.
    EndGrant(GrantId),
}

impl Change {
    /// Whether it says something of documents, rather than of what decides about them.
    pub(crate) const fn is_of_documents(&self) -> bool {
        matches!(self, Self::PutDocument(_) | Self::DeleteDocument { .. } | Self::SetAcl { .. })
    }
}
