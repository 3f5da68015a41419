//! What an audit record says. Never a text, a query, a passage or a secret.

use ringfence_indexes::TenantId;

/// One thing that was asked or done, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// The tenant whose log it belongs to; `None` for what concerns the server as a whole.
    pub tenant: Option<TenantId>,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// On what: a collection, `collection/document`, a group, a key id.
    pub resource: Option<String>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The request.
    pub request_id: String,
    /// The query, unreadable.
    pub query: Option<QueryDigest>,
    /// The documents whose text left.
    pub documents: Vec<String>,
    /// How many passages or entries left.
    pub count: usize,
}

impl AuditEvent {
    /// A request that was answered with 200, and nothing more to tell of it yet.
    #[must_use]
    pub fn new(tenant: Option<TenantId>, actor: Actor, action: Action, request_id: &str) -> Self {
        Self {
            tenant,
            actor,
            action,
            resource: None,
            status: 200,
            request_id: request_id.to_owned(),
            query: None,
            documents: Vec::new(),
            count: 0,
        }
    }
}

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Actor {
    /// The credential: a key id, or issuer and token id.
    pub credential: String,
    /// The principal that the credential names.
    pub principal: Option<String>,
    /// On whose behalf.
    pub acting_for: Option<String>,
    /// What for, as the application said that got the token.
    pub purpose: Option<String>,
}

impl Actor {
    /// The server itself.
    #[must_use]
    pub fn server() -> Self {
        Self { credential: "server".to_owned(), ..Self::default() }
    }
}

/// A query as it is recorded: equal queries of a tenant are recognised, none is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryDigest {
    /// Keyed hash, in hex.
    pub hash: String,
    /// The length in bytes, rounded up to a power of two.
    pub length_bucket: usize,
}

impl QueryDigest {
    /// The digest of a query under [`TenantKeys::query_key`](crate::seal::TenantKeys::query_key).
    #[must_use]
    pub fn new(key: &[u8; 32], query: &str) -> Self {
        let hash = blake3::keyed_hash(key, query.as_bytes());
        Self {
            hash: data_encoding::HEXLOWER.encode(&hash.as_bytes()[..16]),
            length_bucket: query.len().next_power_of_two(),
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What was done. The names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $variant,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable name in the log.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

actions! {
    /// A search.
    Search = "search",
    /// A document was read.
    ReadDocument = "document.read",
    /// Documents were listed.
    ListDocuments = "document.list",
    /// A document was written.
    PutDocument = "document.put",
    /// A document was deleted.
    DeleteDocument = "document.delete",
    /// A document's ACL was changed.
    SetAcl = "document.acl",
    /// Documents that are held back were listed.
    ListQuarantine = "quarantine.list",
    /// The original of a document that is held back was read.
    ReadQuarantined = "quarantine.read",
    /// A document that was held back was released.
    ReleaseQuarantined = "quarantine.release",
    /// A document that was held back was rejected: it is gone, with its original.
    RejectQuarantined = "quarantine.reject",
    /// Documents that an older sanitiser made were looked through.
    Reprocess = "reprocess",
    /// A document was made anew by a newer sanitiser.
    ReprocessDocument = "document.reprocess",
    /// It was asked why somebody may read a document.
    Explain = "document.explain",
    /// It was asked who can read a document.
    ExplainReaders = "document.readers",
    /// It was asked what somebody can read.
    ExplainDocuments = "principal.documents",
    /// It was asked what another ACL would open and close.
    SimulateAcl = "acl.simulate",
    /// Collections were listed.
    ListCollections = "collection.list",
    /// A collection's settings were read.
    ReadCollection = "collection.read",
    /// A collection was created or changed.
    PutCollection = "collection.put",
    /// A collection was deleted.
    DeleteCollection = "collection.delete",
    /// Folders were listed.
    ListFolders = "folder.list",
    /// A folder was read.
    ReadFolder = "folder.read",
    /// A folder was made, moved or given another ACL.
    PutFolder = "folder.put",
    /// A folder was deleted.
    DeleteFolder = "folder.delete",
    /// Groups were listed.
    ListGroups = "group.list",
    /// A group was read.
    ReadGroup = "group.read",
    /// A group was created or changed.
    PutGroup = "group.put",
    /// A member was added.
    AddMember = "group.member.add",
    /// A member was removed.
    RemoveMember = "group.member.remove",
    /// A group was deleted.
    DeleteGroup = "group.delete",
    /// Tenant policies were listed.
    ListPolicies = "policy.list",
    /// A tenant policy, its versions, the schema, the settings or the permission tests were read.
    ReadPolicy = "policy.read",
    /// A tenant policy was made or replaced.
    PutPolicy = "policy.put",
    /// A tenant policy was made although permission tests fail with it; the reason stands beside its name.
    ForcePolicy = "policy.force",
    /// A tenant policy was deleted.
    DeletePolicy = "policy.delete",
    /// It was asked what a change of policies would open and close.
    SimulatePolicy = "policy.simulate",
    /// The settings of policies, or the permission tests, were changed.
    PutPolicySettings = "policy.settings",
    /// The permission tests were run.
    TestPolicies = "policy.test",
    /// Users were listed or searched for.
    ListUsers = "user.list",
    /// A user was read.
    ReadUser = "user.read",
    /// A user was created or changed.
    PutUser = "user.put",
    /// A user was deleted.
    DeleteUser = "user.delete",
    /// The settings or the schemas of the directory were read.
    ReadDirectory = "directory.read",
    /// Who the directory lets ask was changed.
    PutDirectory = "directory.put",
    /// Attributes were declared.
    PutAttributes = "attributes.put",
    /// Keys were listed.
    ListKeys = "key.list",
    /// A key was created.
    CreateKey = "key.create",
    /// A key got a new secret.
    RotateKey = "key.rotate",
    /// A key was revoked.
    DeleteKey = "key.delete",
    /// Tokens were revoked.
    RevokeTokens = "token.revoke",
    /// Revocations were listed.
    ListRevocations = "token.revocations",
    /// An emergency grant was declared: somebody is let in where no ACL lets them in.
    DeclareGrant = "emergency.declare",
    /// An emergency grant was ended before its time.
    EndGrant = "emergency.end",
    /// Emergency grants were listed, or one was looked at.
    ListGrants = "emergency.list",
    /// Documents were read that an emergency grant alone opens; the record of the reading itself follows.
    UseGrant = "emergency.read",
    /// A token for one task was made.
    ExchangeToken = "token.exchange",
    /// Tenants were listed.
    ListTenants = "tenant.list",
    /// A tenant was created.
    CreateTenant = "tenant.create",
    /// A tenant was deleted.
    DeleteTenant = "tenant.delete",
    /// The audit log was read.
    ReadAudit = "audit.read",
    /// Writes whose records precede this one did not become durable: they were not acknowledged and did not happen.
    CommitFailed = "commit.failed",
    /// The end of the log was torn by a crash and cut off; `count` is the number of bytes.
    LogRepaired = "log.repaired",
    /// A request that fits no other action.
    Other = "other",
}
