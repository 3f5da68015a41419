//! Who can read a document, and what somebody can read, as lists: what they say is what a search finds.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Caller, Server, Tenant, assert_refused};

const WORD: &str = "quuxberry";
const PEOPLE: [&str; 3] = ["ann", "bo", "cy"];

fn world(server: &Server) -> (Tenant, Vec<Caller>) {
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.group("eng", &["user:ann", "group:interns"]);
    tenant.group("interns", &["user:cy"]);
    let allow: [&[&str]; 6] = [&["everyone"], &["user:ann"], &["group:eng"], &["group:interns"], &["user:bo"], &[]];
    for (number, allow) in allow.iter().enumerate() {
        tenant.text("handbook", &format!("d{number}"), &format!("the {WORD} of number {number}"), allow);
    }
    let denied = json!({"text": format!("a denied {WORD}"), "acl": {"allow": ["everyone"], "deny": ["group:interns"]}});
    tenant.put("handbook", "denied", &denied).expect(200);
    let cleared = json!({"allow": ["everyone"], "require": [{"attribute": "clearance", "at_least": 2}]});
    tenant.put("handbook", "cleared", &json!({"text": format!("what {WORD} is cleared"), "acl": cleared})).expect(200);
    let people = PEOPLE.iter().map(|name| tenant.user(name, &[])).collect();
    (tenant, people)
}

fn names(list: &Value, field: &str) -> Vec<String> {
    let entries = list.as_array().expect("a list");
    entries.iter().map(|entry| entry[field].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn what_the_lists_say_is_what_a_search_finds() {
    let server = Server::start();
    let (tenant, people) = world(&server);
    let mut found = Vec::new();
    for (name, person) in PEOPLE.iter().zip(&people) {
        let mut theirs = person.found(WORD);
        theirs.sort();
        let form = json!({"principal": format!("user:{name}"), "collection": "handbook"});
        let list = tenant.admin.post("/v1/explain:documents", &form).expect(200).json();
        assert_eq!(names(&list["documents"], "document_id"), theirs, "{name}");
        found.push(theirs);
    }
    for document in ["d0", "d1", "d2", "d3", "d4", "d5", "denied", "cleared"] {
        let form = json!({"collection": "handbook", "document_id": document});
        let list = tenant.admin.post("/v1/explain:readers", &form).expect(200).json();
        let readers = names(&list["readers"], "principal");
        for (name, theirs) in PEOPLE.iter().zip(&found) {
            let listed = readers.contains(&format!("user:{name}"));
            assert_eq!(listed, theirs.contains(&document.to_owned()), "{name} {document} {list}");
        }
    }
}

#[test]
fn attributes_that_are_not_known_are_said_to_be_needed() {
    let server = Server::start();
    let (tenant, _people) = world(&server);
    let form = json!({"collection": "handbook", "document_id": "cleared"});
    let list = tenant.admin.post("/v1/explain:readers", &form).expect(200).json();
    let needing = list["readers"].as_array().expect("a list").iter();
    assert!(
        needing.filter(|reader| reader["principal"] == "everyone").all(|reader| reader["attributes_needed"] == true)
    );
    let form = json!({"principal": "user:new", "attributes": {"clearance": 2}, "collection": "handbook"});
    let list = tenant.admin.post("/v1/explain:documents", &form).expect(200).json();
    assert_eq!(names(&list["documents"], "document_id"), ["cleared", "d0", "denied"]);
}

#[test]
fn lists_come_in_pages_that_together_are_the_list() {
    let server = Server::start();
    let (tenant, _people) = world(&server);
    let pages = |path: &str, form: &Value, list: &str, field: &str| {
        let (mut all, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let mut asked = form.clone();
            asked["limit"] = json!(2);
            asked["cursor"] = cursor;
            let page = tenant.admin.post(path, &asked).expect(200).json();
            all.extend(names(&page[list], field));
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                return all;
            }
        }
    };
    let form = json!({"principal": "user:ann", "collection": "handbook"});
    let whole = tenant.admin.post("/v1/explain:documents", &form).expect(200).json();
    let documents = names(&whole["documents"], "document_id");
    assert_eq!(pages("/v1/explain:documents", &form, "documents", "document_id"), documents);
    assert!(documents.len() > 2);
    let form = json!({"collection": "handbook", "document_id": "d0"});
    let whole = tenant.admin.post("/v1/explain:readers", &form).expect(200).json();
    let readers = names(&whole["readers"], "principal");
    assert_eq!(pages("/v1/explain:readers", &form, "readers", "principal"), readers);
    assert_eq!(readers.iter().collect::<BTreeSet<_>>().len(), readers.len());
}

#[test]
fn lists_are_for_those_who_may_explain() {
    let server = Server::start();
    let (tenant, people) = world(&server);
    let forms = [
        ("/v1/explain:readers", json!({"collection": "handbook", "document_id": "d0"})),
        ("/v1/explain:documents", json!({"principal": "user:ann", "collection": "handbook"})),
    ];
    let other = server.tenant("globex");
    let limited = tenant.key(&json!({
        "kind": "service", "name": "limited", "subject": "service:l", "scopes": ["explain"], "collections": ["other"],
    }));
    for (path, form) in &forms {
        assert_refused(&people[0].post(path, form), 403, "missing_scope");
        assert_refused(&other.admin.post(path, form), 404, "not_found");
        assert_refused(&limited.caller.post(path, form), 404, "not_found");
    }
}
