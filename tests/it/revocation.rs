//! Revisions that a read demands, and keys that are rotated. What is revoked is raced and replayed in `replay`.

use serde_json::json;

use crate::harness::{Server, assert_refused, document_path};

const COLLECTION: &str = "handbook";

#[test]
fn a_read_may_demand_a_revision() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    tenant.collection(COLLECTION, &json!({}));
    let revision = tenant.text(COLLECTION, "d", "how the keys are rotated", &["everyone"])["revision"].clone();
    let revision = revision.as_str().expect("a write tells its revision").to_owned();
    let user = tenant.user("ann", &[]);
    let demand = |revision: &str| user.with("ringfence-min-revision", revision);
    assert_eq!(demand(&revision).found("keys"), ["d"]);
    demand(&revision).get(&document_path(COLLECTION, "d")).expect(200);

    // Opaque and of one length, also to those who see many of them.
    let second = tenant.text(COLLECTION, "e", "and how the locks", &["everyone"])["revision"].clone();
    assert_eq!(second.as_str().map(str::len), Some(revision.len()));
    assert_ne!(second.as_str(), Some(revision.as_str()));

    for bad in ["", "x", "AAAA", &revision[1..]] {
        let answer = demand(bad).get(&document_path(COLLECTION, "d"));
        assert_refused(&answer, 400, "malformed_header");
    }
    let other = server.tenant("globex");
    other.collection(COLLECTION, &json!({}));
    let foreign = other.text(COLLECTION, "d", "text", &["everyone"])["revision"].as_str().unwrap().to_owned();
    assert_refused(&demand(&foreign).get(&document_path(COLLECTION, "d")), 400, "malformed_header");
}

#[test]
fn a_rotated_key_is_the_only_one_that_holds() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    tenant.collection(COLLECTION, &json!({}));
    let key = tenant.key(&json!({"kind": "user", "name": "ann", "subject": "user:ann", "scopes": ["search"]}));
    key.caller.search(&json!({"query": "keys"}));
    let rotated = tenant.admin.post(&format!("/v1/keys/{}/rotate", key.id), &json!({}));
    assert!(matches!(rotated.status, 200 | 201), "{}", rotated.text());
    let rotated = server.caller(rotated.json()["key"].as_str().expect("the new key"));
    assert_refused(&key.caller.post("/v1/search", &json!({"query": "keys"})), 401, "unauthenticated");
    rotated.search(&json!({"query": "keys"}));
    tenant.admin.delete(&format!("/v1/keys/{}", key.id)).expect(204);
    assert_refused(&rotated.post("/v1/search", &json!({"query": "keys"})), 401, "unauthenticated");
    assert_refused(&tenant.admin.delete(&format!("/v1/keys/{}", key.id)), 404, "not_found");
}
