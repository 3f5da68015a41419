//! Documents and chunks, as they come in and as the engine holds them.

use std::sync::Arc;

use ringfence_ingest::{Finding, PreparedChunk, UntrustedText};
use serde_json::{Map, Value};

use crate::{
    acl::{Acl, Timestamp},
    id::{ChunkId, CollectionId, DocumentId},
    sketch::Sketch,
    vector::Vector,
};

/// A document to be indexed. Its text can only come from the sanitiser.
///
/// ```compile_fail
/// let chunk = ringfence_indexes::DocumentChunk { prepared: "raw text".to_owned(), vector: None }; // a `PreparedChunk`, not a text
/// ```
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it lies.
    pub collection: CollectionId,
    /// Its name.
    pub id: DocumentId,
    /// Who may read it.
    pub acl: Acl,
    /// What travels beside its text.
    pub info: Arc<DocumentInfo>,
    /// Its passages in document order.
    pub chunks: Vec<DocumentChunk>,
}

/// A passage to be indexed, with its vector if it has one.
#[derive(Clone, Debug)]
pub struct DocumentChunk {
    /// The sanitised passage.
    pub prepared: PreparedChunk,
    /// Its place in the collection's vector space.
    pub vector: Option<Vector>,
}

/// What travels beside a document's text.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentInfo {
    /// The sanitised title.
    pub title: Option<UntrustedText>,
    /// Where the client says that it comes from.
    pub uri: Option<UntrustedText>,
    /// The client's metadata.
    pub metadata: Map<String, Value>,
    /// The keyed hash of the content, as it is shown.
    pub content_hash: String,
    /// When it was ingested.
    pub ingested_at: Timestamp,
    /// Who ingested it.
    pub ingested_by: String,
    /// How often it has changed.
    pub version: u32,
    /// What the sanitiser saw.
    pub findings: Vec<Finding>,
    /// How many findings were taken out.
    pub removed: usize,
    /// Which version of the sanitiser made its passages; `None` where an older server did not say.
    pub sanitizer: Option<String>,
}

/// A document that is readable through the scope that gave it.
pub type DocumentView = Arc<DocumentRecord>;

/// A live document of a snapshot.
#[derive(Clone, Debug)]
pub struct DocumentRecord {
    pub(crate) collection: CollectionId,
    pub(crate) id: DocumentId,
    pub(crate) acl: Arc<Acl>,
    pub(crate) info: Arc<DocumentInfo>,
    pub(crate) chunks: Arc<[Arc<ChunkRecord>]>,
    pub(crate) class: u32,
}

impl DocumentRecord {
    /// Where it lies.
    #[must_use]
    pub const fn collection(&self) -> &CollectionId {
        &self.collection
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> &DocumentId {
        &self.id
    }

    /// Who may read it.
    #[must_use]
    pub fn acl(&self) -> &Acl {
        &self.acl
    }

    /// What travels beside its text.
    #[must_use]
    pub fn info(&self) -> &DocumentInfo {
        &self.info
    }

    /// Its passages in document order.
    #[must_use]
    pub fn chunks(&self) -> &[Arc<ChunkRecord>] {
        &self.chunks
    }

    /// The hash that [`Document::fingerprint`] gives for the document this record was made of.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.acl, &self.info, self.chunks.iter().map(|chunk| (&chunk.prepared, chunk.vector.as_ref())))
    }
}

/// A live passage of a snapshot.
#[derive(Clone, Debug)]
pub struct ChunkRecord {
    pub(crate) id: ChunkId,
    pub(crate) prepared: PreparedChunk,
    pub(crate) vector: Option<Vector>,
    pub(crate) sketch: Sketch,
}

impl ChunkRecord {
    /// Its name.
    #[must_use]
    pub const fn id(&self) -> ChunkId {
        self.id
    }

    /// The sanitised passage.
    #[must_use]
    pub const fn prepared(&self) -> &PreparedChunk {
        &self.prepared
    }
}

impl Document {
    /// A hash over chunks, vectors, ACL and info: equal exactly where an index holds what the store holds.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let chunks = self.chunks.iter().map(|chunk| (&chunk.prepared, chunk.vector.as_ref()));
        fingerprint(&self.acl, &self.info, chunks)
    }
}

#[expect(clippy::disallowed_methods, reason = "the text goes into a hash and nowhere else")]
fn fingerprint<'a>(
    acl: &Acl,
    info: &DocumentInfo,
    chunks: impl Iterator<Item = (&'a PreparedChunk, Option<&'a Vector>)>,
) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    part(&acl.canonical_bytes());
    for text in [&info.title, &info.uri] {
        part(&[u8::from(text.is_some())]);
        part(text.as_ref().map_or("", UntrustedText::expose_untrusted).as_bytes());
    }
    part(Value::Object(info.metadata.clone()).to_string().as_bytes());
    part(info.content_hash.as_bytes());
    part(&info.ingested_at.0.to_le_bytes());
    part(info.ingested_by.as_bytes());
    part(&info.version.to_le_bytes());
    // A document of an older server has the fingerprint that it was given.
    if let Some(sanitizer) = &info.sanitizer {
        part(sanitizer.as_bytes());
    }
    let mut vector_bytes = Vec::new();
    for (chunk, vector) in chunks {
        part(chunk.text().expose_untrusted().as_bytes());
        part(chunk.heading().as_bytes());
        part(&chunk.ordinal().to_le_bytes());
        for edge in [chunk.span().start, chunk.span().end] {
            part(&(edge as u64).to_le_bytes());
        }
        let values = vector.map_or(&[][..], Vector::values);
        // In one piece: a hash of four bytes at a time costs more than all the rest of a document.
        vector_bytes.clear();
        values.iter().for_each(|value| vector_bytes.extend_from_slice(&value.to_le_bytes()));
        part(&vector_bytes);
    }
    *hasher.finalize().as_bytes()
}
