//! A seeded workload: one tenant whose chunks lie in many classes, and users who may read from a thousandth to most of it.
//!
//! Vectors are a mixture of Gaussians with a decaying spectrum, as real embeddings are; texts are Zipfian words with a share from their topic; class sizes are Zipfian.

/// SplitMix64: the same seed gives the same workload on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("smaller than a usize")
    }

    fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.unit().max(1e-300), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    fn pick(&mut self, cumulative: &[f64]) -> usize {
        let target = self.unit() * cumulative.last().copied().unwrap_or(0.0);
        cumulative.partition_point(|sum| *sum < target).min(cumulative.len() - 1)
    }
}

/// Sums of `rank^-exponent`, to draw from.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn zipf(count: usize, exponent: f64) -> Vec<f64> {
    let mut sum = 0.0;
    (1..=count)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect()
}

const TOPICS: usize = 120;
const WORDS: usize = 30_000;
const TOPIC_WORDS: usize = 120;
const GROUPS: usize = 60;
const USERS: usize = 200;
const CLASSES: usize = 300;

/// A chunk: its class, its text and its vector.
pub(crate) struct Chunk {
    pub(crate) class: usize,
    pub(crate) text: String,
    pub(crate) vector: Vec<f32>,
}

/// Someone who asks: their groups and the classes that these open.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
    pub(crate) classes: Vec<usize>,
    pub(crate) share: f64,
}

/// One question.
pub(crate) struct Question {
    pub(crate) user: User,
    pub(crate) text: String,
    pub(crate) vector: Vec<f32>,
}

/// Everything of one tenant but its chunks, which are made one after the other.
pub(crate) struct Workload {
    dice: Dice,
    dimensions: usize,
    centers: Vec<Vec<f64>>,
    spreads: Vec<f64>,
    spectrum: Vec<f64>,
    rotation: Rotation,
    words: Vec<f64>,
    topic_words: Vec<Vec<usize>>,
    topics: Vec<f64>,
    class_sizes: Vec<f64>,
    favourites: Vec<Vec<usize>>,
    /// The principals that each class allows.
    pub(crate) classes: Vec<Vec<String>>,
}

impl Workload {
    pub(crate) fn new(seed: u64, dimensions: usize) -> Self {
        let mut dice = Dice::new(seed);
        let spectrum = spectrum(dimensions);
        let centers =
            (0..TOPICS).map(|_| spectrum.iter().map(|scale| dice.normal() * scale).collect()).collect::<Vec<_>>();
        let spreads = (0..TOPICS).map(|_| 0.6 + 0.4 * dice.unit()).collect();
        let topic_words =
            (0..TOPICS).map(|_| (0..TOPIC_WORDS).map(|_| 200 + dice.below(WORDS - 200)).collect()).collect();
        let classes = classes(&mut dice);
        let favourites = classes.iter().map(|_| (0..6).map(|_| dice.below(TOPICS)).collect()).collect();
        let rotation = Rotation::new(&mut dice, dimensions);
        Self {
            dice,
            dimensions,
            centers,
            spreads,
            spectrum,
            rotation,
            words: zipf(WORDS, 1.05),
            topic_words,
            topics: zipf(TOPICS, 0.7),
            class_sizes: zipf(CLASSES, 1.1),
            favourites,
            classes,
        }
    }

    /// The next chunk.
    pub(crate) fn chunk(&mut self) -> Chunk {
        let class = self.dice.pick(&self.class_sizes);
        let topic = if self.dice.unit() < 0.6 {
            self.favourites[class][self.dice.below(6)]
        } else {
            self.dice.pick(&self.topics)
        };
        let length = 30 + self.dice.below(43);
        let text = (0..length).map(|_| self.word(topic, 0.35)).collect::<Vec<_>>().join(" ");
        Chunk { class, text, vector: self.vector(topic) }
    }

    /// Users whose share of the chunks is log-uniform from 0.1 % to 60 %.
    pub(crate) fn users(&mut self, sizes: &[usize]) -> Vec<User> {
        let total: usize = sizes.iter().sum();
        (0..USERS).map(|index| self.user(index, sizes, total)).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of chunks")]
    fn user(&mut self, index: usize, sizes: &[usize], total: usize) -> User {
        let name = format!("user:u{index:03}");
        let target = (0.001_f64.ln() + self.dice.unit() * (0.6_f64 / 0.001).ln()).exp();
        let open = |names: &[String]| -> Vec<usize> {
            (0..CLASSES).filter(|class| self.classes[*class].iter().any(|name| names.contains(name))).collect()
        };
        let share = |classes: &[usize]| classes.iter().map(|class| sizes[*class]).sum::<usize>() as f64 / total as f64;
        let mut names = vec![name.clone()];
        let mut order: Vec<usize> = (0..GROUPS).collect();
        for last in (1..GROUPS).rev() {
            order.swap(last, self.dice.below(last + 1));
        }
        for group in order {
            let mut wider = names.clone();
            wider.push(format!("group:g{group:02}"));
            if wider.len() <= 20 && share(&open(&wider)) <= target * 1.15 {
                names = wider;
            }
        }
        let classes = open(&names);
        User { share: share(&classes), groups: names.split_off(1), name, classes }
    }

    /// A question of a user, near a class they may read or about anything.
    pub(crate) fn question(&mut self, user: &User) -> Question {
        let topic = if self.dice.unit() < 0.5 && !user.classes.is_empty() {
            let class = user.classes[self.dice.below(user.classes.len())];
            self.favourites[class][self.dice.below(6)]
        } else {
            self.dice.pick(&self.topics)
        };
        let mut words: Vec<String> = (0..3).map(|_| self.word(topic, 1.0)).collect();
        words.push(self.word(topic, 0.0));
        Question { user: user.clone(), text: words.join(" "), vector: self.vector(topic) }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded below")]
    fn word(&mut self, topic: usize, topical: f64) -> String {
        let word = if self.dice.unit() < topical {
            let rank = (-25.0 * self.dice.unit().max(1e-300).ln()) as usize;
            self.topic_words[topic][rank.min(TOPIC_WORDS - 1)]
        } else {
            self.dice.pick(&self.words)
        };
        format!("w{word:05}")
    }

    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
    fn vector(&mut self, topic: usize) -> Vec<f32> {
        let spread = self.spreads[topic];
        let mut values: Vec<f64> = (0..self.dimensions)
            .map(|index| self.centers[topic][index] + spread * self.dice.normal() * self.spectrum[index])
            .collect();
        self.rotation.apply(&mut values);
        let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        values.iter().map(|value| (value / norm) as f32).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn spectrum(dimensions: usize) -> Vec<f64> {
    let mut scales: Vec<f64> = (1..=dimensions).map(|rank| (rank as f64).powf(-0.4)).collect();
    let mean = (scales.iter().map(|scale| scale * scale).sum::<f64>() / dimensions as f64).sqrt();
    scales.iter_mut().for_each(|scale| *scale /= mean);
    scales
}

/// Classes allow one to four groups; a fifth also names persons, a tenth is private to one.
fn classes(dice: &mut Dice) -> Vec<Vec<String>> {
    let groups = zipf(GROUPS, 0.8);
    let counts = [0.45, 0.75, 0.9, 1.0];
    let user = |dice: &mut Dice| format!("user:u{:03}", dice.below(USERS));
    let mut classes = std::collections::BTreeSet::new();
    let mut ordered = Vec::new();
    while ordered.len() < CLASSES {
        let mut names = std::collections::BTreeSet::new();
        let count = 1 + dice.pick(&counts);
        while names.len() < count {
            names.insert(format!("group:g{:02}", dice.pick(&groups)));
        }
        if dice.unit() < 0.2 {
            names.insert(user(dice));
        }
        if dice.unit() < 0.1 {
            names = std::iter::once(user(dice)).collect();
        }
        let names: Vec<String> = names.into_iter().collect();
        if classes.insert(names.clone()) {
            ordered.push(names);
        }
    }
    ordered
}

/// A rotation that spreads the spectrum over all coordinates: signs and Hadamard blocks, twice, with a permutation between.
struct Rotation {
    signs: [Vec<f64>; 2],
    order: Vec<usize>,
    block: usize,
}

impl Rotation {
    fn new(dice: &mut Dice, dimensions: usize) -> Self {
        let mut signs =
            || (0..dimensions).map(|_| if dice.next().is_multiple_of(2) { 1.0 } else { -1.0 }).collect::<Vec<_>>();
        let signs = [signs(), signs()];
        let mut order: Vec<usize> = (0..dimensions).collect();
        for last in (1..dimensions).rev() {
            order.swap(last, dice.below(last + 1));
        }
        Self { signs, order, block: 1 << dimensions.trailing_zeros() }
    }

    fn apply(&self, values: &mut Vec<f64>) {
        for signs in &self.signs {
            values.iter_mut().zip(signs).for_each(|(value, sign)| *value *= sign);
            values.chunks_exact_mut(self.block).for_each(hadamard);
            *values = self.order.iter().map(|index| values[*index]).collect();
        }
    }
}

fn hadamard(values: &mut [f64]) {
    let mut half = 1;
    while half < values.len() {
        for start in (0..values.len()).step_by(half * 2) {
            for index in start..start + half {
                let (left, right) = (values[index], values[index + half]);
                values[index] = left + right;
                values[index + half] = left - right;
            }
        }
        half *= 2;
    }
}
