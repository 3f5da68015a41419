//! JSON as a document: its names and values in their order, indented like an outline.
//!
//! An own reader, because a document is to be read and not to be understood: numbers stay as they are written, a name that occurs twice is shown twice, and one pass without recursion cannot be made to overflow.

use crate::{
    fault::Fault,
    parse::{Parsed, writer::Writer},
    prepare::PrepareError,
};

/// Deeper nesting is refused; serde_json draws the line at the same depth.
const DEPTH_MAX: usize = 128;
/// Deeper levels are not indented further, so that nesting cannot multiply the text.
const INDENT_MAX: usize = 12;

/// Parses a JSON text.
pub(crate) fn parse(text: &str) -> Result<Parsed, PrepareError> {
    let mut outline = Outline { writer: Writer::new(), names: Vec::new() };
    let mut reader = Reader { text, at: 0 };
    let mut open: Vec<Level> = Vec::new();
    let mut title = None;
    loop {
        // A value stands here.
        reader.skip_blanks();
        match reader.next() {
            Some(b'{') | Some(b'[') if open.len() == DEPTH_MAX => {
                return Err(PrepareError::Unparseable(Fault::TooDeep));
            }
            Some(opening @ (b'{' | b'[')) => {
                let level = Level { is_object: opening == b'{', has_members: false };
                reader.at += 1;
                outline.open(open.len(), &open);
                open.push(level);
            }
            Some(b'"') => {
                let value = reader.string()?;
                if title.is_none() && open.len() == 1 && outline.names.last().is_some_and(|name| name == "title") {
                    title = Some(value.clone());
                }
                outline.value(&value, &open);
            }
            Some(_) => {
                let value = reader.bare_word()?;
                outline.value(value, &open);
            }
            None => return Err(malformed()),
        }
        // Whatever can follow a value or an opening bracket, up to the next value.
        if !reader.advance(&mut open, &mut outline)? {
            break;
        }
    }
    outline.writer.finish(title)
}

struct Level {
    is_object: bool,
    has_members: bool,
}

const fn malformed() -> PrepareError {
    PrepareError::Unparseable(Fault::Json)
}

/// Writes what was read.
struct Outline {
    writer: Writer,
    /// The names that have been read and whose value comes next; at most one.
    names: Vec<String>,
}

impl Outline {
    fn open(&mut self, depth: usize, open: &[Level]) {
        if let Some(name) = self.names.pop() {
            self.line(depth, &format!("{name}:"));
        } else if !open.is_empty() {
            self.line(depth, "-");
        }
    }

    fn value(&mut self, value: &str, open: &[Level]) {
        match self.names.pop() {
            Some(name) => self.line(open.len(), &format!("{name}: {value}")),
            None if open.is_empty() => self.writer.paragraph(value),
            None => self.line(open.len(), &format!("- {value}")),
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        let indent = "  ".repeat(depth.saturating_sub(1).min(INDENT_MAX));
        self.writer.line(&format!("{indent}{text}"));
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.next() {
            self.at += 1;
        }
    }

    /// Goes on to the next value; false at the end of the text.
    fn advance(&mut self, open: &mut Vec<Level>, outline: &mut Outline) -> Result<bool, PrepareError> {
        loop {
            self.skip_blanks();
            let Some(level) = open.last_mut() else {
                return if self.next().is_none() { Ok(false) } else { Err(malformed()) };
            };
            let closing = if level.is_object { b'}' } else { b']' };
            match self.next() {
                Some(byte) if byte == closing => {
                    self.at += 1;
                    open.pop();
                    if let Some(parent) = open.last_mut() {
                        parent.has_members = true;
                    }
                    continue;
                }
                Some(b',') if level.has_members => self.at += 1,
                Some(_) if !level.has_members => {}
                _ => return Err(malformed()),
            }
            level.has_members = true;
            if level.is_object {
                self.skip_blanks();
                outline.names.push(self.string()?);
                self.skip_blanks();
                if self.next() != Some(b':') {
                    return Err(malformed());
                }
                self.at += 1;
            }
            return Ok(true);
        }
    }

    fn bare_word(&mut self) -> Result<&'a str, PrepareError> {
        let rest = &self.text[self.at..];
        let end = rest.find([',', ']', '}', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
        let word = &rest[..end];
        if !matches!(word, "true" | "false" | "null") && !is_number(word) {
            return Err(malformed());
        }
        self.at += end;
        Ok(word)
    }

    fn string(&mut self) -> Result<String, PrepareError> {
        if self.next() != Some(b'"') {
            return Err(malformed());
        }
        self.at += 1;
        let mut value = String::new();
        loop {
            let rest = &self.text[self.at..];
            let end = rest.find(|character: char| matches!(character, '"' | '\\') || u32::from(character) < 0x20);
            let end = end.ok_or_else(malformed)?;
            value.push_str(&rest[..end]);
            self.at += end + 1;
            match rest.as_bytes()[end] {
                b'"' => return Ok(value),
                b'\\' => value.push(self.escape()?),
                _ => return Err(malformed()),
            }
        }
    }

    fn escape(&mut self) -> Result<char, PrepareError> {
        let letter = self.next().ok_or_else(malformed)?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode_escape()?,
            _ => return Err(malformed()),
        })
    }

    /// Half a surrogate pair is a replacement character, as everywhere where text is decoded.
    fn unicode_escape(&mut self) -> Result<char, PrepareError> {
        let first = self.four_digits()?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.four_digits()?;
            if (0xdc00..0xe000).contains(&second) {
                let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn four_digits(&mut self) -> Result<u32, PrepareError> {
        let digits = self.text.get(self.at..self.at + 4).ok_or_else(malformed)?;
        self.at += 4;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(malformed());
        }
        u32::from_str_radix(digits, 16).map_err(|_| malformed())
    }
}

fn is_number(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let word = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) =
        word.split_once(['e', 'E']).map_or((word, None), |(before, after)| (before, Some(after)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(before, after)| (before, Some(after)));
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, proptest};

    use super::parse;

    fn check(json: &str, expected: &str) {
        assert_eq!(parse(json).expect("parses").text, expected, "{json}");
    }

    #[test]
    fn an_outline_shows_every_name_and_value() {
        let json = r#"{"title": "A \"T\"", "n": 1e400, "list": [1, "two", {"three": null}, [], {}], "o": {"p": {"q": true}}, "n": -0.5}"#;
        let expected = "title: A \"T\"\nn: 1e400\nlist:\n  - 1\n  - two\n  -\n    three: null\n  -\n  -\no:\n  p:\n    q: true\nn: -0.5";
        check(json, expected);
        assert_eq!(parse(json).expect("parses").title.as_deref(), Some("A \"T\""));
        check("\"\\u00e9\\ud83d\\ude00\\ud800x\"", "é😀\u{fffd}x");
        check(" 17 ", "17");
        check("[[\"a\"], \"b\"]", "-\n  - a\n- b");
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let broken = [
            "",
            "{",
            "[1",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{1:2}",
            "[1 2]",
            "NaN",
            "01",
            "1.",
            ".5",
            "1e",
            "+1",
            "tru",
            "\"a",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "[]]",
            "[] []",
            "{]",
            "[}",
            "{,}",
            "[,1]",
            "--1",
            "'a'",
        ];
        for json in broken {
            assert!(parse(json).is_err(), "{json}");
        }
    }

    #[test]
    fn deep_and_wide_texts_are_bounded() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"{\"a\":".repeat(100_000)).is_err());
        let deep = format!("{}1{}", "[".repeat(128), "]".repeat(128));
        assert!(parse(&deep).is_ok());
        let wide: Vec<String> = (0..60_000).map(|number| format!("\"{number}\":0")).collect();
        assert_eq!(parse(&format!("{{{}}}", wide.join(","))).expect("parses").text.lines().count(), 60_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn serde_json_agrees_on_what_is_json(json in r#"[\[\]{}:,"a0-9.eE+\- \\ntrue]{0,24}|(\{"a":|\[)[0-9"\]},: ]{0,12}"#) {
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok();
            assert_eq!(parse(&json).is_ok(), theirs, "{json}");
        }
    }
}
