//! A batch answers line for line: one bad line does not stop the rest, and limits hold for each line.

use serde_json::{Value, json};

use super::{Code, Fixture};
use crate::harness::{Answer, assert_is_document, document_path};

const NDJSON: &str = "application/x-ndjson";

fn send(fixture: &Fixture, collection: &str, body: &[u8]) -> Answer {
    let path = format!("/v1/collections/{collection}/documents:batch");
    fixture.tenant.admin.send("POST", &path, Some(NDJSON), Some(body))
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn one_bad_line_does_not_stop_the_rest() {
    let fixture = Fixture::new();
    let good = |id: &str| json!({"id": id, "text": format!("the text of {id}")}).to_string();
    let long = json!({"id": "long", "text": "x".repeat(1 << 20)}).to_string();
    let expected: Vec<(Vec<u8>, Value, u16, &str)> = vec![
        (good("a").into(), json!("a"), 200, ""),
        (b"{\"id\": \"b\", \"text\": ".to_vec(), Value::Null, 400, "malformed_json"),
        (good("c").into(), json!("c"), 200, ""),
        (b"{\"id\": \"d\", \"text\": \"x\", \"owner\": 1}".to_vec(), json!("d"), 422, "invalid_fields"),
        (b"{\"text\": \"no id\"}".to_vec(), Value::Null, 422, "invalid_fields"),
        (
            b"{\"id\": \"e\", \"text\": \"x\", \"acl\": {\"allow\": [\"bob\"]}}".to_vec(),
            json!("e"),
            422,
            "invalid_fields",
        ),
        (long.into(), Value::Null, 413, "payload_too_large"),
        (b"\xff\xfe".to_vec(), Value::Null, 400, "malformed_json"),
        (b"[]".to_vec(), Value::Null, 422, "invalid_fields"),
        (good("a").into(), json!("a"), 200, ""),
        (good("z").into(), json!("z"), 200, ""),
    ];
    let body: Vec<u8> = expected.iter().flat_map(|(line, ..)| [line.as_slice(), b"\n"].concat()).collect();
    let answer = send(&fixture, "plain", &body).expect(200);
    let found = lines(&answer);
    assert_eq!(found.len(), expected.len(), "{}", answer.text());
    for (line, (sent, id, status, code)) in found.iter().zip(&expected) {
        let sent = String::from_utf8_lossy(&sent[..sent.len().min(60)]);
        assert_eq!(line["status"], *status, "{sent}: {line}");
        // Of a line that cannot be read the id may be unknown; one that is told must be right.
        assert!(line["id"] == *id || (*status != 200 && line["id"].is_null()), "{sent}: {line}");
        if *status == 200 {
            assert_eq!(line["result"]["document_id"], *id, "{line}");
            assert_eq!(line["result"]["status"], "active", "{line}");
            assert!(line.get("problem").is_none_or(Value::is_null), "{line}");
        } else {
            assert_is_document(&line["problem"], *status);
            assert_eq!(line["problem"]["code"], *code, "{sent}: {line}");
            assert!(line.get("result").is_none_or(Value::is_null), "{line}");
        }
    }
    let list = fixture.tenant.admin.get("/v1/collections/plain/documents").expect(200).json();
    assert_eq!(list["documents"].as_array().map(Vec::len), Some(3), "{list}");
}

#[test]
fn a_pointer_of_a_line_starts_at_the_line() {
    let fixture = Fixture::new();
    let answer = send(&fixture, "plain", b"{\"id\": \"a\", \"text\": \"x\", \"metadata\": {\"acl\": 1}}\n").expect(200);
    assert_eq!(lines(&answer)[0]["problem"]["errors"][0]["pointer"], "/metadata/acl");
}

#[test]
fn ends_of_lines_do_not_matter_and_blank_lines_are_no_documents() {
    let fixture = Fixture::new();
    let body = b"{\"id\": \"a\", \"text\": \"x\"}\r\n\n{\"id\": \"b\", \"text\": \"x\"}";
    let found = lines(&send(&fixture, "plain", body).expect(200));
    let taken: Vec<&Value> = found.iter().filter(|line| line["status"] == 200).map(|line| &line["id"]).collect();
    assert_eq!(taken, ["a", "b"], "{found:?}");
    assert!(lines(&send(&fixture, "plain", b"").expect(200)).is_empty());
}

#[test]
fn a_batch_of_another_type_or_elsewhere_is_refused() {
    let fixture = Fixture::new();
    let path = "/v1/collections/plain/documents:batch";
    let answer = fixture.tenant.admin.send("POST", path, Some("application/json"), Some(b"{}"));
    Code(415, "unsupported_media_type").check(&answer, "JSON");
    Code(404, "not_found").check(&send(&fixture, "absent", b"{\"id\": \"a\", \"text\": \"x\"}\n"), "no collection");
}

#[test]
fn several_files_are_uploaded_or_refused_one_by_one() {
    let fixture = Fixture::new();
    let part = |name: &str, media_type: &str, text: &str| {
        format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {media_type}\r\n\r\n{text}\r\n"
        )
    };
    let path = "/v1/collections/plain/documents";
    let upload = |body: &str| {
        let media_type = Some("multipart/form-data; boundary=frontier");
        fixture.tenant.admin.send("POST", path, media_type, Some(body.as_bytes()))
    };
    let body =
        format!("{}{}--frontier--\r\n", part("a.txt", "text/plain", "first"), part("b.txt", "text/plain", "second"));
    let answer = upload(&body);
    assert!(matches!(answer.status, 200 | 207), "{}", answer.text());
    for id in ["a.txt", "b.txt"] {
        fixture.tenant.user("ann", &[]).get(&document_path("plain", id)).expect(200);
    }
    for body in ["", "nothing", "--frontier\r\nbroken"] {
        let answer = upload(body);
        assert!(matches!(answer.status, 400 | 422), "{body}: {} {}", answer.status, answer.text());
        crate::harness::assert_is_problem(&answer);
    }
    let answer = fixture.tenant.admin.send("POST", path, Some("multipart/form-data"), Some(b"x"));
    assert!(matches!(answer.status, 400 | 415), "{}", answer.text());
}
