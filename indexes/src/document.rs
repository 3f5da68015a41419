//! Documents and chunks, as they come in and as the engine holds them.

use std::sync::Arc;

use ringfence_ingest::{Finding, PreparedChunk, UntrustedText};
use serde_json::{Map, Value};

use crate::{
    acl::{Acl, Timestamp},
    body,
    error::EngineError,
    id::{ChunkId, CollectionId, DocumentId},
    sketch::Sketch,
    spill::Blob,
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

/// A document as it was read through a scope.
#[derive(Clone, Debug)]
pub struct DocumentRecord {
    pub(crate) entry: Arc<DocumentEntry>,
    info: DocumentInfo,
}

/// A passage as it was read through a scope.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkRecord {
    id: ChunkId,
    prepared: PreparedChunk,
}

/// A live document of a snapshot: what is needed to find it. The rest is set aside.
#[derive(Debug)]
pub(crate) struct DocumentEntry {
    pub(crate) collection: CollectionId,
    pub(crate) id: DocumentId,
    pub(crate) acl: Arc<Acl>,
    pub(crate) class: u32,
    pub(crate) version: u32,
    /// Nothing for a document without any, as most are.
    pub(crate) metadata: Option<Arc<Map<String, Value>>>,
    /// What travels beside the text.
    pub(crate) info: Arc<Blob>,
    pub(crate) chunks: Arc<[ChunkEntry]>,
}

/// A live passage of a snapshot.
#[derive(Debug)]
pub(crate) struct ChunkEntry {
    pub(crate) id: ChunkId,
    /// The sanitised passage.
    pub(crate) passage: Blob,
    /// The lower bytes of its vector, if it has one; the first bytes are in its segment.
    pub(crate) lows: Option<Blob>,
    /// How long the passage is, in bytes.
    pub(crate) length: u32,
}

impl DocumentEntry {
    /// About how many bytes of memory it takes, with its part of the indexes and with what is set aside.
    pub(crate) fn bytes(&self, dimensions: usize) -> u64 {
        const OF_DOCUMENT: usize = 700;
        const OF_CHUNK: usize = 500;
        let chunk = |chunk: &ChunkEntry| OF_CHUNK + chunk.length as usize + dimensions;
        (OF_DOCUMENT + self.chunks.iter().map(chunk).sum::<usize>()) as u64
    }

    /// What travels beside the text.
    pub(crate) fn read_info(&self) -> Result<DocumentInfo, EngineError> {
        body::read_info(self.info.read(&mut Vec::new())?, self.metadata.as_ref(), self.version)
    }

    /// The passage at a place.
    pub(crate) fn read_chunk(&self, place: usize) -> Result<ChunkRecord, EngineError> {
        let entry = &self.chunks[place];
        Ok(ChunkRecord { id: entry.id, prepared: body::read_chunk(entry.passage.read(&mut Vec::new())?)? })
    }

    /// Every passage, in document order.
    pub(crate) fn read_chunks(&self) -> Result<Vec<ChunkRecord>, EngineError> {
        (0..self.chunks.len()).map(|place| self.read_chunk(place)).collect()
    }

    /// The hash that [`Document::fingerprint`] gives for the document this entry was made of, with the vectors that its class holds.
    pub(crate) fn fingerprint(
        &self,
        vector: impl Fn(ChunkId, u32) -> Result<Option<Vector>, EngineError>,
    ) -> Result<[u8; 32], EngineError> {
        let chunks = self.read_chunks()?;
        let vectors =
            (0..).zip(&chunks).map(|(place, chunk)| vector(chunk.id, place)).collect::<Result<Vec<_>, _>>()?;
        let chunks = chunks.iter().zip(&vectors).map(|(chunk, vector)| (&chunk.prepared, vector.as_ref()));
        Ok(fingerprint(&self.acl, &self.read_info()?, chunks))
    }
}

impl DocumentRecord {
    pub(crate) fn read(entry: &Arc<DocumentEntry>) -> Result<Self, EngineError> {
        Ok(Self { info: entry.read_info()?, entry: Arc::clone(entry) })
    }

    /// Where it lies.
    #[must_use]
    pub fn collection(&self) -> &CollectionId {
        &self.entry.collection
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &DocumentId {
        &self.entry.id
    }

    /// Who may read it.
    #[must_use]
    pub fn acl(&self) -> &Acl {
        &self.entry.acl
    }

    /// What travels beside its text.
    #[must_use]
    pub const fn info(&self) -> &DocumentInfo {
        &self.info
    }

    /// How many passages it has.
    #[must_use]
    pub fn chunk_count(&self) -> usize {
        self.entry.chunks.len()
    }

    /// Whether both were read of the same state of one document: no write to it lies between them.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.entry, &other.entry)
    }

    /// Its passages in document order.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] where one does not come back as it was set aside.
    pub fn read_chunks(&self) -> Result<Vec<ChunkRecord>, EngineError> {
        self.entry.read_chunks()
    }
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

    /// What tells near duplicates.
    #[expect(clippy::disallowed_methods, reason = "the text goes into a sketch and nowhere else")]
    pub(crate) fn sketch(&self) -> Sketch {
        Sketch::of(self.prepared.text().expose_untrusted())
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
