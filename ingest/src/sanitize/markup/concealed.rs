//! Raw HTML elements in Markdown that a browser would not show: they go with all that is in them.
//!
//! In an HTML document the parser sets hidden elements apart; in Markdown and plain text they come through as text, and whoever renders the text does not see them.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use crate::parse::html::style_hides;

/// A closing tag is looked for no further; without one the element ends here or with its block.
const ELEMENT_BYTES: usize = 2048;

/// The value of a `style` attribute, in either quotes or none.
static STYLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)[\s"'/]style\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"#)
        .expect("the pattern is constant and tested")
});

/// The value of any attribute.
static VALUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+)"#).expect("the pattern is constant and tested"));

/// The element that an opening tag conceals, from the tag to the end; `None` if the tag conceals nothing.
pub(super) fn element(text: &str, tag: Range<usize>, name: &str, block_end: usize) -> Option<Range<usize>> {
    let own = &text[tag.clone()];
    let is_void = matches!(name, "img" | "br" | "hr" | "input" | "meta" | "link" | "source" | "wbr" | "area" | "col");
    if own.starts_with("</") || own.ends_with("/>") || is_void || !conceals(own) {
        return None;
    }
    let limit = text.floor_char_boundary(tag.end + ELEMENT_BYTES).min(block_end.max(tag.end));
    let end = closing(text, tag.end, name).unwrap_or(limit);
    speaks(&text[tag.end..end]).then_some(tag.start..end)
}

/// Whether there is prose between the tags; the label of a button is part of a page's furniture.
fn speaks(inside: &str) -> bool {
    const WORDS: usize = 5;
    const LETTERS: usize = 12;
    let pieces = inside.split('<').enumerate().map(|(index, piece)| match piece.split_once('>') {
        Some((_, shown)) if index > 0 => shown,
        _ => piece,
    });
    let (mut words, mut letters) = (0, 0);
    for piece in pieces {
        words += piece.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
        letters += piece.chars().filter(|letter| !letter.is_ascii() && letter.is_alphabetic()).count();
    }
    words >= WORDS || letters >= LETTERS
}

fn conceals(tag: &str) -> bool {
    let lower = tag.to_ascii_lowercase();
    if lower.contains("hidden") {
        let bare = VALUE.replace_all(&lower, "=");
        let mut names = bare.split(|letter: char| letter.is_whitespace() || matches!(letter, '=' | '/' | '>'));
        if names.any(|name| name == "hidden") && !lower.contains("until-found") {
            return true;
        }
    }
    lower.contains("style")
        && STYLE
            .captures(tag)
            .is_some_and(|captures| captures.iter().skip(1).flatten().any(|style| style_hides(style.as_str())))
}

/// The end of the closing tag that belongs to an element, with the elements of its name inside counted.
fn closing(text: &str, from: usize, name: &str) -> Option<usize> {
    let window = &text[from..text.floor_char_boundary(from + ELEMENT_BYTES)];
    let mut depth = 1_usize;
    for (at, _) in window.match_indices('<') {
        let rest = &window[at + 1..];
        let (closes, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
        let is_own = rest.get(..name.len()).is_some_and(|own| own.eq_ignore_ascii_case(name))
            && !rest[name.len()..].starts_with(|letter: char| letter.is_ascii_alphanumeric());
        if is_own && closes {
            depth -= 1;
        } else if is_own {
            depth += 1;
        }
        if depth == 0 {
            let end = window[at..].find('>').map_or(window.len(), |end| at + end + 1);
            return Some(from + end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::element;

    fn check(text: &str, expected: Option<&str>) {
        let end = text.find('>').expect("a tag") + 1;
        let name: String = text[1..].chars().take_while(char::is_ascii_alphanumeric).collect();
        let found = element(text, 0..end, &name, text.len());
        assert_eq!(found.map(|range| &text[range]), expected, "{text:?}");
    }

    #[test]
    fn concealed_elements_go_whole() {
        for whole in [
            "<div hidden>one two <div>three</div> four five</div>",
            "<p style=\"display:none\">one two three\n\nfour five</P>",
            "<span style='color: white'>one two three four five</span>",
            "<p hidden>这里有一句没有人看得见的话。</p>",
        ] {
            check(&format!("{whole} six"), Some(whole));
        }
        check("<p hidden>never closed by any tag", Some("<p hidden>never closed by any tag"));
    }

    #[test]
    fn what_is_shown_stays() {
        for opening in [
            "<div class=\"hidden lg:block\">",
            "<div aria-hidden=\"true\">",
            "<div style=\"color:white;background:#000\">",
            "<div data-state='hidden'>",
        ] {
            check(&format!("{opening}one two three four five six</div>"), None);
        }
        check("<div style=\"display:none\" id=\"template\"><button class=\"a b c d e\">Close</button></div>", None);
    }
}
