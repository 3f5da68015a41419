//! A document as it was sent, and the form in which it is kept: a header, the content, the client's vectors; compressed, sealed, bound to its place.
//!
//! It is kept so that a reviewer can see what was held back, and so that a newer sanitiser can judge it anew. It is never indexed, and nobody without the scope `review` is given any of it.

use std::{cell::RefCell, collections::BTreeMap, fmt};

use miniz_oxide::{
    DataFormat,
    deflate::core::{CompressionStrategy, CompressorOxide, TDEFLFlush, TDEFLStatus, compress},
    inflate::decompress_to_vec_with_limit,
};
use ringfence_indexes::{CollectionId, DocumentId, Vector};
use ringfence_ingest::{Content, UntrustedText};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::draft::{DocumentInput, InputContent};
use crate::seal::Vault;

/// Fast rather than small: on prose the best level saves a sixth more and takes several times as long.
const LEVEL: u8 = 2;
/// What is shorter than this is not worth compressing.
const COMPRESS_BYTES_MIN: usize = 128;
/// The largest window that the format knows.
const WINDOW_BITS: u8 = 15;
const STORED: u8 = 0;
const DEFLATED: u8 = 1;

/// A document as it was sent.
pub struct Original {
    /// The title.
    pub title: Option<UntrustedText>,
    /// Where the client says that it comes from.
    pub uri: Option<UntrustedText>,
    /// The client's metadata.
    pub metadata: Map<String, Value>,
    /// The content.
    pub content: Content,
    /// The client's vectors of passages that are not served, by the index of the passage; those of the others lie with the passages.
    pub vectors: BTreeMap<u32, Vector>,
}

/// Where an original is kept, and how.
#[derive(Clone, Debug)]
pub struct Keeping {
    vault: Vault,
    place: String,
}

/// An original that does not open: the file was damaged, or is of another installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the kept original cannot be read")]
pub struct Unreadable;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    uri: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    metadata: Map<String, Value>,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    media_type: Option<String>,
    /// The lengths of the parts of the content in bytes.
    parts: Vec<usize>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Text,
    File,
    Chunks,
}

impl Keeping {
    /// The keeping of a document's original.
    #[must_use]
    pub fn new(vault: Vault, collection: &CollectionId, document: &DocumentId) -> Self {
        Self { vault, place: format!("{collection}/{document}") }
    }

    /// Adds the vectors of passages that are not served, compresses and seals.
    #[must_use]
    pub fn seal<'a>(&self, written: Written, vectors: impl Iterator<Item = (u32, &'a Vector)>) -> Vec<u8> {
        let mut plain = written.0;
        for (index, vector) in vectors {
            plain.extend_from_slice(&index.to_le_bytes());
            plain.extend_from_slice(&u32::try_from(vector.dimensions()).unwrap_or(u32::MAX).to_le_bytes());
            vector.values().iter().for_each(|value| plain.extend_from_slice(&value.to_le_bytes()));
        }
        self.vault.seal(&self.place, packed(plain))
    }

    /// Opens what was sealed here.
    ///
    /// # Errors
    /// [`Unreadable`] for anything else.
    pub fn open(&self, sealed: &[u8]) -> Result<Original, Unreadable> {
        let packed = self.vault.open(&self.place, sealed).ok_or(Unreadable)?;
        unpacked(&packed).and_then(|plain| read(&plain)).ok_or(Unreadable)
    }
}

/// An original that is written and not sealed yet.
pub struct Written(Vec<u8>);

impl Written {
    /// Writes a document as a client sent it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the original is kept as it came, sealed")]
    pub fn of_input(input: &DocumentInput) -> Self {
        let text = |text: &UntrustedText| text.expose_untrusted().to_owned();
        let labels = (input.title.as_ref().map(text), input.uri.as_ref().map(text), &input.metadata);
        match &input.content {
            InputContent::Whole(content) => write(labels, content),
            InputContent::Chunks(chunks) => {
                let texts: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.text.expose_untrusted().as_bytes()).collect();
                write_parts(labels, Kind::Chunks, None, &texts)
            }
        }
    }

    /// Writes an original again.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the original is kept as it came, sealed")]
    pub fn of_original(original: &Original) -> Self {
        let text = |text: &UntrustedText| text.expose_untrusted().to_owned();
        let labels = (original.title.as_ref().map(text), original.uri.as_ref().map(text), &original.metadata);
        write(labels, &original.content)
    }
}

type Labels<'a> = (Option<String>, Option<String>, &'a Map<String, Value>);

fn write(labels: Labels<'_>, content: &Content) -> Written {
    match content {
        Content::Text(text) => write_parts(labels, Kind::Text, None, &[text.as_bytes()]),
        Content::File { bytes, media_type } => write_parts(labels, Kind::File, media_type.clone(), &[bytes]),
        Content::Chunks(chunks) => {
            let texts: Vec<&[u8]> = chunks.iter().map(String::as_bytes).collect();
            write_parts(labels, Kind::Chunks, None, &texts)
        }
    }
}

fn write_parts((title, uri, metadata): Labels<'_>, kind: Kind, media_type: Option<String>, parts: &[&[u8]]) -> Written {
    let lengths = parts.iter().map(|part| part.len()).collect();
    let header = Header { title, uri, metadata: metadata.clone(), kind, media_type, parts: lengths };
    let header = serde_json::to_vec(&header).expect("a header has a JSON form");
    let mut plain = u32::try_from(header.len()).expect("a header is shorter than 4 GiB").to_le_bytes().to_vec();
    plain.reserve(header.len() + parts.iter().map(|part| part.len()).sum::<usize>());
    plain.extend_from_slice(&header);
    parts.iter().for_each(|part| plain.extend_from_slice(part));
    Written(plain)
}

fn read(plain: &[u8]) -> Option<Original> {
    let (length, rest) = number(plain)?;
    let (header, mut rest) = rest.split_at_checked(length)?;
    let header: Header = serde_json::from_slice(header).ok()?;
    let mut parts = Vec::with_capacity(header.parts.len());
    for length in header.parts {
        let (part, after) = rest.split_at_checked(length)?;
        parts.push(part.to_vec());
        rest = after;
    }
    let mut vectors = BTreeMap::new();
    while !rest.is_empty() {
        let (index, after) = number(rest)?;
        let (dimensions, after) = number(after)?;
        let (values, after) = after.split_at_checked(dimensions.checked_mul(size_of::<f32>())?)?;
        let values = values.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        vectors.insert(u32::try_from(index).ok()?, Vector::restore(values).ok()?);
        rest = after;
    }
    let text = |part: Vec<u8>| String::from_utf8(part).ok();
    let content = match header.kind {
        Kind::Text => Content::Text(text(parts.pop()?)?),
        Kind::File => Content::File { bytes: parts.pop()?, media_type: header.media_type },
        Kind::Chunks => Content::Chunks(parts.into_iter().map(text).collect::<Option<_>>()?),
    };
    Some(Original {
        title: header.title.map(UntrustedText::new),
        uri: header.uri.map(UntrustedText::new),
        metadata: header.metadata,
        content,
        vectors,
    })
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn packed(plain: Vec<u8>) -> Vec<u8> {
    if plain.len() >= COMPRESS_BYTES_MIN
        && let Ok(length) = u32::try_from(plain.len())
    {
        let mut packed = vec![0; plain.len()];
        packed[0] = DEFLATED;
        packed[1..5].copy_from_slice(&length.to_le_bytes());
        if let Some(deflated) = deflate(&plain, &mut packed[5..]) {
            packed.truncate(5 + deflated);
            return packed;
        }
    }
    let mut stored = plain;
    stored.insert(0, STORED);
    stored
}

/// Compresses into the room there is and gives the length; nothing where that is too little.
///
/// The compressor is kept from one text to the next: to set one up costs more than to compress a passage.
fn deflate(plain: &[u8], room: &mut [u8]) -> Option<usize> {
    thread_local! {
        static COMPRESSOR: RefCell<CompressorOxide> =
            RefCell::new(CompressorOxide::with_params(DataFormat::Raw, LEVEL, CompressionStrategy::Default, WINDOW_BITS));
    }
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        let (status, read, written) = compress(compressor, plain, room, TDEFLFlush::Finish);
        (status == TDEFLStatus::Done && read == plain.len()).then_some(written)
    })
}

fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    match packed.split_first()? {
        (&STORED, plain) => Some(plain.to_vec()),
        (&DEFLATED, rest) => {
            let (length, deflated) = number(rest)?;
            let plain = decompress_to_vec_with_limit(deflated, length).ok()?;
            (plain.len() == length).then_some(plain)
        }
        _ => None,
    }
}

impl fmt::Debug for Original {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Original({:?}, {} vectors)", self.content, self.vectors.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::seal::{MasterKey, TenantKeys};

    fn keeping(document: &str) -> Keeping {
        let tenant = ringfence_indexes::TenantId::new("acme").unwrap();
        let vault = TenantKeys::derive(&MasterKey::new([7; 32]), &tenant).vault();
        Keeping::new(vault, &CollectionId::new("wiki").unwrap(), &DocumentId::new(document).unwrap())
    }

    fn content() -> impl Strategy<Value = Content> {
        let bytes = proptest::collection::vec(any::<u8>(), 0..2000);
        prop_oneof![
            ".{0,900}".prop_map(Content::Text),
            (bytes, proptest::option::of("[a-z]{1,9}/[a-z]{1,9}"))
                .prop_map(|(bytes, media_type)| Content::File { bytes, media_type }),
            proptest::collection::vec(".{0,300}", 0..5).prop_map(Content::Chunks),
        ]
    }

    proptest! {
        #[test]
        fn what_is_kept_comes_back_as_it_was(
            content in content(),
            title in proptest::option::of(".{0,20}"),
            vector in proptest::collection::vec(0.1f32..1.0, 1..5),
        ) {
            let metadata = json!({"n": 1.5, "big": u64::MAX, "deep": [null, {"a": "é"}]}).as_object().unwrap().clone();
            let vectors = BTreeMap::from([(3, Vector::new(vector).unwrap())]);
            let original = Original { title: title.map(UntrustedText::new), uri: None, metadata, content, vectors };
            let seal = || {
                let vectors = original.vectors.iter().map(|(index, vector)| (*index, vector));
                keeping("a").seal(Written::of_original(&original), vectors)
            };
            let opened = keeping("a").open(&seal()).unwrap();
            prop_assert_eq!(seal(), seal());
            prop_assert_eq!(&opened.title, &original.title);
            prop_assert_eq!(&opened.metadata, &original.metadata);
            prop_assert_eq!(opened.vectors[&3].values(), original.vectors[&3].values());
            match (&opened.content, &original.content) {
                (Content::Text(one), Content::Text(other)) => prop_assert_eq!(one, other),
                (Content::Chunks(one), Content::Chunks(other)) => prop_assert_eq!(one, other),
                (Content::File { bytes, media_type }, Content::File { bytes: sent, media_type: declared }) => {
                    prop_assert_eq!((bytes, media_type), (sent, declared));
                }
                _ => prop_assert!(false, "another kind of content"),
            }
            prop_assert_eq!(keeping("b").open(&seal()).unwrap_err(), Unreadable);
        }
    }

    #[test]
    fn prose_is_kept_small_and_unseen() {
        let text = "Signing keys are rotated every ninety days, and the old ones stay valid for a week. ".repeat(40);
        let original = Original {
            title: None,
            uri: None,
            metadata: Map::new(),
            content: Content::Text(text.clone()),
            vectors: BTreeMap::new(),
        };
        let sealed = keeping("a").seal(Written::of_original(&original), std::iter::empty());
        assert!(sealed.len() < text.len() / 4, "{}", sealed.len());
        assert!(!sealed.windows(7).any(|window| window == b"Signing"));
    }
}
