//! A tenant and what tests put into it, all through the API.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{caller::Caller, wire::Answer};

/// Every scope a tenant's own administrator needs; none that reads or asserts.
const ADMIN_SCOPES: &[&str] = &[
    "search",
    "read",
    "ingest",
    "acl",
    "collections",
    "keys",
    "policy",
    "audit",
    "review",
    "act",
    "assert",
    "explain",
    "pii:read",
    "read_as_service",
    "break_glass",
];

/// A tenant with its administrator.
#[derive(Debug)]
pub(crate) struct Tenant {
    address: SocketAddr,
    id: String,
    operator: Caller,
    /// A service key with every scope.
    pub(crate) admin: Caller,
}

/// What a test wants to know of a new key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) caller: Caller,
}

impl Tenant {
    /// Makes a tenant and its administrator's key.
    pub(crate) fn create(address: SocketAddr, operator: &Caller, id: &str) -> Self {
        operator.post("/v1/tenants", &json!({"id": id, "name": format!("The {id} company")})).expect(201);
        let admin = json!({
            "tenant": id, "kind": "service", "name": "admin", "subject": "service:admin", "scopes": ADMIN_SCOPES,
        });
        let admin = create_key(address, operator, &admin).caller;
        Self { address, id: id.to_owned(), operator: operator.clone(), admin }
    }

    /// Makes a key from its API form. An operator makes it, who may give attributes that nobody has yet.
    pub(crate) fn key(&self, form: &Value) -> Key {
        create_key(self.address, &self.operator, &merged(form.clone(), &json!({"tenant": self.id})))
    }

    /// A person who searches and reads, in these groups by their key.
    pub(crate) fn user(&self, name: &str, groups: &[&str]) -> Caller {
        self.user_with(name, &json!({"groups": groups}))
    }

    /// A person with further fields of the key's form.
    pub(crate) fn user_with(&self, name: &str, further: &Value) -> Caller {
        let form = json!({
            "kind": "user", "name": name, "subject": format!("user:{name}"), "scopes": ["search", "read"],
        });
        self.key(&merged(form, further)).caller
    }

    /// A service with these scopes.
    pub(crate) fn service(&self, name: &str, scopes: &[&str]) -> Caller {
        let form = json!({"kind": "service", "name": name, "subject": format!("service:{name}"), "scopes": scopes});
        self.key(&form).caller
    }

    /// Makes or changes a collection.
    pub(crate) fn collection(&self, name: &str, settings: &Value) {
        self.admin.put(&format!("/v1/collections/{name}"), settings).expect(200);
    }

    /// Makes or replaces a group.
    pub(crate) fn group(&self, name: &str, members: &[&str]) {
        self.admin.put(&format!("/v1/groups/{name}"), &json!({"members": members})).expect(200);
    }

    /// Puts a text that these may read.
    pub(crate) fn text(&self, collection: &str, id: &str, text: &str, allow: &[&str]) -> Value {
        self.put(collection, id, &json!({"text": text, "acl": {"allow": allow}})).expect(200).json()
    }

    /// Puts a document.
    pub(crate) fn put(&self, collection: &str, id: &str, document: &Value) -> Answer {
        self.admin.put(&document_path(collection, id), document)
    }

    /// Puts many documents, each with its `id`; all must be taken.
    pub(crate) fn fill(&self, collection: &str, documents: &[Value]) {
        for part in documents.chunks(200) {
            let statuses = batch(&self.admin, collection, part);
            for (line, document) in statuses.iter().zip(part) {
                assert_eq!(line["status"], 200, "{line} for {document}");
            }
            assert_eq!(statuses.len(), part.len());
        }
    }
}

/// The path of a document.
pub(crate) fn document_path(collection: &str, id: &str) -> String {
    format!("/v1/collections/{collection}/documents/{id}")
}

/// Sends documents as a batch and gives the answer's lines.
#[track_caller]
pub(crate) fn batch(caller: &Caller, collection: &str, documents: &[Value]) -> Vec<Value> {
    let lines: String = documents.iter().map(|document| format!("{document}\n")).collect();
    let path = format!("/v1/collections/{collection}/documents:batch");
    let answer = caller.send("POST", &path, Some("application/x-ndjson"), Some(lines.as_bytes())).expect(200);
    answer.text().lines().map(|line| serde_json::from_str(line).expect("a line of the answer is JSON")).collect()
}

/// Makes a key; `maker` is an operator or a key with scope `keys`.
fn create_key(address: SocketAddr, maker: &Caller, form: &Value) -> Key {
    let answer = maker.post("/v1/keys", form).expect(201).json();
    let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {answer}")).to_owned();
    Key { id: text("id"), caller: Caller::new(address, &text("key")) }
}

/// An object with the fields of both; those of the second win.
pub(crate) fn merged(mut form: Value, further: &Value) -> Value {
    let fields = form.as_object_mut().expect("a form is an object");
    fields.extend(further.as_object().expect("further fields are an object").clone());
    form
}
