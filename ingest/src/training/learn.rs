//! Learning the weights: logistic regression by stochastic gradient descent, the same bytes on every machine.
//!
//! Only additions, multiplications, divisions and square roots of `f32` are used, which IEEE 754 fixes to the last bit; the exponential function of the platform is not.

use crate::{
    sanitize::instruction::{
        self,
        model::{
            GRAM_BITS, GRAM_ONE, Lines, Model, ONE,
            features::{FEATURES, IN_CODE, SAYS_ENOUGH, Sink},
        },
    },
    training::{
        Random,
        corpus::{Row, overlap},
    },
};

const GRAMS: usize = 1 << GRAM_BITS;

/// How to learn.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How often each sentence is looked at.
    pub epochs: usize,
    /// The length of a step.
    pub rate: f32,
    /// How strongly the weights of n-grams are drawn to zero.
    pub shrink_grams: f32,
    /// How strongly the weights of named features are drawn to zero.
    pub shrink_named: f32,
    /// The weight of all attacks together, where that of all honest sentences is 1.
    pub attack_weight: f32,
    /// The lines of the model, in 256ths of log-odds: an instruction by itself, beside another, and so low that the rules are overruled.
    pub lines: (i32, i32, i32),
    /// The seed of the order in which sentences are looked at.
    pub seed: u64,
}

/// A sentence as the model sees it.
#[derive(Clone, Debug, Default)]
struct Example {
    grams: Vec<u32>,
    named: Vec<u16>,
    is_attack: bool,
    weight: f32,
}

impl Example {
    fn has(&self, named: usize) -> bool {
        self.named.iter().any(|feature| usize::from(*feature) == named)
    }
}

impl Sink for Vec<Example> {
    fn gram(&mut self, hash: u32) {
        if let Some(last) = self.last_mut() {
            last.grams.push(hash & ((1 << GRAM_BITS) - 1));
        }
    }

    fn named(&mut self, feature: usize) {
        if let Some(last) = self.last_mut() {
            last.named.push(u16::try_from(feature).unwrap_or(u16::MAX));
        }
    }

    fn end_sentence(&mut self) {
        self.push(Example::default());
    }

    fn context(&mut self, sentence: usize, feature: usize) {
        self[sentence].named.push(u16::try_from(feature).unwrap_or(u16::MAX));
    }
}

/// Learns a model from rows and returns its file.
#[must_use]
pub fn train(rows: &[Row], settings: &Settings) -> Vec<u8> {
    let mut examples = examples(rows, settings);
    let mut weights = Weights::new();
    let mut random = Random::new(settings.seed);
    for _ in 0..settings.epochs {
        random.shuffle(&mut examples);
        for example in &examples {
            weights.learn(example, settings);
        }
    }
    weights.quantised(settings)
}

/// The sentences of the rows. Every family of attacks has the same weight, however many rows it has.
fn examples(rows: &[Row], settings: &Settings) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut counts: std::collections::BTreeMap<&str, f32> = std::collections::BTreeMap::new();
    let mut families = Vec::new();
    for row in rows {
        let mut own = vec![Example::default()];
        let sentences = instruction::observe(&row.text, &mut own);
        own.pop();
        let has_block = row.spans.iter().any(|span| row.text[span.clone()].contains("```"));
        for (mut example, sentence) in own.into_iter().zip(sentences) {
            let covered: usize = row.spans.iter().map(|span| overlap(span, &sentence)).sum();
            example.is_attack = covered * 2 >= sentence.len();
            // The code that a sentence asks for is code like any other: it goes with the sentence, not by itself.
            let is_payload_code = example.is_attack && has_block && example.has(IN_CODE);
            if !example.is_attack && covered > 0 || is_payload_code || !example.has(SAYS_ENOUGH) {
                continue;
            }
            if example.is_attack {
                *counts.entry(&row.source).or_default() += 1.0;
            }
            families.push(if example.is_attack { row.source.as_str() } else { "" });
            example.weight = 1.0;
            examples.push(example);
        }
    }
    let attacks: f32 = counts.values().sum();
    let honest = count(examples.len()) - attacks;
    let share = settings.attack_weight * honest / count(counts.len().max(1));
    for (example, family) in examples.iter_mut().zip(families) {
        if example.is_attack {
            example.weight = share / counts.get(family).copied().unwrap_or(1.0);
        }
    }
    examples
}

#[expect(clippy::cast_precision_loss, reason = "counts of sentences are far below 2^24")]
const fn count(number: usize) -> f32 {
    number as f32
}

/// Weights in the making, each with the sum of its squared gradients.
struct Weights {
    grams: Vec<(f32, f32)>,
    named: Vec<(f32, f32)>,
    bias: (f32, f32),
}

impl Weights {
    fn new() -> Self {
        Self { grams: vec![(0.0, 0.0); GRAMS], named: vec![(0.0, 0.0); FEATURES], bias: (0.0, 0.0) }
    }

    fn margin(&self, example: &Example) -> f32 {
        let grams: f32 = example.grams.iter().map(|gram| self.grams[*gram as usize].0).sum();
        let named: f32 = example.named.iter().map(|feature| self.named[usize::from(*feature)].0).sum();
        self.bias.0 + named + grams / count(example.grams.len().max(1)).sqrt()
    }

    fn learn(&mut self, example: &Example, settings: &Settings) {
        let target = if example.is_attack { 1.0 } else { 0.0 };
        let error = (sigmoid(self.margin(example)) - target) * example.weight;
        let each = error / count(example.grams.len().max(1)).sqrt();
        for gram in &example.grams {
            step(&mut self.grams[*gram as usize], each, settings.shrink_grams, settings.rate);
        }
        for feature in &example.named {
            step(&mut self.named[usize::from(*feature)], error, settings.shrink_named, settings.rate);
        }
        step(&mut self.bias, error, 0.0, settings.rate);
    }

    fn quantised(&self, settings: &Settings) -> Vec<u8> {
        let grams: Vec<i8> = self
            .grams
            .iter()
            .map(|weight| i8::try_from(rounded(weight.0, GRAM_ONE).clamp(-127, 127)).unwrap_or_default())
            .collect();
        let named: Vec<i16> = self
            .named
            .iter()
            .map(|weight| i16::try_from(rounded(weight.0, ONE).clamp(-32_000, 32_000)).unwrap_or_default())
            .collect();
        let (seed, beside, veto) = settings.lines;
        Model::write(&grams, &named, rounded(self.bias.0, ONE), Lines { seed, beside, veto })
    }
}

/// A step of AdaGrad.
fn step(weight: &mut (f32, f32), error: f32, shrink: f32, rate: f32) {
    let gradient = error + shrink * weight.0;
    weight.1 += gradient * gradient;
    weight.0 -= rate * gradient / (weight.1.sqrt() + 1e-6);
}

/// A weight in units, to the nearest.
#[expect(clippy::cast_possible_truncation, reason = "a weight in units is far below 2^31")]
fn rounded(weight: f32, one: i32) -> i32 {
    let unit = if one == ONE { 256.0 } else { 32.0 };
    (weight * unit).round() as i32
}

/// The logistic function, with (1 + x/1024)^1024 for the exponential: near enough, and the same everywhere.
fn sigmoid(margin: f32) -> f32 {
    let mut power = 1.0 + (-margin.clamp(-30.0, 30.0)) / 1024.0;
    for _ in 0..10 {
        power *= power;
    }
    1.0 / (1.0 + power)
}

#[cfg(test)]
mod tests {
    use super::sigmoid;

    #[test]
    fn the_logistic_function_is_one() {
        for margin in [-8.0_f32, -1.0, 0.0, 0.5, 3.0] {
            assert!((sigmoid(margin) - 1.0 / (1.0 + (-margin).exp())).abs() < 0.01, "{margin}");
        }
    }
}
