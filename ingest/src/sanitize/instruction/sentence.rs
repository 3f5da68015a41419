//! Cutting a text into sentences, the unit that an instruction is found and taken out in.
//!
//! A list item, a heading, a table cell, a line of code is a sentence of its own; a hard-wrapped line goes on into the next. A sentence is trimmed and never crosses a blank line.

use std::ops::Range;

use crate::sanitize::code::InCode;

/// A longer sentence is cut at white space, so that a text without full stops is looked at piece by piece.
const SENTENCE_MAX_BYTES: usize = 700;
/// A line shorter than this was not wrapped: the next one is a sentence of its own.
const WRAPPED_LINE_BYTES: usize = 40;

/// So many quotes, brackets and stops are taken to a sentence; a longer run is none.
const CLOSERS_MAX: usize = 8;
/// No word that is shortened with a dot is longer.
const SHORT_FORM_BYTES: usize = 12;

/// Bytes that a character begins with at which a sentence may end; every one beyond ASCII that begins a character.
const MAY_END: [bool; 256] = {
    let mut may_end = [false; 256];
    let mut first = 0xc0;
    while first < may_end.len() {
        may_end[first] = true;
        first += 1;
    }
    let signs = b".!? |";
    let mut at = 0;
    while at < signs.len() {
        may_end[signs[at] as usize] = true;
        at += 1;
    }
    may_end
};

/// A sentence and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) range: Range<usize>,
    /// The number of its paragraph: the text between two blank lines, or a whole block of code.
    pub(super) paragraph: u32,
    /// Whether it is a line of fenced code.
    pub(super) in_code: bool,
    /// Whether it has no stop and the next line may go on with it.
    pub(super) goes_on: bool,
}

/// Cuts a text into its sentences, in order.
pub(super) fn sentences(text: &str, code: &InCode) -> Vec<Sentence> {
    let mut cutter = Cutter { text, found: Vec::new(), paragraph: 0, open: None };
    let mut at = 0;
    let mut in_code = false;
    for line in text.split_inclusive('\n') {
        let was_in_code = std::mem::replace(&mut in_code, code.contains(at));
        if was_in_code != in_code {
            cutter.end_paragraph(at);
        }
        cutter.line(line, at, in_code);
        at += line.len();
    }
    cutter.end_paragraph(text.len());
    cutter.found
}

struct Cutter<'a> {
    text: &'a str,
    found: Vec<Sentence>,
    paragraph: u32,
    /// Where the sentence that the last line left open begins.
    open: Option<usize>,
}

impl Cutter<'_> {
    fn line(&mut self, line: &str, at: usize, in_code: bool) {
        let content = line.trim();
        if content.is_empty() {
            if !in_code {
                self.end_paragraph(at);
            }
            return;
        }
        if in_code {
            self.push(at..at + line.len(), true);
            return;
        }
        if starts_anew(content) {
            self.close(at);
        } else if self.open.is_some() && content.starts_with(char::is_uppercase) {
            // Perhaps a new sentence, perhaps a name at the beginning of a line.
            self.close(at);
            if let Some(last) = self.found.last_mut() {
                last.goes_on = true;
            }
        }
        let row = content.starts_with('|');
        let start = self.open.take().unwrap_or(at);
        let rest = self.cut(start, at, line, row);
        let wrapped = content.len() >= WRAPPED_LINE_BYTES && !row && !content.starts_with('#');
        self.open = rest;
        if !wrapped || content.ends_with(':') {
            self.close(at + line.len());
        }
    }

    /// Cuts at the ends of sentences within a line, and returns where the open rest begins.
    fn cut(&mut self, start: usize, at: usize, line: &str, row: bool) -> Option<usize> {
        let mut start = start;
        let bytes = line.as_bytes();
        let mut offset = 0;
        while let Some(byte) = bytes.get(offset) {
            if !MAY_END[usize::from(*byte)] {
                offset += 1;
                continue;
            }
            let character = line[offset..].chars().next().unwrap_or_default();
            let next = offset + character.len_utf8();
            let end = match character {
                '.' | '!' | '?' | '…' | '؟' | '।' => stop_end(line, next, character == '.'),
                '。' | '｡' => Some(next),
                // Between full-width letters it is a part of an address, as its plain form is.
                '！' | '？' => Some(next).filter(|next| !line[*next..].starts_with(is_full_width)),
                '|' if row => Some(next),
                ' ' => gap_end(line, offset),
                _ => None,
            };
            offset = next;
            if let Some(end) = end.filter(|end| at + end > start) {
                self.push(start..at + end, false);
                start = at + end;
            }
        }
        (start < at + line.len()).then_some(start)
    }

    fn close(&mut self, at: usize) {
        if let Some(start) = self.open.take() {
            self.push(start..at, false);
        }
    }

    fn end_paragraph(&mut self, at: usize) {
        self.close(at);
        if self.found.last().is_some_and(|last| last.paragraph == self.paragraph) {
            self.paragraph += 1;
        }
    }

    fn push(&mut self, range: Range<usize>, in_code: bool) {
        let mut range = trim(self.text, range);
        while range.len() > SENTENCE_MAX_BYTES {
            let limit = self.text.floor_char_boundary(range.start + SENTENCE_MAX_BYTES);
            let window = &self.text[range.start..limit];
            let cut = window.rfind(char::is_whitespace).filter(|cut| *cut > 0).map_or(limit, |cut| range.start + cut);
            self.push_whole(range.start..cut, in_code);
            range = trim(self.text, cut..range.end);
        }
        self.push_whole(range, in_code);
    }

    fn push_whole(&mut self, range: Range<usize>, in_code: bool) {
        let range = trim(self.text, range);
        let says_something = in_code || self.text[range.clone()].chars().any(char::is_alphanumeric);
        match self.found.last_mut() {
            // Punctuation alone goes with what stands before it.
            Some(last) if !says_something && !range.is_empty() && last.paragraph == self.paragraph => {
                last.range.end = range.end;
            }
            _ if says_something => {
                self.found.push(Sentence { range, paragraph: self.paragraph, in_code, goes_on: false });
            }
            _ => {}
        }
    }
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let content = &text[range.clone()];
    let start = range.start + (content.len() - content.trim_start().len());
    start..start + content.trim().len()
}

/// Whether a line begins something of its own: an item, a heading, a quotation, a row, a bracketed notice.
fn starts_anew(content: &str) -> bool {
    let digits = content.bytes().take_while(u8::is_ascii_digit).count();
    content.starts_with(['-', '*', '+', '#', '>', '|', '[', '<', '=', '•', '`'])
        || (digits > 0 && [". ", ") "].iter().any(|mark| content[digits..].starts_with(mark)))
}

/// The end of a sentence after its stop, with the quotes and brackets that close behind it; `None` if it goes on.
fn stop_end(line: &str, at: usize, dot: bool) -> Option<usize> {
    let rest = &line[at..];
    let closers = rest
        .chars()
        .take(CLOSERS_MAX)
        .take_while(|character| "\"')]”’»*_`.!?".contains(*character))
        .map(char::len_utf8)
        .sum::<usize>();
    let after = &rest[closers..];
    if after.is_empty() {
        return Some(at + closers);
    }
    let next = after.trim_start();
    let spaced = next.len() < after.len();
    let goes_on = dot && (next.starts_with(char::is_lowercase) || is_short_form(&line[..at - 1]));
    (spaced && !goes_on).then_some(at + closers)
}

/// Openings of instructions that are put into the middle of a line, behind text that has no stop.
const OPENINGS: [&str; 13] = [
    "Please ",
    "Ignore ",
    "IGNORE ",
    "Disregard ",
    "Forget ",
    "SYSTEM",
    "System:",
    "You are ",
    "You must ",
    "Answer:",
    "IMPORTANT",
    "Note to ",
    "<instruction",
];

/// The end of a gap within a line that sets sentences apart: two spaces before a capital, or one before an opening.
fn gap_end(line: &str, offset: usize) -> Option<usize> {
    let rest = &line[offset + 1..];
    // Most words begin with a small letter, and nothing begins with them.
    if rest.starts_with(|first: char| first.is_ascii() && !first.is_ascii_uppercase() && first != '<') {
        return None;
    }
    let next = || rest.split(' ').next().unwrap_or_default();
    // A word that mixes scripts is a word in disguise, and no beginning of another language.
    if rest.starts_with(is_other_script)
        && !next().contains(|letter: char| letter.is_ascii_alphabetic())
        && line[..offset].ends_with(|last: char| last.is_ascii())
        && line[..offset].contains(' ')
    {
        return Some(offset + 1);
    }
    if !rest.starts_with(|first: char| first.is_uppercase() || first == '<') {
        return None;
    }
    // Letters that are set apart have wide gaps between words.
    let single = rest.chars().nth(1) == Some(' ');
    let wide = line[..offset].ends_with(' ') && !rest.starts_with('<') && !single;
    let opening = || {
        let before = line[..offset].trim_end();
        let breaks =
            before.ends_with(|last: char| last.is_alphanumeric() || matches!(last, ')' | '`' | ']' | '|' | '>'));
        breaks && before.contains(' ') && OPENINGS.iter().any(|own| rest.starts_with(own))
    };
    (wide || opening()).then_some(offset + 1)
}

/// Latin letters and digits in their full-width form.
const fn is_full_width(letter: char) -> bool {
    matches!(letter, '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ')
}

/// Letters of scripts that share no sentence with Latin ones.
const fn is_other_script(letter: char) -> bool {
    matches!(letter, '\u{400}'..='\u{52f}' | '\u{590}'..='\u{6ff}' | '\u{900}'..='\u{eff}' | '\u{3040}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

/// Whether a dot belongs to what stands before it: `e.g.`, `No.`, an initial.
fn is_short_form(before: &str) -> bool {
    let before = &before[before.ceil_char_boundary(before.len().saturating_sub(SHORT_FORM_BYTES))..];
    let word =
        before.rsplit(|character: char| !character.is_alphanumeric() && character != '.').next().unwrap_or_default();
    let single = word.chars().count() == 1 && word.starts_with(char::is_alphabetic);
    single
        || ["e.g", "i.e", "vs", "Dr", "Mr", "Mrs", "Ms", "No", "etc", "cf", "Fig", "approx", "Intl", "z.B"]
            .contains(&word)
}

#[cfg(test)]
mod tests {
    use super::sentences;
    use crate::sanitize::code::InCode;

    fn check(text: &str, expected: &[&str]) {
        let found = sentences(text, &InCode::of(text));
        let found: Vec<&str> = found.into_iter().map(|sentence| &text[sentence.range]).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn sentences_end_where_a_reader_would_end_them() {
        check("One. Two! \"Three?\" four", &["One.", "Two!", "\"Three?\"", "four"]);
        check("See e.g. the docs, v. 1.2 of J. Doe.", &["See e.g. the docs, v. 1.2 of J. Doe."]);
        check("これは文です。次の文。", &["これは文です。", "次の文。"]);
        check(
            "ｈｔｔｐｓ：／／ａ／ｃ？ｋ＝１ これは？次の文。",
            &["ｈｔｔｐｓ：／／ａ／ｃ？ｋ＝１ これは？", "次の文。"],
        );
        check("- a\n- b\n# C\nd", &["- a", "- b", "# C", "d"]);
        check("| a | do it |\n|---|---|", &["a |", "do it |\n|---|---|"]);
        check(
            "a line that is long enough to have been well\nwrapped by its editor. Next",
            &["a line that is long enough to have been well\nwrapped by its editor.", "Next"],
        );
        check("```\nlet a = 1. 2;\n# b\n```\nc", &["```", "let a = 1. 2;", "# b", "```", "c"]);
    }

    #[test]
    fn a_text_without_stops_is_cut_at_words() {
        let text = "word ".repeat(1000);
        let found = sentences(&text, &InCode::new(Vec::new()));
        assert!(found.len() > 5 && found.iter().all(|sentence| sentence.range.len() <= 700));
    }
}
