//! Tenant policies over HTTP: who may change them, what they do to what is read, and what is told before and after.

use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Server, Tenant, assert_refused, document_path, merged};

fn forbid(what: &str) -> Value {
    json!({"text": format!("forbid (principal, action, resource) when {{ {what} }};")})
}

/// A tenant with two collections and people who read them.
fn world(server: &Server) -> (Tenant, Caller, Caller) {
    let tenant = server.tenant("acme");
    for collection in ["hr", "wiki"] {
        tenant.collection(collection, &json!({"trust": if collection == "hr" { "internal" } else { "untrusted" }}));
        // Passages that say almost the same would be shown once.
        let texts = match collection {
            "hr" => ["salaries are reviewed by a committee each spring", "the bank pays salaries on the last Friday"],
            _ => {
                ["a guide to salaries for managers who are new", "engineers compare salaries with those of the market"]
            }
        };
        tenant.text(collection, "d1", texts[0], &["everyone"]);
        tenant.text(collection, "d2", texts[1], &["group:eng"]);
    }
    tenant.group("contractors", &["user:bo"]);
    let ann = tenant.user_with("ann", &json!({"groups": ["group:eng"], "attributes": {"clearance": 2}}));
    let bo = tenant.user("bo", &["group:eng"]);
    (tenant, ann, bo)
}

/// What is found in `hr` and `wiki`, as `collection/document`.
fn found(caller: &Caller) -> Vec<String> {
    let answer = caller.post("/v1/search", &json!({"query": "salaries", "top_k": 20})).expect(200).json();
    let results = answer["results"].as_array().unwrap();
    let name =
        |hit: &Value| format!("{}/{}", hit["collection"].as_str().unwrap(), hit["document_id"].as_str().unwrap());
    let mut names: Vec<String> = results.iter().map(name).collect();
    names.sort();
    names
}

const ALL: [&str; 4] = ["hr/d1", "hr/d2", "wiki/d1", "wiki/d2"];

#[test]
fn a_policy_narrows_every_way_of_reading_until_it_is_deleted() {
    let server = Server::start();
    let (tenant, ann, bo) = world(&server);
    assert_eq!((found(&ann), found(&bo)), (ALL.map(str::to_owned).to_vec(), ALL.map(str::to_owned).to_vec()));

    let text = "forbid (principal in Group::\"contractors\", action, resource in Collection::\"hr\");";
    let put = tenant.admin.put("/v1/policies/no-contractors", &json!({"text": text, "description": "why"}));
    let put = put.expect(200).json();
    assert_eq!((&put["version"], &put["forbids"], &put["permits"]), (&json!(1), &json!(true), &json!(false)));
    assert!(put["revision"].as_str().is_some_and(|revision| !revision.is_empty()));
    assert_eq!(found(&bo), ["wiki/d1", "wiki/d2"]);
    assert_eq!(found(&ann), ALL);
    bo.get(&document_path("hr", "d1")).expect(404);
    assert_eq!(
        bo.get(&document_path("hr", "d1")).json()["code"],
        bo.get(&document_path("hr", "absent")).json()["code"]
    );
    let list = bo.get("/v1/collections/hr/documents").expect(200).json();
    assert_eq!(list["documents"], json!([]));
    ann.get(&document_path("hr", "d1")).expect(200);

    // Also for those who are named by a service, and after the group has changed.
    let named =
        tenant.service("app", &["search", "read", "assert"]).with("ringfence-as", "user:kim; group:contractors");
    assert_eq!(found(&named), ["wiki/d1"]);
    tenant.group("contractors", &["user:ann"]);
    assert_eq!((found(&bo).len(), found(&ann).len()), (4, 2));

    let list = tenant.admin.get("/v1/policies").expect(200).json();
    assert_eq!((&list["policies"][0]["name"], &list["policies"][0]["text"]), (&json!("no-contractors"), &json!(text)));
    tenant.admin.delete("/v1/policies/no-contractors").expect(204);
    assert_eq!(found(&ann), ALL);
    tenant.admin.get("/v1/policies/no-contractors").expect(404);
    tenant.admin.delete("/v1/policies/no-contractors").expect(404);
    let versions = tenant.admin.get("/v1/policies/no-contractors/versions").expect(200).json();
    assert_eq!(versions["versions"][0]["text"], Value::Null);
    assert_eq!((&versions["versions"][0]["version"], &versions["versions"][1]["text"]), (&json!(2), &json!(text)));
    assert_eq!(versions["versions"][1]["written_by"], "service:admin");
}

#[test]
fn policies_may_look_at_attributes_trust_and_the_request() {
    let server = Server::start();
    let (tenant, ann, bo) = world(&server);
    let clearance = "resource.trust == \"internal\" && !(principal.numbers.hasTag(\"clearance\") && principal.numbers.getTag(\"clearance\") >= 2)";
    tenant.admin.put("/v1/policies/cleared", &forbid(clearance)).expect(200);
    assert_eq!((found(&ann).len(), found(&bo)), (4, vec!["wiki/d1".to_owned(), "wiki/d2".to_owned()]));

    // The clock of the tests stands at nine o'clock on a Monday; the requests come from this machine.
    tenant.admin.put("/v1/policies/cleared", &forbid("context.hour == 9 && context.weekday == 1")).expect(200);
    assert_eq!((found(&ann).len(), found(&bo).len()), (0, 0));
    let put = tenant.admin.put("/v1/policies/cleared", &forbid("context.hour < 9")).expect(200).json();
    assert_eq!((&put["depends_on_context"], &put["version"]), (&json!(true), &json!(3)));
    assert_eq!(found(&ann).len(), 4);
    let outside = "!(context has network && context.network.isLoopback())";
    tenant.admin.put("/v1/policies/cleared", &forbid(outside)).expect(200);
    assert_eq!(found(&ann).len(), 4);
    tenant
        .admin
        .put("/v1/policies/cleared", &forbid("context has network && context.network.isLoopback()"))
        .expect(200);
    assert_eq!(found(&ann).len(), 0);
    // What fails, denies.
    let fails =
        "principal.numbers.hasTag(\"clearance\") && principal.numbers.getTag(\"clearance\") * 9223372036854775807 > 0";
    tenant.admin.put("/v1/policies/cleared", &forbid(fails)).expect(200);
    assert_eq!((found(&ann).len(), found(&bo).len()), (0, 4));
}

#[test]
fn a_permit_takes_part_only_where_it_is_enabled_and_widens_allow_alone() {
    let server = Server::start();
    let (tenant, _, _) = world(&server);
    let kim = tenant.user("kim", &[]);
    let acl = json!({"allow": ["user:boss"], "deny": ["group:kims"]});
    tenant.put("wiki", "denied", &json!({"text": "how the salaries are denied", "acl": acl})).expect(200);
    let acl = json!({"allow": ["user:boss"], "require": [{"attribute": "clearance", "at_least": 1}]});
    tenant.put("wiki", "cleared", &json!({"text": "how the salaries are cleared", "acl": acl})).expect(200);
    let acl = json!({"allow": ["user:boss"], "expires_at": "2020-01-01T00:00:00Z"});
    tenant.put("wiki", "past", &json!({"text": "how the salaries were", "acl": acl})).expect(200);
    tenant.collection("closed", &json!({"readers": ["user:boss"]}));
    tenant.text("closed", "d1", "how the salaries are closed", &["everyone"]);
    tenant.group("kims", &["user:kim"]);

    let permit = json!({"text": "permit (principal == User::\"kim\", action, resource);"});
    let refused = tenant.admin.put("/v1/policies/kim", &permit);
    assert_refused(&refused, 422, "invalid_fields");
    assert_eq!(refused.json()["errors"][0]["pointer"], "/text");
    tenant.admin.get("/v1/policies/kim").expect(404);
    assert_eq!(found(&kim), ["hr/d1", "wiki/d1"]);
    tenant.admin.put("/v1/policies:settings", &json!({"permit": true})).expect(200);
    tenant.admin.put("/v1/policies/kim", &permit).expect(200);
    assert_eq!(found(&kim), ALL, "neither deny, require, window nor readers are widened");
    tenant.admin.put("/v1/policies:settings", &json!({"permit": false})).expect(200);
    assert_eq!(found(&kim), ["hr/d1", "wiki/d1"]);
    assert_eq!(tenant.admin.get("/v1/policies:settings").expect(200).json(), json!({"permit": false}));
}

#[test]
fn policies_survive_a_restart_and_stay_with_their_tenant() {
    let mut server = Server::start();
    let (tenant, _, bo) = world(&server);
    let other = server.tenant("globex");
    other.collection("hr", &json!({}));
    other.text("hr", "d1", "how the salaries are reviewed", &["everyone"]);
    let theirs = other.user("bo", &["group:contractors"]);
    tenant.admin.put("/v1/policies/no", &json!({"text": "forbid (principal, action, resource);"})).expect(200);
    tenant.admin.put("/v1/policies:tests", &json!({"tests": "expect user:bo !read collection/hr/*"})).expect(200);
    assert_eq!((found(&bo).len(), found(&theirs).len()), (0, 1));
    other.admin.get("/v1/policies/no").expect(404);
    assert_eq!(other.admin.get("/v1/policies").expect(200).json()["policies"], json!([]));
    server.restart();
    let (bo, theirs) = (bo.at(server.address()), theirs.at(server.address()));
    let admin = tenant.admin.at(server.address());
    assert_eq!((found(&bo).len(), found(&theirs).len()), (0, 1));
    let tests = admin.get("/v1/policies:tests").expect(200).json();
    assert_eq!(tests["tests"], "expect user:bo !read collection/hr/*");
    let again = admin.put("/v1/policies/no", &json!({"text": "forbid (principal, action, resource);"})).expect(200);
    assert_eq!(again.json()["version"], 1, "what is there already makes no version");
}

#[test]
fn permission_tests_guard_every_change() {
    let server = Server::start();
    let (tenant, ann, bo) = world(&server);
    let text = "# people\nexpect user:ann (group:eng) read collection/hr/*\nexpect user:bo !read collection/hr/d1\nexpect user:bo read collection/wiki\n";
    let kept = tenant.admin.put("/v1/policies:tests", &json!({"tests": text})).expect(200).json();
    assert_eq!((&kept["passed"], &kept["failed"]), (&json!(2), &json!(1)), "a test may be written before its policy");
    assert_eq!(
        kept["results"][1]["detail"],
        "`user:bo !read collection/hr/d1` fails: user:bo can read the document `d1`"
    );

    // A policy that breaks one of them is refused, and leaves nothing behind.
    let refused = tenant.admin.put("/v1/policies/p", &json!({"text": "forbid (principal, action, resource);"}));
    assert_refused(&refused, 422, "tests_fail");
    let errors = refused.json()["errors"].clone();
    assert_eq!(errors.as_array().map(Vec::len), Some(1));
    assert_eq!(errors[0]["pointer"], "#/tests/2");
    assert!(errors[0]["detail"].as_str().unwrap().contains("user:ann (group:eng) read collection/hr/*"), "{errors}");
    assert_eq!((found(&ann).len(), found(&bo).len()), (4, 4));
    tenant.admin.get("/v1/policies/p").expect(404);
    tenant.admin.get("/v1/policies/p/versions").expect(404);

    let good = json!({"text": "forbid (principal == User::\"bo\", action, resource in Collection::\"hr\");"});
    tenant.admin.put("/v1/policies/p", &good).expect(200);
    let run = tenant.admin.post("/v1/policies:test", &json!({})).expect(200).json();
    assert_eq!((&run["passed"], &run["failed"]), (&json!(3), &json!(0)));
    let refused = tenant.admin.delete("/v1/policies/p");
    assert_refused(&refused, 422, "tests_fail");
    assert_eq!(found(&bo).len(), 2);

    let run =
        tenant.admin.post("/v1/policies:test", &json!({"tests": "user:bo read collection/hr/d1"})).expect(200).json();
    assert_eq!((&run["failed"], &run["results"][0]["line"]), (&json!(1), &json!(1)));
    let bad = tenant.admin.put("/v1/policies:tests", &json!({"tests": "expect nothing"}));
    assert_refused(&bad, 422, "invalid_fields");
    assert_eq!(tenant.admin.get("/v1/policies:tests").expect(200).json()["tests"], text);
    let limited = tenant.key(&json!({
        "kind": "service", "name": "l", "subject": "service:l", "scopes": ["policy"], "collections": ["wiki"],
    }));
    let probe = json!({"tests": "user:bo read collection/hr/d1"});
    assert_refused(&limited.caller.post("/v1/policies:test", &probe), 422, "invalid_fields");
}

#[test]
fn what_only_narrows_can_be_forced_past_tests_that_fail() {
    let server = Server::start();
    let (tenant, ann, _bo) = world(&server);
    let admin = &tenant.admin;
    let tests = json!({"tests": "expect user:ann (group:eng) read collection/hr/*"});
    admin.put("/v1/policies:tests", &tests).expect(200);
    let stop = json!({"text": "forbid (principal, action, resource in Collection::\"hr\");"});
    assert_refused(&admin.put("/v1/policies/stop", &stop), 422, "tests_fail");
    assert_eq!(found(&ann).len(), 4);
    let forced = |text: &str| json!({"text": text, "force": "INC-9: hr is being read by an intruder"});
    let text = stop["text"].as_str().unwrap();
    for reason in ["", "  ", "two\nlines"] {
        let blank = admin.put("/v1/policies/stop", &merged(stop.clone(), &json!({"force": reason})));
        assert_refused(&blank, 422, "invalid_fields");
    }
    let made = admin.put("/v1/policies/stop", &forced(text)).expect(200).json();
    let failing = made["failing_tests"].as_array().expect("the tests that fail");
    assert!(failing[0].as_str().unwrap().contains("user:ann (group:eng) read collection/hr/*"), "{made}");
    assert_eq!(found(&ann), ["wiki/d1", "wiki/d2"]);
    let path = server.app().audit.path(Some(&ringfence_indexes::TenantId::new("acme").unwrap()));
    let log = std::fs::read_to_string(path).unwrap();
    let record = log.lines().find(|line| line.contains("\"policy.force\"")).expect("a record of its own");
    assert!(record.contains("stop/1: INC-9: hr is being read by an intruder"), "{record}");

    // What may open something cannot be forced: a weaker policy in its place, or one that permits.
    let weaker = "forbid (principal == User::\"bo\", action, resource in Collection::\"hr\") when { false };";
    assert_refused(&admin.put("/v1/policies/stop", &forced(weaker)), 422, "invalid_fields");
    admin.put("/v1/policies:tests", &json!({"tests": ""})).expect(200);
    admin.put("/v1/policies:settings", &json!({"permit": true})).expect(200);
    admin.put("/v1/policies:tests", &tests).expect(200);
    let permit = "permit (principal == User::\"bo\", action, resource);";
    assert_refused(&admin.put("/v1/policies/open", &forced(permit)), 422, "invalid_fields");
    assert_eq!(found(&ann), ["wiki/d1", "wiki/d2"]);
    // The way back is free: with it the tests pass again.
    admin.delete("/v1/policies/stop").expect(204);
    assert_eq!(found(&ann).len(), 4);
    let plain = admin.put("/v1/policies/calm", &forced("forbid (principal == User::\"zoe\", action, resource);"));
    assert!(plain.expect(200).json().get("failing_tests").is_none());
}

#[test]
fn a_dry_run_tells_what_then_happens() {
    let server = Server::start();
    let (tenant, ann, bo) = world(&server);
    let text = "forbid (principal in Group::\"contractors\", action, resource in Collection::\"hr\");";
    let form = json!({"name": "p", "text": text});
    let told = tenant.admin.post("/v1/policies:simulate", &form).expect(200).json();
    assert_eq!(told["opens"], json!([]));
    assert_eq!(told["closes"][0], json!({"principal": "user:bo", "chunks": 2}));
    assert_eq!(told["counts"]["closes"], json!({"principals": 2, "chunks": 2}), "the group and who is in it: {told}");
    assert_eq!((found(&ann).len(), found(&bo).len()), (4, 4), "nothing was changed");
    let only = merged(form.clone(), &json!({"principals": ["user:ann"]}));
    let told = tenant.admin.post("/v1/policies:simulate", &only).expect(200).json();
    assert_eq!((&told["closes"], &told["counts"]["examined"]), (&json!([]), &json!(1)));

    tenant.admin.put("/v1/policies/p", &json!({"text": text})).expect(200);
    let told = tenant.admin.post("/v1/policies:simulate", &json!({"name": "p", "delete": true})).expect(200).json();
    assert_eq!((&told["opens"][0]["principal"], &told["closes"]), (&json!("user:bo"), &json!([])));
    tenant.admin.post("/v1/policies:simulate", &json!({"name": "absent", "delete": true})).expect(404);
    for bad in
        [json!({}), json!({"name": "p"}), json!({"name": "p", "text": "x"}), json!({"permit": true, "name": "p"})]
    {
        assert_refused(&tenant.admin.post("/v1/policies:simulate", &bad), 422, "invalid_fields");
    }
    let late = json!({"name": "q", "text": "forbid (principal, action, resource) when { context.hour == 9 };"});
    let told = tenant.admin.post("/v1/policies:simulate", &late).expect(200).json();
    assert_eq!(told["depends_on_context"], true);
    assert!(told["counts"]["closes"]["principals"].as_u64() > Some(1), "{told}");
}

#[test]
fn an_explanation_names_the_policy_that_decided() {
    let server = Server::start();
    let (tenant, _, _) = world(&server);
    let text = "forbid (principal in Group::\"contractors\", action, resource in Collection::\"hr\");";
    tenant.admin.put("/v1/policies/no-contractors", &json!({"text": text})).expect(200);
    let explain = |further: &Value| {
        let form = json!({"principal": "user:bo", "collection": "hr", "document_id": "d1"});
        tenant.admin.post("/v1/explain", &merged(form, further)).expect(200).json()
    };
    let told = explain(&json!({}));
    assert_eq!(told["readable"], false);
    assert_eq!(told["decision"], json!({"rule": "forbid", "holds": false, "policy": "no-contractors"}));
    let flip = json!({"readable": true, "changes": [{"change": "lift", "policy": "no-contractors"}]});
    assert_eq!(told["flip"], flip);
    assert_eq!(explain(&json!({"principal": "user:ann"}))["readable"], true);

    tenant.admin.put("/v1/policies:settings", &json!({"permit": true})).expect(200);
    let text = "permit (principal, action, resource) when { context has purpose && context.purpose == \"audit\" };";
    tenant.admin.put("/v1/policies/auditors", &json!({"text": text})).expect(200);
    let told = explain(&json!({"principal": "user:kim", "document_id": "d2"}));
    assert_eq!((&told["readable"], &told["decision"]["rule"]), (&json!(false), &json!("allow")));
    let told = explain(&json!({"principal": "user:kim", "document_id": "d2", "context": {"purpose": "audit"}}));
    assert_eq!(told["decision"], json!({"rule": "permit", "holds": true, "policy": "auditors"}));
    // A simulation of an ACL looks at the policies too.
    let acl = json!({"collection": "hr", "document_id": "d2", "acl": {"allow": ["user:bo", "user:kim"]}, "principals": ["user:bo", "user:kim"]});
    let told = tenant.admin.post("/v1/acl:simulate", &acl).expect(200).json();
    assert_eq!(told["opens"], json!(["user:kim"]), "{told}");
}

#[test]
fn bad_policies_leave_nothing_behind() {
    let server = Server::start();
    let (tenant, ann, _) = world(&server);
    let put = |name: &str, body: &Value| tenant.admin.put(&format!("/v1/policies/{name}"), body);
    for body in [
        json!({}),
        json!({"text": ""}),
        json!({"text": "forbid (principal, action, resource)"}),
        json!({"text": "forbid (principal, action, resource) when { resource.owner == 1 };"}),
        json!({"text": "x".repeat(17_000)}),
        json!({"text": "forbid (principal, action, resource);", "tenant": "globex"}),
        json!({"text": "forbid (principal, action, resource);", "description": "x".repeat(2_000)}),
    ] {
        assert_refused(&put("p", &body), 422, "invalid_fields");
    }
    assert_refused(&put("-p", &json!({"text": "forbid (principal, action, resource);"})), 422, "invalid_fields");
    assert_eq!(tenant.admin.get("/v1/policies").expect(200).json()["policies"], json!([]));
    assert_eq!(found(&ann), ALL);
    // A policy that can never apply is most likely a mistake.
    let strange =
        put("p", &json!({"text": "forbid (principal is User, action, resource) when { principal is Service };"}));
    assert!(!strange.expect(200).json()["warnings"].as_array().unwrap().is_empty());
    let schema = tenant.admin.get("/v1/policies:schema").expect(200).json();
    assert!(schema["schema"].as_str().unwrap().contains("entity Class in [Collection]"));
}

#[test]
fn lists_of_policies_have_pages() {
    let server = Server::start();
    let (tenant, _, _) = world(&server);
    for index in 0..5 {
        let text = format!("forbid (principal == User::\"u{index}\", action, resource);");
        tenant.admin.put(&format!("/v1/policies/p{index}"), &json!({"text": text})).expect(200);
        tenant.admin.put("/v1/policies/same", &json!({"text": text})).expect(200);
    }
    let pages = |path: &str, list: &str| {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page: Answer = tenant.admin.get(&format!("{path}?limit=2{cursor}")).expect(200);
            let page = page.json();
            for entry in page[list].as_array().unwrap() {
                names.push(entry.get("name").unwrap_or(&entry["version"]).to_string());
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return names,
            }
        }
    };
    assert_eq!(pages("/v1/policies", "policies").len(), 6);
    assert_eq!(pages("/v1/policies/same/versions", "versions"), ["5", "4", "3", "2", "1"]);
    let cursor = tenant.admin.get("/v1/policies/same/versions?limit=1").expect(200).json()["next_cursor"].clone();
    let foreign = format!("/v1/policies/p0/versions?cursor={}", cursor.as_str().unwrap());
    assert_refused(&tenant.admin.get(&foreign), 400, "invalid_cursor");
    // A hundred are enough.
    for index in 5..=100 {
        let text = json!({"text": "forbid (principal == User::\"nobody\", action, resource);"});
        let answer = tenant.admin.put(&format!("/v1/policies/p{index}"), &text);
        assert_eq!(answer.status, if index < 99 { 200 } else { 422 }, "{index}");
    }
}
