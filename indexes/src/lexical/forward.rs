//! Forward lists: the terms of each row, row by row. The words of a slab, which many small classes share.
//!
//! A search reads the lists of the rows that it may see and of no others, one after the other in memory. There is no dictionary of a slab,
//! so neither the words of other classes nor how many there are can make a search longer.

use std::ops::Range;

use crate::lexical::{
    analyzer::{Analyzer, Counts},
    postings::Word,
};

/// The terms of rows: in each row in the order of [`Word`].
#[derive(Debug, Default)]
pub(crate) struct Forward {
    /// Where the entries of each row end.
    rows: Vec<u32>,
    /// The hash of each entry's term, rising within a row.
    hashes: Vec<u32>,
    /// How often the row has the term.
    counts: Vec<u32>,
    /// Where the bytes of each entry's term end.
    ends: Vec<u32>,
    terms: String,
}

impl Forward {
    /// The lists of rows given in order.
    pub(crate) fn build(rows: &[Counts], analyzer: &Analyzer) -> Self {
        let entries = rows.iter().map(|counts| counts.terms.len()).sum();
        let mut forward = Self::sized(rows.len(), entries, 0);
        let mut words: Vec<(Word<'_>, u32)> = Vec::new();
        for counts in rows {
            words.clear();
            words.extend(counts.terms.iter().map(|(term, count)| (Word::new(analyzer.term(*term)), *count)));
            words.sort_unstable_by_key(|(word, _)| *word);
            for (word, count) in &words {
                forward.hashes.push(word.hash);
                forward.counts.push(*count);
                forward.terms.push_str(word.term);
                forward.ends.push(small(forward.terms.len()));
            }
            forward.rows.push(small(forward.hashes.len()));
        }
        forward.terms.shrink_to_fit();
        forward
    }

    /// These rows of several, in this order: each a part and a row of it.
    pub(crate) fn gather(parts: &[&Self], order: &[(usize, usize)]) -> Self {
        let entries = |(part, row): &(usize, usize)| parts[*part].entries(*row);
        let bytes = |place: &(usize, usize)| parts[place.0].bytes(&entries(place));
        let (count, length) = order
            .iter()
            .fold((0, 0), |(count, length), place| (count + entries(place).len(), length + bytes(place).len()));
        let mut gathered = Self::sized(order.len(), count, length);
        for place in order {
            let (part, entries, bytes) = (parts[place.0], entries(place), bytes(place));
            let (from, to) = (bytes.start, gathered.terms.len());
            gathered.hashes.extend_from_slice(&part.hashes[entries.clone()]);
            gathered.counts.extend_from_slice(&part.counts[entries.clone()]);
            gathered.ends.extend(part.ends[entries].iter().map(|end| small(*end as usize - from + to)));
            gathered.terms.push_str(&part.terms[bytes]);
            gathered.rows.push(small(gathered.hashes.len()));
        }
        gathered
    }

    fn sized(rows: usize, entries: usize, bytes: usize) -> Self {
        Self {
            rows: Vec::with_capacity(rows),
            hashes: Vec::with_capacity(entries),
            counts: Vec::with_capacity(entries),
            ends: Vec::with_capacity(entries),
            terms: String::with_capacity(bytes),
        }
    }

    /// How often a row has a word; nothing if it has not.
    pub(crate) fn count(&self, row: usize, word: Word<'_>) -> Option<u32> {
        let entries = self.entries(row);
        let hashes = &self.hashes[entries.clone()];
        // Compared all, without a branch for each: most rows do not have the word, and a search that guesses costs more than some whole registers.
        let alike: u32 = hashes.iter().map(|hash| u32::from(*hash == word.hash)).sum();
        if alike == 0 {
            return None;
        }
        let mut alike = entries.zip(hashes).filter(|(_, hash)| **hash == word.hash).map(|(entry, _)| entry);
        alike.find(|entry| self.term(*entry) == word.term).map(|entry| self.counts[entry])
    }

    /// Each word of a row, in the order of [`Word`], and how often the row has it.
    pub(crate) fn words(&self, row: usize) -> impl Iterator<Item = (Word<'_>, u32)> {
        let word = |entry: usize| Word { hash: self.hashes[entry], term: self.term(entry) };
        self.entries(row).map(move |entry| (word(entry), self.counts[entry]))
    }

    fn entries(&self, row: usize) -> Range<usize> {
        row.checked_sub(1).map_or(0, |before| self.rows[before] as usize)..self.rows[row] as usize
    }

    fn term(&self, entry: usize) -> &str {
        &self.terms[self.bytes(&(entry..entry + 1))]
    }

    /// The bytes of the terms of entries.
    fn bytes(&self, entries: &Range<usize>) -> Range<usize> {
        let end = |entry: usize| entry.checked_sub(1).map_or(0, |last| self.ends[last] as usize);
        end(entries.start)..end(entries.end)
    }
}

/// A slab has at most some thousand rows of at most some thousand bytes.
fn small(length: usize) -> u32 {
    u32::try_from(length).expect("the lists of a slab stay far below 4 GiB")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{prop, proptest};

    use super::*;
    use crate::lexical::kind::AnalyzerKind;

    fn build(rows: &[Vec<u8>]) -> Forward {
        let mut analyzer = Analyzer::default();
        let text = |words: &Vec<u8>| words.iter().map(|word| format!("w{word} ")).collect::<String>();
        let counts: Vec<Counts> =
            rows.iter().map(|words| analyzer.count(AnalyzerKind::Plain, [(text(words).as_str(), 1)])).collect();
        Forward::build(&counts, &analyzer)
    }

    #[track_caller]
    fn check(forward: &Forward, rows: &[&Vec<u8>]) {
        for (row, words) in rows.iter().enumerate() {
            let mut expected: BTreeMap<String, u32> = BTreeMap::new();
            words.iter().for_each(|word| *expected.entry(format!("w{word}")).or_default() += 1);
            for word in (0..12).map(|word| format!("w{word}")) {
                assert_eq!(forward.count(row, Word::new(&word)), expected.get(&word).copied());
            }
            let found: Vec<(Word<'_>, u32)> = forward.words(row).collect();
            assert!(found.is_sorted_by_key(|(word, _)| *word));
            assert_eq!(
                found.into_iter().map(|(word, count)| (word.term.to_owned(), count)).collect::<BTreeMap<_, _>>(),
                expected
            );
        }
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() })]

        #[test]
        fn rows_keep_their_words_in_any_order(
            parts in prop::collection::vec(prop::collection::vec(prop::collection::vec(0_u8..10, 0..9), 1..20), 1..4),
            picks in prop::collection::vec((0_usize..1000, 0_usize..1000), 0..40),
        ) {
            let built: Vec<Forward> = parts.iter().map(|rows| build(rows)).collect();
            for (forward, rows) in built.iter().zip(&parts) {
                check(forward, &rows.iter().collect::<Vec<_>>());
            }
            let order: Vec<(usize, usize)> = picks.iter().map(|(part, row)| {
                let part = part % parts.len();
                (part, row % parts[part].len())
            }).collect();
            let gathered = Forward::gather(&built.iter().collect::<Vec<_>>(), &order);
            check(&gathered, &order.iter().map(|(part, row)| &parts[*part][*row]).collect::<Vec<_>>());
        }
    }
}
