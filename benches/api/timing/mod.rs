//! Whether the time of an answer tells what is hidden: requests of two kinds in turn over loopback, and how far their times differ.
//!
//! Every case has a first side, where nothing is hidden or known, and a second. Both are sent over one connection, in random order within each pair, each time another document, word or key. Two controls are measured with them: the same request on both sides, which must not differ, and the same with 5 µs of spinning on the second side, which must be found.
//!
//! `cargo xtask bench api timing [--samples 20000] [--hidden 10000] [--out FOLDER]`; the samples are for each side, and so many neighbours or classes are hidden.

mod statistics;
mod world;

use std::{fs, time::Duration};

use ringfence_workload::Random;
use serde_json::json;

use self::{
    statistics::{Difference, compare},
    world::{COLLECTION, PERSON, PROBES, Tenant, World},
};
use crate::{
    client::Client,
    report::{argument, now, out, say, tell},
    server::Server,
};

/// A difference of this size matters.
const MATTERS_MICROS: f64 = 5.0;
/// A difference is one from here on, in standard errors.
const T_MIN: f64 = 4.5;
/// What the second control spins.
const PLANTED: Duration = Duration::from_micros(5);
/// What is sent before measuring, as a part of what is measured.
const WARM_UP: usize = 20;

/// Two kinds of requests that should take the same time.
struct Case {
    name: &'static str,
    first: Side,
    second: Side,
    expected: Expected,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Nothing,
    Planted,
}

struct Side {
    requests: Vec<Vec<u8>>,
    status: u16,
    spins: Duration,
}

impl Side {
    fn new(status: u16, requests: Vec<Vec<u8>>) -> Self {
        Self { requests, status, spins: Duration::ZERO }
    }
}

pub(crate) fn run() {
    let samples = argument("--samples", 20_000_usize);
    let server = Server::start();
    tell("filling five tenants");
    let world = World::new(&server);
    let mut report = format!(
        "{samples} samples a side, over loopback, in turn; the slowest fifth of each side cut off; Welch's t of the trimmed means (Yuen). A difference counts from |t| ≥ {T_MIN}, and matters from {MATTERS_MICROS} µs.\n\n| first, second | first, median | second takes longer by | \\|t\\| | |\n| --- | --- | --- | --- | --- |\n"
    );
    let mut failed = Vec::new();
    for case in cases(&server, &world) {
        tell(case.name);
        let difference = measure(&server, &world.empty, &case, samples);
        let (verdict, is_as_expected) = judge(case.expected, difference);
        report.push_str(&format!(
            "| {} | {:.0} µs | {:+.2} µs | {:.1} | {verdict} |\n",
            case.name,
            difference.median_micros,
            difference.micros,
            difference.t.abs()
        ));
        if !is_as_expected {
            failed.push(case.name);
        }
    }
    say(&report);
    fs::write(out().join("timing.md"), &report).expect("the table is written");
    assert!(failed.is_empty(), "not as it should be: {}", failed.join("; "));
}

fn judge(expected: Expected, difference: Difference) -> (&'static str, bool) {
    let is_one = difference.t.abs() >= T_MIN;
    match expected {
        // What is planted has a known size, within what the spinning itself costs.
        Expected::Planted if is_one && (3.0..8.0).contains(&difference.micros) => ("found", true),
        Expected::Planted if is_one => ("**found, but not of its size**", false),
        Expected::Planted => ("**not found: the other lines say nothing**", false),
        Expected::Nothing if !is_one => ("none", true),
        Expected::Nothing if difference.micros.abs() < MATTERS_MICROS => ("below what matters", true),
        Expected::Nothing => ("**differs**", false),
    }
}

fn measure(server: &Server, tenant: &Tenant, case: &Case, samples: usize) -> Difference {
    let mut client = Client::new(server.address, &tenant.key);
    let sides = [&case.first, &case.second];
    let mut random = Random::new(9);
    let mut times = [Vec::with_capacity(samples), Vec::with_capacity(samples)];
    let unmeasured = samples / WARM_UP;
    for turn in 0..unmeasured + samples {
        let first = random.below(2);
        for side in [first, 1 - first] {
            let time = once(&mut client, sides[side], turn);
            if turn >= unmeasured {
                times[side].push(time);
            }
        }
    }
    compare(&times[0], &times[1])
}

fn once(client: &mut Client, side: &Side, turn: usize) -> Duration {
    let request = &side.requests[turn % side.requests.len()];
    let start = now();
    while start.elapsed() < side.spins {
        std::hint::spin_loop();
    }
    let (status, answer) = client.exchange(request);
    let took = start.elapsed();
    assert_eq!(status, side.status, "{}", String::from_utf8_lossy(&answer));
    took
}

fn cases(server: &Server, world: &World) -> Vec<Case> {
    let plain = |name, first, second| Case { name, first, second, expected: Expected::Nothing };
    let asked = |tenant: &Tenant| Side::new(200, searches(server, tenant, world));
    let planted = Side { spins: PLANTED, ..asked(&world.empty) };
    vec![
        plain("control: the same search, twice", asked(&world.empty), asked(&world.empty)),
        Case {
            name: "control: the same search, 5 µs of spinning",
            first: asked(&world.empty),
            second: planted,
            expected: Expected::Planted,
        },
        plain("control: two tenants alike", asked(&world.empty), asked(&world.twin)),
        plain("none, many hidden neighbours", asked(&world.empty), asked(&world.neighbours)),
        plain("none, many hidden classes", asked(&world.empty), asked(&world.classes)),
        plain(
            "document: missing id, forbidden id",
            Side::new(404, documents(server, &world.probes, 'm')),
            Side::new(404, documents(server, &world.probes, 'h')),
        ),
        plain(
            "word: in no document, in hidden documents only",
            Side::new(200, words(server, &world.probes, &world.absent_words)),
            Side::new(200, words(server, &world.probes, &world.hidden_words)),
        ),
        plain(
            "key: unknown id, known id",
            Side::new(401, keys(server, &mut Random::new(1), |random| (hex(random, 20), hex(random, 64)))),
            Side::new(401, keys(server, &mut Random::new(2), |random| (parts(&world.empty).0, hex(random, 64)))),
        ),
        plain(
            "key: wrong secret, secret wrong in its last half byte",
            Side::new(401, keys(server, &mut Random::new(3), |random| (parts(&world.empty).0, hex(random, 64)))),
            Side::new(401, keys(server, &mut Random::new(4), |_| nearly(&world.empty))),
        ),
    ]
}

fn searches(server: &Server, tenant: &Tenant, world: &World) -> Vec<Vec<u8>> {
    let body = |(text, vector): &(String, Vec<f32>)| {
        json!({"query": text, "vector": vector, "mode": "hybrid", "top_k": 10, "format": "none"}).to_string()
    };
    let bodies = world.queries.iter().map(body);
    bodies.map(|body| request(server, &tenant.key, "POST", "/v1/search", &body)).collect()
}

fn documents(server: &Server, tenant: &Tenant, kind: char) -> Vec<Vec<u8>> {
    let path = |number: usize| format!("/v1/collections/{COLLECTION}/documents/{kind}{number:05}");
    (0..PROBES).map(|number| request(server, &tenant.key, "GET", &path(number), "")).collect()
}

fn words(server: &Server, tenant: &Tenant, words: &[String]) -> Vec<Vec<u8>> {
    let body = |word: &String| {
        json!({"query": format!("w00000 {word}"), "mode": "keyword", "top_k": 10, "format": "none"}).to_string()
    };
    words.iter().map(|word| request(server, &tenant.key, "POST", "/v1/search", &body(word))).collect()
}

/// Requests with keys made of an id and a secret, and a checksum that fits.
fn keys(server: &Server, random: &mut Random, part: impl Fn(&mut Random) -> (String, String)) -> Vec<Vec<u8>> {
    let key = |random: &mut Random| {
        let (id, secret) = part(random);
        let body = format!("rf_{id}_{secret}");
        format!("{body}_{}", &blake3::hash(body.as_bytes()).to_hex()[..8])
    };
    (0..PROBES).map(|_| request(server, &key(random), "GET", "/v1/collections", "")).collect()
}

fn hex(random: &mut Random, digits: usize) -> String {
    (0..digits).map(|_| char::from(b"0123456789abcdef"[random.below(16)])).collect()
}

/// The id and the secret of a tenant's key.
fn parts(tenant: &Tenant) -> (String, String) {
    let mut parts = tenant.key.split('_').skip(1).map(str::to_owned);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn nearly(tenant: &Tenant) -> (String, String) {
    let (id, mut secret) = parts(tenant);
    let last = secret.pop().unwrap_or('0');
    secret.push(if last == '0' { '1' } else { '0' });
    (id, secret)
}

fn request(server: &Server, key: &str, method: &str, path: &str, body: &str) -> Vec<u8> {
    Client::bytes(server.address, key, [method, path, "application/json"], Some(PERSON), body.as_bytes())
}
