//! A token never reads outside the one that it was made from: generated chains of tokens, narrowed offline and online, compared over HTTP.
//!
//! The model of a token is what its person reads (asked of the server with the person's own token), the collections and scopes that are left, and the fewest results that some step allowed.

use std::collections::BTreeSet;

use ringfence::authn::Caveat;
use ringfence::authz::Scopes;
use ringfence_indexes::CollectionId;
use serde_json::{Value, json};

use crate::{
    harness::{Caller, Server, Tenant, claims, document_path, is_deep, issuer, mint, task_token},
    oracle::Dice,
};

const WORD: &str = "quuxberry";
const COLLECTIONS: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
const SCOPES: [&str; 3] = ["search", "read", "explain"];
const NAMES: [&str; 6] = ["user:ann", "user:bo", "group:eng", "group:ops", "everyone", "user:nobody"];

/// What a token may do, as it was asked for.
#[derive(Clone, Debug)]
struct Model {
    scopes: BTreeSet<&'static str>,
    collections: BTreeSet<&'static str>,
    results_max: Option<usize>,
}

/// What a token gets.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Documents that a search finds, as `collection/document`; `None` where it is refused.
    found: Option<BTreeSet<String>>,
    /// Documents that lists name.
    listed: Option<BTreeSet<String>>,
    /// Documents that are read one by one.
    read: BTreeSet<String>,
    /// Collections that exist.
    collections: BTreeSet<String>,
}

fn subset(dice: &mut Dice, of: &BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    of.iter().copied().filter(|_| dice.roll(3) > 0).collect()
}

fn world(dice: &mut Dice) -> (Server, Tenant, Vec<(String, String)>) {
    let server = Server::start_with(|config, folder| {
        let mut issuer = issuer(folder, "acme");
        issuer.scopes = SCOPES.map(str::to_owned).to_vec();
        config.issuer = vec![issuer];
    });
    let tenant = server.tenant("acme");
    tenant.group("ops", &["user:bo"]);
    let mut places = Vec::new();
    for collection in COLLECTIONS {
        let readers = if dice.roll(3) == 0 { json!(["group:eng", "user:bo"]) } else { json!(["everyone"]) };
        tenant.collection(collection, &json!({"readers": readers}));
        let documents: Vec<Value> = (0..10)
            .map(|number| {
                let pick = |dice: &mut Dice| NAMES[dice.roll(NAMES.len())];
                let allow = [pick(dice), pick(dice)];
                let deny: Vec<_> = if dice.roll(4) == 0 { vec![NAMES[dice.roll(4)]] } else { Vec::new() };
                let text = format!("{WORD} {collection} number {number} {}", "filler ".repeat(dice.roll(6)));
                json!({"id": format!("d{number}"), "text": text, "acl": {"allow": allow, "deny": deny}})
            })
            .collect();
        tenant.fill(collection, &documents);
        places.extend((0..10).map(|number| (collection.to_owned(), format!("d{number}"))));
    }
    (server, tenant, places)
}

fn seen(caller: &Caller, places: &[(String, String)]) -> Seen {
    let mut seen = Seen::default();
    let search = caller.post("/v1/search", &json!({"query": WORD, "top_k": 100}));
    if search.status == 200 {
        let name =
            |hit: &Value| format!("{}/{}", hit["collection"].as_str().unwrap(), hit["document_id"].as_str().unwrap());
        seen.found = Some(search.json()["results"].as_array().unwrap().iter().map(name).collect());
    }
    for collection in COLLECTIONS {
        if caller.get(&format!("/v1/collections/{collection}")).status == 200 {
            seen.collections.insert(collection.to_owned());
        }
        let (mut path, start) = (format!("/v1/collections/{collection}/documents"), seen.listed.take());
        let mut listed = start.unwrap_or_default();
        loop {
            let list = caller.get(&path);
            if list.status == 403 {
                break;
            }
            seen.listed = Some(BTreeSet::new());
            if list.status != 200 {
                break;
            }
            let list = list.json();
            let ids = list["documents"].as_array().unwrap().iter();
            listed.extend(ids.map(|document| format!("{collection}/{}", document["document_id"].as_str().unwrap())));
            let Some(cursor) = list["next_cursor"].as_str() else { break };
            path = format!("/v1/collections/{collection}/documents?cursor={cursor}");
        }
        if seen.listed.is_some() {
            seen.listed = Some(listed);
        }
    }
    let read = places.iter().filter(|(collection, id)| caller.get(&document_path(collection, id)).status == 200);
    seen.read = read.map(|(collection, id)| format!("{collection}/{id}")).collect();
    seen
}

/// What the model says of a token, given what its person sees.
fn expected(model: &Model, person: &Seen) -> Seen {
    let within = |names: &BTreeSet<String>| -> BTreeSet<String> {
        let is_left = |name: &&String| model.collections.iter().any(|left| name.split('/').next() == Some(*left));
        names.iter().filter(is_left).cloned().collect()
    };
    let may = |scope: &str| model.scopes.contains(scope);
    let all = |names: &Option<BTreeSet<String>>| within(names.as_ref().expect("the person may"));
    Seen {
        found: may("search").then(|| all(&person.found)),
        listed: may("read").then(|| all(&person.listed)),
        read: if may("read") { within(&person.read) } else { BTreeSet::new() },
        collections: if may("search") || may("read") { within(&person.collections) } else { BTreeSet::new() },
    }
}

/// Narrows a token one step, offline or online; `None` where nothing is left to narrow by.
fn narrowed(dice: &mut Dice, application: &Caller, token: &str, model: &Model) -> Option<(String, Model)> {
    let mut next = model.clone();
    let (by_scopes, by_collections, by_results) = (dice.roll(2) == 0, dice.roll(2) == 0, dice.roll(3) == 0);
    if by_scopes {
        next.scopes = subset(dice, &model.scopes);
    }
    if by_collections {
        next.collections = subset(dice, &model.collections);
    }
    let most = 1 + dice.roll(30);
    if by_results {
        next.results_max = Some(model.results_max.map_or(most, |before| before.min(most)));
    }
    if dice.roll(2) == 0 {
        // A holder may name more than is left: it gains nothing.
        let extra = |kept: &BTreeSet<&'static str>, more: &'static str| {
            kept.iter().copied().chain([more]).collect::<BTreeSet<&str>>()
        };
        let more = COLLECTIONS[dice.roll(COLLECTIONS.len())];
        let names = extra(&next.collections, more);
        if by_collections && model.collections.contains(more) {
            next.collections.insert(more);
        }
        let caveat = Caveat {
            scopes: by_scopes.then(|| Scopes::from_names(next.scopes.iter().copied()).unwrap()),
            collections: by_collections.then(|| names.iter().map(|name| CollectionId::new(name).unwrap()).collect()),
            results_max: by_results.then_some(most),
            ..Caveat::default()
        };
        return Some((caveat.append(token)?, next));
    }
    // Asking for nothing is not asking: an exchange needs something to be left.
    if next.scopes.is_empty() || next.collections.is_empty() {
        return None;
    }
    let joined = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join("+");
    let mut form = Vec::new();
    if by_scopes {
        form.push(format!("scope={}", joined(&next.scopes)));
    }
    if by_collections {
        form.push(format!("collections={}", joined(&next.collections)));
    }
    if by_results {
        form.push(format!("max_results={most}"));
    }
    Some((task_token(application, token, &form.join("&")), next))
}

#[test]
fn a_child_reads_what_its_parent_reads_within_what_it_was_narrowed_to() {
    let mut dice = Dice(29);
    let (server, tenant, places) = world(&mut dice);
    let form = json!({"kind": "service", "name": "wide", "subject": "service:wide", "scopes": ["act", "search", "read", "explain"]});
    let wide = tenant.key(&form).caller;
    let limited = json!({
        "kind": "service", "name": "limited", "subject": "service:limited", "scopes": ["act", "search", "read"],
        "collections": ["alpha", "beta", "gamma"],
    });
    let limited = tenant.key(&limited).caller;
    let mut compared = 0;
    for (person, groups) in [("ann", vec!["eng"]), ("bo", vec![])] {
        let own = mint(&claims(person, &groups));
        let own_eyes = seen(&server.caller(&own), &places);
        assert!(own_eyes.read.len() > 3, "the world is not empty: {own_eyes:?}");
        for (application, scopes, collections) in
            [(&wide, &SCOPES[..], &COLLECTIONS[..]), (&limited, &SCOPES[..2], &COLLECTIONS[..3])]
        {
            for _ in 0..if is_deep() { 60 } else { 6 } {
                let mut model = Model {
                    scopes: scopes.iter().copied().collect(),
                    collections: collections.iter().copied().collect(),
                    results_max: None,
                };
                let mut token = task_token(application, &own, "");
                let mut parent = seen(&server.caller(&token), &places);
                for _ in 0..1 + dice.roll(4) {
                    let Some((next, narrower)) = narrowed(&mut dice, application, &token, &model) else { break };
                    (token, model) = (next, narrower);
                    let child = seen(&server.caller(&token), &places);
                    let should = expected(&model, &own_eyes);
                    assert_eq!(child.read, should.read, "{person} {model:?}");
                    assert_eq!(child.listed, should.listed, "{person} {model:?}");
                    assert_eq!(child.collections, should.collections, "{person} {model:?}");
                    let most = model.results_max.unwrap_or(usize::MAX);
                    match (&child.found, &should.found) {
                        (Some(found), Some(all)) if all.len() <= most => assert_eq!(found, all, "{person} {model:?}"),
                        (Some(found), Some(all)) => {
                            assert!(found.is_subset(all) && found.len() <= most, "{person} {model:?} {found:?}");
                        }
                        (found, all) => assert_eq!(found, all, "{person} {model:?}"),
                    }
                    // And whatever the model says: nothing of the child is outside of its parent.
                    assert!(child.read.is_subset(&parent.read) && child.collections.is_subset(&parent.collections));
                    let outside = |child: &Option<BTreeSet<String>>, parent: &Option<BTreeSet<String>>| {
                        child.as_ref().is_some_and(|child| !parent.as_ref().is_some_and(|all| child.is_subset(all)))
                    };
                    assert!(!outside(&child.listed, &parent.listed), "{model:?}");
                    let parent_is_whole = parent.found.as_ref().is_none_or(|found| found.len() < most);
                    assert!(!parent_is_whole || !outside(&child.found, &parent.found), "{model:?}");
                    parent = child;
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 30, "{compared}");
}
