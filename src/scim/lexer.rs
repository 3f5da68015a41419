//! The words of paths and filters (RFC 7644, 3.4.2.2).

use serde_json::Value;

use super::{Fault, ScimError};

/// The longest path or filter in bytes.
const BYTES_MAX: usize = 4096;

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// An attribute, an operator, or `and`, `or`, `not`.
    Word(String),
    /// A value to compare with.
    Value(Value),
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    /// A sub-attribute of what stands in brackets: `].value`.
    Part(String),
}

/// The words of a text.
pub(super) fn tokens(text: &str, kind: Fault) -> Result<Vec<Token>, ScimError> {
    let fault = |detail: &str| ScimError::new(kind, detail);
    if text.len() > BYTES_MAX {
        return Err(fault("is too long"));
    }
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '[' => (Token::OpenBracket, 1),
            ']' => (Token::CloseBracket, 1),
            '"' => quoted(rest).ok_or_else(|| fault("has a text that does not end"))?,
            '.' => {
                let name = word(&rest[1..]);
                (Token::Part(name.to_owned()), 1 + name.len())
            }
            _ => {
                let word = word(rest);
                (of_word(word), word.len())
            }
        };
        if length == 0 || matches!(&token, Token::Part(name) if name.is_empty()) {
            return Err(fault("has a character that has no place in it"));
        }
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn word(text: &str) -> &str {
    let ends = |character: char| {
        !(character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '$' | ':' | '.' | '+'))
    };
    &text[..text.find(ends).unwrap_or(text.len())]
}

fn of_word(word: &str) -> Token {
    let starts_number = word.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    match serde_json::from_str(word) {
        Ok(value @ (Value::Bool(_) | Value::Null)) => Token::Value(value),
        Ok(value) if starts_number => Token::Value(value),
        // Entra ID writes `True`.
        _ if word.eq_ignore_ascii_case("true") => Token::Value(Value::Bool(true)),
        _ if word.eq_ignore_ascii_case("false") => Token::Value(Value::Bool(false)),
        _ => Token::Word(word.to_owned()),
    }
}

/// A text in quotation marks and its length with them.
fn quoted(text: &str) -> Option<(Token, usize)> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let value: Value = serde_json::from_str(&text[..=at]).ok()?;
                return Some((Token::Value(value), at + 1));
            }
            _ => {}
        }
    }
    None
}
