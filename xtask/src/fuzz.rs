//! `cargo xtask fuzz`: libFuzzer on the targets of `fuzz/`.
//!
//! cargo-fuzz wants a nightly compiler for its flags. Without sanitizers of memory, which code without `unsafe` needs least, the flags that count the branches are enough, and the stable compiler takes them where it is told to by `RUSTC_BOOTSTRAP`. What is built so is never shipped.

use std::{fs, path::Path};

use crate::process::{self, Failure, cargo, is_installed, run};

/// The target that needs the whole server built.
const NEEDS_SERVER: &str = "envelope";
/// Seconds for each target where none are given.
const SECONDS: u64 = 60;
/// No input is longer; seeds are shorter.
const INPUT_BYTES_MAX: usize = 65_536;

/// Runs all targets or the named ones, each for so many seconds. The first that finds something ends it.
pub(crate) fn fuzz(arguments: &[&str]) -> Result<(), Failure> {
    let (seconds, named) = match arguments.split_first() {
        Some((first, rest)) if first.parse::<u64>().is_ok() => (first.parse().unwrap_or(SECONDS), rest),
        _ => (SECONDS, arguments),
    };
    let all = targets()?;
    if let Some(unknown) = named.iter().find(|name| !all.iter().any(|own| own == *name)) {
        return Err(format!("no target `{unknown}`; there are: {}", all.join(", ")));
    }
    if !is_installed("cargo-fuzz") {
        run(&mut cargo(&["install", "--locked", "--version", "0.13.2", "cargo-fuzz"]))?;
    }
    for name in all.iter().filter(|name| named.is_empty() || named.contains(&name.as_str())) {
        run_target(name, seconds)?;
    }
    Ok(())
}

/// The names of the targets, in the order of the alphabet.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = process::root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("`{}`: {error}", folder.display()))?;
    let name = |entry: fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned());
    let mut names: Vec<String> = entries.flatten().filter_map(name).collect();
    names.sort();
    Ok(names)
}

/// What is found goes into a corpus below the target folder, so that the next run goes on from there; the seeds are only read.
fn run_target(name: &str, seconds: u64) -> Result<(), Failure> {
    let target = process::target().join("fuzz");
    let corpus = target.join("corpus").join(name);
    fs::create_dir_all(&corpus).map_err(|error| format!("`{}`: {error}", corpus.display()))?;
    let mut command = cargo(&["fuzz", "run", "--sanitizer", "none", "--target-dir"]);
    command.arg(&target);
    if name == NEEDS_SERVER {
        command.args(["--features", NEEDS_SERVER]);
    }
    command.arg(name).arg(&corpus);
    let fuzz = process::root().join("fuzz");
    let seeds = [fuzz.join("seeds").join(name), fuzz.join("regressions").join(name)];
    command.args(seeds.iter().filter(|folder: &&std::path::PathBuf| Path::is_dir(folder)));
    command.arg("--").arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={INPUT_BYTES_MAX}"));
    command.args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    run(command.env("RUSTC_BOOTSTRAP", "1"))
}
