//! What is measured of a system; the peers' script writes the same form.

use std::time::Duration;

use ringfence_workload::Judgement;
use serde::{Deserialize, Serialize};

use crate::report::{ms, percentile};

/// Everything of one run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Measured {
    /// What was asked of all systems, in a sentence.
    pub(super) workload: String,
    pub(super) systems: Vec<System>,
}

/// A system with everything measured of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct System {
    /// What a table calls it.
    pub(super) name: String,
    /// Its version, and how it was set up.
    #[serde(default)]
    pub(super) about: String,
    /// Why it could not be measured; everything else is empty then.
    #[serde(default)]
    pub(super) left_out: Option<String>,
    /// How it took the chunks.
    #[serde(default)]
    pub(super) built: Option<Built>,
    /// How it answered.
    #[serde(default)]
    pub(super) runs: Vec<Run>,
    /// What the machine took for a fixed piece of work before and after, in milliseconds.
    #[serde(default)]
    pub(super) calibration_ms: [f64; 2],
}

/// From raw rows to fully indexed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Built {
    pub(super) chunks_per_second: f64,
    /// Whatever else the machine did meanwhile is not in this one.
    pub(super) chunks_per_cpu_second: f64,
    pub(super) disk_mib: u64,
    /// Resident after all queries.
    pub(super) resident_mib: u64,
    /// Whether it was built in an earlier run.
    #[serde(default)]
    pub(super) earlier: bool,
}

/// One way of asking.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Run {
    /// `vector`, `keyword` or `hybrid`.
    pub(super) mode: String,
    /// The setting, where there are several.
    #[serde(default)]
    pub(super) setting: String,
    pub(super) buckets: Vec<Answers>,
    /// Answers a second with two clients, buckets mixed.
    pub(super) two_clients_per_second: f64,
    /// Processor time of an answer with two clients, buckets mixed.
    pub(super) two_clients_cpu_ms: f64,
}

/// The answers to the queries of one bucket, one client.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Answers {
    pub(super) queries: usize,
    /// Right results among those that there are; none where there is no one right order.
    pub(super) recall: Option<f64>,
    /// Answers with fewer results than there are; none where fewer may match.
    pub(super) short: Option<usize>,
    /// Results that the user may not read.
    pub(super) leaks: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) cpu_ms: f64,
}

impl Answers {
    /// Of one judgement a query, and of the times that all rounds took.
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    pub(super) fn new(mode: &str, judgements: &[Judgement], times: &mut [Duration], cpu: Duration) -> Self {
        let sum = |part: fn(&Judgement) -> usize| judgements.iter().map(part).sum::<usize>();
        let recall = sum(|judgement| judgement.hits) as f64 / sum(|judgement| judgement.wanted).max(1) as f64;
        Self {
            queries: judgements.len(),
            recall: (mode == "vector").then_some(recall),
            short: (mode != "keyword").then(|| sum(|judgement| usize::from(judgement.is_short))),
            leaks: sum(|judgement| judgement.leaks),
            p50_ms: ms(percentile(times, 0.5)),
            p99_ms: ms(percentile(times, 0.99)),
            cpu_ms: ms(cpu) / times.len().max(1) as f64,
        }
    }
}
