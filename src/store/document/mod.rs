//! Documents as rows: what is known of one in `documents`, its passages in `contents`, why it is held back in `quarantine`, its original in `sources`.

mod kept;
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

pub use self::kept::{Kept, Outdated, PlaceAfter, Quarantined};
pub(super) use self::kept::{in_the_clear, kept, outdated, quarantined};
pub(super) use self::statements::{
    active_after, count, delete, delete_all, each_active, exists, fingerprints, head, heads, load, older_than, put,
    put_head,
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

/// What a reviewer released a document as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Without what speaks to the machine.
    Strip,
    /// With it, and saying so.
    Flag,
}

impl Decision {
    /// The name on the wire and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strip => "strip",
            Self::Flag => "flag",
        }
    }

    /// The decision of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Strip, Self::Flag].into_iter().find(|decision| decision.name() == name)
    }
}

/// What lies beside what is served of a document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beside {
    /// The sealed original, where it is kept.
    pub(crate) source: Option<Vec<u8>>,
    /// What a reviewer released it as, if one did.
    pub(crate) decision: Option<Decision>,
}

/// What becomes of the original in `sources` when a document is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SourceChange<'a> {
    /// It stays: the content is the same.
    Stays,
    /// This one takes its place, or none.
    Becomes(Option<&'a [u8]>),
}

/// What is stored of a document.
#[derive(Clone, Debug)]
pub enum StoredContent {
    /// Its passages.
    Active(Vec<DocumentChunk>),
    /// Why it is held back.
    Quarantined {
        /// Why.
        reason: QuarantineReason,
        /// The source as an older server kept it, in the clear; empty since originals are sealed.
        clear: Vec<u8>,
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
    sanitizer: Option<String>,
    source_digest: Option<Vec<u8>>,
    decision: Option<String>,
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
            StoredContent::Quarantined { reason, clear } => {
                Self::Quarantined { reason: form::reason_name(*reason), source: clear.clone() }
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

fn source_digest(sealed: &[u8]) -> [u8; 32] {
    RowDigest::of("sources").bytes(sealed).finish()
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
        beside: &Beside,
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
            sanitizer: info.sanitizer.clone(),
            source_digest: beside.source.as_deref().map(|sealed| source_digest(sealed).to_vec()),
            decision: beside.decision.map(|decision| decision.name().to_owned()),
            digest: Vec::new(),
        };
        row.seal(tenant);
        Ok((row, content_row))
    }

    /// The row of a document whose content stays: what lies beside it in this row lies beside it in that one.
    pub(crate) fn with_beside_of(mut self, before: &Self, tenant: &TenantId) -> Self {
        self.source_digest.clone_from(&before.source_digest);
        self.decision.clone_from(&before.decision);
        self.seal(tenant);
        self
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

    pub(crate) fn ingested_by(&self) -> &str {
        &self.ingested_by
    }

    pub(crate) fn content_hash(&self) -> &str {
        &self.content_hash
    }

    /// The digest of the sealed original, where one is kept.
    pub(crate) fn source_digest(&self) -> Option<&[u8]> {
        self.source_digest.as_deref()
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
        let digest = RowDigest::of("documents")
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
            .bytes(&self.content_digest);
        // A row of an older server has the digest that it was given.
        if self.sanitizer.is_none() && self.source_digest.is_none() && self.decision.is_none() {
            return digest.finish();
        }
        digest
            .maybe_text(self.sanitizer.as_deref())
            .maybe_bytes(self.source_digest.as_deref())
            .maybe_text(self.decision.as_deref())
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
                sanitizer: self.sanitizer,
            }),
            chunks,
        })
    }
}
