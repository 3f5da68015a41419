//! Scripts that do not put spaces between words: their runs are cut into pairs of neighbouring characters.
//!
//! A run of such characters is a sentence, not a word. Pairs find what a dictionary would find, need none, and are the same for passages and queries.

use std::collections::VecDeque;

use tantivy::tokenizer::{Token, TokenFilter, TokenStream, Tokenizer};

/// The filter; it goes before anything that looks at the length of a token.
#[derive(Clone)]
pub(crate) struct Bigrams;

impl TokenFilter for Bigrams {
    type Tokenizer<T: Tokenizer> = BigramTokenizer<T>;

    fn transform<T: Tokenizer>(self, tokenizer: T) -> BigramTokenizer<T> {
        BigramTokenizer(tokenizer)
    }
}

#[derive(Clone)]
pub(crate) struct BigramTokenizer<T>(T);

impl<T: Tokenizer> Tokenizer for BigramTokenizer<T> {
    type TokenStream<'a> = BigramStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        BigramStream { tail: self.0.token_stream(text), pending: VecDeque::new() }
    }
}

pub(crate) struct BigramStream<T> {
    tail: T,
    /// What the last token was cut into and is not given yet.
    pending: VecDeque<String>,
}

impl<T: TokenStream> TokenStream for BigramStream<T> {
    fn advance(&mut self) -> bool {
        if self.pending.is_empty() {
            if !self.tail.advance() {
                return false;
            }
            if self.tail.token().text.is_ascii() {
                return true;
            }
            self.pending = pieces(&self.tail.token().text);
        }
        match self.pending.pop_front() {
            Some(piece) => {
                self.tail.token_mut().text = piece;
                true
            }
            None => self.advance(),
        }
    }

    fn token(&self) -> &Token {
        self.tail.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.tail.token_mut()
    }
}

/// Runs of spaced scripts whole, the pairs of the others.
fn pieces(text: &str) -> VecDeque<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut pieces = VecDeque::new();
    for run in characters.chunk_by(|left, right| is_unspaced(*left) == is_unspaced(*right)) {
        if run.len() > 1 && is_unspaced(run[0]) {
            pieces.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
        } else {
            pieces.push_back(run.iter().collect());
        }
    }
    pieces
}

/// Thai, Lao, Burmese, Khmer, kana, Han and Hangul.
const fn is_unspaced(character: char) -> bool {
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
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(pieces(text), expected);
    }

    #[test]
    fn pairs_what_has_no_spaces() {
        check("東京都", &["東京", "京都"]);
        check("鍵", &["鍵"]);
        check("API鍵の交換v2", &["API", "鍵の", "の交", "交換", "v2"]);
        check("Straße", &["Straße"]);
        check("보안키", &["보안", "안키"]);
        check("กุญแจ", &["กุ", "ุญ", "ญแ", "แจ"]);
    }
}
