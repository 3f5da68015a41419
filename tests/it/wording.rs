//! Words over HTTP: analyzers of collections, phrases, beginnings, bounds and spread of an answer, and vectors of every length.

use proptest::{
    prelude::{any, prop, prop_oneof},
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::harness::{Caller, Server, Tenant, assert_points_at, assert_refused};

fn tenant(server: &Server) -> (Tenant, Caller) {
    let tenant = server.tenant("acme");
    let user = tenant.user("ann", &[]);
    (tenant, user)
}

fn found(caller: &Caller, form: &Value) -> Vec<String> {
    let answer = caller.search(form);
    let hits = answer["results"].as_array().unwrap().iter();
    let mut ids: Vec<String> = hits.map(|hit| hit["document_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn keyword(query: &str) -> Value {
    json!({"query": query, "mode": "keyword", "top_k": 50})
}

#[test]
fn a_collection_chooses_its_analyzer_and_may_change_it() {
    let mut server = Server::start();
    let (tenant, user) = tenant(&server);
    for (name, settings) in
        [("handbook", json!({})), ("codes", json!({"analyzer": "plain"})), ("de", json!({"analyzer": "german"}))]
    {
        tenant.collection(name, &settings);
        let shown = tenant.admin.get(&format!("/v1/collections/{name}")).expect(200).json();
        assert_eq!(shown["analyzer"], settings.get("analyzer").cloned().unwrap_or(json!("english")));
    }
    tenant.text("handbook", "a", "rotation of keys", &["everyone"]);
    tenant.text("codes", "b", "rotation of keys", &["everyone"]);
    tenant.text("de", "c", "die Häuser", &["everyone"]);
    assert_eq!(found(&user, &keyword("rotate")), ["a"]);
    assert_eq!(found(&user, &keyword("rotation")), ["a", "b"]);
    assert_eq!(found(&user, &keyword("Haus")), ["c"]);
    // Left out, it stays; changed, everything is cut anew before the answer.
    tenant.collection("codes", &json!({"description": "codes"}));
    assert_eq!(found(&user, &keyword("rotate")), ["a"]);
    tenant.collection("codes", &json!({"analyzer": "english"}));
    tenant.collection("handbook", &json!({"analyzer": "plain"}));
    assert_eq!(found(&user, &keyword("rotate")), ["b"]);
    server.restart();
    assert_eq!(found(&user.at(server.address()), &keyword("rotate")), ["b"]);
    let admin = tenant.admin.at(server.address());
    let refused = admin.put("/v1/collections/codes", &json!({"analyzer": "klingon"}));
    assert_points_at(&refused, "/analyzer");
}

#[test]
fn quotes_and_a_star_mean_something() {
    let server = Server::start();
    let (tenant, user) = tenant(&server);
    tenant.collection("handbook", &json!({}));
    tenant.text("handbook", "a", "the signing keys are rotated", &["everyone"]);
    tenant.text("handbook", "b", "keys that are for signing", &["everyone"]);
    for mode in ["keyword", "hybrid"] {
        let ask = |query: &str| found(&user, &json!({"query": query, "mode": mode}));
        assert_eq!(ask("\"signing keys\""), ["a"], "{mode}");
        assert_eq!(ask("\"nothing like it\""), [""; 0], "{mode}");
    }
    assert_eq!(found(&user, &keyword("rotati*")), ["a"]);
    assert_eq!(found(&user, &keyword("sig")), [""; 0]);
    assert_eq!(found(&user, &json!({"query": "sig", "mode": "keyword", "prefix": true})), ["a", "b"]);
}

/// Whatever a person types is answered, in every mode.
#[test]
fn any_text_is_a_query() {
    let server = Server::start();
    let (tenant, user) = tenant(&server);
    tenant.collection("handbook", &json!({}));
    tenant.text("handbook", "a", "rotate the \"signing keys\" 鍵の交換 🔑", &["everyone"]);
    let ask = |query: &str, prefix: bool, mode: &str| {
        let form = json!({"query": query, "prefix": prefix, "mode": mode});
        let answer = user.post("/v1/search", &form);
        let expected = if query.trim().is_empty() { 422 } else { 200 };
        assert_eq!(answer.status, expected, "{query:?} {}", answer.text());
    };
    let long = ["\"".repeat(8192), "\"a\" ".repeat(2048), "*".repeat(8192), "鍵".repeat(2730), "a* ".repeat(2730)];
    for query in long.iter().map(String::as_str).chain(["AND", "NOT (", "a:b", "\\", "🔑\"🔑", "\"", "“", "-", "\0"])
    {
        for mode in ["keyword", "hybrid"] {
            ask(query, true, mode);
        }
    }
    let text = prop_oneof![any::<String>(), "[\"“”*()+:鍵の a-c]{0,60}"];
    let strategy = (text, any::<bool>(), prop::sample::select(vec!["keyword", "hybrid", "vector"]));
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&strategy, |(query, prefix, mode)| {
            ask(&query, prefix, mode);
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_answer_can_be_bounded_and_spread() {
    let server = Server::start();
    let (tenant, user) = tenant(&server);
    tenant.collection("handbook", &json!({}));
    let copy = "signing keys are rotated every ninety days by the platform team";
    for (id, text) in [("a", copy), ("b", copy), ("c", "keys of the office are kept at the front desk near the lift")] {
        tenant.text("handbook", id, text, &["everyone"]);
    }
    let form = json!({"query": "signing keys"});
    let with = |name: &str, value: Value| {
        let mut form = form.clone();
        form[name] = value;
        form
    };
    assert_eq!(found(&user, &form), ["a", "b", "c"], "copies are given unless it is asked otherwise");
    assert_eq!(found(&user, &with("collapse_duplicates", json!(true))).len(), 2);
    let mut two = with("diversity", json!(0.7));
    two["top_k"] = json!(2);
    assert!(found(&user, &two).contains(&"c".to_owned()));
    let all = user.search(&form);
    let best = all["results"][0]["score"].as_f64().unwrap();
    assert_eq!(found(&user, &with("min_score", json!(best))), ["a", "b"]);
    assert_eq!(found(&user, &with("min_score", json!(0))), ["a", "b", "c"]);
    assert_points_at(&user.post("/v1/search", &with("min_score", json!(1.5))), "/min_score");
}

#[test]
fn vectors_of_clients_have_up_to_4096_dimensions() {
    let server = Server::start();
    let (tenant, user) = tenant(&server);
    for dimensions in [64_usize, 1000, 4096] {
        let name = format!("v{dimensions}");
        tenant.collection(&name, &json!({"embedding": {"source": "client", "dimensions": dimensions}}));
        let vector =
            |at: usize| -> Value { (0..dimensions).map(|place| f64::from(u8::from(place == at)) + 0.001).collect() };
        for at in [0, dimensions - 1] {
            let document = json!({"chunks": [{"text": "x", "vector": vector(at)}], "acl": {"allow": ["everyone"]}});
            tenant.put(&name, &format!("d{at}"), &document).expect(200);
        }
        let last = dimensions - 1;
        let form = json!({"query": "x", "mode": "vector", "vector": vector(last), "collections": [name], "top_k": 1});
        assert_eq!(found(&user, &form), [format!("d{last}")]);
    }
    let refused =
        tenant.admin.put("/v1/collections/wide", &json!({"embedding": {"source": "client", "dimensions": 4097}}));
    assert_refused(&refused, 422, "invalid_fields");
    let refused = user.post("/v1/search", &json!({"query": "x", "vector": vec![1.0; 4097]}));
    assert_points_at(&refused, "/vector");
}
