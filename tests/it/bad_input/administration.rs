//! Tenants, keys, groups and collections that are refused.

use serde_json::{Value, json};

use super::{At, Code, Fixture, Refusal};
use crate::harness::merged;

#[test]
fn wrong_tenants_are_refused() {
    let fixture = Fixture::new();
    let operator = fixture.server.operator();
    for (form, expected) in [
        (json!({"name": "x"}), At("/id")),
        (json!({"id": "Bad Name", "name": "x"}), At("/id")),
        (json!({"id": "../x", "name": "x"}), At("/id")),
        (json!({"id": "x".repeat(65), "name": "x"}), At("/id")),
        (json!({"id": "x", "name": "x", "plan": "gold"}), At("/plan")),
        (json!({"id": "acme", "name": "again"}), Code(409, "conflict")),
    ] {
        expected.check(&operator.post("/v1/tenants", &form), &form.to_string());
    }
    let tenants = operator.get("/v1/tenants").expect(200).json();
    assert_eq!(tenants["tenants"].as_array().map(Vec::len), Some(1), "{tenants}");
}

#[test]
fn wrong_keys_are_refused() {
    let fixture = Fixture::new();
    let good = json!({"kind": "service", "name": "k", "subject": "service:k", "scopes": ["search"]});
    for (change, expected) in [
        (json!({"kind": "root"}), At("/kind")),
        (json!({"kind": "operator"}), Code(403, "operator_only")),
        (json!({"scopes": ["fly"]}), At("/scopes/0")),
        (json!({"subject": "everyone"}), At("/subject")),
        (json!({"subject": "bob"}), At("/subject")),
        (json!({"kind": "user", "subject": "service:x"}), At("/subject")),
        (json!({"groups": ["user:x"]}), At("/groups/0")),
        (json!({"collections": ["No Name"]}), At("/collections/0")),
        (json!({"networks": ["10.0.0.0/99"]}), At("/networks/0")),
        (json!({"expires_at": "soon"}), At("/expires_at")),
        (json!({"secret": "mine"}), At("/secret")),
    ] {
        let form = merged(good.clone(), &change);
        let answer = fixture.tenant.admin.post("/v1/keys", &form);
        // A tenant's key cannot make an operator's; whether that is a wrong field or a missing right is the server's to say.
        if change["kind"] == "operator" {
            assert!(matches!(answer.status, 403 | 422), "{}", answer.text());
        } else {
            expected.check(&answer, &form.to_string());
        }
    }
    let keys = fixture.tenant.admin.get("/v1/keys").expect(200).json();
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1), "{keys}");
}

#[test]
fn a_key_is_never_wider_than_its_maker() {
    let fixture = Fixture::new();
    let narrow = json!({
        "kind": "service", "name": "maker", "subject": "service:maker", "scopes": ["keys", "search"],
        "collections": ["plain"], "networks": ["127.0.0.0/8"], "expires_at": "2026-12-01T00:00:00Z",
    });
    let maker = fixture.tenant.key(&narrow).caller;
    let good = merged(narrow, &json!({"name": "made"}));
    maker.post("/v1/keys", &good).expect(201);
    for change in [
        json!({"scopes": ["search", "ingest"]}),
        json!({"scopes": ["search", "assert"]}),
        json!({"collections": null}),
        json!({"collections": ["plain", "strict"]}),
        json!({"networks": null}),
        json!({"networks": ["0.0.0.0/0"]}),
        json!({"expires_at": null}),
        json!({"expires_at": "2027-01-01T00:00:00Z"}),
        json!({"tenant": "globex"}),
    ] {
        let answer = maker.post("/v1/keys", &merged(good.clone(), &change));
        assert_eq!(answer.status, 403, "{change}: {}", answer.text());
        crate::harness::assert_is_problem(&answer);
    }
}

#[test]
fn wrong_groups_are_refused() {
    let fixture = Fixture::new();
    let check = |path: &str, form: Value, expected: Refusal| {
        expected.check(&fixture.tenant.admin.put(path, &form), &form.to_string());
    };
    check("/v1/groups/eng", json!({"members": ["alice"]}), At("/members/0"));
    check("/v1/groups/eng", json!({"members": "user:alice"}), At("/members"));
    check("/v1/groups/eng", json!({}), At("/members"));
    check("/v1/groups/eng", json!({"members": [], "owner": "x"}), At("/owner"));
    Code(404, "not_found").check(&fixture.tenant.admin.get("/v1/groups/eng"), "nothing was made");
    Code(404, "not_found").check(&fixture.tenant.admin.delete("/v1/groups/eng"), "nothing to delete");
}

#[test]
fn wrong_collections_are_refused() {
    let fixture = Fixture::new();
    for (settings, expected) in [
        (json!({"colour": "red"}), At("/colour")),
        (json!({"trust": "total"}), At("/trust")),
        (json!({"sanitize": "off"}), At("/sanitize")),
        (json!({"readers": ["bob"]}), At("/readers/0")),
        (json!({"writers": "user:bob"}), At("/writers")),
        (json!({"default_acl": {"alow": []}}), At("/default_acl/alow")),
        (json!({"retention_days": 0}), At("/retention_days")),
        (json!({"retention_days": -1}), At("/retention_days")),
        (json!({"embedding": {"source": "magic"}}), Code(422, "invalid_fields")),
        (json!({"embedding": {"source": "client"}}), Code(422, "invalid_fields")),
        (json!({"embedding": {"source": "client", "dimensions": 0}}), Code(422, "invalid_fields")),
        (json!({"embedding": {"source": "client", "dimensions": 1_000_000}}), Code(422, "invalid_fields")),
    ] {
        expected.check(&fixture.tenant.admin.put("/v1/collections/new", &settings), &settings.to_string());
    }
    Code(404, "not_found").check(&fixture.tenant.admin.get("/v1/collections/new"), "nothing was made");
}
