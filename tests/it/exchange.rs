//! Tokens for a task over HTTP: what they read, how they are narrowed, and how they end.

use std::{collections::BTreeSet, path::Path};

use ringfence::{authn::Caveat, authz::Scopes, config::Config};
use ringfence_indexes::{CollectionId, TenantId, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, NOW, SECOND, Server, Tenant, claims, document_path, issuer, merged, mint};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

struct World {
    server: Server,
    tenant: Tenant,
    application: Caller,
    application_id: String,
}

impl World {
    fn start() -> Self {
        Self::with(|_, _| {})
    }

    fn with(configure: impl FnOnce(&mut Config, &Path)) -> Self {
        let server = Server::start_with(|config, folder| {
            config.issuer.push(issuer(folder, "acme"));
            config.issuer[0].scopes = ["search", "read", "explain", "keys"].map(str::to_owned).to_vec();
            configure(config, folder);
        });
        let tenant = server.tenant("acme");
        // Different texts: of near duplicates a search gives one.
        for (collection, place) in [("handbook", "in the vault of the bank"), ("wiki", "by whoever is on call tonight")]
        {
            tenant.collection(collection, &json!({}));
            tenant.text(collection, "open", &format!("keys are rotated {place}"), &["everyone"]);
            let ninety = format!("every ninety days engineers have signing keys rotated, {place}");
            tenant.text(collection, "eng", &ninety, &["group:eng"]);
            tenant.text(collection, "boss", "the boss rotates keys", &["user:boss"]);
        }
        let form = json!({
            "kind": "agent", "name": "helper", "subject": "service:helper",
            "scopes": ["search", "read", "act", "keys", "read_as_service"], "collections": ["handbook", "wiki"],
        });
        let key = tenant.key(&form);
        Self { server, tenant, application: key.caller, application_id: key.id }
    }

    /// Exchanges Alice's token.
    fn exchange(&self, further: &[(&str, &str)]) -> Answer {
        self.exchange_for(&mint(&merged(claims("alice", &["eng"]), &json!({"jti": "j1"}))), JWT, further)
    }

    fn exchange_for(&self, token: &str, kind: &str, further: &[(&str, &str)]) -> Answer {
        let mut pairs = vec![("grant_type", GRANT), ("subject_token", token), ("subject_token_type", kind)];
        pairs.extend(further);
        send(&self.application, &pairs)
    }

    fn token(&self, further: &[(&str, &str)]) -> Caller {
        self.server.caller(&access_token(&self.exchange(further).expect(200)))
    }
}

fn send(caller: &Caller, pairs: &[(&str, &str)]) -> Answer {
    let mut form = reqwest::Url::parse("http://localhost/").unwrap();
    form.query_pairs_mut().extend_pairs(pairs);
    let body = form.query().unwrap().to_owned();
    caller.send("POST", "/oauth/token", Some("application/x-www-form-urlencoded"), Some(body.as_bytes()))
}

fn access_token(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// What a search finds, as `collection/document`, sorted.
fn found(caller: &Caller) -> Vec<String> {
    let answer = caller.search(&json!({"query": "rotated keys", "top_k": 100, "format": "none"}));
    let hits = answer["results"].as_array().unwrap().iter();
    let text = |hit: &Value, name: &str| hit[name].as_str().unwrap().to_owned();
    hits.map(|hit| format!("{}/{}", text(hit, "collection"), text(hit, "document_id")))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

#[test]
fn a_token_reads_what_its_person_may_within_the_application() {
    let world = World::start();
    let answer = world.exchange(&[]).expect(200);
    let body = answer.json();
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(body["issued_token_type"], ACCESS);
    assert_eq!((body["token_type"].as_str(), body["expires_in"].as_i64()), (Some("Bearer"), Some(900)));
    // What both have, without what would outlive the token or be somebody else.
    assert_eq!(body["scope"], "search read");
    let token = world.server.caller(&access_token(&answer));
    assert_eq!(found(&token), ["handbook/eng", "handbook/open", "wiki/eng", "wiki/open"]);
    token.get(&document_path("handbook", "eng")).expect(200);
    token.get(&document_path("handbook", "boss")).expect(404);
    token.put("/v1/collections/x", &json!({})).expect(403);
    // It names a person already.
    token.acting_as("user:boss").post("/v1/search", &json!({"query": "keys"})).expect(403);
    token.with("ringfence-on-behalf-of", &mint(&claims("bo", &[]))).get("/v1/collections").expect(403);
}

#[test]
fn a_token_is_narrowed_as_asked() {
    let world = World::start();
    let token = world.token(&[("collections", "wiki"), ("scope", "search"), ("max_results", "1"), ("ttl", "60")]);
    assert_eq!(found(&token).len(), 1);
    assert!(found(&token)[0].starts_with("wiki/"));
    token.get(&document_path("wiki", "eng")).expect(403);
    world.server.clock.set(Timestamp(NOW.0 + 59 * SECOND));
    token.post("/v1/search", &json!({"query": "keys"})).expect(200);
    world.server.clock.set(Timestamp(NOW.0 + 60 * SECOND));
    token.post("/v1/search", &json!({"query": "keys"})).expect(401);
}

#[test]
fn lists_have_as_many_entries_as_the_token_allows() {
    let world = World::start();
    let token = world.token(&[("max_results", "1"), ("scope", "read search")]);
    let page = token.get("/v1/collections/wiki/documents?limit=50").expect(200).json();
    assert_eq!(page["documents"].as_array().unwrap().len(), 1);
    assert!(page["next_cursor"].is_string(), "{page}");
}

#[test]
fn a_budget_is_counted_in_requests_and_children_spend_their_parents() {
    let world = World::start();
    let parent = world.token(&[("budget", "3")]);
    let child = Caveat { budget: Some(1), ..Caveat::default() }.append(parent.credential()).unwrap();
    let child = world.server.caller(&child);
    child.get("/v1/collections").expect(200);
    child.get("/v1/collections").expect(401);
    // A sibling with a budget of its own spends of the same parent.
    let online = world.exchange_for(parent.credential(), ACCESS, &[("budget", "5")]).expect(200);
    let online = world.server.caller(&access_token(&online));
    online.get("/v1/collections").expect(200);
    parent.get("/v1/collections").expect(200);
    parent.get("/v1/collections").expect(401);
    online.get("/v1/collections").expect(401);
}

#[test]
fn an_earlier_token_is_narrowed_and_never_widened() {
    let world = World::start();
    let parent = world.token(&[("collections", "handbook"), ("ttl", "100"), ("purpose", "answer a ticket")]);
    let child = |further: &[(&str, &str)]| world.exchange_for(parent.credential(), ACCESS, further);
    let narrow = child(&[("scope", "search"), ("ttl", "900")]).expect(200);
    assert_eq!(narrow.json()["expires_in"], 100);
    assert_eq!(narrow.json()["scope"], "search");
    assert_eq!(found(&world.server.caller(&access_token(&narrow))), ["handbook/eng", "handbook/open"]);
    for (further, error) in [
        (("collections", "wiki"), "invalid_request"),
        (("collections", "handbook wiki"), "invalid_request"),
        (("scope", "search read explain"), "invalid_scope"),
        (("purpose", "marketing"), "invalid_request"),
    ] {
        assert_eq!(child(&[further]).expect(400).json()["error"], error, "{further:?}");
    }
    child(&[("purpose", "answer a ticket")]).expect(200);
    // Another application's token is nobody else's to narrow.
    let other = world.tenant.service("other", &["search", "act"]);
    let pairs = [("grant_type", GRANT), ("subject_token", parent.credential()), ("subject_token_type", ACCESS)];
    assert_eq!(send(&other, &pairs).expect(400).json()["error"], "invalid_request");
}

#[test]
fn whoever_holds_a_token_narrows_it_alone() {
    let world = World::start();
    let parent = world.token(&[]);
    let all = found(&parent);
    let ids = |names: &[&str]| Some(names.iter().map(|name| CollectionId::new(name).unwrap()).collect());
    for (caveat, expected) in [
        (Caveat { collections: ids(&["wiki"]), ..Caveat::default() }, vec!["wiki/eng", "wiki/open"]),
        (Caveat { collections: ids(&["wiki", "hr"]), ..Caveat::default() }, vec!["wiki/eng", "wiki/open"]),
        (Caveat { collections: ids(&[]), ..Caveat::default() }, vec![]),
        (
            Caveat { scopes: Some(Scopes::from_names(["search", "ingest", "pii:read"]).unwrap()), ..Caveat::default() },
            all.iter().map(String::as_str).collect(),
        ),
    ] {
        let child = world.server.caller(&caveat.append(parent.credential()).unwrap());
        assert_eq!(found(&child), expected, "{caveat:?}");
        child.put("/v1/collections/x", &json!({})).expect(403);
    }
    let past = Caveat { expires_at: Some(Timestamp(NOW.0 - SECOND)), ..Caveat::default() };
    world.server.caller(&past.append(parent.credential()).unwrap()).get("/v1/collections").expect(401);
}

#[test]
fn a_token_ends_with_the_key_the_user_and_the_subject() {
    let world = World::start();
    let ends = |end: &dyn Fn(), what: &str| {
        let token = world.token(&[]);
        token.get("/v1/collections").expect(200);
        end();
        assert_eq!(token.get("/v1/collections").status, 401, "{what}");
        assert_eq!(world.exchange_for(token.credential(), ACCESS, &[]).status / 100, 4, "{what}: nor is it narrowed");
    };
    ends(
        &|| {
            world
                .tenant
                .admin
                .post("/v1/revocations", &json!({"issuer": "https://issuer.test", "jti": "j1"}))
                .expect(201);
        },
        "the user's token is revoked",
    );
    world.exchange(&[]).expect(400);
    let fresh = mint(&claims("alice", &["eng"]));
    let token = access_token(&world.exchange_for(&fresh, JWT, &[]).expect(200));
    world.server.clock.set(Timestamp(NOW.0 + SECOND));
    world.tenant.admin.post("/v1/revocations", &json!({"subject": "user:alice"})).expect(201);
    world.server.caller(&token).get("/v1/collections").expect(401);
    // Issued since: taken again.
    let later =
        mint(&merged(claims("alice", &["eng"]), &json!({"iat": NOW.0 / SECOND + 2, "nbf": NOW.0 / SECOND + 2})));
    world.server.clock.set(Timestamp(NOW.0 + 3 * SECOND));
    let token = access_token(&world.exchange_for(&later, JWT, &[]).expect(200));
    world.server.caller(&token).get("/v1/collections").expect(200);
    world.tenant.admin.post(&format!("/v1/keys/{}/rotate", world.application_id), &json!({})).expect(200);
    world.server.caller(&token).get("/v1/collections").expect(401);
}

#[test]
fn a_token_ends_with_its_own_revocation_and_survives_a_restart() {
    let mut world = World::start();
    let free = world.token(&[]);
    let counted = world.token(&[("budget", "5")]);
    let id = {
        let log = std::fs::read_to_string(world.server.app().audit.path(Some(&acme()))).unwrap();
        let line = log.lines().find(|line| line.contains("token.exchange")).unwrap();
        serde_json::from_str::<Value>(line).unwrap()["resource"].as_str().unwrap().to_owned()
    };
    world.server.restart();
    let address = world.server.address();
    free.at(address).get("/v1/collections").expect(200);
    // What it had spent is not known any more.
    counted.at(address).get("/v1/collections").expect(401);
    let admin = world.tenant.admin.at(address);
    admin.post("/v1/revocations", &json!({"issuer": "ringfence", "jti": id})).expect(201);
    free.at(address).get("/v1/collections").expect(401);
    world.server.restart();
    free.at(world.server.address()).get("/v1/collections").expect(401);
}

fn acme() -> TenantId {
    TenantId::new("acme").unwrap()
}

#[test]
fn refusals_are_problems_with_the_name_that_oauth_has_for_them() {
    let world = World::start();
    let good = mint(&claims("alice", &["eng"]));
    let pairs = |changes: &[(&'static str, Option<&str>)]| {
        let mut pairs = vec![
            ("grant_type", GRANT.to_owned()),
            ("subject_token", good.clone()),
            ("subject_token_type", JWT.to_owned()),
        ];
        for (name, value) in changes {
            pairs.retain(|(own, _)| own != name);
            pairs.extend(value.map(|value| (*name, value.to_owned())));
        }
        pairs
    };
    let check = |changes: &[(&'static str, Option<&str>)], error: &str| {
        let pairs = pairs(changes);
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = send(&world.application, &pairs).expect(400);
        let body = answer.json();
        assert_eq!(body["error"], error, "{changes:?}: {body}");
        assert_eq!((body["status"].as_i64(), body["code"].as_str()), (Some(400), Some("invalid_exchange")));
        assert!(body["error_description"].is_string() && body["request_id"].is_string());
    };
    check(&[("grant_type", Some("client_credentials"))], "unsupported_grant_type");
    check(&[("grant_type", None)], "invalid_request");
    check(&[("subject_token", None)], "invalid_request");
    check(&[("subject_token", Some("nonsense"))], "invalid_request");
    check(&[("subject_token_type", Some("urn:ietf:params:oauth:token-type:saml2"))], "invalid_request");
    check(&[("requested_token_type", Some(JWT))], "invalid_request");
    check(&[("scope", Some("search root"))], "invalid_scope");
    check(&[("scope", Some("ingest"))], "invalid_scope");
    check(&[("scope", Some("act"))], "invalid_scope");
    check(&[("collections", Some("hr"))], "invalid_request");
    check(&[("collections", Some("../x"))], "invalid_request");
    check(&[("max_results", Some("0"))], "invalid_request");
    check(&[("ttl", Some("x"))], "invalid_request");
    check(&[("budget", Some("-1"))], "invalid_request");
    check(&[("purpose", Some("two\nlines"))], "invalid_request");
    check(&[("audience", Some("elsewhere"))], "invalid_target");
    check(&[("max_result", Some("1"))], "invalid_request");
    let twice = [("grant_type", GRANT), ("grant_type", GRANT), ("subject_token", &good), ("subject_token_type", JWT)];
    assert_eq!(send(&world.application, &twice).expect(400).json()["error"], "invalid_request");
    let other = mint(&merged(claims("alice", &[]), &json!({"exp": NOW.0 / SECOND - 100})));
    check(&[("subject_token", Some(&other))], "invalid_request");
    world.application.post("/oauth/token", &json!({})).expect(415);
    // Who may not exchange at all.
    let pairs = pairs(&[]);
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let plain = world.tenant.service("plain", &["search"]);
    assert_eq!(send(&plain, &pairs).expect(403).json()["error"], "unauthorized_client");
    let user = world.tenant.user_with("kim", &json!({"scopes": ["search", "act"]}));
    assert_eq!(send(&user, &pairs).expect(403).json()["error"], "unauthorized_client");
    send(&world.server.nobody(), &pairs).expect(401);
    send(&world.server.operator(), &pairs).expect(403);
    let token = world.token(&[]);
    send(&token, &pairs).expect(403);
}

#[test]
fn groups_that_are_not_known_are_no_token() {
    let world = World::start();
    let mut unknown = claims("alice", &[]);
    unknown.as_object_mut().unwrap().remove("groups");
    let answer = world.exchange_for(&mint(&unknown), JWT, &[]).expect(403);
    assert_eq!(answer.json()["code"], "groups_unresolved");
}

#[test]
fn the_purpose_is_in_the_audit_log() {
    let world = World::start();
    let token = world.token(&[("purpose", "answer a ticket")]);
    token.post("/v1/search", &json!({"query": "keys"})).expect(200);
    let path = world.server.app().audit.path(Some(&acme()));
    let log = std::fs::read_to_string(path).unwrap();
    let line = log.lines().rfind(|line| line.contains("\"action\":\"search\"")).unwrap();
    let actor = serde_json::from_str::<Value>(line).unwrap()["actor"].clone();
    assert_eq!(actor["purpose"], "answer a ticket");
    assert_eq!(actor["acting_for"], "user:alice");
    assert_eq!(actor["principal"], "service:helper");
    assert!(actor["credential"].as_str().unwrap().starts_with(&world.application_id));
    assert!(!log.contains("rft_"));
}

/// What for is said once, by the application, and a policy may go by it.
#[test]
fn a_policy_goes_by_the_purpose_and_nobody_sets_it_later() {
    let world = World::start();
    let policy =
        "forbid (principal, action, resource) unless { context has purpose && context.purpose == \"ticket\" };";
    world.tenant.admin.put("/v1/policies/purpose", &json!({"text": policy})).expect(200);
    let [ticket, other, silent] = [Some("ticket"), Some("marketing"), None].map(|purpose| match purpose {
        Some(purpose) => world.token(&[("purpose", purpose)]),
        None => world.token(&[]),
    });
    assert_eq!(found(&ticket).len(), 4);
    assert!(found(&other).is_empty() && found(&silent).is_empty());
    let said = Caveat { purpose: Some("ticket".into()), ..Caveat::default() };
    for parent in [&other, &silent] {
        let child = said.append(parent.credential()).unwrap();
        world.server.caller(&child).post("/v1/search", &json!({"query": "keys"})).expect(401);
        world.exchange_for(parent.credential(), ACCESS, &[("purpose", "ticket")]).expect(400);
    }
    assert_eq!(found(&world.server.caller(&said.append(ticket.credential()).unwrap())).len(), 4);
}
