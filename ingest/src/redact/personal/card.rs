//! Payment card numbers: an issuer's prefix and length, and the Luhn check digit.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::stands_alone;

static CARD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{1,7}|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}|[0-9]{12,19}")
        .expect("the pattern is constant and tested")
});

pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let cards = CARD.find_iter(text).filter(|found| {
        let digits: Vec<u8> = found.as_str().bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
        stands_alone(text, &found.range()) && has_issuer(&digits) && luhn(&digits)
    });
    cards.map(|card| card.range()).collect()
}

/// Whether prefix and length are an issuer's.
fn has_issuer(digits: &[u8]) -> bool {
    let prefix = |count: usize| digits[..count].iter().fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    let len = digits.len();
    match prefix(4) {
        // Visa
        4000..=4999 => matches!(len, 13 | 16 | 19),
        // Mastercard
        5100..=5599 | 2221..=2720 => len == 16,
        // American Express
        3400..=3499 | 3700..=3799 => len == 15,
        // Diners Club
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => matches!(len, 14 | 16 | 19),
        // JCB
        3500..=3599 => (16..=19).contains(&len),
        2131 | 1800 => len == 15,
        // Discover, UnionPay, RuPay, Maestro
        6011 | 6221..=6229 | 6440..=6599 | 6200..=6220 | 6230..=6299 | 8100..=8171 => (16..=19).contains(&len),
        604 | 5018 | 5020 | 5038 | 5612 | 5893 | 6304 | 6759 | 6761..=6763 | 6390 | 6703 | 6709 => {
            (12..=19).contains(&len)
        }
        5000..=5099 | 5600..=5899 | 6000..=6999 => (12..=19).contains(&len),
        _ => false,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let weighed = digits.iter().rev().enumerate();
    let sum: u32 = weighed.map(|(at, digit)| u32::from(if at % 2 == 1 { doubled(*digit) } else { *digit })).sum();
    let varied = digits.iter().any(|digit| *digit != digits[0]);
    varied && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::find;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = find(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn numbers_with_a_check_digit_are_cards() {
        check("card 4111 1111 1111 1111, thanks", &["4111 1111 1111 1111"]);
        check("4111-1111-1111-1111", &["4111-1111-1111-1111"]);
        check("378282246310005 or 3782 822463 10005", &["378282246310005", "3782 822463 10005"]);
        check(
            "5555555555554444 30569309025904 6011111111111117 4222222222222",
            &["5555555555554444", "30569309025904", "6011111111111117", "4222222222222"],
        );
    }

    #[test]
    fn other_numbers_are_not() {
        for text in [
            "4111111111111112",
            "order 1700000000000000",
            "0.4111111111111111",
            "id_4111111111111111",
            "0000000000000000",
        ] {
            check(text, &[]);
        }
    }
}
