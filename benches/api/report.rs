//! Arguments in, figures out.

use std::time::Duration;

/// The value of `--name` on the command line, or a default.
pub(crate) fn argument<T: std::str::FromStr>(name: &str, default: T) -> T {
    let mut arguments = std::env::args();
    let found = arguments.by_ref().find(|argument| argument == name).and_then(|_| arguments.next());
    found.and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The time below which this share of the durations lies.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
pub(crate) fn percentile(durations: &mut [Duration], share: f64) -> Duration {
    durations.sort_unstable();
    let index = ((durations.len() as f64 * share) as usize).min(durations.len().saturating_sub(1));
    durations.get(index).copied().unwrap_or_default()
}

/// Prints one line of a report.
#[expect(clippy::print_stdout, reason = "a benchmark's report is its output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// The present, for measuring.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// The resident memory of this process in MiB.
pub(crate) fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
