//! CSV and TSV: rows of cells, quoted as RFC 4180 says, read in one pass.

use crate::{
    parse::{Parsed, writer::Writer},
    prepare::PrepareError,
};

/// Parses a table. Without a delimiter the first line decides between comma, semicolon and tab.
pub(crate) fn parse(text: &str, delimiter: Option<char>) -> Result<Parsed, PrepareError> {
    let delimiter = delimiter.unwrap_or_else(|| sniff(text));
    let mut writer = Writer::new();
    let mut cells: Vec<String> = Vec::new();
    let mut cell = String::new();
    let mut characters = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if is_quoted => is_quoted = false,
            '"' if cell.trim().is_empty() => {
                cell.clear();
                is_quoted = true;
            }
            '\n' | '\r' if !is_quoted => {
                cells.push(std::mem::take(&mut cell));
                writer.row(&cells);
                cells.clear();
            }
            _ if character == delimiter && !is_quoted => cells.push(std::mem::take(&mut cell)),
            _ => cell.push(character),
        }
        if writer.is_full() {
            break;
        }
    }
    cells.push(cell);
    writer.row(&cells);
    writer.finish(None)
}

fn sniff(text: &str) -> char {
    let line = text.lines().next().unwrap_or_default();
    let count = |delimiter: char| line.matches(delimiter).count();
    [',', ';', '\t'].into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(',')
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn check(text: &str, delimiter: Option<char>, expected: &str) {
        assert_eq!(parse(text, delimiter).expect("parses").text, expected, "{text:?}");
    }

    #[test]
    fn rows_and_quotes() {
        check("a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n\r\n,,\n3", None, "a | b\n1 | x, \"y\" z\n3");
        check("name;place\nAda;London, UK\n", None, "name | place\nAda | London, UK");
        check("a\tb,c\n1\t2", Some('\t'), "a | b,c\n1 | 2");
        check("one\ntwo", None, "one\ntwo");
        check("a,\"never closed\nb", None, "a | never closed b");
        check("=cmd|' /C calc'!A0,+1", None, "=cmd|' /C calc'!A0 | +1");
    }
}
