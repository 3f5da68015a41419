//! Good requests with something wrong put in at random: thousands of them, and not one may fail the server or leave the form of a refusal.

use serde_json::{Value, json};

use super::Fixture;
use crate::{
    harness::{Answer, assert_is_problem, is_deep},
    oracle::Dice,
};

const REQUESTS: usize = 4_000;

/// A request with a JSON body that is good as it stands.
struct Seed {
    method: &'static str,
    path: &'static str,
    body: Value,
}

fn seeds() -> Vec<Seed> {
    let seed = |method, path, body| Seed { method, path, body };
    let acl = json!({
        "allow": ["group:eng", "user:bo"], "deny": ["group:contractors"],
        "require": [{"attribute": "clearance", "at_least": 2}, {"attribute": "region", "in": ["eu", "uk"]}],
        "not_before": "2026-12-01T08:00:00Z", "expires_at": "2027-01-01T00:00:00Z",
    });
    vec![
        seed(
            "POST",
            "/v1/search",
            json!({
                "query": "how are keys rotated", "top_k": 8, "collections": ["plain", "vectors"],
                "filter": {"metadata.lang": "en", "metadata.year": {"gte": 2024, "in": [2024, 2025]}}, "mode": "hybrid",
                "vector": [1, 2, 3, 4], "max_tokens": 2_000, "max_per_document": 3, "format": "delimited", "min_trust": "untrusted",
            }),
        ),
        seed(
            "PUT",
            "/v1/collections/plain/documents/d",
            json!({
                "title": "Keys", "uri": "https://x.example/", "text": "How keys are rotated.", "metadata": {"lang": "en", "year": 2024, "tags": ["a"]}, "acl": acl,
            }),
        ),
        seed(
            "PUT",
            "/v1/collections/vectors/documents/d",
            json!({
                "chunks": [{"text": "one", "vector": [1, 2, 3, 4]}, {"text": "two", "vector": [0.5, -1, 0, 2]}], "acl": acl,
            }),
        ),
        seed("PUT", "/v1/collections/plain/documents/d/acl", acl.clone()),
        seed(
            "PUT",
            "/v1/collections/mutated",
            json!({
                "description": "x", "default_acl": acl, "readers": ["everyone"], "writers": ["service:admin"], "trust": "internal",
                "sanitize": "strip", "redact": ["email"], "retention_days": 30, "accept": ["text/plain"], "embedding": {"source": "client", "dimensions": 4},
            }),
        ),
        seed("PUT", "/v1/groups/eng", json!({"members": ["user:ann", "group:interns"]})),
        seed(
            "POST",
            "/v1/keys",
            json!({
                "kind": "user", "name": "k", "subject": "user:k", "scopes": ["search"], "collections": ["plain"], "groups": [],
                "attributes": {}, "networks": ["127.0.0.0/8"], "expires_at": "2027-01-01T00:00:00Z",
            }),
        ),
    ]
}

/// Values that programs stumble over.
fn strange(dice: &mut Dice) -> Value {
    let texts = [
        "",
        " ",
        "\0",
        "\u{202e}",
        "x",
        "user:",
        "everyone",
        "../../etc",
        "1e400",
        "9999-12-31T23:59:59Z",
        "null",
        "🦀",
    ];
    match dice.roll(16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(0),
        4 => json!(u64::MAX),
        5 => json!(i64::MIN),
        6 => json!(1e308),
        7 => json!(5e-324),
        8 => json!([]),
        9 => json!({}),
        10 => json!([[[[[[[[[[1]]]]]]]]]]),
        11 => json!({"a": {"b": {"c": [null, {"d": 1}]}}}),
        12 => json!("x".repeat(10_000)),
        13 => json!(vec![0.0; 5_000]),
        _ => json!(texts[dice.roll(texts.len())]),
    }
}

/// Changes one place of a value, at any depth.
fn mutate(dice: &mut Dice, value: &mut Value) {
    let goes_deeper = dice.roll(3) > 0;
    match value {
        Value::Object(fields) if goes_deeper && !fields.is_empty() => {
            let name = fields.keys().nth(dice.roll(fields.len())).cloned().unwrap_or_default();
            match dice.roll(8) {
                0 => drop(fields.remove(&name)),
                1 => {
                    let moved = fields.remove(&name).unwrap_or_default();
                    fields.insert(format!("{name}\u{200b}"), moved);
                }
                2 => drop(fields.insert("tenant_id".to_owned(), json!("globex"))),
                _ => mutate(dice, fields.get_mut(&name).expect("just found")),
            }
        }
        Value::Array(values) if goes_deeper && !values.is_empty() => {
            let place = dice.roll(values.len());
            match dice.roll(6) {
                0 => drop(values.remove(place)),
                1 => values.push(values[place].clone()),
                _ => mutate(dice, &mut values[place]),
            }
        }
        _ => *value = strange(dice),
    }
}

/// Breaks the bytes of a body, or leaves them.
fn broken(dice: &mut Dice, body: String) -> Vec<u8> {
    let mut bytes = body.into_bytes();
    match dice.roll(12) {
        0 => bytes.truncate(dice.roll(bytes.len())),
        1 => {
            let place = dice.roll(bytes.len());
            bytes[place] = u8::try_from(dice.roll(256)).expect("a byte");
        }
        2 => bytes.extend_from_slice(b"{}"),
        _ => {}
    }
    bytes
}

#[test]
fn requests_with_something_wrong_are_refused_in_one_form() {
    let fixture = Fixture::new();
    let (mut dice, seeds) = (Dice(77), seeds());
    let (mut taken, mut refused) = (0, 0);
    for number in 0..if is_deep() { REQUESTS * 50 } else { REQUESTS } {
        let seed = &seeds[dice.roll(seeds.len())];
        let mut body = seed.body.clone();
        for _ in 0..=dice.roll(2) {
            mutate(&mut dice, &mut body);
        }
        let bytes = broken(&mut dice, body.to_string());
        let answer = fixture.tenant.admin.send(seed.method, seed.path, Some("application/json"), Some(&bytes));
        let shown = || {
            format!(
                "{number}: {} {} {}",
                seed.method,
                seed.path,
                String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)])
            )
        };
        match answer {
            Answer { status: 200 | 201, .. } => taken += 1,
            Answer { status: 400..500, .. } => {
                refused += 1;
                assert_is_problem(&answer);
                assert!(answer.body.len() < 65_536, "a refusal quotes what was sent: {}", shown());
            }
            _ => panic!("{} {} to {}", answer.status, answer.text(), shown()),
        }
    }
    eprintln!("{taken} taken, {refused} refused");
    assert!(taken > 50 && refused > REQUESTS / 4, "{taken} taken, {refused} refused");
    fixture.server.nobody().get("/healthz").expect(200);
}
