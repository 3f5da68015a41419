//! A tenant with a class for nearly every document: which hidden classes share a slab, what moved in and out of it and what was merged changes no answer.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_indexes::{
    Acl, Change, Document, DocumentId, Engine, EngineOptions, Filter, Hit, Mode, Principal, SearchRequest, Selection,
    Subject, Vector,
};
use serde_json::json;

use crate::support::{DIMENSIONS, NOW, chunk, collection, engine_on_disk, engine_with, info, principals, tenant};

/// Documents that may be there.
const DOCUMENTS: u64 = 2_600;
/// Classes that grow and shrink; every other document has its own.
const CROWDS: u64 = 12;
const READERS: [&str; 4] = ["group:all", "group:half", "group:few", "user:x7"];

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn word(&mut self) -> String {
        let bound = 1 + self.below(60);
        format!("w{}", self.below(bound))
    }

    fn vector(&mut self) -> Option<Vec<f32>> {
        let has = self.below(12) > 0;
        let values = (0..DIMENSIONS).map(|_| f32::from(u16::try_from(self.below(2_001)).unwrap()) / 1_000.0 - 1.0003);
        let values: Vec<f32> = values.collect();
        has.then_some(values)
    }
}

/// A document as it stands.
#[derive(Clone)]
struct Written {
    allow: BTreeSet<Principal>,
    chunks: Vec<(String, Option<Vec<f32>>)>,
    year: i64,
    collection: u8,
}

impl Written {
    fn new(number: u64, chance: &mut Chance) -> Self {
        let text = |chance: &mut Chance| (0..1 + chance.below(12)).map(|_| chance.word() + " ").collect::<String>();
        let chunks = (0..1 + chance.below(2)).map(|_| (text(chance), chance.vector())).collect();
        let year = 2020 + i64::try_from(chance.below(6)).unwrap();
        Self { allow: allow(number, chance), chunks, year, collection: u8::try_from(number % 2).unwrap() }
    }

    fn put(&self, number: u64) -> Change {
        let chunks = (0..).zip(&self.chunks).map(|(ordinal, (text, vector))| chunk(ordinal, text, vector.clone()));
        Change::PutDocument(Document {
            collection: collection(self.collection),
            id: id(number),
            acl: Acl { allow: self.allow.clone(), ..Acl::default() },
            info: info(self.year),
            chunks: chunks.collect(),
        })
    }
}

fn id(number: u64) -> DocumentId {
    DocumentId::new(&format!("d{number}")).unwrap()
}

/// A crowd's ACL, or one of the document's own.
fn allow(number: u64, chance: &mut Chance) -> BTreeSet<Principal> {
    let mut names = vec!["group:all".to_owned()];
    match chance.below(3) {
        0 => names.push(format!("group:crowd{}", chance.below(CROWDS))),
        own => names.push(format!("user:x{number}v{own}")),
    }
    if chance.below(2) == 0 {
        names.push("group:half".to_owned());
    }
    if chance.below(40) == 0 {
        names.push("group:few".to_owned());
    }
    if chance.below(700) == 0 {
        names.push("user:x7".to_owned());
    }
    // Some are for nobody who asks.
    if chance.below(5) == 0 {
        names.retain(|name| name.starts_with("user:x"));
    }
    principals(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

#[expect(clippy::disallowed_methods, reason = "a test is its own verifier")]
fn reader(name: &str) -> Subject {
    Subject::assert_verified(tenant(), principals(&[name, "everyone"]), BTreeMap::new())
}

/// Everything that a caller sees of some searches, scores by their bits.
fn answers(engine: &Engine, name: &str, seed: u64) -> Vec<String> {
    let mut chance = Chance(seed);
    let scope = engine.scope(&reader(name), &Selection::All, NOW).unwrap();
    let year = Filter::parse(&json!({"metadata.year": {"gte": 2023}})).unwrap();
    let all = Filter::default();
    let mut seen = Vec::new();
    for round in 0..6 {
        let words = [chance.word(), chance.word(), chance.word()];
        let query = match round {
            0 => format!("\"{} {}\" {}", words[0], words[1], words[2]),
            1 => format!("{} {} w1*", words[0], words[1]),
            2 => "nowhere".to_owned(),
            _ => words.join(" "),
        };
        let vector = (0..DIMENSIONS).map(|_| f32::from(u16::try_from(chance.below(2_001)).unwrap()) - 1_000.3);
        let vector = Vector::new(vector.collect()).unwrap();
        for mode in [Mode::Hybrid, Mode::Keyword, Mode::Vector] {
            let request = SearchRequest {
                query: &query,
                builtin_vector: Some(&vector),
                client_vector: Some(&vector),
                mode,
                filter: if round == 3 { &year } else { &all },
                top_k: if round == 4 { 300 } else { 10 },
                max_per_document: None,
                collapse_duplicates: false,
                min_score: None,
                diversity: (round == 5).then_some(0.3),
                prefix: false,
            };
            let bits = |score: Option<f32>| score.map(f32::to_bits);
            let line = |hit: &Hit| {
                let place = (hit.document.collection().as_str(), hit.document.id().as_str(), hit.chunk.id());
                format!("{place:?} {} {:?} {:?}", hit.score.to_bits(), bits(hit.keyword), bits(hit.vector))
            };
            seen.extend(scope.search(&request).unwrap().iter().map(line));
            seen.push("-".to_owned());
        }
    }
    seen
}

fn is_for(name: &str, document: &Written) -> bool {
    document.allow.contains(&Principal::new(name).unwrap())
}

/// One that has a segment for each class, and holds these documents.
fn holding<'a>(documents: impl Iterator<Item = (&'a u64, &'a Written)>, options: EngineOptions) -> Engine {
    let engine = engine_with(options, [16; 3]);
    let changes: Vec<Change> = documents.map(|(number, document)| document.put(*number)).collect();
    engine.apply(&tenant(), 2, changes).unwrap();
    engine
}

/// A list of changes: documents come, go, are replaced and change their class, some of them more than once.
fn changes(count: u64, there: &mut BTreeMap<u64, Written>, chance: &mut Chance) -> Vec<Change> {
    let mut changes = Vec::new();
    for _ in 0..count {
        let number = chance.below(DOCUMENTS);
        match (chance.below(6), there.get_mut(&number)) {
            (0, Some(document)) => {
                let collection = collection(document.collection);
                there.remove(&number);
                changes.push(Change::DeleteDocument { collection, document: id(number) });
            }
            (1 | 2, Some(document)) => {
                document.allow = allow(number, chance);
                let acl = Acl { allow: document.allow.clone(), ..Acl::default() };
                let collection = collection(document.collection);
                changes.push(Change::SetAcl { collection, document: id(number), acl, version: 1 });
            }
            _ => {
                let document = Written::new(number, chance);
                changes.push(document.put(number));
                there.insert(number, document);
            }
        }
    }
    changes
}

#[test]
fn who_shares_a_slab_changes_nothing() {
    let mut chance = Chance(3);
    let engine = engine_on_disk(EngineOptions::default(), [16; 3]);
    let mut there: BTreeMap<u64, Written> = BTreeMap::new();
    let mut epoch = 2;
    // Much at once, little by little, much again; then most goes, and some comes back.
    for (lists, count) in [(3, 700), (60, 9), (2, 900), (1, 3_000)] {
        for _ in 0..lists {
            epoch += 1;
            engine.apply(&tenant(), epoch, changes(count, &mut there, &mut chance)).unwrap();
        }
        compare(&engine, &there, epoch);
    }
    let gone: Vec<u64> = there.keys().copied().filter(|number| number % 5 > 0).collect();
    for numbers in gone.chunks(400) {
        let delete = |number: &u64| {
            let document = there.get(number).unwrap();
            Change::DeleteDocument { collection: collection(document.collection), document: id(*number) }
        };
        let deleted: Vec<Change> = numbers.iter().map(delete).collect();
        epoch += 1;
        engine.apply(&tenant(), epoch, deleted).unwrap();
    }
    there.retain(|number, _| number % 5 == 0);
    compare(&engine, &there, epoch);
    for _ in 0..20 {
        epoch += 1;
        engine.apply(&tenant(), epoch, changes(40, &mut there, &mut chance)).unwrap();
    }
    compare(&engine, &there, epoch);
}

/// Compares an engine with such as hold only what each reader may see, and with one that was read anew in one piece.
fn compare(engine: &Engine, there: &BTreeMap<u64, Written>, seed: u64) {
    let alone = EngineOptions { slab_rows_max: 0, ..EngineOptions::default() };
    for name in READERS {
        let expected = answers(&holding(there.iter().filter(|(_, one)| is_for(name, one)), alone), name, seed);
        assert!(expected.len() > 18 || name == "user:x7", "{name} finds something");
        assert_eq!(answers(engine, name, seed), expected, "{name}");
    }
    let restarted = holding(there.iter().rev(), EngineOptions { slab_rows_max: 3, ..EngineOptions::default() });
    assert_eq!(answers(&restarted, "group:half", seed), answers(engine, "group:half", seed));
    assert_eq!(restarted.inventory(&tenant()), engine.inventory(&tenant()));
}

#[test]
fn a_class_that_grows_and_shrinks_keeps_its_rows() {
    let engine = engine_with(EngineOptions { slab_rows_max: 4, ..EngineOptions::default() }, [16; 3]);
    let mut chance = Chance(17);
    let mut there: BTreeMap<u64, Written> = BTreeMap::new();
    let crowd = principals(&["group:few", "group:all"]);
    let mut epoch = 2;
    let mut step = |there: &BTreeMap<u64, Written>, change: Change| {
        epoch += 1;
        engine.apply(&tenant(), epoch, vec![change]).unwrap();
        let alone = EngineOptions { slab_rows_max: 0, ..EngineOptions::default() };
        assert_eq!(answers(&engine, "group:few", 5), answers(&holding(there.iter(), alone), "group:few", 5));
    };
    for round in 0..3 {
        for number in 0..8 {
            let document = Written { allow: crowd.clone(), collection: 0, ..Written::new(number, &mut chance) };
            there.insert(number, document.clone());
            step(&there, document.put(number));
        }
        for number in round..8 {
            there.remove(&number);
            step(&there, Change::DeleteDocument { collection: collection(0), document: id(number) });
        }
    }
}
