//! Explanations and simulations of what an ACL decides.

use axum::http::Method;
use serde_json::{Value, json};

use super::{World, without_request_id};

#[tokio::test]
async fn an_explanation_names_the_rule_the_way_and_the_change() {
    let world = World::new().await;
    world.collection("hr", json!({})).await;
    let path = "/v1/collections/hr/documents/d1";
    let acl = json!({
        "allow": ["user:bo", "group:staff"], "deny": ["group:contractors"],
        "require": [{"attribute": "clearance", "at_least": 2}]
    });
    let body = json!({"text": "The plan for the merger.", "acl": acl});
    world.call(Method::PUT, path, &world.admin, &body).await.expect(200);
    for (group, members) in [("contractors", json!(["group:agency"])), ("agency", json!(["user:bo"]))] {
        let path = format!("/v1/groups/{group}");
        world.call(Method::PUT, &path, &world.admin, &json!({"members": members})).await.expect(200);
    }
    let ask = |change: Value| {
        let mut form = json!({"principal": "user:bo", "collection": "hr", "document_id": "d1"});
        form.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        form
    };
    let cleared = json!({"attributes": {"clearance": 2}});
    let explain = async |form: Value| world.call(Method::POST, "/v1/explain", &world.admin, &form).await;
    let before = world.records();
    let denied = explain(ask(cleared.clone())).await.expect(200).json();
    assert_eq!(world.records() - before, 1);
    assert_eq!(denied["readable"], false);
    let way = json!(["user:bo", "group:agency", "group:contractors"]);
    assert_eq!(
        denied["decision"],
        json!({"rule": "deny", "holds": false, "principal": "group:contractors", "path": way})
    );
    let remove = json!({"change": "remove", "list": "deny", "principal": "group:contractors"});
    assert_eq!(denied["flip"], json!({"readable": true, "changes": [remove]}));
    let holds: Vec<_> = denied["checks"].as_array().unwrap().iter().map(|check| check["holds"].clone()).collect();
    assert_eq!(holds, [json!(true), json!(false), json!(true), json!(true)]);
    world.call(Method::DELETE, "/v1/groups/agency", &world.admin, &Value::Null).await.expect(204);
    let allowed = explain(ask(cleared)).await.expect(200).json();
    assert_eq!((&allowed["readable"], &allowed["decision"]["principal"]), (&json!(true), &json!("user:bo")));
    let cannot = explain(ask(json!({}))).await.expect(200).json();
    assert_eq!(cannot["decision"]["requirement"], json!({"attribute": "clearance", "at_least": 2}));
    let by_group = json!({"principal": "user:al", "groups": ["group:staff"], "attributes": {"clearance": 3}});
    let by_group = explain(ask(by_group)).await.expect(200).json();
    assert_eq!(by_group["decision"]["path"], json!(["user:al", "group:staff"]));
    let absent = explain(ask(json!({"document_id": "none"}))).await.expect(404);
    let ceiling = world.key(json!({"kind": "service", "scopes": ["explain"], "collections": ["other"]})).await;
    let beyond = world.call(Method::POST, "/v1/explain", &ceiling, &ask(json!({}))).await.expect(404);
    assert_eq!(without_request_id(&absent), without_request_id(&beyond));
    let user = world.user("user:bo").await;
    world.call(Method::POST, "/v1/explain", &user, &ask(json!({}))).await.expect(403);
    for (field, pointer) in [
        (json!({"principal": "bo"}), "/principal"),
        (json!({"groups": ["user:x"]}), "/groups/0"),
        (json!({"attributes": {"a": null}}), "/attributes/a"),
        (json!({"text": true}), "/text"),
    ] {
        assert_eq!(explain(ask(field)).await.expect(422).json()["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test]
async fn a_simulation_tells_what_the_change_then_does() {
    let world = World::new().await;
    world.collection("hr", json!({})).await;
    world.document("hr/documents/d1", "The plan for the merger.", &["user:bo", "group:staff"]).await;
    let group = json!({"members": ["user:al"]});
    world.call(Method::PUT, "/v1/groups/eng", &world.admin, &group).await.expect(200);
    let (al, bo) = (world.user("user:al").await, world.user("user:bo").await);
    let acl = json!({"allow": ["group:eng", "group:staff"]});
    let form = json!({"collection": "hr", "document_id": "d1", "acl": acl});
    let simulate = async |key: &str, form: &Value| world.call(Method::POST, "/v1/acl:simulate", key, form).await;
    let before = world.records();
    let told = simulate(&world.admin, &form).await.expect(200).json();
    assert_eq!(world.records() - before, 1);
    assert_eq!((&told["opens"], &told["closes"]), (&json!(["group:eng", "user:al"]), &json!(["user:bo"])));
    assert_eq!((&told["chunks"], &told["counts"]["opens"]), (&json!(1), &json!(2)));
    assert_eq!(world.found(&bo, "merger plan").await, ["d1"], "nothing is changed");
    world.call(Method::PUT, "/v1/collections/hr/documents/d1/acl", &world.admin, &acl).await.expect(200);
    assert_eq!(world.found(&al, "merger plan").await, ["d1"]);
    assert!(world.found(&bo, "merger plan").await.is_empty());
    let mut asked = form.clone();
    asked["acl"] = json!({"allow": ["everyone"], "require": [{"attribute": "region", "in": ["eu"]}]});
    asked["principals"] = json!(["user:al", "user:new"]);
    let told = simulate(&world.admin, &asked).await.expect(200).json();
    assert_eq!((&told["closes"], &told["depends_on_attributes"]), (&json!(["user:al"]), &json!(["user:new"])));
    assert_eq!(told["counts"]["examined"], 2);
    // One who may not know of keys and other documents learns of none.
    let plain = world.key(json!({"kind": "service", "scopes": ["acl", "ingest"]})).await;
    let told = async || {
        let mut told = simulate(&plain, &form).await.expect(200).json();
        told["revision"] = Value::Null;
        told
    };
    let small = told().await;
    world.document("hr/documents/hidden", "Another plan.", &["user:secret"]).await;
    world.user("user:unknown").await;
    assert_eq!(told().await, small);
    let mut none = form.clone();
    none["document_id"] = json!("none");
    simulate(&world.admin, &none).await.expect(404);
    simulate(&al, &form).await.expect(403);
    none["acl"] = json!({"allow": ["al"]});
    assert_eq!(simulate(&world.admin, &none).await.expect(422).json()["errors"][0]["pointer"], "/acl/allow/0");
}
