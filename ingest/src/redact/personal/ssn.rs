//! United States social security numbers, by the rules of the authority that gives them.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{names_before, stands_alone};

static SSN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"([0-9]{3})([-\x{2010}\x{2011} ]?)([0-9]{2})([-\x{2010}\x{2011} ]?)([0-9]{4})")
        .expect("the pattern is constant and tested")
});

const NAMES: [&str; 4] = ["ssn", "social security", "social-security", "taxpayer"];

pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let numbers = SSN.captures_iter(text).filter_map(|parts| {
        let whole = parts.get(0)?;
        let separator = &parts[2];
        let valid = is_given(&parts[1], &parts[3], &parts[5]) && separator == &parts[4];
        let alone = stands_alone(text, &whole.range()) && !is_part(text, &whole.range());
        let marked = !separator.trim().is_empty() || names_before(text, whole.start(), 40, &NAMES);
        (valid && alone && marked).then(|| whole.range())
    });
    numbers.collect()
}

/// Areas 000, 666 and from 900 on, group 00 and serial 0000 are never given.
fn is_given(area: &str, group: &str, serial: &str) -> bool {
    area != "000" && area != "666" && !area.starts_with('9') && group != "00" && serial != "0000"
}

/// Whether a longer number in groups goes on at either side.
fn is_part(text: &str, range: &Range<usize>) -> bool {
    text[..range.start].ends_with('-') || text[range.end..].starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn numbers_that_are_given_are_found() {
        for (text, expected) in [
            ("My number is 123-45-6789.", vec!["123-45-6789"]),
            ("SSN: 123456789, SSN 123 45 6789", vec!["123456789", "123 45 6789"]),
            ("000-12-3456 666-12-3456 912-34-5678 123-00-4567 123-45-0000", vec![]),
            ("123456789 and 1-123-45-6789 and 123-45-67890 and 123-45 6789", vec![]),
        ] {
            let found: Vec<&str> = find(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
