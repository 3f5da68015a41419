//! Ringfence as its users have it: a server in its own process, asked over HTTP with a service key that speaks for the user; every answer is audited.

use std::{thread, time::Duration};

use ringfence_workload::{BUCKETS, Query, TOP_K};
use serde_json::{Value, json};

use super::{
    Task,
    outcome::{Answers, Built, Run, System},
};
use crate::{
    client::Client,
    report::{ms, now, rate, tell},
    server::Server,
};

const COLLECTION: &str = "bench";
/// Lines of one batch request.
const BATCH_LINES: usize = 2_000;
const MODES: [&str; 3] = ["vector", "keyword", "hybrid"];

/// A filled server with a key for each tenant.
pub(super) struct Served {
    server: Server,
    keys: Vec<String>,
}

/// Fills a server and asks it everything.
pub(super) fn measure(task: &Task) -> (Served, System) {
    let server = Server::start();
    let mut built = None;
    let served = {
        let (keys, took) = fill(task, &server);
        built.replace(took);
        Served { server, keys }
    };
    let runs = ask_everything(task, &served);
    let resident_mib = served.server.process().resident_mib();
    // Now, because the log of the database is emptied once writing has paused.
    let built = built.map(|built| Built { resident_mib, disk_mib: served.server.disk_mib(), ..built });
    tell(&format!("  resident at most {} MiB", served.server.process().resident_max_mib()));
    let about = format!(
        "Ringfence {}, over HTTP, authentication and audit on; processor time of the server",
        env!("CARGO_PKG_VERSION")
    );
    let name = "Ringfence".to_owned();
    (served, System { name, about, left_out: None, built, runs, calibration_ms: [0.0; 2] })
}

/// Asks the same server everything once more.
pub(super) fn again(task: &Task, served: &Served) -> System {
    let runs = ask_everything(task, served);
    let about = "the same server, after the others".to_owned();
    System { name: "Ringfence, again".to_owned(), about, left_out: None, built: None, runs, calibration_ms: [0.0; 2] }
}

/// Sends every chunk through the batch route, one client; a line that is answered is durable and searchable.
fn fill(task: &Task, server: &Server) -> (Vec<String>, Built) {
    let workload = &task.workload;
    let (mut spent, start) = (Duration::ZERO, server.process().cpu());
    let mut keys = Vec::new();
    for tenant in &workload.tenants {
        let key = server.tenant_key(&tenant.name, &["ingest", "search", "assert", "collections"]);
        let mut client = Client::new(server.address, &key);
        let embedding = json!({"source": "client", "dimensions": workload.options.dimensions});
        client.json("PUT", &format!("/v1/collections/{COLLECTION}"), &json!({ "embedding": embedding }));
        let rows: Vec<usize> = tenant.rows.clone().collect();
        for rows in rows.chunks(BATCH_LINES) {
            let lines: String = rows.iter().map(|row| line(task, *row)).collect();
            let start = now();
            client.batch(COLLECTION, &lines);
            spent += start.elapsed();
        }
        keys.push(key);
    }
    let built = Built {
        chunks_per_second: rate(workload.chunks.len(), spent),
        chunks_per_cpu_second: rate(workload.chunks.len(), server.process().cpu() - start),
        disk_mib: 0,
        resident_mib: 0,
        earlier: false,
    };
    tell(&format!("  filled: {:.0} chunks a second", built.chunks_per_second));
    (keys, built)
}

fn line(task: &Task, row: usize) -> String {
    let chunk = &task.workload.chunks[row];
    let line = json!({
        "id": format!("d{row}"), "acl": {"allow": task.workload.readers(row)},
        "chunks": [{"text": chunk.text, "vector": task.workload.vector(row)}]
    });
    format!("{line}\n")
}

fn ask_everything(task: &Task, served: &Served) -> Vec<Run> {
    MODES.iter().map(|mode| ask(task, served, mode)).collect()
}

/// Asks all queries in one mode: bucket by bucket with one client, then mixed with two.
fn ask(task: &Task, served: &Served, mode: &str) -> Run {
    let process = served.server.process();
    let mut clients = served.clients();
    let requests: Vec<Vec<u8>> =
        task.workload.queries.iter().map(|query| request(task, query, mode, &clients[query.tenant])).collect();
    let mut buckets = Vec::new();
    for bucket in 0..BUCKETS.len() {
        let numbers = task.of_bucket(bucket);
        let mut judgements = Vec::new();
        // Once unmeasured, and judged: the first query of a user resolves the scope that later ones find again.
        for &number in &numbers {
            let query = &task.workload.queries[number];
            let (status, answer) = clients[query.tenant].exchange(&requests[number]);
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
            judgements.push(task.workload.judge(query, &task.truths[number], &rows(&answer)));
        }
        let (mut times, cpu) = (Vec::new(), process.cpu());
        for _ in 0..task.rounds {
            for &number in &numbers {
                let client = &mut clients[task.workload.queries[number].tenant];
                let start = now();
                let (status, _) = client.exchange(&requests[number]);
                times.push(start.elapsed());
                assert_eq!(status, 200, "an answer while it is measured");
            }
        }
        buckets.push(Answers::new(mode, &judgements, &mut times, process.cpu() - cpu));
    }
    let (two_clients_per_second, two_clients_cpu_ms) = two_clients(task, served, &requests);
    tell(&format!("  {mode}: {two_clients_per_second:.0} a second with two clients"));
    Run { mode: mode.to_owned(), setting: String::new(), buckets, two_clients_per_second, two_clients_cpu_ms }
}

/// Two clients at once, each with every query, in orders of their own.
#[expect(clippy::cast_precision_loss, reason = "counts")]
fn two_clients(task: &Task, served: &Served, requests: &[Vec<u8>]) -> (f64, f64) {
    let process = served.server.process();
    let cpu = process.cpu();
    let start = now();
    thread::scope(|scope| {
        for client in 0..2 {
            scope.spawn(move || {
                let mut clients = served.clients();
                let half = client * requests.len() / 2;
                for turn in 0..requests.len() * task.rounds {
                    let number = (turn + half) % requests.len();
                    let (status, _) = clients[task.workload.queries[number].tenant].exchange(&requests[number]);
                    assert_eq!(status, 200, "an answer while it is measured");
                }
            });
        }
    });
    let count = requests.len() * task.rounds * 2;
    (rate(count, start.elapsed()), ms(process.cpu() - cpu) / count.max(1) as f64)
}

impl Served {
    /// A connection for each tenant: a connection has one credential.
    fn clients(&self) -> Vec<Client> {
        self.keys.iter().map(|key| Client::new(self.server.address, key)).collect()
    }
}

fn request(task: &Task, query: &Query, mode: &str, client: &Client) -> Vec<u8> {
    let principals = &task.workload.user(query).principals;
    let (user, groups) = principals.split_first().expect("a user has a name");
    let acting_for = format!("{user}; {}", groups.join(", "));
    let vector = (mode != "keyword").then_some(&query.vector);
    let body = json!({
        "query": query.text, "vector": vector, "mode": mode, "top_k": TOP_K, "format": "none",
        "collections": [COLLECTION]
    });
    client.request("POST", "/v1/search", "application/json", Some(&acting_for), body.to_string().as_bytes())
}

/// The rows that an answer names; a document is a row.
fn rows(answer: &[u8]) -> Vec<usize> {
    let answer: Value = serde_json::from_slice(answer).expect("JSON");
    let row = |result: &Value| {
        let id = result["document_id"].as_str().and_then(|id| id.strip_prefix('d'));
        id.and_then(|row| row.parse().ok()).expect("a document of the workload")
    };
    answer["results"].as_array().into_iter().flatten().map(row).collect()
}
