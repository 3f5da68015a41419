//! `cargo xtask bench`: the benchmarks, and the Python environment that measures what a user might pick instead.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    documents,
    process::{self, Failure, cargo, run},
    python,
};

/// A folder of benchmarks, its package, and what the package is built with.
type Benches = (&'static str, &'static str, &'static [&'static str]);

/// The folders of benchmarks.
const BENCHES: [Benches; 3] = [
    ("benches", "ringfence", &[]),
    ("indexes/benches", "ringfence-indexes", &[]),
    ("ingest/benches", "ringfence-ingest", TRAINING),
];

/// What trains and measures the model of the sanitiser.
const TRAINING: &[&str] = &["--features", "training"];

/// Trains the model of the sanitiser; the work is done by an example of `ringfence-ingest`, which sees its insides.
pub(crate) fn train_sanitizer(arguments: &[&str]) -> Result<(), Failure> {
    let mut command = cargo(&["run", "--locked", "--release", "--package", "ringfence-ingest"]);
    run(command.args(TRAINING).args(["--example", "train_sanitizer", "--"]).args(arguments))
}

/// What is measured beside us; each has its packages in `benches/peers/requirements-NAME.txt`.
const PEERS: [&str; 4] = ["pgvector", "qdrant", "lancedb", "chroma"];

/// The benchmarks, or the one that the first argument names; further arguments go to it.
pub(crate) fn bench(arguments: &[&str]) -> Result<(), Failure> {
    let named = |(folder, package, built_with): &Benches| {
        names(folder).into_iter().map(|name| (name, *package, *built_with)).collect::<Vec<_>>()
    };
    let all: Vec<(String, &str, &[&str])> = BENCHES.iter().flat_map(named).collect();
    let (chosen, rest) = match arguments.split_first() {
        Some((first, rest)) if !first.starts_with('-') => {
            let chosen: Vec<_> = all.iter().filter(|(name, ..)| name == first).cloned().collect();
            if chosen.is_empty() {
                let names: Vec<_> = all.iter().map(|(name, ..)| name.as_str()).collect();
                return Err(format!("no benchmark `{first}`; there are: {}", names.join(", ")));
            }
            (chosen, rest)
        }
        _ => (all, arguments),
    };
    let peers = if rest.contains(&"--peers") { Some(Peers::install()?) } else { None };
    for (name, package, built_with) in &chosen {
        let mut command = cargo(&["bench", "--locked", "--package", package]);
        command.args(*built_with).args(["--bench", name]);
        // For trying a benchmark out: the profile of daily builds is there already.
        let (dev, rest): (Vec<&str>, Vec<&str>) = rest.iter().partition(|argument| **argument == "--dev");
        if !dev.is_empty() {
            command.args(["--profile", "dev"]);
        }
        if name == "documents" {
            command.env("RINGFENCE_BENCH_DOCUMENTS", documents::fetch()?);
        }
        if let Some(peers) = &peers {
            command.env("RINGFENCE_BENCH_PYTHON", &peers.python).env("RINGFENCE_BENCH_PEERS_MISSING", &peers.missing);
        }
        run(command.arg("--").args(rest))?;
    }
    Ok(())
}

/// The benchmarks of a folder: a file each, or a folder with a `main.rs`.
fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(process::root().join(folder)).into_iter().flatten().flatten();
    let name = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_str()?.to_owned();
        if entry.path().join("main.rs").is_file() { Some(name) } else { name.strip_suffix(".rs").map(str::to_owned) }
    };
    let mut names: Vec<String> = entries.filter_map(name).collect();
    names.sort();
    names
}

/// A Python environment with what could be installed of the peers.
struct Peers {
    python: PathBuf,
    /// `peer: reason`, a line each, of those that could not.
    missing: String,
}

impl Peers {
    /// Makes the environment below the target folder, or finds it there. A peer that cannot be installed is no failure.
    fn install() -> Result<Self, Failure> {
        let folder = process::target().join("bench-python");
        let python = python::python(&folder);
        if !python.is_file() {
            python::make_environment(&folder)?;
        }
        let mut missing = String::new();
        for peer in PEERS {
            if let Err(failure) = run(&mut pip(&python, peer)) {
                missing.push_str(&format!("{peer}: {failure}\n"));
            }
        }
        Ok(Self { python, missing })
    }
}

/// Wheels only: a package that would have to be compiled counts as one that cannot be had. What others bring along is pinned as well.
fn pip(python: &Path, peer: &str) -> Command {
    let folder = process::root().join("benches/peers");
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
    command.arg("--constraint").arg(folder.join("constraints.txt"));
    command.arg("--requirement").arg(folder.join(format!("requirements-{peer}.txt")));
    command
}
