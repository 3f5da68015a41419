//! What one connection asked for and what was acknowledged, and whether the server agrees afterwards.

use std::{collections::BTreeMap, io, sync::mpsc::Sender};

use serde_json::{Value, json};

use crate::{
    corpus,
    harness::{Caller, Tenant, document_path},
    oracle::Dice,
};

const DOCUMENTS: usize = 10;
/// After the documents, one more thing that is written: who is in the connection's group.
const MEMBERSHIP: usize = DOCUMENTS;
const AUDIENCES: [&str; 2] = ["user:ann", "user:bob"];

/// Somebody of each audience, and the one who is put into groups.
pub(super) struct Readers {
    pub(super) people: [Caller; 2],
    pub(super) member: Caller,
}

/// A document as it should be: its version and who may read it; `None` is absent. Of a group, whether it has its member.
type State = Option<(usize, usize)>;

#[derive(Debug, Default)]
struct Entry {
    certain: State,
    /// Asked for and not answered.
    asked: Option<State>,
}

pub(super) struct Journal {
    connection: usize,
    dice: Dice,
    version: usize,
    documents: Vec<Entry>,
    /// Acknowledged writes by action and document.
    acknowledged: BTreeMap<(&'static str, usize), usize>,
    unanswered: usize,
}

/// One thing to ask for, and the states it leads to.
struct Ask {
    action: &'static str,
    method: &'static str,
    path: String,
    media_type: &'static str,
    body: String,
    states: Vec<(usize, State)>,
}

impl Journal {
    pub(super) fn new(connection: usize) -> Self {
        let documents = (0..=MEMBERSHIP).map(|_| Entry::default()).collect();
        let dice = Dice(u64::try_from(connection).expect("small") + 100);
        Self { connection, dice, version: 0, documents, acknowledged: BTreeMap::new(), unanswered: 0 }
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.values().sum()
    }

    pub(super) const fn unanswered(&self) -> usize {
        self.unanswered
    }

    fn id(&self, document: usize) -> String {
        format!("k{}q{document}z", self.connection)
    }

    /// A word that only this version of this document has.
    fn word(&self, document: usize, version: usize) -> String {
        format!("w{}x{document}x{version}w", self.connection)
    }

    /// Makes the document that the members of the connection's group may read.
    pub(super) fn furnish(&self, tenant: &Tenant) {
        tenant.text("handbook", &self.grouped(), "for the group", &[&format!("group:{}", self.id(MEMBERSHIP))]);
    }

    fn grouped(&self) -> String {
        format!("grouped{}", self.connection)
    }

    fn form(&mut self, document: usize, version: usize, audience: usize) -> Value {
        let word = self.word(document, version);
        let parts: Vec<String> =
            (0..3).map(|_| format!("{}\n\nThis edition is {word}.", corpus::paragraph(&mut self.dice))).collect();
        json!({"text": parts.join("\n\n"), "acl": {"allow": [AUDIENCES[audience]]}})
    }

    /// Asks for one thing and waits for its answer. An error means that the server is gone.
    pub(super) fn write(&mut self, caller: &Caller, asked: &Sender<()>) -> io::Result<()> {
        let ask = self.draw();
        for (document, state) in &ask.states {
            self.documents[*document].asked = Some(*state);
        }
        self.unanswered += 1;
        // The receiver is gone once the kill is decided.
        let _told = asked.send(());
        let body = (!ask.body.is_empty()).then_some(ask.body.as_bytes());
        let media_type = (!ask.body.is_empty()).then_some(ask.media_type);
        let answer = caller.try_send(ask.method, &ask.path, media_type, &[], body)?;
        assert!(answer.status < 300, "{} {}: {} {}", ask.method, ask.path, answer.status, answer.text());
        if ask.media_type.ends_with("ndjson") {
            for line in answer.text().lines() {
                let line: Value = serde_json::from_str(line).map_err(|_| io::ErrorKind::UnexpectedEof)?;
                assert_eq!(line["status"], 200, "{line}");
            }
        }
        self.unanswered -= 1;
        for (document, state) in ask.states {
            self.documents[document] = Entry { certain: state, asked: None };
            *self.acknowledged.entry((ask.action, document)).or_default() += 1;
        }
        Ok(())
    }

    fn draw(&mut self) -> Ask {
        let document = self.dice.roll(DOCUMENTS);
        let audience = self.dice.roll(2);
        let path = document_path("handbook", &self.id(document));
        let json = "application/json";
        match (self.dice.roll(12), self.documents[document].certain) {
            (0 | 1, _) => {
                let states = vec![(document, None)];
                Ask { action: "document.delete", method: "DELETE", path, media_type: json, body: String::new(), states }
            }
            (2..=4, Some((version, _))) => {
                let body = json!({"allow": [AUDIENCES[audience]]}).to_string();
                let states = vec![(document, Some((version, audience)))];
                Ask {
                    action: "document.acl",
                    method: "PUT",
                    path: format!("{path}/acl"),
                    media_type: json,
                    body,
                    states,
                }
            }
            (5 | 6, _) => self.batch(document, audience),
            (10 | 11, _) => self.membership(),
            _ => {
                self.version += 1;
                let version = self.version;
                let body = self.form(document, version, audience).to_string();
                let states = vec![(document, Some((version, audience)))];
                Ask { action: "document.put", method: "PUT", path, media_type: json, body, states }
            }
        }
    }

    fn membership(&mut self) -> Ask {
        let path = format!("/v1/groups/{}", self.id(MEMBERSHIP));
        let (json, member) = ("application/json", "user:cat");
        let (present, absent) = (vec![(MEMBERSHIP, Some((0, 0)))], vec![(MEMBERSHIP, None)]);
        let put = |members: Value, states| {
            let body = json!({"members": members}).to_string();
            Ask { action: "group.put", method: "PUT", path: path.clone(), media_type: json, body, states }
        };
        match (self.documents[MEMBERSHIP].certain, self.dice.roll(2)) {
            (None, _) => put(json!(["user:dan", member]), present),
            (Some(_), 0) => put(json!(["user:dan"]), absent),
            (Some(_), _) => {
                let path = format!("{path}/members/{member}");
                let action = "group.member.remove";
                Ask { action, method: "DELETE", path, media_type: json, body: String::new(), states: absent }
            }
        }
    }

    fn batch(&mut self, first: usize, audience: usize) -> Ask {
        let mut ask = Ask {
            action: "document.put",
            method: "POST",
            path: "/v1/collections/handbook/documents:batch".to_owned(),
            media_type: "application/x-ndjson",
            body: String::new(),
            states: Vec::new(),
        };
        for document in (0..4).map(|step| (first + step) % DOCUMENTS) {
            self.version += 1;
            let version = self.version;
            let mut line = self.form(document, version, audience);
            line["id"] = self.id(document).into();
            ask.body.push_str(&format!("{line}\n"));
            ask.states.push((document, Some((version, audience))));
        }
        ask
    }

    /// Checks every document against the journal, and takes what is found for certain.
    pub(super) fn settle(&mut self, readers: &Readers, when: &str) {
        let is_member = readers.member.get(&document_path("handbook", &self.grouped())).status == 200;
        self.check(MEMBERSHIP, is_member.then_some((0, 0)), when);
        for document in 0..DOCUMENTS {
            let found = self.observe(readers, document, when);
            self.assert_search_agrees(readers, document, found, when);
            self.check(document, found, when);
        }
    }

    fn check(&mut self, place: usize, found: State, when: &str) {
        let entry = &self.documents[place];
        let is_known = found == entry.certain || Some(found) == entry.asked;
        assert!(is_known, "{when}: {} is {found:?}, should be {entry:?}", self.id(place));
        self.documents[place] = Entry { certain: found, asked: None };
    }

    fn observe(&self, readers: &Readers, document: usize, when: &str) -> State {
        let mut found = None;
        for (audience, person) in readers.people.iter().enumerate() {
            let answer = person.get(&document_path("handbook", &self.id(document)));
            if answer.status == 404 {
                continue;
            }
            let text = answer.expect(200).text();
            assert_eq!(found, None, "{when}: both audiences read {}", self.id(document));
            let opening = format!("w{}x{document}x", self.connection);
            let versions: Vec<usize> =
                text.split(&opening).skip(1).filter_map(|rest| rest.split('w').next()?.parse().ok()).collect();
            assert!(versions.len() >= 3, "{when}: not whole: {text}");
            assert!(versions.iter().all(|version| *version == versions[0]), "{when}: of several versions: {text}");
            found = Some((versions[0], audience));
        }
        found
    }

    /// The index holds what the store holds: the version that is read is the one that is found.
    fn assert_search_agrees(&self, readers: &Readers, document: usize, state: State, when: &str) {
        let Some((version, audience)) = state else { return };
        let form = json!({"query": self.word(document, version), "mode": "keyword", "top_k": 100});
        for (own, person) in readers.people.iter().enumerate() {
            let answer = person.search(&form);
            let ids: Vec<&str> = answer["results"]
                .as_array()
                .expect("results")
                .iter()
                .filter_map(|hit| hit["document_id"].as_str())
                .collect();
            let expected = own == audience;
            assert_eq!(!ids.is_empty(), expected, "{when}: {} in {answer}", self.id(document));
            assert!(ids.iter().all(|id| *id == self.id(document)), "{when}: {answer}");
        }
    }

    /// Every acknowledged write has at least one record.
    pub(super) fn assert_recorded(&self, records: &[Value]) {
        for ((action, document), acknowledged) in &self.acknowledged {
            let id = self.id(*document);
            let is_own = |record: &&Value| record["action"] == *action && record.to_string().contains(&id);
            let recorded = records.iter().filter(is_own).count();
            assert!(recorded >= *acknowledged, "{action} of {id}: {recorded} records for {acknowledged} answers");
        }
    }
}
