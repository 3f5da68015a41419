//! The tenant that is written and read: a document for each thing that can take access away, and how it is granted, revoked and read.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use ringfence::{
    acl_form::format_time,
    seal::{Sealer, TenantKeys},
};
use ringfence_indexes::{TenantId, Timestamp};
use serde_json::{Value as Json, json};

use super::{
    history::{History, Register, Value, Way},
    topic::{Part, Topic},
};
use crate::{
    harness::{Answer, Caller, NOW, Server, Tenant, claims, document_path, issuer, merged, mint},
    oracle::{Person, Rule},
};

/// What can take access away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Acl,
    Document,
    Folder,
    Group,
    NestedGroup,
    Readers,
    Policy,
    PolicyOfTheHour,
    User,
    Key,
    Token,
    Window,
}

pub(super) const CAUSES: [Cause; 12] = [
    Cause::Acl,
    Cause::Document,
    Cause::Folder,
    Cause::Group,
    Cause::NestedGroup,
    Cause::Readers,
    Cause::Policy,
    Cause::PolicyOfTheHour,
    Cause::User,
    Cause::Key,
    Cause::Token,
    Cause::Window,
];

pub(super) const WAYS: [Way; 7] =
    [Way::Get, Way::List, Way::Cursor, Way::Keyword, Way::Hybrid, Way::Demand, Way::Explain];

/// The text that nobody but the administrator may read.
const SECRET: u32 = 1_000_000;

/// A tenant, what was done to it, and what was seen of it.
pub(super) struct World {
    pub(super) history: Arc<History>,
    pub(super) races: Vec<Race>,
    pub(super) topics: Vec<Topic>,
    pub(super) tenant: Tenant,
    pub(super) server: Server,
    pub(super) sealer: Sealer,
    pub(super) administrator: Register,
    clock: Register,
    pub(super) cursors: [(&'static str, String); 2],
    /// The sealed revision of the last write that was acknowledged.
    pub(super) last: Mutex<String>,
}

/// One thing that is granted and revoked over and over.
pub(super) struct Race {
    pub(super) cause: Cause,
    pub(super) collection: &'static str,
    pub(super) word: String,
    /// What is granted and revoked; of credentials, the one that holds now.
    register: Mutex<Register>,
    /// Who reads, and the credential's register.
    pub(super) reader: Mutex<(Caller, Register)>,
    /// The name of the key or the token of the reader, or of the reader in the directory.
    handle: Mutex<String>,
    round: AtomicU64,
}

pub(super) fn lock<T: Clone>(mutex: &Mutex<T>) -> T {
    mutex.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn set<T>(mutex: &Mutex<T>, value: T) {
    *mutex.lock().unwrap_or_else(PoisonError::into_inner) = value;
}

fn allow(name: &str) -> Rule {
    Rule { allow: vec![name.to_owned()], ..Rule::default() }
}

fn acl(rule: &Rule) -> Json {
    let mut acl = json!({"allow": rule.allow, "deny": rule.deny});
    if let Some(until) = rule.until {
        acl["expires_at"] = format_time(Timestamp(until)).into();
    }
    acl
}

fn members(names: &[&str]) -> Value {
    Value::Members(names.iter().map(|name| (*name).to_owned()).collect())
}

impl World {
    /// A tenant of this name in which everything is revoked.
    pub(super) fn new(name: &str) -> Self {
        let server = Server::start_with(|config, folder| {
            config.issuer = vec![issuer(folder, name)];
            config.limits.failed_authentications_per_second_address = 0;
        });
        let tenant = server.tenant(name);
        for (collection, readers) in [("handbook", "everyone"), ("club", "user:other")] {
            tenant.collection(collection, &json!({"readers": [readers]}));
            for id in ["a-first", "b-second"] {
                tenant.text(collection, id, &format!("the {id} of {collection}"), &["everyone"]);
            }
        }
        tenant.group("inner", &["user:reader"]);
        let other = tenant.user("other", &[]);
        let cursors = ["handbook", "club"].map(|collection| {
            let page = other.get(&format!("/v1/collections/{collection}/documents?limit=1")).expect(200).json();
            (collection, page["next_cursor"].as_str().expect("a page follows").to_owned())
        });
        let history = Arc::new(History::new());
        let (administrator, clock) = (history.register(Value::Holds(true)), history.register(Value::Now(NOW.0)));
        let master = &server.app().master;
        let sealer = TenantKeys::derive(master, &TenantId::new(name).unwrap()).sealer();
        let last = Mutex::new(tenant.text("handbook", "c-third", "one more", &["everyone"])["revision"].to_string());
        set(&last, lock(&last).trim_matches('"').to_owned());
        let (races, topics) = (Vec::new(), Vec::new());
        let mut world = Self { history, races, topics, tenant, server, sealer, administrator, clock, cursors, last };
        for (number, cause) in CAUSES.into_iter().enumerate() {
            world.furnish(number, cause);
        }
        world
    }

    /// The document of a cause, which nobody reads yet, and its topic.
    fn furnish(&mut self, number: usize, cause: Cause) {
        let word = format!("topic{number}");
        let collection = if cause == Cause::Readers { "club" } else { "handbook" };
        let name = if cause == Cause::User { "user:switched" } else { "user:reader" };
        let rule = match cause {
            Cause::Acl | Cause::Document | Cause::Folder | Cause::Window => allow("user:other"),
            Cause::Group => allow("group:direct"),
            Cause::NestedGroup => allow("group:outer"),
            Cause::Readers => allow("everyone"),
            Cause::Policy | Cause::PolicyOfTheHour => {
                Rule { allow: vec![name.to_owned(), marker(cause).to_owned()], ..Rule::default() }
            }
            Cause::User | Cause::Key | Cause::Token => allow(name),
        };
        let admin = &self.tenant.admin;
        let mut handle = String::new();
        let document = Value::Document(1, rule.clone());
        let mut parts = vec![(Part::Clock, self.clock)];
        let own = |part: Part, value: Value, parts: &mut Vec<(Part, Register)>| {
            let register = self.history.register(value);
            parts.push((part, register));
            register
        };
        let whole = own(Part::Document, document, &mut parts);
        let toggled = match cause {
            Cause::Acl | Cause::Document | Cause::Folder | Cause::Window => whole,
            Cause::Group => own(Part::Group("group:direct"), members(&[]), &mut parts),
            Cause::NestedGroup => {
                own(Part::Group("group:inner"), members(&["user:reader"]), &mut parts);
                own(Part::Group("group:outer"), members(&[]), &mut parts)
            }
            Cause::Readers => own(Part::Readers, members(&["user:other"]), &mut parts),
            Cause::Policy | Cause::PolicyOfTheHour => own(Part::Policy, Value::Closes(Some(marker(cause))), &mut parts),
            Cause::User => own(Part::User, Value::Holds(false), &mut parts),
            // Each round has a credential of its own.
            Cause::Key | Cause::Token => self.history.register(Value::Holds(false)),
        };
        let mut form = json!({"text": text(&word, 1), "acl": acl(&rule)});
        match cause {
            Cause::Folder => {
                admin.put("/v1/collections/handbook/folders/shelf", &json!({"acl": acl(&rule)})).expect(200);
                form = json!({"text": text(&word, 1), "parent": "shelf", "acl": null});
            }
            Cause::Policy | Cause::PolicyOfTheHour => {
                put_policy(admin, cause, true).expect(200);
            }
            Cause::User => {
                let user = admin.post("/scim/v2/Users", &json!({"userName": "switched"})).expect(201).json();
                user["id"].as_str().expect("an id").clone_into(&mut handle);
                switch(admin, &handle, false).expect(200);
            }
            _ => {}
        }
        admin.put(&document_path(collection, &word), &form).expect(200);
        let (id, caller) = self.key(name);
        let reader = match cause {
            Cause::Key => {
                admin.delete(&format!("/v1/keys/{id}")).expect(204);
                (caller, toggled)
            }
            Cause::Token => {
                revoke_token(admin, "never").expect(201);
                (self.token("never"), toggled)
            }
            _ => (caller, self.history.register(Value::Holds(true))),
        };
        self.races.push(race(cause, collection, word, toggled, reader, handle));
        let person = Person { names: vec![name.to_owned()], facts: Vec::new() };
        self.topics.push(Topic { person, parts });
    }

    fn key(&self, subject: &str) -> (String, Caller) {
        let form = json!({"kind": "user", "name": "reader", "subject": subject, "scopes": ["search", "read"]});
        let key = self.tenant.key(&form);
        (key.id, key.caller)
    }

    fn token(&self, jti: &str) -> Caller {
        let claims = merged(claims("reader", &[]), &json!({"jti": jti}));
        self.server.caller(&mint(&claims))
    }

    /// Sends a write and keeps it.
    fn write(&self, register: Register, value: Value, send: impl FnOnce() -> Answer) {
        self.history.write(register, value, || {
            let answer = send();
            assert!(matches!(answer.status, 200 | 201 | 204), "{} {}", answer.status, answer.text());
            let sealed = answer.header("ringfence-revision").expect("a write tells its revision").to_owned();
            let revision = self.sealer.open_revision(&sealed).expect("a revision of this tenant");
            set(&self.last, sealed);
            Some(revision)
        });
    }

    /// Lets the reader of a race in.
    pub(super) fn grant(&self, race: &Race, admin: &Caller) {
        let round = race.round.fetch_add(1, Ordering::SeqCst) + 1;
        let register = lock(&race.register);
        let document = document_path(race.collection, &race.word);
        let version = u32::try_from(round).unwrap() + 1;
        match race.cause {
            Cause::Acl | Cause::Document => {
                let rule = allow("user:reader");
                let form = json!({"text": text(&race.word, version), "acl": acl(&rule)});
                self.write(register, Value::Document(version, rule), || admin.put(&document, &form));
            }
            Cause::Folder => self.put_shelf(register, admin, "user:reader"),
            Cause::Group => self.put_group(register, admin, "direct", "user:reader"),
            Cause::NestedGroup => self.put_group(register, admin, "outer", "group:inner"),
            Cause::Readers => self.put_readers(register, admin, "user:reader"),
            Cause::Policy if round.is_multiple_of(2) => {
                self.write(register, Value::Closes(None), || admin.delete("/v1/policies/by-policy"));
            }
            Cause::Policy | Cause::PolicyOfTheHour => {
                self.write(register, Value::Closes(None), || put_policy(admin, race.cause, false));
            }
            Cause::User => {
                let id = lock(&race.handle);
                self.write(register, Value::Holds(true), || switch(admin, &id, true));
            }
            Cause::Key => {
                let register = self.history.register(Value::Holds(true));
                let (id, caller) = self.key("user:reader");
                set(&race.handle, id);
                set(&race.register, register);
                set(&race.reader, (caller, register));
            }
            Cause::Token => {
                let register = self.history.register(Value::Holds(true));
                let jti = format!("round-{round}");
                set(&race.reader, (self.token(&jti), register));
                set(&race.handle, jti);
                set(&race.register, register);
            }
            Cause::Window => {
                let rule = Rule { until: Some(self.end_of(round)), ..allow("user:reader") };
                let body = acl(&rule);
                self.write(register, Value::Document(1, rule), || admin.put(&format!("{document}/acl"), &body));
            }
        }
    }

    /// Shuts the reader of a race out.
    pub(super) fn revoke(&self, race: &Race, admin: &Caller) {
        let round = race.round.load(Ordering::SeqCst);
        let register = lock(&race.register);
        let document = document_path(race.collection, &race.word);
        let version = u32::try_from(round).unwrap() + 1;
        match race.cause {
            Cause::Acl => {
                let denied = Rule { deny: vec!["user:reader".to_owned()], ..allow("user:reader") };
                let rule = if round.is_multiple_of(2) { denied } else { allow("user:other") };
                let body = acl(&rule);
                let value = Value::Document(version, rule.clone());
                self.write(register, value, || admin.put(&format!("{document}/acl"), &body));
                // Something new is written where the reader may no longer look (the "new enemy").
                let form = json!({"text": text(&race.word, SECRET + version), "acl": body});
                let value = Value::Document(SECRET + version, rule);
                self.write(register, value, || admin.put(&document, &form));
            }
            Cause::Document => self.write(register, Value::Absent, || admin.delete(&document)),
            Cause::Folder => self.put_shelf(register, admin, "user:other"),
            Cause::Group => {
                let path = "/v1/groups/direct/members/user:reader";
                self.write(register, members(&[]), || admin.delete(path));
            }
            Cause::NestedGroup => self.put_group(register, admin, "outer", "user:somebody"),
            Cause::Readers => self.put_readers(register, admin, "user:other"),
            Cause::Policy | Cause::PolicyOfTheHour => {
                let value = Value::Closes(Some(marker(race.cause)));
                self.write(register, value, || put_policy(admin, race.cause, true));
            }
            Cause::User => {
                let id = lock(&race.handle);
                self.write(register, Value::Holds(false), || switch(admin, &id, false));
            }
            Cause::Key => {
                let path = format!("/v1/keys/{}", lock(&race.handle));
                self.write(register, Value::Holds(false), || admin.delete(&path));
            }
            Cause::Token => {
                let jti = lock(&race.handle);
                self.write(register, Value::Holds(false), || revoke_token(admin, &jti));
            }
            Cause::Window => {
                let end = self.end_of(round);
                self.history.write(self.clock, Value::Now(end), || {
                    self.server.clock.set(Timestamp(end));
                    None
                });
            }
        }
    }

    /// When the window of a round ends: a millisecond after that of the round before, so that hours of the clock are not used up.
    fn end_of(&self, round: u64) -> i64 {
        NOW.0 + i64::try_from(round).unwrap() * 1_000
    }

    fn put_shelf(&self, register: Register, admin: &Caller, name: &str) {
        let form = json!({"acl": acl(&allow(name))});
        let send = || admin.put("/v1/collections/handbook/folders/shelf", &form);
        self.write(register, Value::Document(1, allow(name)), send);
    }

    fn put_group(&self, register: Register, admin: &Caller, group: &str, member: &str) {
        let form = json!({"members": [member]});
        self.write(register, members(&[member]), || admin.put(&format!("/v1/groups/{group}"), &form));
    }

    fn put_readers(&self, register: Register, admin: &Caller, name: &str) {
        let form = json!({"readers": [name]});
        self.write(register, members(&[name]), || admin.put("/v1/collections/club", &form));
    }
}

fn race(
    cause: Cause,
    collection: &'static str,
    word: String,
    register: Register,
    reader: (Caller, Register),
    handle: String,
) -> Race {
    let (register, reader, handle) = (Mutex::new(register), Mutex::new(reader), Mutex::new(handle));
    Race { cause, collection, word, register, reader, handle, round: AtomicU64::new(0) }
}

fn text(word: &str, version: u32) -> String {
    format!("{word} is explained in edition {version}.")
}

/// What the policy of a cause looks for in an ACL, so that it closes one document alone.
fn marker(cause: Cause) -> &'static str {
    if cause == Cause::Policy { "group:by-policy" } else { "group:by-the-hour" }
}

/// Puts the policy of a cause so that it closes its document, or nothing.
fn put_policy(admin: &Caller, cause: Cause, closes: bool) -> Answer {
    let marked = format!("resource.allow.contains(\"{}\")", marker(cause));
    let condition = match (cause, closes) {
        (Cause::Policy, true) => marked,
        (Cause::Policy, false) => "resource.allow.contains(\"group:nobody\")".to_owned(),
        // The clock of the server stands a little after nine.
        (_, true) => format!("context.hour == 9 && {marked}"),
        (_, false) => format!("context.hour < 9 && {marked}"),
    };
    let text = format!("forbid (principal == User::\"reader\", action, resource) when {{ {condition} }};");
    admin.put(&format!("/v1/policies/{}", marker(cause).trim_start_matches("group:")), &json!({"text": text}))
}

fn switch(admin: &Caller, id: &str, active: bool) -> Answer {
    let patch = json!({"Operations": [{"op": "replace", "path": "active", "value": active}]}).to_string();
    admin.send("PATCH", &format!("/scim/v2/Users/{id}"), Some("application/json"), Some(patch.as_bytes()))
}

fn revoke_token(admin: &Caller, jti: &str) -> Answer {
    let form = json!({"issuer": "https://issuer.test", "jti": jti, "expires_at": "2026-11-02T11:00:00Z"});
    admin.post("/v1/revocations", &form)
}
