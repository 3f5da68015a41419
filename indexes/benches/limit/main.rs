//! The engine beside what the machine could do at best, in one run on the same data.
//!
//! The best is a bare scan in class order, without documents, deletions, snapshots or answers: of vectors by int8 with a bound and f32 behind it, of words by postings in class order with statistics of what is permitted. Stock tantivy over everything, unfiltered, stands beside the words.
//!
//! `cargo xtask bench limit`: one tenant; `RINGFENCE_BENCH_CHUNKS` sets its size (80,000 if unset), `RINGFENCE_BENCH_SEED` the seed.

mod scan;
#[path = "../workload/mod.rs"]
mod workload;

use std::{
    collections::BTreeSet,
    hint::black_box,
    io::Write as _,
    time::{Duration, Instant},
};

use ringfence_indexes::{Change, Engine, Filter, Mode, Scope, SearchRequest, Selection, Timestamp};
use tantivy::{
    Index, Searcher, Term,
    collector::TopDocs,
    doc,
    query::BooleanQuery,
    schema::{Field, Schema, TEXT},
};

use scan::Scan;
use workload::{Query, Workload, document, subject, tenant};

const TOP_K: usize = 10;
const BATCH: usize = 500;
const QUERIES_PER_BUCKET: usize = 100;
/// Each query is asked so often; the quickest counts, because others use the machine.
const ROUNDS: usize = 5;
const BUCKETS: [(f64, f64); 4] = [(0.0, 0.005), (0.005, 0.05), (0.05, 0.2), (0.2, 1.0)];

fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

fn say(line: &str) {
    // Standard output may be gone; then nobody reads.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn main() {
    let mut workload =
        Workload::new(setting("RINGFENCE_BENCH_CHUNKS", 80_000), setting("RINGFENCE_BENCH_SEED", 7) as u64);
    let buckets = BUCKETS.map(|(above, up_to)| workload.queries(QUERIES_PER_BUCKET, above, up_to));
    let (engine, scan, stock) = (filled(&workload), Scan::new(&workload), Stock::new(&workload));
    say(&format!("{} chunks, {} classes\n", workload.chunks.len(), workload.acls.len()));
    say("| | p50 ms | p99 ms | p50, times the scan's | p99, times the scan's |\n| --- | --- | --- | --- | --- |");
    let limit = measure(&workload, &buckets, |query, classes| drop(black_box(scan.nearest(query, classes))));
    row("vectors, bare scan", &limit, None);
    let found = measure(&workload, &buckets, |query, _| ask(&workload, &engine, query, Mode::Vector));
    row("vectors, engine", &found, Some(&limit));
    let limit = measure(&workload, &buckets, |query, classes| drop(black_box(scan.worded(query, classes))));
    row("words, bare scan", &limit, None);
    let found = measure(&workload, &buckets, |query, _| ask(&workload, &engine, query, Mode::Keyword));
    row("words, engine", &found, Some(&limit));
    let found = measure(&workload, &buckets, |query, _| stock.find(query));
    row("words, stock tantivy over everything", &found, Some(&limit));
    let wrong = disagreements(&workload, &buckets, &engine, &scan);
    say(&format!("\n{wrong} answers of the engine differ from those of the bare scan in a vector search."));
}

/// The quickest of some rounds for each query, in order of time.
type Times = [Vec<Duration>; 4];

#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn measure(workload: &Workload, buckets: &[Vec<Query>; 4], mut work: impl FnMut(&Query, &[usize])) -> Times {
    buckets.each_ref().map(|queries| {
        let mut best = vec![Duration::MAX; queries.len()];
        for _ in 0..ROUNDS {
            for (query, best) in queries.iter().zip(&mut best) {
                let start = Instant::now();
                work(query, &workload.users[query.user].classes);
                *best = start.elapsed().min(*best);
            }
        }
        best.sort_unstable();
        best
    })
}

fn row(name: &str, times: &Times, limit: Option<&Times>) {
    let place = |times: &Vec<Duration>, share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    let shown = |share: usize| {
        let cells = times.iter().map(|times| format!("{:.3}", place(times, share)));
        cells.collect::<Vec<_>>().join(" / ")
    };
    let ratio = |share: usize| {
        let limit = limit.into_iter().flatten().map(|limit| place(limit, share));
        let cells = times.iter().zip(limit).map(|(times, limit)| format!("{:.2}", place(times, share) / limit));
        cells.collect::<Vec<_>>().join(" / ")
    };
    say(&format!("| {name} | {} | {} | {} | {} |", shown(50), shown(99), ratio(50), ratio(99)));
}

fn filled(workload: &Workload) -> Engine {
    let engine = workload::engine(Engine::new());
    for (start, chunks) in (0..).step_by(BATCH).zip(workload.chunks.chunks(BATCH)) {
        let put = |(index, chunk): (usize, &workload::Chunk)| {
            let allow = workload.acls[chunk.class].clone();
            Change::PutDocument(document(start + index, &chunk.text, Some(chunk.vector.clone()), allow))
        };
        let changes = chunks.iter().enumerate().map(put).collect();
        engine.apply(&tenant(), 2 + start as u64, changes).expect("documents can be put");
    }
    // Each user's scope is worked out once, as for a user who searches more than once.
    for user in &workload.users {
        black_box(scope(&engine, &user.principals));
    }
    engine
}

fn scope(engine: &Engine, principals: &BTreeSet<ringfence_indexes::Principal>) -> Scope {
    engine.scope(&subject(principals), &Selection::All, Timestamp(1)).expect("the tenant exists")
}

fn ask(workload: &Workload, engine: &Engine, query: &Query, mode: Mode) {
    black_box(search(workload, engine, query, mode));
}

fn search(workload: &Workload, engine: &Engine, query: &Query, mode: Mode) -> Vec<ringfence_indexes::Hit> {
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
    // As for each request; what a reader may see is remembered.
    let scope = scope(engine, &workload.users[query.user].principals);
    scope.search(&request).expect("a search finds what there is")
}

/// How many vector searches give other documents than the bare scan; rows that are equally near may stand for each other.
fn disagreements(workload: &Workload, buckets: &[Vec<Query>; 4], engine: &Engine, scan: &Scan) -> usize {
    let differs = |query: &&Query| {
        let hits = search(workload, engine, query, Mode::Vector);
        let expected = scan.nearest(query, &workload.users[query.user].classes);
        let near = |(hit, (score, _)): (&ringfence_indexes::Hit, &(f32, u32))| (hit.score - score).abs() < 1e-5;
        hits.len() != expected.len() || !hits.iter().zip(&expected).all(near)
    };
    buckets.iter().flatten().filter(differs).count()
}

/// Stock tantivy over everything.
struct Stock {
    searcher: Searcher,
    text: Field,
}

impl Stock {
    fn new(workload: &Workload) -> Self {
        let mut schema = Schema::builder();
        let text = schema.add_text_field("text", TEXT);
        let index = Index::create_in_ram(schema.build());
        let mut writer = index.writer_with_num_threads(1, 200 << 20).expect("memory for an index");
        for chunk in &workload.chunks {
            writer.add_document(doc!(text => chunk.text.clone())).expect("a document is taken");
        }
        writer.commit().expect("an index in memory can be written");
        Self { searcher: index.reader().expect("an index can be read").searcher(), text }
    }

    fn find(&self, query: &Query) {
        let terms = query.text.split_whitespace().map(|word| Term::from_field_text(self.text, word));
        let query = BooleanQuery::new_multiterms_query(terms.collect());
        let best = TopDocs::with_limit(TOP_K).order_by_score();
        drop(black_box(self.searcher.search(&query, &best).expect("an index can be searched")));
    }
}
