//! How good the ranking is, through the API: nDCG@10 on test collections, and per-person rankings under random ACLs.
//!
//! A collection is a folder with `corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` (`_id`, `text`) and `qrels.tsv` (query, document, grade), the form of BEIR. None is part of this project.
//!
//! `cargo xtask bench api quality --data FOLDER [--data2 FOLDER]`

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use ringfence_workload::Random;
use serde_json::{Value, json};

use crate::{
    client::Client,
    report::{argument, say},
    server::Server,
};

const GROUPS: usize = 12;
const PEOPLE: usize = 6;

struct Test {
    documents: Vec<Value>,
    queries: Vec<(String, String)>,
    grades: HashMap<String, BTreeMap<String, f64>>,
}

pub(crate) fn run() {
    let folders = [argument("--data", String::new()), argument("--data2", String::new())];
    let folders: Vec<&Path> = folders.iter().filter(|folder| !folder.is_empty()).map(Path::new).collect();
    if folders.is_empty() {
        say("quality: left out, no test collection was named with `--data FOLDER`");
        return;
    }
    say("| collection | hybrid | keyword | vector |\n| --- | --- | --- | --- |");
    for folder in &folders {
        let test = read(folder);
        let server = Server::start();
        let key = fill(&server, "quality", &test.documents, |_| vec!["everyone".to_owned()]);
        let mut client = Client::new(server.address, &key);
        let scores = ["hybrid", "keyword", "vector"].map(|mode| ndcg(&mut client, &test, mode));
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        say(&format!("| {name} | {:.3} | {:.3} | {:.3} |", scores[0], scores[1], scores[2]));
    }
    for folder in &folders {
        own_worlds(&read(folder), &folder.file_name().unwrap_or_default().to_string_lossy());
    }
}

fn read(folder: &Path) -> Test {
    let lines = |file: &str| -> Vec<Value> {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    };
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let mut grades: HashMap<String, BTreeMap<String, f64>> = HashMap::new();
    for line in fs::read_to_string(folder.join("qrels.tsv")).expect("qrels.tsv").lines().skip(1) {
        let mut fields = line.split('\t');
        if let (Some(query), Some(document), Some(grade)) = (fields.next(), fields.next(), fields.next()) {
            let grade = grade.trim().parse().unwrap_or(0.0);
            grades.entry(query.to_owned()).or_default().insert(document.to_owned(), grade);
        }
    }
    let queries = lines("queries.jsonl").iter().map(|query| (text(query, "_id"), text(query, "text"))).collect();
    Test { documents: lines("corpus.jsonl"), queries, grades }
}

/// Ingests documents that have a text; gives a key that may search for anybody.
fn fill(server: &Server, tenant: &str, documents: &[Value], allow: impl Fn(&Value) -> Vec<String>) -> String {
    let key = server.tenant_key(tenant, &["ingest", "search", "assert", "collections"]);
    let mut client = Client::new(server.address, &key);
    client.json("PUT", "/v1/collections/test", &json!({}));
    let mut body = String::new();
    for document in documents {
        let (title, text) = (document["title"].as_str().unwrap_or(""), document["text"].as_str().unwrap_or(""));
        if title.trim().is_empty() && text.trim().is_empty() {
            continue;
        }
        let text = if text.trim().is_empty() { title } else { text };
        let line = json!({"id": document["_id"], "title": title, "text": text, "acl": {"allow": allow(document)}});
        body.push_str(&line.to_string());
        body.push('\n');
    }
    client.batch("test", &body);
    key
}

fn search(client: &mut Client, person: &str, query: &str, mode: &str, top_k: usize) -> Vec<Value> {
    let body = json!({
        "query": query, "mode": mode, "top_k": top_k, "max_per_document": 1, "format": "none"
    });
    let (status, answer) =
        client.send("POST", "/v1/search", "application/json", Some(person), body.to_string().as_bytes());
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
    answer["results"].as_array_mut().map(std::mem::take).unwrap_or_default()
}

/// The mean over the queries that have graded documents.
#[expect(clippy::cast_precision_loss, reason = "ranks and counts")]
fn ndcg(client: &mut Client, test: &Test, mode: &str) -> f64 {
    let discount = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let mut scores = Vec::new();
    for (id, text) in &test.queries {
        let Some(grades) = test.grades.get(id) else { continue };
        let found = search(client, "user:judge", text, mode, 10);
        let gain = |result: &Value| grades.get(result["document_id"].as_str().unwrap_or("")).copied().unwrap_or(0.0);
        let reached: f64 = found.iter().enumerate().map(|(rank, result)| gain(result) * discount(rank)).sum();
        let mut ideal: Vec<f64> = grades.values().copied().filter(|grade| *grade > 0.0).collect();
        ideal.sort_by(|left, right| right.total_cmp(left));
        let best: f64 = ideal.iter().take(10).enumerate().map(|(rank, grade)| grade * discount(rank)).sum();
        if best > 0.0 {
            scores.push(reached / best);
        }
    }
    scores.iter().sum::<f64>() / scores.len() as f64
}

/// Random ACLs over a collection: each person's ranking must be that of a server which holds only what they may read.
fn own_worlds(test: &Test, name: &str) {
    let groups: HashMap<String, Vec<String>> = {
        let mut random = Random::new(11);
        let pick = |random: &mut Random| {
            (0..1 + random.below(2)).map(|_| format!("group:g{}", random.below(GROUPS))).collect()
        };
        test.documents.iter().map(|document| (document["_id"].to_string(), pick(&mut random))).collect()
    };
    let allow = |document: &Value| groups[&document["_id"].to_string()].clone();
    let server = Server::start();
    let key = fill(&server, "all", &test.documents, allow);
    let mut random = Random::new(12);
    let (mut compared, mut different) = (0, 0);
    for person in 0..PEOPLE {
        let own: Vec<String> = (0..=random.below(5)).map(|_| format!("group:g{}", random.below(GROUPS))).collect();
        let readable: Vec<Value> = test
            .documents
            .iter()
            .filter(|document| allow(document).iter().any(|group| own.contains(group)))
            .cloned()
            .collect();
        let alone = Server::start();
        let alone_key = fill(&alone, "all", &readable, allow);
        let name = format!("user:p{person}; {}", own.join(", "));
        let (mut shared, mut single) = (Client::new(server.address, &key), Client::new(alone.address, &alone_key));
        for (_, query) in &test.queries {
            let [left, right] =
                [&mut shared, &mut single].map(|client| ranking(&search(client, &name, query, "hybrid", 20)));
            compared += 1;
            different += usize::from(left != right);
        }
    }
    say(&format!(
        "\n{name}: {compared} rankings of {PEOPLE} people compared with servers of their own, scores included: {different} different"
    ));
}

/// What orders a list: documents and scores, byte for byte. Chunk names are keyed by server, so they are left out.
fn ranking(results: &[Value]) -> Vec<String> {
    results.iter().map(|result| format!("{} {} {}", result["document_id"], result["score"], result["scores"])).collect()
}
