//! What texts are about: topics with their vectors and words.

use crate::random::{Random, zipf};

/// Topics in all.
pub(crate) const TOPICS: usize = 500;
/// Words that a topic calls its own.
const TOPIC_WORDS: usize = 120;
const VOCABULARY: usize = 30_000;
/// The share of a text's words that are its topic's own.
const TOPICAL: f64 = 0.35;
/// The commonest words belong to no topic.
const COMMON_WORDS: usize = 200;

#[derive(Debug)]
pub(crate) struct Topics {
    centers: Vec<Vec<f64>>,
    spreads: Vec<f64>,
    spectrum: Vec<f64>,
    rotation: Rotation,
    words: Vec<Vec<usize>>,
    zipf: Vec<f64>,
}

impl Topics {
    pub(crate) fn new(dimensions: usize, random: &mut Random) -> Self {
        let spectrum = spectrum(dimensions);
        let center = |random: &mut Random| spectrum.iter().map(|scale| scale * random.normal()).collect();
        Self {
            centers: (0..TOPICS).map(|_| center(random)).collect(),
            spreads: (0..TOPICS).map(|_| 0.6 + 0.4 * random.unit()).collect(),
            words: (0..TOPICS)
                .map(|_| (0..TOPIC_WORDS).map(|_| COMMON_WORDS + random.below(VOCABULARY - COMMON_WORDS)).collect())
                .collect(),
            rotation: Rotation::new(dimensions, random),
            zipf: zipf(VOCABULARY, 1.05),
            spectrum,
        }
    }

    /// A vector of length 1 near the topic's center.
    #[expect(clippy::cast_possible_truncation, reason = "vectors are f32")]
    pub(crate) fn vector(&self, topic: usize, random: &mut Random) -> Vec<f32> {
        let spread = self.spreads[topic];
        let axes = self.centers[topic].iter().zip(&self.spectrum);
        let mut values: Vec<f64> = axes.map(|(center, scale)| center + spread * scale * random.normal()).collect();
        self.rotation.apply(&mut values);
        let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        values.iter().map(|value| (value / length) as f32).collect()
    }

    /// About 60 words, never fewer than 30 nor more than 72.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
    pub(crate) fn text(&self, topic: usize, random: &mut Random) -> String {
        let length = (60.0 + 10.0 * random.normal()).clamp(30.0, 72.0) as usize;
        let word = |random: &mut Random| {
            if random.unit() < TOPICAL { self.topic_word(topic, random) } else { self.common_word(random) }
        };
        words((0..length).map(|_| word(random)))
    }

    /// Three words of the topic and one of the language.
    pub(crate) fn question(&self, topic: usize, random: &mut Random) -> String {
        let topical = [0; 3].map(|_| self.topic_word(topic, random));
        words(topical.into_iter().chain([self.common_word(random)]))
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    fn topic_word(&self, topic: usize, random: &mut Random) -> usize {
        self.words[topic][((25.0 * random.exponential()) as usize).min(TOPIC_WORDS - 1)]
    }

    fn common_word(&self, random: &mut Random) -> usize {
        random.chosen(&self.zipf)
    }
}

fn words(numbers: impl Iterator<Item = usize>) -> String {
    numbers.map(|number| format!("w{number:05}")).collect::<Vec<_>>().join(" ")
}

/// Scales that fall with the axis, of mean square 1.
#[expect(clippy::cast_precision_loss, reason = "dimensions are few")]
fn spectrum(dimensions: usize) -> Vec<f64> {
    let mut scales: Vec<f64> = (1..=dimensions).map(|axis| (axis as f64).powf(-0.4)).collect();
    let mean = (scales.iter().map(|scale| scale * scale).sum::<f64>() / dimensions as f64).sqrt();
    scales.iter_mut().for_each(|scale| *scale /= mean);
    scales
}

/// How often [`Rotation`] mixes: enough for blocks of four.
const ROUNDS: usize = 4;

/// A rotation that spreads every axis of the spectrum over all coordinates: signs, Hadamard blocks and a permutation, several times. As good as a random one here, and thirty times cheaper.
#[derive(Debug)]
struct Rotation {
    rounds: Vec<(Vec<f64>, Vec<usize>)>,
    block: usize,
}

impl Rotation {
    fn new(dimensions: usize, random: &mut Random) -> Self {
        let round = |random: &mut Random| {
            let signs = (0..dimensions).map(|_| if random.bits().is_multiple_of(2) { 1.0 } else { -1.0 }).collect();
            let mut order: Vec<usize> = (0..dimensions).collect();
            random.shuffle(&mut order);
            (signs, order)
        };
        Self { rounds: (0..ROUNDS).map(|_| round(random)).collect(), block: 1 << dimensions.trailing_zeros() }
    }

    /// Up to a common factor, which normalising takes out.
    fn apply(&self, values: &mut Vec<f64>) {
        for (signs, order) in &self.rounds {
            values.iter_mut().zip(signs).for_each(|(value, sign)| *value *= sign);
            values.chunks_exact_mut(self.block).for_each(hadamard);
            *values = order.iter().map(|index| values[*index]).collect();
        }
    }
}

fn hadamard(values: &mut [f64]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(half * 2) {
            let (left, right) = pair.split_at_mut(half);
            for (left, right) in left.iter_mut().zip(right) {
                (*left, *right) = (*left + *right, *left - *right);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Angles stay, and no coordinate keeps what one axis had.
    #[test]
    fn a_rotation_turns_everything_and_distorts_nothing() {
        let mut random = Random::new(3);
        for dimensions in [64, 100, 384] {
            let rotation = Rotation::new(dimensions, &mut random);
            let turned = |axis: usize| {
                let mut values = vec![0.0; dimensions];
                values[axis] = 1.0;
                rotation.apply(&mut values);
                values
            };
            let (first, second) = (turned(0), turned(1));
            let product = |left: &[f64], right: &[f64]| left.iter().zip(right).map(|(a, b)| a * b).sum::<f64>();
            assert!(product(&first, &second).abs() < 1e-9);
            let length = product(&first, &first).sqrt();
            let largest = first.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
            assert!(largest / length < 0.6, "{dimensions}: {}", largest / length);
        }
    }
}
