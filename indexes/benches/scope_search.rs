//! Searches by size of scope, beside a plain comparison of all permitted vectors in the same run: read the ratios.
//!
//! `RINGFENCE_BENCH_CHUNKS` sets how many chunks the tenant has (80,000 if unset), `RINGFENCE_BENCH_SEED` the seed.

mod workload;

use std::{cell::LazyCell, hint::black_box, sync::Arc};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ringfence_indexes::{
    Change, Engine, EngineOptions, Filter, Mode, PolicyName, Scope, SearchRequest, Selection, TenantPolicy, Timestamp,
};
use workload::{DIMENSIONS, Query, Workload, collection, document, principal, subject, tenant};

const NOW: Timestamp = Timestamp(1);
const TOP_K: usize = 10;
const BATCH: usize = 500;
/// The shares of the tenant that a user may read, and what they are called.
const BUCKETS: [(&str, f64, f64); 4] = [("0.5", 0.0, 0.005), ("5", 0.005, 0.05), ("20", 0.05, 0.2), ("60", 0.2, 1.0)];

fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

fn workload(chunks: usize) -> Workload {
    Workload::new(chunks, setting("RINGFENCE_BENCH_SEED", 7) as u64)
}

fn filled(engine: Engine, workload: &Workload) -> Engine {
    let engine = workload::engine(engine);
    for (epoch, changes) in (2..).zip(changes(workload, BATCH)) {
        engine.apply(&tenant(), epoch, changes).expect("documents can be put");
    }
    engine
}

/// One document per chunk, in lists of changes of this size.
fn changes(workload: &Workload, batch: usize) -> Vec<Vec<Change>> {
    let put = |(index, chunk): (usize, &workload::Chunk)| {
        let allow = workload.acls[chunk.class].clone();
        Change::PutDocument(document(index, &chunk.text, Some(chunk.vector.clone()), allow))
    };
    let all: Vec<Change> = workload.chunks.iter().enumerate().map(put).collect();
    all.chunks(batch).map(<[Change]>::to_vec).collect()
}

fn search(scope: &Scope, query: &Query, mode: Mode) -> usize {
    let request = SearchRequest {
        query: &query.text,
        builtin_vector: None,
        client_vector: Some(&query.vector),
        mode,
        filter: &Filter::default(),
        top_k: TOP_K,
        max_per_document: None,
        collapse_duplicates: false,
        min_score: None,
        diversity: None,
        prefix: false,
    };
    scope.search(&request).expect("a search finds what there is").len()
}

/// The permitted rows in one block of f32, compared one after the other: what a program without an index does.
struct BruteForce(Vec<f32>);

impl BruteForce {
    fn of(workload: &Workload, user: usize) -> Self {
        let classes = &workload.users[user].classes;
        let rows = workload.chunks.iter().filter(|chunk| classes.contains(&chunk.class));
        Self(rows.flat_map(|chunk| chunk.vector.values().to_vec()).collect())
    }

    fn search(&self, query: &[f32]) -> Vec<(f32, usize)> {
        let mut best: Vec<(f32, usize)> = Vec::with_capacity(TOP_K + 1);
        for (row, values) in self.0.chunks_exact(DIMENSIONS).enumerate() {
            let score = dot(values, query);
            if best.len() < TOP_K || score > best[TOP_K - 1].0 {
                let at = best.partition_point(|(other, _)| *other >= score);
                best.insert(at, (score, row));
                best.truncate(TOP_K);
            }
        }
        best
    }
}

/// As fast as portable code is compiled for this machine.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    const LANES: usize = 32;
    let mut sums = [0.0_f32; LANES];
    for (left, right) in left.as_chunks::<LANES>().0.iter().zip(right.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    sums.iter().sum()
}

fn searches(criterion: &mut Criterion) {
    let mut workload = workload(setting("RINGFENCE_BENCH_CHUNKS", 80_000));
    let engine = filled(Engine::new(), &workload);
    for (name, above, up_to) in BUCKETS {
        let queries = workload.queries(64, above, up_to);
        let mut group = criterion.benchmark_group(format!("up to {name} %"));
        let scopes: Vec<Scope> = queries
            .iter()
            .map(|query| {
                let subject = subject(&workload.users[query.user].principals);
                engine.scope(&subject, &Selection::All, NOW).expect("the tenant exists")
            })
            .collect();
        for (label, mode) in [("vector", Mode::Vector), ("keyword", Mode::Keyword), ("hybrid", Mode::Hybrid)] {
            let mut turn = (0..queries.len()).cycle();
            group.bench_function(label, |bencher| {
                bencher.iter(|| turn.next().map(|index| search(&scopes[index], &queries[index], mode)));
            });
        }
        let rows: Vec<_> =
            queries.iter().map(|query| LazyCell::new(|| BruteForce::of(&workload, query.user))).collect();
        let mut turn = rows.iter().zip(&queries).cycle();
        group.bench_function("brute force f32", |bencher| {
            bencher.iter(|| turn.next().map(|(rows, query)| black_box(rows.search(query.vector.values()))));
        });
        group.finish();
    }
    everything(criterion, &engine, &mut workload);
}

/// A caller who reads the whole tenant.
fn everything(criterion: &mut Criterion, engine: &Engine, workload: &mut Workload) {
    let queries = workload.queries(64, 0.0, 1.0);
    let everybody = workload.acls.iter().flatten().cloned().collect();
    let scope = engine.scope(&subject(&everybody), &Selection::All, NOW).expect("the tenant exists");
    let mut group = criterion.benchmark_group("all");
    for (label, mode) in [("vector", Mode::Vector), ("keyword", Mode::Keyword), ("hybrid", Mode::Hybrid)] {
        let mut turn = queries.iter().cycle();
        group.bench_function(label, |bencher| {
            bencher.iter(|| turn.next().map(|query| search(&scope, query, mode)));
        });
    }
    let rows = BruteForce(workload.chunks.iter().flat_map(|chunk| chunk.vector.values().to_vec()).collect());
    let mut turn = queries.iter().cycle();
    group.bench_function("brute force f32", |bencher| {
        bencher.iter(|| turn.next().map(|query| black_box(rows.search(query.vector.values()))));
    });
    group.finish();
}

fn ingest(criterion: &mut Criterion) {
    let chunks = setting("RINGFENCE_BENCH_CHUNKS", 80_000).min(20_000);
    let workload = LazyCell::new(|| workload(chunks));
    let mut group = criterion.benchmark_group("ingest");
    group.throughput(Throughput::Elements(chunks as u64)).sample_size(10);
    for batch in [50, 500] {
        group.bench_function(format!("mixed classes, lists of {batch}"), |bencher| {
            let setup = || (workload::engine(Engine::new()), changes(&workload, batch));
            let write = |(engine, batches): (Engine, Vec<Vec<_>>)| {
                for (epoch, changes) in (2..).zip(batches) {
                    engine.apply(&tenant(), epoch, changes).expect("documents can be put");
                }
                engine
            };
            bencher.iter_batched(setup, write, BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// A caller of 1,000 groups in a tenant of 10,000 classes.
fn scopes(criterion: &mut Criterion) {
    let engine = workload::engine(Engine::new());
    let put = |index: usize| {
        let allow = [principal(&format!("group:g{:05}", index % 5_000)), principal(&format!("user:u{index}"))];
        Change::PutDocument(document(index, "words", None, allow.into()))
    };
    engine.apply(&tenant(), 2, (0..10_000).map(put).collect()).expect("documents can be put");
    let groups = (0..1_000).map(|index| principal(&format!("group:g{:05}", index * 5))).collect();
    let subject = subject(&groups);
    let mut group = criterion.benchmark_group("scope of 1,000 groups, 10,000 classes");
    let resolve = || engine.scope(&subject, &Selection::All, NOW).expect("the tenant exists");
    group.bench_function("warm", |bencher| bencher.iter(resolve));
    let mut epoch = 3;
    group.bench_function("after a document came", |bencher| {
        let write = || {
            epoch += 1;
            engine.apply(&tenant(), epoch, vec![put(0)]).expect("documents can be put");
        };
        bencher.iter_batched(write, |()| resolve(), BatchSize::PerIteration);
    });
    let mut epoch = 1_000_000;
    group.bench_function("after a class came", |bencher| {
        let write = || {
            epoch += 1;
            let index = usize::try_from(epoch).expect("a small number");
            engine.apply(&tenant(), epoch, vec![put(index)]).expect("documents can be put");
        };
        bencher.iter_batched(write, |()| resolve(), BatchSize::PerIteration);
    });
    group.finish();
}

/// Ten policies of a tenant of 10,000 classes, for a caller who reads all of them.
///
/// `by collection`: what the policies look at is the same for all classes of a collection. `by ACL`: one of them looks for a name in what an ACL allows; `by whole ACL`: in a way that every class is a question of its own. `by request`: two of them look at the time and the network; `at once`: at the hour or the moment and an ACL. One `that closes` takes a class away, so that the list of classes is the request's.
fn policies(criterion: &mut Criterion) {
    let forbid = |when: &str| format!("forbid (principal, action, resource) when {{ {when} }};");
    let mut texts: Vec<String> = (0..7)
        .map(|index| format!("forbid (principal in Group::\"out{index}\", action, resource in Collection::\"wiki\");"))
        .collect();
    texts.push(forbid("resource.trust == \"curated\" && !(principal.numbers.hasTag(\"clearance\") && principal.numbers.getTag(\"clearance\") >= 2)"));
    texts.push(
        "forbid (principal, action, resource in Collection::\"board\") unless { principal in Group::\"board\" };"
            .to_owned(),
    );
    let plain = forbid("resource.collection like \"sealed-*\" && principal is User");
    let by_acl = forbid("resource.allow.contains(\"user:u77\") && !(principal in Group::\"board\")");
    let by_request = [forbid("context.hour > 22"), forbid("context has network && context.network.isMulticast()")];
    let by_whole_acl = forbid("[\"user:u77\"].containsAny(resource.allow) && !(principal in Group::\"board\")");
    let nightly = ["context.hour > 22", "context.now > datetime(\"2100-01-01\")"]
        .map(|when| forbid(&format!("{when} && resource.allow.contains(\"user:u77\")")));
    let closing = forbid("context.hour >= 0 && resource.allow.contains(\"user:u77\")");
    let sets = [
        ("by collection", [texts.clone(), vec![plain.clone()]].concat()),
        ("by ACL", [texts.clone(), vec![by_acl.clone()]].concat()),
        ("by request", [texts[1..].to_vec(), by_request.to_vec()].concat()),
        ("by request and ACL", [texts[2..].to_vec(), by_request.to_vec(), vec![by_acl]].concat()),
        ("by whole ACL", [texts.clone(), vec![by_whole_acl]].concat()),
        ("by request and ACL at once", [texts[1..].to_vec(), nightly.to_vec()].concat()),
        ("that close to a request", [texts.clone(), vec![closing]].concat()),
    ];
    let put = |index: usize| {
        let allow = [principal("group:all"), principal(&format!("user:u{index}"))];
        Change::PutDocument(document(index, "words", None, allow.into()))
    };
    let caller = subject(&[principal("group:all"), principal("user:u1")].into());
    for (name, texts) in sets {
        assert_eq!(texts.len(), 10);
        let engine = workload::engine(Engine::new());
        engine.apply(&tenant(), 2, (0..10_000).map(put).collect()).expect("documents can be put");
        let policy = |(index, text): (usize, &String)| {
            let name = PolicyName::new(&format!("p{index}")).expect("a well-formed name");
            Change::PutPolicy(Arc::new(TenantPolicy::check(name, text).expect("a policy")))
        };
        let changes: Vec<Change> = texts.iter().enumerate().map(policy).collect();
        engine.apply(&tenant(), 3, changes.clone()).expect("policies can be put");
        let resolve = || engine.scope(&caller, &Selection::All, NOW).expect("the tenant exists");
        let mut group = criterion.benchmark_group(format!("10 policies {name}, 10,000 classes"));
        group.bench_function("warm", |bencher| bencher.iter(resolve));
        let mut epoch = 3;
        group.sample_size(10).bench_function("cold", |bencher| {
            let write = || {
                epoch += 1;
                engine.apply(&tenant(), epoch, vec![changes[0].clone()]).expect("a policy can be put");
            };
            bencher.iter_batched(write, |()| resolve(), BatchSize::PerIteration);
        });
        group.finish();
    }
}

/// The same words in packed lists and in tantivy indexes.
fn forms(criterion: &mut Criterion) {
    let workload = LazyCell::new(|| {
        let mut workload = workload(setting("RINGFENCE_BENCH_CHUNKS", 80_000).min(20_000));
        (workload.queries(64, 0.0, 1.0), workload)
    });
    let mut group = criterion.benchmark_group("forms of postings");
    for rows in [0, 512, 2_048, 8_192, usize::MAX] {
        let scope = LazyCell::new(|| {
            let engine = filled(
                Engine::with_options(EngineOptions { inverted_rows_min: rows, ..EngineOptions::default() }),
                &workload.1,
            );
            let everybody = workload.1.acls.iter().flatten().cloned().collect();
            engine.scope(&subject(&everybody), &Selection::All, NOW).expect("the tenant exists")
        });
        let mut turn = (0..64).map(|index| &workload.0[index]).cycle();
        group.bench_function(format!("tantivy from {rows} rows"), |bencher| {
            bencher.iter(|| turn.next().map(|query| search(&scope, query, Mode::Keyword)));
        });
    }
    group.finish();
}

/// One class for each document.
fn singles(criterion: &mut Criterion) {
    let world = LazyCell::new(|| {
        let mut workload = workload(setting("RINGFENCE_BENCH_CHUNKS", 80_000));
        let engine = workload::engine(Engine::new());
        let put = |(index, chunk): (usize, &workload::Chunk)| {
            let allow = [principal("group:all"), principal(&format!("user:x{index}"))].into();
            Change::PutDocument(document(index, &chunk.text, Some(chunk.vector.clone()), allow))
        };
        let changes: Vec<_> = workload.chunks.iter().enumerate().map(put).collect();
        for (epoch, changes) in (2..).zip(changes.chunks(BATCH)) {
            engine.apply(&tenant(), epoch, changes.to_vec()).expect("documents can be put");
        }
        let reader = subject(&[principal("group:all")].into());
        let scope = engine.scope(&reader, &Selection::All, NOW).expect("the tenant exists");
        assert_eq!(
            scope.documents(&collection(), None, usize::MAX).expect("nothing is damaged").len(),
            workload.chunks.len()
        );
        (scope, workload.queries(64, 0.0, 1.0))
    });
    let mut group = criterion.benchmark_group("a class for each document");
    for (label, mode) in [("vector", Mode::Vector), ("keyword", Mode::Keyword), ("hybrid", Mode::Hybrid)] {
        let mut turn = (0..64).map(|index| &world.1[index]).cycle();
        group.bench_function(label, |bencher| {
            bencher.iter(|| turn.next().map(|query| search(&world.0, query, mode)));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(2)).warm_up_time(std::time::Duration::from_millis(500));
    targets = searches, ingest, scopes, policies, forms, singles
}
criterion_main!(benches);
