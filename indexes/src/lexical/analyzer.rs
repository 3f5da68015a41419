//! From text to terms: letters and digits, lower case, English stems; pairs of characters where a script has no spaces.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tantivy::tokenizer::{
    Language, LowerCaser, RawTokenizer, RemoveLongFilter, SimpleTokenizer, Stemmer, TextAnalyzer, TokenStream as _,
};

use crate::lexical::bigrams::Bigrams;

/// Longer words are not words; they are left out, of passages and queries alike.
const TERM_BYTES_MAX: usize = 64;
/// How many words are remembered from one text to the next.
const WORDS_MAX: usize = 100_000;

/// A term, as one analyzer numbers it. The number counts what that analyzer has seen, so it never leaves the building of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TermId(u32);

/// The terms of one text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Each distinct term, and how often it stands there.
    pub(crate) terms: Vec<(TermId, u32)>,
    /// How many terms there are in all.
    pub(crate) length: u32,
}

/// Cuts texts into terms. What it remembers saves time and changes no term.
pub(crate) struct Analyzer {
    cutter: TextAnalyzer,
    memory: Memory,
}

/// The stems of words seen before: most words of a text are.
struct Memory {
    stemmer: TextAnalyzer,
    words: HashMap<Box<str>, TermId>,
    ids: HashMap<Arc<str>, TermId>,
    terms: Vec<Arc<str>>,
}

impl Default for Analyzer {
    fn default() -> Self {
        // The filter takes away what is not below its limit.
        let long = RemoveLongFilter::limit(TERM_BYTES_MAX + 1);
        let cutter =
            TextAnalyzer::builder(SimpleTokenizer::default()).filter(Bigrams).filter(long).filter(LowerCaser).build();
        let stemmer = TextAnalyzer::builder(RawTokenizer::default()).filter(Stemmer::new(Language::English)).build();
        let memory = Memory { stemmer, words: HashMap::new(), ids: HashMap::new(), terms: Vec::new() };
        Self { cutter, memory }
    }
}

impl Analyzer {
    /// Forgets what it remembers if that is much. Ids given out before then mean nothing.
    pub(crate) fn trim(&mut self) {
        if self.memory.words.len() >= WORDS_MAX {
            self.memory.words.clear();
            self.memory.ids.clear();
            self.memory.terms.clear();
        }
    }

    /// The terms of a passage, which may be in several parts.
    pub(crate) fn count<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) -> Counts {
        let mut found: Vec<TermId> = Vec::new();
        for text in texts {
            let mut words = self.cutter.token_stream(text);
            while words.advance() {
                found.push(self.memory.term(&words.token().text));
            }
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
        &self.memory.terms[id.0 as usize]
    }
}

impl Memory {
    fn term(&mut self, word: &str) -> TermId {
        if let Some(id) = self.words.get(word) {
            return *id;
        }
        let mut stems = self.stemmer.token_stream(word);
        let stem: Arc<str> = if stems.advance() { stems.token().text.as_str().into() } else { word.into() };
        let id = *self.ids.entry(stem).or_insert_with_key(|stem| {
            let id = TermId(u32::try_from(self.terms.len()).expect("the memory is trimmed long before"));
            self.terms.push(stem.clone());
            id
        });
        self.words.insert(word.into(), id);
        id
    }
}

/// Each distinct term of a query with its count, in the order of its bytes.
///
/// A fresh analyzer each time: how long a query takes must not tell which words others have used.
pub(crate) fn query_terms(query: &str) -> BTreeMap<Box<str>, u32> {
    let mut analyzer = Analyzer::default();
    let counts = analyzer.count([query]);
    counts.terms.into_iter().map(|(id, count)| (analyzer.term(id).into(), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, u32)], length: u32) {
        let terms = query_terms(text);
        let terms: Vec<_> = terms.iter().map(|(term, count)| (&**term, *count)).collect();
        assert_eq!(terms, expected);
        assert_eq!(Analyzer::default().count([text]).length, length);
    }

    #[test]
    fn cuts_lowers_and_stems() {
        check("", &[], 0);
        check("Rotating keys: rotate the KEYS!", &[("key", 2), ("rotat", 2), ("the", 1)], 5);
        check("\"phrase AND (broken", &[("and", 1), ("broken", 1), ("phrase", 1)], 3);
        check(&"x".repeat(64), &[(&"x".repeat(64), 1)], 1);
        check(&"x".repeat(65), &[], 0);
        check("Straße", &[("straße", 1)], 1);
        check("鍵の交換 KEY交換", &[("key", 1), ("の交", 1), ("交換", 2), ("鍵の", 1)], 5);
        check(&"漢".repeat(100), &[("漢漢", 99)], 99);
    }

    #[test]
    fn remembers_without_changing_a_term() {
        let texts = ["Keys rotate", "the rotating key", "keys"];
        let mut analyzer = Analyzer::default();
        for text in texts.iter().chain(&texts) {
            let counts = analyzer.count([*text]);
            let terms: BTreeMap<Box<str>, u32> =
                counts.terms.iter().map(|(id, count)| (analyzer.term(*id).into(), *count)).collect();
            assert_eq!(terms, query_terms(text));
        }
    }
}
