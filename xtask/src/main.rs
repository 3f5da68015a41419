//! `cargo xtask`: the project's own commands, written in Rust so that they run wherever the project builds.
//!
//! One command a line of [`USAGE`]. Each works from any folder of the checkout and leaves nothing behind but build output.

mod bench;
mod check;
mod documents;
mod fuzz;
mod mutants;
mod needs;
mod process;
mod python;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  check                   what CI runs: format, lints, documentation, licences, then test
  test [filter]           install what the tests need, then run every test (or those whose name contains the filter)
  deep <name> [arg…]      the long form of the tests whose name contains <name> (optimised, RINGFENCE_DEEP=1)
  deep mutants [arg…]     change what decides, one place at a time, and see whether a test notices (cargo-mutants)
  fuzz [seconds] [name…]  libFuzzer on the targets of fuzz/ (all, a minute each), from their seeds and what it found before
  bench [name] [arg…]     the benchmarks, or one of them; further arguments go to the benchmark (benches/README.md)
  train-sanitizer         train the model of the sanitiser from the committed data; --check compares only
  help                    this text";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["check"] => check::check(),
        ["test", filters @ ..] if filters.len() <= 1 => test::test(filters.first().copied()),
        ["deep", "mutants", rest @ ..] => mutants::mutants(rest),
        // Where the compiler takes libFuzzer's flags: the same targets, led by what they reach.
        ["deep", "fuzz", rest @ ..] => test::deep("fuzz", rest).and_then(|()| fuzz::fuzz(&[])),
        ["deep", name, rest @ ..] if !name.starts_with('-') => test::deep(name, rest),
        ["fuzz", rest @ ..] => fuzz::fuzz(rest),
        ["bench", rest @ ..] => bench::bench(rest),
        ["train-sanitizer", rest @ ..] => bench::train_sanitizer(rest),
        ["help" | "--help" | "-h"] => {
            process::say(USAGE);
            Ok(())
        }
        _ => {
            process::complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            process::complain(&format!("xtask: {failure}"));
            ExitCode::FAILURE
        }
    }
}
