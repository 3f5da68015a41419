//! A small tenant that can be planned by chance: documents, ACLs, readers, and the engines that hold them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use ringfence_indexes::{
    Acl, AnalyzerKind, AttributeValue, Change, Collection, CollectionId, Condition, Document, DocumentChunk,
    DocumentId, DocumentInfo, Engine, EngineOptions, Principal, Requirement, Spill, Subject, TenantId, Timestamp,
    Vector, VectorSource,
};
use ringfence_ingest::{PreparedChunk, UntrustedText};
use serde_json::json;

pub(crate) const WORDS: [&str; 8] = ["key", "keys", "rotate", "rotating", "signed", "salary", "plan", "alpha"];
pub(crate) const NAMES: [&str; 5] = ["user:a", "user:b", "group:x", "group:y", "everyone"];
pub(crate) const NOW: Timestamp = Timestamp(100);
pub(crate) const DIMENSIONS: usize = 5;

pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

pub(crate) fn principals(names: &[&str]) -> BTreeSet<Principal> {
    names.iter().map(|name| Principal::new(name).unwrap()).collect()
}

pub(crate) fn picked(bits: u8) -> BTreeSet<Principal> {
    let chosen: Vec<&str> =
        (0..NAMES.len()).filter(|index| bits & (1 << index) != 0).map(|index| NAMES[index]).collect();
    principals(&chosen)
}

#[expect(clippy::disallowed_methods, reason = "a test is its own verifier")]
pub(crate) fn subject(bits: u8, clearance: i64) -> Subject {
    let attributes = BTreeMap::from([("clearance".to_owned(), AttributeValue::Integer(clearance))]);
    Subject::assert_verified(tenant(), picked(bits), attributes)
}

#[expect(clippy::disallowed_methods, reason = "a test prepares its own passages")]
pub(crate) fn chunk(ordinal: u32, text: &str, vector: Option<Vec<f32>>) -> DocumentChunk {
    let prepared = PreparedChunk::assert_prepared(
        UntrustedText::new(text.to_owned()),
        String::new(),
        0..text.len(),
        ordinal,
        Vec::new(),
        Vec::new(),
    );
    DocumentChunk { prepared, vector: vector.and_then(|values| Vector::new(values).ok()) }
}

pub(crate) fn collection(index: u8) -> CollectionId {
    CollectionId::new(&format!("c{index}")).unwrap()
}

pub(crate) fn settings(index: u8, readers: u8) -> Change {
    let vectors = match index {
        0 => VectorSource::Builtin { dimensions: DIMENSIONS },
        _ => VectorSource::Client { dimensions: DIMENSIONS },
    };
    Change::PutCollection(Collection {
        id: collection(index),
        readers: picked(readers),
        writers: picked(readers),
        vectors,
        trust: "untrusted",
        analyzer: [AnalyzerKind::English, AnalyzerKind::Plain, AnalyzerKind::German][usize::from(index)],
    })
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) collection: u8,
    pub(crate) id: u8,
    pub(crate) acl: Acl,
    pub(crate) chunks: Vec<(Vec<usize>, Option<Vec<f32>>)>,
    pub(crate) year: i64,
}

impl Plan {
    pub(crate) fn document(&self) -> Document {
        let text = |words: &[usize]| words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ");
        let chunks =
            (0..).zip(&self.chunks).map(|(ordinal, (words, vector))| chunk(ordinal, &text(words), vector.clone()));
        Document {
            collection: collection(self.collection),
            id: DocumentId::new(&format!("d{}", self.id)).unwrap(),
            acl: self.acl.clone(),
            info: info(self.year),
            chunks: chunks.collect(),
        }
    }

    pub(crate) fn delete(&self) -> Change {
        let document = self.document();
        Change::DeleteDocument { collection: document.collection, document: document.id }
    }
}

pub(crate) fn info(year: i64) -> Arc<DocumentInfo> {
    Arc::new(DocumentInfo {
        title: Some(UntrustedText::new("Plan".into())),
        uri: None,
        metadata: json!({"year": year}).as_object().unwrap().clone(),
        content_hash: "hash".into(),
        ingested_at: NOW,
        ingested_by: "user:a".into(),
        version: 1,
        findings: Vec::new(),
        removed: 0,
        sanitizer: None,
    })
}

pub(crate) fn acls() -> impl Strategy<Value = Acl> {
    let require = prop::option::of(0_i64..3);
    let window = (prop::option::of(98_i64..103), prop::option::of(98_i64..103));
    (0_u8..32, prop_oneof![3 => Just(0_u8), 1 => 0_u8..32], prop_oneof![3 => Just(None), 1 => require], window)
        .prop_map(|(allow, deny, clearance, (start, end))| Acl {
            allow: picked(allow),
            deny: picked(deny),
            require: clearance
                .map(|floor| Requirement { attribute: "clearance".into(), condition: Condition::AtLeast(floor) })
                .into_iter()
                .collect(),
            not_before: start.filter(|start| start % 2 == 0).map(Timestamp),
            expires_at: end.filter(|end| end % 2 == 0).map(Timestamp),
        })
}

pub(crate) fn vectors() -> impl Strategy<Value = Option<Vec<f32>>> {
    prop::option::weighted(0.9, prop::collection::vec(-3_i8..4, DIMENSIONS))
        .prop_map(|values| values.map(|values| values.into_iter().map(f32::from).collect()))
}

pub(crate) fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let chunks = prop::collection::vec((prop::collection::vec(0..WORDS.len(), 0..6), vectors()), 1..4);
    let plan = (0_u8..3, any::<u8>(), acls(), chunks, 2020_i64..2026)
        .prop_map(|(collection, id, acl, chunks, year)| Plan { collection, id, acl, chunks, year });
    prop::collection::vec(plan, 1..40).prop_map(|plans| {
        let unique: BTreeMap<_, _> = plans.into_iter().map(|plan| ((plan.collection, plan.id), plan)).collect();
        unique.into_values().collect()
    })
}

pub(crate) fn engine(readers: [u8; 3]) -> Engine {
    engine_with(EngineOptions::default(), readers)
}

pub(crate) fn engine_with(options: EngineOptions, readers: [u8; 3]) -> Engine {
    with_collections(Engine::with_options(options), readers)
}

/// One that sets passages and exact vectors aside in a file.
pub(crate) fn engine_on_disk(options: EngineOptions, readers: [u8; 3]) -> Engine {
    with_collections(Engine::with_spill(options, Some(spill())), readers)
}

pub(crate) fn spill() -> Arc<Spill> {
    static FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("ringfence-engine-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let spill = Spill::create(&folder).unwrap();
    // The file has no name any more, so its folder may go.
    fs::remove_dir(&folder).unwrap();
    spill
}

fn with_collections(engine: Engine, readers: [u8; 3]) -> Engine {
    engine.create_tenant(&tenant(), [7; 32], 0);
    let collections = (0..).zip(readers).map(|(index, readers)| settings(index, readers));
    engine.apply(&tenant(), 1, collections.collect()).unwrap();
    engine
}

/// Puts documents one batch after the other, so that the segments lie differently.
pub(crate) fn put(engine: &Engine, plans: &[Plan], batch: usize) {
    for plans in plans.chunks(batch) {
        let changes = plans.iter().map(|plan| Change::PutDocument(plan.document())).collect();
        engine.apply(&tenant(), 2, changes).unwrap();
    }
}

/// Segments of packed lists, of tantivy indexes, and of both; no class, some or all of them in slabs.
pub(crate) fn options() -> impl Strategy<Value = EngineOptions> {
    let inverted_rows_min = prop_oneof![Just(usize::MAX), Just(0), 2_usize..12];
    let slab_rows_max = prop_oneof![Just(usize::MAX), Just(0), 1_usize..6];
    (inverted_rows_min, slab_rows_max).prop_map(|(inverted_rows_min, slab_rows_max)| EngineOptions {
        inverted_rows_min,
        slab_rows_max,
        ..EngineOptions::default()
    })
}

pub(crate) fn readable(plan: &Plan, subject: &Subject, readers: [u8; 3]) -> bool {
    let reader = !picked(readers[usize::from(plan.collection)]).is_disjoint(subject.principals());
    reader && plan.acl.permits(subject.principals(), subject.attributes(), NOW)
}
