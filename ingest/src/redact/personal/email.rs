//! E-mail addresses.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

/// Word boundaries are those of ASCII: in a script without spaces the next word begins right behind the address.
static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    let letter = r"A-Za-z0-9\x{c0}-\x{24f}";
    Regex::new(&format!(
        r"[{letter}][{letter}._%+'-]{{0,63}}[@＠](?:[{letter}][{letter}-]{{0,62}}\.){{1,8}}[A-Za-z]{{2,24}}(?-u:\b)"
    ))
    .expect("the pattern is constant and tested")
});

pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    EMAIL.find_iter(text).map(|email| email.range()).collect()
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn addresses_are_found() {
        for (text, expected) in [
            ("mail alice.b+c@mail.example.com, now", "alice.b+c@mail.example.com"),
            ("<jörg@müller.example>", "jörg@müller.example"),
            ("联系alice@example.com谢谢", "alice@example.com"),
            ("o'neil@example.co.uk.", "o'neil@example.co.uk"),
        ] {
            let found: Vec<&str> = find(text).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, [expected], "{text}");
        }
        for text in ["git@localhost", "@alice", "a@b", "user @ example.com", "pkg@1.2.3"] {
            assert!(find(text).is_empty(), "{text}");
        }
    }
}
