//! Whether two lists of times differ: Yuen's test, which is Welch's t of trimmed means.
//!
//! The times of requests over loopback have a long tail that comes from the machine. The slowest fifth of each side is cut off, and the variance is that of the values pulled in to the cut, so that |t| means what it means for Welch's test.

use std::time::Duration;

/// The share of each side that is kept.
const KEPT: f64 = 0.8;

/// How two sides differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference {
    /// How much longer the second side takes.
    pub(super) micros: f64,
    /// In standard errors.
    pub(super) t: f64,
    /// Of the first side.
    pub(super) median_micros: f64,
}

struct Side {
    mean: f64,
    error_squared: f64,
    median: f64,
}

pub(super) fn compare(first: &[Duration], second: &[Duration]) -> Difference {
    let (first, second) = (side(first), side(second));
    let micros = second.mean - first.mean;
    let error = (first.error_squared + second.error_squared).sqrt();
    Difference { micros, t: micros / error.max(1e-12), median_micros: first.median }
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
fn side(times: &[Duration]) -> Side {
    let mut micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    micros.sort_by(f64::total_cmp);
    let (count, kept) = (micros.len(), ((micros.len() as f64 * KEPT) as usize).max(2));
    let mean = micros[..kept].iter().sum::<f64>() / kept as f64;
    let cut = micros[kept - 1];
    let pulled_in = || micros.iter().map(|value| value.min(cut));
    let middle = pulled_in().sum::<f64>() / count as f64;
    let squares: f64 = pulled_in().map(|value| (value - middle).powi(2)).sum();
    Side { mean, error_squared: squares / (kept as f64 * (kept as f64 - 1.0)), median: micros[count / 2] }
}
