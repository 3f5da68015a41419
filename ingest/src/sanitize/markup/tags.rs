//! Raw HTML tags in Markdown that load, run, submit or conceal.

use std::sync::LazyLock;

use regex::Regex;

use super::{address::is_local, concealed, remove};
use crate::{
    draft::Edit,
    finding::FindingKind,
    sanitize::{code::InCode, instruction::is_instruction},
};

/// A tag is read with its quotes up to this length; beyond it ends at the next `>`.
const TAG_BYTES: usize = 4096;

/// Event handlers, and addresses that are run.
static ACTIVE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)[\s/"']on[a-z]{3,24}\s*=|(?:href|src|action|formaction|data)\s*=\s*["']?\s*(?:javascript|vbscript|data)\s*:"#)
        .expect("the pattern is constant and tested")
});

/// Proposes the removal of tags that load or run.
pub(super) fn detect(text: &str, code: &InCode, edits: &mut Vec<Edit>) {
    let mut done = 0;
    let mut block_end = 0;
    for (at, _) in text.match_indices('<') {
        if at < done {
            continue;
        }
        let Some(name) = name(&text[at..]) else { continue };
        if block_end <= at {
            block_end = text[at..].find("\n\n").map_or(text.len(), |end| at + end);
        }
        let Some((end, whole)) = tag_end(text, at, block_end) else {
            // No `>` before the block ends: there is no tag in the rest of it.
            done = block_end;
            continue;
        };
        let tag = &text[at..end];
        let shown = code.contains(at) || in_span(text, at, end);
        if !shown && let Some(range) = concealed::element(text, at..end, &name, block_end) {
            done = range.end;
            edits.push(Edit::remove(range, FindingKind::HiddenText));
            continue;
        }
        let goes = match name.as_str() {
            // What loads a picture goes even where it is shown as code: a chunk may show half of the code.
            "img" | "image" => !whole || loads_remotely(tag) || (!shown && speaks(tag)),
            name if loads(name) => !shown,
            _ => !shown && tag.len() > 8 && ACTIVE.is_match(tag),
        };
        if goes {
            remove(at..end, edits);
        }
        done = if goes { end } else { at + 1 };
    }
}

fn loads(name: &str) -> bool {
    matches!(
        name,
        "iframe"
            | "script"
            | "object"
            | "embed"
            | "link"
            | "form"
            | "svg"
            | "style"
            | "video"
            | "audio"
            | "source"
            | "track"
            | "meta"
            | "base"
            | "frame"
            | "frameset"
            | "applet"
            | "input"
            | "bgsound"
            | "portal"
    )
}

/// The name of the tag that opens here, in lower case.
fn name(text: &str) -> Option<String> {
    let rest = text[1..].strip_prefix('/').unwrap_or(&text[1..]);
    let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).take(20).count();
    let ends = rest[length..].starts_with(|next: char| next.is_whitespace() || next == '/' || next == '>');
    (length > 0 && ends && rest.as_bytes()[0].is_ascii_alphabetic()).then(|| rest[..length].to_ascii_lowercase())
}

/// Where a tag ends, and whether its quotes were understood.
fn tag_end(text: &str, at: usize, block_end: usize) -> Option<(usize, bool)> {
    let mut quote = None;
    let mut after_equals = false;
    let window = &text.as_bytes()[at..block_end.min(at + TAG_BYTES)];
    for (offset, byte) in window.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some((at + offset + 1, true)),
            (None, b'"' | b'\'') if after_equals => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
        after_equals = *byte == b'=' || (after_equals && byte.is_ascii_whitespace());
    }
    text[at..block_end].find('>').map(|end| (at + end + 1, false))
}

/// Whether a tag stands in a code span on its line.
fn in_span(text: &str, start: usize, end: usize) -> bool {
    let from = text.floor_char_boundary(start.saturating_sub(400));
    let before = text[from..start].rsplit('\n').next().unwrap_or_default();
    let to = text.floor_char_boundary(end + 400);
    let after = text[end..to].split('\n').next().unwrap_or_default();
    before.matches('`').count() % 2 == 1 && after.contains('`')
}

/// The alternative text of an image.
static ALTERNATIVE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)[\s"'/]alt\s*=\s*(?:"([^"]*)"|'([^']*)')"#).expect("the pattern is constant and tested")
});

/// Whether the alternative text of an image, which nobody is shown, speaks to a machine.
fn speaks(tag: &str) -> bool {
    let Some(captures) = ALTERNATIVE.captures(tag) else { return false };
    captures.iter().skip(1).flatten().any(|alternative| is_instruction(alternative.as_str()))
}

/// Whether an image tag names an address on another host, or does more than show an image.
fn loads_remotely(tag: &str) -> bool {
    let lower: String = tag.to_ascii_lowercase().split_whitespace().collect();
    let remote = ["src=", "srcset=", "href="].iter().any(|name| {
        lower.match_indices(name).any(|(at, _)| {
            let value = lower[at + name.len()..].trim_start_matches(['"', '\'']);
            let value = &value[..value.find(['"', '\'', '>']).unwrap_or(value.len())];
            !is_local(value)
        })
    });
    remote || lower.contains("onerror=") || lower.contains("onload=") || lower.contains("url(")
}
