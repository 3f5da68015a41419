//! Folders: what lies in one takes its ACL, and a change of a folder is a change of all that lies in it, at once.

use ringfence_indexes::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Caller, NOW, SECOND, Server, Tenant, assert_points_at, assert_refused};

const WORD: &str = "quuxberry";

fn folder_path(folder: &str) -> String {
    format!("/v1/collections/handbook/folders/{folder}")
}

struct World {
    server: Server,
    tenant: Tenant,
    ann: Caller,
    bo: Caller,
}

impl World {
    fn new() -> Self {
        let server = Server::start();
        let tenant = server.tenant("acme");
        tenant.collection("handbook", &json!({}));
        let (ann, bo) = (tenant.user("ann", &["group:eng"]), tenant.user("bo", &["group:ops"]));
        Self { server, tenant, ann, bo }
    }

    #[track_caller]
    fn folder(&self, folder: &str, parent: Option<&str>, acl: &Value) {
        self.tenant.admin.put(&folder_path(folder), &json!({"parent": parent, "acl": acl})).expect(200);
    }

    #[track_caller]
    fn document(&self, id: &str, folder: &str, acl: &Value) {
        let document = json!({"text": format!("the {WORD} of {id}"), "parent": folder, "acl": acl});
        self.tenant.put("handbook", id, &document).expect(200);
    }

    /// Whether ann and bo find documents, each by id.
    fn found(&self) -> (Vec<String>, Vec<String>) {
        let sorted = |caller: &Caller| {
            let mut found = caller.found(WORD);
            found.sort();
            found
        };
        (sorted(&self.ann), sorted(&self.bo))
    }
}

#[track_caller]
fn assert_found(found: &(Vec<String>, Vec<String>), ann: &[&str], bo: &[&str]) {
    assert_eq!((found.0.as_slice(), found.1.as_slice()), (&own(ann)[..], &own(bo)[..]));
}

fn own(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn what_lies_in_a_folder_takes_its_acl() {
    let world = World::new();
    world.folder("root", None, &json!({"allow": ["everyone"], "deny": ["user:cy"]}));
    world.folder("eng", Some("root"), &json!({"allow": ["group:eng"]}));
    world.folder("open", Some("root"), &json!({}));
    world.document("in-root", "root", &Value::Null);
    world.document("in-eng", "eng", &Value::Null);
    world.document("in-open", "open", &Value::Null);
    world.document("own", "eng", &json!({"allow": ["group:ops"]}));
    world.document("narrowed", "eng", &json!({"deny": ["user:ann"]}));
    assert_found(&world.found(), &["in-eng", "in-open", "in-root"], &["in-open", "in-root", "own"]);
    let cy = world.tenant.user("cy", &["group:eng", "group:ops"]);
    assert!(cy.found(WORD).is_empty(), "whoever is denied above is denied below");

    // One write, and everything below follows.
    world.folder("root", None, &json!({"allow": ["group:ops"]}));
    assert_found(&world.found(), &["in-eng"], &["in-open", "in-root", "own"]);
    assert_eq!(cy.found(WORD).len(), 5);
    world.folder("root", None, &json!({"deny": ["everyone"]}));
    assert_found(&world.found(), &[], &[]);
}

#[test]
fn a_folder_and_a_document_move() {
    let mut world = World::new();
    world.folder("a", None, &json!({"allow": ["group:eng"]}));
    world.folder("b", None, &json!({"allow": ["group:ops"]}));
    world.folder("inner", Some("a"), &json!({}));
    world.document("d", "inner", &Value::Null);
    assert_found(&world.found(), &["d"], &[]);
    world.folder("inner", Some("b"), &json!({}));
    assert_found(&world.found(), &[], &["d"]);
    world.document("d", "a", &Value::Null);
    assert_found(&world.found(), &["d"], &[]);

    // An ACL of its own is under the folder's, and a document that is put without a folder leaves it.
    world.folder("a", None, &json!({"allow": ["group:eng"], "deny": ["user:bo"]}));
    let acl = "/v1/collections/handbook/documents/d/acl";
    world.tenant.admin.put(acl, &json!({"allow": ["everyone"]})).expect(200);
    assert_found(&world.found(), &["d"], &[]);
    world.tenant.text("handbook", "d", WORD, &["everyone"]);
    assert_found(&world.found(), &["d"], &["d"]);
    world.folder("a", None, &json!({"deny": ["everyone"]}));
    assert_found(&world.found(), &["d"], &["d"]);

    world.document("d", "a", &Value::Null);
    world.server.restart();
    let at = |caller: &Caller| caller.at(world.server.address());
    assert!(at(&world.ann).found(WORD).is_empty());
    let admin = at(&world.tenant.admin);
    admin.put(&folder_path("a"), &json!({"acl": {"allow": ["group:eng"]}})).expect(200);
    assert_eq!(at(&world.ann).found(WORD), ["d"], "where a document lies outlasts a restart");
}

#[test]
fn windows_and_requirements_of_folders_add_up() {
    let world = World::new();
    world.folder("early", None, &json!({"allow": ["everyone"], "expires_at": "2026-11-02T10:00:00Z"}));
    world.folder("cleared", Some("early"), &json!({"require": [{"attribute": "clearance", "at_least": 2}]}));
    world.document("d", "cleared", &Value::Null);
    world.document("never", "cleared", &json!({"allow": ["everyone"], "not_before": "2026-11-02T11:00:00Z"}));
    let cleared = world.tenant.user_with("di", &json!({"attributes": {"clearance": 2}}));
    assert_eq!(cleared.found(WORD), ["d"]);
    assert!(world.ann.found(WORD).is_empty());
    world.server.clock.set(Timestamp(NOW.0 + 2 * 3_600 * SECOND));
    assert!(cleared.found(WORD).is_empty(), "windows that do not meet let nobody in");
}

#[test]
fn a_change_of_a_folder_is_whole_or_nothing() {
    let world = World::new();
    world.folder("a", None, &json!({"allow": ["group:eng"]}));
    let many: Vec<String> = (0..900).map(|number| format!("user:u{number}")).collect();
    world.document("d1", "a", &Value::Null);
    world.document("d2", "a", &json!({"allow": ["group:eng"], "deny": many}));
    let others: Vec<String> = (0..200).map(|number| format!("user:v{number}")).collect();
    let change = json!({"acl": {"allow": ["group:ops"], "deny": others}});
    assert_points_at(&world.tenant.admin.put(&folder_path("a"), &change), "/acl");
    assert_found(&world.found(), &["d1", "d2"], &[]);
}

#[test]
fn folders_are_deleted_when_nothing_lies_in_them() {
    let world = World::new();
    let admin = &world.tenant.admin;
    world.folder("a", None, &json!({"allow": ["everyone"]}));
    world.folder("b", Some("a"), &json!({}));
    world.document("d", "b", &Value::Null);
    assert_refused(&admin.delete(&folder_path("a")), 409, "conflict");
    assert_refused(&admin.delete(&folder_path("b")), 409, "conflict");
    admin.delete("/v1/collections/handbook/documents/d").expect(204);
    admin.delete(&folder_path("b")).expect(204);
    admin.delete(&folder_path("a")).expect(204);
    admin.get(&folder_path("a")).expect(404);
    admin.delete(&folder_path("a")).expect(404);
    let list = admin.get("/v1/collections/handbook/folders").expect(200).json();
    assert_eq!(list, json!({"folders": [], "next_cursor": null}));

    // A collection goes with its folders, and its namesake starts anew.
    world.folder("a", None, &json!({"allow": ["everyone"]}));
    world.folder("b", Some("a"), &json!({}));
    world.document("d", "b", &Value::Null);
    admin.delete("/v1/collections/handbook").expect(204);
    world.tenant.collection("handbook", &json!({}));
    admin.get(&folder_path("a")).expect(404);
}

#[test]
fn folders_that_cannot_be_are_refused() {
    let world = World::new();
    let admin = &world.tenant.admin;
    let put = |folder: &str, parent: &str| admin.put(&folder_path(folder), &json!({"parent": parent, "acl": {}}));
    assert_points_at(&put("a", "missing"), "/parent");
    world.folder("a", None, &json!({}));
    world.folder("b", Some("a"), &json!({}));
    assert_points_at(&put("a", "a"), "/parent");
    assert_points_at(&put("a", "b"), "/parent");
    let document = json!({"text": "x", "parent": "missing"});
    assert_points_at(&world.tenant.put("handbook", "d", &document), "/parent");
    admin.get("/v1/collections/handbook/documents/d").expect(404);
    let mut parent = "b".to_owned();
    for depth in 0.. {
        let folder = format!("deep{depth}");
        let answer = put(&folder, &parent);
        if depth > 40 {
            panic!("folders lie as deep as they like");
        }
        if answer.status == 422 {
            assert_points_at(&answer, "/parent");
            assert!(depth > 20, "{depth}");
            break;
        }
        parent = folder;
    }
}

/// Whether there is a folder is for programs that write; for all others it is as absent as any other name.
#[test]
fn folders_are_not_there_for_others() {
    let world = World::new();
    world.folder("a", None, &json!({"allow": ["everyone"]}));
    let person = world.tenant.user_with("eve", &json!({"scopes": ["search", "read", "acl", "ingest"]}));
    let stranger = world.server.tenant("globex");
    for caller in [&person, &stranger.admin, &world.tenant.admin.acting_as("user:ann")] {
        let (known, unknown) = (caller.get(&folder_path("a")), caller.get(&folder_path("zzz")));
        assert_refused(&known, 404, "not_found");
        assert_refused(&unknown, 404, "not_found");
        assert_refused(&caller.put(&folder_path("a"), &json!({"acl": {}})), 404, "not_found");
        assert_refused(&caller.delete(&folder_path("a")), 404, "not_found");
    }
    assert_refused(&world.ann.get(&folder_path("a")), 403, "missing_scope");
}
