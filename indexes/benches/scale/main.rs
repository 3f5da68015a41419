//! How cost and memory grow: one process a question, which prints lines of a table.
//!
//! `cargo bench -p ringfence-indexes --bench scale -- NAME …`: `memory CHUNKS`, `singles CHUNKS`, `tenants COUNT`, `groups COUNT`, `wide CHUNKS`, `writes CHUNKS`, `graph ROWS`; `curves FOLDER LARGEST` asks several at several sizes and draws what they take.

mod curve;
#[expect(dead_code, reason = "another benchmark uses the rest")]
#[path = "../workload/mod.rs"]
mod workload;

use std::{
    collections::BTreeSet,
    fs,
    hint::black_box,
    io::Write as _,
    time::{Duration, Instant},
};

use ringfence_indexes::{
    Acl, Change, DocumentId, Engine, EngineOptions, Filter, Mode, Principal, Scope, SearchRequest, Selection, Spill,
    Subject, TenantId, Timestamp, Vector,
};
use ringfence_workload::Random;
use workload::{DIMENSIONS, Workload, collection, document, principal, subject, tenant};

const NOW: Timestamp = Timestamp(1);
const BATCH: usize = 500;
const MODES: [(&str, Mode); 3] = [("vector", Mode::Vector), ("keyword", Mode::Keyword), ("hybrid", Mode::Hybrid)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let number =
        |at: usize, otherwise: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    match arguments.first().map(String::as_str) {
        Some("memory") => memory(number(1, 200_000)),
        Some("singles") => singles(number(1, 80_000)),
        Some("tenants") => tenants(number(1, 10_000)),
        Some("groups") => groups(number(1, 10_000)),
        Some("wide") => wide(number(1, 1_000_000)),
        Some("writes") => writes(number(1, 200_000)),
        Some("graph") => graph(number(1, 100_000)),
        Some("curves") => {
            let folder = arguments.get(1).map_or("target/bench", String::as_str);
            curve::all(std::path::Path::new(folder), number(2, 100_000));
        }
        _ => say("say which: memory, singles, tenants, groups, wide, writes, graph or curves"),
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn now() -> Instant {
    Instant::now()
}

fn say(line: &str) {
    // Standard output may be gone; then nobody reads.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What is resident, in MiB.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

/// The processor time of this process so far.
fn processor() -> Duration {
    let stat = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    // Of the thread that asks, in nanoseconds; the others have nothing to do meanwhile.
    Duration::from_nanos(stat.split(' ').next().and_then(|spent| spent.parse().ok()).unwrap_or_default())
}

/// The kernel adds up at its ticks, some milliseconds apart: work is repeated until it took so long.
const MEASURED_MIN: Duration = Duration::from_millis(100);

/// Milliseconds of processor time that a piece of work takes, on average; `count` pieces at least.
fn cpu_ms(count: usize, mut work: impl FnMut(usize)) -> f64 {
    let (start, mut done) = (processor(), 0_u32);
    loop {
        (0..count).for_each(&mut work);
        done += u32::try_from(count).expect("a count");
        let spent = processor() - start;
        if spent >= MEASURED_MIN {
            return spent.as_secs_f64() * 1e3 / f64::from(done);
        }
    }
}

fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place")]
    let place = ((times.len() - 1) as f64 * share) as usize;
    times[place]
}

fn timed<T>(count: usize, mut work: impl FnMut(usize) -> T) -> (Duration, Duration) {
    let mut times: Vec<Duration> = (0..count)
        .map(|index| {
            let start = now();
            black_box(work(index));
            start.elapsed()
        })
        .collect();
    (percentile(&mut times, 0.5), percentile(&mut times, 0.99))
}

fn ask(scope: &Scope, text: &str, vector: &Vector, mode: Mode) -> usize {
    let request = SearchRequest {
        query: text,
        builtin_vector: None,
        client_vector: Some(vector),
        mode,
        filter: &Filter::default(),
        top_k: 10,
        max_per_document: None,
        collapse_duplicates: false,
        min_score: None,
        diversity: None,
        prefix: false,
    };
    scope.search(&request).expect("a search finds what there is").len()
}

fn scope(engine: &Engine, reader: &Subject) -> Scope {
    engine.scope(reader, &Selection::All, NOW).expect("the tenant exists")
}

fn random_vector(random: &mut Random) -> Vector {
    let values = (0..DIMENSIONS).map(|_| random.unit() + random.unit() + random.unit() - 1.5);
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what vectors hold")]
    Vector::new(values.map(|value| value as f32).collect()).expect("a random vector has a direction")
}

/// About fifty words of a Zipfian vocabulary.
fn random_text(random: &mut Random) -> String {
    let word = |random: &mut Random| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
        let rank = (30_000_f64.powf(random.unit()) - 1.0) as usize;
        format!("w{rank:05} ")
    };
    (0..30 + random.below(43)).map(|_| word(random)).collect()
}

fn put(index: usize, random: &mut Random, allow: BTreeSet<Principal>) -> Change {
    let text = random_text(random);
    Change::PutDocument(document(index, &text, Some(random_vector(random)), allow))
}

/// Writes documents, made batch by batch, so that what is resident is the engine's.
fn fill(engine: &Engine, tenant: &TenantId, count: usize, allow: impl Fn(usize) -> BTreeSet<Principal>) -> Duration {
    let mut random = Random::new(7);
    let mut spent = Duration::ZERO;
    for start in (0..count).step_by(BATCH) {
        let changes: Vec<Change> =
            (start..count.min(start + BATCH)).map(|index| put(index, &mut random, allow(index))).collect();
        let begun = now();
        engine.apply(tenant, 2 + start as u64, changes).expect("documents can be put");
        spent += begun.elapsed();
    }
    spent
}

fn class_of(index: usize) -> usize {
    // Sizes fall by rank, as those of real groups do.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a small number"
    )]
    let class = (300_f64.powf(((index.wrapping_mul(2_654_435_761)) % 1_000_003) as f64 / 1_000_003.0) - 1.0) as usize;
    class
}

fn of_class(index: usize) -> BTreeSet<Principal> {
    [principal("group:all"), principal(&format!("group:c{}", class_of(index)))].into()
}

fn searches((question, size): (&str, usize), label: &str, scope: &Scope, count: usize) {
    let mut random = Random::new(11);
    let asked: Vec<(String, Vector)> = (0..count)
        .map(|_| ((0..4).map(|_| random_text(&mut random)[..7].to_owned()).collect(), random_vector(&mut random)))
        .collect();
    for (name, mode) in MODES {
        asked.iter().take(8).for_each(|(text, vector)| {
            black_box(ask(scope, text, vector, mode));
        });
        let search = |index: usize| ask(scope, &asked[index].0, &asked[index].1, mode);
        let (half, most) = timed(count, search);
        let spent = cpu_ms(count, |index| assert!(search(index) <= 10));
        say(&format!("{label} | {name} | p50 {half:.2?} | p99 {most:.2?} | CPU {spent:.3} ms"));
        curve::point(question, &format!("{label}{name}"), size, spent);
    }
}

/// As the server has it by default: passages and exact vectors in a file.
fn on_disk() -> Engine {
    let spill = Spill::create(&std::env::temp_dir()).expect("the folder for temporary files can be written");
    Engine::with_spill(EngineOptions::default(), Some(spill))
}

/// What an engine takes of memory for each chunk.
fn memory(chunks: usize) {
    let before = resident();
    let engine = workload::engine(on_disk());
    let spent = fill(&engine, &tenant(), chunks, of_class);
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let each = (resident() - before) * 1024.0 * 1024.0 / chunks as f64;
    say(&format!(
        "{chunks} chunks, 300 classes: resident {:.0} MiB, {each:.0} bytes a chunk, written in {spent:.2?}",
        resident()
    ));
    searches(("memory", chunks), "all ", &scope(&engine, &subject(&[principal("group:all")].into())), 50);
}

/// A class for each document: read whole, by half, and by a hundredth.
fn singles(chunks: usize) {
    let before = resident();
    let engine = workload::engine(Engine::new());
    let allow = |index: usize| {
        let mut names = vec![principal("group:all"), principal(&format!("user:x{index}"))];
        names.extend(index.is_multiple_of(2).then(|| principal("group:half")));
        names.extend(index.is_multiple_of(100).then(|| principal("group:few")));
        names.into_iter().collect()
    };
    let spent = fill(&engine, &tenant(), chunks, allow);
    say(&format!("{chunks} classes of one chunk: resident {:.0} MiB, written in {spent:.2?}", resident() - before));
    for name in ["group:few", "group:half", "group:all"] {
        let reader = subject(&[principal(name)].into());
        let start = now();
        let first = scope(&engine, &reader);
        let resolved = start.elapsed();
        let mut random = Random::new(3);
        black_box(ask(&first, "w00001", &random_vector(&mut random), Mode::Hybrid));
        say(&format!("{name}: resolved in {resolved:.2?}, first search after {:.2?}", start.elapsed()));
        searches(("singles", chunks), &format!("{name} "), &first, 30);
        let mut again = |index: usize| {
            engine
                .apply(&tenant(), 1 << 40, vec![put(index * 2 + 1, &mut random, allow(index * 2 + 1))])
                .expect("a document can be put");
            let start = now();
            let newest = scope(&engine, &reader);
            black_box(ask(&newest, "w00001", &random_vector(&mut random), Mode::Keyword));
            start.elapsed()
        };
        let mut after: Vec<Duration> = Vec::new();
        let spent = cpu_ms(20, |index| after.push(again(index)));
        curve::point("singles", &format!("{name} write and first search"), chunks, spent);
        say(&format!(
            "{name} | keyword, first after a write of another document | p50 {:.2?}",
            percentile(&mut after, 0.5)
        ));
    }
}

/// Many small tenants.
fn tenants(count: usize) {
    let before = resident();
    let engine = Engine::new();
    let mut random = Random::new(7);
    let start = now();
    let name = |index: usize| TenantId::new(&format!("t{index}")).expect("a well-formed name");
    for index in 0..count {
        workload::engine_for(&engine, &name(index));
        let changes = (0..20).map(|index| put(index, &mut random, of_class(index))).collect();
        engine.apply(&name(index), 2, changes).expect("documents can be put");
    }
    say(&format!(
        "{count} tenants of 20 chunks: resident {:.0} MiB more, made in {:.2?}",
        resident() - before,
        start.elapsed()
    ));
    let query = random_vector(&mut random);
    let search = |index: usize| {
        let reader = workload::subject_of(&name(index * 7 % count), &[principal("group:all")].into());
        ask(&scope(&engine, &reader), "w00001 w00020", &query, Mode::Hybrid)
    };
    let (half, most) = timed(2_000, search);
    curve::point("tenants", "hybrid", count, cpu_ms(2_000, |index| assert!(search(index) <= 10)));
    say(&format!("a search of one of them | hybrid | p50 {half:.2?} | p99 {most:.2?}"));
}

/// A caller of many groups, in a tenant where each names few classes.
fn groups(count: usize) {
    let engine = workload::engine(Engine::new());
    let group = |index: usize| principal(&format!("group:g{index:05}"));
    fill(&engine, &tenant(), 20_000, |index| [group(index % 20_000), group((index * 7) % 20_000)].into());
    for share in [count / 100, count / 10, count] {
        let reader = subject(&(0..share).map(group).collect());
        let start = now();
        let first = scope(&engine, &reader);
        let cold = start.elapsed();
        let (warm, _) = timed(200, |_| scope(&engine, &reader));
        let (search, _) =
            timed(50, |_| ask(&first, "w00001 w00050", &random_vector(&mut Random::new(5)), Mode::Hybrid));
        let mut random = Random::new(9);
        let (write, _) =
            timed(20, |index| engine.apply(&tenant(), 1 << 40, vec![put(index, &mut random, [group(30_000)].into())]));
        if share == count {
            let user = |index: usize| principal(&format!("user:u{index}"));
            let readers: Vec<Subject> =
                (0..20).map(|index| subject(&(0..share).map(group).chain([user(index)]).collect())).collect();
            curve::point(
                "groups",
                "new scope",
                count,
                cpu_ms(20, |index| drop(black_box(scope(&engine, &readers[index])))),
            );
            curve::point("groups", "known scope", count, cpu_ms(200, |_| drop(black_box(scope(&engine, &readers[0])))));
            searches(("groups", count), "", &first, 30);
        }
        say(&format!(
            "{share} groups: scope {cold:.2?} cold, {warm:.2?} warm; hybrid {search:.2?}; a write of a new class meanwhile {write:.2?}"
        ));
    }
}

/// A caller who reads everything.
fn wide(chunks: usize) {
    let engine = workload::engine(on_disk());
    let mut done = 0;
    for share in [chunks / 10, chunks / 3, chunks] {
        let spent = fill_from(&engine, done, share);
        done = share;
        say(&format!("{share} chunks: resident {:.0} MiB, the last {:.2?} of writing", resident(), spent));
        let all = scope(&engine, &subject(&[principal("group:all")].into()));
        if share == chunks {
            searches(("wide", chunks), "", &all, 20);
        }
    }
}

fn fill_from(engine: &Engine, from: usize, to: usize) -> Duration {
    let mut random = Random::new(from as u64);
    let start = now();
    for begin in (from..to).step_by(BATCH) {
        let changes = (begin..to.min(begin + BATCH)).map(|index| put(index, &mut random, of_class(index))).collect();
        engine.apply(&tenant(), 2, changes).expect("documents can be put");
    }
    start.elapsed()
}

/// Small writes beside much.
fn writes(chunks: usize) {
    for (label, classes) in [("300 classes", 300), ("10,000 classes", 10_000)] {
        let engine = workload::engine(Engine::new());
        let allow = |index: usize| -> BTreeSet<Principal> {
            let class = if classes == 300 { class_of(index) } else { index % classes };
            [principal("group:all"), principal(&format!("group:c{class}"))].into()
        };
        fill(&engine, &tenant(), chunks, allow);
        let mut random = Random::new(13);
        let documents: Vec<Change> = (0..200).map(|index| put(index * 7, &mut random, allow(index * 7))).collect();
        let one = |change: Change| engine.apply(&tenant(), 1 << 40, vec![change]).expect("a change can be made");
        let (half, most) = timed(200, |index| one(documents[index].clone()));
        say(&format!("{chunks} chunks, {label} | a document | p50 {half:.2?} | p99 {most:.2?}"));
        let acl = |index: usize| Change::SetAcl {
            collection: collection(),
            document: DocumentId::new(&format!("d{:07}", index * 11)).expect("a well-formed name"),
            acl: Acl { allow: allow(index * 11 + 1), ..Acl::default() },
            version: 2,
        };
        let (half, most) = timed(200, |index| one(acl(index)));
        say(&format!("{chunks} chunks, {label} | an ACL | p50 {half:.2?} | p99 {most:.2?}"));
        let group = |index: usize| Change::PutGroup {
            group: principal(&format!("group:c{}", index % 300)),
            members: [principal(&format!("user:u{index}"))].into(),
        };
        let (half, most) = timed(200, |index| one(group(index)));
        say(&format!("{chunks} chunks, {label} | a group | p50 {half:.2?} | p99 {most:.2?}"));
    }
}

/// One large class: scan against graph.
fn graph(rows: usize) {
    let mut workload = Workload::new(rows, 7);
    let queries: Vec<_> = workload.queries(100, 0.0, 1.0).into_iter().map(|query| query.vector).collect();
    let everybody: BTreeSet<Principal> = [principal("group:all")].into();
    let found = |engine: &Engine| -> (Vec<BTreeSet<String>>, Duration) {
        let scope = scope(engine, &subject(&everybody));
        let mut all = Vec::new();
        let (half, _) = timed(queries.len(), |index| all.push(nearest(&scope, &queries[index])));
        (all, half)
    };
    let filled = |options: EngineOptions| {
        let engine = workload::engine(Engine::with_options(options));
        for (start, chunks) in (0..).step_by(BATCH).zip(workload.chunks.chunks(BATCH)) {
            let put = |(index, chunk): (usize, &workload::Chunk)| {
                Change::PutDocument(document(start + index, &chunk.text, Some(chunk.vector.clone()), everybody.clone()))
            };
            engine.apply(&tenant(), 2, chunks.iter().enumerate().map(put).collect()).expect("documents can be put");
        }
        let start = now();
        engine.settle_graphs();
        (engine, start.elapsed())
    };
    let (exact, scan) = found(&filled(EngineOptions::default()).0);
    let (engine, built) = filled(EngineOptions { graph_rows_min: Some(rows / 2), ..EngineOptions::default() });
    let (near, walk) = found(&engine);
    let hits: usize = exact.iter().zip(&near).map(|(exact, near)| exact.intersection(near).count()).sum();
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let recall = hits as f64 / (10 * exact.len()) as f64;
    say(&format!(
        "{rows} rows of one class: scan p50 {scan:.2?}; graph p50 {walk:.2?}, recall@10 {recall:.4}, building took {built:.2?} more; resident {:.0} MiB",
        resident()
    ));
}

fn nearest(scope: &Scope, query: &Vector) -> BTreeSet<String> {
    let request = SearchRequest {
        query: "",
        builtin_vector: None,
        client_vector: Some(query),
        mode: Mode::Vector,
        filter: &Filter::default(),
        top_k: 10,
        max_per_document: None,
        collapse_duplicates: false,
        min_score: None,
        diversity: None,
        prefix: false,
    };
    let hits = scope.search(&request).expect("a search finds what there is");
    hits.iter().map(|hit| hit.document.id().to_string()).collect()
}
