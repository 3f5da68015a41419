//! Measures the sanitiser on a folder of JSONL files: what it finds in attacks, and what it takes from honest text.
//!
//! `cargo run -p ringfence-ingest --example measure -- FOLDER [--show NAME]`; a line is `{"kind": "attack" | "benign", "carrier_text": …, "injected_span": …}`. A file is a family; the averages are over families, never over pooled rows. All figures are for attacks that did not adapt to this detector.
#![expect(clippy::print_stdout, reason = "an example prints what it measured")]

use std::{ops::Range, path::PathBuf};

use ringfence_ingest::{Action, Content, FindingKind, PrepareOptions, Source, prepare};
use serde_json::Value;

/// An attack counts as removed if so much of its span is.
const REMOVED_SHARE: f64 = 0.8;

#[derive(Default)]
struct Family {
    attacks: usize,
    flagged: usize,
    removed: usize,
    benign: usize,
    touched: usize,
    sentences: usize,
    sentences_lost: usize,
    /// Of these, lost to what must go in any case: hidden things, tokens, markup that loads.
    guaranteed: usize,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("usage: measure FOLDER [--show NAME]")?);
    let shown = arguments.nth(1);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    println!(
        "{:<28} {:>6} {:>8} {:>8} | {:>6} {:>8} {:>9} {:>7} {:>7}",
        "family", "rows", "flagged", "removed", "rows", "touched", "sentences", "lost %", "by rule"
    );
    let (mut flagged, mut removed, mut families) = (0.0, 0.0, 0.0);
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let show = shown.as_deref() == Some(name.as_str());
        let mut family = Family::default();
        for line in std::fs::read_to_string(&path)?.lines() {
            family.take(&serde_json::from_str(line)?, show);
        }
        family.print(&name);
        if family.attacks > 0 {
            families += 1.0;
            flagged += share(family.flagged, family.attacks);
            removed += share(family.removed, family.attacks);
        }
    }
    println!(
        "macro average over {families} attack families: flagged {:.3}, removed {:.3}",
        flagged / families,
        removed / families
    );
    Ok(())
}

impl Family {
    fn take(&mut self, row: &Value, show: bool) {
        let text = row["carrier_text"].as_str().unwrap_or_default().replace("\r\n", "\n").replace('\r', "\n");
        if row["kind"] == "attack" {
            self.attack(row, &text, &stripped(&text, |_| true), show);
        } else {
            self.benign(&text, show);
        }
    }

    fn attack(&mut self, row: &Value, text: &str, gone: &[Range<usize>], show: bool) {
        let span = row["injected_span"].as_str().unwrap_or_default().replace("\r\n", "\n");
        let Some(at) = text.find(&span) else { return };
        let span = at..at + span.len();
        let covered: usize = gone.iter().map(|range| overlap(range, &span)).sum();
        self.attacks += 1;
        self.flagged += usize::from(covered > 0);
        let is_removed = ratio(covered, span.len()) >= REMOVED_SHARE;
        self.removed += usize::from(is_removed);
        if show && !is_removed {
            println!("  {} {:?}", if covered > 0 { "PART" } else { "MISS" }, &text[span]);
        }
    }

    fn benign(&mut self, text: &str, show: bool) {
        let (gone, guaranteed) =
            (stripped(text, |_| true), stripped(text, |kind| !kind.name().contains("instruction")));
        self.benign += 1;
        self.touched += usize::from(!gone.is_empty());
        for sentence in sentences(text) {
            self.sentences += 1;
            let covered: usize = gone.iter().map(|range| overlap(range, &sentence)).sum();
            let by_guarantee: usize = guaranteed.iter().map(|range| overlap(range, &sentence)).sum();
            if ratio(covered, sentence.len()) >= 0.5 {
                self.sentences_lost += 1;
                self.guaranteed += usize::from(ratio(by_guarantee, sentence.len()) >= 0.5);
                if show && ratio(by_guarantee, sentence.len()) < 0.5 {
                    println!("  LOST {:?}", &text[sentence]);
                }
            }
        }
    }

    fn print(&self, name: &str) {
        println!(
            "{name:<28} {:>6} {:>8.3} {:>8.3} | {:>6} {:>8} {:>9} {:>7.3} {:>7.3}",
            self.attacks,
            share(self.flagged, self.attacks),
            share(self.removed, self.attacks),
            self.benign,
            self.touched,
            self.sentences,
            100.0 * share(self.sentences_lost, self.sentences),
            100.0 * share(self.sentences_lost - self.guaranteed, self.sentences),
        );
    }
}

/// What the sanitiser took out, in order.
fn stripped(text: &str, counts: impl Fn(FindingKind) -> bool) -> Vec<Range<usize>> {
    let source = Source { title: None, content: Content::Text(text.to_owned()) };
    let Ok(prepared) = prepare(source, &PrepareOptions::default()) else { return Vec::new() };
    let whole = prepared.quarantine.is_some();
    let mut ranges: Vec<Range<usize>> = prepared
        .findings
        .iter()
        .filter(|finding| finding.action == Action::Stripped && counts(finding.kind))
        .map(|finding| finding.range.clone())
        .collect();
    if whole {
        ranges = std::iter::once(0..text.len()).collect();
    }
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// Sentences as a simple reader cuts them, apart from how the sanitiser does it.
fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let bytes = text.as_bytes();
    for at in 0..bytes.len() {
        let ends = bytes[at] == b'\n'
            || (b".!?".contains(&bytes[at]) && bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace));
        if ends || at + 1 == bytes.len() {
            let sentence = &text[start..=at.max(start)].trim();
            if sentence.len() > 2 {
                let offset = sentence.as_ptr() as usize - text.as_ptr() as usize;
                found.push(offset..offset + sentence.len());
            }
            start = at + 1;
        }
    }
    found
}

fn overlap(left: &Range<usize>, right: &Range<usize>) -> usize {
    left.end.min(right.end).saturating_sub(left.start.max(right.start))
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn share(part: usize, whole: usize) -> f64 {
    ratio(part, whole)
}
