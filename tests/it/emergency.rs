//! Emergency grants over HTTP: what one opens and to whom, what it cannot lift, when it is over, and that everybody else gets the same bytes.

use std::fs;

use ringfence_indexes::{TenantId, Timestamp};
use serde_json::{Value, json};

use crate::{
    harness::{Answer, Caller, NOW, SECOND, Server, Tenant, assert_points_at, assert_refused, document_path, merged},
    oracle::Dice,
};

const WORD: &str = "quuxberry";
const GRANTS: &str = "/v1/emergency-grants";
const MINUTE: i64 = 60 * SECOND;

/// A collection that only the payroll team reads, one that everybody reads with a closed document in it, and somebody with the right to break the glass.
fn world(server: &Server) -> (Tenant, Caller, Caller) {
    let tenant = server.tenant("acme");
    tenant.collection("payroll", &json!({"readers": ["group:payroll"]}));
    tenant.collection("wiki", &json!({}));
    tenant.text("payroll", "run-may", &format!("the {WORD} of the run in May"), &["group:payroll"]);
    tenant.text("payroll", "run-june", &format!("what the run in June says of {WORD}"), &["group:payroll"]);
    tenant.text("payroll", "bank", &format!("a {WORD} for the bank alone"), &["group:payroll"]);
    tenant.text("wiki", "open", &format!("everybody knows {WORD}"), &["everyone"]);
    tenant.text("wiki", "closed", &format!("few know that {WORD}"), &["user:boss"]);
    let alice = tenant.user_with("alice", &json!({"scopes": ["search", "read", "break_glass"]}));
    let bob = tenant.user("bob", &[]);
    (tenant, alice, bob)
}

fn time(micros: i64) -> String {
    ringfence::acl_form::format_time(Timestamp(micros))
}

fn grant(collection: &str, further: &Value) -> Value {
    let form =
        json!({"collection": collection, "reason": "INC-1: payroll fails", "expires_at": time(NOW.0 + 60 * MINUTE)});
    merged(form, further)
}

fn declared(caller: &Caller, form: &Value) -> String {
    let answer = caller.post(GRANTS, form).expect(201).json();
    answer["id"].as_str().expect("an id").to_owned()
}

fn found(caller: &Caller) -> Vec<String> {
    let answer = caller.search(&json!({"query": WORD, "top_k": 50}));
    let hits = answer["results"].as_array().expect("results");
    let name =
        |hit: &Value| format!("{}/{}", hit["collection"].as_str().unwrap(), hit["document_id"].as_str().unwrap());
    let mut names: Vec<String> = hits.iter().map(name).collect();
    names.sort();
    names
}

fn records(server: &Server, action: &str) -> Vec<Value> {
    let path = server.app().audit.path(Some(&TenantId::new("acme").unwrap()));
    let text = fs::read_to_string(path).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record is JSON"));
    records.filter(|record| record["action"] == action).collect()
}

/// What somebody is told, without what differs between any two answers.
fn told(caller: &Caller) -> Vec<(u16, Value)> {
    let clean = |answer: &Answer| {
        let mut body = serde_json::from_slice::<Value>(&answer.body).unwrap_or(Value::Null);
        for field in ["request_id", "took_ms", "revision"] {
            if let Some(found) = body.get_mut(field) {
                *found = Value::Null;
            }
        }
        (answer.status, body)
    };
    let mut all = vec![clean(&caller.post("/v1/search", &json!({"query": WORD, "top_k": 50, "format": "none"})))];
    let paths = ["/v1/collections", "/v1/collections/payroll", "/v1/collections/payroll/documents"];
    all.extend(paths.iter().map(|path| clean(&caller.get(path))));
    let places = [("payroll", "run-may"), ("payroll", "bank"), ("wiki", "open"), ("wiki", "closed")];
    all.extend(places.iter().map(|(collection, id)| clean(&caller.get(&document_path(collection, id)))));
    all
}

#[test]
fn a_grant_opens_what_it_names_to_its_holder_and_is_recorded() {
    let server = Server::start();
    let (tenant, alice, bob) = world(&server);
    let before = told(&bob);
    assert_eq!(found(&alice), ["wiki/open"]);
    alice.get("/v1/collections/payroll").expect(404);
    let form = grant("payroll", &json!({"documents": "run-*"}));
    let answer = alice.post(GRANTS, &form).expect(201).json();
    let id = answer["id"].as_str().unwrap();
    assert_eq!((&answer["principal"], &answer["state"]), (&json!("user:alice"), &json!("in_force")), "{answer}");
    assert!(answer["revision"].as_str().is_some_and(|revision| !revision.is_empty()));

    assert_eq!(found(&alice), ["payroll/run-june", "payroll/run-may", "wiki/open"]);
    alice.get("/v1/collections/payroll").expect(200);
    let list = alice.get("/v1/collections/payroll/documents").expect(200).json();
    assert_eq!(list["documents"].as_array().map(Vec::len), Some(2), "{list}");
    alice.get(&document_path("payroll", "run-may")).expect(200);
    alice.get(&document_path("payroll", "bank")).expect(404);
    // What comes while it is in force is covered, too.
    tenant.text("payroll", "run-july", &format!("a later {WORD}"), &["group:payroll"]);
    alice.get(&document_path("payroll", "run-july")).expect(200);
    tenant.admin.delete(&document_path("payroll", "run-july")).expect(204);
    assert_eq!(told(&bob), before, "nobody else sees anything of it");

    let [declaration] = &records(&server, "emergency.declare")[..] else { panic!("one declaration") };
    let resource = declaration["resource"].as_str().unwrap();
    for part in [id, "user:alice", "payroll/run-*", "INC-1: payroll fails"] {
        assert!(resource.contains(part), "{resource}");
    }
    let uses = records(&server, "emergency.read");
    assert_eq!(uses.len(), 5, "a search, a collection, a list and two readings: {uses:#?}");
    assert!(uses.iter().all(|record| record["resource"] == id && record["actor"]["principal"] == "user:alice"));
    assert_eq!(uses[0]["documents"].as_array().map(Vec::len), Some(2), "the open one needs no grant: {}", uses[0]);
}

#[test]
fn a_grant_lifts_no_denial_requirement_window_policy_or_mask() {
    let server = Server::start();
    let (tenant, alice, _bob) = world(&server);
    let put = |id: &str, acl: Value| {
        let text = format!("{id} tells of {WORD}, ask jane.roe@example.com or 4111 1111 1111 1111");
        tenant.put("payroll", id, &json!({"text": text, "acl": acl})).expect(200);
    };
    put("denied", json!({"allow": ["group:payroll"], "deny": ["user:alice"]}));
    put("denied-group", json!({"allow": ["group:payroll"], "deny": ["group:contractors"]}));
    put("cleared", json!({"allow": ["group:payroll"], "require": [{"attribute": "clearance", "at_least": 2}]}));
    put("later", json!({"allow": ["group:payroll"], "not_before": time(NOW.0 + 600 * MINUTE)}));
    put("plain", json!({"allow": ["group:payroll"]}));
    tenant.group("contractors", &["user:alice"]);
    declared(&alice, &grant("payroll", &json!({})));
    let all = ["payroll/bank", "payroll/plain", "payroll/run-june", "payroll/run-may", "wiki/open"];
    assert_eq!(found(&alice), all);
    let shown = alice.get(&document_path("payroll", "plain")).expect(200).text();
    assert!(!shown.contains("4111 1111"), "{shown}");

    // A policy that forbids is made in the middle of it and holds at once; so does one that looks at the request.
    let forbid = json!({"text": "forbid (principal, action, resource in Collection::\"payroll\");"});
    tenant.admin.put("/v1/policies/closed", &forbid).expect(200);
    assert_eq!(found(&alice), ["wiki/open"]);
    let forbid =
        json!({"text": "forbid (principal, action, resource in Collection::\"payroll\") when { context.hour == 9 };"});
    tenant.admin.put("/v1/policies/closed", &forbid).expect(200);
    assert_eq!(found(&alice), ["wiki/open"]);
    tenant.admin.delete("/v1/policies/closed").expect(204);
    assert_eq!(found(&alice), all);

    // Reading is all that it gives: what somebody changes they read of right.
    let writer = tenant.user_with("alice", &json!({"scopes": ["read", "ingest", "acl"]}));
    writer.get(&document_path("payroll", "plain")).expect(200);
    let absent = writer.put(&format!("{}/acl", document_path("payroll", "absent")), &json!({"allow": ["everyone"]}));
    let opened = writer.put(&format!("{}/acl", document_path("payroll", "plain")), &json!({"allow": ["everyone"]}));
    assert_eq!((absent.status, opened.status), (404, 404));
    writer.delete(&document_path("payroll", "plain")).expect(404);
    // A credential that is limited to another collection stays limited.
    let limited = tenant.user_with("alice", &json!({"collections": ["wiki"]}));
    assert_eq!(found(&limited), ["wiki/open"]);
    // What may be said where others listen is what they read of right.
    let asked = json!({"query": WORD, "top_k": 50, "audience": ["user:alice"]});
    let heard = alice.search(&asked);
    assert_eq!(heard["results"].as_array().map(Vec::len), Some(1), "{heard}");
}

#[test]
fn a_grant_is_over_when_it_ends_and_when_it_is_ended() {
    let mut server = Server::start();
    let (tenant, alice, _bob) = world(&server);
    let id = declared(&alice, &grant("payroll", &json!({"documents": "bank"})));
    let other = declared(&alice, &grant("wiki", &json!({"expires_at": time(NOW.0 + 240 * MINUTE)})));
    assert_eq!(found(&alice), ["payroll/bank", "wiki/closed", "wiki/open"]);
    let (alice, admin) = (alice.credential().to_owned(), tenant.admin.credential().to_owned());
    server.restart();
    let (alice, admin) = (server.caller(&alice), server.caller(&admin));
    assert_eq!(found(&alice), ["payroll/bank", "wiki/closed", "wiki/open"], "it survives a restart");
    server.clock.set(Timestamp(NOW.0 + 60 * MINUTE - 1));
    assert_eq!(found(&alice).len(), 3);
    server.clock.set(Timestamp(NOW.0 + 60 * MINUTE));
    assert_eq!(found(&alice), ["wiki/closed", "wiki/open"], "it ends on time");
    alice.get("/v1/collections/payroll").expect(404);
    admin.delete(&format!("{GRANTS}/{other}")).expect(204);
    assert_eq!(found(&alice), ["wiki/open"]);
    admin.delete(&format!("{GRANTS}/{other}")).expect(204);
    admin.delete(&format!("{GRANTS}/{id}")).expect(204);
    let list = admin.get(GRANTS).expect(200).json();
    let states: Vec<_> = list["grants"].as_array().unwrap().iter().map(|grant| grant["state"].clone()).collect();
    assert_eq!(states, ["ended", "expired"], "the newest first: {list}");
    assert_eq!(list["grants"][0]["ended_by"], "service:admin");
    let credentials = (alice.credential().to_owned(), admin.credential().to_owned());
    server.restart();
    assert_eq!(found(&server.caller(&credentials.0)), ["wiki/open"], "what was ended stays so");
    assert_eq!(server.caller(&credentials.1).get(GRANTS).expect(200).json(), list);
}

#[test]
fn who_may_declare_see_and_end() {
    let server = Server::start();
    let (tenant, alice, bob) = world(&server);
    let other = server.tenant("globex");
    assert_refused(&bob.post(GRANTS, &grant("payroll", &json!({}))), 403, "missing_scope");
    assert_refused(&bob.get(GRANTS), 403, "missing_scope");
    let for_bob = grant("payroll", &json!({"principal": "user:bob"}));
    assert_points_at(&alice.post(GRANTS, &for_bob), "/principal");
    let pager = tenant.service("pager", &["break_glass"]);
    assert_points_at(&pager.post(GRANTS, &grant("payroll", &json!({}))), "/principal");
    let bobs = declared(&pager, &for_bob);
    assert_eq!(found(&bob).len(), 4);
    // Who may not know of it does not.
    let absent = alice.get(&format!("{GRANTS}/absent"));
    for answer in [alice.get(&format!("{GRANTS}/{bobs}")), alice.delete(&format!("{GRANTS}/{bobs}"))] {
        let without_id = |answer: &Answer| merged(answer.json(), &json!({"request_id": null}));
        assert_eq!((answer.status, without_id(&answer)), (404, without_id(&absent)));
    }
    assert_eq!(alice.get(GRANTS).expect(200).json()["grants"], json!([]));
    other.admin.get(&format!("{GRANTS}/{bobs}")).expect(404);
    other.admin.delete(&format!("{GRANTS}/{bobs}")).expect(404);
    assert_eq!(other.admin.get(GRANTS).expect(200).json()["grants"], json!([]));
    let auditor = tenant.service("auditor", &["audit"]);
    assert_eq!(auditor.get(GRANTS).expect(200).json()["grants"][0]["id"], json!(bobs));
    assert_refused(&auditor.delete(&format!("{GRANTS}/{bobs}")), 403, "missing_scope");

    let operator = server.operator();
    assert_points_at(&operator.post(GRANTS, &for_bob), "/tenant");
    assert_points_at(&alice.post(GRANTS, &merged(for_bob.clone(), &json!({"tenant": "acme"}))), "/tenant");
    operator.post(GRANTS, &merged(for_bob.clone(), &json!({"tenant": "absent"}))).expect(404);
    declared(&operator, &merged(grant("wiki", &json!({"principal": "user:bob"})), &json!({"tenant": "acme"})));
    assert_eq!(found(&bob).len(), 5);
    assert!(found(&other.user("bob", &[])).is_empty(), "a namesake in another tenant");
    let list = operator.get(&format!("{GRANTS}?tenant=acme")).expect(200).json();
    assert_eq!(list["grants"].as_array().map(Vec::len), Some(2), "{list}");
    operator.get(GRANTS).expect(422);
    operator.delete(&format!("{GRANTS}/{bobs}?tenant=acme")).expect(204);
    assert_eq!(found(&bob).len(), 2);
    let mine = declared(&alice, &grant("payroll", &json!({})));
    alice.delete(&format!("{GRANTS}/{mine}")).expect(204);
    assert_eq!(found(&alice), ["wiki/open"]);
}

#[test]
fn a_declaration_says_why_and_for_how_long_and_nothing_of_what_exists() {
    let server = Server::start();
    let (tenant, alice, _bob) = world(&server);
    for (further, pointer) in [
        (json!({"reason": "  "}), "/reason"),
        (json!({"reason": "two\nlines"}), "/reason"),
        (json!({"reason": "x".repeat(501)}), "/reason"),
        (json!({"expires_at": time(NOW.0)}), "/expires_at"),
        (json!({"expires_at": time(NOW.0 + 240 * MINUTE + 1)}), "/expires_at"),
        (json!({"expires_at": "tomorrow"}), "/expires_at"),
        (json!({"principal": "group:eng"}), "/principal"),
        (json!({"principal": "everyone"}), "/principal"),
        (json!({"documents": ""}), "/documents"),
        (json!({"collection": "../hr"}), "/collection"),
        (json!({"collections": []}), "/collections"),
    ] {
        let pager = tenant.service("pager", &["break_glass"]);
        let form = grant("payroll", &merged(json!({"principal": "user:alice"}), &further));
        assert_points_at(&pager.post(GRANTS, &form), pointer);
    }
    for missing in ["reason", "expires_at", "collection"] {
        let mut form = grant("payroll", &json!({}));
        form.as_object_mut().unwrap().remove(missing);
        assert_eq!(alice.post(GRANTS, &form).status, 422, "{missing}");
    }
    let shape = |form: &Value| {
        let answer = alice.post(GRANTS, form).expect(201).json();
        merged(answer, &json!({"id": null, "revision": null, "collection": null, "documents": null}))
    };
    let there = shape(&grant("payroll", &json!({"documents": "bank"})));
    assert_eq!(shape(&grant("payroll", &json!({"documents": "absent"}))), there);
    assert_eq!(shape(&grant("absent", &json!({"documents": "bank"}))), there);
    let limited = tenant.user_with("alice", &json!({"scopes": ["break_glass"], "collections": ["wiki"]}));
    assert_points_at(&limited.post(GRANTS, &grant("payroll", &json!({}))), "/collection");
    for _ in 0..97 {
        declared(&alice, &grant("absent", &json!({})));
    }
    assert_eq!(alice.post(GRANTS, &grant("absent", &json!({}))).status, 422, "a hundred are in force");
    // A collection of the same name is not what was meant.
    tenant.admin.delete("/v1/collections/payroll").expect(204);
    tenant.collection("payroll", &json!({"readers": ["group:payroll"]}));
    tenant.text("payroll", "bank", &format!("another {WORD}"), &["group:payroll"]);
    assert_eq!(found(&alice), ["wiki/open"]);
}

#[test]
fn a_grant_is_told_by_explanations_lists_and_simulations() {
    let server = Server::start();
    let (tenant, alice, _bob) = world(&server);
    let admin = &tenant.admin;
    let asked = json!({"principal": "user:alice", "collection": "payroll", "document_id": "bank"});
    assert_eq!(admin.post("/v1/explain", &asked).expect(200).json()["readable"], false);
    let id = declared(&alice, &grant("payroll", &json!({"documents": "ba*"})));
    let told = admin.post("/v1/explain", &asked).expect(200).json();
    assert_eq!((&told["readable"], &told["decision"]["rule"]), (&json!(true), &json!("emergency_grant")), "{told}");
    assert_eq!(told["decision"]["grant"], json!(id));
    assert_eq!(told["flip"]["changes"], json!([{"change": "end", "grant": id}]));
    let readers = json!({"collection": "payroll", "document_id": "bank"});
    let readers = admin.post("/v1/explain:readers", &readers).expect(200).text();
    assert!(readers.contains("user:alice") && !readers.contains("user:bob"), "{readers}");
    let documents = json!({"principal": "user:alice", "collection": "payroll"});
    let documents = admin.post("/v1/explain:documents", &documents).expect(200).json();
    assert_eq!(documents["documents"], json!([{"collection": "payroll", "document_id": "bank"}]));
    let simulate = |acl: Value| {
        let form = json!({"collection": "payroll", "document_id": "bank", "acl": acl, "principals": ["user:alice"]});
        admin.post("/v1/acl:simulate", &form).expect(200).json()
    };
    let denied = simulate(json!({"allow": ["group:payroll"], "deny": ["user:alice"]}));
    assert_eq!(denied["closes"], json!(["user:alice"]), "{denied}");
    let allowed = simulate(json!({"allow": ["user:alice"]}));
    assert_eq!((&allowed["opens"], &allowed["closes"]), (&json!([]), &json!([])), "{allowed}");
    // Permission tests are about what holds of right: an emergency fails none.
    admin.put("/v1/policies:tests", &json!({"tests": "expect user:alice !read collection/payroll/bank"})).expect(200);
    alice.delete(&format!("{GRANTS}/{id}")).expect(204);
    assert_eq!(admin.post("/v1/explain", &asked).expect(200).json()["readable"], false);
}

#[test]
fn a_grant_is_of_the_person_and_not_of_the_name() {
    let server = Server::start();
    let (tenant, _alice, _bob) = world(&server);
    let admin = &tenant.admin;
    let made = admin.post("/scim/v2/Users", &json!({"userName": "carol"})).expect(201).json();
    let pager = tenant.service("pager", &["break_glass"]);
    declared(&pager, &grant("payroll", &json!({"principal": "user:carol"})));
    let app = tenant.service("app", &["search", "assert"]).acting_as("user:carol");
    assert_eq!(found(&app).len(), 4);
    admin.delete(&format!("/scim/v2/Users/{}", made["id"].as_str().unwrap())).expect(204);
    admin.post("/scim/v2/Users", &json!({"userName": "carol"})).expect(201);
    assert_eq!(found(&app), ["wiki/open"]);
    assert_eq!(admin.get(GRANTS).expect(200).json()["grants"][0]["principal"], "user:carol;former");
}

/// What somebody finds with grants is what they would find if the ACLs named them, in the same order and with the same scores; and nobody else's bytes change.
#[test]
fn what_a_grant_opens_ranks_as_if_the_acl_named_the_holder() {
    let server = Server::start();
    let mut dice = Dice(11);
    for round in 0..8 {
        let tenants = [server.tenant(&format!("granted{round}")), server.tenant(&format!("named{round}"))];
        let pattern = ["*", "a*", "ab*", "b1"][dice.roll(4)];
        let covers = |id: &str| pattern.strip_suffix('*').map_or(id == pattern, |start| id.starts_with(start));
        let mut documents = Vec::new();
        for number in 0..24 {
            let id = format!("{}{number}", ["a", "ab", "b"][dice.roll(3)]);
            let words: Vec<&str> =
                (0..12).map(|_| ["river", "stone", WORD, "cloud", "lamp", "garden"][dice.roll(6)]).collect();
            let allow = [vec!["user:holder"], vec!["user:other"], vec!["everyone"], vec![]][dice.roll(4)].clone();
            let deny = if dice.roll(5) == 0 { vec!["user:holder"] } else { Vec::new() };
            documents.push((id, words.join(" "), allow, deny));
        }
        for (index, tenant) in tenants.iter().enumerate() {
            tenant.collection("c", &json!({}));
            let lines: Vec<Value> = documents
                .iter()
                .map(|(id, text, allow, deny)| {
                    let mut allow = allow.clone();
                    if index == 1 && covers(id) {
                        allow.push("user:holder");
                    }
                    json!({"id": id, "text": text, "acl": {"allow": allow, "deny": deny}})
                })
                .collect();
            tenant.fill("c", &lines);
        }
        let asked = json!({"query": format!("{WORD} stone"), "top_k": 50});
        let ranking = |caller: &Caller| {
            let answer = caller.search(&asked);
            let hits = answer["results"].as_array().unwrap();
            hits.iter()
                .map(|hit| json!([hit["document_id"], hit["score"], hit["scores"], hit["text"]]))
                .collect::<Vec<_>>()
        };
        let [holder, named] = [0, 1].map(|index| tenants[index].user("holder", &[]));
        let other = tenants[0].user("other", &[]);
        let before = ranking(&other);
        let pager = tenants[0].service("pager", &["break_glass"]);
        declared(&pager, &grant("c", &json!({"principal": "user:holder", "documents": pattern})));
        assert_eq!(ranking(&holder), ranking(&named), "{pattern} {documents:?}");
        assert_eq!(ranking(&other), before);
    }
}
