//! How fast a document is sanitised: the whole preparation on one core, and the slowest of many passages of 1 KB.

use std::{fmt::Write as _, hint::black_box, time::Instant};

use ringfence_ingest::{Content, PrepareOptions, Source, prepare, training::Data};

use crate::Outcome;

const PASSAGE_BYTES: usize = 1024;
const ROUNDS: usize = 5;

/// Measures on the honest texts of the data, which are real, in processor time where the system counts it, and writes down the best of some rounds.
pub(crate) fn write(data: &Data, page: &mut String) -> Outcome<()> {
    let documents: Vec<&str> = data.honest.iter().map(|row| row.text.as_str()).collect();
    let whole = documents.join("\n\n");
    let bytes = |texts: &[&str]| texts.iter().map(|text| text.len()).sum::<usize>();
    let megabytes = |bytes: usize, seconds: f64| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6 / seconds;
    let best = |texts: &[&str]| (0..ROUNDS).map(|_| seconds(texts).1).fold(f64::INFINITY, f64::min);
    let attacked = attacked(data);
    let (each, joined, hostile) = (best(&documents), best(&[&whole]), best(&[&attacked]));
    let passages = passages(&whole);
    let least = |passage: &String| (0..3).map(|_| seconds(&[passage]).0).fold(f64::INFINITY, f64::min) * 1e3;
    let mut slowest: Vec<f64> = passages.iter().map(least).collect();
    slowest.sort_by(f64::total_cmp);
    writeln!(
        page,
        "Speed of the whole preparation on one core: {:.1} MB/s of processor time for {} honest texts one by one; {:.1} MB/s for one document of {:.1} MB made of all of them, in which things are taken out, so that it is looked through again until nothing is left; {:.1} MB/s for one of {:.1} MB with an instruction behind every text; a passage of 1 KB takes {:.3} ms at the median and {:.3} ms at the 99th percentile of {} passages, the best of three runs each, by the clock.",
        megabytes(bytes(&documents), each),
        documents.len(),
        megabytes(whole.len(), joined),
        megabytes(whole.len(), 1.0),
        megabytes(attacked.len(), hostile),
        megabytes(attacked.len(), 1.0),
        slowest[slowest.len() / 2],
        slowest[slowest.len() * 99 / 100],
        slowest.len()
    )?;
    Ok(())
}

/// A long document with every instruction of the data behind an honest text.
fn attacked(data: &Data) -> String {
    let pairs = data.payloads.iter().zip(data.honest.iter().cycle());
    pairs.map(|(payload, honest)| format!("{}\n\n{}\n\n", honest.text, payload.text)).collect()
}

/// The time that preparations take: by the clock, and of the processor, which other work on the machine does not lengthen but which the system counts in large steps.
#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn seconds(texts: &[&str]) -> (f64, f64) {
    let source = |text: &&str| Source { title: None, content: Content::Text((*text).to_owned()) };
    let sources: Vec<Source> = texts.iter().map(source).collect();
    let (spent, start) = (processor_seconds(), Instant::now());
    for source in sources {
        drop(black_box(prepare(source, &PrepareOptions::default())));
    }
    let by_clock = start.elapsed().as_secs_f64();
    let by_processor = processor_seconds().zip(spent).map_or(by_clock, |(after, before)| after - before);
    (by_clock, by_processor)
}

fn processor_seconds() -> Option<f64> {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    spent.split(' ').next()?.parse::<f64>().ok().map(|nanoseconds| nanoseconds / 1e9)
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
