//! Public IP addresses. Private, local and netmask addresses say nothing about a person, and a version is no address.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::names_before;

static V4: LazyLock<Regex> = LazyLock::new(|| compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"));
static V6: LazyLock<Regex> =
    LazyLock::new(|| compile(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.[0-9]{1,3}){0,3}"));

/// What makes four numbers a version or a section.
const VERSIONS: [&str; 9] = ["version", "release", "build", "ver.", "section", "chapter", "clause", "firmware", "§"];

/// What lists versions in the same line.
const UPGRADES: [&str; 3] = ["bump ", "upgrade", "release notes"];

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants and tested")
}

pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> =
        V4.find_iter(text).map(|address| address.range()).filter(|range| is_v4(text, range)).collect();
    if text.contains(':') {
        found.extend(V6.find_iter(text).map(|address| address.range()).filter_map(|range| v6(text, range)));
    }
    found
}

fn is_v4(text: &str, range: &Range<usize>) -> bool {
    let Ok(address) = text[range.clone()].parse::<Ipv4Addr>() else { return false };
    let local = address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast();
    let mask = matches!(address.octets()[0], 0 | 240..=255);
    let before = text[..range.start].chars().next_back();
    let inside =
        before.is_some_and(|before| before.is_ascii_alphanumeric() || matches!(before, '.' | '-' | '_' | '^' | '~'));
    let mut after = text[range.end..].chars();
    let goes_on = match after.next() {
        Some('.' | '-' | '_' | '/') => after.next().is_some_and(|next| next.is_ascii_alphanumeric()),
        Some(next) => next.is_ascii_alphanumeric(),
        None => false,
    };
    !local
        && !mask
        && !inside
        && !goes_on
        && !names_before(text, range.start, 14, &VERSIONS)
        && !names_before(text, range.start, 80, &UPGRADES)
}

fn v6(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    // A colon behind the address is punctuation.
    let own = text[range.clone()].strip_suffix(':').filter(|own| !own.ends_with(':')).unwrap_or(&text[range.clone()]);
    let range = range.start..range.start + own.len();
    let address = own.parse::<Ipv6Addr>().ok()?;
    let groups = own.split(':').filter(|group| !group.is_empty()).count();
    let local = address.is_loopback() || address.is_unspecified() || address.is_multicast();
    let own_network = matches!(address.segments()[0], 0xfc00..=0xfdff | 0xfe80..=0xfebf);
    let joined = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == ':';
    let alone = !text[..range.start].ends_with(joined) && !text[range.end..].starts_with(joined);
    let digits = own.bytes().any(|byte| byte.is_ascii_digit());
    (groups >= 3 && digits && alone && !local && !own_network).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn public_addresses_are_found() {
        for (text, expected) in [
            ("from 41.176.181.243:8080, then 8.8.8.8.", vec!["41.176.181.243", "8.8.8.8"]),
            (
                "host 6e40:4041:c617:e898:c11:40d2:c669:2eb4 and [2a00:1450::200e]:443",
                vec!["6e40:4041:c617:e898:c11:40d2:c669:2eb4", "2a00:1450::200e"],
            ),
            ("10.0.0.1 192.168.1.7 127.0.0.1 255.255.255.0 0.0.0.0 999.1.1.1 41.176.0.0/16", vec![]),
            ("version 41.2.3.4, v41.2.3.4 and 41.2.3.4-alpha and 1.41.2.3.4", vec![]),
            ("std::net::Ipv6 12:30:45 aa:bb:cc:dd:ee:ff ::1 fe80::1:2:3 a::b", vec![]),
        ] {
            let found: Vec<&str> = find(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
