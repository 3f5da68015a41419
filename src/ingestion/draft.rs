//! From what a client sent to what may be committed: labels checked, text prepared, passages embedded. Computing only, for the blocking pool.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_indexes::{DocumentChunk, DocumentId, EngineError, Vector, VectorSource};
use ringfence_ingest::{
    Content, Fault, Finding, ParsedDocument, PrepareError, PrepareOptions, Prepared, PreparedChunk, QuarantineReason,
    SanitizePolicy, Source, UntrustedText, needs_parser, prepare, prepare_parsed,
};
use serde_json::{Map, Value};

use super::{
    labels::{CleanLabels, InvalidLabel, clean},
    original::{Keeping, Original, Written},
};
use crate::embed::{EmbedFailure, Embedder};

/// A document as a client sent it, without its ACL.
#[derive(Clone, Debug)]
pub struct DocumentInput {
    /// The title; else the parser's, if the format has one.
    pub title: Option<UntrustedText>,
    /// Where the client says that it comes from.
    pub uri: Option<UntrustedText>,
    /// The client's metadata.
    pub metadata: Map<String, Value>,
    /// The folder that it lies in.
    pub parent: Option<DocumentId>,
    /// The content.
    pub content: InputContent,
}

/// The content of a document as a client sent it.
#[derive(Clone)]
pub enum InputContent {
    /// Text, or a file.
    Whole(Content),
    /// Passages that the client cut by itself.
    Chunks(Vec<ClientChunk>),
}

/// A passage that a client cut.
#[derive(Clone)]
pub struct ClientChunk {
    /// The text, not sanitised yet.
    pub text: UntrustedText,
    /// Its place in the client's vector space.
    pub vector: Option<Vec<f32>>,
}

/// What a collection says about what enters it.
#[derive(Clone, Debug)]
pub struct Intake {
    /// What to do with instructions.
    pub sanitize: SanitizePolicy,
    /// Accepted media types; empty accepts every supported one.
    pub accept: Vec<String>,
    /// Where vectors come from.
    pub vectors: VectorSource,
    /// Where the original is kept.
    pub keeping: Keeping,
    /// Whether the original is kept of what is not held back too.
    pub keeps_all: bool,
    /// The version of the sanitiser, as it is recorded.
    pub sanitizer: String,
}

/// A document that may be committed once its ACL is known.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The sanitised title.
    pub title: Option<UntrustedText>,
    /// The sanitised URI.
    pub uri: Option<UntrustedText>,
    /// The sanitised metadata.
    pub metadata: Map<String, Value>,
    /// The passages; none where the document is held back.
    pub chunks: Vec<DocumentChunk>,
    /// Whether a remote embedder has yet to be asked for their vectors.
    pub awaits_vectors: bool,
    /// The keyed hash of the content as it was sent, as it is shown.
    pub content_hash: String,
    /// What the sanitiser saw.
    pub findings: Vec<Finding>,
    /// How many findings were taken out.
    pub removed: usize,
    /// Whether the document is held back, and why.
    pub quarantine: Option<QuarantineReason>,
    /// The sealed original, where it is kept.
    pub source: Option<Vec<u8>>,
    /// The version of the sanitiser.
    pub sanitizer: String,
}

/// Why a document is refused. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// 422: a label.
    #[error(transparent)]
    Label(#[from] InvalidLabel),
    /// 415 or 422: the content.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// 422: the collection takes client vectors, and a passage has none.
    #[error("passage {0} needs a vector: this collection takes the client's")]
    VectorMissing(usize),
    /// 422: the collection has its own embedder.
    #[error("passage {0} has a vector, but this collection uses the built-in embedder")]
    VectorUnexpected(usize),
    /// 503: the embedder gives no vectors.
    #[error(transparent)]
    Embedder(#[from] EmbedFailure),
    /// 422: a vector that the collection cannot hold.
    #[error("the vector of passage {index} is refused: {reason}")]
    Vector {
        /// Which passage.
        index: usize,
        /// Why.
        reason: EngineError,
    },
}

/// Checks, prepares and embeds a document; a file that needs a parser comes with what the cage made of it.
///
/// # Errors
/// [`DraftError`] where it is refused as a whole.
#[expect(clippy::disallowed_methods, reason = "raw labels and text go into the sanitiser")]
pub fn draft(
    input: DocumentInput,
    parsed: Option<ParsedDocument>,
    intake: &Intake,
    embedder: &Embedder,
    content_key: &[u8; 32],
) -> Result<Draft, DraftError> {
    let title = opened(input.title.as_ref());
    let labels = clean(title.as_deref(), opened(input.uri.as_ref()).as_deref(), &input.metadata)?;
    let vectors = client_vectors(&input.content, intake.vectors)?;
    let written = Written::of_input(&input);
    let content = match input.content {
        InputContent::Whole(content) => content,
        InputContent::Chunks(chunks) => {
            Content::Chunks(chunks.iter().map(|chunk| chunk.text.expose_untrusted().to_owned()).collect())
        }
    };
    compose(Material { title, labels, content, parsed, vectors, written }, intake, embedder, content_key)
}

/// Judges an original anew, as [`draft`] did when it was sent.
///
/// # Errors
/// [`DraftError`] where it is refused now.
pub fn redraft(
    original: Original,
    parsed: Option<ParsedDocument>,
    intake: &Intake,
    embedder: &Embedder,
    content_key: &[u8; 32],
) -> Result<Draft, DraftError> {
    let title = opened(original.title.as_ref());
    let labels = clean(title.as_deref(), opened(original.uri.as_ref()).as_deref(), &original.metadata)?;
    let written = Written::of_original(&original);
    let vectors = match intake.vectors {
        VectorSource::Builtin { .. } => None,
        VectorSource::Client { .. } => Some(original.vectors),
    };
    let content = original.content;
    compose(Material { title, labels, content, parsed, vectors, written }, intake, embedder, content_key)
}

#[expect(clippy::disallowed_methods, reason = "raw labels go into the sanitiser")]
fn opened(text: Option<&UntrustedText>) -> Option<String> {
    text.map(|text| text.expose_untrusted().to_owned())
}

/// What a document is made of.
struct Material {
    title: Option<String>,
    labels: CleanLabels,
    content: Content,
    parsed: Option<ParsedDocument>,
    /// The client's, by passage; `None` where the built-in embedder makes them.
    vectors: Option<BTreeMap<u32, Vector>>,
    written: Written,
}

fn compose(
    material: Material,
    intake: &Intake,
    embedder: &Embedder,
    content_key: &[u8; 32],
) -> Result<Draft, DraftError> {
    let Material { title, labels, content, parsed, vectors, written } = material;
    let content_hash = content_hash(content_key, &content);
    let options = PrepareOptions { policy: intake.sanitize, accept: intake.accept.clone() };
    let prepared = prepare_content(title, content, parsed, &options)?;
    // What is held back stays out of every index, whatever the parser made of it.
    let passages = if prepared.quarantine.is_some() { Vec::new() } else { prepared.chunks };
    let title = prepared.title;
    let placed = match &vectors {
        Some(vectors) => {
            let own = passages.iter().map(|passage| own_vector(passage, vectors).map(Some));
            Some(own.collect::<Result<Vec<_>, _>>()?)
        }
        None => embedder.embed_passages(title.as_ref(), passages.iter())?,
    };
    let awaits_vectors = placed.is_none() && !passages.is_empty();
    let placed: Vec<Option<Vector>> = placed.unwrap_or_else(|| vec![None; passages.len()]);
    let placed = passages.into_iter().zip(placed);
    let chunks: Vec<DocumentChunk> = placed.map(|(prepared, vector)| DocumentChunk { prepared, vector }).collect();
    let is_kept = intake.keeps_all || prepared.quarantine.is_some();
    let source = is_kept.then(|| {
        let served: BTreeSet<u32> = chunks.iter().map(|chunk| chunk.prepared.ordinal()).collect();
        let unserved = vectors.iter().flatten().filter(|(index, _)| !served.contains(index));
        intake.keeping.seal(written, unserved.map(|(index, vector)| (*index, vector)))
    });
    Ok(Draft {
        title,
        uri: labels.uri,
        metadata: labels.metadata,
        chunks,
        awaits_vectors,
        content_hash,
        findings: prepared.findings,
        removed: prepared.removed,
        source,
        quarantine: prepared.quarantine,
        sanitizer: intake.sanitizer.clone(),
    })
}

/// Sanitises and cuts; no parser runs in this process.
///
/// # Errors
/// [`PrepareError`] where the content is refused.
pub(super) fn prepare_content(
    title: Option<String>,
    content: Content,
    parsed: Option<ParsedDocument>,
    options: &PrepareOptions,
) -> Result<Prepared, PrepareError> {
    match (parsed, &content) {
        (Some(parsed), _) => prepare_parsed(title, parsed, options),
        (None, Content::File { media_type, .. }) if needs_parser(media_type.as_deref()) => {
            Err(PrepareError::Unparseable(Fault::Crashed))
        }
        (None, _) => prepare(Source { title, content }, options),
    }
}

/// The client's vectors by passage; `None` where the built-in embedder makes them.
fn client_vectors(content: &InputContent, source: VectorSource) -> Result<Option<BTreeMap<u32, Vector>>, DraftError> {
    let given: Vec<Option<&Vec<f32>>> = match content {
        InputContent::Whole(_) => Vec::new(),
        InputContent::Chunks(chunks) => chunks.iter().map(|chunk| chunk.vector.as_ref()).collect(),
    };
    match source {
        VectorSource::Builtin { .. } => match given.iter().position(Option::is_some) {
            Some(index) => Err(DraftError::VectorUnexpected(index)),
            None => Ok(None),
        },
        // A whole text would be cut here, where the client cannot know the passages: it has no vectors to bring.
        VectorSource::Client { .. } if given.is_empty() => Err(DraftError::VectorMissing(0)),
        VectorSource::Client { dimensions } => {
            let check = |(index, values): (usize, &Option<&Vec<f32>>)| {
                let values = values.ok_or(DraftError::VectorMissing(index))?;
                let vector = check_vector(values, dimensions).map_err(|reason| DraftError::Vector { index, reason })?;
                Ok((u32::try_from(index).unwrap_or(u32::MAX), vector))
            };
            given.iter().enumerate().map(check).collect::<Result<_, _>>().map(Some)
        }
    }
}

fn check_vector(values: &[f32], expected: usize) -> Result<Vector, EngineError> {
    if values.len() != expected {
        return Err(EngineError::Dimensions { expected, found: values.len() });
    }
    Vector::new(values.to_vec())
}

/// The client's vector of a passage. A passage of which nothing was left is missing, so its number counts and not its place.
fn own_vector(passage: &PreparedChunk, vectors: &BTreeMap<u32, Vector>) -> Result<Vector, DraftError> {
    let index = passage.ordinal();
    let missing = || DraftError::VectorMissing(usize::try_from(index).unwrap_or(usize::MAX));
    vectors.get(&index).cloned().ok_or_else(missing)
}

/// Keyed by the tenant, so that nobody can test a guess about a text, and equal texts of two tenants do not meet.
pub(crate) fn content_hash(key: &[u8; 32], content: &Content) -> String {
    let mut hasher = blake3::Hasher::new_keyed(key);
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    match content {
        Content::Text(text) => {
            part(b"text");
            part(text.as_bytes());
        }
        Content::File { bytes, media_type } => {
            part(b"file");
            part(media_type.as_deref().unwrap_or_default().as_bytes());
            part(bytes);
        }
        Content::Chunks(chunks) => {
            part(b"chunks");
            chunks.iter().for_each(|chunk| part(chunk.as_bytes()));
        }
    }
    format!("blake3:{}", hasher.finalize().to_hex())
}

impl std::fmt::Debug for InputContent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(content) => content.fmt(formatter),
            Self::Chunks(chunks) => write!(formatter, "Chunks({})", chunks.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(vectors: &[Option<&[f32]>]) -> InputContent {
        let chunk = |vector: &Option<&[f32]>| ClientChunk {
            text: UntrustedText::new("a passage".to_owned()),
            vector: vector.map(<[f32]>::to_vec),
        };
        InputContent::Chunks(vectors.iter().map(chunk).collect())
    }

    #[track_caller]
    fn check(content: &InputContent, source: VectorSource, expected: Result<Option<usize>, &str>) {
        let found = client_vectors(content, source).map(|vectors| vectors.map(|vectors| vectors.len()));
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn takes_client_vectors_exactly_where_the_collection_does() {
        let (builtin, client) = (VectorSource::Builtin { dimensions: 2 }, VectorSource::Client { dimensions: 2 });
        let whole = InputContent::Whole(Content::Text("text".to_owned()));
        check(&whole, builtin, Ok(None));
        check(&whole, client, Err("passage 0 needs a vector: this collection takes the client's"));
        check(&chunks(&[None, None]), builtin, Ok(None));
        let unexpected = "passage 1 has a vector, but this collection uses the built-in embedder";
        check(&chunks(&[None, Some(&[1.0, 0.0])]), builtin, Err(unexpected));
        check(&chunks(&[Some(&[1.0, 0.0]), Some(&[0.0, 2.0])]), client, Ok(Some(2)));
        let missing = "passage 1 needs a vector: this collection takes the client's";
        check(&chunks(&[Some(&[1.0, 0.0]), None]), client, Err(missing));
    }

    #[test]
    fn refuses_vectors_that_mean_nothing() {
        for values in [&[1.0][..], &[0.0, 0.0], &[f32::NAN, 1.0], &[f32::INFINITY, 1.0]] {
            let refused = client_vectors(&chunks(&[Some(values)]), VectorSource::Client { dimensions: 2 });
            assert!(matches!(refused, Err(DraftError::Vector { index: 0, .. })), "{values:?}");
        }
    }

    #[test]
    fn hashes_content_under_the_key_and_by_its_kind() {
        let text = |text: &str| Content::Text(text.to_owned());
        let cut = |chunks: &[&str]| Content::Chunks(chunks.iter().map(|chunk| (*chunk).to_owned()).collect());
        let contents = [text("ab"), text("abc"), cut(&["ab"]), cut(&["a", "b"]), cut(&["", "ab"])];
        let mut hashes: Vec<_> = contents.iter().map(|content| content_hash(&[1; 32], content)).collect();
        hashes.push(content_hash(&[2; 32], &text("ab")));
        assert_eq!(hashes[0], content_hash(&[1; 32], &text("ab")));
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), contents.len() + 1);
    }
}
