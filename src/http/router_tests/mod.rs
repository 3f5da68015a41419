//! Tests of the router over a real store, engine and audit log, in process: what each route answers, and to whom.

mod access;
mod content;
mod explain;
mod service;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request},
};
use http_body_util::BodyExt;
use ringfence_indexes::{TenantId, Timestamp};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::{clock::Clock, config::Config, entropy::Entropy};

/// A server with one tenant, `acme`, and a key that may do everything in it.
struct World {
    app: Arc<App>,
    router: Router,
    operator: String,
    admin: String,
    _dir: TempDir,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("not JSON: {self}"))
    }

    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.status, String::from_utf8_lossy(&self.bytes))
    }
}

const ALL_SCOPES: [&str; 14] = [
    "search",
    "read",
    "ingest",
    "acl",
    "collections",
    "keys",
    "policy",
    "audit",
    "review",
    "act",
    "assert",
    "explain",
    "pii:read",
    "read_as_service",
];

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = TempDir::new().unwrap();
        let mut config = Config { data_dir: dir.path().join("data"), ..Config::default() };
        change(&mut config);
        let clock = || Arc::new(Clock::fixed(Timestamp(1_800_000_000_000_000)));
        let operator = App::init(config.clone(), clock(), Arc::new(Entropy::System)).await.unwrap();
        let app = App::open(config, clock(), Arc::new(Entropy::System)).await.unwrap();
        let operator = operator.expose_secret().to_owned();
        let router = router(app.clone());
        let mut world = Self { app, router, operator, admin: String::new(), _dir: dir };
        let tenant = json!({"id": "acme", "name": "Acme Ltd"});
        world.call(Method::POST, "/v1/tenants", &world.operator, &tenant).await.expect(201);
        let scopes: Vec<_> = ALL_SCOPES.into_iter().filter(|scope| *scope != "read_as_service").collect();
        world.admin = world.key(json!({"kind": "service", "subject": "service:admin", "scopes": scopes})).await;
        world
    }

    /// Makes a key of `acme` as the operator.
    async fn key(&self, mut form: Value) -> String {
        form["tenant"] = json!("acme");
        let made = self.call(Method::POST, "/v1/keys", &self.operator, &form).await.expect(201).json();
        made["key"].as_str().unwrap().to_owned()
    }

    async fn user(&self, name: &str) -> String {
        self.key(json!({"kind": "user", "subject": name, "scopes": ["search", "read"]})).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    async fn call(&self, method: Method, path: &str, key: &str, body: &Value) -> Answer {
        self.call_with(method, path, key, &[], body).await
    }

    async fn call_with(&self, method: Method, path: &str, key: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut builder = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {key}"));
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let request = if body.is_null() {
            builder.body(Body::empty())
        } else {
            builder.header("content-type", "application/json").body(Body::from(body.to_string()))
        };
        self.send(request.unwrap()).await
    }

    async fn get(&self, path: &str, key: &str) -> Answer {
        self.call(Method::GET, path, key, &Value::Null).await
    }

    async fn collection(&self, name: &str, settings: Value) {
        self.call(Method::PUT, &format!("/v1/collections/{name}"), &self.admin, &settings).await.expect(200);
    }

    async fn document(&self, path: &str, text: &str, allow: &[&str]) -> Value {
        let body = json!({"text": text, "acl": {"allow": allow}});
        let path = format!("/v1/collections/{path}");
        self.call(Method::PUT, &path, &self.admin, &body).await.expect(200).json()
    }

    async fn search(&self, key: &str, body: Value) -> Value {
        self.call(Method::POST, "/v1/search", key, &body).await.expect(200).json()
    }

    async fn found(&self, key: &str, query: &str) -> Vec<String> {
        let answer = self.search(key, json!({"query": query})).await;
        let results = answer["results"].as_array().unwrap();
        results.iter().map(|result| result["document_id"].as_str().unwrap().to_owned()).collect()
    }

    /// How many records the tenant's log holds.
    fn records(&self) -> usize {
        let path = self.app.audit.path(Some(&TenantId::new("acme").unwrap()));
        std::fs::read_to_string(path).unwrap().lines().count()
    }
}

fn without_request_id(answer: &Answer) -> Value {
    let mut json = answer.json();
    json["request_id"] = Value::Null;
    json
}
