//! From text to terms: letters and digits, lower case, English stems.

use std::collections::{BTreeMap, HashMap};

use frostem::{Algorithm, Stemmer};

/// Longer words are not words; they are left out, of passages and queries alike.
const TERM_BYTES_MAX: usize = 64;
/// How many stems are remembered while many texts are cut.
const CACHE_WORDS_MAX: usize = 100_000;

/// Cuts texts into terms. The memory of stems saves time and changes no term.
#[derive(Default)]
pub(crate) struct Analyzer {
    stems: HashMap<String, Box<str>>,
}

impl Analyzer {
    /// Each distinct term with its count, in the order of its bytes, and the number of terms in all.
    pub(crate) fn count<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) -> (BTreeMap<Box<str>, u32>, u32) {
        let mut counts: BTreeMap<Box<str>, u32> = BTreeMap::new();
        let mut length = 0_u32;
        for text in texts {
            for word in text.split(|character: char| !character.is_alphanumeric()) {
                if word.is_empty() || word.len() > TERM_BYTES_MAX {
                    continue;
                }
                length = length.saturating_add(1);
                let stem = self.stem(word.to_lowercase());
                if let Some(count) = counts.get_mut(stem) {
                    *count = count.saturating_add(1);
                } else {
                    counts.insert(stem.into(), 1);
                }
            }
        }
        (counts, length)
    }

    fn stem(&mut self, word: String) -> &str {
        if self.stems.len() >= CACHE_WORDS_MAX {
            self.stems.clear();
        }
        self.stems.entry(word).or_insert_with_key(|word| Stemmer::new(Algorithm::English).stem(word).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, u32)], length: u32) {
        let (counts, found) = Analyzer::default().count([text]);
        let counts: Vec<_> = counts.iter().map(|(term, count)| (&**term, *count)).collect();
        assert_eq!(counts, expected);
        assert_eq!(found, length);
    }

    #[test]
    fn cuts_lowers_and_stems() {
        check("", &[], 0);
        check("Rotating keys: rotate the KEYS!", &[("key", 2), ("rotat", 2), ("the", 1)], 5);
        check("\"phrase AND (broken", &[("and", 1), ("broken", 1), ("phrase", 1)], 3);
        check(&"x".repeat(65), &[], 0);
        check("Straße", &[("straße", 1)], 1);
    }
}
