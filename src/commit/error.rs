//! Why a write did not happen.

/// How many folders one may lie in, one in the other.
pub const FOLDER_DEPTH_MAX: usize = 32;

/// Why a write did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// There is a tenant of that name.
    #[error("the tenant exists already")]
    TenantExists,
    /// There is a key of that id.
    #[error("the key exists already")]
    KeyExists,
    /// The tenant is not there.
    #[error("there is no such tenant")]
    NoTenant,
    /// The collection is not there.
    #[error("there is no such collection")]
    NoCollection,
    /// The document is not there.
    #[error("there is no such document")]
    NoDocument,
    /// Another content stands there than the one that was looked at.
    #[error("the document was written since it was looked at")]
    Moved,
    /// The folder is not there.
    #[error("there is no such folder")]
    NoFolder,
    /// The folder that it would lie in is not there.
    #[error("there is no such folder")]
    NoParent,
    /// The folder would lie in itself, or too deep.
    #[error("a folder lies in at most {FOLDER_DEPTH_MAX} others, and not in itself")]
    TooDeep,
    /// Something lies in the folder.
    #[error("documents or folders lie in this folder: move or delete them first")]
    FolderInUse,
    /// The lists of a document and of the folders that it lies in are together longer than an ACL may be.
    #[error("the ACLs of a document and of its folders have together more entries than an ACL may have")]
    AclTooLong,
    /// The group is not there.
    #[error("there is no such group")]
    NoGroup,
    /// The policy is not there.
    #[error("there is no such policy")]
    NoPolicy,
    /// The emergency grant is not there.
    #[error("there is no such emergency grant")]
    NoGrant,
    /// As many are in force as may be.
    #[error("too many emergency grants are in force: end one first")]
    TooManyGrants,
    /// There is a group of that name, or one that differs by case alone.
    #[error("the group exists already")]
    GroupExists,
    /// The user is not there.
    #[error("there is no such user")]
    NoUser,
    /// There is a user of that name, or one that differs by case alone.
    #[error("the user exists already")]
    UserExists,
    /// It was changed since it was read.
    #[error("it was changed meanwhile")]
    Stale,
    /// The user of that name was deleted, so that nobody may ask under it.
    #[error("nobody bears that name any more")]
    NoBearer,
    /// The key is not there.
    #[error("there is no such key")]
    NoKey,
    /// It would be the last operator's key that never expires.
    #[error("it is the last operator key that never expires: make another one first")]
    LastOperatorKey,
    /// The vectors are not of the collection's length, or its source of vectors was changed while it has documents.
    #[error("the vectors do not fit the collection")]
    VectorsDoNotFit,
    /// 507: the disk is full; nothing was written.
    #[error("the disk is full")]
    StorageFull,
    /// 503: nothing was acknowledged; after a restart it is whole or absent.
    #[error("writes are not possible now")]
    Unavailable,
}
