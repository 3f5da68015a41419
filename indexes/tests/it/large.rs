//! A tenant of some thousand passages, where lists are long enough to be cut short: the layout still changes nothing,
//! and the scores are those of the formula.

use std::collections::BTreeMap;

use ringfence_indexes::{
    Acl, Change, Document, DocumentId, Engine, EngineOptions, Filter, Mode, SearchRequest, Selection, Vector,
};

use crate::support::{DIMENSIONS, NOW, chunk, collection, engine_with, info, principals, subject, tenant};

const ROWS: usize = 2_400;
const READERS: [&str; 4] = ["everyone", "user:a", "group:x", "group:y"];

/// A plain generator: the test is the same on every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Few words are common and many are rare.
    fn word(&mut self) -> u64 {
        let bound = 1 + self.below(90);
        self.below(bound)
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..DIMENSIONS).map(|_| f32::from(u16::try_from(self.below(2_001)).unwrap()) / 1_000.0 - 1.0003).collect()
    }
}

struct Passage {
    words: Vec<u64>,
    vector: Vec<f32>,
    allow: &'static str,
}

fn passages() -> Vec<Passage> {
    let mut chance = Chance(5);
    let passage = |_| {
        let length = 1 + chance.below(30);
        let words = (0..length).map(|_| chance.word()).collect();
        let allow = READERS[usize::try_from(chance.below(4)).unwrap()];
        Passage { words, vector: chance.vector(), allow }
    };
    (0..ROWS).map(passage).collect()
}

fn text(words: &[u64]) -> String {
    words.iter().map(|word| format!("w{word} ")).collect()
}

fn put(index: usize, passage: &Passage) -> Change {
    Change::PutDocument(Document {
        collection: collection(0),
        id: DocumentId::new(&format!("d{index}")).unwrap(),
        acl: Acl { allow: principals(&[passage.allow]), ..Acl::default() },
        info: info(1),
        chunks: vec![chunk(0, &text(&passage.words), Some(passage.vector.clone()))],
    })
}

fn filled(inverted_rows_min: usize, batch: usize, order: impl Fn(usize) -> usize) -> Engine {
    filled_with(EngineOptions { inverted_rows_min, ..EngineOptions::default() }, batch, order)
}

fn filled_with(options: EngineOptions, batch: usize, order: impl Fn(usize) -> usize) -> Engine {
    let engine = engine_with(options, [16; 3]);
    let passages = passages();
    let changes: Vec<Change> = (0..ROWS).map(|index| put(order(index), &passages[order(index)])).collect();
    for changes in changes.chunks(batch) {
        engine.apply(&tenant(), 2, changes.to_vec()).unwrap();
    }
    engine
}

/// What a reader finds: documents, and the bits of their scores.
type Found = Vec<(String, u32, Option<u32>, Option<u32>)>;

fn search(engine: &Engine, words: &[u64], vector: &Vector, mode: Mode, who: u8, top_k: usize) -> Found {
    let request = SearchRequest {
        query: &text(words),
        builtin_vector: Some(vector),
        client_vector: None,
        mode,
        filter: &Filter::default(),
        top_k,
        max_per_document: None,
        collapse_duplicates: false,
        min_score: None,
        diversity: None,
        prefix: false,
    };
    let hits = engine.scope(&subject(who, 0), &Selection::All, NOW).unwrap().search(&request).unwrap();
    let bits = |score: Option<f32>| score.map(f32::to_bits);
    let seen = |hit: &ringfence_indexes::Hit| {
        (hit.document.id().to_string(), hit.score.to_bits(), bits(hit.keyword), bits(hit.vector))
    };
    hits.iter().map(seen).collect()
}

/// BM25 as it is written, over what the reader may see. The title is one word of each passage, and counts twice.
fn bm25(visible: &[(usize, &Passage)], query: &[u64]) -> BTreeMap<String, f64> {
    let count = f64::from(u32::try_from(visible.len()).unwrap());
    let length = |passage: &Passage| f64::from(u32::try_from(passage.words.len() + 2).unwrap());
    let times = |words: &[u64], word: u64| {
        f64::from(u32::try_from(words.iter().filter(|other| **other == word).count()).unwrap())
    };
    let average = visible.iter().map(|(_, passage)| length(passage)).sum::<f64>() / count;
    let mut scores = BTreeMap::new();
    let mut terms = query.to_vec();
    terms.sort_unstable();
    terms.dedup();
    for term in terms {
        let having = visible.iter().filter(|(_, passage)| passage.words.contains(&term)).count();
        let having = f64::from(u32::try_from(having).unwrap());
        let idf = (1.0 + (count - having + 0.5) / (having + 0.5)).ln();
        for (index, passage) in visible {
            let frequency = times(&passage.words, term);
            if frequency > 0.0 {
                let norm = 1.2 * (0.25 + 0.75 * length(passage) / average);
                *scores.entry(format!("d{index}")).or_default() +=
                    times(query, term) * idf * frequency * 2.2 / (frequency + norm);
            }
        }
    }
    scores
}

#[test]
fn the_layout_of_a_large_tenant_changes_nothing() {
    let engines = [
        filled(usize::MAX, ROWS, |index| index),
        filled(64, 37, |index| (index * 7) % ROWS),
        filled(300, 500, |index| ROWS - 1 - index),
        filled_with(EngineOptions { slab_rows_max: usize::MAX, ..EngineOptions::default() }, 333, |index| {
            (index * 11) % ROWS
        }),
    ];
    // The third one has a past: everything was something else, and some of it went.
    let other = Passage { words: vec![1, 2, 3], vector: vec![1.0; DIMENSIONS], allow: "everyone" };
    let past: Vec<Change> = (0..ROWS + 300).map(|index| put(index, &other)).collect();
    engines[2].apply(&tenant(), 3, past).unwrap();
    let passages = passages();
    let back: Vec<Change> = (0..ROWS).map(|index| put(index, &passages[index])).collect();
    engines[2].apply(&tenant(), 4, back).unwrap();
    let gone = (ROWS..ROWS + 300).map(|index| Change::DeleteDocument {
        collection: collection(0),
        document: DocumentId::new(&format!("d{index}")).unwrap(),
    });
    engines[2].apply(&tenant(), 5, gone.collect()).unwrap();

    let mut chance = Chance(99);
    for round in 0..24 {
        let words: Vec<u64> = (0..1 + chance.below(6)).map(|_| chance.word()).collect();
        let vector = Vector::new(chance.vector()).unwrap();
        // Everyone alone, or with a user and a group.
        let who = [0b1_0000, 0b1_0101][round % 2];
        let names = [&READERS[..1], &READERS[..3]][round % 2];
        let visible: Vec<(usize, &Passage)> =
            passages.iter().enumerate().filter(|(_, passage)| names.contains(&passage.allow)).collect();
        for (mode, top_k) in [(Mode::Hybrid, 10), (Mode::Hybrid, 100), (Mode::Keyword, 10), (Mode::Vector, 10)] {
            let found = search(&engines[0], &words, &vector, mode, who, top_k);
            for engine in &engines[1..] {
                assert_eq!(search(engine, &words, &vector, mode, who, top_k), found, "{words:?} {mode:?}");
            }
            let expected = bm25(&visible, &words);
            for (document, _, keyword, _) in &found {
                let keyword = keyword.map(|bits| f64::from(f32::from_bits(bits)));
                let differs = match (keyword, expected.get(document).filter(|_| mode != Mode::Vector)) {
                    (Some(found), Some(expected)) => (found - expected).abs() > 1e-5,
                    (None, None) => false,
                    _ => true,
                };
                assert!(!differs, "{document}: {keyword:?} for {words:?} in {mode:?}");
            }
            if mode == Mode::Keyword {
                let mut best: Vec<f64> = expected.values().copied().collect();
                best.sort_by(|left, right| right.total_cmp(left));
                assert_eq!(found.len(), best.len().min(top_k));
                for (place, (_, _, keyword, _)) in found.iter().enumerate() {
                    assert!((f64::from(f32::from_bits(keyword.unwrap())) - best[place]).abs() < 1e-5);
                }
            }
        }
    }
}
