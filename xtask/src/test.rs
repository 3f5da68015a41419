//! `cargo xtask test` and `deep`.

use std::process::Command;

use crate::{
    needs,
    process::{self, Failure, cargo, run_watching},
    python,
};

/// Every test of the workspace: unit tests, documentation examples (those that must not compile too) and `tests/it`.
pub(crate) fn test(filter: Option<&str>) -> Result<(), Failure> {
    needs::install_missing()?;
    python::install_packages()?;
    let mut command = cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]);
    if let Some(filter) = filter {
        command.args(["--", filter]);
    }
    count(&mut command)
}

/// Tests that need failpoints, which an optimised build does not have.
const UNOPTIMISED: &str = "schedules";

/// The long form of some tests: optimised, and told so through the environment.
pub(crate) fn deep(name: &str, rest: &[&str]) -> Result<(), Failure> {
    needs::install_missing()?;
    python::install_packages()?;
    let mut command = cargo(&["test", "--locked", "--workspace", "--test", "it"]);
    if !name.contains(UNOPTIMISED) {
        command.arg("--release");
    }
    command.args(["--", "--nocapture", name]).args(rest).env("RINGFENCE_DEEP", "1");
    count(&mut command)
}

/// Runs a test command and closes with one line that a person or a program can rely on.
fn count(command: &mut Command) -> Result<(), Failure> {
    let mut tally = Tally::default();
    let status = run_watching(command, |line| tally.see(line))?;
    if !status.success() && tally.failed == 0 {
        process::complain(
            "\nxtask: the run ended without naming a failed test: it did not compile, or a test process died",
        );
        tally.failed = 1;
    }
    if status.success() && tally.passed == 0 {
        process::complain("\nxtask: no test has that name");
        tally.failed = 1;
    }
    process::say(&format!("\n{} passed, {} failed", tally.passed, tally.failed));
    if tally.failed == 0 { Ok(()) } else { Err("tests failed".to_owned()) }
}

/// Sums the `test result:` lines of every test binary.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    fn see(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in counts.split("; ") {
            match part.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse::<u64>().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse::<u64>().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn check(lines: &str, passed: u64, failed: u64) {
        let mut tally = Tally::default();
        lines.lines().for_each(|line| tally.see(line));
        assert_eq!(tally, Tally { passed, failed });
    }

    #[test]
    fn result_lines_are_summed() {
        check("running 3 tests\ntest a ... ok", 0, 0);
        check("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.00s", 3, 0);
        check(
            "test result: ok. 3 passed; 0 failed; 0 ignored\nnoise\ntest result: FAILED. 10 passed; 2 failed; 1 ignored",
            13,
            2,
        );
        check("test result: what. many passed; 1 failed", 0, 1);
    }
}
