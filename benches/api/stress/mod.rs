//! What happens when too much is asked: five times what the server can do, one tenant that asks twenty times as much as another, and two thousand clients that send half a request.
//!
//! The server has one processor to itself and the clients the other (`taskset`), so that late clients do not pass for a slow server.
//!
//! `cargo xtask bench api stress [--chunks 20000] [--seconds 10] [--out FOLDER]`

mod load;
mod slow;

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use ringfence_workload::{Options, Workload};
use serde_json::json;

use self::load::{Load, closed, open_loop};
use crate::{
    client::Client,
    report::{argument, ms, out, percentile, rate, say, tell},
    server::Server,
};

/// Clients that find out what the server can do.
const CAPACITY_CLIENTS: usize = 4;
/// How many times that is asked.
const OVERLOAD: f64 = 5.0;
/// Connections of those who ask too much: enough for their requests to come when they should.
const OVERLOAD_CONNECTIONS: usize = 200;
/// What the quiet tenant asks a second, and how many times that the loud one asks.
const QUIET_PER_SECOND: f64 = 50.0;
const LOUD: f64 = 20.0;

/// A tenant with its requests.
pub(crate) struct Asker {
    requests: Vec<Vec<u8>>,
}

pub(crate) fn run() {
    let seconds = Duration::from_secs(argument("--seconds", 10));
    let workload = Workload::new(Options {
        chunks: argument("--chunks", 20_000),
        tenants: 1,
        queries_per_bucket: 100,
        ..Options::default()
    });
    let server = Server::start_with_own_limits();
    apart(&server);
    tell("filling two tenants");
    let loud = asker(&server, "loud", &workload);
    let quiet = asker(&server, "quiet", &workload);
    let mut report = format!(
        "{} chunks a tenant, hybrid search, the server on one processor and the clients on another, {} s a line.\n\n",
        workload.chunks.len(),
        seconds.as_secs()
    );
    report.push_str(&overload(&server, &loud, seconds));
    report.push_str(&neighbours(server.address, &loud, &quiet, seconds));
    report.push_str(&slow::clients(server.address, &quiet, seconds));
    say(&report);
    fs::write(out().join("stress.md"), &report).expect("the report is written");
}

/// The server on the first processor, everything here on the others.
fn apart(server: &Server) {
    let others = std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).max(1);
    for (process, processors) in [(server.process().id(), "0".to_owned()), (std::process::id(), format!("1-{others}"))]
    {
        let set = Command::new("taskset").args(["-a", "-c", "-p", &processors, &process.to_string()]).output();
        if !set.is_ok_and(|output| output.status.success()) {
            tell("the processors could not be divided: late clients may pass for a slow server");
        }
    }
}

fn asker(server: &Server, name: &str, workload: &Workload) -> Asker {
    let key = server.tenant_key(name, &["ingest", "search", "assert", "collections"]);
    let mut client = Client::new(server.address, &key);
    let embedding = json!({"source": "client", "dimensions": workload.options.dimensions});
    client.json("PUT", "/v1/collections/c", &json!({ "embedding": embedding }));
    let line = |row: &usize| {
        let line = json!({
            "id": format!("d{row}"), "acl": {"allow": workload.readers(*row)},
            "chunks": [{"text": workload.chunks[*row].text, "vector": workload.vector(*row)}]
        });
        format!("{line}\n")
    };
    let rows: Vec<usize> = (0..workload.chunks.len()).collect();
    rows.chunks(1_000).for_each(|rows| client.batch("c", &rows.iter().map(line).collect::<String>()));
    let requests = workload.queries.iter().map(|query| {
        let (user, groups) = workload.user(query).principals.split_first().expect("a user has a name");
        let body = json!({"query": query.text, "vector": query.vector, "top_k": 10, "format": "none"}).to_string();
        let acting_for = format!("{user}; {}", groups.join(", "));
        client.request("POST", "/v1/search", "application/json", Some(&acting_for), body.as_bytes())
    });
    Asker { requests: requests.collect() }
}

fn overload(server: &Server, asker: &Asker, seconds: Duration) -> String {
    tell("what it can do");
    let capacity = closed(server.address, asker, CAPACITY_CLIENTS, seconds);
    let can = rate(capacity.answered.len(), capacity.took);
    let before = server.process().resident_mib();
    tell("five times that");
    let mut load = open_loop(server.address, asker, can * OVERLOAD, OVERLOAD_CONNECTIONS, seconds);
    let good = rate(load.answered.len(), load.took);
    let offered = good + rate(load.refused.len() + load.other, load.took);
    let after = server.process().resident_max_mib();
    format!(
        "### Five times what it can do\n\n| | |\n| --- | --- |\n| answers a second, {CAPACITY_CLIENTS} clients that wait | {can:.0} |\n| asked a second | {offered:.0} |\n| answered a second | {good:.0} ({:.0} %) |\n| answered: p50, p99 | {:.1} ms, {:.1} ms |\n| refused with 429 or 503 | {} |\n| refused: p50, p99 | {:.1} ms, {:.1} ms |\n| anything else | {} |\n| resident memory before, at most | {before} MiB, {after} MiB |\n\n",
        good / can.max(1e-9) * 100.0,
        ms(percentile(&mut load.answered, 0.5)),
        ms(percentile(&mut load.answered, 0.99)),
        load.refused.len(),
        ms(percentile(&mut load.refused, 0.5)),
        ms(percentile(&mut load.refused, 0.99)),
        load.other
    )
}

fn neighbours(address: SocketAddr, loud: &Asker, quiet: &Asker, seconds: Duration) -> String {
    tell("a quiet tenant alone");
    let alone = open_loop(address, quiet, QUIET_PER_SECOND, 8, seconds);
    tell("a quiet tenant beside a loud one");
    let (beside, noise) = std::thread::scope(|scope| {
        let noise =
            scope.spawn(|| open_loop(address, loud, QUIET_PER_SECOND * LOUD, OVERLOAD_CONNECTIONS / 2, seconds));
        let beside = open_loop(address, quiet, QUIET_PER_SECOND, 8, seconds);
        (beside, noise.join().expect("asking does not panic"))
    });
    let row = |name: &str, mut load: Load| {
        let (half, most) = (ms(percentile(&mut load.answered, 0.5)), ms(percentile(&mut load.answered, 0.99)));
        format!("| {name} | {} | {} | {half:.1} ms | {most:.1} ms |\n", load.answered.len(), load.refused.len())
    };
    format!(
        "### A tenant that asks {LOUD:.0} times as much as its neighbour\n\n| | answered | refused | p50 | p99 |\n| --- | --- | --- | --- | --- |\n{}{}{}\n",
        row("quiet, alone", alone),
        row("quiet, beside the loud one", beside),
        row("loud", noise)
    )
}
