//! International bank account numbers: the length of the country and the check by 97.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

/// Length by country, in the order of the alphabet.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

static OPENING: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u:\b)[A-Za-z]{2}[0-9]{2}").expect("the pattern is constant and tested"));

pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    OPENING.find_iter(text).filter_map(|opening| iban(text, opening.start())).collect()
}

/// The account number that begins here: as many characters as its country has, single spaces or hyphens between them.
fn iban(text: &str, start: usize) -> Option<Range<usize>> {
    let country = [text.as_bytes()[start].to_ascii_uppercase(), text.as_bytes()[start + 1].to_ascii_uppercase()];
    let len = LENGTHS.iter().find(|(own, _)| **own == country).map(|(_, len)| *len)?;
    let mut characters: Vec<u8> = Vec::with_capacity(len);
    let mut after_gap = false;
    for (offset, byte) in text[start..].bytes().enumerate() {
        match byte {
            byte if byte.is_ascii_alphanumeric() => characters.push(byte.to_ascii_uppercase()),
            b' ' | b'-' if !after_gap => {}
            _ => return None,
        }
        after_gap = !byte.is_ascii_alphanumeric();
        if characters.len() == len {
            let end = start + offset + 1;
            let ends = !text[end..].starts_with(|next: char| next.is_ascii_alphanumeric());
            return (ends && remainder(&characters) == 1).then_some(start..end);
        }
    }
    None
}

/// The number modulo 97, with the first four characters moved to the end and letters counted from ten.
fn remainder(characters: &[u8]) -> u32 {
    let moved = characters[4..].iter().chain(&characters[..4]);
    moved.fold(0, |remainder, character| {
        let value = char::from(*character).to_digit(36).unwrap_or(0);
        let shift = if value > 9 { 100 } else { 10 };
        (remainder * shift + value) % 97
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn account_numbers_are_checked() {
        for (text, expected) in [
            ("to GB82WEST12345698765432 today", vec!["GB82WEST12345698765432"]),
            ("IBAN: DE89 3704 0044 0532 0130 00 and more", vec!["DE89 3704 0044 0532 0130 00"]),
            ("gb82west12345698765432", vec!["gb82west12345698765432"]),
            ("GB82WEST12345698765431 GB82WEST1234569876543 XX12ABCD", vec![]),
            ("DE89370400440532013000A", vec![]),
        ] {
            let found: Vec<&str> = find(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
