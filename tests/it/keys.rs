//! API keys and revocations over their whole life: rotated with an overlap, deleted, revoked, forgotten.

use ringfence_indexes::Timestamp;
use serde_json::json;

use crate::harness::{NOW, SECOND, Server, claims, issuer, merged, mint};

fn at(server: &Server, seconds: i64) {
    server.clock.set(Timestamp(NOW.0 + seconds * SECOND));
}

#[test]
fn both_secrets_of_a_rotated_key_are_taken_as_long_as_was_said() {
    let mut server = Server::start();
    let tenant = server.tenant("acme");
    let form = json!({"kind": "user", "name": "ann", "subject": "user:ann", "scopes": ["search", "read"]});
    let key = tenant.key(&form);
    let rotate = |overlap: i64| {
        let path = format!("/v1/keys/{}/rotate", key.id);
        tenant.admin.post(&path, &json!({"overlap_seconds": overlap}))
    };
    let admin_rotates = rotate(60).expect(200).json();
    let second = server.caller(admin_rotates["key"].as_str().unwrap());
    assert_eq!(admin_rotates["previous_until"], "2026-11-02T09:01:00Z");
    for caller in [&key.caller, &second] {
        caller.get("/v1/collections").expect(200);
    }
    at(&server, 59);
    key.caller.get("/v1/collections").expect(200);
    // The overlap is in the database too.
    server.restart();
    let address = server.address();
    key.caller.at(address).get("/v1/collections").expect(200);
    at(&server, 60);
    key.caller.at(address).get("/v1/collections").expect(401);
    second.at(address).get("/v1/collections").expect(200);
}

#[test]
fn rotating_again_ends_an_overlap_and_no_overlap_is_the_default() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    let key = tenant.key(&json!({"kind": "user", "name": "ann", "subject": "user:ann", "scopes": ["read"]}));
    let path = format!("/v1/keys/{}/rotate", key.id);
    let second = tenant.admin.post(&path, &json!({"overlap_seconds": 600})).expect(200).json();
    let second = server.caller(second["key"].as_str().unwrap());
    // Without a body, as before there was one.
    let third = tenant.admin.send("POST", &path, None, None).expect(200).json();
    assert!(third["previous_until"].is_null());
    for caller in [&key.caller, &second] {
        caller.get("/v1/collections").expect(401);
    }
    server.caller(third["key"].as_str().unwrap()).get("/v1/collections").expect(200);
    for bad in [json!({"overlap_seconds": 604_801}), json!({"overlap_seconds": -1}), json!({"overlap": 1})] {
        tenant.admin.post(&path, &bad).expect(422);
    }
    tenant.admin.send("POST", &path, Some("text/plain"), Some(b"{}")).expect(415);
}

#[test]
fn the_last_operator_key_that_never_expires_stays() {
    let server = Server::start();
    let operator = server.operator();
    let keys = operator.get("/v1/keys").expect(200).json();
    let first = keys["keys"][0]["id"].as_str().unwrap().to_owned();
    let refused = operator.delete(&format!("/v1/keys/{first}")).expect(409).json();
    assert_eq!(refused["code"], "last_operator_key");
    let form = json!({"kind": "operator", "name": "guest", "expires_at": "2026-12-01T00:00:00Z"});
    operator.post("/v1/keys", &form).expect(201);
    operator.delete(&format!("/v1/keys/{first}")).expect(409);
    let second = operator.post("/v1/keys", &json!({"kind": "operator", "name": "second"})).expect(201).json();
    operator.delete(&format!("/v1/keys/{first}")).expect(204);
    operator.get("/v1/keys").expect(401);
    let second_caller = server.caller(second["key"].as_str().unwrap());
    second_caller.delete(&format!("/v1/keys/{}", second["id"].as_str().unwrap())).expect(409);
    second_caller.get("/v1/keys").expect(200);
}

#[test]
fn revocations_hold_over_a_restart_and_are_forgotten_once_they_are_over() {
    let mut server = Server::start_with(|config, folder| config.issuer = vec![issuer(folder, "acme")]);
    let tenant = server.tenant("acme");
    let token = |jti: &str| mint(&merged(claims("ann", &[]), &json!({"jti": jti})));
    let [one, two] = ["one", "two"].map(|jti| server.caller(&token(jti)));
    one.get("/v1/collections").expect(200);
    let form = json!({"issuer": "https://issuer.test", "jti": "one", "expires_at": "2026-11-02T10:00:00Z"});
    let revoked = tenant.admin.post("/v1/revocations", &form).expect(201);
    assert!(revoked.json()["revision"].is_string());
    one.get("/v1/collections").expect(401);
    two.get("/v1/collections").expect(200);
    server.restart();
    let (one, two, admin) = (one.at(server.address()), two.at(server.address()), tenant.admin.at(server.address()));
    one.get("/v1/collections").expect(401);
    two.get("/v1/collections").expect(200);

    at(&server, 1);
    admin.post("/v1/revocations", &json!({"subject": "user:ann"})).expect(201);
    two.get("/v1/collections").expect(401);
    let list = |limit: usize, cursor: &str| {
        let cursor = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        admin.get(&format!("/v1/revocations?limit={limit}{cursor}")).expect(200).json()
    };
    let first = list(1, "");
    assert_eq!(first["revocations"].as_array().unwrap().len(), 1);
    let second = list(1, first["next_cursor"].as_str().unwrap());
    assert_eq!(second["revocations"].as_array().unwrap().len(), 1);
    assert_ne!(first["revocations"][0]["id"], second["revocations"][0]["id"]);
    assert!(second["next_cursor"].is_null());

    // An earlier moment lets nobody back in.
    let earlier = json!({"subject": "user:ann", "issued_before": "2020-01-01T00:00:00Z"});
    let answer = admin.post("/v1/revocations", &earlier).expect(201).json();
    assert_eq!(answer["issued_before"], "2026-11-02T09:00:01Z");
    two.get("/v1/collections").expect(401);

    // The token has expired by itself: its entry goes with the next that comes.
    at(&server, 3_601);
    admin.post("/v1/revocations", &json!({"subject": "user:bo"})).expect(201);
    let left = list(50, "")["revocations"].as_array().unwrap().clone();
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|entry| entry["jti"].is_null()));
    server.restart();
    assert_eq!(server.app().authenticator.revocations().page(&acme(), None, 9).len(), 2);
}

fn acme() -> ringfence_indexes::TenantId {
    ringfence_indexes::TenantId::new("acme").unwrap()
}

#[test]
fn revocations_that_make_no_sense_are_refused() {
    let server = Server::start_with(|config, folder| config.issuer = vec![issuer(folder, "acme")]);
    let (tenant, other) = (server.tenant("acme"), server.tenant("globex"));
    for bad in [
        json!({}),
        json!({"issuer": "https://issuer.test"}),
        json!({"jti": "one"}),
        json!({"issuer": "https://issuer.test", "jti": ""}),
        json!({"issuer": "https://nobody.example", "jti": "one"}),
        json!({"issuer": "https://issuer.test", "jti": "one", "subject": "user:ann"}),
        json!({"issuer": "https://issuer.test", "jti": "one", "issued_before": "2026-11-02T09:00:00Z"}),
        json!({"subject": "group:eng"}),
        json!({"subject": "ann"}),
        json!({"subject": "user:ann", "issued_before": "2026-11-02T09:00:01Z"}),
        json!({"subject": "user:ann", "issued_before": "yesterday"}),
        json!({"subject": "user:ann", "expires_at": "2026-11-02T09:00:00Z"}),
        json!({"subject": "user:ann", "tenant": "globex"}),
    ] {
        tenant.admin.post("/v1/revocations", &bad).expect(422);
    }
    // Another tenant's list is another list.
    let ann = server.caller(&mint(&claims("ann", &[])));
    other.admin.post("/v1/revocations", &json!({"subject": "user:ann"})).expect(201);
    at(&server, 1);
    ann.get("/v1/collections").expect(200);
    assert_eq!(tenant.admin.get("/v1/revocations").expect(200).json()["revocations"], json!([]));
}
