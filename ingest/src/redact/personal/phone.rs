//! Telephone numbers: international ones by their `+`, national ones by their grouping, the rest only beside a word that says so.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{names_before, stands_alone};

/// A run of digits with single separators, perhaps an extension.
static RUN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:\+|\(\+?)?[0-9](?:(?:[ \x{a0}\x{2009}.\x{2010}\x{2011}/-]|[ .-]?[()][ -]?|\)[ .-]?\()?[0-9]){5,16}(?: ?(?:x|ext\.? ?)[0-9]{1,6})?",
    )
    .expect("the pattern is constant and tested")
});

/// Words beside a number that make it a telephone number.
const NAMES: [&str; 22] = [
    "phone",
    "tel",
    "call",
    "mobile",
    "cell",
    "fax",
    "contact",
    "reach",
    "ring",
    "whatsapp",
    "sms",
    "dial",
    "hotline",
    "handy",
    "telefon",
    "number is",
    "number:",
    "numéro",
    "número",
    "numero",
    "text me",
    "телефон",
];

pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    RUN.find_iter(text).map(|run| run.range()).filter(|range| is_phone(text, range)).collect()
}

fn is_phone(text: &str, range: &Range<usize>) -> bool {
    let own = &text[range.clone()];
    let number = own.split(['x', 'e']).next().unwrap_or(own).trim_end();
    let groups: Vec<&str> =
        number.split(|character: char| !character.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let digits: usize = groups.iter().map(|group| group.len()).sum();
    if !(7..=15).contains(&digits) || !stands_alone(text, range) || goes_on(text, range) || is_other(number, &groups) {
        return false;
    }
    let named = || names_before(text, range.start, 48, &NAMES) || is_labelled_behind(text, range.end);
    let international =
        number.starts_with(['+']) || number.starts_with("(+") || (number.starts_with("00") && groups.len() > 1);
    if international {
        return digits >= 8;
    }
    is_american(number, &groups) || is_national(number, &groups, digits) || (digits <= 13 && named())
}

/// Whether the word behind a number says what it is for.
fn is_labelled_behind(text: &str, at: usize) -> bool {
    let behind = text[at..text.floor_char_boundary(at + 16)].to_lowercase();
    let word = behind.trim_start_matches([' ', '-', '(', ',', '–']);
    ["office", "fax", "mobile", "phone", "cell", "home", "work"].iter().any(|label| word.starts_with(label))
}

/// Whether digits go on behind a separator: the run is a part of something longer.
fn goes_on(text: &str, range: &Range<usize>) -> bool {
    let before = text[..range.start].ends_with(['-', '/', ':', '=', '+', '(', '~']);
    let mut after = text[range.end..].chars();
    let behind =
        matches!(after.next(), Some('-' | '/' | ':' | '.')) && after.next().is_some_and(|next| next.is_ascii_digit());
    before || behind
}

/// Dates, amounts in groups of three, years, version-like runs.
fn is_other(number: &str, groups: &[&str]) -> bool {
    let lens: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let year = |group: &str| group.len() == 4 && (group.starts_with("19") || group.starts_with("20"));
    let date = groups.len() == 3
        && (year(groups[0]) && lens[1..] == [2, 2] || year(groups[2]) && lens[0] <= 2 && lens[1] <= 2);
    let years = groups.len() == 2 && groups.iter().all(|group| year(group));
    let amount = number.contains([' ', '.'])
        && !number.contains(['-', '('])
        && !number.starts_with('0')
        && groups.len() >= 3
        && lens[0] <= 3
        && lens[1..].iter().all(|len| *len == 3)
        && groups.last().is_some_and(|last| *last == "000");
    date || years || amount
}

/// `(206) 555-0123`, `206-555-0123`, `206.555.0123`, with or without a leading 1.
fn is_american(number: &str, groups: &[&str]) -> bool {
    let groups = if groups.first() == Some(&"1") { &groups[1..] } else { groups };
    let lens: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let area = groups.first().is_some_and(|area| !area.starts_with(['0', '1']));
    lens == [3, 3, 4] && area && (number.contains(['-', '.', '(']))
}

/// A leading zero and groups of at least two digits, as most of the world writes it.
fn is_national(number: &str, groups: &[&str], digits: usize) -> bool {
    let zero = number.trim_start_matches('(').starts_with('0') && !number.starts_with("00");
    let grouped = groups.len() >= 2 && groups.iter().skip(1).all(|group| group.len() >= 2);
    let area = groups.first().is_some_and(|area| (2..=5).contains(&area.len()));
    zero && grouped && area && (9..=12).contains(&digits)
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_masked_number_does_not_name_the_next_one() {
        assert!(find("[redacted:phone] order 5369043901").is_empty());
        assert_eq!(find("phone [redacted:email] 5369043901").len(), 1);
        let far = format!("[redacted:phone]{}5369043901", "-".repeat(38));
        assert!(find(&far).is_empty(), "nor where the placeholder stands half within reach");
    }

    #[test]
    fn numbers_are_found() {
        for number in [
            "+46 (0)179 459 33",
            "+447700677662",
            "+1-903-140-4508x769",
            "001-253-366-9781",
            "(602)272-9781",
            "345-899-3560x4587",
            "618-226-1460",
            "0494 92 82 32",
            "(08) 8747 6301",
            "01.84.17.61.18",
            "0393 1144137",
        ] {
            let text = format!("It was {number}, he said");
            let found: Vec<&str> = find(&text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, [number], "{text}");
        }
        for number in ["467 3395", "78 651 450", "5403926876", "60-56-85-91"] {
            let text = format!("Call me at {number}.");
            let found: Vec<&str> = find(&text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, [number], "{text}");
        }
    }

    #[test]
    fn other_numbers_are_not() {
        for text in [
            "on 2024-01-15 or 15.01.2024 or 01/15/2024",
            "order 5403926876 of 1 000 000",
            "between 2019-2024",
            "1.2.3.4.5.6.7.8",
            "550e8400-e29b-41d4-a716-446655440000",
            "ISBN 978-3-16-148410-0",
            "0.123456789",
            "lines 1234567-1234599",
            "2024-01-15T10:00:00",
        ] {
            assert!(find(text).is_empty(), "{text}");
        }
    }
}
