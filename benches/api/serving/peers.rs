//! What a user might pick instead, measured in the same run by a script on the same data.
//!
//! `--peers` names them all, `--peers pgvector,qdrant` some. `cargo xtask bench` makes the Python environment and says where it is (`RINGFENCE_BENCH_PYTHON`, and in `RINGFENCE_BENCH_PEERS_MISSING` which peers could not be installed). `--reuse` keeps what a peer has built beside the report and takes it in a later run of the same workload, which then measures the queries alone. `--peer-seconds` bounds one bucket of one setting.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Task, outcome::System};
use crate::report::{argument, calibrate, flag, ms, tell};

/// In the order in which they are measured.
const PEERS: [&str; 4] = ["pgvector", "qdrant", "lancedb", "chroma"];

/// Measures the peers that were asked for; none without `--peers`.
pub(super) fn measure(task: &Task, out: &Path) -> Vec<System> {
    if !flag("--peers") {
        return Vec::new();
    }
    let named = argument("--peers", String::new());
    let wanted = |peer: &&str| named.is_empty() || named.starts_with('-') || named.split(',').any(|name| name == *peer);
    let Ok(python) = std::env::var("RINGFENCE_BENCH_PYTHON") else {
        tell("the peers need a Python environment: run `cargo xtask bench api serving --peers`");
        return Vec::new();
    };
    let options = task.workload.options;
    let place = out.join(format!("peers-{}x{}-{}", options.chunks, options.dimensions, options.seed));
    let data = place.join("data");
    task.workload.export(&data, &task.truths).expect("the workload is written");
    let missing = std::env::var("RINGFENCE_BENCH_PEERS_MISSING").unwrap_or_default();
    let systems = PEERS
        .into_iter()
        .filter(wanted)
        .flat_map(|peer| match reason(&missing, peer) {
            Some(reason) => vec![left_out(peer, reason)],
            None => one(peer, &python, &data, &place.join(peer)),
        })
        .collect();
    if !flag("--reuse") {
        // What is left behind is build output, of no use.
        let _ = fs::remove_dir_all(&place);
    }
    systems
}

/// Why a peer could not be installed: `peer: reason`, a line each.
fn reason(missing: &str, peer: &str) -> Option<String> {
    missing.lines().find_map(|line| line.strip_prefix(peer)?.strip_prefix(": ").map(str::to_owned))
}

fn one(peer: &str, python: &str, data: &Path, store: &Path) -> Vec<System> {
    tell(&format!("measuring {peer}"));
    fs::create_dir_all(store).expect("a folder for the peer");
    let result = store.join("result.json");
    // A result of an earlier run must not pass for this one's.
    let _ = fs::remove_file(&result);
    let before = ms(calibrate());
    let mut command = Command::new(python);
    command.arg(script()).arg(peer).arg("--data").arg(data).arg("--store").arg(store).arg("--result").arg(&result);
    command.args(["--seconds", &argument("--peer-seconds", 10).to_string()]);
    if flag("--reuse") {
        command.arg("--reuse");
    }
    let status = command.status();
    let after = ms(calibrate());
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return vec![left_out(peer, format!("its script ended with {status}"))],
        Err(error) => return vec![left_out(peer, error.to_string())],
    }
    let text = fs::read_to_string(&result).unwrap_or_default();
    match serde_json::from_str::<Vec<System>>(&text) {
        Ok(systems) => systems.into_iter().map(|system| System { calibration_ms: [before, after], ..system }).collect(),
        Err(error) => vec![left_out(peer, format!("its script wrote no figures: {error}"))],
    }
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/peers/measure.py")
}

fn left_out(peer: &str, reason: String) -> System {
    tell(&format!("  {peer} is left out: {reason}"));
    System {
        name: peer.to_owned(),
        about: String::new(),
        left_out: Some(reason),
        built: None,
        runs: Vec::new(),
        calibration_ms: [0.0; 2],
    }
}
