//! Embedders behind configuration: what leaves for a remote one, what happens when it fails, and that models are never mixed.

mod onnx;
mod stand_in;

use ringfence::{app::StartError, config::EmbedderConfig, embed::EmbedderError};
use serde_json::{Value, json};

use self::stand_in::{DIMENSIONS, Manner, StandIn};
use crate::harness::{Server, Tenant, assert_refused, document_path};

fn remote(stand_in: &StandIn, further: &str) -> EmbedderConfig {
    let url = stand_in.url();
    toml::from_str(&format!("kind = \"openai\"\nurl = \"{url}\"\nmodel = \"m\"\ndimensions = {DIMENSIONS}\n{further}"))
        .unwrap()
}

fn start(stand_in: &StandIn, further: &str) -> (Server, Tenant) {
    let server = Server::start_with(|config, folder| {
        std::fs::write(folder.join("key"), "sk-standin-0123456789\n").unwrap();
        std::fs::set_permissions(folder.join("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let key = format!("key_file = {:?}", folder.join("key").display().to_string());
        config.embedder = remote(stand_in, &format!("{key}\n{further}"));
    });
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({"default_acl": {"allow": ["everyone"]}}));
    (server, tenant)
}

fn inputs(stand_in: &StandIn) -> Vec<Vec<String>> {
    let texts = |body: &Value| -> Vec<String> {
        body["input"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    stand_in.calls().iter().map(|call| texts(&call.body)).collect()
}

fn first(answer: &Value) -> &str {
    answer["results"][0]["document_id"].as_str().unwrap_or_default()
}

#[test]
fn passages_and_queries_are_placed_by_the_service() {
    let stand_in = StandIn::start();
    let (_server, tenant) = start(&stand_in, "batch = 3\nquery_prefix = \"query: \"\npassage_prefix = \"passage: \"");
    let texts = ["rotate the signing keys", "bake an apple cake", "water the plants", "close the door", "call a taxi"];
    let chunks: Vec<Value> = texts.iter().map(|text| json!({"text": text})).collect();
    tenant.put("handbook", "many", &json!({"title": "House", "chunks": chunks})).expect(200);
    let calls = stand_in.calls();
    assert_eq!(calls.len(), 2, "five passages by three");
    assert!(calls[0].head.contains("authorization: Bearer sk-standin-0123456789"), "{}", calls[0].head);
    assert_eq!((&calls[0].body["model"], calls[0].body.get("dimensions")), (&json!("m"), None));
    assert_eq!(calls[0].body["input"][0], "passage: House\n\nrotate the signing keys");
    let user = tenant.user("ann", &[]);
    let found = user.search(&json!({"query": "apple cake", "mode": "vector"}));
    assert_eq!(inputs(&stand_in), [["query: apple cake"]]);
    assert!(found["results"][0]["text"].as_str().unwrap().contains("apple"), "{found}");
    assert!(found["results"][0]["scores"]["vector"].as_f64().unwrap() > 0.3);
    user.search(&json!({"query": "apple cake", "mode": "keyword"}));
    assert_eq!(inputs(&stand_in).len(), 0, "words need no vector");
}

/// What is asked is the query alone, whatever exists; and nothing is asked where there is nothing to compare with that the caller may read.
#[test]
fn the_service_hears_nothing_of_what_is_hidden() {
    let stand_in = StandIn::start();
    let (_server, tenant) = start(&stand_in, "");
    tenant.collection("closed", &json!({"readers": ["group:board"]}));
    tenant.collection("own", &json!({"embedding": {"source": "client", "dimensions": 2}}));
    let user = tenant.user("ann", &[]);
    let ask = |collections: Value| {
        user.search(&json!({"query": "keys", "collections": collections}));
        inputs(&stand_in)
    };
    let before = ask(json!(["handbook"]));
    tenant.text("handbook", "hidden", "keys keys keys", &["user:bo"]);
    assert_eq!(inputs(&stand_in).len(), 1);
    assert_eq!(ask(json!(["handbook"])), before);
    assert_eq!(before, [["keys"]]);
    for collections in [json!(["closed"]), json!(["absent"]), json!(["own"])] {
        assert_eq!(ask(collections).len(), 0);
    }
}

#[test]
fn only_masked_text_leaves() {
    let stand_in = StandIn::start();
    let (_server, tenant) = start(&stand_in, "");
    let canaries =
        ["ann.canary@example.com", "AKIAQ3EGRTU5WX7ZB2LM", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"];
    let text = format!("Reach {} with {}, pay {} or {}.", canaries[0], canaries[1], canaries[2], canaries[3]);
    tenant
        .put("handbook", "d", &json!({"title": canaries[0], "text": format!("# {}\n\n{text}", canaries[0])}))
        .expect(200);
    tenant.user("ann", &[]).search(&json!({"query": text}));
    let calls = inputs(&stand_in);
    assert_eq!(calls.len(), 2);
    for input in calls.iter().flatten() {
        assert!(input.contains("[redacted:email]") && input.contains("[redacted:card]"), "{input}");
        assert!(canaries.iter().all(|canary| !input.contains(canary)), "{input}");
    }
}

#[test]
fn a_failing_service_leaves_nothing_behind_and_words_go_on() {
    let zero = format!("{{\"data\": [{{\"index\": 0, \"embedding\": {:?}}}]}}", [0; DIMENSIONS]);
    let short = "{\"data\": [{\"index\": 0, \"embedding\": [1, 2, 3]}]}".to_owned();
    let other = StandIn::start();
    let manners = [
        Manner::Status(401),
        Manner::Status(500),
        Manner::OneFewer,
        Manner::Body(zero),
        Manner::Body(short),
        Manner::Body("not JSON".to_owned()),
        Manner::Redirect(other.url()),
        Manner::Closed,
        Manner::Silent,
        Manner::Endless,
    ];
    for manner in manners {
        let stand_in = StandIn::start();
        let (_server, tenant) = start(&stand_in, "timeout_seconds = 1");
        tenant.text("handbook", "before", "rotate the keys", &["everyone"]);
        let user = tenant.user("ann", &[]);
        stand_in.tell(manner.clone());
        let refused = tenant.put("handbook", "during", &json!({"text": "keys", "acl": {"allow": ["everyone"]}}));
        assert_refused(&refused, 503, "embedder_unavailable");
        assert!(refused.header("retry-after").is_some());
        user.get(&document_path("handbook", "during")).expect(404);
        let refused = user.post("/v1/search", &json!({"query": "keys"}));
        assert_refused(&refused, 503, "embedder_unavailable");
        assert_eq!(first(&user.search(&json!({"query": "keys", "mode": "keyword"}))), "before", "{manner:?}");
    }
    assert_eq!(other.calls().len(), 0, "a redirect is not followed");
}

#[test]
fn a_passing_fault_is_bridged_and_a_lasting_one_left_alone() {
    let stand_in = StandIn::start();
    let (_server, tenant) = start(&stand_in, "");
    let user = tenant.user("ann", &[]);
    let ask = || user.post("/v1/search", &json!({"query": "keys"})).status;
    stand_in.tell(Manner::Status(503));
    assert_eq!((ask(), stand_in.calls().len()), (503, 3), "tried three times");
    stand_in.tell(Manner::Good);
    assert_eq!((ask(), stand_in.calls().len()), (200, 1));
    stand_in.tell(Manner::Status(400));
    for _ in 0..5 {
        assert_eq!((ask(), stand_in.calls().len()), (503, 1), "a refusal is not repeated");
    }
    stand_in.tell(Manner::Good);
    assert_eq!((ask(), stand_in.calls().len()), (503, 0), "left alone");
    assert_eq!(user.search(&json!({"query": "keys", "mode": "keyword"}))["results"], json!([]));
}

#[test]
fn another_model_places_everything_anew_or_does_not_start() {
    let stand_in = StandIn::start();
    let (mut server, tenant) = start(&stand_in, "");
    tenant.text("handbook", "keys", "rotate the keys", &["everyone"]);
    tenant.text("handbook", "cake", "bake a cake", &["everyone"]);
    let user = tenant.user("ann", &[]);
    let ask = |server: &Server| user.at(server.address()).search(&json!({"query": "cake", "mode": "vector"}));
    let before = ask(&server)["results"].clone();
    stand_in.calls();
    server.restart();
    assert_eq!(stand_in.calls().len(), 0, "the same model asks for nothing");
    server.stop();
    server.configure(|config| config.embedder = remote(&stand_in, "revision = \"2\""));
    stand_in.tell(Manner::Status(500));
    let refused = server.try_open().unwrap_err();
    assert!(matches!(refused, StartError::Embedder(EmbedderError::Reembedding(_))), "{refused}");
    assert!(refused.to_string().contains("set `[embedder]` back"), "{refused}");
    stand_in.tell(Manner::Good);
    stand_in.calls();
    server.restart();
    let placed: Vec<String> = inputs(&stand_in).concat();
    assert_eq!(placed.len(), 2, "{placed:?}");
    assert_eq!(ask(&server)["results"], before);
    server.stop();
    server.configure(|config| config.embedder = EmbedderConfig::default());
    server.restart();
    assert_eq!(first(&ask(&server)), "cake", "the built-in model has other dimensions");
}

#[test]
fn a_model_in_a_folder_is_computed_here() {
    let mut server = Server::start_with(|config, folder| {
        onnx::write(folder);
        config.embedder =
            toml::from_str(&format!("kind = \"rten\"\nfolder = {:?}", folder.display().to_string())).unwrap();
    });
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({"default_acl": {"allow": ["everyone"]}}));
    let shown = tenant.admin.get("/v1/collections/handbook").expect(200).json();
    assert_eq!(shown["embedding"], json!({"source": "builtin", "dimensions": 4}));
    let chunks =
        ["replace secrets", "apple cake apple cake apple cake", "rotate keys"].map(|text| json!({"text": text}));
    tenant.put("handbook", "together", &json!({"chunks": chunks})).expect(200);
    tenant.put("handbook", "alone", &json!({"chunks": [{"text": "replace secrets"}]})).expect(200);
    let user = tenant.user("ann", &[]);
    let ask = |server: &Server, query: &str| {
        let answer = user.at(server.address()).search(&json!({"query": query, "mode": "vector", "top_k": 10}));
        let hits = answer["results"].as_array().unwrap().iter();
        hits.map(|hit| (hit["text"].as_str().unwrap().to_owned(), hit["score"].as_f64().unwrap())).collect::<Vec<_>>()
    };
    let found = ask(&server, "rotate keys");
    assert_eq!(found[0].0, "rotate keys");
    assert!((found[0].1 - 1.0).abs() < 1e-5 && found[1].1 > 0.9 && found[3].1 < 0.5, "{found:?}");
    // Filled up to the longest of its run or not, a text has its own place.
    assert_eq!((found[1].0.as_str(), found[2].0.as_str()), ("replace secrets", "replace secrets"));
    assert!((found[1].1 - found[2].1).abs() < f64::EPSILON, "{found:?}");
    server.restart();
    assert_eq!(ask(&server, "rotate keys"), found);
    assert_eq!(ask(&server, "cake")[0].0, "apple cake apple cake apple cake");
}

#[test]
fn a_folder_without_a_usable_model_is_not_started_with() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start();
    server.stop();
    let config = format!("kind = \"rten\"\nfolder = {:?}", folder.path().display().to_string());
    server.configure(|settings| settings.embedder = toml::from_str(&config).unwrap());
    let refused = |server: &Server| match server.try_open().unwrap_err() {
        StartError::Embedder(EmbedderError::Folder { what, .. }) => what,
        other => panic!("{other}"),
    };
    assert!(refused(&server).contains("model.onnx"));
    onnx::write(folder.path());
    std::fs::write(folder.path().join("model.onnx"), b"no model").unwrap();
    assert!(refused(&server).contains("model.onnx"));
    onnx::write(folder.path());
    std::fs::write(folder.path().join("tokenizer.json"), b"{}").unwrap();
    assert!(refused(&server).contains("tokenizer.json"));
    onnx::write(folder.path());
    server.restart();
}
