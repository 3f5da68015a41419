//! Documents: put, found, read, uploaded and refused.

use axum::{
    body::Body,
    http::{Method, Request},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::{World, without_request_id};

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
    let other = json!({"query": "zzz", "mode": "vector", "vector": [1, 0]});
    world.call(Method::POST, "/v1/search", &alice, &other).await.expect(422);
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
async fn the_last_line_of_a_document_holds() {
    let world = World::new().await;
    world.collection("wiki", json!({"default_acl": {"allow": ["everyone"]}})).await;
    // The first takes longer to prepare than those after it.
    let long = "A long beginning. ".repeat(20_000);
    let lines = [long.as_str(), "second", "third", "final"].map(|text| json!({"id": "a", "text": text}).to_string());
    let request = Request::post("/v1/collections/wiki/documents:batch");
    let request = request.header("authorization", format!("Bearer {}", world.admin));
    let request = request.header("content-type", "application/x-ndjson").body(Body::from(lines.join("\n"))).unwrap();
    world.send(request).await.expect(200);
    let alice = world.user("user:alice").await;
    let read = world.get("/v1/collections/wiki/documents/a", &alice).await.expect(200).json();
    assert_eq!(read["chunks"][0]["text"], "final");
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
