//! Arguments in, figures out.

use std::{hint::black_box, path::PathBuf, time::Duration};

/// The value of `--name` on the command line, or a default.
pub(crate) fn argument<T: std::str::FromStr>(name: &str, default: T) -> T {
    let mut arguments = std::env::args();
    let found = arguments.by_ref().find(|argument| argument == name).and_then(|_| arguments.next());
    found.and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Whether `--name` stands on the command line.
pub(crate) fn flag(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

/// The folder for reports: `--out`, or `bench` beside the build.
pub(crate) fn out() -> PathBuf {
    let default = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().map_or_else(PathBuf::new, |up| up.join("bench"));
    let folder = PathBuf::from(argument("--out", default.display().to_string()));
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder
}

/// The time below which this share of the durations lies.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
pub(crate) fn percentile(durations: &mut [Duration], share: f64) -> Duration {
    durations.sort_unstable();
    let index = ((durations.len() as f64 * share) as usize).min(durations.len().saturating_sub(1));
    durations.get(index).copied().unwrap_or_default()
}

/// In milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// So many a second.
#[expect(clippy::cast_precision_loss, reason = "a count")]
pub(crate) fn rate(count: usize, duration: Duration) -> f64 {
    count as f64 / duration.as_secs_f64().max(1e-9)
}

/// Prints one line of a report.
#[expect(clippy::print_stdout, reason = "a benchmark's report is its output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Tells how far the benchmark has come, beside the report.
#[expect(clippy::print_stderr, reason = "whoever waits wants to know for what")]
pub(crate) fn tell(line: &str) {
    eprintln!("{line}");
}

/// The present, for measuring.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// How long the machine takes for a fixed piece of work, at its best of ten: 20,000 rows of 384 numbers compared with a vector. Taken before and after a measurement it shows how alike the machine was.
pub(crate) fn calibrate() -> Duration {
    const DIMENSIONS: usize = 384;
    let rows: Vec<f32> = (0_u16..20_000).flat_map(|row| [f32::from(row) * 1e-4; DIMENSIONS]).collect();
    let query = [0.05_f32; DIMENSIONS];
    let once = || {
        let start = now();
        for row in rows.as_chunks::<DIMENSIONS>().0 {
            let mut sums = [0.0_f32; 32];
            for (left, right) in row.as_chunks::<32>().0.iter().zip(query.as_chunks::<32>().0) {
                for lane in 0..32 {
                    sums[lane] += left[lane] * right[lane];
                }
            }
            black_box(sums);
        }
        start.elapsed()
    };
    (0..10).map(|_| once()).min().unwrap_or_default()
}
