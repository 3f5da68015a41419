//! The engine alone, in this process: what remains when HTTP, authentication, audit and the redactor are taken away.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread,
    time::Duration,
};

use ringfence_indexes::{
    Acl, AnalyzerKind, Change, Collection, CollectionId, Document, DocumentChunk, DocumentId, DocumentInfo, Engine,
    Filter, Mode, Principal, SearchRequest, Selection, Subject, TenantId, Timestamp, Vector, VectorSource,
};
use ringfence_ingest::{PreparedChunk, UntrustedText};
use ringfence_workload::{BUCKETS, Query, TOP_K};

use super::{
    Task,
    outcome::{Answers, Built, Run, System},
};
use crate::{
    process::Process,
    report::{ms, now, rate, tell},
};

/// Changes that are applied at once.
const BATCH: usize = 500;
const MODES: [(&str, Mode); 3] = [("vector", Mode::Vector), ("keyword", Mode::Keyword), ("hybrid", Mode::Hybrid)];

pub(super) fn measure(task: &Task) -> System {
    let process = Process::new(std::process::id());
    let before = process.resident_mib();
    let engine = Engine::new();
    let (mut spent, mut cpu) = (Duration::ZERO, Duration::ZERO);
    for tenant in &task.workload.tenants {
        let id = TenantId::new(&tenant.name).expect("a well-formed name");
        engine.create_tenant(&id, [7; 32], 0);
        let mut epoch = 1;
        engine.apply(&id, epoch, vec![collection(task)]).expect("a collection can be put");
        let rows: Vec<usize> = tenant.rows.clone().collect();
        for rows in rows.chunks(BATCH) {
            let changes = rows.iter().map(|row| Change::PutDocument(document(task, *row))).collect();
            epoch += 1;
            let (start, start_cpu) = (now(), process.cpu());
            engine.apply(&id, epoch, changes).expect("documents can be put");
            spent += start.elapsed();
            cpu += process.cpu() - start_cpu;
        }
    }
    let chunks = task.workload.chunks.len();
    let built = Built {
        chunks_per_second: rate(chunks, spent),
        chunks_per_cpu_second: rate(chunks, cpu),
        disk_mib: 0,
        resident_mib: process.resident_mib().saturating_sub(before),
        earlier: false,
    };
    let runs = MODES.iter().map(|(name, mode)| ask(task, &engine, name, *mode)).collect();
    let about = "in process, without HTTP, authentication, audit and redactor; nothing on disk".to_owned();
    let name = "Ringfence's engine alone".to_owned();
    System { name, about, left_out: None, built: Some(built), runs, calibration_ms: [0.0; 2] }
}

/// A query in the engine's types.
struct Question<'t> {
    text: &'t str,
    vector: Vector,
    subject: Subject,
}

fn ask(task: &Task, engine: &Engine, name: &str, mode: Mode) -> Run {
    let process = Process::new(std::process::id());
    let questions: Vec<Question> = task.workload.queries.iter().map(|query| question(task, query)).collect();
    let mut buckets = Vec::new();
    for bucket in 0..BUCKETS.len() {
        let numbers = task.of_bucket(bucket);
        let mut judgements = Vec::new();
        for &number in &numbers {
            let found = search(engine, &questions[number], mode);
            judgements.push(task.workload.judge(&task.workload.queries[number], &task.truths[number], &found));
        }
        let (mut times, cpu) = (Vec::new(), process.cpu());
        for _ in 0..task.rounds {
            for &number in &numbers {
                let start = now();
                std::hint::black_box(search(engine, &questions[number], mode));
                times.push(start.elapsed());
            }
        }
        buckets.push(Answers::new(name, &judgements, &mut times, process.cpu() - cpu));
    }
    let (two_clients_per_second, two_clients_cpu_ms) = two_threads(task, engine, &questions, mode);
    tell(&format!("  {name}: {two_clients_per_second:.0} a second with two threads"));
    Run { mode: name.to_owned(), setting: String::new(), buckets, two_clients_per_second, two_clients_cpu_ms }
}

#[expect(clippy::cast_precision_loss, reason = "counts")]
fn two_threads(task: &Task, engine: &Engine, questions: &[Question], mode: Mode) -> (f64, f64) {
    let process = Process::new(std::process::id());
    let (start, cpu) = (now(), process.cpu());
    thread::scope(|scope| {
        for thread in 0..2 {
            scope.spawn(move || {
                for turn in 0..questions.len() * task.rounds {
                    let number = (turn + thread * questions.len() / 2) % questions.len();
                    std::hint::black_box(search(engine, &questions[number], mode));
                }
            });
        }
    });
    let count = questions.len() * task.rounds * 2;
    (rate(count, start.elapsed()), ms(process.cpu() - cpu) / count.max(1) as f64)
}

/// Resolves the scope and searches, as the server does for every request.
fn search(engine: &Engine, question: &Question, mode: Mode) -> Vec<usize> {
    let scope = engine.scope(&question.subject, &Selection::All, Timestamp(1)).expect("the tenant exists");
    let request = SearchRequest {
        query: question.text,
        builtin_vector: None,
        client_vector: Some(&question.vector),
        mode,
        filter: &Filter::default(),
        top_k: TOP_K,
        max_per_document: None,
        collapse_duplicates: false,
        min_score: None,
        diversity: None,
        prefix: false,
    };
    let hits = scope.search(&request).expect("a search finds what there is");
    let row = |id: &str| id[1..].parse().expect("a document of the workload");
    hits.iter().map(|hit| row(hit.document.id().as_str())).collect()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is its own verifier")]
fn question<'t>(task: &Task, query: &'t Query) -> Question<'t> {
    let tenant = TenantId::new(&task.workload.tenants[query.tenant].name).expect("a well-formed name");
    let mut principals: BTreeSet<Principal> = names(&task.workload.user(query).principals);
    principals.insert(Principal::everyone());
    let vector = Vector::new(query.vector.clone()).expect("a vector of the workload has a direction");
    let subject = Subject::assert_verified(tenant, principals, BTreeMap::new());
    Question { text: &query.text, vector, subject }
}

fn names(principals: &[String]) -> BTreeSet<Principal> {
    principals.iter().map(|name| Principal::new(name).expect("a well-formed name")).collect()
}

fn collection_id() -> CollectionId {
    CollectionId::new("bench").expect("a well-formed name")
}

fn collection(task: &Task) -> Change {
    let everyone = BTreeSet::from([Principal::everyone()]);
    let vectors = VectorSource::Client { dimensions: task.workload.options.dimensions };
    Change::PutCollection(Collection {
        id: collection_id(),
        readers: everyone.clone(),
        writers: everyone,
        vectors,
        trust: "untrusted",
        analyzer: AnalyzerKind::English,
    })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark prepares its own passages")]
fn document(task: &Task, row: usize) -> Document {
    let text = &task.workload.chunks[row].text;
    let untrusted = UntrustedText::new(text.clone());
    let prepared = PreparedChunk::assert_prepared(untrusted, String::new(), 0..text.len(), 0, Vec::new(), Vec::new());
    let vector = Vector::new(task.workload.vector(row).to_vec()).expect("a vector of the workload has a direction");
    Document {
        collection: collection_id(),
        id: DocumentId::new(&format!("d{row}")).expect("a well-formed name"),
        acl: Acl { allow: names(task.workload.readers(row)), ..Acl::default() },
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
        chunks: vec![DocumentChunk { prepared, vector: Some(vector) }],
    }
}
