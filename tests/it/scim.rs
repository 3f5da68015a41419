//! The directory through SCIM: as identity providers ask, as `scim2-tester` checks, and what it means for those who read.

mod attributes;
mod bearers;
mod large;
mod model;
mod providers;
mod tester;

use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Tenant};

const MEDIA_TYPE: &str = "application/scim+json";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Sends a body of SCIM.
#[track_caller]
fn send(caller: &Caller, method: &str, path: &str, body: &Value) -> Answer {
    caller.send(method, &format!("/scim/v2{path}"), Some(MEDIA_TYPE), Some(body.to_string().as_bytes()))
}

#[track_caller]
fn get(caller: &Caller, path: &str) -> Answer {
    caller.get(&format!("/scim/v2{path}"))
}

#[track_caller]
fn delete(caller: &Caller, path: &str) -> Answer {
    caller.delete(&format!("/scim/v2{path}"))
}

/// Makes a user and gives the id.
#[track_caller]
fn user(tenant: &Tenant, name: &str) -> String {
    let answer = send(&tenant.admin, "POST", "/Users", &json!({"schemas": [USER], "userName": name}));
    id(&answer.expect(201))
}

/// Makes a group of these ids and gives its own.
#[track_caller]
fn group(tenant: &Tenant, name: &str, members: &[&str]) -> String {
    let members: Vec<_> = members.iter().map(|id| json!({"value": id})).collect();
    let body = json!({"schemas": [GROUP], "displayName": name, "members": members});
    id(&send(&tenant.admin, "POST", "/Groups", &body).expect(201))
}

#[track_caller]
fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().expect("a resource has an id").to_owned()
}

/// Applies operations to a resource.
#[track_caller]
fn patch(caller: &Caller, path: &str, operations: &Value) -> Answer {
    send(caller, "PATCH", path, &json!({"schemas": [PATCH], "Operations": operations}))
}

#[track_caller]
fn set_active(tenant: &Tenant, id: &str, active: bool) {
    let operations = json!([{"op": "replace", "path": "active", "value": active}]);
    patch(&tenant.admin, &format!("/Users/{id}"), &operations).expect(200);
}

/// A refusal in the form of SCIM.
#[track_caller]
fn assert_refused(answer: &Answer, status: u16, scim_type: Option<&str>) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some(MEDIA_TYPE));
    let body = answer.json();
    assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(body["status"], status.to_string());
    assert_eq!(body.get("scimType").and_then(Value::as_str), scim_type, "{body}");
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
}

/// How many users or groups fulfil a filter.
#[track_caller]
fn count(caller: &Caller, path: &str, filter: &str) -> u64 {
    let answer = get(caller, &format!("{path}?count=0&filter={}", encoded(filter))).expect(200);
    answer.json()["totalResults"].as_u64().expect("a number")
}

fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric();
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
