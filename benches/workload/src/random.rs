//! Random numbers that are the same on every machine: SplitMix64 and the few distributions that the workload needs.

/// A seeded source of numbers.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    /// Normal numbers come in pairs: the second of the last pair.
    spare: Option<f64>,
}

impl Random {
    /// The same seed gives the same numbers.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed, spare: None }
    }

    /// 64 even bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, but not including, 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 up to, but not including, `bound`.
    #[expect(clippy::cast_possible_truncation, reason = "below the bound, which is a usize")]
    pub const fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    /// Of mean 0 and variance 1 (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.unit()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }

    /// Of mean 1, falling exponentially.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// An index, by weights given as their running sums.
    pub fn chosen(&mut self, sums: &[f64]) -> usize {
        let at = self.unit() * sums.last().copied().unwrap_or(0.0);
        sums.partition_point(|sum| *sum <= at).min(sums.len().saturating_sub(1))
    }

    /// Puts a list into random order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// The running sums of `rank^-exponent`, to draw from.
#[expect(clippy::cast_precision_loss, reason = "ranks are small")]
pub(crate) fn zipf(count: usize, exponent: f64) -> Vec<f64> {
    let mut sum = 0.0;
    let weights = (1..=count).map(|rank| (rank as f64).powf(-exponent));
    weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_have_their_moments() {
        let mut random = Random::new(7);
        let count = 100_000;
        let (mut sum, mut squares, mut waits) = (0.0, 0.0, 0.0);
        for _ in 0..count {
            let value = random.normal();
            sum += value;
            squares += value * value;
            waits += random.exponential();
        }
        let count = f64::from(count);
        assert!((sum / count).abs() < 0.02 && (squares / count - 1.0).abs() < 0.02);
        assert!((waits / count - 1.0).abs() < 0.02);
    }

    #[test]
    fn choices_follow_their_weights() {
        let mut random = Random::new(1);
        let sums = zipf(3, 1.0);
        let mut counts = [0; 3];
        (0..11_000).for_each(|_| counts[random.chosen(&sums)] += 1);
        let expected = [6_000, 3_000, 2_000];
        counts.iter().zip(expected).for_each(|(count, wanted): (&i32, i32)| assert!((count - wanted).abs() < 250));
    }
}
