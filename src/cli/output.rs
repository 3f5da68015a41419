//! The only place that prints, and how: tables that fit the terminal, and text of documents that cannot command it.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::failure::Failure;

/// The width where there is no terminal to ask, such as in a file.
const WIDTH_DEFAULT: u16 = 100;

/// Prints to standard output. A reader that has seen enough, such as `head`, is no failure.
pub(super) fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::caused("cannot write the output", &error)),
        Ok(()) => Ok(()),
    }
}

/// Prints a value for programs.
pub(super) fn say_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::caused("cannot write JSON", &error))?;
    say(&text)
}

/// Prints to standard error; there is nobody left to tell where that fails.
#[expect(clippy::print_stderr, reason = "the messages of a command-line tool, in one place")]
pub(super) fn complain(text: &str) {
    eprintln!("{text}");
}

/// Asks a person to type `expected`; without a terminal nobody can.
pub(super) fn confirm(question: &str, expected: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(
            Failure::usage("this cannot be undone, and there is no terminal to ask on").with_remedy("pass `--yes`")
        );
    }
    complain(question);
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == expected { Ok(()) } else { Err(Failure::new("not confirmed; nothing was changed")) }
}

/// Whether a person watches standard output.
pub(super) fn is_watched() -> bool {
    io::stdout().is_terminal()
}

/// An empty table that fits the terminal.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    let columns = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|columns| *columns >= 40);
    if let Some(width) = columns.or_else(|| table.width().is_none().then_some(WIDTH_DEFAULT)) {
        table.set_width(width);
    }
    table.set_header(header.iter().map(ToString::to_string).collect::<Vec<_>>());
    table
}

/// Text from elsewhere as it may be shown on a terminal: no escape sequences, no text that runs backwards, one line.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => '\u{fffd}',
            character if character.is_control() => '\u{fffd}',
            character => character,
        })
        .collect()
}

/// The beginning of a text, in whole words, as it may be shown.
pub(super) fn excerpt(text: &str, characters_max: usize) -> String {
    let text = printable(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= characters_max {
        return text;
    }
    let cut: String = text.chars().take(characters_max).collect();
    let whole_words = cut.rsplit_once(' ').map_or(cut.as_str(), |(before, _)| before);
    format!("{whole_words} …")
}

/// `1 document`, `2 documents`.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_command_the_terminal() {
        assert_eq!(printable("a\u{1b}]0;x\u{7}b\nc\u{202e}d\u{9b}2J"), "a\u{fffd}]0;x\u{fffd}b c\u{fffd}d\u{fffd}2J");
        assert_eq!(printable("Grüße, 世界"), "Grüße, 世界");
    }

    #[test]
    fn an_excerpt_ends_with_a_word() {
        assert_eq!(excerpt("one  two\nthree", 20), "one two three");
        assert_eq!(excerpt("one two three", 10), "one two …");
        assert_eq!(excerpt("äöüäöüäöü", 3), "äöü …");
    }
}
