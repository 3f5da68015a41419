//! Postings of a large segment: a tantivy index in memory, of one field without norms, positions or store.
//!
//! Its documents are the segment's rows. Its own scoring is never asked: it counts what was deleted.

use std::{
    fmt,
    io::{self, Write as _},
    sync::{Arc, OnceLock},
};

use tantivy::{
    Index, InvertedIndexReader, SegmentReader, TERMINATED, TantivyDocument,
    directory::{Directory as _, RamDirectory, TerminatingWrite as _},
    index::SegmentComponent,
    postings::{InvertedIndexSerializer, TermInfo},
    schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions},
    termdict::TermStreamer,
};

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
    /// Writes lists in the order of their terms; `produce` is given what takes them.
    pub(crate) fn build(rows: u32, produce: impl FnOnce(&mut dyn FnMut(&str, &[(u32, u32)]))) -> Self {
        let reader = write(rows, produce).expect("a directory in memory neither fills nor fails");
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

    /// All terms, rising.
    pub(crate) fn terms(&self) -> TermStreamer<'_> {
        self.reader.terms().stream().expect("a dictionary in memory can be read")
    }
}

impl fmt::Debug for Inverted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Inverted({} terms)", self.reader.terms().num_terms())
    }
}

/// The lists are written as tantivy's own merge does, term by term: nothing is cut or stemmed twice.
fn write(
    rows: u32,
    produce: impl FnOnce(&mut dyn FnMut(&str, &[(u32, u32)])),
) -> tantivy::Result<Arc<InvertedIndexReader>> {
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
    let mut outcome: io::Result<()> = Ok(());
    produce(&mut |term, list| {
        if outcome.is_ok() {
            let count = u32::try_from(list.len()).expect("a segment has fewer rows");
            outcome = fields.new_term(term.as_bytes(), count, true).and_then(|()| {
                list.iter().for_each(|(row, count)| fields.write_doc(*row, *count, &[]));
                fields.close_term()
            });
        }
    });
    outcome?;
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
