//! Classes of cues, and finding them in a sentence.
//!
//! A cue is a word or phrase that means one of a few things in every language: *ignore*, *previous*, *instructions*, *your answer*. Rules speak of classes alone, so a language is added by adding words.

use std::{collections::BTreeMap, sync::LazyLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::sanitize::instruction::{
    disguise,
    fold::fold,
    lexicon,
    prelude::{Classes, DISGUISED, HEAD, START},
};

/// A cue in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cue {
    pub(super) classes: Classes,
    /// Where it begins and ends, counted in half words; an ideograph counts as half a word.
    pub(super) from: u16,
    pub(super) to: u16,
}

/// The entries of the lexicon as one automaton.
struct Lexicon {
    automaton: AhoCorasick,
    entries: Vec<Entry>,
}

struct Entry {
    /// What the word means as it stands.
    whole: Classes,
    /// What it means as a stem that goes on: `instruct*`.
    stem: Option<Classes>,
    /// Scripts without spaces have no word boundaries.
    bounded: bool,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(lexicon::all()));

impl Lexicon {
    fn new(groups: impl Iterator<Item = (Classes, &'static str)>) -> Self {
        let mut merged: BTreeMap<String, Entry> = BTreeMap::new();
        for (classes, words) in groups {
            for word in words.split('|').map(str::trim).filter(|word| !word.is_empty()) {
                let folded = fold(word.trim_end_matches('*')).replace('¦', "|");
                let bounded = folded.starts_with(|first: char| first.is_alphanumeric() && has_words(first));
                if word.contains(['ä', 'ö', 'ü', 'ß']) {
                    let plain = word.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue").replace('ß', "ss");
                    let plain = fold(plain.trim_end_matches('*'));
                    insert(&mut merged, plain, bounded, classes, word.ends_with('*'));
                }
                insert(&mut merged, folded, bounded, classes, word.ends_with('*'));
            }
        }
        for mark in disguise::marks() {
            // A short one stands in many a word.
            let bounded = mark.len() <= 5;
            merged.entry(mark).or_insert(Entry { whole: 0, stem: None, bounded }).whole |= DISGUISED;
        }
        // A table of transitions would take 27 MB and be slower for it: it does not fit into the processor's cache, and this does.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(merged.keys())
            .expect("the lexicon is a constant and tested");
        Self { automaton, entries: merged.into_values().collect() }
    }
}

fn insert(merged: &mut BTreeMap<String, Entry>, word: String, bounded: bool, classes: Classes, stem: bool) {
    let entry = merged.entry(word).or_insert(Entry { whole: 0, stem: None, bounded });
    entry.whole |= classes;
    if stem {
        entry.stem = Some(entry.stem.unwrap_or_default() | classes);
    }
}

/// Whether a script sets its words apart, and adds nothing to them at the front.
const fn has_words(character: char) -> bool {
    !matches!(character,
        '\u{590}'..='\u{6ff}' | '\u{e00}'..='\u{eff}' | '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7ff}')
}

/// The cues of a folded sentence, in order, and the union of their classes.
pub(super) fn cues(folded: &str, into: &mut Vec<Cue>) -> Classes {
    into.clear();
    let mut place = Place::default();
    let mut union = 0;
    for found in LEXICON.automaton.find_iter(folded) {
        let entry = &LEXICON.entries[found.pattern().as_usize()];
        let Some((meaning, end)) = meaning(entry, folded, found.start(), found.end()) else { continue };
        let from = place.advance(folded, found.start());
        let to = place.advance(folded, end);
        let mut classes = meaning;
        if begins_clause(&folded[..found.start()]) {
            classes |= START;
        }
        if is_head(&folded[place.at..]) {
            classes |= HEAD;
        }
        union |= classes;
        into.push(Cue { classes, from, to });
    }
    union
}

/// What an entry means where it was found, and where its word ends; `None` inside another word.
fn meaning(entry: &Entry, folded: &str, start: usize, end: usize) -> Option<(Classes, usize)> {
    if !entry.bounded {
        return Some((entry.whole, end));
    }
    let before = folded[..start].chars().next_back();
    if before.is_some_and(|before| before.is_alphanumeric() && has_words(before)) {
        return None;
    }
    if folded[..end].ends_with(|last: char| !last.is_alphanumeric()) {
        return Some((entry.whole, end));
    }
    let tail = &folded[end..];
    let rest = tail.find(|character: char| !character.is_alphanumeric() || !has_words(character));
    match rest.unwrap_or(tail.len()) {
        0 => Some((entry.whole, end)),
        rest => entry.stem.map(|classes| (classes, end + rest)),
    }
}

fn is_head(rest: &str) -> bool {
    rest.trim_start_matches([' ', ')', ']', '*', '"', '_', '>']).starts_with([':', ',', '：', '，', '、'])
        || rest.starts_with(" - ")
        || rest.starts_with(" — ")
        || rest.starts_with(" – ")
        || rest.starts_with(']')
}

/// Whether a word may stand between the beginning of a clause and its verb.
fn is_filler(word: &str) -> bool {
    matches!(
        word,
        "please"
            | "and"
            | "then"
            | "to"
            | "must"
            | "should"
            | "just"
            | "now"
            | "also"
            | "always"
            | "instead"
            | "simply"
            | "kindly"
            | "you"
            | "bitte"
            | "und"
            | "veuillez"
            | "пожалуйста"
            | "only"
            | "do"
    )
}

/// Fillers of two words, the second first.
const PAIRS: [(&str, &str); 2] = [("favor", "por"), ("favore", "per")];
/// No clause is looked for further back than this.
const LOOK_BACK_BYTES: usize = 64;

/// Whether what stands before a word ends a clause, so that the word begins one: where a command has its verb.
fn begins_clause(before: &str) -> bool {
    let mut before = before[before.ceil_char_boundary(before.len().saturating_sub(LOOK_BACK_BYTES))..].trim_end();
    loop {
        let word = last_word(before);
        if word.is_empty() {
            return !before.ends_with(['\'', '`', '/', '.', '_', '%', '$']);
        }
        let mut rest = &before[..before.len() - word.len()];
        if !is_filler(word) {
            let Some((_, first)) = PAIRS.iter().find(|(second, _)| *second == word) else { return false };
            let Some(shorter) = rest.strip_suffix(' ').filter(|shorter| last_word(shorter) == *first) else {
                return false;
            };
            rest = &shorter[..shorter.len() - first.len()];
        }
        before = rest.trim_end();
    }
}

/// The word that a text ends with; empty if it ends with something else.
fn last_word(text: &str) -> &str {
    let start = text.char_indices().rev().take_while(|(_, letter)| letter.is_alphanumeric()).last();
    start.map_or("", |(at, _)| &text[at..])
}

/// Counts half words up to a place in a folded sentence.
#[derive(Default)]
struct Place {
    at: usize,
    position: u16,
    in_word: bool,
}

impl Place {
    fn advance(&mut self, folded: &str, to: usize) -> u16 {
        let to = to.max(self.at);
        for character in folded[self.at..to].chars() {
            let is_letter = character.is_alphanumeric() || character == '_';
            if is_letter && !has_words(character) {
                self.position = self.position.saturating_add(1);
            } else if is_letter && !self.in_word {
                self.position = self.position.saturating_add(2);
            }
            self.in_word = is_letter && has_words(character);
        }
        self.at = to;
        self.position
    }
}
