//! Documents as rows: what is known of one in `documents`, its passages in `contents`, a source that is held back in `quarantine`.

mod statements;

use std::sync::Arc;

use ringfence_indexes::{Acl, CollectionId, Document, DocumentChunk, DocumentId, DocumentInfo, TenantId, Timestamp};
use ringfence_ingest::{QuarantineReason, UntrustedText};
use sqlx::FromRow;

use super::{
    StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
    form,
};

pub(super) use self::statements::{
    active_after, delete, delete_all, each_active, exists, fingerprints, head, heads, load, older_than, put, put_head,
};

/// Where a document lies.
pub(crate) type DocumentKey = (TenantId, CollectionId, DocumentId);

/// Whether a document is indexed or held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentStatus {
    /// It is indexed.
    Active,
    /// It is held back for review.
    Quarantined,
}

impl DocumentStatus {
    /// The name on the wire and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Quarantined => "quarantined",
        }
    }
}

/// What is stored of a document.
#[derive(Clone, Debug)]
pub enum StoredContent {
    /// Its passages.
    Active(Vec<DocumentChunk>),
    /// Its source, and why it is held back.
    Quarantined {
        /// The source as it came.
        source: Vec<u8>,
        /// Why.
        reason: QuarantineReason,
    },
}

/// A row of `documents`.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct DocumentRow {
    collection_id: String,
    document_id: String,
    status: String,
    acl: String,
    title: Option<String>,
    uri: Option<String>,
    metadata: String,
    content_hash: String,
    ingested_at: i64,
    ingested_by: String,
    version: i64,
    findings: String,
    removed: i64,
    fingerprint: Vec<u8>,
    content_digest: Vec<u8>,
    digest: Vec<u8>,
}

/// The row of `contents` or `quarantine` that belongs to a document.
pub(crate) enum ContentRow {
    Active { chunks: Vec<u8>, vectors: Vec<u8> },
    Quarantined { reason: &'static str, source: Vec<u8> },
}

impl ContentRow {
    fn new(content: &StoredContent) -> Result<Self, StoreError> {
        Ok(match content {
            StoredContent::Active(chunks) => {
                let (chunks, vectors) = form::write_chunks(chunks)?;
                Self::Active { chunks, vectors }
            }
            StoredContent::Quarantined { source, reason } => {
                Self::Quarantined { reason: form::reason_name(*reason), source: source.clone() }
            }
        })
    }

    fn digest(&self) -> [u8; 32] {
        match self {
            Self::Active { chunks, vectors } => active_digest(chunks, vectors),
            Self::Quarantined { reason, source } => quarantine_digest(reason, source),
        }
    }
}

fn active_digest(chunks: &[u8], vectors: &[u8]) -> [u8; 32] {
    RowDigest::of("contents").bytes(chunks).bytes(vectors).finish()
}

fn quarantine_digest(reason: &str, source: &[u8]) -> [u8; 32] {
    RowDigest::of("quarantine").text(reason).bytes(source).finish()
}

impl DocumentRow {
    /// The rows of a document.
    pub(crate) fn new(
        tenant: &TenantId,
        document: &Document,
        content: &StoredContent,
    ) -> Result<(Self, ContentRow), StoreError> {
        let info = &document.info;
        let content_row = ContentRow::new(content)?;
        let status = match content {
            StoredContent::Active(_) => DocumentStatus::Active,
            StoredContent::Quarantined { .. } => DocumentStatus::Quarantined,
        };
        let mut row = Self {
            collection_id: document.collection.as_str().to_owned(),
            document_id: document.id.as_str().to_owned(),
            status: status.name().to_owned(),
            acl: form::write_acl(&document.acl)?,
            title: form::write_label(info.title.as_ref()),
            uri: form::write_label(info.uri.as_ref()),
            metadata: form::write_metadata(&info.metadata)?,
            content_hash: info.content_hash.clone(),
            ingested_at: info.ingested_at.0,
            ingested_by: info.ingested_by.clone(),
            version: i64::from(info.version),
            findings: form::write_findings(&info.findings)?,
            removed: i64::try_from(info.removed).unwrap_or(i64::MAX),
            fingerprint: document.fingerprint().to_vec(),
            content_digest: content_row.digest().to_vec(),
            digest: Vec::new(),
        };
        row.seal(tenant);
        Ok((row, content_row))
    }

    /// This row as it would be, had it been written when and as often as another.
    pub(crate) fn is_same_but_for_time(&self, other: &Self) -> bool {
        let timeless = |row: &Self| Self {
            ingested_at: 0,
            version: 0,
            fingerprint: Vec::new(),
            digest: Vec::new(),
            ..row.clone()
        };
        timeless(self) == timeless(other)
    }

    /// Whether it is indexed.
    pub(crate) fn is_active(&self) -> bool {
        self.status == DocumentStatus::Active.name()
    }

    pub(crate) fn version(&self) -> Result<u32, StoreError> {
        u32::try_from(self.version).map_err(|_| self.damaged())
    }

    pub(crate) const fn ingested_at(&self) -> Timestamp {
        Timestamp(self.ingested_at)
    }

    pub(crate) fn acl(&self) -> Result<Acl, StoreError> {
        form::read_acl(&self.acl)
    }

    pub(super) fn digest(&self) -> Result<[u8; 32], StoreError> {
        digest_of(&self.digest)
    }

    fn seal(&mut self, tenant: &TenantId) {
        self.digest = self.compute_digest(tenant).to_vec();
    }

    fn compute_digest(&self, tenant: &TenantId) -> [u8; 32] {
        RowDigest::of("documents")
            .text(tenant.as_str())
            .text(&self.collection_id)
            .text(&self.document_id)
            .text(&self.status)
            .text(&self.acl)
            .maybe_text(self.title.as_deref())
            .maybe_text(self.uri.as_deref())
            .text(&self.metadata)
            .text(&self.content_hash)
            .int(self.ingested_at)
            .text(&self.ingested_by)
            .int(self.version)
            .text(&self.findings)
            .int(self.removed)
            .bytes(&self.fingerprint)
            .bytes(&self.content_digest)
            .finish()
    }

    fn damaged(&self) -> StoreError {
        // The id is the client's text; which row it is can be found by collection and digest.
        damaged(format!("a document of collection `{}`", self.collection_id))
    }

    fn check(self, tenant: &TenantId) -> Result<Self, StoreError> {
        if self.digest()? == self.compute_digest(tenant) { Ok(self) } else { Err(self.damaged()) }
    }

    /// The document with these passages; an error where the passages are not those that were written with it.
    fn read(self, chunks: &[u8], vectors: &[u8]) -> Result<Document, StoreError> {
        if active_digest(chunks, vectors) != *self.content_digest {
            return Err(self.damaged());
        }
        let chunks = form::read_chunks(chunks, vectors)?;
        self.with_chunks(chunks)
    }

    fn with_chunks(self, chunks: Vec<DocumentChunk>) -> Result<Document, StoreError> {
        let fault = || self.damaged();
        Ok(Document {
            collection: CollectionId::new(&self.collection_id).map_err(|_| fault())?,
            id: DocumentId::new(&self.document_id).map_err(|_| fault())?,
            acl: self.acl()?,
            info: Arc::new(DocumentInfo {
                version: self.version()?,
                metadata: form::read_metadata(&self.metadata)?,
                findings: form::read_findings(&self.findings)?,
                removed: usize::try_from(self.removed).map_err(|_| fault())?,
                ingested_at: Timestamp(self.ingested_at),
                title: self.title.map(UntrustedText::new),
                uri: self.uri.map(UntrustedText::new),
                content_hash: self.content_hash,
                ingested_by: self.ingested_by,
            }),
            chunks,
        })
    }
}
