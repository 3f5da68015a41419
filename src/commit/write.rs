//! What can be written, and what comes of it.

use std::{collections::BTreeSet, sync::Arc};

use ringfence_indexes::{
    Acl, CollectionId, DocumentChunk, DocumentId, GrantId, Principal, TenantId, TenantPolicy, Timestamp, VectorSource,
};
use ringfence_ingest::{Finding, QuarantineReason, UntrustedText};
use serde_json::{Map, Value};

use crate::{
    audit::{Actor, Receipt},
    authn::{KeyRecord, Revocation},
    store::{
        CollectionRecord, Decision, DocumentKey, FolderRecord, GrantRecord, GroupRecord, Placement, PolicyRecord,
        PolicySettings, Setting, UserRecord,
    },
};

/// A write and how it is recorded.
#[derive(Clone, Debug)]
pub struct WriteRequest {
    /// What is written.
    pub write: Write,
    /// Who writes.
    pub actor: Actor,
    /// The request.
    pub request_id: String,
    /// The HTTP status of the answer once it is acknowledged.
    pub status: u16,
}

/// One write. It happens as a whole or not at all.
#[derive(Clone, Debug)]
pub enum Write {
    /// Makes a tenant.
    CreateTenant {
        /// Its name in keys and paths.
        id: TenantId,
        /// Its name for people.
        name: String,
    },
    /// Deletes a tenant with everything it has, its keys included.
    DeleteTenant(TenantId),
    /// Makes a collection or changes its settings.
    PutCollection(TenantId, Box<CollectionRecord>),
    /// Deletes a collection with its documents.
    DeleteCollection(TenantId, CollectionId),
    /// Makes or replaces a document.
    PutDocument(Box<DocumentWrite>),
    /// Makes a document anew from its original, unless it was written since that was read.
    ReworkDocument(Box<ReworkWrite>),
    /// Deletes a document that is held back, unless its content was replaced since it was looked at.
    RejectDocument {
        /// Whose.
        tenant: TenantId,
        /// Where.
        collection: CollectionId,
        /// Which.
        document: DocumentId,
        /// The content that was looked at.
        content_hash: String,
    },
    /// Deletes a document, held back or not.
    DeleteDocument {
        /// Whose.
        tenant: TenantId,
        /// Where.
        collection: CollectionId,
        /// Which.
        document: DocumentId,
    },
    /// Deletes a document that is past its time, unless it was ingested anew since it was found to be.
    ExpireDocument {
        /// Whose.
        tenant: TenantId,
        /// Where.
        collection: CollectionId,
        /// Which.
        document: DocumentId,
        /// It goes if it was ingested before this moment.
        ingested_before: Timestamp,
    },
    /// Changes who may read a document.
    SetAcl {
        /// Whose.
        tenant: TenantId,
        /// Where.
        collection: CollectionId,
        /// Which.
        document: DocumentId,
        /// The ACL from now on.
        acl: Acl,
    },
    /// Makes a folder, moves it or changes its ACL; what lies in it follows in the same transaction.
    PutFolder(TenantId, Box<FolderRecord>),
    /// Deletes a folder in which nothing lies.
    DeleteFolder {
        /// Whose.
        tenant: TenantId,
        /// Where.
        collection: CollectionId,
        /// Which.
        folder: DocumentId,
    },
    /// Makes or replaces a group of the directory.
    PutGroup {
        /// Whose.
        tenant: TenantId,
        /// The group.
        group: Principal,
        /// Its direct members.
        members: BTreeSet<Principal>,
    },
    /// Adds a member to a group.
    AddMember {
        /// Whose.
        tenant: TenantId,
        /// The group.
        group: Principal,
        /// The member.
        member: Principal,
    },
    /// Removes a member from a group.
    RemoveMember {
        /// Whose.
        tenant: TenantId,
        /// The group.
        group: Principal,
        /// The member.
        member: Principal,
    },
    /// Deletes a group.
    DeleteGroup {
        /// Whose.
        tenant: TenantId,
        /// The group.
        group: Principal,
        /// Whether the name is given up with it, so that the next group of the name is another one.
        gives_up_name: bool,
        /// The digest that it must have, if any will not do.
        expected: Option<[u8; 32]>,
    },
    /// Makes, replaces or deletes a tenant policy.
    WritePolicy(TenantId, Box<PolicyWrite>),
    /// Says something of all policies of a tenant; whether it is the tests that are new is for the record.
    PutPolicySettings(TenantId, Box<PolicySettings>),
    /// Makes a group of a name that is not taken.
    CreateGroup(TenantId, Box<GroupRecord>),
    /// Replaces a group, and its name where that is another.
    ReplaceGroup {
        /// Whose.
        tenant: TenantId,
        /// The group by its name before.
        group: Principal,
        /// The group from now on.
        record: Box<GroupRecord>,
        /// The digest of what is replaced.
        before: [u8; 32],
    },
    /// Makes a user of a name that is not taken.
    CreateUser(TenantId, Box<UserRecord>),
    /// Replaces a user, and the name where that is another.
    ReplaceUser {
        /// Whose.
        tenant: TenantId,
        /// The name before.
        name: Principal,
        /// The user from now on.
        record: Box<UserRecord>,
        /// The digest of what is replaced.
        before: [u8; 32],
    },
    /// Deletes a user with their keys and memberships. The name stays known, and nobody may ask under it.
    DeleteUser {
        /// Whose.
        tenant: TenantId,
        /// The user.
        id: String,
        /// The user's name.
        name: Principal,
        /// The digest that it must have, if any will not do.
        expected: Option<[u8; 32]>,
    },
    /// Says something of the directory.
    PutSetting(TenantId, Setting),
    /// Makes a key.
    CreateKey(Box<KeyRecord>),
    /// Gives a key a new secret; the old one is refused from then on, or once the overlap is over.
    RotateKey {
        /// Whose; `None` for an operator's key.
        tenant: Option<TenantId>,
        /// The key.
        id: String,
        /// The keyed hash of the new secret.
        secret_hash: [u8; 32],
        /// Until when the old secret is taken as well.
        overlap_until: Option<Timestamp>,
    },
    /// Revokes a key.
    DeleteKey {
        /// Whose; `None` for an operator's key.
        tenant: Option<TenantId>,
        /// The key.
        id: String,
    },
    /// Refuses tokens that their issuer still stands by.
    Revoke(Box<Revocation>),
    /// Lets somebody in for a time.
    DeclareGrant(TenantId, Box<GrantRecord>),
    /// Ends an emergency grant before its time.
    EndGrant {
        /// Whose.
        tenant: TenantId,
        /// The grant.
        id: GrantId,
        /// Who ends it.
        by: String,
    },
}

impl Write {
    /// The tenant that is written to; `None` for an operator's key.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::CreateTenant { id: tenant, .. }
            | Self::DeleteTenant(tenant)
            | Self::PutCollection(tenant, _)
            | Self::DeleteCollection(tenant, _)
            | Self::PutFolder(tenant, _)
            | Self::DeleteFolder { tenant, .. }
            | Self::DeleteDocument { tenant, .. }
            | Self::RejectDocument { tenant, .. }
            | Self::ExpireDocument { tenant, .. }
            | Self::SetAcl { tenant, .. }
            | Self::PutGroup { tenant, .. }
            | Self::AddMember { tenant, .. }
            | Self::RemoveMember { tenant, .. }
            | Self::DeleteGroup { tenant, .. }
            | Self::WritePolicy(tenant, _)
            | Self::PutPolicySettings(tenant, _)
            | Self::CreateGroup(tenant, _)
            | Self::ReplaceGroup { tenant, .. }
            | Self::CreateUser(tenant, _)
            | Self::ReplaceUser { tenant, .. }
            | Self::DeleteUser { tenant, .. }
            | Self::DeclareGrant(tenant, _)
            | Self::EndGrant { tenant, .. }
            | Self::PutSetting(tenant, _) => Some(tenant),
            Self::PutDocument(document) => Some(&document.tenant),
            Self::ReworkDocument(rework) => Some(&rework.document.tenant),
            Self::CreateKey(key) => key.tenant.as_ref(),
            Self::Revoke(revocation) => Some(&revocation.tenant),
            Self::RotateKey { tenant, .. } | Self::DeleteKey { tenant, .. } => tenant.as_ref(),
        }
    }

    /// The document that is written to.
    pub(super) fn document(&self) -> Option<DocumentKey> {
        let key = |write: &DocumentWrite| (write.tenant.clone(), write.collection.clone(), write.id.clone());
        match self {
            Self::PutDocument(write) => Some(key(write)),
            Self::ReworkDocument(rework) => Some(key(&rework.document)),
            Self::DeleteDocument { tenant, collection, document }
            | Self::RejectDocument { tenant, collection, document, .. }
            | Self::ExpireDocument { tenant, collection, document, .. }
            | Self::SetAcl { tenant, collection, document, .. } => {
                Some((tenant.clone(), collection.clone(), document.clone()))
            }
            _ => None,
        }
    }
}

impl WriteRequest {
    /// About how many bytes it brings: what waiting and grouping are bounded by.
    pub(super) fn size(&self) -> usize {
        const OF_ANY: usize = 1024;
        let document = match &self.write {
            Write::PutDocument(document) => document,
            Write::ReworkDocument(rework) => &rework.document,
            _ => return OF_ANY,
        };
        let content: usize = match &document.body {
            DocumentBody::Active(chunks) => chunks.iter().map(chunk_size).sum(),
            DocumentBody::Quarantined { .. } => 0,
        };
        OF_ANY + content + document.source.as_ref().map_or(0, Vec::len)
    }
}

fn chunk_size(chunk: &DocumentChunk) -> usize {
    let vector = chunk.vector.as_ref().map_or(0, |vector| vector.dimensions() * size_of::<f32>());
    chunk.prepared.text().len() + chunk.prepared.heading().len() + vector
}

/// A document to be written. Its text can only come from the sanitiser.
#[derive(Clone, Debug)]
pub struct DocumentWrite {
    /// Whose.
    pub tenant: TenantId,
    /// Where.
    pub collection: CollectionId,
    /// Which.
    pub id: DocumentId,
    /// Who may read it; where it has a place among folders, that says so instead.
    pub acl: Acl,
    /// Where it lies among folders.
    pub placement: Option<Placement>,
    /// The sanitised title.
    pub title: Option<UntrustedText>,
    /// The sanitised URI.
    pub uri: Option<UntrustedText>,
    /// The checked metadata.
    pub metadata: Map<String, Value>,
    /// The keyed hash of the content, as it is shown.
    pub content_hash: String,
    /// Who ingests it.
    pub ingested_by: String,
    /// What the sanitiser saw.
    pub findings: Vec<Finding>,
    /// How many findings were taken out.
    pub removed: usize,
    /// Which version of the sanitiser saw it.
    pub sanitizer: String,
    /// The sealed original, where it is kept.
    pub source: Option<Vec<u8>>,
    /// Where its vectors come from: the collection may have been given another source since they were made.
    pub vectors: VectorSource,
    /// What becomes of it.
    pub body: DocumentBody,
}

/// A version of a tenant policy to be written.
#[derive(Clone, Debug)]
pub struct PolicyWrite {
    /// The version.
    pub record: PolicyRecord,
    /// The policy that was made of its text; `None` for a deletion.
    pub policy: Option<Arc<TenantPolicy>>,
    /// Why it is made although permission tests fail with it.
    pub forced: Option<String>,
}

/// What becomes of a document.
#[derive(Clone, Debug)]
pub enum DocumentBody {
    /// It is indexed.
    Active(Vec<DocumentChunk>),
    /// It is held back; what stood under its name is withdrawn.
    Quarantined {
        /// Why.
        reason: QuarantineReason,
    },
}

/// A document that is made anew from its original.
///
/// Who may read it, when and by whom it was ingested and its version stay what they are when it is committed, whatever `document` says.
#[derive(Clone, Debug)]
pub struct ReworkWrite {
    /// The document as it is to be.
    pub document: DocumentWrite,
    /// What it was made from.
    pub expected: Expected,
    /// Why it is made anew.
    pub cause: Cause,
    /// What a reviewer released it as, if one did.
    pub decision: Option<Decision>,
}

/// What must still be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The keyed hash of the content.
    pub content_hash: String,
    /// The digest of the sealed original.
    pub source_digest: Vec<u8>,
    /// Whether it is indexed.
    pub is_active: bool,
}

/// Why a document is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A reviewer released it.
    Released,
    /// Another version of the sanitiser made it.
    Reprocessed,
}

/// A write that is durable and visible to every read that begins now.
#[derive(Debug)]
pub struct Committed {
    /// The sealed revision of the tenant; empty where none was written to.
    pub revision: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Proof that it was recorded.
    pub receipt: Receipt,
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was nothing before.
    Created,
    /// Something was replaced or removed.
    Changed,
    /// What was written was there already.
    Unchanged,
}
