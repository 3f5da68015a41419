//! What a shared index with a filter behind it gives away, beside an engine that looks only at what is permitted.
//!
//! Two worlds are alike but for documents that none of the askers may read. Each is searched with stock tantivy and stock `hnsw_rs`, which find the best hundred of all documents, of which those that the asker may not read are dropped; and with this engine. Counted are the answers that differ between the worlds in any bit of a score or in any result, and those with fewer than ten results although there are ten.
//!
//! `cargo xtask bench post_filter`; `RINGFENCE_BENCH_CHUNKS` sets how many chunks everybody sees or not (10,000 if unset; a fifth of that more is hidden in the second world), `RINGFENCE_BENCH_SEED` the seed.

mod workload;

use std::collections::BTreeSet;

use hnsw_rs::{anndists::dist::DistCosine, hnsw::Hnsw};
use ringfence_indexes::{Change, Engine, Filter, Mode, SearchRequest, Selection, Timestamp};
use tantivy::{
    Index, Term,
    collector::TopDocs,
    doc,
    query::BooleanQuery,
    schema::{FAST, Field, Schema, TEXT},
};
use workload::{Query, Workload, document, principal, subject, tenant};

const TOP_K: usize = 10;
/// What the shared index is asked for, so that something is left behind the filter.
const FETCHED: usize = 100;
const BATCH: usize = 500;
const QUERIES_PER_BUCKET: usize = 25;
const BUCKETS: [(f64, f64); 4] = [(0.0, 0.005), (0.005, 0.05), (0.05, 0.2), (0.2, 1.0)];

/// A result and the bits of its scores.
type Answer = Vec<(usize, Vec<Option<u32>>)>;

fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

#[expect(clippy::print_stdout, reason = "a benchmark's report is its output")]
fn main() {
    let shared = setting("RINGFENCE_BENCH_CHUNKS", 10_000);
    let mut workload = Workload::new(shared + shared / 5, setting("RINGFENCE_BENCH_SEED", 7) as u64);
    let queries: Vec<Query> =
        BUCKETS.iter().flat_map(|(above, up_to)| workload.queries(QUERIES_PER_BUCKET, *above, *up_to)).collect();
    let worlds = [shared, workload.chunks.len()].map(|rows| World { workload: &workload, shared, rows });
    println!(
        "{shared} chunks; in the second world {} more that none of the {} askers may read.\n",
        workload.chunks.len() - shared,
        queries.len()
    );
    println!("| | answers that hidden documents changed | short answers |\n| --- | --- | --- |");
    let report = |name: &str, answers: [Vec<Answer>; 2], wanted: &[usize]| {
        let changed = answers[0].iter().zip(&answers[1]).filter(|(first, second)| first != second).count();
        let short = answers[1].iter().zip(wanted).filter(|(answer, wanted)| answer.len() < **wanted).count();
        println!("| {name} | {changed} of {} | {short} of {} |", queries.len(), queries.len());
    };
    let (worded, readable) = (worlds[0].wanted(&queries, true), worlds[0].wanted(&queries, false));
    report("stock tantivy, filter behind it", worlds.each_ref().map(|world| world.tantivy(&queries)), &worded);
    report("stock hnsw_rs, filter behind it", worlds.each_ref().map(|world| world.graph(&queries)), &readable);
    let engines = worlds.each_ref().map(World::engine);
    for (name, mode, wanted) in [
        ("Ringfence, words", Mode::Keyword, &worded),
        ("Ringfence, vectors", Mode::Vector, &readable),
        ("Ringfence, hybrid", Mode::Hybrid, &readable),
    ] {
        let answers = engines.each_ref().map(|engine| ask(engine, &workload, &queries, mode));
        report(name, answers, wanted);
    }
}

/// The first rows of a workload; those behind `shared` are hidden from everybody who asks.
struct World<'w> {
    workload: &'w Workload,
    shared: usize,
    rows: usize,
}

impl World<'_> {
    fn may_read(&self, query: &Query, row: usize) -> bool {
        let class = self.workload.chunks[row].class;
        row < self.shared && self.workload.users[query.user].classes.binary_search(&class).is_ok()
    }

    /// How many results there should be: of what has one of the words, or of everything that may be read.
    fn wanted(&self, queries: &[Query], worded: bool) -> Vec<usize> {
        let has_word = |query: &Query, row: usize| {
            let words: BTreeSet<&str> = query.text.split(' ').collect();
            self.workload.chunks[row].text.split(' ').any(|word| words.contains(word))
        };
        let count = |query: &Query| {
            let rows = (0..self.shared).filter(|row| self.may_read(query, *row) && (!worded || has_word(query, *row)));
            rows.take(TOP_K).count()
        };
        queries.iter().map(count).collect()
    }

    /// Drops what the asker may not read.
    fn behind(&self, query: &Query, found: impl Iterator<Item = (usize, f32)>) -> Answer {
        let permitted = found.filter(|(row, _)| self.may_read(query, *row));
        permitted.take(TOP_K).map(|(row, score)| (row, vec![Some(score.to_bits())])).collect()
    }

    fn tantivy(&self, queries: &[Query]) -> Vec<Answer> {
        let mut schema = Schema::builder();
        let (text, row) = (schema.add_text_field("text", TEXT), schema.add_u64_field("row", FAST));
        let index = Index::create_in_ram(schema.build());
        let mut writer = index.writer_with_num_threads(1, 200 << 20).expect("memory for an index");
        for (number, chunk) in self.workload.chunks[..self.rows].iter().enumerate() {
            writer.add_document(doc!(text => chunk.text.clone(), row => number as u64)).expect("a document is taken");
        }
        writer.commit().expect("an index in memory can be written");
        let searcher = index.reader().expect("an index can be read").searcher();
        let find = |query: &Query| {
            let best = TopDocs::with_limit(FETCHED).order_by_score();
            let found = searcher.search(&words(text, &query.text), &best).expect("an index can be searched");
            let row = |address: tantivy::DocAddress| {
                let rows = searcher.segment_reader(address.segment_ord).fast_fields().u64("row").expect("a column");
                usize::try_from(rows.first(address.doc_id).expect("a row")).expect("a number of a row")
            };
            self.behind(query, found.into_iter().map(|(score, address)| (row(address), score)))
        };
        queries.iter().map(find).collect()
    }

    fn graph(&self, queries: &[Query]) -> Vec<Answer> {
        let graph = Hnsw::<f32, DistCosine>::new(16, self.rows, 16, 200, DistCosine {});
        for (row, chunk) in self.workload.chunks[..self.rows].iter().enumerate() {
            graph.insert((chunk.vector.values(), row));
        }
        let find = |query: &Query| {
            let found = graph.search(query.vector.values(), FETCHED, 2 * FETCHED);
            self.behind(query, found.into_iter().map(|neighbour| (neighbour.d_id, neighbour.distance)))
        };
        queries.iter().map(find).collect()
    }

    fn engine(&self) -> Engine {
        let engine = workload::engine(Engine::new());
        let put = |row: usize| {
            let chunk = &self.workload.chunks[row];
            let hidden = BTreeSet::from([principal("group:shut")]);
            let allow = if row < self.shared { self.workload.acls[chunk.class].clone() } else { hidden };
            Change::PutDocument(document(row, &chunk.text, Some(chunk.vector.clone()), allow))
        };
        let changes: Vec<Change> = (0..self.rows).map(put).collect();
        for (epoch, changes) in (2..).zip(changes.chunks(BATCH)) {
            engine.apply(&tenant(), epoch, changes.to_vec()).expect("documents can be put");
        }
        engine
    }
}

fn words(field: Field, text: &str) -> BooleanQuery {
    BooleanQuery::new_multiterms_query(text.split_whitespace().map(|word| Term::from_field_text(field, word)).collect())
}

fn ask(engine: &Engine, workload: &Workload, queries: &[Query], mode: Mode) -> Vec<Answer> {
    let find = |query: &Query| {
        let subject = subject(&workload.users[query.user].principals);
        let scope = engine.scope(&subject, &Selection::All, Timestamp(1)).expect("the tenant exists");
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
        let bits = |score: Option<f32>| score.map(f32::to_bits);
        let hits = scope.search(&request).expect("a search finds what there is");
        hits.iter()
            .map(|hit| {
                let row = hit.document.id().as_str()[1..].parse().expect("a document of the workload");
                (row, vec![bits(Some(hit.score)), bits(hit.keyword), bits(hit.vector)])
            })
            .collect()
    };
    queries.iter().map(find).collect()
}
