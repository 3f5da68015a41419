//! The tokens of rich text.

use std::borrow::Cow;

/// A control word is no longer than this.
const NAME_BYTES_MAX: usize = 32;

/// A token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    /// `\*`
    Optional,
    /// A control word or symbol, with its number.
    Word(&'a str, Option<i32>),
    /// A byte of the document's character set.
    Byte(u8),
    Text(Cow<'a, str>),
}

/// Cuts a file into tokens.
pub(super) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn control(&mut self) -> Option<Token<'a>> {
        let rest = &self.bytes[self.at..];
        let first = *rest.first()?;
        if !first.is_ascii_alphabetic() {
            self.at += 1;
            return Some(self.symbol(first));
        }
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let name = std::str::from_utf8(&rest[..length.min(NAME_BYTES_MAX)]).unwrap_or_default();
        let minus = usize::from(rest.get(length) == Some(&b'-'));
        let digits = rest[length + minus..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let minus = if digits == 0 { 0 } else { minus };
        let number = std::str::from_utf8(&rest[length..length + minus + digits]).unwrap_or_default();
        // A number that is too large for the format is as good as none.
        let value = if digits == 0 { None } else { Some(number.parse().unwrap_or(0)) };
        self.at += length + minus + digits;
        self.at += usize::from(self.bytes.get(self.at) == Some(&b' '));
        if name == "bin" {
            let skipped = value.and_then(|count: i32| usize::try_from(count).ok()).unwrap_or(0);
            self.at = self.at.saturating_add(skipped).min(self.bytes.len());
        }
        Some(Token::Word(name, value))
    }

    fn symbol(&mut self, symbol: u8) -> Token<'a> {
        match symbol {
            b'\'' => {
                let digits = self.bytes.get(self.at..self.at + 2).and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits
                    .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                match byte {
                    Some(byte) => {
                        self.at += 2;
                        Token::Byte(byte)
                    }
                    None => Token::Text(Cow::Borrowed("")),
                }
            }
            b'*' => Token::Optional,
            b'\\' | b'{' | b'}' => Token::Text(Cow::Owned(char::from(symbol).to_string())),
            b'\n' | b'\r' => Token::Word("par", None),
            b'~' => Token::Word("~", None),
            b'_' => Token::Word("_", None),
            _ => Token::Text(Cow::Borrowed("")),
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            match byte {
                b'{' => {
                    self.at += 1;
                    return Some(Token::Open);
                }
                b'}' => {
                    self.at += 1;
                    return Some(Token::Close);
                }
                b'\\' => {
                    self.at += 1;
                    return self.control();
                }
                b'\n' | b'\r' | b'\0' => self.at += 1,
                0x80.. => {
                    self.at += 1;
                    return Some(Token::Byte(byte));
                }
                _ => {
                    let rest = &self.bytes[self.at..];
                    let is_plain =
                        |byte: &u8| *byte < 0x80 && !matches!(byte, b'{' | b'}' | b'\\' | b'\n' | b'\r' | b'\0');
                    let length = rest.iter().take_while(|byte| is_plain(byte)).count();
                    self.at += length;
                    return Some(Token::Text(String::from_utf8_lossy(&rest[..length])));
                }
            }
        }
    }
}
