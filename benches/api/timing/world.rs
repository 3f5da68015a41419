//! The tenants whose answers are timed: alike in everything that the one who asks may read, different in what is hidden.

use ringfence_workload::{Options, Random, Workload};
use serde_json::json;

use crate::{client::Client, report::argument, server::Server};

pub(super) const COLLECTION: &str = "c";
pub(super) const PERSON: &str = "user:alice; group:open";
const DIMENSIONS: usize = 384;
/// What the one who asks may read.
const VISIBLE: usize = 500;
/// Documents and words for the cases inside one tenant.
pub(super) const PROBES: usize = 512;
const BATCH_LINES: usize = 2_000;

/// A tenant with what is hidden in it.
pub(super) struct Tenant {
    pub(super) key: String,
}

/// Everything that the cases ask about.
pub(super) struct World {
    pub(super) empty: Tenant,
    /// Nothing is hidden here either.
    pub(super) twin: Tenant,
    pub(super) neighbours: Tenant,
    pub(super) classes: Tenant,
    pub(super) probes: Tenant,
    /// Words that stand in hidden documents of `probes`, and words that stand nowhere.
    pub(super) hidden_words: Vec<String>,
    pub(super) absent_words: Vec<String>,
    /// Queries near what is visible: text and vector.
    pub(super) queries: Vec<(String, Vec<f32>)>,
}

impl World {
    pub(super) fn new(server: &Server) -> Self {
        let hidden = argument("--hidden", 10_000_usize).max(PROBES);
        let options = Options {
            chunks: VISIBLE + hidden,
            dimensions: DIMENSIONS,
            tenants: 1,
            queries_per_bucket: 64,
            ..Options::default()
        };
        let workload = Workload::new(options);
        let mut random = Random::new(5);
        let word = |random: &mut Random| {
            (0..9).map(|_| char::from(b'a' + u8::try_from(random.below(26)).unwrap_or(0))).collect::<String>()
        };
        let hidden_words: Vec<String> = (0..PROBES).map(|_| word(&mut random)).collect();
        let absent_words: Vec<String> = (0..PROBES).map(|_| word(&mut random)).collect();
        let neighbours = |number: usize| vec![format!("group:shut{}", number % 10)];
        let classes = |number: usize| vec![format!("user:x{number:05}")];
        let queries = workload.queries.iter().map(|query| (query.text.clone(), query.vector.clone())).collect();
        Self {
            empty: tenant(server, "time-a", &workload, None),
            twin: tenant(server, "time-b", &workload, None),
            neighbours: tenant(server, "time-c", &workload, Some(&neighbours)),
            classes: tenant(server, "time-d", &workload, Some(&classes)),
            probes: probes(server, "time-e", &workload, &hidden_words),
            hidden_words,
            absent_words,
            queries,
        }
    }
}

/// Who may read the hidden document of a number.
type Readers<'r> = &'r dyn Fn(usize) -> Vec<String>;

/// A tenant with the visible documents, and the hidden ones if it says who may read them.
fn tenant(server: &Server, name: &str, workload: &Workload, hidden: Option<Readers>) -> Tenant {
    let tenant = open(server, name);
    let row = |row: usize, readers: Vec<String>| {
        line(&format!("d{row:05}"), &workload.chunks[row].text, workload.vector(row), &readers)
    };
    let mut lines: Vec<String> = (0..VISIBLE).map(|number| row(number, vec!["group:open".to_owned()])).collect();
    if let Some(readers) = hidden {
        lines.extend((0..workload.chunks.len() - VISIBLE).map(|number| row(VISIBLE + number, readers(number))));
    }
    fill(server, &tenant, &lines);
    tenant
}

/// A tenant with the visible documents and a hidden one for each word.
fn probes(server: &Server, name: &str, workload: &Workload, words: &[String]) -> Tenant {
    let tenant = open(server, name);
    let visible = |row: usize| {
        line(&format!("d{row:05}"), &workload.chunks[row].text, workload.vector(row), &["group:open".to_owned()])
    };
    let hidden = |(number, word): (usize, &String)| {
        let row = VISIBLE + number;
        let text = format!("{word} {}", workload.chunks[row].text);
        line(&format!("h{number:05}"), &text, workload.vector(row), &["group:shut".to_owned()])
    };
    let lines: Vec<String> = (0..VISIBLE).map(visible).chain(words.iter().enumerate().map(hidden)).collect();
    fill(server, &tenant, &lines);
    tenant
}

fn open(server: &Server, name: &str) -> Tenant {
    let key = server.tenant_key(name, &["ingest", "search", "read", "assert", "collections"]);
    let embedding = json!({"source": "client", "dimensions": DIMENSIONS});
    let path = format!("/v1/collections/{COLLECTION}");
    Client::new(server.address, &key).json("PUT", &path, &json!({ "embedding": embedding }));
    Tenant { key }
}

fn fill(server: &Server, tenant: &Tenant, lines: &[String]) {
    let mut client = Client::new(server.address, &tenant.key);
    lines.chunks(BATCH_LINES).for_each(|lines| client.batch(COLLECTION, &lines.concat()));
}

fn line(id: &str, text: &str, vector: &[f32], readers: &[String]) -> String {
    format!("{}\n", json!({"id": id, "acl": {"allow": readers}, "chunks": [{"text": text, "vector": vector}]}))
}
