//! Rich text: what is shown, in paragraphs and table rows.
//!
//! One pass over control words with a stack of groups. Hidden runs, deletions, tiny text, text in the colour of the page and annotations become findings; destinations that are not text are skipped.

mod token;

use self::token::{Token, Tokens};
use crate::{
    fault::Fault,
    finding::FindingKind,
    parse::{Parsed, color::Rgb, writer::Writer},
    prepare::PrepareError,
};

const DEPTH_MAX: usize = 512;
/// Half-points.
const SIZE_MIN: i32 = 5;

/// Groups that hold no text of the page.
const SKIPPED: [&str; 30] = [
    "fonttbl",
    "stylesheet",
    "info",
    "pict",
    "object",
    "objdata",
    "fldinst",
    "themedata",
    "datastore",
    "xmlnstbl",
    "listtable",
    "listoverridetable",
    "rsidtbl",
    "generator",
    "pntext",
    "nonshppict",
    "bkmkstart",
    "bkmkend",
    "filetbl",
    "revtbl",
    "userprops",
    "mmathPr",
    "latentstyles",
    "colorschememapping",
    "pgdsctbl",
    "private",
    "ftnsep",
    "aftnsep",
    "listtext",
    "template",
];

/// Parses a document.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, PrepareError> {
    let mut reader = Reader::default();
    for token in Tokens::new(bytes) {
        reader.take(token)?;
        if reader.writer.is_full() {
            break;
        }
    }
    reader.end_paragraph();
    reader.end_row();
    reader.writer.finish(reader.title)
}

/// What a group says about the text in it.
#[derive(Clone, Copy, Default)]
struct State {
    is_skipped: bool,
    is_comment: bool,
    is_hidden: bool,
    color: usize,
    has_ground: bool,
    size: Option<i32>,
    /// Characters that stand for a Unicode one in older readers.
    fallback: usize,
    in_colors: bool,
}

struct Reader {
    writer: Writer,
    state: State,
    stack: Vec<State>,
    /// The group has just begun with `\*`: a destination that may be ignored follows.
    is_optional: bool,
    encoding: &'static encoding_rs::Encoding,
    /// Bytes that wait for the rest of their character.
    pending: Vec<u8>,
    to_skip: usize,
    surrogate: Option<u32>,
    colors: Vec<Option<Rgb>>,
    mixed: (Option<u8>, Option<u8>, Option<u8>),
    paragraph: String,
    cells: Vec<String>,
    in_table: bool,
    level: Option<u8>,
    title: Option<String>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            writer: Writer::new(),
            state: State { fallback: 1, ..State::default() },
            stack: Vec::new(),
            is_optional: false,
            encoding: encoding_rs::WINDOWS_1252,
            pending: Vec::new(),
            to_skip: 0,
            surrogate: None,
            colors: Vec::new(),
            mixed: (None, None, None),
            paragraph: String::new(),
            cells: Vec::new(),
            in_table: false,
            level: None,
            title: None,
        }
    }
}

impl Reader {
    fn take(&mut self, token: Token<'_>) -> Result<(), PrepareError> {
        if !matches!(token, Token::Byte(_)) {
            self.flush();
        }
        match token {
            Token::Open => {
                if self.stack.len() == DEPTH_MAX {
                    return Err(PrepareError::Unparseable(Fault::TooDeep));
                }
                self.stack.push(self.state);
                self.to_skip = 0;
            }
            Token::Close => {
                self.state = self.stack.pop().ok_or(PrepareError::Unparseable(Fault::Rtf))?;
                self.to_skip = 0;
            }
            Token::Optional => self.is_optional = true,
            Token::Word(name, value) => self.word(name, value),
            Token::Byte(byte) => {
                if self.to_skip > 0 {
                    self.to_skip -= 1;
                } else {
                    self.pending.push(byte);
                }
            }
            Token::Text(text) => {
                let skipped = text.char_indices().nth(self.to_skip).map_or(text.len(), |(at, _)| at);
                self.to_skip = self.to_skip.saturating_sub(text.chars().count());
                self.text(&text[skipped..]);
            }
        }
        Ok(())
    }

    fn word(&mut self, name: &str, value: Option<i32>) {
        let is_optional = std::mem::take(&mut self.is_optional);
        if SKIPPED.contains(&name) || (is_optional && !matches!(name, "shpinst" | "annotation" | "footnote")) {
            self.state.is_skipped = true;
            return;
        }
        let is_on = value != Some(0);
        match name {
            "ansicpg" => self.encoding = code_page(value.unwrap_or(1252)),
            "colortbl" => self.state.in_colors = true,
            "red" => self.mixed.0 = part(value),
            "green" => self.mixed.1 = part(value),
            "blue" => self.mixed.2 = part(value),
            "annotation" => self.state.is_comment = true,
            "atnid" | "atnauthor" | "atndate" | "atntime" => self.state.is_skipped = true,
            "v" | "deleted" => self.state.is_hidden = is_on,
            "cf" => self.state.color = value.and_then(|index| usize::try_from(index).ok()).unwrap_or(0),
            "cb" | "highlight" | "chcbpat" | "cbpat" | "clcbpat" => self.state.has_ground = is_on,
            "fs" => self.state.size = value,
            "plain" => {
                let kept = State { is_hidden: false, color: 0, has_ground: false, size: None, ..self.state };
                self.state = kept;
            }
            "uc" => self.state.fallback = value.and_then(|count| usize::try_from(count).ok()).unwrap_or(1).min(8),
            "u" => self.unicode(value.unwrap_or(0)),
            "outlinelevel" => self.level = value.and_then(|level| u8::try_from(level).ok()).filter(|level| *level < 9),
            "pard" => {
                self.level = None;
                self.in_table = false;
            }
            "intbl" => self.in_table = true,
            "par" | "sect" | "page" => self.end_paragraph(),
            "cell" | "nestcell" => self.end_cell(),
            "row" => self.end_row(),
            "line" => self.text("\n"),
            "tab" => self.text(" "),
            _ => {
                if let Some(character) = symbol(name) {
                    self.text(character);
                }
            }
        }
    }

    /// `\u` is signed and of sixteen bits; a character beyond them comes as two.
    fn unicode(&mut self, value: i32) {
        let unit = u32::from_ne_bytes(value.to_ne_bytes()) & 0xffff;
        self.to_skip = self.state.fallback;
        let code = match (self.surrogate.take(), unit) {
            (_, 0xd800..0xdc00) => {
                self.surrogate = Some(unit);
                return;
            }
            (Some(high), 0xdc00..0xe000) => 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00),
            _ => unit,
        };
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.text(character.encode_utf8(&mut [0; 4]));
    }

    fn flush(&mut self) {
        if !self.pending.is_empty() {
            let bytes = std::mem::take(&mut self.pending);
            let text = self.encoding.decode_without_bom_handling(&bytes).0;
            self.text(&text);
        }
    }

    fn text(&mut self, text: &str) {
        if self.state.in_colors {
            for _ in text.matches(';') {
                let (red, green, blue) = std::mem::take(&mut self.mixed);
                let is_given = red.is_some() || green.is_some() || blue.is_some();
                let part = |part: Option<u8>| part.unwrap_or(0);
                self.colors.push(is_given.then(|| Rgb(part(red), part(green), part(blue))));
            }
        } else if self.state.is_skipped {
        } else if self.state.is_comment {
            if !text.trim().is_empty() {
                self.writer.report(FindingKind::Comment);
            }
        } else if self.is_hidden() {
            self.writer.report_hidden(text);
        } else {
            self.paragraph.push_str(text);
        }
    }

    fn is_hidden(&self) -> bool {
        let color = self.colors.get(self.state.color).copied().flatten();
        let is_lost = !self.state.has_ground && color.is_some_and(|color| color.vanishes_on(Rgb::WHITE));
        self.state.is_hidden || is_lost || self.state.size.is_some_and(|size| size < SIZE_MIN)
    }

    fn end_paragraph(&mut self) {
        if self.in_table {
            if !self.paragraph.is_empty() {
                self.paragraph.push(' ');
            }
            return;
        }
        let text = std::mem::take(&mut self.paragraph);
        match self.level {
            Some(level) => {
                if level == 0 && self.title.is_none() {
                    self.title = Some(text.clone());
                }
                self.writer.heading(level + 1, &text);
            }
            None => self.writer.paragraph(&text),
        }
    }

    fn end_cell(&mut self) {
        self.cells.push(std::mem::take(&mut self.paragraph));
    }

    fn end_row(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        self.writer.row(&cells);
    }
}

fn part(value: Option<i32>) -> Option<u8> {
    value.and_then(|value| u8::try_from(value).ok())
}

fn symbol(name: &str) -> Option<&'static str> {
    Some(match name {
        "~" => "\u{a0}",
        "_" => "\u{2011}",
        "emdash" => "—",
        "endash" => "–",
        "bullet" => "•",
        "lquote" => "‘",
        "rquote" => "’",
        "ldblquote" => "“",
        "rdblquote" => "”",
        "emspace" | "enspace" | "qmspace" => " ",
        _ => return None,
    })
}

fn code_page(number: i32) -> &'static encoding_rs::Encoding {
    let label = match number {
        932 => "shift_jis",
        936 => "gbk",
        949 => "euc-kr",
        950 => "big5",
        10000 => "macintosh",
        65001 => "utf-8",
        874 | 1250..=1258 => return windows(number),
        866 => "ibm866",
        _ => "windows-1252",
    };
    encoding_rs::Encoding::for_label(label.as_bytes()).unwrap_or(encoding_rs::WINDOWS_1252)
}

fn windows(number: i32) -> &'static encoding_rs::Encoding {
    encoding_rs::Encoding::for_label(format!("windows-{number}").as_bytes()).unwrap_or(encoding_rs::WINDOWS_1252)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::finding::FindingKind::{self, Comment, HiddenText};

    #[track_caller]
    fn check(body: &str, expected: &str, findings: &[FindingKind]) {
        let parsed = parse(format!("{{\\rtf1\\ansi\\ansicpg1252{body}}}").as_bytes()).expect("parses");
        assert_eq!(parsed.text, expected, "{body}");
        assert_eq!(parsed.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), findings, "{body}");
    }

    #[test]
    fn text_and_structure() {
        check(
            "{\\fonttbl{\\f0 Times;}}\\pard caf\\'e9 \\u8211 ? dash\\par two\\line three",
            "café – dash\n\ntwo\nthree",
            &[],
        );
        check(
            "\\pard\\outlinelevel0 Title\\par\\pard\\outlinelevel1 Part\\par\\pard text",
            "# Title\n\n## Part\n\ntext",
            &[],
        );
        check(
            "\\pard\\intbl a\\cell b\\cell\\row\\pard\\intbl 1\\cell 2\\cell\\row\\pard end",
            "a | b\n1 | 2\n\nend",
            &[],
        );
        check("\\u-10179?\\u-8704? \\{x\\}\\~y", "😀 {x}\u{a0}y", &[]);
        check("{\\field{\\*\\fldinst HYPERLINK \"x\"}{\\fldrslt link}}{\\*\\unknown no}\\bin4 ab}cyes", "linkyes", &[]);
    }

    #[test]
    fn what_is_not_shown_is_left_out() {
        let colors = "{\\colortbl;\\red255\\green255\\blue255;\\red0\\green0\\blue0;}";
        check("a{\\v hidden}b", "ab", &[HiddenText]);
        check("a{\\v hidden\\v0 b}", "ab", &[HiddenText]);
        check("a{\\deleted gone}b", "ab", &[HiddenText]);
        check("a{\\fs2 dust}b", "ab", &[HiddenText]);
        check(&format!("{colors}a{{\\cf1 white}}{{\\cf2 black}}"), "ablack", &[HiddenText]);
        check(&format!("{colors}a{{\\cf1\\cb2 white}}"), "awhite", &[]);
        check("a{\\*\\atnid x}{\\*\\annotation a remark}b", "ab", &[Comment]);
        check("{\\info{\\title words}}b", "b", &[]);
    }

    #[test]
    fn broken_and_deep_files_are_refused() {
        assert!(parse(b"{\\rtf1 }}").is_err());
        assert!(parse(&b"{".repeat(100_000)).is_err());
        assert!(parse(b"{\\rtf1 \\bin99999999999 x").is_ok());
        assert!(parse(b"{\\rtf1\\'").is_ok());
        assert_eq!(parse(b"{\\rtf1 \\'zz").expect("parses").text, "zz");
    }
}
