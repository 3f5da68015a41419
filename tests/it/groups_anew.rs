//! A group that a provider deletes and makes again under its name is another group: nothing that named the first means the second. One that is deleted by its name, and put again, is the same.

use ringfence_indexes::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Caller, NOW, SECOND, Server, Tenant, claims, document_path, issuer, merged, mint, task_token};

const WORD: &str = "quuxberry";

/// What named the group before it was deleted: an ACL, a denial, a collection, a folder, a parent, a key, a policy that forbids.
fn world() -> (Server, Tenant) {
    let server = Server::start_with(|config, folder| config.issuer = vec![issuer(folder, "acme")]);
    let tenant = server.tenant("acme");
    tenant.group("eng", &["user:ann"]);
    tenant.group("staff", &["group:eng"]);
    tenant.collection("wiki", &json!({"default_acl": {"allow": ["group:eng"]}}));
    tenant.collection("lab", &json!({"readers": ["group:eng"]}));
    let folder = json!({"acl": {"allow": ["group:eng"]}});
    tenant.admin.put("/v1/collections/wiki/folders/f", &folder).expect(200);
    tenant.text("wiki", "named", &format!("an ACL that names the group, {WORD}"), &["group:eng"]);
    tenant.text("wiki", "parent", &format!("what all of staff may read of {WORD}"), &["group:staff"]);
    tenant.text("lab", "readers", &format!("a closed collection with {WORD} in it"), &["everyone"]);
    tenant.put("wiki", "default", &json!({"text": format!("by the default of {WORD}")})).expect(200);
    let placed = json!({"text": format!("in a folder about {WORD}"), "parent": "f"});
    tenant.put("wiki", "folder", &placed).expect(200);
    let denied = json!({"allow": ["everyone"], "deny": ["group:eng"]});
    tenant.put("wiki", "denied", &json!({"text": format!("not for the group: {WORD}"), "acl": denied})).expect(200);
    (server, tenant)
}

fn found(caller: &Caller) -> Vec<String> {
    let answer = caller.search(&json!({"query": WORD, "top_k": 50}));
    let hits = answer["results"].as_array().expect("results");
    let mut names: Vec<String> = hits.iter().map(|hit| hit["document_id"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

const ALL: [&str; 5] = ["default", "folder", "named", "parent", "readers"];
const NOTHING: [&str; 0] = [];

fn deletes_by_scim(tenant: &Tenant) {
    let form = json!({"filter": "displayName eq \"eng\""});
    let found = tenant.admin.post("/scim/v2/Groups/.search", &form).expect(200).json();
    let id = found["Resources"][0]["id"].as_str().expect("an id").to_owned();
    tenant.admin.delete(&format!("/scim/v2/Groups/{id}")).expect(204);
}

fn renames_away(tenant: &Tenant) {
    let form = json!({"filter": "displayName eq \"eng\""});
    let found = tenant.admin.post("/scim/v2/Groups/.search", &form).expect(200).json();
    let id = found["Resources"][0]["id"].as_str().expect("an id").to_owned();
    let rename = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "displayName", "value": "elsewhere"}],
    });
    tenant
        .admin
        .send(
            "PATCH",
            &format!("/scim/v2/Groups/{id}"),
            Some("application/scim+json"),
            Some(rename.to_string().as_bytes()),
        )
        .expect(204);
    tenant.admin.delete(&format!("/scim/v2/Groups/{id}")).expect(204);
}

#[test]
fn nothing_that_named_the_first_means_the_second() {
    for gives_up in [deletes_by_scim, renames_away] {
        let (mut server, tenant) = world();
        let (ann, key) = (tenant.user("ann", &[]), tenant.user("kim", &["group:eng"]));
        let asserted = tenant.service("app", &["search", "assert"]).with("ringfence-as", "user:zoe; group:eng");
        assert_eq!(
            (found(&ann), found(&key), found(&asserted)),
            (ALL.map(str::to_owned).to_vec(), ALL.map(str::to_owned).to_vec(), ALL.map(str::to_owned).to_vec())
        );
        gives_up(&tenant);
        for caller in [&ann, &key, &asserted] {
            assert!(
                !found(caller)
                    .iter()
                    .any(|name| ["default", "folder", "named", "parent", "readers"].contains(&name.as_str()))
            );
        }
        server.clock.set(Timestamp(NOW.0 + SECOND));
        tenant.group("eng", &["user:ann"]);
        // The denial stays by name, so that it holds for the second as well; the key lost the group with its name.
        assert_eq!(
            (found(&ann), found(&key), found(&asserted)),
            (NOTHING.map(str::to_owned).to_vec(), vec!["denied".to_owned()], NOTHING.map(str::to_owned).to_vec())
        );
        tenant.text("wiki", "new", &format!("for the second group: {WORD}"), &["group:eng"]);
        assert_eq!((found(&ann), found(&asserted)), (vec!["new".to_owned()], vec!["new".to_owned()]));
        assert!(!found(&key).contains(&"new".to_owned()));

        // It is shown for what it is, and cannot be written back.
        let shown = |id: &str| tenant.admin.acting_as("user:x; group:eng").get(&document_path("wiki", id));
        assert_eq!(shown("new").expect(200).json()["acl"]["allow"], json!(["group:eng"]));
        let collection = tenant.admin.get("/v1/collections/lab").expect(200).json();
        assert_eq!(collection["readers"], json!(["group:eng;former"]), "{collection}");
        let folder = tenant.admin.get("/v1/collections/wiki/folders/f").expect(200).json();
        assert_eq!(folder["acl"]["allow"], json!(["group:eng;former"]), "{folder}");
        tenant.admin.put("/v1/collections/lab", &json!({"readers": ["group:eng;former"]})).expect(422);
        let asked = json!({"principal": "user:ann", "collection": "wiki", "document_id": "named"});
        assert_eq!(tenant.admin.post("/v1/explain", &asked).expect(200).json()["readable"], false);

        let (ann, asserted) = (ann.credential().to_owned(), asserted);
        server.restart();
        let again = server.caller(&ann);
        assert_eq!(found(&again), ["new"], "it survives a restart");
        drop(asserted);
    }
}

#[test]
fn a_group_that_is_deleted_by_its_name_and_put_again_is_the_same() {
    let (_server, tenant) = world();
    let (ann, key) = (tenant.user("ann", &[]), tenant.user("kim", &["group:eng"]));
    for _ in 0..2 {
        assert_eq!((found(&ann), found(&key)), (ALL.map(str::to_owned).to_vec(), ALL.map(str::to_owned).to_vec()));
        tenant.admin.delete("/v1/groups/eng").expect(204);
        // Who is said to be in the group by a key is in it whether or not the directory has one of its name.
        assert_eq!((found(&ann), found(&key)), (vec!["denied".to_owned()], ALL.map(str::to_owned).to_vec()));
        tenant.group("eng", &["user:ann"]);
    }
}

#[test]
fn a_token_from_before_means_the_group_of_then() {
    let (server, tenant) = world();
    let agent = tenant.service("agent", &["search", "act"]);
    let old = mint(&claims("zoe", &["eng"]));
    let task = server.caller(&task_token(&agent, &old, ""));
    let shown = |token: &str| agent.with("ringfence-on-behalf-of", token);
    assert_eq!(found(&server.caller(&old)), ALL);
    assert_eq!((found(&task).len(), found(&shown(&old)).len()), (5, 5));
    server.clock.set(Timestamp(NOW.0 + 10 * SECOND));
    deletes_by_scim(&tenant);
    tenant.group("eng", &["user:ann"]);
    tenant.text("wiki", "new", &format!("for the second group: {WORD}"), &["group:eng"]);
    for caller in [&server.caller(&old), &task, &shown(&old)] {
        assert_eq!(found(caller), NOTHING, "neither the group of then nor that of now, and denied what the name is");
    }
    let anew = mint(&merged(claims("zoe", &["eng"]), &json!({"iat": NOW.0 / SECOND + 11})));
    server.clock.set(Timestamp(NOW.0 + 12 * SECOND));
    assert_eq!(found(&server.caller(&anew)), ["new"]);
}

#[test]
fn a_policy_forbids_the_name_and_permits_the_first_alone() {
    let (_server, tenant) = world();
    let admin = &tenant.admin;
    let ann = tenant.user("ann", &[]);
    let forbid = json!({"text": "forbid (principal in Group::\"eng\", action, resource in Collection::\"lab\");"});
    admin.put("/v1/policies/no-lab", &forbid).expect(200);
    admin.put("/v1/policies:settings", &json!({"permit": true})).expect(200);
    tenant.text("wiki", "closed", &format!("a closed one with {WORD}"), &["user:boss"]);
    let permit = json!({"text": "permit (principal in Group::\"eng\", action, resource in Collection::\"wiki\");"});
    admin.put("/v1/policies/wiki", &permit).expect(200);
    assert_eq!(found(&ann), ["closed", "default", "folder", "named", "parent"]);
    deletes_by_scim(&tenant);
    tenant.group("eng", &["user:ann"]);
    assert_eq!(found(&ann), NOTHING, "what was permitted to the first is not permitted to the second");
    tenant.text("lab", "open", &format!("open to the second: {WORD}"), &["everyone"]);
    admin.put("/v1/collections/lab", &json!({"readers": ["everyone"]})).expect(200);
    assert_eq!(found(&ann), NOTHING, "what is forbidden is forbidden by name");
    admin.delete("/v1/policies/no-lab").expect(204);
    assert_eq!(found(&ann), ["open", "readers"]);
    let names = |value: &Value| value["members"].clone();
    assert_eq!(names(&admin.get("/v1/groups/staff").expect(200).json()), json!([]), "the parent lost the first");
}
