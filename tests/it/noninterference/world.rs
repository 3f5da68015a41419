//! Putting a plan into a running server.

use serde_json::{Value, json};

use super::plan::{Asker, DIMENSIONS, Hidden, Plan, Planned, ROOT};
use crate::{
    harness::{Caller, Server, Tenant, claims, document_path, issuer, merged, mint, task_token},
    oracle::Dice,
};

/// The tenant that is asked about.
const TENANT: &str = "mid";

/// A server with a plan in it, and who asks.
pub(crate) struct World {
    pub(crate) tenant: Tenant,
    pub(crate) asker: Caller,
    /// Sees everything that there is.
    pub(crate) root: Caller,
    /// Kept until the end: the folder and the port are its own.
    _server: Server,
}

/// Builds a world: what the asker may read, and among it what is hidden from them.
pub(crate) fn build(seed: u64, plan: &Plan, hidden: &[Hidden]) -> World {
    let server = Server::start_with(|config, folder| config.issuer = vec![issuer(folder, TENANT)]);
    let tenant = server.tenant(TENANT);
    let root = tenant.user_with("root", &json!({"subject": ROOT, "attributes": {"clearance": 9, "region": "eu"}}));
    let asker = asker(&server, &tenant, plan.asker);
    for (group, members) in &plan.groups {
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        tenant.group(group.strip_prefix("group:").expect("a group"), &members);
    }
    for (name, settings) in &plan.collections {
        tenant.collection(name, settings);
    }
    for (name, text) in &plan.policies {
        tenant.admin.put(&format!("/v1/policies/{name}"), &json!({"text": text})).expect(200);
    }
    let world = World { tenant, asker, root, _server: server };
    for hidden in hidden {
        if let Hidden::History(document) = hidden {
            world.tenant.put(document.collection, &document.id, &document.form).expect(200);
        }
    }
    world.fill(seed, plan, hidden);
    for hidden in hidden {
        world.apply(hidden);
    }
    for hidden in hidden {
        if let Hidden::Deleted(document) = hidden {
            world.tenant.admin.delete(&document_path(document.collection, &document.id)).expect(204);
        }
    }
    world
}

fn asker(server: &Server, tenant: &Tenant, asker: Asker) -> Caller {
    let attributes = json!({"clearance": 2, "region": "eu"});
    let key = |further: Value| tenant.user_with("ann", &further);
    let writing = json!(["search", "read", "ingest", "acl"]);
    match asker {
        Asker::User => key(json!({"groups": ["group:eng"], "attributes": attributes, "scopes": writing})),
        Asker::Limited => key(
            json!({"groups": ["group:eng"], "attributes": attributes, "scopes": writing, "collections": ["handbook", "vectors"]}),
        ),
        Asker::Nested => key(json!({})),
        Asker::Asserted => {
            tenant.service("gateway", &["search", "read", "ingest", "assert"]).acting_as("user:ann; group:sales")
        }
        Asker::Writer => tenant.service("writer", &["ingest"]),
        Asker::Task => {
            let claims = merged(claims("ann", &["eng"]), &attributes);
            let agent = tenant.service("agent", &["search", "read", "act"]);
            server.caller(&task_token(&agent, &mint(&claims), "max_results=30&purpose=answer"))
        }
        Asker::Token => {
            let claims = merged(claims("ann", &["eng"]), &attributes);
            server.caller(&mint(&claims))
        }
    }
}

impl World {
    /// Puts the documents of both kinds, mixed as the seed says.
    fn fill(&self, seed: u64, plan: &Plan, hidden: &[Hidden]) {
        let mut dice = Dice(seed);
        let mut all: Vec<&Planned> = plan.visible.iter().collect();
        for hidden in hidden {
            if let Hidden::Document(document) | Hidden::Deleted(document) = hidden {
                all.insert(dice.roll(all.len() + 1), document);
            }
        }
        for (collection, _) in &plan.collections {
            let own = all.iter().filter(|document| document.collection == *collection);
            let lines: Vec<Value> =
                own.map(|document| merged(document.form.clone(), &json!({"id": document.id}))).collect();
            self.tenant.fill(collection, &lines);
        }
    }

    fn apply(&self, hidden: &Hidden) {
        match hidden {
            Hidden::Document(_) | Hidden::Deleted(_) | Hidden::History(_) => {}
            Hidden::Refused { collection, id, body } => {
                // Most are refused; in some collections one is taken or held back, unreadable all the same.
                let path = document_path(collection, id);
                self.tenant.admin.send("PUT", &path, Some("application/json"), Some(body.as_bytes()));
            }
            Hidden::Group { name, members } => {
                let members: Vec<&str> = members.iter().map(String::as_str).collect();
                self.tenant.group(name, &members);
            }
            Hidden::User { name, is_anew } => {
                self.put_user(name);
                if *is_anew {
                    self.delete_user(name);
                    self.put_user(name);
                }
            }
            Hidden::Collection { name, text } => {
                self.tenant.collection(
                    name,
                    &json!({"readers": ["group:board"], "writers": ["service:other", "service:admin"]}),
                );
                self.tenant.text(name, "d1", text, &["everyone", ROOT]);
            }
            Hidden::Key { name } => drop(self.tenant.user(name, &["group:staff"])),
            Hidden::Search { query } => drop(self.root.found(query)),
            Hidden::Tenant { name, documents } => self.other_tenant(name, documents),
        }
    }

    /// Makes a user of the directory, or finds the one that is there, in a group of their own.
    pub(crate) fn put_user(&self, name: &str) {
        let admin = &self.tenant.admin;
        admin.post("/scim/v2/Users", &json!({"userName": name, "title": "not for the asker"}));
        let id = self.user_id(name).expect("the user is there");
        admin.post("/scim/v2/Groups", &json!({"displayName": format!("of {name}"), "members": [{"value": id}]}));
    }

    pub(crate) fn delete_user(&self, name: &str) {
        if let Some(id) = self.user_id(name) {
            self.tenant.admin.delete(&format!("/scim/v2/Users/{id}")).expect(204);
        }
    }

    fn user_id(&self, name: &str) -> Option<String> {
        let search = json!({"filter": format!("userName eq \"{name}\"")});
        let found = self.tenant.admin.post("/scim/v2/Users/.search", &search).expect(200).json();
        found["Resources"][0]["id"].as_str().map(str::to_owned)
    }

    fn other_tenant(&self, name: &str, documents: &[Planned]) {
        let other = self._server.tenant(name);
        for group in ["eng", "staff", "interns"] {
            other.group(group, &["user:ann"]);
        }
        for collection in ["handbook", "wiki", "flags", "review"] {
            other.collection(collection, &json!({"default_acl": {"allow": ["everyone"]}}));
        }
        other.collection("vectors", &json!({"embedding": {"source": "client", "dimensions": DIMENSIONS}}));
        for document in documents {
            other.put(document.collection, &document.id, &document.form).expect(200);
        }
        let reader = other.user("ann", &["group:eng"]);
        reader.search(&json!({"query": "rotate the signing keys"}));
    }
}
