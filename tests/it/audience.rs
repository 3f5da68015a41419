//! An answer for an audience, as a bot gives it in a shared channel: only what every member may read, and not a byte that depends on the rest.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Caller, Server, Tenant, assert_points_at};

const WORD: &str = "quuxberry";
/// Who is asked about, beside the one who asks.
const PEOPLE: [&str; 6] = ["user:ann", "user:bo", "user:cy", "group:eng", "group:ops", "everyone"];
/// The lists of the documents; a document is named by its place here.
const ALLOWED: [&[&str]; 8] = [
    &["everyone"],
    &["user:ann"],
    &["user:ann", "user:bo"],
    &["group:eng"],
    &["group:staff"],
    &["group:ops", "user:ann"],
    &["user:cy"],
    &["user:ann", "group:eng", "group:ops"],
];

/// ann and bo are engineers, bo also operates; engineers and operators are staff.
fn world(server: &Server) -> (Tenant, Caller) {
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.group("eng", &["user:ann", "user:bo"]);
    tenant.group("ops", &["user:bo"]);
    tenant.group("staff", &["group:eng", "group:ops"]);
    for (number, allow) in ALLOWED.iter().enumerate() {
        tenant.text("handbook", &format!("d{number}"), &format!("the {WORD} of number {number}"), allow);
    }
    let ann = tenant.user("ann", &[]);
    (tenant, ann)
}

/// Everybody whom a principal stands for, groups resolved by hand.
fn stands_for(principal: &str) -> BTreeSet<&str> {
    let groups: &[&str] = match principal {
        "user:ann" | "group:eng" => &["group:eng", "group:staff"],
        "user:bo" => &["group:eng", "group:ops", "group:staff"],
        "group:ops" => &["group:ops", "group:staff"],
        _ => &[],
    };
    groups.iter().copied().chain([principal, "everyone"]).collect()
}

fn may_read(principal: &str, allow: &[&str]) -> bool {
    allow.iter().any(|entry| stands_for(principal).contains(entry))
}

fn asked(audience: &[&str]) -> Value {
    json!({"query": WORD, "top_k": 100, "format": "none", "audience": audience})
}

/// What an answer says beside what no two answers share.
fn said(caller: &Caller, question: &Value) -> Value {
    let answer = caller.search(question);
    json!({"results": answer["results"], "usage": answer["usage"]})
}

#[test]
fn an_audience_hears_what_every_member_may_read() {
    let server = Server::start();
    let (_tenant, ann) = world(&server);
    for first in PEOPLE {
        for second in PEOPLE {
            let audience = [first, second];
            let answer = ann.search(&asked(&audience));
            let results = answer["results"].as_array().expect("a list");
            let found: BTreeSet<_> = results.iter().filter_map(|hit| hit["document_id"].as_str()).collect();
            let members = ["user:ann", first, second];
            let expected: BTreeSet<_> = (0..ALLOWED.len())
                .filter(|number| members.iter().all(|member| may_read(member, ALLOWED[*number])))
                .map(|number| format!("d{number}"))
                .collect();
            assert_eq!(found, expected.iter().map(String::as_str).collect(), "{audience:?}");
        }
    }
}

#[test]
fn what_one_member_may_not_read_changes_no_byte() {
    let server = Server::start();
    let (tenant, ann) = world(&server);
    let question = asked(&["user:bo", "group:eng"]);
    let before = said(&ann, &question);
    // ann reads all of these, but not everybody else in the channel does.
    for number in 0..20 {
        tenant.text("handbook", &format!("x{number}"), &format!("{WORD} {WORD} the secret of ann"), &["user:ann"]);
        tenant.text("handbook", &format!("y{number}"), &format!("the {WORD} of ann and bo"), &["user:ann", "user:bo"]);
    }
    assert_eq!(said(&ann, &question), before, "scores and order too");
    assert_ne!(said(&ann, &asked(&["user:bo"])), before);
}

#[test]
fn an_audience_loses_what_a_member_loses() {
    let server = Server::start();
    let (tenant, ann) = world(&server);
    let ids = |audience: &[&str]| -> Vec<Value> {
        let answer = ann.search(&asked(audience));
        answer["results"].as_array().expect("a list").iter().map(|hit| hit["document_id"].clone()).collect()
    };
    assert!(ids(&["user:bo"]).contains(&json!("d3")));
    tenant.admin.delete("/v1/groups/eng/members/user:bo").expect(204);
    assert!(!ids(&["user:bo"]).contains(&json!("d3")));
    let id = "/v1/collections/handbook/documents/d0/acl";
    tenant.admin.put(id, &json!({"allow": ["everyone"], "deny": ["user:cy"]})).expect(200);
    assert!(!ids(&["user:cy"]).contains(&json!("d0")), "a denial of one member counts");
    assert!(ids(&["user:bo"]).contains(&json!("d0")));
}

#[test]
fn nobody_and_a_crowd_are_no_audience() {
    let server = Server::start();
    let (_tenant, ann) = world(&server);
    let crowd: Vec<String> = (0..101).map(|number| format!("user:u{number}")).collect();
    for (audience, pointer) in [(json!([]), "/audience"), (json!(crowd), "/audience"), (json!(["bo"]), "/audience/0")] {
        let question = json!({"query": WORD, "audience": audience});
        assert_points_at(&ann.post("/v1/search", &question), pointer);
    }
}
