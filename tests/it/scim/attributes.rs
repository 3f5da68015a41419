//! Attributes from claims, keys and the directory, with their declared types.

use serde_json::json;

use super::{assert_refused, get, patch, send};
use crate::harness::{Server, claims, issuer, mint};

const EXTENSION: &str = "urn:ringfence:params:scim:schemas:extension:attributes:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[test]
fn attributes_of_the_directory_decide_and_change_at_once() {
    let server = Server::start_with(|config, folder| config.issuer.push(issuer(folder, "acme")));
    let tenant = server.tenant("acme");
    tenant.collection("vault", &json!({}));
    let put = |id: &str, require: serde_json::Value| {
        tenant
            .put("vault", id, &json!({"text": "sealed", "acl": {"allow": ["everyone"], "require": require}}))
            .expect(200);
    };
    put("two", json!([{"attribute": "clearance", "at_least": 2}]));
    put("legal", json!([{"attribute": "department", "in": ["Legal"]}]));
    let declare = |body: serde_json::Value| tenant.admin.put("/v1/attributes", &json!({"attributes": body}));
    let person = {
        let mut claims = claims("alice", &[]);
        claims["clearance"] = json!(5);
        server.caller(&mint(&claims))
    };
    assert_eq!(person.found("sealed"), ["two"], "as the token says, where nothing is declared");

    let declared = json!({
        "clearance": {"type": "integer", "from": ["directory", "claims"]},
        "department": {"type": "string", "from": ["directory"]},
    });
    declare(declared.clone()).expect(200);
    assert_eq!(tenant.admin.get("/v1/attributes").expect(200).json()["attributes"]["clearance"]["type"], "integer");
    assert_eq!(person.found("sealed"), ["two"]);
    let body = json!({"userName": "alice", EXTENSION: {"clearance": 1}, ENTERPRISE: {"department": "Legal"}});
    let alice = super::id(&send(&tenant.admin, "POST", "/Users", &body).expect(201));
    assert_eq!(person.found("sealed"), ["legal"], "the directory is believed before the token");
    let set = |operations: serde_json::Value| patch(&tenant.admin, &format!("/Users/{alice}"), &operations);
    set(json!([{"op": "Replace", "path": format!("{EXTENSION}:clearance"), "value": "3"}])).expect(200);
    set(json!([{"op": "remove", "path": format!("{ENTERPRISE}:department")}])).expect(200);
    assert_eq!(person.found("sealed"), ["two"]);
    assert_refused(
        &set(json!([{"op": "add", "path": format!("{EXTENSION}:clearance"), "value": "high"}])),
        400,
        Some("invalidValue"),
    );
    assert_refused(
        &set(json!([{"op": "add", "path": format!("{EXTENSION}:shoes"), "value": 1}])),
        400,
        Some("invalidPath"),
    );

    // Declared as something else, what is kept is of another type: missing, and not shown.
    declare(json!({"clearance": {"type": "string", "from": ["directory", "claims"]}})).expect(200);
    assert!(person.found("sealed").is_empty());
    assert!(get(&tenant.admin, &format!("/Users/{alice}")).expect(200).json().get(EXTENSION).is_none());
    // From elsewhere than declared it is missing too.
    declare(json!({"clearance": {"type": "integer", "from": ["keys"]}})).expect(200);
    assert!(person.found("sealed").is_empty());
    let key = tenant.user_with("bo", &json!({"attributes": {"clearance": 2}}));
    assert_eq!(key.found("sealed"), ["two"]);
    declare(json!({})).expect(200);
    assert_eq!(person.found("sealed"), ["two"], "nothing is declared any more");
}

#[test]
fn declarations_are_checked() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    for (body, pointer) in [
        (json!({"attributes": {"a b": {"type": "string", "from": []}}}), "/attributes/a b"),
        (json!({"attributes": {"1a": {"type": "string", "from": []}}}), "/attributes/1a"),
        (json!({"attributes": {"a": {"type": "text", "from": []}}}), "/attributes/a/type"),
        (json!({"attributes": {"a": {"type": "string", "from": ["directory", "stars"]}}}), "/attributes/a/from/1"),
        (json!({"attributes": {"a": {"type": "string"}}}), "/attributes/a/from"),
    ] {
        crate::harness::assert_points_at(&tenant.admin.put("/v1/attributes", &body), pointer);
    }
    assert_eq!(tenant.admin.get("/v1/attributes").expect(200).json()["attributes"], json!({}));
}
