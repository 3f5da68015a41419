//! What a collection masks holds from its acknowledgement on, also for an answer that is on its way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ringfence_indexes::{
    TenantId,
    failpoint::{self, Place},
};
use serde_json::{Value, json};

use crate::harness::{Caller, Server, document_path};

const ADDRESS: &str = "jo.bloggs@example.com";

/// Asks while the collection begins to mask addresses: after the answer was made, and before it was looked at again.
fn asked_meanwhile(ask: impl Fn(&Caller) -> Value) -> (Value, Value) {
    let server = Server::start();
    let tenant = server.tenant("masking-in-flight");
    let settings = |masked: &[&str]| json!({"default_acl": {"allow": ["everyone"]}, "redact": masked});
    tenant.collection("desk", &settings(&[]));
    let text = format!("The pump desk answers at {ADDRESS} on weekdays.");
    tenant.put("desk", "pumps", &json!({"text": text, "title": format!("Pumps, {ADDRESS}")})).expect(200);
    let user = tenant.user("ann", &[]);
    let before = ask(&user);

    let admin = server.caller(tenant.admin.credential());
    let is_done = AtomicBool::new(false);
    let masked = settings(&["email"]);
    let hook = move |place| {
        if place == Place::Released && !is_done.swap(true, Ordering::SeqCst) {
            admin.put("/v1/collections/desk", &masked).expect(200);
        }
    };
    let id = TenantId::new("masking-in-flight").expect("a name");
    let _armed = failpoint::arm(&id, None, Arc::new(hook));
    (before, ask(&user))
}

#[test]
fn what_is_masked_from_now_on_is_masked_in_what_is_on_its_way() {
    let search: fn(&Caller) -> Value = |user| user.search(&json!({"query": "pump desk"}));
    let read: fn(&Caller) -> Value = |user| user.get(&document_path("desk", "pumps")).expect(200).json();
    let list: fn(&Caller) -> Value = |user| user.get("/v1/collections/desk/documents").expect(200).json();
    for ask in [search, read, list] {
        let (before, meanwhile) = asked_meanwhile(ask);
        assert!(before.to_string().contains(ADDRESS), "{before}");
        assert!(meanwhile.to_string().contains("umps") && !meanwhile.to_string().contains(ADDRESS), "{meanwhile}");
    }
}
