//! What is wrong with the bytes of a request before any route sees it, through the whole server; and bodies that are too large.

use std::io::Write;

use serde_json::json;

use super::{Code, Fixture};
use crate::harness::{connect, document_path, exchange_raw, read_answer};

/// What becomes of raw bytes: refused with a 4xx or closed, and never a second answer.
const SMUGGLED: &str = "DELETE /v1/collections/strict HTTP/1.1\r\nhost: test\r\n";

fn hostile(credential: &str) -> Vec<(&'static str, Vec<u8>)> {
    let smuggled = format!("{SMUGGLED}authorization: Bearer {credential}\r\n\r\n");
    let search = |head: &str, rest: &str| {
        format!("POST /v1/search HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {credential}\r\ncontent-type: application/json\r\n{head}\r\n\r\n{rest}").into_bytes()
    };
    let chunked = format!("0\r\n\r\n{smuggled}");
    let long = "a".repeat(40_000);
    let many = "x-many: 1\r\n".repeat(5_000);
    vec![
        (
            "length and chunks",
            search(&format!("content-length: {}\r\ntransfer-encoding: chunked", chunked.len()), &chunked),
        ),
        ("chunks named twice", search("transfer-encoding: chunked\r\ntransfer-encoding: x", &chunked)),
        ("other coding", search("transfer-encoding: xchunked\r\ncontent-length: 5", &chunked)),
        ("blank before the colon", search("transfer-encoding : chunked\r\ncontent-length: 5", &chunked)),
        ("two lengths", search(&format!("content-length: 0\r\ncontent-length: {}", smuggled.len()), &smuggled)),
        ("a list of lengths", search("content-length: 0, 5", &smuggled)),
        ("a signed length", search("content-length: +5", "hello")),
        ("a negative length", search("content-length: -1", &smuggled)),
        ("a length beyond numbers", search("content-length: 99999999999999999999", "x")),
        ("a chunk size beyond numbers", search("transfer-encoding: chunked", "fffffffffffffffff\r\nx\r\n0\r\n\r\n")),
        ("no chunk size", search("transfer-encoding: chunked", "zz\r\nx\r\n0\r\n\r\n")),
        ("a folded header", search("x-a: b\r\n c: d\r\ncontent-length: 0", "")),
        ("a header without a name", search(": x\r\ncontent-length: 0", "")),
        ("a NUL in a header", search("x-a: b\0c\r\ncontent-length: 0", "")),
        ("two hosts", search("host: other\r\ncontent-length: 0", "")),
        ("a header too long", search(&format!("x-long: {long}\r\ncontent-length: 0"), "")),
        ("too many headers", search(&format!("{many}content-length: 0"), "")),
        ("no host", format!("GET /v1/collections HTTP/1.1\r\nauthorization: Bearer {credential}\r\n\r\n").into_bytes()),
        (
            "HTTP/1.0",
            format!("GET /v1/collections HTTP/1.0\r\nhost: test\r\nauthorization: Bearer {credential}\r\n\r\n")
                .into_bytes(),
        ),
        ("HTTP/0.9", b"GET /v1/collections\r\n".to_vec()),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()),
        ("TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec()),
        ("a long address", format!("GET /{long} HTTP/1.1\r\nhost: test\r\n\r\n").into_bytes()),
        (
            "bare line feeds",
            format!("GET /v1/collections HTTP/1.1\nhost: test\nauthorization: Bearer {credential}\n\n").into_bytes(),
        ),
        ("TRACE", b"TRACE / HTTP/1.1\r\nhost: test\r\n\r\n".to_vec()),
        ("CONNECT", b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: test\r\n\r\n".to_vec()),
        ("noise", (0..=255).collect()),
    ]
}

#[test]
fn hostile_bytes_are_refused_and_smuggle_nothing() {
    let fixture = Fixture::new();
    for (name, bytes) in hostile(fixture.tenant.admin.credential()) {
        let answer = exchange_raw(fixture.server.address(), &bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{name}: {answer}");
        let status = answer.get(9..12).unwrap_or_default();
        assert!(answer.is_empty() || status.starts_with('4'), "{name}: {answer}");
        fixture.tenant.admin.get("/v1/collections/strict").expect(200);
    }
}

#[test]
fn headers_that_other_servers_obey_change_nothing() {
    let fixture = Fixture::new();
    let user = fixture.tenant.user("ann", &[]);
    let plain = user.get("/v1/collections/strict").expect(200);
    for (name, value) in [
        ("x-http-method-override", "DELETE"),
        ("x-original-url", "/v1/tenants"),
        ("x-rewrite-url", "/v1/keys"),
        ("x-forwarded-user", "admin"),
        ("x-tenant-id", "globex"),
        ("range", "bytes=0-10"),
        ("if-modified-since", "Mon, 02 Nov 2026 09:00:00 GMT"),
        ("if-none-match", "*"),
    ] {
        let answer = user.with(name, value).get("/v1/collections/strict");
        assert_eq!((answer.status, &answer.body), (plain.status, &plain.body), "{name}");
    }
}

#[test]
fn a_body_over_its_limit_is_refused_unread() {
    let fixture = Fixture::new();
    let document = document_path("strict", "d");
    for (method, path, media_type, limit) in [
        ("PUT", document.as_str(), "text/plain", 16 << 20),
        ("PUT", document.as_str(), "application/json", 24 << 20),
        ("POST", "/v1/search", "application/json", 1 << 20),
        ("POST", "/v1/keys", "application/json", 1 << 20),
        ("PUT", "/v1/collections/strict", "application/json", 1 << 20),
    ] {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\ncontent-type: {media_type}\r\n",
            fixture.tenant.admin.credential()
        );
        // Only the head is sent: an answer proves that the body was not waited for.
        let mut declared = std::io::BufReader::new(connect(fixture.server.address()).unwrap());
        write!(declared.get_mut(), "{head}content-length: {}\r\n\r\n", limit + 1).unwrap();
        let answer = read_answer(&mut declared, false).unwrap();
        Code(413, "payload_too_large").check(&answer, &format!("{method} {path}, declared"));

        let mut chunked = std::io::BufReader::new(connect(fixture.server.address()).unwrap());
        write!(chunked.get_mut(), "{head}transfer-encoding: chunked\r\n\r\n").unwrap();
        let chunk = vec![b'1'; 1 << 20];
        let mut sent = 0;
        // The server stops reading at the limit and may close while we write.
        while sent <= limit + (2 << 20) && write_chunk(chunked.get_mut(), &chunk).is_ok() {
            sent += chunk.len();
        }
        let answer = read_answer(&mut chunked, false).unwrap();
        Code(413, "payload_too_large").check(&answer, &format!("{method} {path}, in chunks"));
    }
    fixture.assert_nothing_left();
}

fn write_chunk(stream: &mut impl Write, chunk: &[u8]) -> std::io::Result<()> {
    write!(stream, "{:x}\r\n", chunk.len())?;
    stream.write_all(chunk)?;
    stream.write_all(b"\r\n")
}

#[test]
fn the_largest_document_is_taken_and_one_byte_more_is_not() {
    let fixture = Fixture::new();
    let path = document_path("plain", "large");
    // One long word has few passages, so that the test is about size and not about the index.
    let mut text = vec![b'x'; 16 << 20];
    let taken = fixture.tenant.admin.send("PUT", &path, Some("text/plain"), Some(&text));
    assert!(matches!(taken.status, 200 | 422), "{} {}", taken.status, taken.text());
    text.push(b'x');
    let refused = fixture.tenant.admin.send("PUT", &path, Some("text/plain"), Some(&text));
    Code(413, "payload_too_large").check(&refused, "one byte more");
    let body = json!({"text": "x".repeat((16 << 20) + 1)}).to_string();
    let refused = fixture.put("plain", body.as_bytes());
    assert!(matches!(refused.status, 413 | 422), "{}", refused.text());
}
