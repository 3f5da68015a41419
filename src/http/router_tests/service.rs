//! What holds for every route: records, limits, headers, the server's own routes.

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};

use super::World;

#[tokio::test]
async fn every_answer_and_refusal_is_recorded_once() {
    let world = World::new().await;
    world.collection("wiki", json!({"default_acl": {"allow": ["everyone"]}})).await;
    let alice = world.user("user:alice").await;
    let document = "/v1/collections/wiki/documents/a";
    let text = json!({"text": "words"});
    let calls = [
        (Method::PUT, document, &world.admin, text.clone(), 200),
        (Method::PUT, document, &world.admin, text.clone(), 200),
        (Method::GET, document, &alice, Value::Null, 200),
        (Method::GET, "/v1/collections/wiki/documents", &alice, Value::Null, 200),
        (Method::GET, "/v1/collections/wiki/documents/none", &alice, Value::Null, 404),
        (Method::PUT, document, &alice, text.clone(), 403),
        (Method::POST, "/v1/search", &alice, json!({"query": "words"}), 200),
        (Method::POST, "/v1/search", &world.admin, json!({"query": "words"}), 403),
        (Method::GET, "/v1/collections", &alice, Value::Null, 200),
        (Method::GET, "/v1/collections/none", &alice, Value::Null, 404),
        (Method::PUT, "/v1/groups/eng", &world.admin, json!({"members": ["user:alice"]}), 200),
        (Method::GET, "/v1/groups/eng", &world.admin, Value::Null, 200),
        (Method::GET, "/v1/groups", &world.admin, Value::Null, 200),
        (Method::POST, "/v1/groups/eng/members", &world.admin, json!({"member": "user:bob"}), 200),
        (Method::DELETE, "/v1/groups/eng/members/user:bob", &world.admin, Value::Null, 204),
        (Method::DELETE, "/v1/groups/none", &world.admin, Value::Null, 404),
        (Method::DELETE, "/v1/groups/eng", &world.admin, Value::Null, 204),
        (Method::GET, "/v1/keys", &world.admin, Value::Null, 200),
        (Method::DELETE, "/v1/keys/none", &world.admin, Value::Null, 404),
        (Method::PUT, "/v1/collections/wiki/documents/a/acl", &world.admin, json!({"allow": ["user:a"]}), 200),
        (Method::DELETE, document, &world.admin, Value::Null, 204),
        (Method::DELETE, document, &world.admin, Value::Null, 204),
        (Method::DELETE, "/v1/collections/wiki", &world.admin, Value::Null, 204),
    ];
    for (method, path, key, body, status) in calls {
        let before = world.records();
        let answer = world.call(method.clone(), path, key, &body).await.expect(status);
        assert_eq!(world.records() - before, 1, "{method} {path}: {answer}");
    }
    let before = world.records();
    world.call(Method::POST, "/v1/search", &alice, &json!({"query": ""})).await.expect(422);
    world
        .call_with(Method::POST, "/v1/search", &alice, &[("ringfence-as", "user:b")], &json!({"query": "x"}))
        .await
        .expect(403);
    assert_eq!(world.records() - before, 1, "a 422 tells nothing; a 403 of the credential itself is recorded");
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_back() {
    let world = World::with(|config| {
        config.limits.requests_per_second_user = 1;
        config.limits.failed_authentications_per_second_address = 1;
    })
    .await;
    let alice = world.user("user:alice").await;
    let mut refused = world.get("/v1/collections", &alice).await;
    while refused.status == 200 {
        refused = world.get("/v1/collections", &alice).await;
    }
    let refused = refused.expect(429);
    assert_eq!(refused.headers["ratelimit-policy"], "\"user\";q=2;w=2");
    assert!(refused.headers.contains_key("ratelimit") && refused.headers.contains_key("retry-after"));
    let mut last = world.get("/v1/collections", "rf_wrong").await.status;
    for _ in 0..20 {
        last = world.get("/v1/collections", "rf_wrong").await.status;
    }
    assert_eq!(last, 429);
    world.get("/v1/collections", &world.admin).await.expect(200);
}

#[tokio::test]
async fn browsers_of_named_origins_may_call() {
    let world = World::with(|config| config.cors.origins = vec!["https://app.example".to_owned()]).await;
    let preflight = |origin: &str| {
        let request = Request::options("/v1/search").header("origin", origin);
        request.header("access-control-request-method", "POST").body(Body::empty()).unwrap()
    };
    let allowed = world.send(preflight("https://app.example")).await.expect(204);
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://app.example");
    assert!(!world.send(preflight("https://evil.example")).await.headers.contains_key("access-control-allow-origin"));
    let refused = world
        .call_with(Method::GET, "/v1/collections", "x", &[("origin", "https://app.example")], &Value::Null)
        .await
        .expect(401);
    assert_eq!(refused.headers["access-control-allow-origin"], "https://app.example");
    assert_eq!(
        (&refused.headers["cache-control"], &refused.headers["x-content-type-options"]),
        (&"no-store".parse().unwrap(), &"nosniff".parse().unwrap())
    );
}

#[tokio::test]
async fn the_servers_own_routes_answer() {
    let world = World::new().await;
    for path in ["/healthz", "/readyz", "/openapi.json", "/docs"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        world.send(request).await.expect(200);
    }
    world.get("/metrics", "x").await.expect(401);
    world.get("/metrics", &world.admin).await.expect(403);
    let metrics = world.get("/metrics", &world.operator).await.expect(200);
    let metrics = String::from_utf8(metrics.bytes).unwrap();
    assert!(
        metrics.contains(r#"ringfence_http_requests_total{method="POST",route="/v1/keys",status="2xx"} 1"#),
        "{metrics}"
    );
    assert!(!metrics.contains("acme"));
}
