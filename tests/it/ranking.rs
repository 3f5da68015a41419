//! Each user's ranking, scores included, equals that of a server that holds only what this user may read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    corpus,
    harness::{Answer, Caller, Server, document_path, is_deep},
    noninterference::difference,
    oracle::Dice,
};

const USERS: usize = 6;
const GROUPS: [&str; 5] = ["g0", "g1", "g2", "g3", "g4"];

/// A document and the groups that may read it.
struct Planned {
    line: Value,
    groups: BTreeSet<&'static str>,
}

fn corpus(dice: &mut Dice) -> Vec<Planned> {
    let paragraphs = corpus::paragraphs();
    let document = |(number, parts): (usize, &[String])| {
        let groups: BTreeSet<&'static str> = (0..=dice.roll(3)).map(|_| GROUPS[dice.roll(GROUPS.len())]).collect();
        let allow: Vec<String> = groups.iter().map(|group| format!("group:{group}")).collect();
        let line = json!({"id": format!("d{number}"), "text": parts.join("\n\n"), "acl": {"allow": allow}});
        Planned { line, groups }
    };
    paragraphs.chunks(3).enumerate().map(document).collect()
}

/// A server that holds these documents, and its users.
fn server(documents: &[Value], groups_of: &[Vec<&str>]) -> (Server, Vec<Caller>) {
    let server = Server::start();
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.fill("handbook", documents);
    let user = |(number, groups): (usize, &Vec<&str>)| {
        let groups: Vec<String> = groups.iter().map(|group| format!("group:{group}")).collect();
        tenant.user_with(&format!("u{number}"), &json!({"groups": groups}))
    };
    let users = groups_of.iter().enumerate().map(user).collect();
    (server, users)
}

#[test]
fn each_ranking_equals_that_of_a_server_of_ones_own() {
    let mut dice = Dice(41);
    let documents = corpus(&mut dice);
    let groups_of: Vec<Vec<&str>> = (0..USERS)
        .map(|number| GROUPS.iter().copied().filter(|_| dice.roll(3) == 0).chain([GROUPS[number % 5]]).collect())
        .collect();
    let all: Vec<Value> = documents.iter().map(|document| document.line.clone()).collect();
    let (_shared, users) = server(&all, &groups_of);
    let queries: Vec<String> = (0..if is_deep() { 400 } else { 40 }).map(|_| corpus::phrase(&mut dice)).collect();
    let mut hits = 0;
    for (number, groups) in groups_of.iter().enumerate() {
        let readable = documents.iter().filter(|document| groups.iter().any(|group| document.groups.contains(group)));
        let mut own: Vec<Value> = readable.map(|document| document.line.clone()).collect();
        assert!(own.len() < documents.len(), "nothing is hidden from user {number}");
        // Another order of writing: ranking is a function of what is there, not of how it came.
        own.reverse();
        let (_own, own_users) = server(&own, &groups_of);
        for query in &queries {
            for mode in ["hybrid", "keyword", "vector"] {
                let form = json!({"query": query, "mode": mode, "top_k": 25});
                let shared = users[number].post("/v1/search", &form).expect(200);
                let alone = own_users[number].post("/v1/search", &form).expect(200);
                if let Some(difference) = difference(&shared, &alone) {
                    panic!("user {number}, {form}: {difference}");
                }
                hits += shared.json()["results"].as_array().map_or(0, Vec::len);
            }
        }
    }
    assert!(hits > queries.len() * USERS * 3, "only {hits} hits");
}

/// The indexes are derived anew at each start: what was deleted, replaced and moved before leaves no trace in an answer.
#[test]
fn a_restart_changes_no_answer() {
    let mut dice = Dice(43);
    let documents = corpus(&mut dice);
    let lines: Vec<Value> = documents.iter().map(|document| document.line.clone()).collect();
    let mut server = Server::start();
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.fill("handbook", &lines);
    for (number, line) in lines.iter().enumerate() {
        let path = document_path("handbook", &format!("d{number}"));
        match number % 4 {
            0 => drop(tenant.admin.delete(&path).expect(204)),
            1 => {
                drop(tenant.admin.put(&format!("{path}/acl"), &json!({"allow": ["group:g1", "group:g9"]})).expect(200));
            }
            2 => drop(
                tenant
                    .put(
                        "handbook",
                        &format!("d{number}"),
                        &json!({"text": line["text"], "acl": {"allow": ["everyone"]}}),
                    )
                    .expect(200),
            ),
            _ => {}
        }
    }
    let user = tenant.user("ann", &["group:g1"]);
    let forms: Vec<Value> = (0..60)
        .map(|number| {
            let mode = ["hybrid", "keyword", "vector"][number % 3];
            json!({"query": corpus::phrase(&mut dice), "mode": mode, "top_k": 30})
        })
        .collect();
    let ask = |user: &Caller| -> Vec<Answer> {
        let searches = forms.iter().map(|form| user.post("/v1/search", form).expect(200));
        searches.chain([user.get("/v1/collections/handbook/documents?limit=20").expect(200)]).collect()
    };
    let before = ask(&user);
    server.restart();
    let after = ask(&user.at(server.address()));
    for ((before, after), form) in before.iter().zip(&after).zip(&forms) {
        assert_eq!(difference(before, after), None, "{form}");
    }
}
