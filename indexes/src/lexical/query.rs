//! What a person typed: words, quoted phrases, and a last word that may go on. Any text is a query.
//!
//! Two signs mean something. Words between double quotes, opened before a word and closed behind one, must stand side by side,
//! unless the query is as long as a text; a `*` right behind the last word stands for its rest. Everything else, and a quote without its other half, is passed over as between words.

use std::collections::{BTreeMap, BTreeSet};

use crate::lexical::{
    analyzer::Cutter,
    bigrams::{Runs, is_lone, is_unspaced},
};

/// Phrases of one query that are obeyed; the words of further ones count like others.
const PHRASES_MAX: usize = 16;
/// In a longer query, quotes are those of a text that was pasted: they mark what somebody said and demand nothing.
const PHRASE_QUERY_WORDS_MAX: u32 = 32;
/// Fewer characters begin too many words to mean one.
const PREFIX_CHARACTERS_MIN: usize = 2;

/// A query in words, not yet stemmed: collections differ in what they take for the same word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// Each distinct word with its count, without the one that may go on.
    pub(crate) counts: BTreeMap<Box<str>, u32>,
    /// The phrases that must stand in a passage.
    pub(crate) phrases: BTreeSet<Phrase>,
    /// The beginning of a word that any end fits to.
    pub(crate) prefix: Option<Box<str>>,
}

/// Words that must stand side by side, in a form that tells neighbours: one character a word where a script has no spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Phrase {
    pub(crate) words: Vec<Box<str>>,
    /// Words that the postings of a passage with the phrase have.
    pub(crate) indexed: BTreeSet<Box<str>>,
}

impl Phrase {
    /// Whether its postings tell all: one whole word.
    pub(crate) fn is_word(&self) -> bool {
        self.words.len() == 1 && self.indexed.len() == 1
    }
}

impl Words {
    /// Reads a query; `goes_on` says that the last word may, whether or not a `*` does.
    ///
    /// A fresh cutter each time: how long a query takes must not tell which words others have used.
    pub(crate) fn parse(query: &str, goes_on: bool) -> Self {
        let mut words = Self::default();
        let mut pairs = Cutter::new(Runs::Pairs);
        let mut cut = |text: &str, each: &mut dyn FnMut(&str)| pairs.cut(text, each);
        for quoted in quoted(query).take(PHRASES_MAX) {
            let mut phrase = Phrase::default();
            cut(quoted, &mut |word| {
                if !is_lone(word) {
                    phrase.indexed.insert(word.into());
                }
            });
            Cutter::new(Runs::Singles).cut(quoted, |word| phrase.words.push(word.into()));
            if !phrase.words.is_empty() {
                words.phrases.insert(phrase);
            }
        }
        let mut last = None;
        let (head, tail) = query.split_at(last_word(query, goes_on));
        cut(head, &mut |word| *words.counts.entry(word.into()).or_default() += 1);
        cut(tail, &mut |word| {
            if let Some(before) = last.replace(Box::from(word)) {
                *words.counts.entry(before).or_default() += 1;
            }
        });
        words.prefix = last;
        if words.counts.values().sum::<u32>() > PHRASE_QUERY_WORDS_MAX {
            words.phrases.clear();
        }
        words
    }
}

const fn is_quote(character: char) -> bool {
    matches!(character, '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '＂')
}

/// What stands between quotes, each opened before a word and closed behind one.
fn quoted(query: &str) -> impl Iterator<Item = &str> {
    let mut quotes = query.char_indices().filter(|(_, character)| is_quote(*character));
    let beside = move |(place, quote): &(usize, char)| {
        (query[..*place].chars().next_back(), query[place + quote.len_utf8()..].chars().next())
    };
    let is_word = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    // Beside a character of a script without spaces a quote may stand anywhere.
    let is_free = |before: Option<char>, after: Option<char>| [before, after].into_iter().flatten().any(is_unspaced);
    std::iter::from_fn(move || {
        let (start, quote) = quotes.find(|quote| {
            let (before, after) = beside(quote);
            (!is_word(before) || is_free(before, after)) && after.is_some_and(|after| !after.is_whitespace())
        })?;
        let (end, _) = quotes.find(|quote| {
            let (before, after) = beside(quote);
            !is_word(after) || is_free(before, after)
        })?;
        Some(&query[start + quote.len_utf8()..end])
    })
}

/// Where the word starts that may go on; the query's end if none may.
fn last_word(query: &str, goes_on: bool) -> usize {
    let typed = query.trim_end();
    let (word, has_sign) = typed.strip_suffix('*').map_or((typed, false), |word| (word, true));
    let goes_on = has_sign || (goes_on && typed.len() == query.len());
    if !goes_on {
        return query.len();
    }
    let start = word.char_indices().rev().take_while(|(_, character)| character.is_alphanumeric()).last();
    let Some((start, first)) = start else { return query.len() };
    let is_long = word[start..].chars().count() >= PREFIX_CHARACTERS_MIN;
    if is_long || is_unspaced(first) { start } else { query.len() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_oneof, proptest};

    use super::*;

    #[track_caller]
    fn check(query: &str, words: &str, phrases: &[&str], prefix: Option<&str>) {
        let parsed = Words::parse(query, false);
        let list: Vec<&str> =
            parsed.counts.iter().flat_map(|(word, count)| std::iter::repeat_n(&**word, *count as usize)).collect();
        assert_eq!(list.join(" "), words, "{query}");
        let found: BTreeSet<String> = parsed.phrases.iter().map(|phrase| phrase.words.join(" ")).collect();
        assert_eq!(found, phrases.iter().map(|phrase| (*phrase).to_owned()).collect(), "{query}");
        assert_eq!(parsed.prefix.as_deref(), prefix, "{query}");
    }

    #[test]
    fn reads_words_phrases_and_a_last_word_that_goes_on() {
        check("Rotate the keys, keys!", "keys keys rotate the", &[], None);
        check("\"Signing Keys\" rotate", "keys rotate signing", &["signing keys"], None);
        check("say “zero trust” and «audit log»", "and audit log say trust zero", &["zero trust", "audit log"], None);
        check("how to rotat*", "how to", &[], Some("rotat"));
        check("rotat* ", "", &[], Some("rotat"));
        check("well-known*", "well", &[], Some("known"));
        check("a*", "a", &[], None);
        check("鍵*", "", &[], Some("鍵"));
        check("**", "", &[], None);
        check("rot* keys", "keys rot", &[], None);
        check("「鍵の交換」 \"鍵の交換\"", "の交 の交 交換 交換 鍵の 鍵の", &["鍵 の 交 換"], None);
        check("API\"鍵\"の", "api の 鍵", &["鍵"], None);
    }

    #[test]
    fn passes_over_quotes_that_are_none() {
        check("\"unbalanced words", "unbalanced words", &[], None);
        check("a 5\" pipe and a 3\" one", "3 5 a a and one pipe", &[], None);
        check("\"\" \" \" \"!\"", "", &[], None);
        check(&"\"".repeat(8192), "", &[], None);
        check("AND OR NOT (a:b)^2 ~x [1 TO 2] \\ /", "1 2 2 a and b not or to x", &[], None);
        check("🔑🔑 \"🔑\"", "", &[], None);
    }

    #[test]
    fn lets_the_last_word_go_on_where_asked() {
        assert_eq!(Words::parse("how to rotat", true).prefix.as_deref(), Some("rotat"));
        // A blank behind it says that the word is whole.
        assert_eq!(Words::parse("how to rotat ", true).prefix, None);
        assert_eq!(Words::parse("x", true).prefix, None);
    }

    #[test]
    fn obeys_so_many_phrases() {
        let parse = |count| {
            let query: String = (0..count).map(|number| format!("\"w{number}\" ")).collect();
            let words = Words::parse(&query, false);
            (words.phrases.len(), words.counts.len())
        };
        assert_eq!(parse(15), (15, 15));
        assert_eq!(parse(32), (PHRASES_MAX, 32));
        assert_eq!(parse(33), (0, 33));
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 512, failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_text_is_a_query(
            pieces in prop::collection::vec(prop_oneof![
                any::<String>(), "[\"“”«»*()a ]{0,40}", "[鍵の交ｶﾞ🔑\"*]{0,12}", "\\PC{0,20}",
            ], 0..12),
            goes_on in any::<bool>(),
        ) {
            let query = pieces.concat();
            let words = Words::parse(&query, goes_on);
            assert!(words.phrases.len() <= PHRASES_MAX);
            // What is obeyed is also ranked by: a phrase or a beginning never stands alone.
            if words.counts.is_empty() && words.prefix.is_none() {
                assert!(words.phrases.is_empty(), "{query:?}");
            }
            assert_eq!(words, Words::parse(&query, goes_on));
        }
    }
}
