//! Revocation: a read that begins after a change was acknowledged never shows what the change took away.
//!
//! Each thing that can take access away has a thread that grants and revokes it over and over, and readers race it. The order is kept by one number for each: odd while the revocation is acknowledged and no grant has begun.

use std::sync::{
    Mutex, RwLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use serde_json::json;
use tokio::time::{Duration, Instant};

use crate::{
    harness::{Caller, Server, Tenant, assert_refused, document_path, is_deep, merged},
    oracle::Dice,
};

const COLLECTION: &str = "handbook";

/// What can take access away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Acl,
    Group,
    NestedGroup,
    Key,
    Document,
    Readers,
    Policy,
    PolicyOfTheHour,
    User,
}

const CAUSES: [Cause; 9] = [
    Cause::Acl,
    Cause::Group,
    Cause::NestedGroup,
    Cause::Key,
    Cause::Document,
    Cause::Readers,
    Cause::Policy,
    Cause::PolicyOfTheHour,
    Cause::User,
];

/// One thing that is granted and revoked.
struct Race {
    cause: Cause,
    collection: String,
    word: String,
    /// Odd while revoked.
    turn: AtomicU64,
    reader: RwLock<Caller>,
    /// The key of the reader, for the race that revokes it; or the reader in the directory.
    key: Mutex<String>,
}

#[derive(Debug, Default)]
struct Tally {
    seen: AtomicU64,
    refused: AtomicU64,
    revokes: AtomicU64,
}

impl Race {
    fn new(tenant: &Tenant, cause: Cause) -> Self {
        let word = format!("topic{}", CAUSES.iter().position(|own| *own == cause).expect("listed"));
        let collection = if cause == Cause::Readers { "club".to_owned() } else { COLLECTION.to_owned() };
        let (key, reader) = reader(tenant, cause);
        let race = Self {
            cause,
            collection,
            word,
            turn: AtomicU64::new(1),
            reader: RwLock::new(reader),
            key: Mutex::new(key),
        };
        if !matches!(cause, Cause::Acl | Cause::Document) {
            race.put(tenant, "v1");
        }
        if cause == Cause::User {
            let user = tenant.admin.post("/scim/v2/Users", &json!({"userName": "switched"})).expect(201).json();
            user["id"].as_str().expect("an id").clone_into(&mut race.key.lock().unwrap());
        }
        if matches!(cause, Cause::Key | Cause::Policy | Cause::PolicyOfTheHour | Cause::User) {
            race.revoke(tenant, 0);
        }
        race
    }

    fn allow(&self) -> serde_json::Value {
        match self.cause {
            Cause::Acl | Cause::Document => json!({"allow": ["user:reader"]}),
            Cause::Group => json!({"allow": ["group:direct"]}),
            Cause::NestedGroup => json!({"allow": ["group:outer"]}),
            Cause::Key | Cause::Readers => json!({"allow": ["everyone"]}),
            Cause::User => json!({"allow": ["user:switched"]}),
            // A policy forbids by what an ACL says, so that it closes this document alone.
            Cause::Policy => json!({"allow": ["user:reader", "group:by-policy"]}),
            Cause::PolicyOfTheHour => json!({"allow": ["user:reader", "group:by-the-hour"]}),
        }
    }

    fn put(&self, tenant: &Tenant, version: &str) {
        let text = format!("{} is explained in the edition {version}.", self.word);
        tenant.put(&self.collection, &self.word, &json!({"text": text, "acl": self.allow()})).expect(200);
    }

    fn set_acl(&self, tenant: &Tenant, acl: &serde_json::Value) {
        tenant.admin.put(&format!("{}/acl", document_path(&self.collection, &self.word)), acl).expect(200);
    }

    fn put_policy(&self, tenant: &Tenant, condition: &str) {
        let name = if self.cause == Cause::Policy { "by-policy" } else { "by-the-hour" };
        let text = format!("forbid (principal == User::\"reader\", action, resource) when {{ {condition} }};");
        tenant.admin.put(&format!("/v1/policies/{name}"), &json!({"text": text})).expect(200);
    }

    fn switch(&self, tenant: &Tenant, active: bool) {
        let patch = json!({"Operations": [{"op": "replace", "path": "active", "value": active}]});
        let path = format!("/scim/v2/Users/{}", self.key.lock().unwrap());
        tenant.admin.send("PATCH", &path, Some("application/json"), Some(patch.to_string().as_bytes())).expect(200);
    }

    fn grant(&self, tenant: &Tenant, round: u64) {
        match self.cause {
            Cause::Acl => self.put(tenant, "v1"),
            Cause::Document => self.put(tenant, &format!("v{round}")),
            Cause::Group => tenant.group("direct", &["user:reader"]),
            Cause::NestedGroup => tenant.group("outer", &["group:inner"]),
            Cause::Readers => tenant.collection("club", &json!({"readers": ["user:reader"]})),
            Cause::Policy if round.is_multiple_of(2) => {
                tenant.admin.delete("/v1/policies/by-policy").expect(204);
            }
            Cause::Policy => self.put_policy(tenant, "resource.allow.contains(\"group:nobody\")"),
            Cause::PolicyOfTheHour => {
                self.put_policy(tenant, "context.hour < 9 && resource.allow.contains(\"group:by-the-hour\")");
            }
            Cause::User => self.switch(tenant, true),
            Cause::Key => {
                let (id, caller) = reader(tenant, self.cause);
                *self.key.lock().unwrap() = id;
                *self.reader.write().unwrap() = caller;
            }
        }
    }

    fn revoke(&self, tenant: &Tenant, round: u64) {
        match self.cause {
            // Then something new is written where the reader may no longer look (the "new enemy").
            Cause::Acl if round.is_multiple_of(2) => {
                self.set_acl(tenant, &json!({"allow": ["user:reader"], "deny": ["user:reader"]}));
            }
            Cause::Acl => self.set_acl(tenant, &json!({"allow": ["user:other"]})),
            Cause::Document => {
                tenant.admin.delete(&document_path(&self.collection, &self.word)).expect(204);
            }
            Cause::Group => {
                let path = "/v1/groups/direct/members/user:reader";
                let status = tenant.admin.delete(path).status;
                assert!(matches!(status, 200 | 204), "{status}");
            }
            Cause::NestedGroup => tenant.group("outer", &["user:somebody"]),
            Cause::Readers => tenant.collection("club", &json!({"readers": ["user:other"]})),
            Cause::Policy => self.put_policy(tenant, "resource.allow.contains(\"group:by-policy\")"),
            // The clock of the server stands at nine.
            Cause::PolicyOfTheHour => {
                self.put_policy(tenant, "context.hour == 9 && resource.allow.contains(\"group:by-the-hour\")");
            }
            Cause::User => self.switch(tenant, false),
            Cause::Key => {
                let id = self.key.lock().unwrap().clone();
                tenant.admin.delete(&format!("/v1/keys/{id}")).expect(204);
            }
        }
    }

    /// Reads in one of the ways there are; whether the document was seen.
    fn read(&self, reader: &Caller, way: usize) -> bool {
        let answer = match way {
            0 => reader.get(&document_path(&self.collection, &self.word)),
            1 => reader.get(&format!("/v1/collections/{}/documents", self.collection)),
            _ => {
                let mode = ["hybrid", "keyword", "vector"][way % 3];
                reader.post("/v1/search", &json!({"query": self.word, "mode": mode}))
            }
        };
        // 429: the address of a revoked key has shown it too often.
        assert!(matches!(answer.status, 200 | 401 | 404 | 429), "{} {}", answer.status, answer.text());
        let text = answer.text();
        // A vector search finds other topics too; only this one's own word counts.
        answer.status == 200 && text.contains(&format!("\"document_id\":\"{}\"", self.word))
    }
}

fn reader(tenant: &Tenant, cause: Cause) -> (String, Caller) {
    let subject = if cause == Cause::User { "user:switched" } else { "user:reader" };
    let form = json!({"kind": "user", "name": format!("{cause:?}"), "subject": subject, "scopes": ["search", "read"]});
    let key = tenant.key(&merged(form, &json!({})));
    (key.id, key.caller)
}

#[test]
fn what_is_revoked_is_not_seen_again() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    tenant.collection(COLLECTION, &json!({}));
    tenant.collection("club", &json!({"readers": ["user:other"]}));
    tenant.group("inner", &["user:reader"]);
    let races: Vec<Race> = CAUSES.iter().map(|cause| Race::new(&tenant, *cause)).collect();
    let tallies: Vec<Tally> = CAUSES.iter().map(|_| Tally::default()).collect();
    let time = if is_deep() { Duration::from_secs(500) } else { Duration::from_secs(20) };
    let (end, over, reads) = (Instant::now() + time, AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            while Instant::now() < end && !over.load(Ordering::Relaxed) {
                round += 1;
                for race in &races {
                    race.turn.fetch_add(1, Ordering::SeqCst);
                    race.grant(&tenant, round);
                }
                for (race, tally) in races.iter().zip(&tallies) {
                    race.revoke(&tenant, round);
                    race.turn.fetch_add(1, Ordering::SeqCst);
                    tally.revokes.fetch_add(1, Ordering::Relaxed);
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        for seed in 0..3 {
            let (races, tallies, over, reads) = (&races, &tallies, &over, &reads);
            scope.spawn(move || {
                let mut dice = Dice(seed);
                while !over.load(Ordering::Relaxed) {
                    let which = dice.roll(races.len());
                    let (race, tally) = (&races[which], &tallies[which]);
                    let reader = race.reader.read().unwrap().clone();
                    let before = race.turn.load(Ordering::SeqCst);
                    let way = dice.roll(5);
                    let seen = race.read(&reader, way);
                    reads.fetch_add(1, Ordering::Relaxed);
                    let is_over = before % 2 == 1 && race.turn.load(Ordering::SeqCst) == before;
                    if is_over && seen {
                        over.store(true, Ordering::Relaxed);
                        panic!("{:?}: seen after it was revoked, in way {way}", race.cause);
                    }
                    tally.seen.fetch_add(u64::from(seen), Ordering::Relaxed);
                    tally.refused.fetch_add(u64::from(is_over), Ordering::Relaxed);
                }
            });
        }
    });
    eprintln!("{reads:?} reads; {tallies:?}");
    // A race that nobody ever won, or that was never revoked, would prove nothing.
    for (cause, tally) in CAUSES.iter().zip(&tallies) {
        for counter in [&tally.seen, &tally.refused, &tally.revokes] {
            assert!(counter.load(Ordering::Relaxed) > 5, "{cause:?}: {tally:?}");
        }
    }
}

#[test]
fn a_read_may_demand_a_revision() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    tenant.collection(COLLECTION, &json!({}));
    let revision = tenant.text(COLLECTION, "d", "how the keys are rotated", &["everyone"])["revision"].clone();
    let revision = revision.as_str().expect("a write tells its revision").to_owned();
    let user = tenant.user("ann", &[]);
    let demand = |revision: &str| user.with("ringfence-min-revision", revision);
    assert_eq!(demand(&revision).found("keys"), ["d"]);
    demand(&revision).get(&document_path(COLLECTION, "d")).expect(200);

    // Opaque and of one length, also to those who see many of them.
    let second = tenant.text(COLLECTION, "e", "and how the locks", &["everyone"])["revision"].clone();
    assert_eq!(second.as_str().map(str::len), Some(revision.len()));
    assert_ne!(second.as_str(), Some(revision.as_str()));

    for bad in ["", "x", "AAAA", &revision[1..]] {
        let answer = demand(bad).get(&document_path(COLLECTION, "d"));
        assert_refused(&answer, 400, "malformed_header");
    }
    let other = server.tenant("globex");
    other.collection(COLLECTION, &json!({}));
    let foreign = other.text(COLLECTION, "d", "text", &["everyone"])["revision"].as_str().unwrap().to_owned();
    assert_refused(&demand(&foreign).get(&document_path(COLLECTION, "d")), 400, "malformed_header");
}

#[test]
fn a_rotated_key_is_the_only_one_that_holds() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    tenant.collection(COLLECTION, &json!({}));
    let key = tenant.key(&json!({"kind": "user", "name": "ann", "subject": "user:ann", "scopes": ["search"]}));
    key.caller.search(&json!({"query": "keys"}));
    let rotated = tenant.admin.post(&format!("/v1/keys/{}/rotate", key.id), &json!({}));
    assert!(matches!(rotated.status, 200 | 201), "{}", rotated.text());
    let rotated = server.caller(rotated.json()["key"].as_str().expect("the new key"));
    assert_refused(&key.caller.post("/v1/search", &json!({"query": "keys"})), 401, "unauthenticated");
    rotated.search(&json!({"query": "keys"}));
    tenant.admin.delete(&format!("/v1/keys/{}", key.id)).expect(204);
    assert_refused(&rotated.post("/v1/search", &json!({"query": "keys"})), 401, "unauthenticated");
    assert_refused(&tenant.admin.delete(&format!("/v1/keys/{}", key.id)), 404, "not_found");
}
