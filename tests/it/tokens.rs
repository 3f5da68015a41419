//! Tokens of a configured issuer: what a good one may read, alone and shown by a service, and that every bad one gets the one 401.

use data_encoding::BASE64URL_NOPAD;
use ringfence_indexes::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Answer, NOW, SECOND, Server, Tenant, assert_refused, claims, issuer, merged, mint};

/// A server whose issuer's tokens are of `acme`, with something for each kind of reader.
fn server() -> (Server, Tenant) {
    let server = Server::start_with(|config, folder| config.issuer = vec![issuer(folder, "acme")]);
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.text("handbook", "ann", "keys for ann", &["user:ann"]);
    tenant.text("handbook", "eng", "keys for engineers", &["group:eng"]);
    let acl = json!({"allow": ["everyone"], "require": [{"attribute": "clearance", "at_least": 2}]});
    tenant.put("handbook", "cleared", &json!({"text": "keys for the cleared", "acl": acl})).expect(200);
    (server, tenant)
}

fn found(server: &Server, token: &str) -> Vec<String> {
    let mut found = server.caller(token).found("keys");
    found.sort();
    found
}

#[test]
fn a_token_reads_what_its_claims_let_it() {
    let (server, _tenant) = server();
    assert_eq!(found(&server, &mint(&claims("ann", &[]))), ["ann"]);
    assert_eq!(found(&server, &mint(&claims("bob", &["eng"]))), ["eng"]);
    let cleared = merged(claims("ann", &["eng"]), &json!({"clearance": 2, "region": "eu"}));
    assert_eq!(found(&server, &mint(&cleared)), ["ann", "cleared", "eng"]);
    let uncleared = merged(claims("ann", &["eng"]), &json!({"clearance": 1}));
    assert_eq!(found(&server, &mint(&uncleared)), ["ann", "eng"]);
    let writes = server.caller(&mint(&cleared)).put("/v1/collections/handbook/documents/x", &json!({"text": "x"}));
    assert_refused(&writes, 403, "missing_scope");
}

#[test]
fn a_service_reads_as_the_person_whose_token_it_shows() {
    let (server, tenant) = server();
    let gateway = tenant.service("gateway", &["search", "act"]);
    let shown = |token: &str| gateway.with("ringfence-on-behalf-of", token);
    assert_eq!(shown(&mint(&claims("ann", &["eng"]))).found("keys").len(), 2);
    assert_refused(&gateway.post("/v1/search", &json!({"query": "keys"})), 403, "subject_required");
    assert_refused(&shown("nonsense").post("/v1/search", &json!({"query": "keys"})), 401, "unauthenticated");
    // A person's token shown by a service of another tenant is worth nothing there.
    let other = server.tenant("globex").service("gateway", &["search", "act"]);
    let answer =
        other.with("ringfence-on-behalf-of", &mint(&claims("ann", &[]))).post("/v1/search", &json!({"query": "keys"}));
    assert_refused(&answer, 401, "unauthenticated");
}

/// What is done for a person is what the person, the program and the person's token allow: a token that says its scopes narrows those of the key that shows it.
#[test]
fn a_service_does_no_more_than_the_token_it_shows_allows() {
    let server = Server::start_with(|config, folder| {
        let mut issuer = issuer(folder, "acme");
        issuer.scopes = ["search", "read", "ingest", "acl"].map(str::to_owned).to_vec();
        issuer.scope_claim = Some("scope".to_owned());
        config.issuer = vec![issuer];
    });
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.text("handbook", "d", "keys for ann", &["user:ann"]);
    let gateway = tenant.service("gateway", &["search", "read", "ingest", "explain", "act"]);
    let shown = |scope: Value| {
        let token = mint(&merged(claims("ann", &[]), &json!({"scope": scope})));
        gateway.with("ringfence-on-behalf-of", &token)
    };
    let statuses = |scope: Value| {
        let caller = shown(scope);
        let explain = json!({"principal": "user:ann", "collection": "handbook", "document_id": "d"});
        let written = json!({"text": "x", "acl": {"allow": ["user:ann"]}});
        [
            caller.post("/v1/search", &json!({"query": "keys"})).status,
            caller.get("/v1/collections/handbook/documents/d").status,
            caller.put("/v1/collections/handbook/documents/x", &written).status,
            caller.post("/v1/explain", &explain).status,
        ]
    };
    assert_eq!(statuses(json!("search")), [200, 403, 403, 403]);
    assert_eq!(statuses(json!("search read openid")), [200, 200, 403, 403]);
    assert_eq!(statuses(json!("search read ingest explain acl")), [200, 200, 200, 403], "within those of its issuer");
    assert_eq!(statuses(json!("")), [403; 4]);
    assert_eq!(statuses(json!(["read"])), [403, 200, 403, 403]);
    let narrow = tenant.service("narrow", &["search", "act"]);
    let token = mint(&merged(claims("ann", &[]), &json!({"scope": "search read ingest"})));
    let narrow = narrow.with("ringfence-on-behalf-of", &token);
    assert_refused(&narrow.get("/v1/collections/handbook/documents/d"), 403, "missing_scope");
}

#[test]
fn every_bad_token_gets_the_same_answer() {
    let (server, _tenant) = server();
    let now = NOW.0 / SECOND;
    let good = mint(&claims("ann", &[]));
    let changed = |change: Value| mint(&merged(claims("ann", &[]), &change));
    let mut without_exp = claims("ann", &[]);
    without_exp.as_object_mut().unwrap().remove("exp");
    let (head, rest) = good.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let none = BASE64URL_NOPAD.encode(b"{\"alg\":\"none\",\"typ\":\"JWT\"}");
    let forged = BASE64URL_NOPAD.encode(merged(claims("boss", &[]), &json!({})).to_string().as_bytes());
    let unauthenticated = |answer: Answer| {
        assert_refused(&answer, 401, "unauthenticated");
        let mut document = answer.json();
        document["request_id"] = Value::Null;
        document
    };
    let expected = unauthenticated(server.nobody().get("/v1/collections"));
    for (name, token) in [
        ("expired", changed(json!({"exp": now - 3_600}))),
        ("without an end", mint(&without_exp)),
        ("not yet valid", changed(json!({"nbf": now + 3_600}))),
        ("issued in the future", changed(json!({"iat": now + 3_600}))),
        ("of another issuer", changed(json!({"iss": "https://other.test"}))),
        ("for another audience", changed(json!({"aud": "other"}))),
        ("without a subject", changed(json!({"sub": ""}))),
        ("of a group", changed(json!({"sub": "group:eng"}))),
        ("of everyone", changed(json!({"sub": "*"}))),
        ("valid for years", changed(json!({"exp": now + 100_000_000}))),
        ("unsigned", format!("{none}.{body}.")),
        ("with a changed body", format!("{head}.{forged}.{signature}")),
        ("with a changed signature", format!("{head}.{body}.{}", signature.chars().rev().collect::<String>())),
        ("cut", good[..good.len() - 2].to_owned()),
        ("of two parts", format!("{head}.{body}")),
        ("very long", changed(json!({"padding": "x".repeat(13_000)}))),
    ] {
        let answer = server.caller(&token).get("/v1/collections");
        // What is longer than a header may be is refused before anybody reads it.
        if answer.status != 431 {
            assert_eq!(answer.status, 401, "a token {name}: {}", answer.text());
            assert_eq!(unauthenticated(answer), expected, "a token {name}");
        }
    }
    let answer = server.caller(&changed(json!({"hasgroups": true}))).get("/v1/collections");
    assert_refused(&answer, 403, "groups_unresolved");
    server.caller(&good).get("/v1/collections").expect(200);
    server.clock.set(Timestamp(NOW.0 + 4_000 * SECOND));
    assert_eq!(unauthenticated(server.caller(&good).get("/v1/collections")), expected, "the good one, later");
}

#[test]
fn a_key_holds_in_its_networks_and_its_time() {
    let (server, tenant) = server();
    let key = |further: Value| tenant.user_with("ann", &further);
    key(json!({"networks": ["127.0.0.0/8"]})).get("/v1/collections").expect(200);
    assert_refused(&key(json!({"networks": ["10.0.0.0/8"]})).get("/v1/collections"), 401, "unauthenticated");
    let short = key(json!({"expires_at": "2026-11-02T09:00:01Z"}));
    short.get("/v1/collections").expect(200);
    server.clock.set(Timestamp(NOW.0 + SECOND));
    assert_refused(&short.get("/v1/collections"), 401, "unauthenticated");
    let good = key(json!({}));
    let credential = good.credential().to_owned();
    for bad in [
        &credential[..credential.len() - 1],
        &credential.to_uppercase(),
        &format!("{credential}0"),
        &credential.replace("rf_", "rf__"),
    ] {
        assert_refused(&server.caller(bad).get("/v1/collections"), 401, "unauthenticated");
    }
    good.get("/v1/collections").expect(200);
}
