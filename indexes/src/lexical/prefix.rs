//! A word that goes on: which terms it may become.
//!
//! Terms are stems, so a beginning that is longer than the stem of what is meant begins no term: `rotati` is meant for `rotation`, whose term is `rotat`.
//! Therefore the beginning is also completed by the endings of English, and what that stems to is looked for as well.
//! Which terms there are is asked of the scope's own segments, and only what live rows have counts for anything.

use std::collections::BTreeSet;

use crate::lexical::{
    analyzer::Stems,
    forward::Forward,
    kind::AnalyzerKind,
    postings::{Postings, Word},
};

/// Endings that English stems leave off, longest forms included.
const ENDINGS: [&str; 32] = [
    "s", "es", "ed", "ing", "ings", "er", "ers", "ion", "ions", "ation", "ations", "ment", "ments", "ness", "ly",
    "able", "ible", "ability", "ance", "ence", "ant", "ent", "al", "ally", "ful", "fully", "ive", "ity", "ize",
    "izing", "izes", "ized",
];

/// What the terms of one kind must be like to belong to a beginning.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    /// What was typed, and the same in the letters that the stems have: German ones write `ä` as `a`.
    beginnings: BTreeSet<Box<str>>,
    /// Shorter terms that a word with this beginning may have.
    stems: BTreeSet<Box<str>>,
}

impl Prefix {
    pub(crate) fn new(kind: AnalyzerKind, beginning: &str) -> Self {
        let mut stemmer = Stems::new(kind);
        let stem: Box<str> = stemmer.of(beginning);
        let mut beginnings = BTreeSet::from([beginning.into()]);
        if kind != AnalyzerKind::English && stem.chars().count() == beginning.chars().count() {
            beginnings.insert(stem.clone());
        }
        let mut stems = BTreeSet::from([stem]);
        if kind == AnalyzerKind::English {
            stems.extend(completions(beginning).map(|word| stemmer.of::<Box<str>>(&word)));
        }
        stems.retain(|stem| !beginnings.iter().any(|beginning| stem.starts_with(&**beginning)));
        Self { beginnings, stems }
    }

    /// The rows that have such a term, rising, and how often.
    pub(crate) fn rows(&self, postings: &Postings) -> Vec<(u32, u32)> {
        let mut rows = Vec::new();
        for beginning in &self.beginnings {
            postings.read_beginning(beginning, |row, count| rows.push((row, count)));
        }
        for stem in &self.stems {
            if let Some(place) = postings.find(Word::new(stem)) {
                postings.read(&place, |row, count| rows.push((row, count)));
            }
        }
        rows.sort_unstable();
        rows.chunk_by(|left, right| left.0 == right.0)
            .map(|same| {
                (same[0].0, same.iter().map(|(_, count)| count).fold(0, |sum: u32, count| sum.saturating_add(*count)))
            })
            .collect()
    }
}

impl Prefix {
    /// How often a row has such a term; nothing if it has none.
    pub(crate) fn count(&self, forward: &Forward, row: usize) -> Option<u32> {
        let begins = |term: &str| self.beginnings.iter().any(|beginning| term.starts_with(&**beginning));
        let begun = forward.words(row).filter(|(word, _)| begins(word.term)).map(|(_, count)| count);
        let stemmed = self.stems.iter().filter_map(|stem| forward.count(row, Word::new(stem)));
        begun.chain(stemmed).reduce(u32::saturating_add)
    }
}

/// Words that begin so: each ending whole, and each whose start stands there already.
fn completions(beginning: &str) -> impl Iterator<Item = String> {
    ENDINGS.iter().flat_map(move |ending| {
        let typed =
            (0..ending.len()).filter(|length| beginning.len() > *length && beginning.ends_with(&ending[..*length]));
        typed.map(move |length| format!("{beginning}{}", &ending[length..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexical::analyzer::Analyzer;

    #[track_caller]
    fn check(kind: AnalyzerKind, beginning: &str, found: &[&str], not: &[&str]) {
        let prefix = Prefix::new(kind, beginning);
        for inverted_rows_min in [0, usize::MAX] {
            let mut analyzer = Analyzer::default();
            let counts: Vec<_> = found.iter().chain(not).map(|word| analyzer.count(kind, [(*word, 1)])).collect();
            let postings = Postings::build(&counts, &analyzer, inverted_rows_min);
            let rows: Vec<usize> = prefix.rows(&postings).into_iter().map(|(row, _)| row as usize).collect();
            assert_eq!(rows, (0..found.len()).collect::<Vec<_>>(), "{kind:?} {beginning}");
            let forward = Forward::build(&counts, &analyzer);
            let by_row = |row: usize| prefix.count(&forward, row).map(|count| (u32::try_from(row).unwrap(), count));
            assert_eq!((0..counts.len()).filter_map(by_row).collect::<Vec<_>>(), prefix.rows(&postings));
        }
    }

    #[test]
    fn finds_what_begins_so() {
        let rotations = ["rotation", "rotate", "rotating", "rotations rotation"];
        check(AnalyzerKind::English, "rotat", &rotations, &["rota", "rote", "key"]);
        check(AnalyzerKind::English, "rotati", &rotations, &["rota", "rote", "key"]);
        check(AnalyzerKind::English, "rotation", &rotations, &["rota", "rote", "key"]);
        check(AnalyzerKind::English, "polic", &["policy", "policies", "police"], &["politics"]);
        check(AnalyzerKind::English, "policie", &["policy", "policies"], &["politics"]);
        check(AnalyzerKind::Plain, "rotati", &["rotation", "rotating"], &["rotate", "rotat"]);
        check(AnalyzerKind::German, "häus", &["häuslich"], &["katze"]);
        check(AnalyzerKind::Cjk, "交", &["鍵の交換", "交"], &["鍵の"]);
    }

    #[test]
    fn counts_every_term_of_a_row() {
        let mut analyzer = Analyzer::default();
        let counts = [analyzer.count(AnalyzerKind::Plain, [("key keys keyed door", 1)])];
        let postings = Postings::build(&counts, &analyzer, usize::MAX);
        assert_eq!(Prefix::new(AnalyzerKind::Plain, "key").rows(&postings), [(0, 3)]);
    }
}
