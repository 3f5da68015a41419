//! Who reaches what: credentials, keys and collections.

use axum::http::Method;
use serde_json::{Value, json};

use super::{World, without_request_id};

#[tokio::test]
async fn each_kind_of_credential_reaches_what_is_its_own() {
    let world = World::new().await;
    world.collection("handbook", json!({"default_acl": {"allow": ["user:alice"]}})).await;
    let path = "/v1/collections/handbook/documents/a";
    world.call(Method::PUT, path, &world.admin, &json!({"text": "Alice's plan."})).await.expect(200);
    let search = json!({"query": "plan"});
    let nobody = world.call(Method::POST, "/v1/search", &world.admin, &search).await.expect(403).json();
    assert_eq!(nobody["code"], "subject_required");
    let as_alice = [("ringfence-as", "user:alice")];
    let found = world.call_with(Method::POST, "/v1/search", &world.admin, &as_alice, &search).await.expect(200).json();
    assert_eq!(found["results"].as_array().unwrap().len(), 1);
    let read = world.call_with(Method::GET, path, &world.admin, &as_alice, &Value::Null).await.expect(200).json();
    assert_eq!(read["acl"]["allow"], json!(["user:alice"]), "shown to the scope `acl`");
    let plain = world.key(json!({"kind": "service", "scopes": ["search", "read_as_service"]})).await;
    let refused = world.call_with(Method::POST, "/v1/search", &plain, &as_alice, &search).await.expect(403).json();
    assert_eq!(refused["code"], "missing_scope");
    assert_eq!(world.search(&plain, search.clone()).await["results"], json!([]));
    for (method, path) in [(Method::POST, "/v1/search"), (Method::GET, "/v1/collections"), (Method::GET, "/v1/groups")]
    {
        let refused = world.call(method, path, &world.operator, &search).await.expect(403).json();
        assert_eq!(refused["code"], "no_content_for_operator", "{path}");
    }
    world.get("/v1/tenants", &world.admin).await.expect(403);
    world.get("/v1/tenants", &world.operator).await.expect(200);
    world.call(Method::POST, "/v1/tenants", &world.operator, &json!({"id": "acme"})).await.expect(409);
    for key in ["", "x", "rf_1_2_3"] {
        let refused = world.get("/v1/collections", key).await.expect(401);
        assert_eq!(without_request_id(&refused)["detail"], "send a valid credential as `Authorization: Bearer …`");
    }
    world.get("/v1/nothing", &world.admin).await.expect(404);
    world.call(Method::POST, "/v1/collections", &world.admin, &Value::Null).await.expect(405);
}

#[tokio::test]
async fn a_key_is_never_wider_than_its_maker() {
    let world = World::new().await;
    let narrow = json!({
        "kind": "service", "subject": "service:narrow", "scopes": ["keys", "search", "read_as_service", "ingest"],
        "collections": ["handbook"], "networks": ["127.0.0.0/8"], "groups": ["group:ops"], "attributes": {"clearance": 1},
        "expires_at": "2030-01-01T00:00:00Z"
    });
    let narrow = world.key(narrow).await;
    let limits = json!({"collections": ["handbook"], "networks": ["127.0.0.1"], "expires_at": "2029-01-01T00:00:00Z"});
    let form = |change: Value| {
        let mut form = limits.as_object().unwrap().clone();
        form.extend(json!({"kind": "service", "scopes": ["search"]}).as_object().unwrap().clone());
        form.extend(change.as_object().unwrap().clone());
        Value::Object(form)
    };
    for change in [
        json!({}),
        json!({"scopes": ["search", "read_as_service"]}),
        json!({"subject": "service:narrow", "groups": ["group:ops"], "attributes": {"clearance": 1}}),
        json!({"tenant": "acme", "collections": []}),
    ] {
        world.call(Method::POST, "/v1/keys", &narrow, &form(change)).await.expect(201);
    }
    for change in [
        json!({"scopes": ["read"]}),
        json!({"scopes": ["assert"]}),
        json!({"tenant": "globex"}),
        json!({"kind": "operator", "scopes": []}),
        json!({"kind": "user", "subject": "user:alice"}),
        json!({"subject": "service:admin"}),
        json!({"groups": ["group:hr"]}),
        json!({"attributes": {"clearance": 2}}),
        json!({"attributes": {"region": "eu"}}),
        json!({"collections": null}),
        json!({"collections": ["handbook", "legal"]}),
        json!({"networks": null}),
        json!({"networks": ["0.0.0.0/0"]}),
        json!({"expires_at": null}),
        json!({"expires_at": "2031-01-01T00:00:00Z"}),
    ] {
        let refused = world.call(Method::POST, "/v1/keys", &narrow, &form(change.clone())).await;
        assert!(matches!(refused.status, 403 | 422), "{change}: {refused}");
    }
    // What may speak for anybody may name anybody, but gives no attributes that it lacks.
    let user = json!({"kind": "user", "subject": "user:alice", "groups": ["group:hr"], "scopes": ["search"]});
    world.call(Method::POST, "/v1/keys", &world.admin, &user).await.expect(201);
    let cleared = json!({"kind": "user", "subject": "user:alice", "attributes": {"clearance": 9}});
    world.call(Method::POST, "/v1/keys", &world.admin, &cleared).await.expect(403);
    // A person's key cannot use `assert`, nor have it used for it.
    let person = world.key(json!({"kind": "user", "subject": "user:p", "scopes": ["keys", "assert", "search"]})).await;
    for form in [
        json!({"kind": "user", "subject": "user:alice", "scopes": ["search"]}),
        json!({"kind": "service", "scopes": ["search", "assert"]}),
    ] {
        world.call(Method::POST, "/v1/keys", &person, &form).await.expect(403);
    }
    let own = json!({"kind": "user", "subject": "user:p", "scopes": ["search"]});
    world.call(Method::POST, "/v1/keys", &person, &own).await.expect(201);
    let keys = world.get("/v1/keys", &narrow).await.expect(200).json();
    let admin = keys["keys"].as_array().unwrap().iter().find(|key| key["subject"] == "service:admin").unwrap();
    let path = format!("/v1/keys/{}/rotate", admin["id"].as_str().unwrap());
    world.call(Method::POST, &path, &narrow, &Value::Null).await.expect(403);
    let rotated = world.call(Method::POST, &path, &world.admin, &Value::Null).await.expect(200).json();
    world.get("/v1/keys", &world.admin).await.expect(401);
    world.get("/v1/keys", rotated["key"].as_str().unwrap()).await.expect(200);
}

#[tokio::test]
async fn keys_that_make_no_sense_are_refused() {
    let world = World::new().await;
    for (form, pointer) in [
        (json!({"kind": "user", "tenant": "acme"}), "/subject"),
        (json!({"kind": "user", "tenant": "acme", "subject": "service:x"}), "/subject"),
        (json!({"kind": "service", "tenant": "acme", "subject": "user:x"}), "/subject"),
        (json!({"kind": "service"}), "/tenant"),
        (json!({"kind": "service", "tenant": "nowhere"}), "/tenant"),
        (json!({"kind": "operator", "tenant": "acme"}), "/tenant"),
        (json!({"kind": "operator", "scopes": ["search"]}), "/kind"),
        (json!({"kind": "service", "tenant": "acme", "groups": ["user:bob"]}), "/groups/0"),
        (json!({"kind": "service", "tenant": "acme", "networks": ["x"]}), "/networks/0"),
        (json!({"kind": "service", "tenant": "acme", "expires_at": "2020-01-01T00:00:00Z"}), "/expires_at"),
    ] {
        let refused = world.call(Method::POST, "/v1/keys", &world.operator, &form).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{form}");
    }
    let own =
        world.call(Method::POST, "/v1/keys", &world.operator, &json!({"kind": "service", "tenant": "acme"})).await;
    let own = own.expect(201).json();
    assert_eq!(own["subject"], format!("service:{}", own["id"].as_str().unwrap()));
}

#[tokio::test]
async fn collections_exist_for_those_they_concern() {
    let world = World::new().await;
    world.collection("legal", json!({"readers": ["group:legal"], "writers": ["service:admin"]})).await;
    world.collection("wiki", json!({})).await;
    let (alice, counsel) = (
        world.user("user:alice").await,
        world.key(json!({"kind": "user", "subject": "user:c", "groups": ["group:legal"], "scopes": ["read"]})).await,
    );
    let names = |list: Value| {
        list["collections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for (key, expected) in
        [(&alice, vec!["wiki"]), (&counsel, vec!["legal", "wiki"]), (&world.admin, vec!["legal", "wiki"])]
    {
        assert_eq!(names(world.get("/v1/collections", key).await.expect(200).json()), expected);
    }
    world.get("/v1/collections/legal", &alice).await.expect(404);
    world.get("/v1/collections/legal/documents", &alice).await.expect(404);
    let seen = world.get("/v1/collections/legal", &counsel).await.expect(200).json();
    assert_eq!((seen.get("readers"), seen.get("writers"), seen.get("default_acl")), (None, None, None));
    let whole = world.get("/v1/collections/legal", &world.admin).await.expect(200).json();
    assert_eq!((&whole["readers"], &whole["redact"]), (&json!(["group:legal"]), &json!(["card", "iban", "ssn"])));
    let page = world.get("/v1/collections?limit=1", &counsel).await.expect(200).json();
    let next = format!("/v1/collections?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let last = world.get(&next, &counsel).await.expect(200).json();
    assert_eq!((names(last.clone()), &last["next_cursor"]), (vec!["wiki".to_owned()], &Value::Null));
    world.get("/v1/collections?cursor=abc", &counsel).await.expect(400);
    let writer = world.key(json!({"kind": "service", "scopes": ["ingest"]})).await;
    let body = json!({"text": "x", "acl": {"allow": ["everyone"]}});
    world.call(Method::PUT, "/v1/collections/legal/documents/a", &writer, &body).await.expect(404);
    world.call(Method::PUT, "/v1/collections/wiki/documents/a", &writer, &body).await.expect(200);
    world.call(Method::DELETE, "/v1/collections/wiki", &world.admin, &Value::Null).await.expect(204);
    world.call(Method::DELETE, "/v1/collections/wiki", &world.admin, &Value::Null).await.expect(404);
}
