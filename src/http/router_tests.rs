//! Tests of the router over a real store, engine and audit log, in process: what each route answers, and to whom.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request},
};
use data_encoding::BASE64URL_NOPAD;
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

#[tokio::test]
async fn a_document_is_put_found_read_listed_and_deleted() {
    let world = World::new().await;
    world.collection("handbook", json!({"trust": "internal"})).await;
    let (alice, bob) = (world.user("user:alice").await, world.user("user:bob").await);
    let put = world
        .document(
            "handbook/documents/security%2Fkeys",
            "# Keys\n\nRotate signing keys every ninety days.",
            &["user:alice"],
        )
        .await;
    assert_eq!(
        (&put["document_id"], &put["status"], &put["chunks"]),
        (&json!("security/keys"), &json!("active"), &json!(1))
    );
    let answer = world.search(&alice, json!({"query": "rotate signing keys"})).await;
    let result = &answer["results"][0];
    assert_eq!(
        (&result["document_id"], &result["rank"], &result["trust"]),
        (&json!("security/keys"), &json!(1), &json!("internal"))
    );
    assert_eq!(result["provenance"]["ingested_by"], "service:admin");
    assert_eq!(answer["usage"]["chunks"], 1);
    assert!(answer["context"].as_str().unwrap().contains("Rotate signing keys"));
    assert_eq!(world.search(&bob, json!({"query": "rotate signing keys"})).await["results"], json!([]));
    let path = "/v1/collections/handbook/documents/security%2Fkeys";
    let read = world.get(path, &alice).await.expect(200).json();
    assert_eq!((&read["title"], &read["chunks"][0]["chunk_id"]), (&json!("Keys"), &result["chunk_id"]));
    assert_eq!(read.get("acl"), None, "the key lacks the scope `acl`");
    let list = world.get("/v1/collections/handbook/documents", &alice).await.expect(200).json();
    assert_eq!((list["documents"].as_array().unwrap().len(), &list["next_cursor"]), (1, &Value::Null));
    let hidden = world.get(path, &bob).await.expect(404);
    let absent = world.get("/v1/collections/handbook/documents/nothing", &bob).await.expect(404);
    assert_eq!(without_request_id(&hidden), without_request_id(&absent));
    let gone = world.call(Method::DELETE, path, &world.admin, &Value::Null).await.expect(204);
    assert!(gone.headers.contains_key("ringfence-revision"));
    world.get(path, &alice).await.expect(404);
    world.call(Method::DELETE, path, &world.admin, &Value::Null).await.expect(204);
    world.call(Method::DELETE, path, &alice, &Value::Null).await.expect(403);
}

#[tokio::test]
async fn changes_hold_from_their_acknowledgement_on() {
    let world = World::new().await;
    world.collection("handbook", json!({})).await;
    let bob = world.user("user:bob").await;
    world.document("handbook/documents/memo", "The embargoed memo about salaries.", &["group:hr"]).await;
    assert!(world.found(&bob, "embargoed memo").await.is_empty());
    let group = json!({"members": ["user:bob"]});
    world.call(Method::PUT, "/v1/groups/hr", &world.admin, &group).await.expect(200);
    assert_eq!(world.found(&bob, "embargoed memo").await, ["memo"]);
    let acl = json!({"allow": ["group:hr"], "deny": ["user:bob"]});
    let path = "/v1/collections/handbook/documents/memo/acl";
    let changed = world.call(Method::PUT, path, &world.admin, &acl).await.expect(200).json();
    assert_eq!((&changed["document_id"], &changed["acl"]), (&json!("memo"), &acl));
    assert!(world.found(&bob, "embargoed memo").await.is_empty());
    let revision = changed["revision"].as_str().unwrap();
    let demand = |revision: &str| vec![("ringfence-min-revision", revision.to_owned())];
    for (revision, status) in [(revision.to_owned(), 200), ("nonsense".to_owned(), 400)] {
        let headers = demand(&revision);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = json!({"query": "x"});
        world.call_with(Method::POST, "/v1/search", &bob, &headers, &body).await.expect(status);
    }
    let keys = world.get("/v1/keys", &world.admin).await.expect(200).json();
    let own = keys["keys"].as_array().unwrap().iter().find(|key| key["subject"] == "user:bob").unwrap();
    assert!(own["last_used_at"].is_string() && own.get("key").is_none());
    let path = format!("/v1/keys/{}", own["id"].as_str().unwrap());
    world.call(Method::DELETE, &path, &world.admin, &Value::Null).await.expect(204);
    let refused = world.call(Method::POST, "/v1/search", &bob, &json!({"query": "x"})).await.expect(401);
    assert!(refused.headers.contains_key("www-authenticate"));
}

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

#[tokio::test]
async fn vectors_of_a_client_stay_what_they_are() {
    let world = World::new().await;
    let client = |dimensions: u32| json!({"embedding": {"source": "client", "dimensions": dimensions}, "default_acl": {"allow": ["everyone"]}});
    world.collection("vectors", client(2)).await;
    world.collection("vectors", client(3)).await;
    let path = "/v1/collections/vectors/documents/a";
    let chunks = |vector: Value| json!({"chunks": [{"text": "one", "vector": vector}]});
    for (body, pointer) in [
        (json!({"text": "x"}), "/chunks/0/vector"),
        (chunks(json!([1, 0])), "/chunks/0/vector"),
        (chunks(json!([0, 0, 0])), "/chunks/0/vector"),
        (chunks(Value::Null), "/chunks/0/vector"),
    ] {
        let refused = world.call(Method::PUT, path, &world.admin, &body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    world.call(Method::PUT, path, &world.admin, &chunks(json!([1, 0, 0]))).await.expect(200);
    let refused = world.call(Method::PUT, "/v1/collections/vectors", &world.admin, &client(2)).await.expect(422).json();
    assert_eq!(refused["errors"][0]["pointer"], "/embedding");
    let kept = world.call(Method::PUT, "/v1/collections/vectors", &world.admin, &json!({})).await.expect(200).json();
    assert_eq!(kept["embedding"], json!({"source": "client", "dimensions": 3}));
    let alice = world.user("user:alice").await;
    let found = world.search(&alice, json!({"query": "zzz", "mode": "vector", "vector": [1, 0.5, 0]})).await;
    assert_eq!(found["results"][0]["document_id"], "a");
    let other = world.search(&alice, json!({"query": "zzz", "mode": "vector", "vector": [1, 0]})).await;
    assert_eq!(other["results"], json!([]));
}

#[tokio::test]
async fn raw_files_bring_metadata_and_acl_in_headers() {
    let world = World::new().await;
    world.collection("wiki", json!({"accept": ["text/markdown", "text/plain"]})).await;
    let encode = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let send = async |media_type: &str, acl: Option<String>, body: &'static [u8]| {
        let mut builder = Request::put("/v1/collections/wiki/documents/page")
            .header("authorization", format!("Bearer {}", world.admin))
            .header("content-type", media_type)
            .header("ringfence-meta", encode(json!({"lang": "en"})));
        if let Some(acl) = acl {
            builder = builder.header("ringfence-acl", acl);
        }
        world.send(builder.body(Body::from(body)).unwrap()).await
    };
    let acl = Some(encode(json!({"allow": ["user:alice"]})));
    send("text/markdown", acl.clone(), b"# Hello\n\nWorld peace").await.expect(200);
    let alice = world.user("user:alice").await;
    let found = world.search(&alice, json!({"query": "peace", "filter": {"metadata.lang": "en"}})).await;
    assert_eq!(
        (&found["results"][0]["title"], &found["results"][0]["metadata"]),
        (&json!("Hello"), &json!({"lang": "en"}))
    );
    send("text/markdown", None, b"x").await.expect(422);
    send("text/html", acl.clone(), b"<p>x").await.expect(415);
    send("application/pdf", acl.clone(), b"%PDF-1.7").await.expect(415);
    send("text/plain", acl.clone(), b"%PDF-1.7").await.expect(415);
    send("text/plain", Some("e30".repeat(3)), b"x").await.expect(400);
    send("text/plain", acl, b"").await.expect(422);
}

#[tokio::test]
async fn bad_bodies_are_refused_with_their_place() {
    let world = World::with(|config| config.limits.document_bytes = 1 << 20).await;
    world.collection("wiki", json!({})).await;
    let path = "/v1/collections/wiki/documents/a";
    let send = async |media_type: &str, body: Vec<u8>| {
        let request = Request::put(path).header("authorization", format!("Bearer {}", world.admin));
        world.send(request.header("content-type", media_type).body(Body::from(body)).unwrap()).await
    };
    let malformed = send("application/json", b"{\"text\":\n".to_vec()).await.expect(400).json();
    assert_eq!(malformed["detail"], "not well-formed JSON at line 2, column 0");
    send("application/json", vec![b' '; 4 << 20]).await.expect(413);
    send("text/plain", vec![b'x'; (1 << 20) + 1]).await.expect(413);
    for (body, pointer) in [
        (json!({"text": "x", "tenant": "globex"}), "/tenant"),
        (json!({"text": "x", "metadata": {"acl": 1}, "acl": {"allow": []}}), "/metadata/acl"),
        (json!({"text": "x", "acl": {"allow": ["bob"]}}), "/acl/allow/0"),
        (json!({"text": "x", "uri": "javascript:x", "acl": {"allow": []}}), "/uri"),
    ] {
        let refused = world.call(Method::PUT, path, &world.admin, &body).await.expect(422).json();
        assert_eq!((&refused["code"], &refused["errors"][0]["pointer"]), (&json!("invalid_fields"), &json!(pointer)));
    }
    let refused = world.call(Method::PUT, path, &world.admin, &json!({"text": "x"})).await.expect(422).json();
    assert_eq!(refused["code"], "acl_required");
    world.call(Method::PUT, "/v1/collections/none/documents/a", &world.admin, &json!({"text": "x"})).await.expect(404);
    world
        .call(Method::PUT, "/v1/collections/wiki/documents/%00", &world.admin, &json!({"text": "x"}))
        .await
        .expect(422);
    world.get("/v1/collections/wiki/documents/%FF", &world.user("user:a").await).await.expect(400);
}

#[tokio::test]
async fn a_batch_is_answered_line_for_line() {
    let world = World::new().await;
    world.collection("wiki", json!({"default_acl": {"allow": ["everyone"]}})).await;
    let lines = format!(
        "{}\n{}\n\nnot json\n{}\n{}\n{}",
        json!({"id": "a", "text": "first words"}),
        json!({"id": "b", "text": "second words", "color": 1}),
        json!({"text": "no name"}),
        format_args!("{{\"id\": \"big\", \"text\": \"{}\"}}", "x".repeat(1 << 20)),
        json!({"id": "c", "text": "last words", "acl": {"allow": ["user:alice"]}}),
    );
    let request = Request::post("/v1/collections/wiki/documents:batch")
        .header("authorization", format!("Bearer {}", world.admin));
    let request = request.header("content-type", "application/x-ndjson").body(Body::from(lines)).unwrap();
    let answer = world.send(request).await.expect(200);
    let lines: Vec<Value> = answer
        .bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let statuses: Vec<_> = lines.iter().map(|line| (line["id"].as_str(), line["status"].as_u64().unwrap())).collect();
    assert_eq!(statuses, [(Some("a"), 200), (Some("b"), 422), (None, 400), (None, 422), (None, 413), (Some("c"), 200)]);
    assert_eq!(lines[0]["result"]["document_id"], "a");
    assert_eq!(lines[1]["problem"]["errors"][0]["pointer"], "/color");
    let alice = world.user("user:alice").await;
    let mut found = world.found(&alice, "words").await;
    found.sort();
    assert_eq!(found, ["a", "c"]);
}

#[tokio::test]
async fn an_upload_takes_several_files() {
    let world = World::new().await;
    world.collection("wiki", json!({})).await;
    let part = |head: &str, body: &str| format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n");
    let file = |name: &str, media_type: &str, body: &str| {
        part(&format!("name=\"file\"; filename=\"{name}\"\r\nContent-Type: {media_type}"), body)
    };
    let body = [
        part("name=\"acl\"", r#"{"allow": ["everyone"]}"#),
        part("name=\"metadata\"", r#"{"lang": "en"}"#),
        file("notes.md", "text/markdown", "# Notes\n\nWater the plants."),
        file("bad.exe", "application/x-msdownload", "MZ"),
        file("plain.txt", "text/plain", "Feed the cat."),
        "--B--\r\n".to_owned(),
    ];
    let request =
        Request::post("/v1/collections/wiki/documents").header("authorization", format!("Bearer {}", world.admin));
    let request =
        request.header("content-type", "multipart/form-data; boundary=B").body(Body::from(body.concat())).unwrap();
    let documents = world.send(request).await.expect(200).json()["documents"].clone();
    let statuses: Vec<_> = documents.as_array().unwrap().iter().map(|file| file["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 415, 200], "{documents}");
    let alice = world.user("user:alice").await;
    assert_eq!(world.found(&alice, "plants").await[0], "notes.md");
    let request =
        Request::post("/v1/collections/wiki/documents").header("authorization", format!("Bearer {}", world.admin));
    let request =
        request.header("content-type", "multipart/form-data; boundary=B").body(Body::from("--B\r\nbroken")).unwrap();
    world.send(request).await.expect(400);
}

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
