//! The tokens of content streams and character maps.

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Name(Vec<u8>),
    String(Vec<u8>),
    ArrayOpen,
    ArrayClose,
    DictionaryOpen,
    DictionaryClose,
    /// An operator, or any other bare word.
    Operator(Vec<u8>),
}

/// Cuts a stream into tokens, in one pass and without recursion.
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\0' | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.peek() {
            if byte == b'%' {
                while self.peek().is_some_and(|byte| byte != b'\n' && byte != b'\r') {
                    self.at += 1;
                }
            } else if !is_blank(byte) {
                break;
            } else {
                self.at += 1;
            }
        }
    }

    /// Skips the data of an inline image: up to an `EI` that stands alone.
    pub(super) fn skip_image(&mut self) {
        self.at = (self.at + 1).min(self.bytes.len());
        let rest = &self.bytes[self.at..];
        let found = rest.windows(2).enumerate().position(|(index, pair)| {
            let before = index == 0 || is_blank(rest[index - 1]);
            let after = rest.get(index + 2).is_none_or(|byte| is_blank(*byte));
            pair == b"EI" && before && after
        });
        self.at += found.map_or(rest.len(), |index| index + 2);
    }

    fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(|byte| !is_blank(byte) && !is_delimiter(byte)) {
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }

    fn name(&mut self) -> Vec<u8> {
        let word = self.word();
        let mut name = Vec::with_capacity(word.len());
        let mut at = 0;
        while let Some(byte) = word.get(at) {
            let code = word.get(at + 1..at + 3).filter(|_| *byte == b'#').and_then(hexadecimal);
            name.push(code.unwrap_or(*byte));
            at += if code.is_some() { 3 } else { 1 };
        }
        name
    }

    fn literal_string(&mut self) -> Vec<u8> {
        let mut string = Vec::new();
        let mut depth = 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'(' => depth += 1,
                b')' if depth == 1 => break,
                b')' => depth -= 1,
                b'\\' => {
                    self.escape(&mut string);
                    continue;
                }
                _ => {}
            }
            string.push(byte);
        }
        string
    }

    fn escape(&mut self, string: &mut Vec<u8>) {
        let Some(byte) = self.peek() else { return };
        self.at += 1;
        match byte {
            b'n' => string.push(b'\n'),
            b'r' => string.push(b'\r'),
            b't' => string.push(b'\t'),
            b'b' => string.push(8),
            b'f' => string.push(12),
            b'\r' => self.at += usize::from(self.peek() == Some(b'\n')),
            b'\n' => {}
            b'0'..=b'7' => {
                let mut code = u32::from(byte - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = self.peek() else { break };
                    code = code * 8 + u32::from(digit - b'0');
                    self.at += 1;
                }
                string.push(code.to_le_bytes()[0]);
            }
            other => string.push(other),
        }
    }

    fn hexadecimal_string(&mut self) -> Vec<u8> {
        let mut string = Vec::new();
        let mut half = None;
        while let Some(byte) = self.peek() {
            self.at += 1;
            if byte == b'>' {
                break;
            }
            let Some(digit) = char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()) else {
                continue;
            };
            half = match half {
                None => Some(digit),
                Some(high) => {
                    string.push(high * 16 + digit);
                    None
                }
            };
        }
        string.extend(half.map(|high| high * 16));
        string
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blanks();
        let byte = self.peek()?;
        if !is_delimiter(byte) {
            let word = self.word();
            return Some(number(word).map_or_else(|| Token::Operator(word.to_vec()), Token::Number));
        }
        self.at += 1;
        Some(match byte {
            b'/' => Token::Name(self.name()),
            b'(' => Token::String(self.literal_string()),
            b'[' => Token::ArrayOpen,
            b']' => Token::ArrayClose,
            b'<' if self.peek() == Some(b'<') => {
                self.at += 1;
                Token::DictionaryOpen
            }
            b'<' => Token::String(self.hexadecimal_string()),
            b'>' if self.peek() == Some(b'>') => {
                self.at += 1;
                Token::DictionaryClose
            }
            other => Token::Operator(vec![other]),
        })
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let code = digit(*digits.first()?)? * 16 + digit(*digits.get(1)?)?;
    u8::try_from(code).ok()
}

/// A number as PDF writes it: no exponents, and stray signs inside are ignored by readers.
fn number(word: &[u8]) -> Option<f64> {
    let first = *word.first()?;
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) || word.len() > 64 {
        return None;
    }
    let text = std::str::from_utf8(word).ok()?;
    if !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.')) {
        return None;
    }
    let text = text.strip_prefix("--").unwrap_or(text);
    text.parse().ok().or_else(|| text.get(..text.rfind(['-', '+'])?)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{Lexer, Token};

    #[test]
    fn tokens_are_told_apart() {
        let tokens: Vec<Token> =
            Lexer::new(b"q 1 -.5 0. /F#31 12 Tf[(a\\(b(c)\\051\\n)<4a4B5>-3]TJ % no\n<</A 1>>BDC T*").collect();
        let operator = |word: &str| Token::Operator(word.as_bytes().to_vec());
        let string = |bytes: &[u8]| Token::String(bytes.to_vec());
        let expected = [
            operator("q"),
            Token::Number(1.0),
            Token::Number(-0.5),
            Token::Number(0.0),
            Token::Name(b"F1".to_vec()),
            Token::Number(12.0),
            operator("Tf"),
            Token::ArrayOpen,
            string(b"a(b(c))\n"),
            string(b"JKP"),
            Token::Number(-3.0),
            Token::ArrayClose,
            operator("TJ"),
            Token::DictionaryOpen,
            Token::Name(b"A".to_vec()),
            Token::Number(1.0),
            Token::DictionaryClose,
            operator("BDC"),
            operator("T*"),
        ];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn an_image_is_skipped() {
        let mut lexer = Lexer::new(b"ID \x00EIx(\xff EI Q");
        assert_eq!(lexer.next(), Some(Token::Operator(b"ID".to_vec())));
        lexer.skip_image();
        assert_eq!(lexer.next(), Some(Token::Operator(b"Q".to_vec())));
        let mut endless = Lexer::new(b"xyz");
        endless.skip_image();
        assert_eq!(endless.next(), None);
    }
}
