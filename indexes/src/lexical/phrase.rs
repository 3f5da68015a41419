//! Phrases: which rows of a scope have words side by side.
//!
//! The postings say which rows have all the words; the text of those that may be among the best is then cut again and read.
//! So a phrase costs nothing to those who ask for none, and needs no positions in memory.
//!
//! It is exact as long as no more than [`READS_MAX`] rows of the scope, of those that the filter lets pass, have all the words. Of more, those are read that rank best by words,
//! equal ones in the order of their ids: a bound on the time that follows from the scope and the request alone.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use crate::{
    error::EngineError,
    lexical::{
        analyzer::{Cutter, Stems},
        bigrams::Runs,
        bm25,
        kind::AnalyzerKind,
        postings::Word,
        query::{Phrase, Words},
        statistics::terms_of,
    },
    segment::{LiveSegment, Row},
    vector::flat::rank,
};

/// Rows of a scope whose text one search reads at most for its phrases: a few hundredths of a second.
const READS_MAX: usize = 4_096;

const UNREAD: u8 = 0;
const HAS: u8 = 1;
const LACKS: u8 = 2;

/// The rows of a scope that have the phrases of a query.
pub(crate) struct PhraseFilter<'a> {
    segments: &'a [&'a LiveSegment],
    /// Of each segment the rows that have all the words, rising, and what reading them told.
    rows: Vec<Vec<(u32, AtomicU8)>>,
    readers: Mutex<BTreeMap<AnalyzerKind, Reader>>,
    /// Why a row could not be read.
    failure: OnceLock<EngineError>,
}

impl<'a> PhraseFilter<'a> {
    /// The filter of a query, if it has phrases; of rows that do not pass, nothing is asked.
    pub(crate) fn new(
        segments: &'a [&'a LiveSegment],
        words: &Words,
        passes: impl Fn(usize, usize) -> bool,
    ) -> Option<Self> {
        if words.phrases.is_empty() {
            return None;
        }
        let mut readers: BTreeMap<AnalyzerKind, Reader> = BTreeMap::new();
        let mut rows = Vec::with_capacity(segments.len());
        for (segment, live) in segments.iter().enumerate() {
            let kind = live.segment.analyzer;
            let reader = readers.entry(kind).or_insert_with(|| Reader::new(kind, words.phrases.iter()));
            let read = if reader.phrases.is_empty() { HAS } else { UNREAD };
            let mut candidates = reader.candidates(live);
            candidates.retain(|row| live.is_live(*row as usize) && passes(segment, *row as usize));
            rows.push(candidates.into_iter().map(|row| (row, AtomicU8::new(read))).collect());
        }
        let filter = Self { segments, rows, readers: Mutex::new(readers), failure: OnceLock::new() };
        filter.give_up_behind(READS_MAX, words);
        Some(filter)
    }

    /// Gives up on all rows that would have to be read but for the best by words, as many as may be.
    fn give_up_behind(&self, count: usize, words: &Words) {
        let unread = |(_, told): &&(u32, AtomicU8)| told.load(Ordering::Relaxed) == UNREAD;
        let places = self
            .rows
            .iter()
            .enumerate()
            .flat_map(|(segment, rows)| rows.iter().filter(unread).map(move |(row, _)| (segment, *row as usize)));
        let places: Vec<(usize, usize)> = places.collect();
        if places.len() <= count {
            return;
        }
        let scores = bm25::search(self.segments, words, 1, |_, _| false, &places).wanted;
        let key = |(place, score): &((usize, usize), Option<f32>)| {
            let segment = &self.segments[place.0].segment;
            (score.unwrap_or(0.0), segment.ids[place.1], segment.rows[place.1].chunk)
        };
        let mut ranked: Vec<_> = places.into_iter().zip(scores).collect();
        ranked.select_nth_unstable_by(count, |left, right| {
            let (left, right) = (key(left), key(right));
            // Pieces of one long passage have one id.
            rank((left.0, left.1), (right.0, right.1)).then(left.2.cmp(&right.2))
        });
        for ((segment, row), _) in &ranked[count..] {
            let rows = &self.rows[*segment];
            if let Ok(place) = rows.binary_search_by_key(row, |(row, _)| *row as usize) {
                rows[place].1.store(LACKS, Ordering::Relaxed);
            }
        }
    }

    /// Whether a row has them all.
    pub(crate) fn passes(&self, segment: usize, row: usize) -> bool {
        let rows = &self.rows[segment];
        let Ok(place) = rows.binary_search_by_key(&row, |(row, _)| *row as usize) else { return false };
        let told = &rows[place].1;
        match told.load(Ordering::Relaxed) {
            UNREAD => {
                let live = &self.segments[segment].segment;
                let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
                let read = readers.get_mut(&live.analyzer).map_or(Ok(false), |reader| reader.has(&live.rows[row]));
                let has = read.unwrap_or_else(|error| {
                    let _first = self.failure.set(error);
                    false
                });
                told.store(if has { HAS } else { LACKS }, Ordering::Relaxed);
                has
            }
            told => told == HAS,
        }
    }
}

impl PhraseFilter<'_> {
    /// Why a row could not be read, if one could not: then nothing of what passed counts.
    pub(crate) fn failure(&self) -> Option<EngineError> {
        self.failure.get().cloned()
    }
}

/// Reads passages of one analyzer for phrases.
struct Reader {
    cutter: Cutter,
    stems: Stems,
    /// Terms that a row must have.
    indexed: Vec<Box<str>>,
    /// The phrases in terms, without those that are one indexed word.
    phrases: Vec<Vec<String>>,
}

impl Reader {
    fn new<'a>(kind: AnalyzerKind, phrases: impl Iterator<Item = &'a Phrase> + Clone) -> Self {
        let indexed = terms_of(kind, phrases.clone().flat_map(|phrase| phrase.indexed.iter()).map(|word| &**word));
        let mut stems = Stems::new(kind);
        let open = phrases.filter(|phrase| !phrase.is_word());
        let phrases = open.map(|phrase| phrase.words.iter().map(|word| stems.of(word)).collect()).collect();
        Self { cutter: Cutter::new(Runs::Singles), stems, indexed: indexed.into_iter().collect(), phrases }
    }

    /// The rows that have every indexed term, rising; all where there is none.
    fn candidates(&self, live: &LiveSegment) -> Vec<u32> {
        let segment = &live.segment;
        let number = |row: usize| u32::try_from(row).expect("rows are counted in 32 bits");
        if let Some(forward) = segment.postings.forward() {
            let words: Vec<Word<'_>> = self.indexed.iter().map(|term| Word::new(term)).collect();
            let has_all = |row: &usize| words.iter().all(|word| forward.count(*row, *word).is_some());
            return live.live().filter(has_all).map(number).collect();
        }
        let mut rows: Option<Vec<u32>> = None;
        for term in &self.indexed {
            let Some(place) = segment.postings.find(Word::new(term)) else { return Vec::new() };
            let mut both = Vec::new();
            match rows {
                None => segment.postings.read(&place, |row, _| both.push(row)),
                Some(rows) => {
                    let mut rest = rows.into_iter().peekable();
                    segment.postings.read(&place, |row, _| {
                        while rest.next_if(|other| *other < row).is_some() {}
                        both.extend(rest.next_if_eq(&row));
                    });
                }
            }
            rows = Some(both);
        }
        rows.unwrap_or_else(|| live.live().map(number).collect())
    }

    /// Whether a row has each phrase in one of its parts.
    #[expect(clippy::disallowed_methods, reason = "the text is compared with what is asked and goes nowhere")]
    fn has(&mut self, row: &Row) -> Result<bool, EngineError> {
        let info = row.document.read_info()?;
        let title = info.title.as_ref().map_or("", |title| title.expose_untrusted());
        let chunk = row.document.read_chunk(row.chunk as usize)?;
        let prepared = chunk.prepared();
        let parts = [title, prepared.heading(), prepared.text().expose_untrusted()].map(|text| self.terms(text));
        let stands = |phrase: &Vec<String>, part: &Vec<String>| part.windows(phrase.len()).any(|words| words == phrase);
        Ok(self.phrases.iter().all(|phrase| parts.iter().any(|part| stands(phrase, part))))
    }

    fn terms(&mut self, text: &str) -> Vec<String> {
        let (cutter, stems, mut terms) = (&mut self.cutter, &mut self.stems, Vec::new());
        cutter.cut(text, |word| terms.push(stems.of(word)));
        terms
    }
}
