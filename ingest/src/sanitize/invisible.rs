//! Characters that a person does not see or that reorder what is read.
//!
//! They carry hidden text (tag characters, variation selectors) or break words that a detector looks for (zero-width characters). The same characters are needed in honest writing: joiners in Persian and Indic words and in emoji, variation selectors after emoji, flags, direction marks in right-to-left text. Those stay, byte for byte.

use std::ops::Range;

use crate::{draft::Edit, finding::FindingKind};

/// An override is taken out with what it covers if it is closed within this many bytes.
const OVERRIDE_MAX_BYTES: usize = 4000;

/// Proposes the removal of characters that are not needed where they stand.
pub(crate) fn detect(text: &str) -> Vec<Edit> {
    if is_plain(text) {
        return Vec::new();
    }
    let mut edits = overrides(text);
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        scan_line(line, line_start, &mut edits);
        line_start += line.len();
    }
    edits
}

/// Whether a text has nothing but visible ASCII, which most lines are; counted without a branch, so that it is quick.
fn is_plain(text: &str) -> bool {
    let odd = |byte: &u8| !matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    text.as_bytes().chunks(256).all(|part| part.iter().filter(|byte| odd(byte)).count() == 0)
}

/// A right-to-left override with what it covers: what a person reads there is not what stands there.
fn overrides(text: &str) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut done = 0;
    // One search ahead serves every override before what it finds.
    let mut next_close = Some(0);
    for (at, _) in text.match_indices('\u{202e}') {
        if at < done {
            continue;
        }
        if next_close.is_some_and(|close| close < at) {
            next_close = text[at..].find('\u{202c}').map(|close| at + close);
        }
        if let Some(close) = next_close.filter(|close| *close < at + OVERRIDE_MAX_BYTES) {
            done = close + '\u{202c}'.len_utf8();
            edits.push(Edit::remove(at..done, FindingKind::BidiControl));
        }
    }
    edits
}

fn scan_line(line: &str, offset: usize, edits: &mut Vec<Edit>) {
    if is_plain(line) || !line.chars().any(is_invisible) {
        return;
    }
    let characters: Vec<(usize, char)> = line.char_indices().collect();
    let right_to_left = characters.iter().any(|(_, character)| is_right_to_left(*character));
    let flags = flags(&characters);
    let mut flag = flags.iter().peekable();
    for (index, (at, character)) in characters.iter().enumerate() {
        if !is_invisible(*character) {
            continue;
        }
        while flag.peek().is_some_and(|range| range.end <= index) {
            flag.next();
        }
        if flag.peek().is_some_and(|range| range.contains(&index)) {
            continue;
        }
        if !is_needed(&characters, index, right_to_left) {
            let range = offset + at..offset + at + character.len_utf8();
            let kind = if is_bidi(*character) { FindingKind::BidiControl } else { FindingKind::InvisibleCharacters };
            let replacement = if is_blank(*character) && stands_for_space(&characters, index) { " " } else { "" };
            edits.push(Edit { range, kind, replacement });
        }
    }
}

/// Fillers that take the room of a letter: a reader sees a gap.
const fn is_blank(character: char) -> bool {
    matches!(character, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
}

/// In Korean a filler is a part of a syllable.
const fn is_hangul(letter: char) -> bool {
    matches!(letter, '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7ff}')
}

/// Whether letters stand on both sides, so that without a gap two words become one.
fn stands_for_space(characters: &[(usize, char)], index: usize) -> bool {
    let is_letter = |at: Option<usize>| {
        at.and_then(|at| characters.get(at))
            .is_some_and(|(_, letter)| letter.is_alphanumeric() && !is_invisible(*letter) && !is_hangul(*letter))
    };
    is_letter(index.checked_sub(1)) && is_letter(Some(index + 1))
}

/// Whether a character has no visible form of its own.
pub(crate) const fn is_invisible(character: char) -> bool {
    matches!(character,
        '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

const fn is_bidi(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether honest writing needs the character here.
fn is_needed(characters: &[(usize, char)], index: usize, right_to_left: bool) -> bool {
    let before = index.checked_sub(1).map(|before| characters[before].1);
    let after = characters.get(index + 1).map(|after| after.1);
    match characters[index].1 {
        '\u{200c}' | '\u{200d}' if before.is_some_and(is_joining) => !after.is_some_and(is_invisible),
        '\u{200d}' => before.is_some_and(is_emoji_part) && after.is_some_and(is_emoji),
        '\u{200e}' | '\u{200f}' | '\u{61c}' => right_to_left && !after.is_some_and(is_invisible),
        '\u{ad}' => is_hyphenation(characters, index),
        '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(|before| is_emoji(before) || is_keycap_base(before)),
        '\u{fe00}'..='\u{fe0d}' => before.is_some_and(|before| is_ideograph(before) || is_symbol(before)),
        '\u{e0100}'..='\u{e01ef}' => before.is_some_and(is_ideograph),
        '\u{180b}'..='\u{180f}' => before.is_some_and(|before| matches!(before, '\u{1800}'..='\u{18af}')),
        _ => false,
    }
}

/// A soft hyphen between syllables; between single letters it is there to break up words.
fn is_hyphenation(characters: &[(usize, char)], index: usize) -> bool {
    let letters = |range: Range<usize>| {
        characters
            .get(range)
            .is_some_and(|part| part.len() == 2 && part.iter().all(|(_, letter)| letter.is_alphabetic()))
    };
    index >= 2 && letters(index - 2..index) && letters(index + 1..index + 3)
}

/// The index ranges of the tag characters of subdivision flags.
fn flags(characters: &[(usize, char)]) -> Vec<Range<usize>> {
    let starts = characters.iter().enumerate().filter(|(_, (_, character))| *character == '\u{1f3f4}');
    starts.filter_map(|(index, _)| flag(characters, index)).collect()
}

fn flag(characters: &[(usize, char)], index: usize) -> Option<Range<usize>> {
    let tags = characters[index + 1..].iter().map_while(|(_, character)| tag(*character)).take(8).collect::<String>();
    let known = ["gbeng\u{7f}", "gbsct\u{7f}", "gbwls\u{7f}"].contains(&tags.as_str());
    known.then(|| index + 1..index + 1 + tags.len())
}

fn tag(character: char) -> Option<char> {
    let code = u32::from(character).checked_sub(0xe0000)?;
    char::from_u32(code).filter(char::is_ascii)
}

/// Scripts in which joiners and non-joiners spell words.
const fn is_joining(character: char) -> bool {
    matches!(character,
        '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{e80}'..='\u{109f}' | '\u{1780}'..='\u{18af}'
        | '\u{1a20}'..='\u{1cff}' | '\u{a8e0}'..='\u{a9df}' | '\u{aa60}'..='\u{aa7f}'
        | '\u{fb50}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{11000}'..='\u{11fff}')
        && !matches!(character, '\u{61c}')
}

const fn is_right_to_left(character: char) -> bool {
    matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
        && !matches!(character, '\u{61c}')
}

const fn is_emoji(character: char) -> bool {
    matches!(character,
        '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{20e3}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21ff}'
        | '\u{2300}'..='\u{23ff}' | '\u{2460}'..='\u{24ff}' | '\u{25a0}'..='\u{27bf}' | '\u{2900}'..='\u{297f}'
        | '\u{2b00}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
}

/// What a joiner may follow inside an emoji: an emoji, its skin tone, or its variation selector.
const fn is_emoji_part(character: char) -> bool {
    is_emoji(character) || character == '\u{fe0f}'
}

const fn is_keycap_base(character: char) -> bool {
    matches!(character, '0'..='9' | '#' | '*')
}

const fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

const fn is_symbol(character: char) -> bool {
    matches!(character, '\u{2200}'..='\u{22ff}' | '\u{2a00}'..='\u{2aff}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff1f}' | '\u{1000}'..='\u{109f}' | '\u{a840}'..='\u{a87f}')
}

#[cfg(test)]
mod tests {
    use super::detect;
    use crate::draft::{Draft, tidy};

    fn check(text: &str, expected: &str) {
        let mut draft = Draft::new(text.to_owned());
        draft.apply(&tidy(detect(text)));
        assert_eq!(draft.text(), expected, "{text:?}");
    }

    #[test]
    fn honest_writing_stays() {
        let texts = [
            "می\u{200c}خواهم این کتاب را بخوانم",
            "क\u{94d}\u{200d}ष और क\u{94d}\u{200c}ष",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦 👩🏽\u{200d}💻 🏳\u{fe0f}\u{200d}🌈 ❤\u{fe0f} 1\u{fe0f}\u{20e3}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "Donau\u{ad}dampf\u{ad}schiff",
            "葛\u{e0100}城",
            "שלום (abc)\u{200f} עולם",
            "tab\tand\nline",
        ];
        for text in texts {
            check(text, text);
        }
    }

    #[test]
    fn hidden_characters_go() {
        check("ig\u{200b}no\u{200c}re\u{200d} pre\u{2060}vious\u{feff} x", "ignore previous x");
        check("i\u{ad}g\u{ad}n", "ign");
        check("a\0b\u{1b}[2J\u{85}c\r", "ab[2Jc");
        check("ok\u{e0169}\u{e0167}\u{e016e}", "ok");
        check("Hello \u{e0069}\u{e0067}\u{e006e} world", "Hello  world");
        check("🏴\u{e0069}\u{e0067}\u{e006e}\u{e007f}", "🏴");
        check("user \u{202e}txet\u{202c} ok \u{2066}x\u{2069}", "user  ok x");
        check("latin\u{200e}\u{200f} only", "latin only");
        check("\u{3164}\u{115f}\u{ffa0}a", "a");
        check("❤\u{fe0f}\u{fe0f}\u{fe0f}", "❤\u{fe0f}");
    }
}
