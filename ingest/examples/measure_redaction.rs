//! Measures the redactor on a JSONL file with typed spans: how many are masked, and what is masked besides.
//!
//! `cargo run -p ringfence-ingest --example measure_redaction -- FILE [--show]`; a line is `{"carrier_text": …, "spans": [{"type", "start", "end"}]}`. Without spans it counts what is masked.
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::collections::{BTreeMap, BTreeSet};

use ringfence_ingest::{RedactionKind, redact};
use serde_json::Value;

const TYPES: [(&str, &str); 6] = [
    ("EMAIL_ADDRESS", "email"),
    ("IP_ADDRESS", "ip"),
    ("IBAN_CODE", "iban"),
    ("US_SSN", "ssn"),
    ("PHONE_NUMBER", "phone"),
    ("CREDIT_CARD", "card"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: measure_redaction FILE [--show]")?;
    let show = arguments.next().is_some();
    let all = BTreeSet::from(RedactionKind::PERSONAL);
    let mut spans: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut masked: BTreeMap<&str, u32> = BTreeMap::new();
    for line in std::fs::read_to_string(&path)?.lines() {
        let row: Value = serde_json::from_str(line)?;
        let text = row["carrier_text"].as_str().unwrap_or_default();
        let redacted = redact(text, &all);
        for count in &redacted.counts {
            *masked.entry(count.kind.name()).or_default() += count.count;
        }
        let listed = row["spans"].as_array();
        if show && listed.is_none() && !redacted.counts.is_empty() {
            println!(
                "{:?}",
                redacted
                    .text
                    .match_indices("[redacted:")
                    .map(|(at, _)| &redacted.text[redacted.text.floor_char_boundary(at.saturating_sub(60))
                        ..redacted.text.floor_char_boundary(at + 40)])
                    .collect::<Vec<_>>()
            );
        }
        for span in listed.into_iter().flatten() {
            let Some((_, kind)) = TYPES.iter().find(|(name, _)| span["type"] == *name) else { continue };
            let value = value(text, span);
            let entry = spans.entry(kind).or_default();
            entry.0 += 1;
            if redacted.text.contains(&value) {
                if show {
                    println!("missed {kind}: {value} in {text:?}");
                }
            } else {
                entry.1 += 1;
            }
        }
    }
    for (kind, (all, found)) in spans {
        println!("{kind}: {found} of {all} masked");
    }
    println!("masked in all: {masked:?}");
    Ok(())
}

/// Spans count characters.
fn value(text: &str, span: &Value) -> String {
    let at = |name: &str| usize::try_from(span[name].as_u64().unwrap_or_default()).unwrap_or_default();
    text.chars().skip(at("start")).take(at("end") - at("start")).collect()
}
