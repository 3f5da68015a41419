//! What a person waits for, and how right the answer is: search over HTTP with authentication and audit on, by a workload of twenty tenants; beside it the engine alone, and what a user might pick instead.
//!
//! The server is a process of its own. Recall is against all permitted vectors compared; an answer with fewer results than there are is short; a result that the user may not read is a leak.
//!
//! `cargo xtask bench api serving [--chunks 200000] [--dimensions 384] [--seed 7] [--queries 250] [--rounds 3] [--no-engine] [--out FOLDER]`; `--queries` is for each of the four buckets. With `--peers` see `peers.rs`. `--export FOLDER` writes the workload as files and ends; `--from serving.json` draws the table and the plot of an earlier run again.

mod engine;
mod http;
mod outcome;
mod peers;
mod plot;
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
};

use ringfence_workload::{Options, Truth, Workload};

use self::outcome::{Measured, System};
use crate::report::{argument, calibrate, flag, ms, now, out, say, tell};

/// What is asked, and what is right.
struct Task {
    workload: Workload,
    truths: Vec<Truth>,
    /// How often every query is measured.
    rounds: usize,
}

pub(crate) fn run() {
    let from = argument("--from", String::new());
    if !from.is_empty() {
        let figures = fs::read_to_string(&from).unwrap_or_else(|error| panic!("{from}: {error}"));
        write(&out(), &serde_json::from_str(&figures).expect("figures of an earlier run"));
        return;
    }
    let task = Task::new();
    let export = argument("--export", String::new());
    if !export.is_empty() {
        task.workload.export(&PathBuf::from(&export), &task.truths).expect("the workload is written");
        say(&format!("the workload is in {export}"));
        return;
    }
    let folder = out();
    let mut systems = Vec::new();
    if !flag("--no-engine") {
        systems.push(calibrated("the engine alone", || engine::measure(&task)));
    }
    let (server, ours) = {
        let mut served = None;
        let system = calibrated("Ringfence over HTTP", || {
            let (server, system) = http::measure(&task);
            served = Some(server);
            system
        });
        (served.expect("it was just measured"), system)
    };
    systems.push(ours);
    let peers = peers::measure(&task, &folder);
    if !peers.is_empty() {
        systems.extend(peers);
        // Once more, so that a machine that changed meanwhile shows.
        systems.push(calibrated("Ringfence over HTTP again", || http::again(&task, &server)));
    }
    let measured = Measured { workload: table::describe(&task.workload), systems };
    let figures = serde_json::to_string_pretty(&measured).expect("figures are JSON");
    fs::write(folder.join("serving.json"), figures).expect("the figures are written");
    write(&folder, &measured);
}

/// The table and the plot.
fn write(folder: &Path, measured: &Measured) {
    let report = table::report(measured);
    say(&report);
    fs::write(folder.join("serving.md"), &report).expect("the table is written");
    fs::write(folder.join("serving.svg"), plot::draw(&measured.systems)).expect("the plot is written");
    tell(&format!("written to {}", folder.display()));
}

impl Task {
    fn new() -> Self {
        let default = Options::default();
        let options = Options {
            chunks: argument("--chunks", default.chunks),
            dimensions: argument("--dimensions", default.dimensions),
            queries_per_bucket: argument("--queries", default.queries_per_bucket),
            seed: argument("--seed", default.seed),
            ..default
        };
        let start = now();
        let workload = Workload::new(options);
        let truths = workload.truths();
        tell(&format!("workload of {} chunks made in {:.1?}", workload.chunks.len(), start.elapsed()));
        Self { workload, truths, rounds: argument("--rounds", 3) }
    }

    /// The queries of a bucket, by their numbers.
    fn of_bucket(&self, bucket: usize) -> Vec<usize> {
        (0..self.workload.queries.len()).filter(|query| self.workload.queries[*query].bucket == bucket).collect()
    }
}

/// Measures a system between two looks at the machine.
fn calibrated(name: &str, measure: impl FnOnce() -> System) -> System {
    tell(&format!("measuring {name}"));
    let before = ms(calibrate());
    let system = measure();
    System { calibration_ms: [before, ms(calibrate())], ..system }
}
