//! Rows to learn from and to measure on: texts, with the places of the instructions that somebody put into them.

use std::ops::Range;

use serde_json::Value;

use crate::training::random::{Random, digest};

/// A text, and where the instructions in it stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The family of an attack, or the kind of an honest text.
    pub source: String,
    /// The language of an instruction, if the data say so.
    pub language: Option<String>,
    /// The text.
    pub text: String,
    /// The instructions, in order; none in an honest text.
    pub spans: Vec<Range<usize>>,
}

impl Row {
    /// Whether somebody put an instruction into the text.
    #[must_use]
    pub const fn is_attack(&self) -> bool {
        !self.spans.is_empty()
    }
}

/// An instruction without a text around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The family.
    pub source: String,
    /// The language, if the data say so.
    pub language: Option<String>,
    /// What it says.
    pub text: String,
}

/// Reads instructions, a JSON object a line: `{"source", "language"?, "text"}`.
///
/// # Errors
/// The number of a line that is not one.
pub fn payloads(lines: &str) -> Result<Vec<Payload>, String> {
    let read = |(line, value): (usize, Value)| {
        let text = field(&value, "text").ok_or_else(|| format!("line {line} has no text"))?;
        let source = field(&value, "source").ok_or_else(|| format!("line {line} has no source"))?;
        Ok(Payload { source, language: field(&value, "language"), text })
    };
    values(lines)?.into_iter().map(read).collect()
}

/// Reads honest texts, a JSON object a line: `{"source", "text"}`.
///
/// # Errors
/// The number of a line that is not one.
pub fn honest(lines: &str) -> Result<Vec<Row>, String> {
    let row = |payload: Payload| Row {
        source: payload.source,
        language: payload.language,
        text: payload.text,
        spans: Vec::new(),
    };
    Ok(payloads(lines)?.into_iter().map(row).collect())
}

/// Reads rows of the form `{"kind": "attack" | "benign", "carrier_text", "injected_span", "note"}`, all of one source.
///
/// # Errors
/// The number of a line that is not one.
pub fn rows(source: &str, lines: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (line, value) in values(lines)? {
        let text = field(&value, "carrier_text").ok_or_else(|| format!("line {line} has no carrier_text"))?;
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut spans = Vec::new();
        if value["kind"] == "attack" {
            let span = field(&value, "injected_span").unwrap_or_default().replace("\r\n", "\n");
            let Some(at) = text.find(&span).filter(|_| !span.is_empty()) else { continue };
            spans.push(at..at + span.len());
        }
        let note = field(&value, "note").unwrap_or_default();
        let language = note.split_once("lang=").map(|(_, rest)| {
            rest.chars().take_while(|letter| letter.is_ascii_alphabetic() || *letter == '_').collect::<String>()
        });
        rows.push(Row { source: source.to_owned(), language, text, spans });
    }
    Ok(rows)
}

fn values(lines: &str) -> Result<Vec<(usize, Value)>, String> {
    let numbered = (1..).zip(lines.lines()).filter(|(_, line)| !line.is_empty());
    let read = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map(|value| (number, value)).map_err(|error| format!("line {number}: {error}"))
    };
    numbered.map(read).collect()
}

fn field(value: &Value, name: &str) -> Option<String> {
    value[name].as_str().map(str::to_owned)
}

/// Puts an instruction into an honest text: at the beginning, at the end or between two lines or sentences.
#[must_use]
pub fn insert(payload: &Payload, carrier: &str, random: &mut Random) -> Row {
    let carrier = carrier.trim_matches('\n');
    let gaps = gaps(carrier);
    let (at, before, after) = match random.below(10) {
        0 => (0, "", "\n"),
        1 | 2 => (carrier.len(), if random.percent(50) { "\n" } else { "\n\n" }, ""),
        _ => gaps.get(random.below(gaps.len())).copied().unwrap_or((carrier.len(), "\n", "")),
    };
    let mut text = carrier[..at].to_owned();
    text.push_str(before);
    let start = text.len();
    let (own, marked) = unmarked(&payload.text);
    text.push_str(&own);
    let spans = marked.into_iter().map(|span| start + span.start..start + span.end).collect();
    text.push_str(after);
    text.push_str(&carrier[at..]);
    Row { source: payload.source.clone(), language: payload.language.clone(), text, spans }
}

/// A text without its marks, and what they marked; all of it where there are none.
fn unmarked(text: &str) -> (String, Vec<Range<usize>>) {
    let mut own = String::with_capacity(text.len());
    let mut spans = Vec::new();
    let mut open = None;
    for character in text.chars() {
        match character {
            '⟦' => open = Some(own.len()),
            '⟧' => spans.extend(open.take().map(|start| start..own.len())),
            other => own.push(other),
        }
    }
    if spans.is_empty() {
        spans.push(0..own.len());
    }
    (own, spans)
}

/// Where something can be put, and with what before and after it.
fn gaps(carrier: &str) -> Vec<(usize, &'static str, &'static str)> {
    let mut gaps = Vec::new();
    let bytes = carrier.as_bytes();
    for at in 1..bytes.len() {
        match &bytes[at - 1..=at] {
            b"\n\n" => gaps.push((at + 1, "", "\n\n")),
            [b'\n', _] => gaps.push((at, "", "\n")),
            [b'.' | b'!' | b'?', b' '] => gaps.push((at + 1, "", " ")),
            _ => {}
        }
    }
    gaps
}

/// Puts every instruction into honest texts of a list, chosen by the instruction itself, so that adding one changes no other.
#[must_use]
pub fn insert_all(payloads: &[Payload], carriers: &[Row], each: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for payload in payloads {
        for turn in 0..each {
            let seed = digest(&payload.text) ^ u64::try_from(turn).unwrap_or_default();
            let mut random = Random::new(seed);
            let carrier = random.choose(carriers);
            rows.push(insert(payload, &carrier.text, &mut random));
        }
    }
    rows
}

/// How many bytes two ranges have in common.
#[must_use]
pub fn overlap(left: &Range<usize>, right: &Range<usize>) -> usize {
    left.end.min(right.end).saturating_sub(left.start.max(right.start))
}
