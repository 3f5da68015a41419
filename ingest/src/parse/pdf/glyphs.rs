//! What the names and codes of simple fonts stand for.
//!
//! `glyphs.txt` lists names and characters of the Adobe Glyph List (BSD-3-Clause), sorted by name.

use encoding_rs::{MACINTOSH, WINDOWS_1252};

const GLYPHS: &str = include_str!("glyphs.txt");

/// The upper half of the standard encoding of Type 1 fonts.
const STANDARD: [(u8, char); 52] = [
    (0xa1, '¡'),
    (0xa2, '¢'),
    (0xa3, '£'),
    (0xa4, '⁄'),
    (0xa5, '¥'),
    (0xa6, 'ƒ'),
    (0xa7, '§'),
    (0xa8, '¤'),
    (0xa9, '\''),
    (0xaa, '“'),
    (0xab, '«'),
    (0xac, '‹'),
    (0xad, '›'),
    (0xae, 'ﬁ'),
    (0xaf, 'ﬂ'),
    (0xb1, '–'),
    (0xb2, '†'),
    (0xb3, '‡'),
    (0xb4, '·'),
    (0xb6, '¶'),
    (0xb7, '•'),
    (0xb8, '‚'),
    (0xb9, '„'),
    (0xba, '”'),
    (0xbb, '»'),
    (0xbc, '…'),
    (0xbd, '‰'),
    (0xbf, '¿'),
    (0xc1, '`'),
    (0xc2, '´'),
    (0xc3, 'ˆ'),
    (0xc4, '˜'),
    (0xc5, '¯'),
    (0xc6, '˘'),
    (0xc7, '˙'),
    (0xc8, '¨'),
    (0xca, '˚'),
    (0xcb, '¸'),
    (0xcd, '˝'),
    (0xce, '˛'),
    (0xcf, 'ˇ'),
    (0xd0, '—'),
    (0xe1, 'Æ'),
    (0xe3, 'ª'),
    (0xe8, 'Ł'),
    (0xe9, 'Ø'),
    (0xea, 'Œ'),
    (0xeb, 'º'),
    (0xf1, 'æ'),
    (0xf5, 'ı'),
    (0xf8, 'ł'),
    (0xfb, 'ß'),
];

/// The text of each code of a named encoding, before differences.
pub(super) fn base_table(name: Option<&[u8]>, base_font: &[u8]) -> Vec<String> {
    let is_symbol = [&b"Symbol"[..], b"ZapfDingbats", b"Wingdings"].iter().any(|own| contains(base_font, own));
    let one = |byte: u8| -> String {
        match name {
            None if is_symbol => {
                if byte == 0xb7 {
                    "•".to_owned()
                } else {
                    String::new()
                }
            }
            _ if byte < 0x20 => String::new(),
            Some(b"MacRomanEncoding") => MACINTOSH.decode_without_bom_handling(&[byte]).0.into_owned(),
            Some(b"StandardEncoding") => standard(byte),
            _ => WINDOWS_1252.decode_without_bom_handling(&[byte]).0.into_owned(),
        }
    };
    (0..=255).map(one).collect()
}

fn standard(byte: u8) -> String {
    match byte {
        b'\'' => "’".to_owned(),
        b'`' => "‘".to_owned(),
        0x20..0x7f => char::from(byte).to_string(),
        _ => STANDARD.iter().find(|(code, _)| *code == byte).map(|(_, own)| own.to_string()).unwrap_or_default(),
    }
}

/// The text of a glyph by its name; empty where the name says nothing.
pub(super) fn from_name(name: &[u8]) -> String {
    let Ok(name) = std::str::from_utf8(name) else { return String::new() };
    let plain = name.split('.').next().unwrap_or_default();
    plain.split('_').filter_map(character).collect()
}

fn character(name: &str) -> Option<char> {
    if let Some(found) = look_up(name) {
        return Some(found);
    }
    let digits = name.strip_prefix("uni").filter(|digits| digits.len() >= 4).map(|digits| digits.get(..4));
    let digits = digits.unwrap_or_else(|| name.strip_prefix('u').filter(|digits| (4..=6).contains(&digits.len())))?;
    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)
}

/// A binary search in the lines of the list.
fn look_up(name: &str) -> Option<char> {
    let (mut low, mut high) = (0, GLYPHS.len());
    while low < high {
        let middle = GLYPHS.floor_char_boundary(low.midpoint(high));
        let start = GLYPHS[low..middle].rfind('\n').map_or(low, |at| low + at + 1);
        let end = GLYPHS[start..].find('\n').map_or(GLYPHS.len(), |at| start + at + 1);
        let (own, code) = GLYPHS[start..end].trim_end().split_once(' ')?;
        match own.cmp(name) {
            std::cmp::Ordering::Equal => return u32::from_str_radix(code, 16).ok().and_then(char::from_u32),
            std::cmp::Ordering::Less => low = end,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    None
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];
const TIMES: [u16; 95] = [
    250, 333, 408, 500, 500, 833, 778, 180, 333, 333, 500, 564, 250, 333, 250, 278, 500, 500, 500, 500, 500, 500, 500,
    500, 500, 500, 278, 278, 564, 564, 564, 444, 921, 722, 667, 667, 722, 611, 556, 722, 722, 333, 389, 722, 611, 889,
    722, 722, 556, 722, 667, 556, 611, 722, 722, 944, 722, 722, 611, 333, 278, 333, 469, 500, 333, 444, 500, 444, 500,
    444, 333, 500, 500, 278, 278, 500, 278, 778, 500, 500, 500, 500, 333, 389, 278, 500, 500, 722, 500, 500, 444, 480,
    200, 480, 541,
];

/// The width of a code in a font that every reader has.
pub(super) fn standard_width(base_font: &[u8], byte: u8) -> f64 {
    if contains(base_font, b"Courier") {
        return 600.0;
    }
    let table = if contains(base_font, b"Times") { &TIMES } else { &HELVETICA };
    byte.checked_sub(32).and_then(|index| table.get(usize::from(index))).map_or(556.0, |width| f64::from(*width))
}

#[cfg(test)]
mod tests {
    use super::{base_table, from_name};

    #[test]
    fn names_are_found() {
        for (name, expected) in [
            ("A", "A"),
            ("zukatakana", "ズ"),
            ("germandbls", "ß"),
            ("f_f_i", "ffi"),
            ("a.alt", "a"),
            ("uni20AC", "€"),
            ("u1F600", "😀"),
            ("g17", ""),
            ("", ""),
        ] {
            assert_eq!(from_name(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn encodings_differ_where_they_should() {
        let at = |name: &[u8], byte: usize| base_table(Some(name), b"Times")[byte].clone();
        assert_eq!(
            (at(b"WinAnsiEncoding", 0x92), at(b"MacRomanEncoding", 0xd5), at(b"StandardEncoding", 0x27)),
            ("’".to_owned(), "’".to_owned(), "’".to_owned())
        );
    }
}
