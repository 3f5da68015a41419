//! A tenant as companies have them: few large classes and many small ones, readers of 0.1 % to 60 % of it.
//!
//! The distributions are those of the workload that the design was measured on: vectors from a mixture of 500 Gaussians
//! with a decaying spectrum, Zipfian words of which a third are the topic's own, up to 300 classes with Zipfian sizes,
//! 200 users with up to 20 of 60 groups. Everything follows from the seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ringfence_indexes::{
    Acl, Change, Collection, CollectionId, Document, DocumentChunk, DocumentId, DocumentInfo, Engine, Principal,
    Subject, TenantId, Timestamp, Vector, VectorSource,
};
use ringfence_ingest::{PreparedChunk, UntrustedText};

pub(crate) const DIMENSIONS: usize = 384;
const TOPICS: usize = 500;
const TOPIC_WORDS: usize = 120;
const VOCABULARY: usize = 30_000;
const GROUPS: usize = 60;
const USERS: usize = 200;
const CLASSES_MAX: usize = 300;

/// SplitMix64, with the few distributions needed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[expect(clippy::cast_possible_truncation, reason = "below the bound, which is a usize")]
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    #[expect(clippy::cast_possible_truncation, reason = "f32 is what vectors hold")]
    fn normal(&mut self) -> f32 {
        let (radius, angle) = ((-2.0 * (1.0 - self.unit()).ln()).sqrt(), std::f64::consts::TAU * self.unit());
        (radius * angle.cos()) as f32
    }

    fn chosen(&mut self, cumulated: &[f64]) -> usize {
        let at = self.unit() * cumulated.last().copied().unwrap_or(1.0);
        cumulated.partition_point(|sum| *sum <= at).min(cumulated.len() - 1)
    }
}

#[expect(clippy::cast_precision_loss, reason = "ranks are small")]
fn zipf(count: usize, exponent: f64) -> Vec<f64> {
    let mut sum = 0.0;
    (1..=count)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect()
}

pub(crate) struct Chunk {
    pub(crate) class: usize,
    pub(crate) text: String,
    pub(crate) vector: Vector,
}

pub(crate) struct User {
    pub(crate) principals: BTreeSet<Principal>,
    pub(crate) classes: BTreeSet<usize>,
    pub(crate) share: f64,
}

pub(crate) struct Query {
    pub(crate) user: usize,
    pub(crate) text: String,
    pub(crate) vector: Vector,
}

pub(crate) struct Workload {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) acls: Vec<BTreeSet<Principal>>,
    pub(crate) users: Vec<User>,
    topics: Topics,
    random: Random,
}

struct Topics {
    centers: Vec<Vec<f32>>,
    spreads: Vec<f32>,
    words: Vec<Vec<usize>>,
    spectrum: Vec<f32>,
    /// Reflections that turn the axes of the spectrum away from those of the vectors.
    reflections: Vec<Vec<f32>>,
    zipf: Vec<f64>,
}

impl Topics {
    #[expect(clippy::cast_precision_loss, reason = "dimensions are few")]
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what vectors hold")]
    fn new(random: &mut Random) -> Self {
        let raw: Vec<f32> = (1..=DIMENSIONS).map(|axis| (axis as f32).powf(-0.4)).collect();
        let mean = (raw.iter().map(|value| value * value).sum::<f32>() / DIMENSIONS as f32).sqrt();
        let spectrum: Vec<f32> = raw.iter().map(|value| value / mean).collect();
        let center = |random: &mut Random| spectrum.iter().map(|scale| scale * random.normal()).collect();
        let reflection = |random: &mut Random| {
            let axis: Vec<f32> = (0..DIMENSIONS).map(|_| random.normal()).collect();
            let length = axis.iter().map(|value| value * value).sum::<f32>().sqrt();
            axis.iter().map(|value| value / length).collect()
        };
        Self {
            centers: (0..TOPICS).map(|_| center(random)).collect(),
            spreads: (0..TOPICS).map(|_| (0.6 + 0.4 * random.unit()) as f32).collect(),
            words: (0..TOPICS)
                .map(|_| (0..TOPIC_WORDS).map(|_| 200 + random.below(VOCABULARY - 200)).collect())
                .collect(),
            reflections: (0..8).map(|_| reflection(random)).collect(),
            zipf: zipf(VOCABULARY, 1.05),
            spectrum,
        }
    }

    fn vector(&self, topic: usize, random: &mut Random) -> Vector {
        let spread = self.spreads[topic];
        let pairs = self.centers[topic].iter().zip(&self.spectrum);
        let mut values: Vec<f32> = pairs.map(|(center, scale)| center + spread * scale * random.normal()).collect();
        for axis in &self.reflections {
            let along: f32 = 2.0 * values.iter().zip(axis).map(|(value, axis)| value * axis).sum::<f32>();
            values.iter_mut().zip(axis).for_each(|(value, axis)| *value -= along * axis);
        }
        Vector::new(values).expect("a random vector has a direction")
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    fn topic_word(&self, topic: usize, random: &mut Random) -> usize {
        let rank = (-25.0 * (1.0 - random.unit()).ln()) as usize;
        self.words[topic][rank.min(TOPIC_WORDS - 1)]
    }

    fn text(&self, topic: usize, random: &mut Random) -> String {
        let length = 30 + random.below(43);
        let mut text = String::with_capacity(length * 7);
        for _ in 0..length {
            let own = random.unit() < 0.35;
            let word = if own { self.topic_word(topic, random) } else { random.chosen(&self.zipf) };
            text.push_str(&format!("w{word:05} "));
        }
        text
    }
}

impl Workload {
    pub(crate) fn new(chunk_count: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let topics = Topics::new(&mut random);
        let acls = acls(CLASSES_MAX.min((chunk_count / 20).max(40)), &mut random);
        let sizes = zipf(acls.len(), 1.1);
        let favourites: Vec<[usize; 6]> = acls.iter().map(|_| [0; 6].map(|_| random.below(TOPICS))).collect();
        let chunk = |index: usize| {
            // Every class has a chunk; the others fall by size.
            let class = if index < acls.len() { index } else { random.chosen(&sizes) };
            let favourite = favourites[class][random.below(6)];
            let topic = if random.unit() < 0.6 { favourite } else { random.below(TOPICS) };
            let text = topics.text(topic, &mut random);
            Chunk { class, text, vector: topics.vector(topic, &mut random) }
        };
        let mut chunks: Vec<Chunk> = (0..chunk_count).map(chunk).collect();
        for index in (1..chunks.len()).rev() {
            chunks.swap(index, random.below(index + 1));
        }
        let users = users(&acls, &chunks, &mut random);
        Self { chunks, acls, users, topics, random }
    }

    /// Queries of users whose share of the tenant lies within these bounds.
    pub(crate) fn queries(&mut self, count: usize, above: f64, up_to: f64) -> Vec<Query> {
        let users: Vec<usize> = (0..self.users.len())
            .filter(|user| self.users[*user].share > above && self.users[*user].share <= up_to)
            .collect();
        let random = &mut self.random;
        let query = |_| {
            let topic = random.below(TOPICS);
            let words = [0; 3].map(|_| self.topics.topic_word(topic, random));
            let common = random.chosen(&self.topics.zipf);
            let text = words.iter().chain([&common]).map(|word| format!("w{word:05} ")).collect();
            let user = users[random.below(users.len())];
            Query { user, text, vector: self.topics.vector(topic, random) }
        };
        if users.is_empty() { Vec::new() } else { (0..count).map(query).collect() }
    }

    /// One document per chunk, in lists of changes of this size.
    pub(crate) fn changes(&self, batch: usize) -> Vec<Vec<Change>> {
        let put = |(index, chunk): (usize, &Chunk)| {
            let allow = self.acls[chunk.class].clone();
            Change::PutDocument(document(index, &chunk.text, Some(chunk.vector.clone()), allow))
        };
        let all: Vec<Change> = self.chunks.iter().enumerate().map(put).collect();
        all.chunks(batch).map(<[Change]>::to_vec).collect()
    }
}

fn acls(count: usize, random: &mut Random) -> Vec<BTreeSet<Principal>> {
    let groups = zipf(GROUPS, 0.8);
    let user = |random: &mut Random| principal(&format!("user:u{:03}", random.below(USERS)));
    let mut seen = BTreeSet::new();
    let mut acls = Vec::new();
    while acls.len() < count {
        let wanted = 1 + [0.45, 0.75, 0.9].partition_point(|bound| *bound < random.unit());
        let mut acl = BTreeSet::new();
        while acl.len() < wanted {
            acl.insert(principal(&format!("group:g{:02}", random.chosen(&groups))));
        }
        if random.unit() < 0.2 {
            acl.insert(user(random));
        }
        if random.unit() < 0.1 {
            acl = BTreeSet::from([user(random)]);
        }
        if seen.insert(acl.clone()) {
            acls.push(acl);
        }
    }
    acls
}

/// Users with a log-uniform share between 0.1 % and 60 %: groups are added while they fit.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn users(acls: &[BTreeSet<Principal>], chunks: &[Chunk], random: &mut Random) -> Vec<User> {
    let mut sizes = vec![0_usize; acls.len()];
    chunks.iter().for_each(|chunk| sizes[chunk.class] += 1);
    let mut by_principal: BTreeMap<&Principal, BTreeSet<usize>> = BTreeMap::new();
    for (class, acl) in acls.iter().enumerate() {
        acl.iter().for_each(|principal| {
            by_principal.entry(principal).or_default().insert(class);
        });
    }
    let share = |classes: &BTreeSet<usize>| {
        classes.iter().map(|class| sizes[*class]).sum::<usize>() as f64 / chunks.len() as f64
    };
    let user = |index: usize| {
        let name = principal(&format!("user:u{index:03}"));
        let target = (0.001_f64.ln() + random.unit() * (0.6_f64.ln() - 0.001_f64.ln())).exp();
        let mut classes = by_principal.get(&name).cloned().unwrap_or_default();
        let mut principals = BTreeSet::from([name]);
        let mut groups: Vec<usize> = (0..GROUPS).collect();
        for index in (1..GROUPS).rev() {
            groups.swap(index, random.below(index + 1));
        }
        for group in groups {
            let group = principal(&format!("group:g{group:02}"));
            let wider: BTreeSet<usize> =
                classes.iter().chain(by_principal.get(&group).into_iter().flatten()).copied().collect();
            if share(&wider) <= target * 1.15 && principals.len() <= 20 {
                classes = wider;
                principals.insert(group);
            }
        }
        User { share: share(&classes), principals, classes }
    };
    (0..USERS).map(user).collect()
}

pub(crate) fn principal(name: &str) -> Principal {
    Principal::new(name).expect("a well-formed name")
}

pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").expect("a well-formed name")
}

pub(crate) fn collection() -> CollectionId {
    CollectionId::new("wiki").expect("a well-formed name")
}

/// An engine with one collection that everyone reads.
pub(crate) fn engine(engine: Engine) -> Engine {
    engine_for(&engine, &tenant());
    engine
}

/// A tenant with one collection that everyone reads.
pub(crate) fn engine_for(engine: &Engine, tenant: &TenantId) {
    engine.create_tenant(tenant, [7; 32], 0);
    let everyone = BTreeSet::from([Principal::everyone()]);
    let vectors = VectorSource::Client { dimensions: DIMENSIONS };
    let settings =
        Collection { id: collection(), readers: everyone.clone(), writers: everyone, vectors, trust: "untrusted" };
    engine.apply(tenant, 1, vec![Change::PutCollection(settings)]).expect("a collection can be put");
}

pub(crate) fn subject(principals: &BTreeSet<Principal>) -> Subject {
    subject_of(&tenant(), principals)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is its own verifier")]
pub(crate) fn subject_of(tenant: &TenantId, principals: &BTreeSet<Principal>) -> Subject {
    let mut principals = principals.clone();
    principals.insert(Principal::everyone());
    Subject::assert_verified(tenant.clone(), principals, BTreeMap::new())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark prepares its own passages")]
pub(crate) fn document(index: usize, text: &str, vector: Option<Vector>, allow: BTreeSet<Principal>) -> Document {
    let text_of = UntrustedText::new(text.to_owned());
    let prepared = PreparedChunk::assert_prepared(text_of, String::new(), 0..text.len(), 0, Vec::new(), Vec::new());
    Document {
        collection: collection(),
        id: DocumentId::new(&format!("d{index:07}")).expect("a well-formed name"),
        acl: Acl { allow, ..Acl::default() },
        info: Arc::new(DocumentInfo {
            title: None,
            uri: None,
            metadata: serde_json::Map::new(),
            content_hash: String::new(),
            ingested_at: Timestamp(0),
            ingested_by: String::new(),
            version: 1,
            findings: Vec::new(),
            removed: 0,
            sanitizer: None,
        }),
        chunks: vec![DocumentChunk { prepared, vector }],
    }
}
