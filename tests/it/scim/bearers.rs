//! What a user's standing means: who is deactivated or deleted is refused at once, and who bears a name anew inherits nothing.

use serde_json::json;

use super::{assert_refused, count, delete, get, group, id, patch, send, set_active, user};
use crate::harness::{Caller, SECOND, Server, Tenant, claims, document_path, issuer, mint, task_token};
use ringfence_indexes::Timestamp;

/// Everybody who is or speaks for alice.
fn ways(server: &Server, tenant: &Tenant) -> Vec<(&'static str, Caller)> {
    let token = mint(&claims("alice", &[]));
    let asserts = tenant.service("bot", &["search", "read", "assert"]);
    let acts = tenant.service("app", &["search", "read", "act"]);
    vec![
        ("key", tenant.user("alice", &[])),
        ("token", server.caller(&token)),
        ("as", asserts.acting_as("user:alice")),
        ("exchanged", server.caller(&task_token(&acts, &token, "ttl=600"))),
        ("on behalf", acts.with("ringfence-on-behalf-of", &token)),
    ]
}

fn world() -> (Server, Tenant) {
    let server = Server::start_with(|config, folder| config.issuer.push(issuer(folder, "acme")));
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.text("handbook", "d", "keys are rotated every ninety days", &["user:alice"]);
    (server, tenant)
}

#[test]
fn a_deactivated_user_is_refused_on_every_credential_at_once() {
    let (server, tenant) = world();
    let ways = ways(&server, &tenant);
    let exchanger = tenant.service("exchanger", &["search", "act"]);
    for (way, caller) in &ways {
        assert_eq!(caller.found("rotated"), ["d"], "{way}, before the directory knows her");
    }
    let alice = user(&tenant, "alice");
    for (way, caller) in &ways {
        assert_eq!(caller.found("rotated"), ["d"], "{way}");
    }
    let bad = server.caller("nonsense").get(&document_path("handbook", "d")).expect(401).json()["detail"].clone();
    set_active(&tenant, &alice, false);
    for (way, caller) in &ways {
        let refused = caller.get(&document_path("handbook", "d"));
        assert_eq!((refused.status, &refused.json()["detail"]), (401, &bad), "{way}");
        caller.post("/v1/search", &json!({"query": "rotated"})).expect(401);
    }
    // No token for a task is made for her either.
    let form = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange\
         &subject_token_type=urn:ietf:params:oauth:token-type:jwt&subject_token={}",
        mint(&claims("alice", &[]))
    );
    let media_type = Some("application/x-www-form-urlencoded");
    exchanger.send("POST", "/oauth/token", media_type, Some(form.as_bytes())).expect(400);
    set_active(&tenant, &alice, true);
    for (way, caller) in &ways {
        assert_eq!(caller.found("rotated"), ["d"], "{way}, active again");
    }
    // Another person of the tenant and another tenant's alice are not concerned.
    set_active(&tenant, &alice, false);
    assert!(tenant.user("bo", &[]).found("rotated").is_empty());
    let other = server.tenant("globex");
    other.collection("theirs", &json!({}));
    other.text("theirs", "t", "rotated too", &["user:alice"]);
    assert_eq!(other.user("alice", &[]).found("rotated"), ["t"]);
}

#[test]
fn deactivation_outlives_a_restart() {
    let (mut server, tenant) = world();
    let alice = user(&tenant, "alice");
    let key = tenant.user("alice", &[]);
    set_active(&tenant, &alice, false);
    server.restart();
    key.at(server.address()).get("/v1/collections").expect(401);
    assert_eq!(get(&tenant.admin.at(server.address()), &format!("/Users/{alice}")).expect(200).json()["active"], false);
}

#[test]
fn a_later_bearer_of_a_name_inherits_nothing() {
    let (mut server, tenant) = world();
    tenant.collection(
        "club",
        &json!({
            "readers": ["user:alice"], "writers": ["service:admin"], "default_acl": {"allow": ["user:alice"]},
        }),
    );
    tenant.put("club", "in", &json!({"text": "the club meets on rotated Mondays"})).expect(200);
    let first = user(&tenant, "alice");
    group(&tenant, "board", &[&first]);
    tenant.group("eng", &["user:alice"]);
    tenant.text("handbook", "board", "the board has rotated", &["group:board"]);
    tenant.text("handbook", "eng", "the engineers have rotated", &["group:eng"]);
    tenant.text("handbook", "all", "everybody has rotated", &["everyone"]);
    tenant
        .put(
            "handbook",
            "but",
            &json!({"text": "rotated, but not by alice", "acl": {
                "allow": ["everyone"], "deny": ["user:alice"],
            }}),
        )
        .expect(200);
    let key = tenant.user("alice", &[]);
    let mut before = key.found("rotated");
    before.sort();
    assert_eq!(before, ["all", "board", "d", "eng", "in"]);

    delete(&tenant.admin, &format!("/Users/{first}")).expect(204);
    key.get("/v1/collections").expect(401);
    let old_token = server.caller(&mint(&claims("alice", &[])));
    old_token.get("/v1/collections").expect(401);
    // Nothing is given to a name that nobody bears.
    let made = json!({"tenant": "acme", "kind": "user", "name": "x", "subject": "user:alice", "scopes": ["search"]});
    assert_eq!(server.operator().post("/v1/keys", &made).expect(422).json()["errors"][0]["pointer"], "/subject");
    // What is written for the one who is gone is not for the next one either.
    tenant.text("handbook", "late", "rotated too late", &["user:alice"]);
    tenant.group("eng", &["user:alice", "user:bo"]);

    server.clock.set(Timestamp(server.clock.now().0 + 100 * SECOND));
    let second = user(&tenant, "alice");
    assert_ne!(first, second);
    key.get("/v1/collections").expect(401);
    old_token.get("/v1/collections").expect(401);
    let new_key = tenant.user("alice", &[]);
    assert_eq!(new_key.found("rotated"), ["all"], "a denial holds for every bearer");
    let members = tenant.admin.get("/v1/groups/eng").expect(200).json()["members"].clone();
    assert_eq!(members, json!(["user:bo"]));

    // What is written for her from now on is hers.
    tenant.text("handbook", "new", "newly rotated", &["user:alice"]);
    tenant.group("eng", &["user:alice", "user:bo"]);
    let check = |caller: &Caller| {
        let mut now = caller.found("rotated");
        now.sort();
        assert_eq!(now, ["all", "eng", "new"]);
        caller.get("/v1/collections/club").expect(404);
    };
    check(&new_key);
    // The ACL for her is shown with her name; that for the former alice cannot be written back by accident.
    let acl = |id: &str| {
        let viewer = tenant.user_with("viewer", &json!({"scopes": ["read", "acl"]}));
        tenant.group("viewers", &["user:viewer"]);
        let document = viewer.get(&document_path("handbook", id)).expect(200).json();
        document["acl"]["allow"].clone()
    };
    tenant
        .admin
        .put(&format!("{}/acl", document_path("handbook", "new")), &json!({"allow": ["user:alice", "user:viewer"]}))
        .expect(200);
    assert_eq!(acl("new"), json!(["user:alice", "user:viewer"]));
    let club = tenant.admin.get("/v1/collections/club").expect(200).json();
    assert_eq!(club["readers"], json!(["user:alice;former"]), "{club}");
    tenant.admin.put("/v1/collections/club", &json!({"readers": club["readers"]})).expect(422);

    server.restart();
    check(&new_key.at(server.address()));
    let new_token = {
        let mut claims = claims("alice", &[]);
        claims["iat"] = json!(server.clock.now().0 / SECOND + 1);
        server.clock.set(Timestamp(server.clock.now().0 + 2 * SECOND));
        server.caller(&mint(&claims))
    };
    check(&new_token);
    old_token.at(server.address()).get("/v1/collections").expect(401);
}

#[test]
fn a_renamed_user_keeps_memberships_and_leaves_the_name_behind() {
    let (_server, tenant) = world();
    let alice = user(&tenant, "alice");
    let board = group(&tenant, "board", &[&alice]);
    tenant.text("handbook", "board", "the board has rotated", &["group:board"]);
    let key = tenant.user("alice", &[]);
    let renamed = patch(
        &tenant.admin,
        &format!("/Users/{alice}"),
        &json!([{"op": "replace", "path": "userName", "value": "alicia"}]),
    );
    assert_eq!(renamed.expect(200).json()["userName"], "alicia");
    key.get("/v1/collections").expect(401);
    assert_eq!(tenant.user("alicia", &[]).found("rotated"), ["board"]);
    let members = get(&tenant.admin, &format!("/Groups/{board}")).expect(200).json()["members"].clone();
    assert_eq!(members[0]["value"], alice.as_str());
    // The name is free for another, to whom nothing of it belongs.
    user(&tenant, "alice");
    assert!(tenant.user("alice", &[]).found("rotated").is_empty());
}

#[test]
fn names_that_differ_by_case_are_not_two_users() {
    let (_server, tenant) = world();
    user(&tenant, "Straße");
    let again = |name: &str| send(&tenant.admin, "POST", "/Users", &json!({"userName": name}));
    for name in ["Straße", "straße", "STRASSE", "STRAßE"] {
        assert_refused(&again(name), 409, Some("uniqueness"));
    }
    for name in ["", " a", "a*", "a,b", "a;1", "everyone", "user:a", "a\u{7}"] {
        assert_refused(&again(name), 400, Some("invalidValue"));
    }
    assert_eq!(count(&tenant.admin, "/Users", "userName eq \"STRASSE\""), 1);
    let other = id(&again("other").expect(201));
    let operations = json!([{"op": "replace", "value": {"userName": "STRASSE"}}]);
    assert_refused(&patch(&tenant.admin, &format!("/Users/{other}"), &operations), 409, Some("uniqueness"));
    assert_eq!(get(&tenant.admin, &format!("/Users/{other}")).expect(200).json()["userName"], "other");
}

#[test]
fn only_known_users_may_ask_where_the_tenant_says_so() {
    let (server, tenant) = world();
    let (stranger, program) = (tenant.user("stranger", &[]), tenant.service("bot", &["search", "read_as_service"]));
    user(&tenant, "alice");
    let alice = tenant.user("alice", &[]);
    tenant.admin.put("/v1/directory", &json!({"users": "known"})).expect(200);
    stranger.get("/v1/collections").expect(401);
    program.get("/v1/collections").expect(200);
    assert_eq!(alice.found("rotated"), ["d"]);
    server.caller(&mint(&claims("mallory", &[]))).get("/v1/collections").expect(401);
    assert_eq!(tenant.admin.get("/v1/directory").expect(200).json(), json!({"users": "known"}));
    tenant.admin.put("/v1/directory", &json!({"users": "some"})).expect(422);
    tenant.admin.put("/v1/directory", &json!({"users": "any"})).expect(200);
    stranger.get("/v1/collections").expect(200);
}

/// Two tenants with the same identity provider's ids never meet.
#[test]
fn tenants_do_not_see_each_others_directories() {
    let (server, tenant) = world();
    let other = server.tenant("globex");
    let (alice, board) = (user(&tenant, "alice"), group(&tenant, "board", &[]));
    assert_eq!(count(&other.admin, "/Users", "id pr"), 0);
    for path in [format!("/Users/{alice}"), format!("/Groups/{board}"), "/Users/absent".to_owned()] {
        let absent = get(&other.admin, "/Users/0123").expect(404);
        assert_eq!(get(&other.admin, &path).expect(404).body, absent.body);
        assert_eq!(delete(&other.admin, &path).expect(404).body, absent.body);
        assert_refused(&patch(&other.admin, &path, &json!([{"op": "remove", "path": "externalId"}])), 404, None);
    }
    let stolen = json!({"displayName": "x", "members": [{"value": alice}]});
    assert_refused(&send(&other.admin, "POST", "/Groups", &stolen), 400, Some("invalidValue"));
    user(&other, "alice");
    group(&other, "board", &[]);
    for caller in [tenant.user("ann", &[]), tenant.service("bot", &["search", "keys", "explain"])] {
        assert_refused(&get(&caller, "/Users"), 403, None);
        assert_refused(&get(&caller, &format!("/Users/{alice}")), 403, None);
        assert_refused(&delete(&caller, "/Groups/absent"), 403, None);
    }
    assert_refused(&get(&server.nobody(), "/Users"), 401, None);
}
