//! Identifiers. Each is its own type, checked where it is made.

use std::fmt;

use crate::error::InvalidName;

/// The longest tenant or collection name in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The longest document id in bytes.
const DOCUMENT_ID_BYTES_MAX: usize = 512;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks and wraps a name.
            ///
            /// # Errors
            /// [`InvalidName`] says which rule the name breaks.
            pub fn new(name: &str) -> Result<Self, InvalidName> {
                $check(name)?;
                Ok(Self(name.into()))
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// An isolated customer; nothing crosses between two tenants.
    TenantId,
    check_name
);
text_id!(
    /// A named set of documents of one tenant.
    CollectionId,
    check_name
);
text_id!(
    /// The name of a tenant policy.
    PolicyName,
    check_name
);
text_id!(
    /// The name of an emergency grant.
    GrantId,
    check_name
);
text_id!(
    /// The client's name for a document, unique in its collection.
    DocumentId,
    check_document_id
);

/// Letters, digits, `_`, `-` and `.`, starting with a letter or digit: safe in a path, a file name and a log line.
fn check_name(name: &str) -> Result<(), InvalidName> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(InvalidName::Length { max: NAME_BYTES_MAX });
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if !name.bytes().all(plain) || !name.as_bytes()[0].is_ascii_alphanumeric() {
        return Err(InvalidName::Characters);
    }
    Ok(())
}

fn check_document_id(id: &str) -> Result<(), InvalidName> {
    if id.is_empty() || id.len() > DOCUMENT_ID_BYTES_MAX {
        return Err(InvalidName::Length { max: DOCUMENT_ID_BYTES_MAX });
    }
    if id.chars().any(char::is_control) || id == "." || id == ".." {
        return Err(InvalidName::Characters);
    }
    Ok(())
}

/// A chunk's name: a keyed hash of its document and position, so that it neither counts nor tells.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId([u8; 16]);

impl ChunkId {
    /// Names the chunk at `ordinal` of a document, under the tenant's key.
    #[must_use]
    pub fn derive(key: &[u8; 32], collection: &CollectionId, document: &DocumentId, ordinal: u32) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key);
        for part in [b"chunk".as_slice(), collection.as_str().as_bytes(), document.as_str().as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        hasher.update(&ordinal.to_le_bytes());
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Self(bytes)
    }

    /// The bytes, which also give the order of equal scores.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ChunkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ChunkId({self})")
    }
}
