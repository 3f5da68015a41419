//! Scripts that do not put spaces between words: their runs are cut into pairs of neighbouring characters, into single ones, or both.
//!
//! A run of such characters is a sentence, not a word. Pairs find what a dictionary would find, need none, and are the same for passages and queries.

use std::collections::VecDeque;

use tantivy::tokenizer::{Token, TokenFilter, TokenStream, Tokenizer};

use crate::lexical::width::fold;

/// What a run of a script without spaces is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// Pairs of neighbours.
    Pairs,
    /// Pairs, and each character as well.
    PairsAndSingles,
    /// Each character: what stands beside what is told without overlap.
    Singles,
}

/// The filter; it goes before anything that looks at the length of a token. Widths are folded on the way.
#[derive(Clone)]
pub(crate) struct Bigrams(pub(crate) Runs);

impl TokenFilter for Bigrams {
    type Tokenizer<T: Tokenizer> = BigramTokenizer<T>;

    fn transform<T: Tokenizer>(self, tokenizer: T) -> BigramTokenizer<T> {
        BigramTokenizer(tokenizer, self.0)
    }
}

#[derive(Clone)]
pub(crate) struct BigramTokenizer<T>(T, Runs);

impl<T: Tokenizer> Tokenizer for BigramTokenizer<T> {
    type TokenStream<'a> = BigramStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        BigramStream { tail: self.0.token_stream(text), runs: self.1, pending: VecDeque::new() }
    }
}

pub(crate) struct BigramStream<T> {
    tail: T,
    runs: Runs,
    /// What the last token was cut into and is not given yet.
    pending: VecDeque<String>,
}

impl<T: TokenStream> TokenStream for BigramStream<T> {
    fn advance(&mut self) -> bool {
        loop {
            if let Some(piece) = self.pending.pop_front() {
                self.tail.token_mut().text = piece;
                return true;
            }
            if !self.tail.advance() {
                return false;
            }
            if self.tail.token().text.is_ascii() {
                return true;
            }
            self.pending = pieces(&self.tail.token().text, self.runs);
        }
    }

    fn token(&self) -> &Token {
        self.tail.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.tail.token_mut()
    }
}

/// Runs of spaced scripts whole, the others cut.
fn pieces(text: &str, runs: Runs) -> VecDeque<String> {
    let characters = fold(text);
    let mut pieces = VecDeque::new();
    // A mark that stood alone is no letter once its width is folded.
    for word in characters.split(|character| !character.is_alphanumeric()) {
        for run in word.chunk_by(|left, right| is_unspaced(*left) == is_unspaced(*right)) {
            if run.len() == 1 || !is_unspaced(run[0]) {
                pieces.push_back(run.iter().collect());
                continue;
            }
            if runs != Runs::Singles {
                pieces.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
            }
            if runs != Runs::Pairs {
                pieces.extend(run.iter().map(char::to_string));
            }
        }
    }
    pieces
}

/// Whether a term is one character of a script without spaces. It may stand in a run whose pairs alone are indexed.
pub(crate) fn is_lone(term: &str) -> bool {
    let mut characters = term.chars();
    characters.next().is_some_and(is_unspaced) && characters.next().is_none()
}

/// Thai, Lao, Burmese, Khmer, kana, Han and Hangul.
pub(crate) const fn is_unspaced(character: char) -> bool {
    matches!(
        character,
        '\u{e00}'..='\u{eff}'
            | '\u{1000}'..='\u{109f}'
            | '\u{1100}'..='\u{11ff}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{31f0}'..='\u{31ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{ac00}'..='\u{d7af}'
            | '\u{f900}'..='\u{faff}'
            | '\u{ff66}'..='\u{ff9d}'
            | '\u{20000}'..='\u{3ffff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, runs: Runs, expected: &[&str]) {
        assert_eq!(pieces(text, runs), expected);
    }

    #[test]
    fn cuts_what_has_no_spaces() {
        check("東京都", Runs::Pairs, &["東京", "京都"]);
        check("東京都", Runs::Singles, &["東", "京", "都"]);
        check("東京都", Runs::PairsAndSingles, &["東京", "京都", "東", "京", "都"]);
        check("鍵", Runs::PairsAndSingles, &["鍵"]);
        check("API鍵の交換v2", Runs::Pairs, &["API", "鍵の", "の交", "交換", "v2"]);
        check("ＡＰＩｶﾞｲﾄﾞ", Runs::Pairs, &["API", "ガイ", "イド"]);
        check("ﾞ", Runs::Pairs, &[]);
        check("Straße", Runs::Singles, &["Straße"]);
        check("보안키", Runs::Pairs, &["보안", "안키"]);
        check("กุญแจ", Runs::Pairs, &["กุ", "ุญ", "ญแ", "แจ"]);
    }
}
