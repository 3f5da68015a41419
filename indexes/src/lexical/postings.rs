//! The immutable postings of one segment, in the form that fits its size and its owner. All forms give the same rows and counts.

use tantivy::postings::TermInfo;

use crate::lexical::{
    analyzer::{Analyzer, Counts, TermId},
    forward::Forward,
    inverted::{Inverted, Words},
    packed::{self, Packed},
};

/// Which rows have which term, and how often.
#[derive(Debug)]
pub(crate) enum Postings {
    /// Few rows.
    Packed(Packed),
    /// Many rows.
    Inverted(Inverted),
    /// Rows of many classes, which are read by row and not by term.
    Forward(Forward),
}

/// A term with its hash. Dictionaries are in this order: by hash, equal hashes by the bytes of the term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Word<'a> {
    pub(crate) hash: u32,
    pub(crate) term: &'a str,
}

impl<'a> Word<'a> {
    /// FNV-1a with the finaliser of SplitMix64. Terms that meet in a hash cost time within their own class, and nothing else.
    pub(crate) fn new(term: &'a str) -> Self {
        let hash = term
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self { hash: u32::try_from(hash >> 32).expect("32 bits"), term }
    }
}

/// Where a term's list lies in the postings that found it.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Packed { index: usize, count: u32 },
    Inverted(TermInfo),
}

impl Place {
    /// How many rows have the term.
    pub(crate) const fn count(&self) -> u32 {
        match self {
            Self::Packed { count, .. } => *count,
            Self::Inverted(info) => info.doc_freq,
        }
    }
}

/// What takes the lists of a segment's words, in their order.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(Word<'_>, &[(u32, u32)]);

impl Postings {
    /// The postings of rows given in order; a tantivy index from `inverted_rows_min` rows on.
    pub(crate) fn build(rows: &[Counts], analyzer: &Analyzer, inverted_rows_min: usize) -> Self {
        let mut entries: Vec<(TermId, u32, u32)> = Vec::new();
        for (row, counts) in (0_u32..).zip(rows) {
            entries.extend(counts.terms.iter().map(|(term, count)| (*term, row, *count)));
        }
        entries.sort_unstable();
        let lists = entries.chunk_by(|left, right| left.0 == right.0);
        let mut lists: Vec<(Word<'_>, &[_])> = lists.map(|list| (Word::new(analyzer.term(list[0].0)), list)).collect();
        lists.sort_unstable_by_key(|(word, _)| *word);
        Self::collect(rows.len(), inverted_rows_min, |sink| {
            let mut list = Vec::new();
            for (word, entries) in lists {
                list.clear();
                list.extend(entries.iter().map(|(_, row, count)| (*row, *count)));
                sink(word, &list);
            }
        })
    }

    /// The postings of several segments, one after the other, for this many rows in all;
    /// `rows` gives each old row its new one, rising, or none.
    pub(crate) fn merge(parts: &[(&Self, Vec<Option<u32>>)], rows: usize, inverted_rows_min: usize) -> Self {
        let mut cursors: Vec<Cursor<'_>> = parts.iter().map(|(postings, new)| Cursor::new(postings, new)).collect();
        Self::collect(rows, inverted_rows_min, |sink| {
            let mut list = Vec::new();
            let mut term = String::new();
            loop {
                let Some(next) = cursors.iter().filter_map(Cursor::word).min() else { return };
                term.clear();
                term.push_str(next.term);
                let word = Word { hash: next.hash, term: &term };
                list.clear();
                for (cursor, (_, new)) in cursors.iter_mut().zip(parts) {
                    if cursor.word() == Some(word) {
                        cursor.read(|row, count| list.extend(new[row as usize].map(|row| (row, count))));
                        cursor.advance();
                    }
                }
                if !list.is_empty() {
                    sink(word, &list);
                }
            }
        })
    }

    fn collect(rows: usize, inverted_rows_min: usize, produce: impl FnOnce(Sink<'_>)) -> Self {
        if rows >= inverted_rows_min {
            return Self::Inverted(Inverted::build(u32::try_from(rows).expect("a segment has fewer rows"), produce));
        }
        let mut builder = packed::Builder::default();
        produce(&mut |word, list| builder.push(word, list));
        Self::Packed(builder.finish())
    }

    /// Where the list of a word lies, if a row has it.
    pub(crate) fn find(&self, word: Word<'_>) -> Option<Place> {
        match self {
            Self::Packed(packed) => packed.find(word).map(|index| Place::Packed { index, count: packed.count(index) }),
            Self::Inverted(inverted) => inverted.find(word.term).map(Place::Inverted),
            Self::Forward(_) => by_row(),
        }
    }

    /// The rows of each term that begins so, term by term, and how often.
    pub(crate) fn read_beginning(&self, beginning: &str, each: impl FnMut(u32, u32)) {
        match self {
            Self::Packed(packed) => packed.read_beginning(beginning, each),
            Self::Inverted(inverted) => inverted.read_beginning(beginning, each),
            Self::Forward(_) => by_row(),
        }
    }

    /// The lists of rows, where that is the form.
    pub(crate) const fn forward(&self) -> Option<&Forward> {
        match self {
            Self::Forward(forward) => Some(forward),
            Self::Packed(_) | Self::Inverted(_) => None,
        }
    }

    /// The rows at a place that [`Self::find`] gave, rising, and how often each has the term.
    pub(crate) fn read(&self, place: &Place, each: impl FnMut(u32, u32)) {
        match (self, place) {
            (Self::Packed(packed), Place::Packed { index, .. }) => packed.read(*index, each),
            (Self::Inverted(inverted), Place::Inverted(info)) => inverted.read(info, each),
            _ => debug_assert!(false, "a place belongs to the postings that gave it"),
        }
    }
}

/// Rows of several classes are asked one by one: a list over all of them would tell of those that are hidden.
fn by_row<T: Default>() -> T {
    debug_assert!(false, "forward lists are read by row");
    T::default()
}

/// Walks through the words of a segment.
enum Cursor<'a> {
    Packed {
        packed: &'a Packed,
        index: usize,
    },
    Inverted {
        inverted: &'a Inverted,
        words: Words,
        index: usize,
    },
    /// The entries of the rows that are wanted, by word and then by row.
    Forward {
        entries: Vec<(Word<'a>, u32, u32)>,
        index: usize,
    },
}

impl<'a> Cursor<'a> {
    /// `new` says which rows are wanted.
    fn new(postings: &'a Postings, new: &[Option<u32>]) -> Self {
        match postings {
            Postings::Packed(packed) => Self::Packed { packed, index: 0 },
            Postings::Inverted(inverted) => Self::Inverted { inverted, words: inverted.words(), index: 0 },
            Postings::Forward(forward) => {
                let mut entries = Vec::new();
                for (row, _) in (0_u32..).zip(new).filter(|(_, new)| new.is_some()) {
                    entries.extend(forward.words(row as usize).map(|(word, count)| (word, row, count)));
                }
                entries.sort_unstable();
                Self::Forward { entries, index: 0 }
            }
        }
    }

    fn word(&self) -> Option<Word<'_>> {
        match self {
            Self::Packed { packed, index } => (*index < packed.len()).then(|| packed.word(*index)),
            Self::Inverted { words, index, .. } => words.get(*index).map(|(word, _)| word),
            Self::Forward { entries, index } => entries.get(*index).map(|(word, ..)| *word),
        }
    }

    fn read(&self, mut each: impl FnMut(u32, u32)) {
        match self {
            Self::Packed { packed, index } => packed.read(*index, each),
            Self::Inverted { inverted, words, index } => {
                if let Some((_, place)) = words.get(*index) {
                    inverted.read(place, each);
                }
            }
            Self::Forward { .. } => self.same().iter().for_each(|(_, row, count)| each(*row, *count)),
        }
    }

    fn advance(&mut self) {
        let same = self.same().len();
        match self {
            Self::Packed { index, .. } | Self::Inverted { index, .. } => *index += 1,
            Self::Forward { index, .. } => *index += same,
        }
    }

    /// The entries of the present word, where they lie row by row.
    fn same(&self) -> &[(Word<'a>, u32, u32)] {
        let Self::Forward { entries, index } = self else { return &[] };
        let rest = &entries[*index..];
        let Some((word, ..)) = rest.first() else { return &[] };
        &rest[..rest.iter().take_while(|(other, ..)| other == word).count()]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{any, prop, proptest};

    use super::*;
    use crate::lexical::kind::AnalyzerKind;

    fn build(rows: &[Vec<u8>], inverted_rows_min: usize) -> Postings {
        let mut analyzer = Analyzer::default();
        let text = |words: &Vec<u8>| words.iter().map(|word| format!("w{word} ")).collect::<String>();
        let counts: Vec<Counts> =
            rows.iter().map(|words| analyzer.count(AnalyzerKind::English, [(text(words).as_str(), 1)])).collect();
        Postings::build(&counts, &analyzer, inverted_rows_min)
    }

    fn build_forward(rows: &[Vec<u8>]) -> Postings {
        let mut analyzer = Analyzer::default();
        let text = |words: &Vec<u8>| words.iter().map(|word| format!("w{word} ")).collect::<String>();
        let counts: Vec<Counts> =
            rows.iter().map(|words| analyzer.count(AnalyzerKind::English, [(text(words).as_str(), 1)])).collect();
        Postings::Forward(Forward::build(&counts, &analyzer))
    }

    /// Everything that postings hold, read by walking and checked against finding.
    fn lists(postings: &Postings) -> BTreeMap<String, Vec<(u32, u32)>> {
        let mut cursor = Cursor::new(postings, &[]);
        let mut all = BTreeMap::new();
        while let Some(term) = cursor.word().map(|word| word.term.to_owned()) {
            let mut walked = Vec::new();
            cursor.read(|row, count| walked.push((row, count)));
            let place = postings.find(Word::new(&term)).unwrap();
            let mut found = Vec::new();
            postings.read(&place, |row, count| found.push((row, count)));
            assert_eq!((&walked, walked.len()), (&found, place.count() as usize));
            all.insert(term, walked);
            cursor.advance();
        }
        assert!(postings.find(Word::new("never")).is_none());
        all
    }

    fn expected(rows: &[Vec<u8>]) -> BTreeMap<String, Vec<(u32, u32)>> {
        let mut all: BTreeMap<String, Vec<(u32, u32)>> = BTreeMap::new();
        for (row, words) in (0..).zip(rows) {
            let mut counts: BTreeMap<u8, u32> = BTreeMap::new();
            words.iter().for_each(|word| *counts.entry(*word).or_default() += 1);
            for (word, count) in counts {
                all.entry(format!("w{word}")).or_default().push((row, count));
            }
        }
        all
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() })]

        #[test]
        fn all_forms_hold_the_same_and_merge_alike(
            parts in prop::collection::vec(prop::collection::vec(prop::collection::vec(0_u8..6, 0..9), 0..300), 1..4),
            forms in any::<u8>(),
            kept in 1_usize..5,
        ) {
            let mut survivors: Vec<Vec<u8>> = Vec::new();
            let mut maps = Vec::new();
            let mut built = Vec::new();
            for (index, rows) in parts.iter().enumerate() {
                let postings = match (forms >> (2 * index)) & 3 {
                    0 => build(rows, usize::MAX),
                    1 => build(rows, 0),
                    _ => build_forward(rows),
                };
                if postings.forward().is_none() {
                    assert_eq!(lists(&postings), expected(rows));
                }
                built.push(postings);
                let map = rows.iter().enumerate().map(|(row, words)| (row % kept == 0).then(|| {
                    survivors.push(words.clone());
                    u32::try_from(survivors.len() - 1).unwrap()
                }));
                maps.push(map.collect::<Vec<_>>());
            }
            let merged: Vec<_> = built.iter().zip(maps).collect();
            for inverted_rows_min in [0, usize::MAX] {
                let merged = Postings::merge(&merged, survivors.len(), inverted_rows_min);
                assert_eq!(lists(&merged), expected(&survivors));
            }
        }
    }
}
