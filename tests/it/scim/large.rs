//! A group of ten thousand: removed as a whole, for all at once.

use serde_json::json;
use tokio::time::Instant;

use super::{MEDIA_TYPE, id, patch, send, user};
use crate::harness::Server;

const MEMBERS: usize = 10_000;
/// What a removal may take, from the request to the acknowledgement.
const TIME_MAX_MS: u128 = 1_000;

#[test]
fn a_group_of_ten_thousand_is_removed_for_all_at_once() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.text("handbook", "d", "rotated", &["group:all"]);
    let (first, last) = (user(&tenant, "first"), user(&tenant, "last"));
    let people = [tenant.user("first", &[]), tenant.user("last", &[])];
    // Most members are such as tokens bring; their ids are their names.
    let mut members: Vec<_> = (2..MEMBERS).map(|number| json!({"value": format!("user:person-{number}")})).collect();
    members.extend([json!({"value": first}), json!({"value": last})]);
    let body = json!({"displayName": "all", "members": members});
    let timed = |what: &str, act: &dyn Fn()| {
        let start = Instant::now();
        act();
        let took_ms = start.elapsed().as_millis();
        println!("{what}: {took_ms} ms");
        took_ms
    };
    let check = |is_in: bool| {
        for person in &people {
            assert_eq!(person.found("rotated").len(), usize::from(is_in));
        }
    };
    let mut made = String::new();
    let start = Instant::now();
    made.push_str(&id(&send(&tenant.admin, "POST", "/Groups", &body).expect(201)));
    println!("made with {MEMBERS} members: {} ms", start.elapsed().as_millis());
    check(true);
    let path = format!("/Groups/{made}");
    timed("one member added", &|| {
        let none = json!([{"op": "add", "path": "members", "value": [{"value": first}]}]);
        patch(&tenant.admin, &path, &none).expect(204);
    });
    let emptied = timed("all members removed by a patch", &|| {
        patch(&tenant.admin, &path, &json!([{"op": "remove", "path": "members"}])).expect(204);
    });
    check(false);
    let replace = json!([{"op": "replace", "path": "members", "value": body["members"]}]);
    patch(&tenant.admin, &path, &replace).expect(204);
    check(true);
    let one_by_one: Vec<_> = (2..1_001)
        .map(|number| json!({"op": "Remove", "path": format!("members[value eq \"user:person-{number}\"]")}))
        .chain([json!({"op": "Remove", "path": format!("members[value eq \"{first}\"]")})])
        .collect();
    let picked = timed("a thousand members removed by as many operations", &|| {
        patch(&tenant.admin, &path, &json!(one_by_one)).expect(204);
    });
    assert!(people[0].found("rotated").is_empty() && people[1].found("rotated") == ["d"]);
    let deleted = timed("the group deleted", &|| {
        tenant.admin.send("DELETE", &format!("/scim/v2{path}"), Some(MEDIA_TYPE), None).expect(204);
    });
    check(false);
    for took_ms in [emptied, picked, deleted] {
        assert!(took_ms <= TIME_MAX_MS, "{took_ms} ms");
    }
}
