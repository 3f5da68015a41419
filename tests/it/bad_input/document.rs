//! Documents that are refused.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use super::{At, Code, Fixture, Refusal};
use crate::harness::document_path;

const MALFORMED: Refusal = Code(400, "malformed_json");
const UNSUPPORTED: Refusal = Code(415, "unsupported_media_type");

#[test]
fn malformed_json_is_refused_with_its_position() {
    let fixture = Fixture::new();
    let deep = format!("{{\"text\": \"x\", \"metadata\": {{\"a\": {}1{}}}}}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for body in [
        &b""[..],
        b"{",
        b"{\"text\": \"x\",}",
        b"{\"text\": \"x\"} {}",
        b"{\"text\": \"x\", \"text\": \"y\"}",
        b"{\"text\": \"x\", \"acl\": {\"allow\": [\"user:a\"], \"allow\": [\"everyone\"]}}",
        b"{\"text\": \"\\ud800\"}",
        b"{\"text\": \"\xff\xfe\"}",
        b"{\"text\": \"a\nb\"}",
        b"\xef\xbb\xbf{\"text\": \"x\"}",
        b"{\"text\": \"x\", \"metadata\": {\"k\": 1e400}}",
        b"{\"text\": \"x\", \"metadata\": {\"k\": NaN}}",
        b"{'text': 'x'}",
        deep.as_bytes(),
        deep_objects.as_bytes(),
    ] {
        let answer = fixture.put("plain", body);
        MALFORMED.check(&answer, &String::from_utf8_lossy(&body[..body.len().min(80)]));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("line ") && detail.contains("column "), "{detail}");
    }
    fixture.assert_nothing_left();
}

#[test]
fn wrong_fields_are_refused_with_their_place() {
    let fixture = Fixture::new();
    let check = |document: Value, expected: Refusal| {
        let answer = fixture.put("plain", document.to_string().as_bytes());
        expected.check(&answer, &document.to_string().chars().take(120).collect::<String>());
    };
    let metadata = |metadata: Value| json!({"text": "x", "metadata": metadata});
    check(json!([]), At(""));
    check(json!({"text": "x", "owner": "me"}), At("/owner"));
    check(json!({"text": "x", "tenant": "globex"}), At("/tenant"));
    check(json!({"text": 5}), At("/text"));
    check(json!({"text": "x", "title": "t".repeat(1_025)}), At("/title"));
    check(json!({"text": "x", "uri": format!("https://x/{}", "u".repeat(2_048))}), At("/uri"));
    check(json!({"text": "x", "uri": "javascript:alert(1)"}), At("/uri"));
    check(metadata(json!("x")), At("/metadata"));
    check(metadata(json!({"a": "x".repeat(16 * 1_024)})), At("/metadata"));
    for name in ["tenant_id", "ACL", "collection", "document_id", "readers"] {
        let answer = fixture.put("plain", metadata(json!({ name: "x" })).to_string().as_bytes());
        crate::harness::assert_points_at(&answer, &format!("/metadata/{name}"));
    }
    check(metadata(json!({"a": {"b": {"acl": 1}}})), At("/metadata/a/b/acl"));
    check(json!({"content_base64": "?", "media_type": "text/plain"}), At("/content_base64"));
    fixture.assert_nothing_left();
}

#[test]
fn a_document_has_exactly_one_content() {
    let fixture = Fixture::new();
    for document in [
        json!({}),
        json!({"title": "only a title"}),
        json!({"text": "x", "chunks": [{"text": "y"}]}),
        json!({"text": "x", "content_base64": BASE64.encode(b"y"), "media_type": "text/plain"}),
    ] {
        let answer = fixture.put("plain", document.to_string().as_bytes());
        Code(422, "invalid_fields").check(&answer, &document.to_string());
    }
    fixture.assert_nothing_left();
}

#[test]
fn an_acl_that_cannot_be_represented_is_refused_never_trimmed() {
    let fixture = Fixture::new();
    let many: Vec<String> = (0..1_001).map(|number| format!("user:u{number}")).collect();
    for (acl, pointer) in [
        (json!("everyone"), ""),
        (json!({"alow": ["everyone"]}), "/alow"),
        (json!({"allow": "everyone"}), "/allow"),
        (json!({"allow": ["everyone", "bob"]}), "/allow/1"),
        (json!({"allow": ["user:"]}), "/allow/0"),
        (json!({"allow": ["*"]}), "/allow/0"),
        (json!({"allow": [7]}), "/allow/0"),
        (json!({"allow": ["everyone"], "deny": ["team:x"]}), "/deny/0"),
        (json!({"allow": many}), "/allow"),
        (json!({"allow": ["everyone"], "require": [{"attribute": "clearance"}]}), "/require/0"),
        (json!({"allow": ["everyone"], "require": [{"attribute": "c", "at_least": 1, "in": ["x"]}]}), "/require/0"),
        (json!({"allow": ["everyone"], "require": [{"attribute": "c", "at_least": 1.5}]}), "/require/0/at_least"),
        (json!({"allow": ["everyone"], "require": [{"attribute": "c", "equals": 1}]}), "/require/0/equals"),
        (json!({"allow": ["everyone"], "not_before": "tomorrow"}), "/not_before"),
        (json!({"allow": ["everyone"], "expires_at": "2026-12-01"}), "/expires_at"),
        (
            json!({"allow": ["everyone"], "not_before": "2027-01-01T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"}),
            "/expires_at",
        ),
    ] {
        let put = fixture.put("strict", json!({"text": "x", "acl": acl}).to_string().as_bytes());
        crate::harness::assert_points_at(&put, &format!("/acl{pointer}"));
    }
    Code(422, "acl_required").check(&fixture.put("strict", b"{\"text\": \"x\"}"), "no ACL and no default");
    fixture.assert_nothing_left();

    // The same of an ACL that is set by itself, where the pointer starts at the ACL.
    fixture.tenant.text("strict", "kept", "kept as it was", &["everyone"]);
    let path = format!("{}/acl", document_path("strict", "kept"));
    for (acl, pointer) in [(json!({"allow": ["bob"]}), "/allow/0"), (json!({"deny": 1}), "/deny"), (json!([]), "")] {
        crate::harness::assert_points_at(&fixture.tenant.admin.put(&path, &acl), pointer);
    }
    fixture.tenant.user("ann", &[]).get(&document_path("strict", "kept")).expect(200);
}

#[test]
fn vectors_that_mean_nothing_are_refused() {
    let fixture = Fixture::new();
    for vector in
        ["[1,2,3]", "[1,2,3,4,5]", "[]", "[0,0,0,0]", "[1e39,0,0,0]", "[1,2,3,null]", "\"1,2,3,4\"", "[1,2,3,\"4\"]"]
    {
        let body = format!("{{\"chunks\": [{{\"text\": \"x\", \"vector\": {vector}}}]}}");
        let answer = fixture.put("vectors", body.as_bytes());
        Code(422, "invalid_fields").check(&answer, vector);
        let pointer = answer.json()["errors"][0]["pointer"].as_str().unwrap().to_owned();
        assert!(pointer.starts_with("/chunks/0"), "{vector}: {pointer}");
    }
    MALFORMED.check(&fixture.put("vectors", b"{\"chunks\": [{\"text\": \"x\", \"vector\": [NaN,1,1,1]}]}"), "NaN");
    Code(422, "invalid_fields").check(&fixture.put("vectors", b"{\"chunks\": [{\"text\": \"x\"}]}"), "no vector");
    Code(422, "invalid_fields").check(&fixture.put("vectors", b"{\"text\": \"x\"}"), "a whole text has no vectors");
    let unexpected = b"{\"chunks\": [{\"text\": \"x\", \"vector\": [1,2,3,4]}]}";
    Code(422, "invalid_fields").check(&fixture.put("plain", unexpected), "a vector where the server embeds");
    fixture.assert_nothing_left();
}

#[test]
fn unknown_and_disguised_media_types_are_refused() {
    let fixture = Fixture::new();
    let pdf = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj";
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let zip = b"PK\x03\x04\x14\0\0\0";
    for (media_type, bytes, expected) in [
        (Some("application/x-msdownload"), &b"MZ\x90\0"[..], UNSUPPORTED),
        (Some("application/zip"), zip, UNSUPPORTED),
        (Some("text/plain"), pdf, UNSUPPORTED),
        (Some("text/plain"), png, UNSUPPORTED),
        (Some("text/plain"), zip, UNSUPPORTED),
        (Some("text/plain"), b"\x7fELF\x02\x01\x01\0", UNSUPPORTED),
        (Some("text/plain"), b"\x1f\x8b\x08\0", UNSUPPORTED),
        (Some("text/html; charset=utf-7"), b"+ADw-p+AD4-", UNSUPPORTED),
        (Some("text/html"), b"<p>the collection takes plain text</p>", UNSUPPORTED),
        (Some("nonsense"), b"text", UNSUPPORTED),
        (None, b"text", UNSUPPORTED),
        (Some("text/plain"), b"\xff\xfea\0\x00\xd8b\0", Code(422, "unparseable")),
    ] {
        let answer = fixture.tenant.admin.send("PUT", &document_path("plain", "d"), media_type, Some(bytes));
        expected.check(&answer, &format!("{media_type:?} {bytes:?}"));
        let form = json!({"content_base64": BASE64.encode(bytes), "media_type": media_type});
        if media_type.is_some_and(|name| name != "text/html; charset=utf-7") {
            expected.check(&fixture.put("plain", form.to_string().as_bytes()), &form.to_string());
        }
    }
    let twice = [("content-type", "text/plain"), ("content-type", "text/html")];
    let answer = fixture.tenant.admin.send_with("PUT", &document_path("plain", "d"), None, &twice, Some(b"x"));
    UNSUPPORTED.check(&answer, "two types");
    let coded = [("content-encoding", "gzip")];
    let answer =
        fixture.tenant.admin.send_with("PUT", &document_path("plain", "d"), Some("text/plain"), &coded, Some(b"x"));
    UNSUPPORTED.check(&answer, "a coded body");
    fixture.assert_nothing_left();
}

#[test]
fn headers_of_a_raw_file_are_read_strictly() {
    let fixture = Fixture::new();
    let send = |name: &str, value: &str| {
        let headers = [(name, value)];
        let path = document_path("plain", "d");
        fixture.tenant.admin.send_with("PUT", &path, Some("text/plain"), &headers, Some(b"text"))
    };
    for (name, value) in [
        ("ringfence-meta", "{\"a\": 1}".to_owned()),
        ("ringfence-meta", "????".to_owned()),
        ("ringfence-meta", BASE64URL_NOPAD.encode(b"{\"a\":")),
        ("ringfence-acl", BASE64URL_NOPAD.encode(b"{\"allow\": [\"everyone\"], \"allow\": []}")),
        ("ringfence-acl", "everyone".to_owned()),
    ] {
        Code(400, "malformed_header").check(&send(name, &value), &value);
    }
    for (name, value) in [("ringfence-acl", "{\"allow\": [\"bob\"]}"), ("ringfence-meta", "{\"acl\": 1}")] {
        Code(422, "invalid_fields").check(&send(name, &BASE64URL_NOPAD.encode(value.as_bytes())), value);
    }
    fixture.assert_nothing_left();
}

#[test]
fn names_that_are_none_are_refused() {
    let fixture = Fixture::new();
    let document = json!({"text": "x", "acl": {"allow": ["everyone"]}});
    for id in ["x".repeat(513), "%00".to_owned(), "a%0Ab".to_owned(), "%ff".to_owned()] {
        let answer = fixture.tenant.admin.put(&document_path("strict", &id), &document);
        assert!(matches!(answer.status, 400 | 404 | 422), "{id}: {}", answer.text());
        crate::harness::assert_is_problem(&answer);
    }
    for name in ["a%20b", "-x", &"x".repeat(65), "..%2fetc", "%00"] {
        let answer = fixture.tenant.admin.put(&format!("/v1/collections/{name}"), &json!({}));
        assert!(matches!(answer.status, 400 | 404 | 422), "{name}: {}", answer.text());
        crate::harness::assert_is_problem(&answer);
    }
    fixture.assert_nothing_left();
}
