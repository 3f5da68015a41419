//! Postings of a large segment: a tantivy index in memory, of one field without norms, positions or store.
//!
//! Its documents are the segment's rows. Its own scoring is never asked: it counts what was deleted.

use std::{
    fmt,
    io::Write as _,
    ops::Range,
    sync::{Arc, OnceLock},
};

use tantivy::{
    Index, InvertedIndexReader, SegmentReader, TERMINATED, TantivyDocument,
    directory::{Directory as _, RamDirectory, TerminatingWrite as _},
    index::SegmentComponent,
    postings::{InvertedIndexSerializer, TermInfo},
    schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions},
};

use crate::lexical::postings::{Sink, Word};

/// What an empty index needs of memory while it is made.
const TEMPLATE_BYTES: usize = 1 << 20;
/// The parts of a tantivy segment that it needs to be opened, and that ours leaves empty.
const UNUSED: [SegmentComponent; 3] =
    [SegmentComponent::Store, SegmentComponent::FastFields, SegmentComponent::FieldNorms];

/// A tantivy index of one field.
pub(crate) struct Inverted {
    reader: Arc<InvertedIndexReader>,
}

impl Inverted {
    /// Takes the lists that `produce` gives to what it is given.
    pub(crate) fn build(rows: u32, produce: impl FnOnce(Sink<'_>)) -> Self {
        let mut lists = Lists::default();
        produce(&mut |word, list| lists.push(word.term, list));
        let reader = write(rows, &lists).expect("a directory in memory neither fills nor fails");
        Self { reader }
    }

    /// Where the list of a term lies.
    pub(crate) fn find(&self, term: &str) -> Option<TermInfo> {
        self.reader.terms().get(term).expect("a dictionary in memory can be read")
    }

    /// The rows that have the term, rising, and how often.
    pub(crate) fn read(&self, info: &TermInfo, mut each: impl FnMut(u32, u32)) {
        let blocks = self.reader.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs);
        let mut blocks = blocks.expect("postings in memory can be read");
        while blocks.block_len() > 0 && blocks.doc(0) != TERMINATED {
            for (row, count) in blocks.docs().iter().zip(blocks.freqs()) {
                each(*row, *count);
            }
            blocks.advance();
        }
    }

    /// The rows of each term that begins so.
    pub(crate) fn read_beginning(&self, beginning: &str, mut each: impl FnMut(u32, u32)) {
        let terms = self.reader.terms().range().ge(beginning);
        let mut terms = terms.into_stream().expect("a dictionary in memory can be read");
        while let Some((_, place)) = terms.next().filter(|(term, _)| term.starts_with(beginning.as_bytes())) {
            self.read(place, &mut each);
        }
    }

    /// All words, in their order.
    pub(crate) fn words(&self) -> Words {
        let mut words = Words::default();
        let mut terms = self.reader.terms().stream().expect("a dictionary in memory can be read");
        while let Some((term, place)) = terms.next() {
            let start = words.text.len();
            words.text.push_str(std::str::from_utf8(term).expect("terms are text"));
            let hash = Word::new(&words.text[start..]).hash;
            words.places.push((hash, start..words.text.len(), place.clone()));
        }
        // Terms came in the order of their bytes, which a stable sort keeps where hashes are equal.
        words.places.sort_by_key(|(hash, ..)| *hash);
        words
    }
}

/// The words of an index with the places of their lists.
#[derive(Default)]
pub(crate) struct Words {
    text: String,
    places: Vec<(u32, Range<usize>, TermInfo)>,
}

impl Words {
    pub(crate) fn get(&self, index: usize) -> Option<(Word<'_>, &TermInfo)> {
        let (hash, range, place) = self.places.get(index)?;
        Some((Word { hash: *hash, term: &self.text[range.clone()] }, place))
    }
}

/// Lists on their way into the order that tantivy wants: by the bytes of their terms.
#[derive(Default)]
struct Lists {
    text: String,
    entries: Vec<(u32, u32)>,
    lists: Vec<(Range<usize>, Range<usize>)>,
}

impl Lists {
    fn push(&mut self, term: &str, list: &[(u32, u32)]) {
        let (text, entries) = (self.text.len(), self.entries.len());
        self.text.push_str(term);
        self.entries.extend_from_slice(list);
        self.lists.push((text..self.text.len(), entries..self.entries.len()));
    }

    fn sorted(&self) -> Vec<(&str, &[(u32, u32)])> {
        let lists = self.lists.iter();
        let mut lists: Vec<_> =
            lists.map(|(text, entries)| (&self.text[text.clone()], &self.entries[entries.clone()])).collect();
        lists.sort_unstable_by_key(|(term, _)| *term);
        lists
    }
}

impl fmt::Debug for Inverted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Inverted({} terms)", self.reader.terms().num_terms())
    }
}

/// The lists are written as tantivy's own merge does, term by term: nothing is cut or stemmed twice.
fn write(rows: u32, lists: &Lists) -> tantivy::Result<Arc<InvertedIndexReader>> {
    let (schema, field) = schema();
    let index = Index::builder().schema(schema).create_in_ram()?;
    let segment = index.new_segment().with_max_doc(rows);
    for (component, bytes) in UNUSED.into_iter().zip(template()?) {
        let mut file = index.directory().open_write(&segment.relative_path(component))?;
        file.write_all(bytes)?;
        file.terminate()?;
    }
    let mut serializer = InvertedIndexSerializer::open(&segment)?;
    let mut fields = serializer.new_field(field, 0, None)?;
    for (term, list) in lists.sorted() {
        let count = u32::try_from(list.len()).expect("a segment has fewer rows");
        fields.new_term(term.as_bytes(), count, true)?;
        list.iter().for_each(|(row, count)| fields.write_doc(*row, *count, &[]));
        fields.close_term()?;
    }
    fields.close()?;
    serializer.close()?;
    SegmentReader::open(&segment)?.inverted_index(field)
}

fn schema() -> (Schema, Field) {
    let mut builder = Schema::builder();
    let indexing = TextFieldIndexing::default().set_index_option(IndexRecordOption::WithFreqs).set_fieldnorms(false);
    let field = builder.add_text_field("text", TextOptions::default().set_indexing_options(indexing));
    (builder.build(), field)
}

/// The unused parts, as an index without documents has them. Made once.
fn template() -> tantivy::Result<&'static [Vec<u8>]> {
    static TEMPLATE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    if let Some(parts) = TEMPLATE.get() {
        return Ok(parts);
    }
    let builder = Index::builder().schema(schema().0);
    let index = builder.single_segment_index_writer::<TantivyDocument>(RamDirectory::create(), TEMPLATE_BYTES)?;
    let segments = index.finalize()?.searchable_segments()?;
    let mut parts = Vec::new();
    for component in UNUSED {
        let segment = segments.first().expect("a finished index has its segment");
        parts.push(segment.open_read(component)?.read_bytes()?.to_vec());
    }
    Ok(TEMPLATE.get_or_init(|| parts))
}
