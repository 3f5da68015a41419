//! The hostile corpus against every route that takes documents (T15, T16): no 5xx, no hang, no growth for what is refused, nothing of it found, nobody called.

mod corpus;

use std::{fs, io::ErrorKind, net::TcpListener, time::Duration};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use tokio::time::Instant;

use self::corpus::{Hostile, all};
use crate::harness::{Caller, Program, Tenant, document_path};

/// Parsing has 10 seconds of processor time; a machine under load takes longer for them.
const PATIENCE: Duration = Duration::from_secs(45);
/// How much the server may grow for a document that it refuses.
const GROWTH_KIB_MAX: i64 = 10 * 1024;
const COLLECTION: &str = "inbox";

/// Sends a file under an id and gives the status of its document.
type Send = fn(&Caller, &Hostile, &str) -> u16;

/// The ways in.
const ROUTES: [(&str, Send); 4] = [("raw", raw), ("json", in_json), ("multipart", multipart), ("batch", batch)];

fn raw(caller: &Caller, file: &Hostile, id: &str) -> u16 {
    let acl = BASE64URL_NOPAD.encode(b"{\"allow\":[\"everyone\"]}");
    let further = [("ringfence-acl", acl.as_str())];
    caller.send_with("PUT", &document_path(COLLECTION, id), Some(file.media_type), &further, Some(&file.bytes)).status
}

fn form(file: &Hostile) -> Value {
    json!({"content_base64": BASE64.encode(&file.bytes), "media_type": file.media_type, "acl": {"allow": ["everyone"]}})
}

fn in_json(caller: &Caller, file: &Hostile, id: &str) -> u16 {
    caller.put(&document_path(COLLECTION, id), &form(file)).status
}

fn multipart(caller: &Caller, file: &Hostile, id: &str) -> u16 {
    const BOUNDARY: &str = "the-boundary-of-this-test";
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"acl\"\r\n\r\n{{\"allow\":[\"everyone\"]}}\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{id}\"\r\nContent-Type: {}\r\n\r\n",
        file.media_type
    );
    let body = [head.as_bytes(), &file.bytes, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
    let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let path = format!("/v1/collections/{COLLECTION}/documents");
    let answer = caller.send("POST", &path, Some(&media_type), Some(&body));
    if answer.status != 200 {
        return answer.status;
    }
    status_of(&answer.json()["documents"][0])
}

fn batch(caller: &Caller, file: &Hostile, id: &str) -> u16 {
    let mut line = form(file);
    line["id"] = id.into();
    let path = format!("/v1/collections/{COLLECTION}/documents:batch");
    let body = format!("{line}\n");
    let answer = caller.send("POST", &path, Some("application/x-ndjson"), Some(body.as_bytes())).expect(200);
    status_of(&serde_json::from_str(answer.text().lines().next().expect("a line")).expect("JSON"))
}

fn status_of(answer: &Value) -> u16 {
    answer["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_else(|| panic!("{answer}"))
}

/// A field of the process's status in KiB.
fn memory(process: u32, field: &str) -> i64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The most that the process had in memory during this, above what it had before.
fn growth(process: u32, work: impl FnOnce() -> u16) -> (u16, i64) {
    // Forgets the peak so far.
    fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
    let before = memory(process, "VmRSS:");
    let status = work();
    (status, memory(process, "VmHWM:") - before)
}

#[test]
fn every_hostile_file_through_every_way_in() {
    let program = Program::init();
    let serving = program.serve();
    let tenant = Tenant::create(serving.address, &program.operator(&serving), "acme");
    tenant.collection(COLLECTION, &json!({}));
    let called = TcpListener::bind("127.0.0.1:0").unwrap();
    called.set_nonblocking(true).unwrap();
    let files = all(called.local_addr().unwrap().port());
    assert!(files.len() > 70, "{}", files.len());
    warm_up(&tenant, &files);
    let (mut faults, mut refused, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for file in &files {
        for (route, send) in ROUTES {
            let id = format!("{route}-{}", file.name);
            let started = Instant::now();
            let (status, growth) = growth(serving.id(), || send(&tenant.admin, file, &id));
            if started.elapsed() > PATIENCE {
                faults.push(format!("{id}: took {:?}", started.elapsed()));
            }
            match status {
                200 => taken.push(id),
                400..500 => {
                    if growth - body_kib(file, route) > GROWTH_KIB_MAX {
                        faults.push(format!("{id}: {status}, grew by {growth} KiB after {:?}", started.elapsed()));
                    }
                    refused.push(id);
                }
                _ => faults.push(format!("{id}: {status}")),
            }
        }
    }
    assert!(refused.len() > 80 && taken.len() > 80, "{} refused, {} taken", refused.len(), taken.len());
    faults.extend(left_behind(&tenant, &refused, &taken));
    match called.accept() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        other => faults.push(format!("somebody was called: {other:?}")),
    }
    let (status, log) = serving.stop();
    assert!(status.success() && !log.contains("panicked"), "{log}");
    assert!(faults.is_empty(), "{faults:#?}");
}

/// What the first requests of each kind take once: threads, buffers, regular expressions.
fn warm_up(tenant: &Tenant, files: &[Hostile]) {
    let largest = files.iter().max_by_key(|file| file.bytes.len()).unwrap();
    for (route, send) in ROUTES {
        send(&tenant.admin, largest, &format!("{route}-warm-up"));
    }
}

/// What holding the request itself takes: the body, and what its base64 and its multipart form are decoded into. A raw body of JSON is the API's own form, and is read as a tree before it is refused.
fn body_kib(file: &Hostile, route: &str) -> i64 {
    let copies = match (route, file.media_type) {
        ("raw", "application/json") => 30,
        ("raw", _) => 3,
        _ => 5,
    };
    i64::try_from(file.bytes.len() / 1024).unwrap() * copies
}

fn left_behind(tenant: &Tenant, refused: &[String], taken: &[String]) -> Vec<String> {
    let reader = &tenant.admin;
    let mut faults = Vec::new();
    for id in refused {
        if reader.get(&document_path(COLLECTION, id)).status != 404 {
            faults.push(format!("{id}: it was refused and is there"));
        }
    }
    for id in taken {
        let answer = reader.get(&document_path(COLLECTION, id));
        if answer.status == 404 {
            // Held back, because the sanitiser gave it up: there for a reviewer and for nobody else.
            let held = reader.get(&format!("/v1/quarantine/{COLLECTION}/{id}"));
            println!("{id} is held back: {}", held.status);
            if held.status != 200 {
                faults.push(format!("{id}: it was taken and is gone"));
            }
            continue;
        }
        let text = answer.expect(200).text();
        for word in ["HIDDEN-CANARY", "root:x:", "<|im_start|>", "\u{202e}", "\u{200b}"] {
            if text.contains(word) {
                faults.push(format!("{id}: has `{}`", word.escape_debug()));
            }
        }
    }
    faults
}
