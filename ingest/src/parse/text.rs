//! Plain text and Markdown: the text itself, with one kind of line break.

use crate::{
    blocks::{BlockKind, blocks},
    parse::Parsed,
};

/// Normalises line breaks; a Markdown document is titled by its first heading if that is of level 1.
pub(crate) fn parse(text: &str, markdown: bool) -> Parsed {
    let text = if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() };
    let title = if markdown { first_title(&text) } else { None };
    Parsed { text, title, findings: Vec::new() }
}

fn first_title(text: &str) -> Option<String> {
    let head = &text[..text.floor_char_boundary(2000)];
    blocks(head).into_iter().find_map(|block| match block.kind {
        BlockKind::Heading { level: 1, title } if !title.is_empty() => Some(title),
        _ => None,
    })
}
