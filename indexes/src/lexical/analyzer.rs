//! From text to terms: letters and digits, lower case, stems of a language; pairs of characters where a script has no spaces.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tantivy::tokenizer::{
    LowerCaser, RawTokenizer, RemoveLongFilter, SimpleTokenizer, Stemmer, TextAnalyzer, TokenStream as _,
};

use crate::lexical::{
    bigrams::{Bigrams, Runs},
    kind::AnalyzerKind,
};

/// Longer words are not words; they are left out, of passages and queries alike.
const TERM_BYTES_MAX: usize = 64;
/// How many words are remembered from one text to the next.
const WORDS_MAX: usize = 100_000;

/// A term, as one analyzer numbers it. The number counts what that analyzer has seen, so it never leaves the building of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TermId(u32);

/// The terms of one passage.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Each distinct term, and how often it stands there, by the weight of where.
    pub(crate) terms: Vec<(TermId, u32)>,
    /// How many terms there are in all, weighted alike.
    pub(crate) length: u32,
}

/// Cuts texts into words: lower case, widths folded, not stemmed.
pub(crate) struct Cutter(TextAnalyzer);

impl Cutter {
    pub(crate) fn new(runs: Runs) -> Self {
        // The filter takes away what is not below its limit.
        let long = RemoveLongFilter::limit(TERM_BYTES_MAX + 1);
        let words = TextAnalyzer::builder(SimpleTokenizer::default()).filter(Bigrams(runs));
        Self(words.filter(long).filter(LowerCaser).build())
    }

    /// Gives each word of a text in order.
    pub(crate) fn cut(&mut self, text: &str, mut each: impl FnMut(&str)) {
        let mut words = self.0.token_stream(text);
        while words.advance() {
            each(&words.token().text);
        }
    }
}

/// What words are taken for the same: the stems of a kind.
pub(crate) struct Stems(Option<TextAnalyzer>);

impl Stems {
    pub(crate) fn new(kind: AnalyzerKind) -> Self {
        let build = |language| TextAnalyzer::builder(RawTokenizer::default()).filter(Stemmer::new(language)).build();
        Self(kind.language().map(build))
    }

    /// The term of a word.
    pub(crate) fn of<T: for<'a> From<&'a str>>(&mut self, word: &str) -> T {
        let Some(stemmer) = &mut self.0 else { return word.into() };
        let mut stems = stemmer.token_stream(word);
        if stems.advance() { stems.token().text.as_str().into() } else { word.into() }
    }
}

/// Cuts passages into terms. What it remembers saves time and changes no term.
pub(crate) struct Analyzer {
    pairs: Cutter,
    pairs_and_singles: Cutter,
    /// The terms of words seen before, by kind: most words of a text are.
    words: BTreeMap<AnalyzerKind, (Stems, HashMap<Box<str>, TermId>)>,
    ids: HashMap<Arc<str>, TermId>,
    terms: Vec<Arc<str>>,
}

impl Default for Analyzer {
    fn default() -> Self {
        Self {
            pairs: Cutter::new(Runs::Pairs),
            pairs_and_singles: Cutter::new(Runs::PairsAndSingles),
            words: BTreeMap::new(),
            ids: HashMap::new(),
            terms: Vec::new(),
        }
    }
}

impl Analyzer {
    /// Forgets what it remembers if that is much. Ids given out before then mean nothing.
    pub(crate) fn trim(&mut self) {
        if self.words.values().map(|(_, words)| words.len()).sum::<usize>() >= WORDS_MAX {
            self.words.clear();
            self.ids.clear();
            self.terms.clear();
        }
    }

    /// The terms of a passage, which may be in several parts, each of a weight: what stands in a heavier part counts as often.
    pub(crate) fn count<'a>(
        &mut self,
        kind: AnalyzerKind,
        parts: impl IntoIterator<Item = (&'a str, usize)>,
    ) -> Counts {
        let Self { pairs, pairs_and_singles, words, ids, terms } = self;
        let cutter = if kind == AnalyzerKind::Cjk { pairs_and_singles } else { pairs };
        let (stems, known) = words.entry(kind).or_insert_with(|| (Stems::new(kind), HashMap::new()));
        let mut found: Vec<TermId> = Vec::new();
        for (text, weight) in parts {
            cutter.cut(text, |word| {
                let id = known.get(word).copied().unwrap_or_else(|| {
                    let id = *ids.entry(stems.of(word)).or_insert_with_key(|term| {
                        let id = TermId(u32::try_from(terms.len()).expect("the memory is trimmed long before"));
                        terms.push(term.clone());
                        id
                    });
                    known.insert(word.into(), id);
                    id
                });
                found.extend(std::iter::repeat_n(id, weight));
            });
        }
        found.sort_unstable();
        let count = |run: &[TermId]| (run[0], u32::try_from(run.len()).unwrap_or(u32::MAX));
        Counts {
            terms: found.chunk_by(PartialEq::eq).map(count).collect(),
            length: u32::try_from(found.len()).unwrap_or(u32::MAX),
        }
    }

    /// What a term is.
    pub(crate) fn term(&self, id: TermId) -> &str {
        &self.terms[id.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(analyzer: &mut Analyzer, kind: AnalyzerKind, text: &str) -> (BTreeMap<String, u32>, u32) {
        let counts = analyzer.count(kind, [(text, 1)]);
        let terms = counts.terms.iter().map(|(id, count)| (analyzer.term(*id).to_owned(), *count)).collect();
        (terms, counts.length)
    }

    #[track_caller]
    fn check(kind: AnalyzerKind, text: &str, expected: &[(&str, u32)], length: u32) {
        let expected = expected.iter().map(|(term, count)| ((*term).to_owned(), *count)).collect();
        assert_eq!(terms(&mut Analyzer::default(), kind, text), (expected, length));
    }

    #[test]
    fn cuts_lowers_and_stems() {
        let english = AnalyzerKind::English;
        check(english, "", &[], 0);
        check(english, "Rotating keys: rotate the KEYS!", &[("key", 2), ("rotat", 2), ("the", 1)], 5);
        check(english, "\"phrase AND (broken", &[("and", 1), ("broken", 1), ("phrase", 1)], 3);
        check(english, &"x".repeat(64), &[(&"x".repeat(64), 1)], 1);
        check(english, &"x".repeat(65), &[], 0);
        check(english, "Straße", &[("straße", 1)], 1);
        check(english, "鍵の交換 KEY交換", &[("key", 1), ("の交", 1), ("交換", 2), ("鍵の", 1)], 5);
        check(english, &"漢".repeat(100), &[("漢漢", 99)], 99);
    }

    #[test]
    fn takes_for_the_same_what_the_kind_says() {
        check(AnalyzerKind::Plain, "Rotating keys rotate", &[("keys", 1), ("rotate", 1), ("rotating", 1)], 3);
        check(
            AnalyzerKind::German,
            "Schlüssel der Häuser, das Haus",
            &[("das", 1), ("der", 1), ("haus", 2), ("schlussel", 1)],
            5,
        );
        check(
            AnalyzerKind::Cjk,
            "鍵の交 keys",
            &[("keys", 1), ("の", 1), ("の交", 1), ("交", 1), ("鍵", 1), ("鍵の", 1)],
            6,
        );
    }

    #[test]
    fn counts_a_heavier_part_as_often() {
        let mut analyzer = Analyzer::default();
        let counts = analyzer.count(AnalyzerKind::Plain, [("key", 3), ("key door", 1), ("gone", 0)]);
        let counts: Vec<_> = counts.terms.iter().map(|(id, count)| (analyzer.term(*id), *count)).collect();
        assert_eq!(counts, [("key", 4), ("door", 1)]);
    }

    #[test]
    fn remembers_without_changing_a_term() {
        let texts = ["Keys rotate", "the rotating key", "keys", "鍵の交換"];
        let mut analyzer = Analyzer::default();
        for text in texts.iter().chain(&texts) {
            for kind in AnalyzerKind::ALL {
                assert_eq!(terms(&mut analyzer, kind, text), terms(&mut Analyzer::default(), kind, text));
            }
        }
    }
}
