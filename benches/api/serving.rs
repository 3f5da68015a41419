//! What a person waits for: search over HTTP with authentication and audit on, and durable ingest through the batch route.
//!
//! One tenant, client vectors, a document a chunk, 300 classes, users who may read from a thousandth to most of it.
//! The baseline in the same run is a plain scan: every permitted vector compared in f32 by one thread, without HTTP, words, audit or policy.
//!
//! `cargo xtask bench api serving --chunks 100000 --dimensions 384 --seed 7 --questions 400`

use std::{net::SocketAddr, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    client::Client,
    report::{argument, now, percentile, resident_mib, say},
    server::Server,
    workload::{Question, User, Workload},
};

/// The bounds of the buckets: shares of the tenant's chunks that a user may read.
const BUCKETS: [(f64, f64, &str); 4] =
    [(0.0, 0.005, "≤ 0.5 %"), (0.005, 0.05, "0.5–5 %"), (0.05, 0.2, "5–20 %"), (0.2, 1.0, "> 20 %")];
/// Lines of one batch request.
const BATCH_LINES: usize = 2_000;

pub(crate) fn run() {
    let (chunks, dimensions) = (argument("--chunks", 100_000_usize), argument("--dimensions", 384_usize));
    let questions = argument("--questions", 400_usize);
    let mut workload = Workload::new(argument("--seed", 7_u64), dimensions);
    let server = Server::start();
    let key = server.tenant_key("bench", &["ingest", "search", "assert", "collections"]);
    let embedding = json!({"source": "client", "dimensions": dimensions});
    Client::new(server.address, &key).json("PUT", "/v1/collections/bench", &json!({ "embedding": embedding }));

    let corpus = ingest(&mut workload, &server, &key, chunks);
    let mut sizes = vec![0; workload.classes.len()];
    corpus.iter().for_each(|(class, _)| sizes[*class] += 1);
    let users = workload.users(&sizes);
    say("| may read | users | p50 | p99 | mean | plain f32 scan, p50 | short answers |");
    say("| --- | --- | --- | --- | --- | --- | --- |");
    let mut all = Vec::new();
    for (low, high, label) in BUCKETS {
        let of_bucket: Vec<&User> = users.iter().filter(|user| user.share > low && user.share <= high).collect();
        if of_bucket.is_empty() {
            continue;
        }
        let asked: Vec<Question> =
            (0..questions / BUCKETS.len()).map(|index| workload.question(of_bucket[index % of_bucket.len()])).collect();
        report(label, of_bucket.len(), &asked, &corpus, server.address, &key);
        all.extend(asked);
    }
    throughput(&all, server.address, &key);
    say(&format!(
        "resident memory {} MiB (the corpus of the baseline included), data {} MiB",
        resident_mib(),
        server.disk_mib()
    ));
}

/// Sends everything through the batch route; gives back what the baseline needs.
fn ingest(workload: &mut Workload, server: &Server, key: &str, count: usize) -> Vec<(usize, Vec<f32>)> {
    let mut client = Client::new(server.address, key);
    let mut corpus = Vec::with_capacity(count);
    let mut spent = Duration::ZERO;
    while corpus.len() < count {
        let mut body = String::new();
        for _ in 0..BATCH_LINES.min(count - corpus.len()) {
            let chunk = workload.chunk();
            let allow = &workload.classes[chunk.class];
            let line = json!({
                "id": format!("d{}", corpus.len()), "acl": {"allow": allow},
                "chunks": [{"text": chunk.text, "vector": chunk.vector}]
            });
            body.push_str(&line.to_string());
            body.push('\n');
            corpus.push((chunk.class, chunk.vector));
        }
        let start = now();
        let path = "/v1/collections/bench/documents:batch";
        let (status, answer) = client.send("POST", path, "application/x-ndjson", None, body.as_bytes());
        spent += start.elapsed();
        let answer = String::from_utf8(answer).expect("lines of JSON");
        let bad = answer.lines().find(|line| !line.contains("\"status\":200"));
        assert!(status == 200 && bad.is_none(), "{status} {bad:?}");
    }
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let rate = count as f64 / spent.as_secs_f64();
    say(&format!(
        "ingest: {count} documents of one chunk, durable, one client, batches of {BATCH_LINES}: {rate:.0} chunks/s\n"
    ));
    corpus
}

fn ask(client: &mut Client, question: &Question) -> usize {
    let acting_for = format!("{}; {}", question.user.name, question.user.groups.join(", "));
    let body = json!({"query": question.text, "vector": question.vector, "top_k": 10, "format": "none"}).to_string();
    let (status, answer) = client.send("POST", "/v1/search", "application/json", Some(&acting_for), body.as_bytes());
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    answer["results"].as_array().map_or(0, Vec::len)
}

fn report(label: &str, users: usize, asked: &[Question], corpus: &[(usize, Vec<f32>)], address: SocketAddr, key: &str) {
    let mut client = Client::new(address, key);
    // Once unmeasured: the first question of a user resolves the scope that later ones find again.
    asked.iter().for_each(|question| {
        ask(&mut client, question);
    });
    let (mut times, mut scans, mut short) = (Vec::new(), Vec::new(), 0);
    for question in asked {
        let start = now();
        let found = ask(&mut client, question);
        times.push(start.elapsed());
        let start = now();
        let permitted = scan(question, corpus);
        scans.push(start.elapsed());
        short += usize::from(found < permitted.min(10));
    }
    let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap_or(1);
    let (half, most, plain) = (percentile(&mut times, 0.5), percentile(&mut times, 0.99), percentile(&mut scans, 0.5));
    say(&format!(
        "| {label} | {users} | {half:.2?} | {most:.2?} | {mean:.2?} | {plain:.2?} | {short} of {} |",
        asked.len()
    ));
}

/// The baseline: the ten nearest permitted vectors by comparing all of them. Gives how many there are.
fn scan(question: &Question, corpus: &[(usize, Vec<f32>)]) -> usize {
    let permitted = corpus.iter().filter(|(class, _)| question.user.classes.binary_search(class).is_ok());
    let mut scores: Vec<f32> = permitted.map(|(_, vector)| dot(vector, &question.vector)).collect();
    if scores.len() > 10 {
        scores.select_nth_unstable_by(10, |left, right| right.total_cmp(left));
    }
    std::hint::black_box(&scores).len()
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    for (left, right) in left.as_chunks::<16>().0.iter().zip(right.as_chunks::<16>().0) {
        for lane in 0..16 {
            sums[lane] += left[lane] * right[lane];
        }
    }
    sums.iter().sum()
}

/// Two clients at once, each with every question.
fn throughput(asked: &[Question], address: SocketAddr, key: &str) {
    let start = now();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = Client::new(address, key);
                asked.iter().for_each(|question| {
                    ask(&mut client, question);
                });
            });
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let rate = (asked.len() * 2) as f64 / start.elapsed().as_secs_f64();
    say(&format!("\ntwo clients, all buckets mixed: {rate:.0} searches/s"));
}
