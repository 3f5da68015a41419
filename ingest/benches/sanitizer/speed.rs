//! How fast a document is sanitised: the whole preparation on one core, and the slowest of many passages of 1 KB.

use std::{fmt::Write as _, time::Instant};

use ringfence_ingest::{Content, PrepareOptions, Source, prepare, training::Data};

use crate::Outcome;

const PASSAGE_BYTES: usize = 1024;
const ROUNDS: usize = 5;

/// Measures on the honest texts of the data, which are real, and writes down the best of some rounds.
pub(crate) fn write(data: &Data, page: &mut String) -> Outcome<()> {
    let documents: Vec<&str> = data.honest.iter().map(|row| row.text.as_str()).collect();
    let whole = documents.join("\n\n");
    let megabytes = |bytes: usize, seconds: f64| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6 / seconds;
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        best = best.min(seconds(&whole));
    }
    let mut slowest = Vec::new();
    let passages: Vec<String> = passages(&whole);
    for passage in &passages {
        let least = (0..3).map(|_| seconds(passage)).fold(f64::INFINITY, f64::min);
        slowest.push(least * 1e3);
    }
    slowest.sort_by(f64::total_cmp);
    writeln!(
        page,
        "Speed: {:.1} MB/s for the preparation of a document of {:.1} MB on one core; a passage of 1 KB takes {:.3} ms at the median and {:.3} ms at the 99th percentile of {} passages, the best of three runs each.",
        megabytes(whole.len(), best),
        megabytes(whole.len(), 1.0),
        slowest[slowest.len() / 2],
        slowest[slowest.len() * 99 / 100],
        slowest.len()
    )?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn seconds(text: &str) -> f64 {
    let source = Source { title: None, content: Content::Text(text.to_owned()) };
    let start = Instant::now();
    let prepared = prepare(source, &PrepareOptions::default());
    let spent = start.elapsed().as_secs_f64();
    drop(prepared);
    spent
}

fn passages(text: &str) -> Vec<String> {
    let mut passages = Vec::new();
    let mut rest = text;
    while rest.len() > PASSAGE_BYTES {
        let (passage, after) = rest.split_at(rest.floor_char_boundary(PASSAGE_BYTES));
        passages.push(passage.to_owned());
        rest = after;
    }
    passages
}
