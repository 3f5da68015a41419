//! The audit log from outside: one record for each request that concerns content or policy, nothing answered unrecorded, and every tampering found.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ringfence::audit::verify;
use ringfence_indexes::TenantId;
use serde_json::{Value, json};

use crate::{
    harness::{Server, Tenant, assert_is_problem, batch, document_path, is_deep},
    oracle::Dice,
};

fn log(server: &Server, tenant: &str) -> PathBuf {
    server.app().audit.path(Some(&TenantId::new(tenant).unwrap()))
}

fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
}

/// A tenant with a document and somebody who reads it.
fn tenant(server: &Server) -> Tenant {
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.text("handbook", "open", "how the signing keys are rotated", &["everyone"]);
    tenant.text("handbook", "closed", "how the salaries are decided", &["user:boss"]);
    tenant
}

#[test]
fn every_request_on_content_or_policy_has_one_record() {
    let server = Server::start();
    let tenant = tenant(&server);
    let (user, admin) = (tenant.user("ann", &[]), &tenant.admin);
    let path = log(&server, "acme");
    let (open, closed) = (document_path("handbook", "open"), document_path("handbook", "closed"));
    let document = json!({"text": "new", "acl": {"allow": ["user:ann"]}});
    let search = json!({"query": "how are the signing keys rotated"});
    let check = |name: &str, action: &str, status: u16, send: &dyn Fn() -> crate::harness::Answer| {
        let before = records(&path).len();
        let answer = send();
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        let new = records(&path).split_off(before);
        assert_eq!(new.len(), 1, "{name}: {new:#?}");
        assert_eq!(new[0]["action"], action, "{name}: {new:#?}");
        assert_eq!(new[0]["status"], status, "{name}: {new:#?}");
        if let Some(request_id) =
            serde_json::from_slice::<Value>(&answer.body).ok().and_then(|body| body.get("request_id").cloned())
        {
            assert_eq!(new[0]["request_id"], request_id, "{name}");
        }
        new[0].clone()
    };
    let record = check("a search", "search", 200, &|| user.post("/v1/search", &search));
    assert_eq!(record["actor"]["principal"], "user:ann", "{record}");
    assert_eq!(record["count"], 1, "{record}");
    assert!(record["documents"].to_string().contains("open"), "{record}");
    assert!(record["query"]["hash"].is_string(), "{record}");
    check("a read", "document.read", 200, &|| user.get(&open));
    check("a read of what is hidden", "document.read", 404, &|| user.get(&closed));
    check("a read of what is absent", "document.read", 404, &|| user.get(&document_path("handbook", "absent")));
    check("a list", "document.list", 200, &|| user.get("/v1/collections/handbook/documents"));
    check("a list of what is absent", "document.list", 404, &|| user.get("/v1/collections/absent/documents"));
    check("collections", "collection.list", 200, &|| user.get("/v1/collections"));
    check("a collection", "collection.read", 200, &|| user.get("/v1/collections/handbook"));
    check("a put", "document.put", 200, &|| admin.put(&document_path("handbook", "new"), &document));
    check("a put without the scope", "document.put", 403, &|| user.put(&open, &document));
    check("an ACL", "document.acl", 200, &|| {
        admin.put(&format!("{}/acl", document_path("handbook", "new")), &json!({"allow": []}))
    });
    check("a delete", "document.delete", 204, &|| admin.delete(&document_path("handbook", "new")));
    check("a group", "group.put", 200, &|| admin.put("/v1/groups/eng", &json!({"members": ["user:ann"]})));
    check("a member", "group.member.remove", 204, &|| {
        let answer = admin.delete("/v1/groups/eng/members/user:ann");
        // Whether the new state is shown or not is the route's own matter.
        crate::harness::Answer { status: if answer.status == 200 { 204 } else { answer.status }, ..answer }
    });
    check("a missing group", "group.read", 404, &|| admin.get("/v1/groups/none"));
    check("keys", "key.list", 200, &|| admin.get("/v1/keys"));
    check("keys without the scope", "key.list", 403, &|| user.get("/v1/keys"));
    let key = json!({"kind": "user", "name": "x", "subject": "user:x", "scopes": ["search"]});
    check("a key", "key.create", 201, &|| admin.post("/v1/keys", &key));
    let acting = tenant.service("gateway", &["search", "assert"]).acting_as("user:ann");
    let record = check("on behalf", "search", 200, &|| acting.post("/v1/search", &search));
    assert_eq!(
        (&record["actor"]["principal"], &record["actor"]["acting_for"]),
        (&json!("service:gateway"), &json!("user:ann"))
    );

    let before = records(&path).len();
    let lines: Vec<Value> =
        (0..5).map(|number| json!({"id": format!("b{number}"), "text": "x", "acl": {"allow": []}})).collect();
    batch(admin, "handbook", &lines);
    let new = records(&path).split_off(before);
    for number in 0..5 {
        let resource = format!("handbook/b{number}");
        assert_eq!(new.iter().filter(|record| record["resource"] == resource).count(), 1, "{resource}: {new:#?}");
    }
    let text = fs::read_to_string(&path).unwrap();
    for secret in ["signing keys are rotated", "salaries", "how are the"] {
        assert!(!text.contains(secret), "the log holds text or a query: {secret}");
    }
}

#[test]
fn without_a_record_there_is_no_answer() {
    let mut server = Server::start();
    let tenant = tenant(&server);
    let (user_key, admin_key) = (tenant.user("ann", &[]).credential().to_owned(), tenant.admin.credential().to_owned());
    let other = server.tenant("globex");
    other.collection("handbook", &json!({}));
    let other_key = other.admin.credential().to_owned();
    let path = log(&server, "acme");
    server.stop();
    // Root may write anything but a directory as if it were a file.
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).unwrap();
    fs::create_dir(&path).unwrap();
    server.restart();
    let (user, admin) = (server.caller(&user_key), server.caller(&admin_key));
    let search = json!({"query": "how are the signing keys rotated"});
    for answer in [
        user.post("/v1/search", &search),
        user.get(&document_path("handbook", "open")),
        user.get("/v1/collections/handbook/documents"),
        admin.put(&document_path("handbook", "unrecorded"), &json!({"text": "x", "acl": {"allow": ["everyone"]}})),
        admin.put("/v1/groups/eng", &json!({"members": []})),
        admin.delete(&document_path("handbook", "open")),
    ] {
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_is_problem(&answer);
        assert!(!answer.text().contains("rotated"), "{}", answer.text());
    }
    // Another tenant's log is another matter.
    server.caller(&other_key).get("/v1/collections/handbook").expect(200);

    fs::remove_dir(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    server.restart();
    let user = server.caller(&user_key);
    assert_eq!(user.found("signing keys"), ["open"], "what was refused did not happen");
    user.get(&document_path("handbook", "unrecorded")).expect(404);
    assert!(verify(path.parent().unwrap(), None).unwrap().is_sound());
}

/// A closed log: everything in it lies before a checkpoint.
fn closed_log() -> (tempfile::TempDir, PathBuf) {
    let mut server = Server::start();
    let tenant = tenant(&server);
    let user = tenant.user("ann", &[]);
    for number in 0..10 {
        user.found(&format!("question {number}"));
    }
    let path = log(&server, "acme");
    server.stop();
    // Ten thousand small files are written; in memory that takes a tenth of the time.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // The server's own log would be checked each time too.
        if !name.starts_with("_server") {
            fs::copy(path.with_file_name(&name), folder.path().join(name)).unwrap();
        }
    }
    let copy = folder.path().join(path.file_name().unwrap());
    (folder, copy)
}

/// A log that was tampered with; `None` where the change came to nothing.
fn tampered(dice: &mut Dice, log: &[u8]) -> Option<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = log.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let at = dice.roll(lines.len());
    match dice.roll(6) {
        0 => drop(lines.remove(at)),
        1 => {
            let byte = dice.roll(lines[at].len());
            lines[at][byte] ^= 1 << dice.roll(8);
        }
        2 => lines.swap(at, dice.roll(log.iter().filter(|byte| **byte == b'\n').count())),
        3 => {
            let copy = lines[dice.roll(lines.len())].clone();
            lines.insert(at, copy);
        }
        4 => return Some(log[..dice.roll(log.len())].to_vec()),
        _ => {
            let text = String::from_utf8(lines[at].clone()).expect("the log is text");
            lines[at] = text.replacen("200", "404", 1).replacen("user:ann", "user:bob", 1).into_bytes();
        }
    }
    let changed = lines.concat();
    (changed != log).then_some(changed)
}

#[test]
fn every_tampering_is_found() {
    let (folder, path) = closed_log();
    let sound = verify(folder.path(), None).unwrap();
    assert!(sound.is_sound(), "{sound:?}");
    let own = sound.logs.iter().find(|log| log.log == "acme").expect("the tenant's log");
    assert!(own.records > 12 && own.records == own.signed, "{own:?}");
    let log = fs::read(&path).unwrap();
    let (mut dice, mut found) = (Dice(11), 0);
    let target = if is_deep() { 100_000 } else { 10_000 };
    while found < target {
        let Some(changed) = tampered(&mut dice, &log) else { continue };
        fs::write(&path, &changed).unwrap();
        let report = verify(folder.path(), None).unwrap();
        assert!(!report.is_sound(), "not found:\n{}", String::from_utf8_lossy(&changed));
        found += 1;
    }
}
