//! Documents that an older sanitiser made: judged anew from their originals, and nothing else of them changed.

use serde_json::{Value, json};

use super::{BAD, Fixture, TEXT, listed};
use crate::harness::{Caller, Server, assert_refused, document_path};

/// A server of an older version, filled; its documents are to be judged anew by the present one.
fn older() -> Fixture {
    Fixture::of(Server::start_with(|config, _| config.sanitizer = "rules-0".to_owned()))
}

impl Fixture {
    fn upgrade(&mut self) {
        self.server.restart_with(|config| config.sanitizer = ringfence_ingest::sanitizer_version());
        let address = self.server.address();
        self.tenant.admin = self.tenant.admin.at(address);
        self.reviewer = self.reviewer.at(address);
    }

    fn reprocess(&self, body: &Value) -> Value {
        self.reviewer.post("/v1/reprocess", body).expect(200).json()
    }

    /// What became of each document.
    fn became(&self, body: &Value) -> Vec<(String, String)> {
        let page = self.reprocess(body);
        let text = |document: &Value, field: &str| document[field].as_str().unwrap().to_owned();
        let name = |document: &Value| {
            (format!("{}/{}", text(document, "collection"), text(document, "document_id")), text(document, "became"))
        };
        page["documents"].as_array().unwrap().iter().map(name).collect()
    }

    /// Somebody whose key was made before the upgrade.
    fn ann(&self) -> Caller {
        self.ann.at(self.server.address())
    }

    fn read(&self, collection: &str, id: &str) -> Value {
        self.tenant.admin.get(&document_path(collection, id)).expect(200).json()
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, became)| ((*name).to_owned(), (*became).to_owned())).collect()
}

#[test]
fn an_unchanged_document_only_gets_the_version() {
    let mut fixture = older();
    fixture.tenant.text("strip", "d", TEXT, &["everyone"]);
    fixture.tenant.text("strip", "d", &format!("{TEXT} Again."), &["everyone"]);
    let before = fixture.read("strip", "d");
    assert_eq!(before["provenance"]["sanitizer"], "rules-0");
    fixture.upgrade();
    let mut before = before;
    assert_eq!(fixture.became(&json!({"dry_run": true})), pairs(&[("strip/d", "unchanged")]));
    assert_eq!(fixture.read("strip", "d"), before, "a dry run writes nothing");
    assert_eq!(fixture.became(&json!({})), pairs(&[("strip/d", "unchanged")]));
    before["provenance"]["sanitizer"] = ringfence_ingest::sanitizer_version().into();
    assert_eq!(fixture.read("strip", "d"), before);
    assert_eq!(before["provenance"]["version"], 2);
    assert!(fixture.became(&json!({})).is_empty(), "what is of the present version is passed over");
}

#[test]
fn the_present_policy_decides_and_the_acl_and_origin_stay() {
    let mut fixture = older();
    fixture.tenant.text("flag", "a", TEXT, &["user:ann"]);
    fixture.tenant.text(
        "flag",
        "b",
        &format!("The pump report of the other plant, with its valves and seals. {BAD}"),
        &["user:ann"],
    );
    fixture.tenant.text("strip", "c", TEXT, &["user:ann"]);
    fixture.tenant.text("flag", "fine", "The pump report.", &["user:ann"]);
    let acl = format!("{}/acl", document_path("flag", "a"));
    fixture.tenant.admin.put(&acl, &json!({"allow": ["everyone"]})).expect(200);
    let before = fixture.read("flag", "a")["provenance"].clone();
    fixture.tenant.collection("flag", &json!({"sanitize": "strip"}));
    fixture.tenant.collection("strip", &json!({"sanitize": "quarantine"}));
    fixture.upgrade();
    let expected =
        [("flag/a", "changed"), ("flag/b", "changed"), ("flag/fine", "unchanged"), ("strip/c", "quarantined")];
    assert_eq!(fixture.became(&json!({"dry_run": true})), pairs(&expected));
    assert!(fixture.read("flag", "a").to_string().contains(BAD));
    assert_eq!(fixture.became(&json!({"collection": "flag"})), pairs(&expected[..3]));
    assert_eq!(fixture.became(&json!({})), pairs(&expected[3..]));
    let after = fixture.read("flag", "a");
    assert!(!after.to_string().contains(BAD) && after["acl"]["allow"] == json!(["everyone"]), "{after}");
    for field in ["content_hash", "ingested_at", "ingested_by", "version"] {
        assert_eq!(after["provenance"][field], before[field]);
    }
    let ann = fixture.ann();
    let mut found = ann.found("pump report");
    found.sort();
    assert_eq!(found, ["a", "b", "fine"]);
    assert_eq!(listed(&fixture.reviewer), ["strip/c"]);
    fixture.reviewer.get("/v1/quarantine/strip/c").expect(200);
}

#[test]
fn nothing_leaves_quarantine_without_a_reviewer() {
    let mut fixture = older();
    fixture.tenant.text("quarantine", "d", TEXT, &["user:ann"]);
    fixture.tenant.collection("quarantine", &json!({"sanitize": "strip"}));
    fixture.upgrade();
    assert_eq!(fixture.became(&json!({})), pairs(&[("quarantine/d", "still-quarantined")]));
    let shown = fixture.reviewer.get("/v1/quarantine/quarantine/d").expect(200).json();
    assert_eq!(shown["provenance"]["sanitizer"], json!(ringfence_ingest::sanitizer_version()));
    let body = json!({"content_hash": shown["provenance"]["content_hash"]});
    fixture.reviewer.post("/v1/quarantine/quarantine/d/release", &body).expect(200);
}

#[test]
fn what_a_reviewer_released_stays_as_it_was_decided() {
    let mut fixture = older();
    for (id, way) in [("flagged", "flag"), ("stripped", "strip")] {
        let put = fixture.tenant.text("quarantine", id, TEXT, &["everyone"]);
        let body = json!({"content_hash": put["content_hash"], "as": way});
        fixture.reviewer.post(&format!("/v1/quarantine/quarantine/{id}/release"), &body).expect(200);
    }
    let before = [fixture.read("quarantine", "flagged"), fixture.read("quarantine", "stripped")];
    fixture.upgrade();
    let expected = pairs(&[("quarantine/flagged", "unchanged"), ("quarantine/stripped", "unchanged")]);
    assert_eq!(fixture.became(&json!({})), expected);
    for (before, id) in before.iter().zip(["flagged", "stripped"]) {
        assert_eq!(fixture.read("quarantine", id)["chunks"], before["chunks"]);
    }
    // Whoever puts it again puts it to review again.
    fixture.tenant.text("quarantine", "flagged", TEXT, &["everyone"]);
    assert_eq!(listed(&fixture.reviewer), ["quarantine/flagged"]);
}

#[test]
fn files_go_through_the_cage_again_and_passages_keep_their_vectors() {
    let mut fixture = older();
    let page = format!("<html><body><h1>Pumps</h1><p>The pump report.</p><p>{BAD}</p></body></html>");
    fixture.tenant.collection("flag", &json!({"sanitize": "flag", "default_acl": {"allow": ["everyone"]}}));
    fixture
        .tenant
        .admin
        .send("PUT", &document_path("flag", "page"), Some("text/html"), Some(page.as_bytes()))
        .expect(200);
    let settings = json!({"sanitize": "strip", "embedding": {"source": "client", "dimensions": 2}});
    fixture.tenant.collection("vectors", &settings);
    let chunks = json!([{"text": "The pump report.", "vector": [1.0, 2.0]}, {"text": BAD, "vector": [2.0, 1.0]}]);
    let form = json!({"chunks": chunks, "acl": {"allow": ["everyone"]}});
    let put = fixture.tenant.put("vectors", "v", &form).expect(200).json();
    assert_eq!(put["chunks"], 1, "the second passage is nothing but an instruction: {put}");
    fixture.tenant.collection("flag", &json!({"sanitize": "strip"}));
    fixture.tenant.collection("vectors", &json!({"sanitize": "flag", "embedding": settings["embedding"]}));
    fixture.upgrade();
    assert_eq!(fixture.became(&json!({})), pairs(&[("flag/page", "changed"), ("vectors/v", "changed")]));
    let after = fixture.read("flag", "page").to_string();
    assert!(!after.contains(BAD) && after.contains("The pump report."), "{after}");
    let ann = fixture.ann();
    let hits = ann.search(&json!({"query": "x", "mode": "vector", "vector": [2.0, 1.0], "collections": ["vectors"]}));
    assert_eq!(hits["results"][0]["text"], BAD, "its vector was kept while it was not served: {hits}");
}

#[test]
fn a_run_can_be_broken_off_and_resumed() {
    let mut fixture = older();
    for number in 0..7 {
        fixture.tenant.text("strip", &format!("d{number}"), "The pump report.", &["everyone"]);
    }
    fixture.upgrade();
    let first = fixture.reprocess(&json!({"limit": 3}));
    assert!(first["next_cursor"].is_string() && first["documents"].as_array().unwrap().len() == 3, "{first}");
    let second = fixture.reprocess(&json!({"limit": 3, "cursor": first["next_cursor"]}));
    assert_eq!(second["documents"][0]["document_id"], "d3");
    let resumed = fixture.reprocess(&json!({}));
    assert_eq!((&resumed["documents"][0]["document_id"], &resumed["next_cursor"]), (&json!("d6"), &Value::Null));
    let other = json!({"limit": 3, "collection": "strip", "cursor": first["next_cursor"]});
    assert_refused(&fixture.reviewer.post("/v1/reprocess", &other), 400, "invalid_cursor");
    assert_refused(&fixture.reviewer.post("/v1/reprocess", &json!({"collection": "absent"})), 404, "not_found");
    assert_refused(&fixture.reviewer.post("/v1/reprocess", &json!({"limit": 0})), 422, "invalid_fields");
}

#[test]
fn without_originals_only_what_is_held_back_is_kept() {
    let mut fixture = older();
    fixture.server.restart_with(|config| config.keep_sources = false);
    let address = fixture.server.address();
    (fixture.tenant.admin, fixture.reviewer) = (fixture.tenant.admin.at(address), fixture.reviewer.at(address));
    fixture.tenant.text("strip", "a", TEXT, &["everyone"]);
    let put = fixture.tenant.text("quarantine", "b", TEXT, &["everyone"]);
    assert!(fixture.reviewer.get("/v1/quarantine/quarantine/b").expect(200).text().contains(BAD));
    fixture.upgrade();
    let expected = [("quarantine/b", "still-quarantined"), ("strip/a", "without-source")];
    assert_eq!(fixture.became(&json!({})), pairs(&expected));
    let body = json!({"content_hash": put["content_hash"]});
    fixture.reviewer.post("/v1/quarantine/quarantine/b/release", &body).expect(200);
    let is_kept = |collection: &str, id: &str| kept(&fixture, collection, id).source.is_some();
    assert!(!is_kept("strip", "a") && !is_kept("quarantine", "b"));
}

/// What is kept of a document, as the store has it.
fn kept(fixture: &Fixture, collection: &str, id: &str) -> ringfence::store::Kept {
    let app = fixture.server.app();
    let tenant = ringfence_indexes::TenantId::new("acme").unwrap();
    let collection = ringfence_indexes::CollectionId::new(collection).unwrap();
    let document = ringfence_indexes::DocumentId::new(id).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(app.store.kept(&tenant, &collection, &document)).unwrap().unwrap()
}

#[test]
fn a_damaged_original_is_told_and_keeps_nobody_from_anything_else() {
    let mut fixture = older();
    fixture.tenant.text("strip", "a", TEXT, &["everyone"]);
    fixture.tenant.text("strip", "b", &format!("{TEXT} Again."), &["everyone"]);
    let sealed = kept(&fixture, "strip", "a").source.unwrap();
    let database = fixture.server.app().config.data_dir.join("ringfence.db");
    fixture.server.stop();
    let mut bytes = std::fs::read(&database).unwrap();
    let at = bytes.windows(32).position(|window| window == &sealed[..32]).unwrap();
    bytes[at + 20] ^= 1;
    std::fs::write(&database, bytes).unwrap();
    fixture.upgrade();
    assert_eq!(fixture.ann().found("pump report").len(), 2, "what is served is whole");
    assert_eq!(fixture.became(&json!({})), pairs(&[("strip/a", "unreadable"), ("strip/b", "unchanged")]));
    fixture.tenant.text("strip", "a", TEXT, &["everyone"]);
    assert!(fixture.became(&json!({})).is_empty(), "putting it again heals it");
}

#[test]
fn the_command_goes_through_all_pages() {
    let mut fixture = older();
    for number in 0..130 {
        fixture.tenant.text("strip", &format!("d{number}"), "The pump report.", &["everyone"]);
    }
    fixture.tenant.text("flag", "f", TEXT, &["everyone"]);
    fixture.tenant.collection("flag", &json!({"sanitize": "strip"}));
    fixture.upgrade();
    let server = format!("http://{}", fixture.server.address());
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_ringfence"))
            .args(arguments)
            .args(["reprocess", "--server", &server])
            .env_clear()
            .env("RINGFENCE_KEY", fixture.reviewer.credential())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let told: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert_eq!(told["became"], json!({"changed": 1, "unchanged": 130}));
    assert_eq!(told["documents"][0]["document_id"], "f");
    assert!(run(&[]).contains("every document is of the present version"));
}
