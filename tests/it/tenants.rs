//! Tenants that are opened and closed while they are used: the answers are those of a server that has all of them open.

use std::thread;

use serde_json::{Value, json};

use crate::harness::{Caller, Server, Tenant, document_path};

const NAMES: [&str; 3] = ["acme", "globex", "initech"];

/// A server with three tenants, of which so many may be open.
fn server(open_tenants: usize) -> (Server, Vec<(Tenant, Caller)>) {
    let server = Server::start_with(|config, _| config.engine.open_tenants = open_tenants);
    let tenants = NAMES.map(|name| {
        let tenant = server.tenant(name);
        tenant.collection("wiki", &json!({}));
        tenant.group("eng", &["user:ann"]);
        let user = tenant.user("ann", &[]);
        (tenant, user)
    });
    (server, tenants.into())
}

/// What an answer says of documents.
fn seen(user: &Caller, query: &str) -> Value {
    let mut answer = user.search(&json!({"query": query, "top_k": 20, "format": "none"}));
    for private in ["revision", "request_id", "took_ms"] {
        answer.as_object_mut().unwrap().remove(private);
    }
    let list = user.get("/v1/collections/wiki/documents").expect(200).json();
    json!([answer, list["documents"]])
}

fn write(tenants: &[(Tenant, Caller)], round: usize) {
    for (index, (tenant, _)) in tenants.iter().enumerate() {
        let allow = if (round + index).is_multiple_of(3) { "group:eng" } else { "user:bob" };
        let text = format!("the rotation of keys, round {round} of {}", NAMES[index]);
        tenant.text("wiki", &format!("d{round}"), &text, &[allow]);
        if round >= 2 {
            tenant.admin.delete(&document_path("wiki", &format!("d{}", round - 2))).expect(204);
            let acl = json!({"allow": ["user:ann"]});
            let path = format!("{}/acl", document_path("wiki", &format!("d{}", round - 1)));
            tenant.admin.put(&path, &acl).expect(200);
        }
    }
}

#[test]
fn which_tenants_are_open_changes_no_answer() {
    let (mut narrow, few) = server(1);
    let (wide, all) = server(100);
    let check = |few: &[(Tenant, Caller)]| {
        for query in ["rotation of keys", "round 3", "nothing of it"] {
            for ((_, left), (_, right)) in few.iter().zip(&all) {
                assert_eq!(seen(left, query), seen(right, query));
            }
        }
    };
    for round in 0..6 {
        write(&few, round);
        write(&all, round);
        check(&few);
    }
    assert_eq!(wide.app().engine.open_tenants().0, 3);
    narrow.restart();
    assert_eq!(narrow.app().engine.open_tenants().0, 1);
    for ((_, left), (_, right)) in few.iter().zip(&all) {
        assert_eq!(seen(&left.at(narrow.address()), "rotation of keys"), seen(right, "rotation of keys"));
    }
}

#[test]
fn many_may_ask_for_a_closed_tenant_at_once() {
    let (server, tenants) = server(1);
    write(&tenants, 0);
    let expected = seen(&tenants[0].1, "keys");
    seen(&tenants[1].1, "keys");
    thread::scope(|scope| {
        for index in 0..8 {
            let (user, expected) = (tenants[index % 2 * 2].1.clone(), &expected);
            scope.spawn(move || {
                for _ in 0..10 {
                    let now = seen(&user, "keys");
                    assert!(index % 2 == 1 || now == *expected);
                }
            });
        }
    });
    // A tenant that is deleted while it is closed is gone.
    seen(&tenants[0].1, "keys");
    server.operator().delete("/v1/tenants/globex").expect(204);
    tenants[1].1.get("/v1/collections").expect(401);
    let again = server.tenant("globex");
    again.collection("wiki", &json!({}));
    assert!(again.user("ann", &[]).found("keys").is_empty());
}
