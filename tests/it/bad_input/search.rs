//! Searches, lists and reads that are refused.

use serde_json::{Value, json};

use super::{At, Code, Fixture, Refusal};
use crate::harness::{Caller, assert_is_problem};

const SEARCH: &str = "/v1/search";

#[test]
fn wrong_searches_are_refused_with_their_place() {
    let fixture = Fixture::new();
    let user = fixture.tenant.user("ann", &[]);
    let check = |form: Value, expected: Refusal| {
        expected.check(&user.post(SEARCH, &form), &form.to_string().chars().take(120).collect::<String>());
    };
    let with = |name: &str, value: Value| json!({"query": "keys", name: value});
    check(json!({}), At("/query"));
    check(json!({"query": ""}), At("/query"));
    check(json!({"query": " \n\t"}), At("/query"));
    check(json!({"query": "x".repeat(8 * 1_024 + 1)}), At("/query"));
    check(json!({"query": ["x"]}), At("/query"));
    check(json!(["x"]), At(""));
    for top_k in [json!(0), json!(101), json!(-1), json!(1.5), json!("8"), json!(u64::MAX)] {
        check(with("top_k", top_k), At("/top_k"));
    }
    check(with("tenant", json!("globex")), At("/tenant"));
    check(with("acl", json!({})), At("/acl"));
    check(with("mode", json!("fuzzy")), At("/mode"));
    check(with("format", json!("xml")), At("/format"));
    check(with("min_trust", json!("total")), At("/min_trust"));
    check(with("max_tokens", json!(0)), At("/max_tokens"));
    check(with("max_per_document", json!(0)), At("/max_per_document"));
    check(with("collections", json!("strict")), At("/collections"));
    check(with("collections", json!(["strict", "No Name"])), At("/collections/1"));
    check(with("filter", json!([])), At("/filter"));
    for filter in [
        json!({"acl": 1}),
        json!({"tenant_id": "x"}),
        json!({"metadata.": 1}),
        json!({"metadata.year": {"near": 1}}),
        json!({"metadata.year": {"in": 1}}),
        json!({"metadata.year": {"exists": "yes"}}),
    ] {
        check(with("filter", filter), Code(422, "invalid_fields"));
    }
    for vector in [json!([]), json!([0, 0, 0, 0]), json!([1e39, 0, 0, 0]), json!("x"), json!([1, null])] {
        check(with("vector", vector), Code(422, "invalid_fields"));
    }
    check(json!({"query": "keys", "collections": ["vectors"], "vector": [1, 2]}), At("/vector"));
    check(json!({"query": "keys", "vector": [1, 2, 3, 4, 5]}), At("/vector"));
    for fine in [json!({"vector": [1, 2, 3, 4]}), json!({"vector": [1, 2], "collections": ["strict"]})] {
        user.search(&crate::harness::merged(json!({"query": "keys"}), &fine));
    }
    // The longest query that is allowed is answered.
    user.search(&json!({"query": "é".repeat(4 * 1_024)}));
    fixture.assert_nothing_left();
}

#[test]
fn malformed_searches_are_refused() {
    let fixture = Fixture::new();
    let user = fixture.tenant.user("ann", &[]);
    for body in [
        &b""[..],
        b"{\"query\": \"x\"",
        b"{\"query\": \"x\", \"query\": \"y\"}",
        b"{\"query\": \"\\ud800\"}",
        b"{\"query\": \"x\", \"top_k\": 1e400}",
    ] {
        let answer = user.send("POST", SEARCH, Some("application/json"), Some(body));
        Code(400, "malformed_json").check(&answer, &String::from_utf8_lossy(body));
    }
    for media_type in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/json; charset=utf-16")]
    {
        let answer = user.send("POST", SEARCH, media_type, Some(b"{\"query\": \"x\"}"));
        Code(415, "unsupported_media_type").check(&answer, &format!("{media_type:?}"));
    }
}

#[test]
fn cursors_and_limits_are_read_strictly() {
    let fixture = Fixture::new();
    let Fixture { tenant, server } = &fixture;
    for number in 0..4 {
        tenant.text("strict", &format!("d{number}"), "text", &["everyone"]);
        tenant.collection(&format!("c{number}"), &json!({}));
    }
    let user = tenant.user("ann", &[]);
    let list = |query: &str| user.get(&format!("/v1/collections/strict/documents?{query}"));
    for limit in ["0", "-1", "x", "1.5", "", "100000", "18446744073709551616"] {
        let answer = list(&format!("limit={limit}"));
        assert!(matches!(answer.status, 400 | 422), "{limit}: {}", answer.text());
        assert_is_problem(&answer);
    }
    let first = list("limit=2").expect(200).json();
    let cursor = first["next_cursor"].as_str().expect("there is more").to_owned();
    assert_eq!(list(&format!("limit=2&cursor={cursor}")).expect(200).json()["next_cursor"], Value::Null);
    let mut forged = cursor.clone().into_bytes();
    forged[10] = if forged[10] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    let other_list = user.get("/v1/collections?limit=2").expect(200).json()["next_cursor"].as_str().map(str::to_owned);
    let other_list = other_list.expect("there are more collections");
    for bad in
        ["x", "AAAA", "%00", forged.as_str(), other_list.as_str(), &cursor[..cursor.len() - 4], &"A".repeat(5_000)]
    {
        Code(400, "invalid_cursor").check(&list(&format!("limit=2&cursor={bad}")), bad);
    }
    // What one tenant was given says nothing to another.
    let other = server.tenant("globex");
    other.collection("strict", &json!({}));
    let answer = other.user("ann", &[]).get(&format!("/v1/collections/strict/documents?cursor={cursor}"));
    Code(400, "invalid_cursor").check(&answer, "another tenant's cursor");
}

#[test]
fn unknown_paths_and_methods_have_one_form() {
    let fixture = Fixture::new();
    let user = fixture.tenant.user("ann", &[]);
    for path in
        ["/nothing", "/v1", "/v1/", "/v1/search/", "/v1/collections/strict/documents/d/e", "/v2/search", "/.env"]
    {
        Code(404, "not_found").check(&user.get(path), path);
    }
    for (method, path) in [
        ("GET", SEARCH),
        ("PATCH", "/v1/collections/strict"),
        ("POST", "/v1/collections/strict/documents/d"),
        ("DELETE", "/v1/collections"),
    ] {
        let answer = user.send(method, path, None, None);
        Code(405, "method_not_allowed").check(&answer, path);
        assert!(answer.header("allow").is_some_and(|allow| !allow.is_empty()), "{method} {path}");
    }
}

#[test]
fn acting_headers_are_read_strictly() {
    let fixture = Fixture::new();
    let gateway = fixture.tenant.service("gateway", &["search", "assert"]);
    let search = |caller: &Caller| caller.post(SEARCH, &json!({"query": "keys"}));
    for value in ["", "alice", "group:eng", "user:a; user:b", "user:*", "user:a; group:x; group:y", "everyone"] {
        Code(400, "malformed_header").check(&search(&gateway.acting_as(value)), value);
    }
    let many: Vec<String> = (0..10_001).map(|number| format!("group:{number}")).collect();
    let answer = search(&gateway.acting_as(&format!("user:a; {}", many.join(", "))));
    assert!(matches!(answer.status, 400 | 431), "{}", answer.text());
    let token = gateway.with("ringfence-on-behalf-of", "e30.e30.e30").acting_as("user:a");
    Code(400, "malformed_header").check(&search(&token), "both headers");
    Code(403, "missing_scope").check(&search(&gateway.with("ringfence-on-behalf-of", "e30.e30.e30")), "no scope `act`");
    let plain = fixture.tenant.service("plain", &["search"]);
    Code(403, "missing_scope").check(&search(&plain.acting_as("user:a")), "no scope `assert`");
    Code(403, "subject_required").check(&search(&plain), "a service that names nobody");
}
