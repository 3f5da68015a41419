//! Deleted means deleted: no answer differs because something once existed, and soon no file holds it.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::harness::{Program, Server, Tenant, assert_refused, document_path};

/// What contract and design promise; a little more here for a machine under load.
const SECONDS_MAX: u64 = 75;
const WORD: &str = "quuxberry";

#[test]
fn what_was_deleted_and_made_again_starts_anew() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    let user = tenant.user("ann", &[]);
    let hit = || user.search(&json!({"query": WORD}))["results"][0].clone();
    let first = |tenant: &Tenant| {
        tenant.collection("handbook", &json!({}));
        tenant.text("handbook", "d", &format!("about the {WORD}"), &["everyone"]);
    };
    first(&tenant);
    let new = hit();
    assert_eq!(new["provenance"]["version"], 1);
    tenant.text("handbook", "d", "about something else", &["everyone"]);
    tenant.text("handbook", "d", &format!("about the {WORD}"), &["everyone"]);
    assert_eq!(hit()["provenance"]["version"], 3);
    tenant.admin.delete(&document_path("handbook", "d")).expect(204);
    assert_eq!(hit(), Value::Null);
    first(&tenant);
    assert_eq!(hit(), new, "a document made again");

    tenant.admin.delete("/v1/collections/handbook").expect(204);
    assert_eq!(hit(), Value::Null);
    user.get("/v1/collections/handbook").expect(404);
    first(&tenant);
    assert_eq!(hit(), new, "a collection made again");

    tenant.group("eng", &["user:ann"]);
    tenant.text("handbook", "e", "for engineers", &["group:eng"]);
    user.get(&document_path("handbook", "e")).expect(200);
    tenant.admin.delete("/v1/groups/eng").expect(204);
    user.get(&document_path("handbook", "e")).expect(404);
    tenant.group("eng", &[]);
    user.get(&document_path("handbook", "e")).expect(404);
}

#[test]
fn a_deleted_tenant_leaves_nothing_to_its_namesake() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.text("handbook", "d", WORD, &["everyone"]);
    let user = tenant.user("ann", &[]);
    assert_eq!(user.found(WORD), ["d"]);
    server.operator().delete("/v1/tenants/acme").expect(204);
    for caller in [&user, &tenant.admin] {
        assert_refused(&caller.get("/v1/collections"), 401, "unauthenticated");
    }
    let again = server.tenant("acme");
    assert_refused(&user.get("/v1/collections"), 401, "unauthenticated");
    let user = again.user("ann", &[]);
    assert!(user.found(WORD).is_empty());
    user.get("/v1/collections/handbook").expect(404);
    let keys = again.admin.get("/v1/keys").expect(200).json();
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2), "{keys}");
}

#[test]
fn soon_no_file_holds_what_was_deleted() {
    let program = Program::init();
    let serving = program.serve();
    let tenant = Tenant::create(serving.address, &program.operator(&serving), "acme");
    tenant.collection("handbook", &json!({}));
    for number in 0..20 {
        let document = json!({
            "text": format!("the {WORD} of {number} ").repeat(200), "title": WORD, "metadata": {"note": WORD},
            "acl": {"allow": ["everyone"]},
        });
        tenant.put("handbook", &format!("d{number}"), &document).expect(200);
    }
    assert!(is_held(&program.data_dir()), "the store holds what it was given");
    for number in 0..20 {
        tenant.admin.delete(&document_path("handbook", &format!("d{number}"))).expect(204);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let gone = async {
        let mut looking = tokio::time::interval(Duration::from_millis(500));
        while is_held(&program.data_dir()) {
            looking.tick().await;
        }
    };
    let within = Duration::from_secs(SECONDS_MAX);
    runtime.block_on(async { tokio::time::timeout(within, gone).await }).expect("no file holds it a minute later");
    drop(serving);
}

/// Whether any file under the folder holds [`WORD`].
fn is_held(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_held(&path);
        }
        // A journal may go away between being listed and being read.
        let bytes = fs::read(&path).unwrap_or_default();
        bytes.windows(WORD.len()).any(|window| window == WORD.as_bytes())
    })
}
