//! Reading in every way there is, and what an answer says.

use serde_json::json;

use super::{
    history::{Moment, Reading, Register, Saw, Way},
    world::{Cause, Race, World, lock},
};
use crate::harness::{Answer, Caller, document_path};

impl World {
    /// Reads and keeps what was seen; `looked_again` tells when the server was let go to its second look.
    pub(super) fn read(
        &self,
        race: &Race,
        way: Way,
        reader: (&Caller, Register),
        looked_again: impl FnOnce() -> Option<Moment>,
    ) -> Saw {
        let topic = self.races.iter().position(|own| std::ptr::eq(own, race)).expect("a race of this world");
        let demanded = lock(&self.last);
        let sent = self.history.tick();
        let answer = self.ask(race, way, reader.0, &demanded);
        let answered = self.history.tick();
        let credential = if way == Way::Explain { self.administrator } else { reader.1 };
        let saw = saw(&answer, way, &race.word);
        let text = answer.text();
        let sealed = text.split_once("\"revision\":\"").and_then(|(_, rest)| rest.split('"').next());
        let revision = sealed.filter(|_| answer.status == 200).and_then(|sealed| self.sealer.open_revision(sealed));
        self.history.read(Reading {
            topic,
            credential,
            way,
            sent,
            looked_again: looked_again(),
            answered,
            revision,
            saw,
        });
        saw
    }

    fn ask(&self, race: &Race, way: Way, reader: &Caller, demanded: &str) -> Answer {
        let list = format!("/v1/collections/{}/documents", race.collection);
        let query = |mode: &str| json!({"query": race.word, "mode": mode, "top_k": 50, "format": "none"}).to_string();
        let search = |mode: &str, headers: &[(&str, &str)]| {
            reader.send_with("POST", "/v1/search", Some("application/json"), headers, Some(query(mode).as_bytes()))
        };
        match way {
            Way::Get => reader.get(&document_path(race.collection, &race.word)),
            Way::List => reader.get(&format!("{list}?limit=500")),
            Way::Cursor => {
                let cursor = self.cursors.iter().find(|(collection, _)| *collection == race.collection);
                reader.get(&format!("{list}?limit=500&cursor={}", cursor.expect("each has one").1))
            }
            Way::Keyword => search("keyword", &[]),
            Way::Hybrid => search("hybrid", &[]),
            Way::Demand => search("keyword", &[("ringfence-min-revision", demanded)]),
            Way::Explain => {
                let person = if race.cause == Cause::User { "user:switched" } else { "user:reader" };
                let form = json!({"principal": person, "collection": race.collection, "document_id": race.word});
                reader.post("/v1/explain", &form)
            }
        }
    }

    /// The register of the credential with which a race is read now, in a way.
    pub(super) fn credential(&self, race: &Race, way: Way) -> Register {
        if way == Way::Explain { self.administrator } else { lock(&race.reader).1 }
    }

    /// Who reads a race now, in a way; with a connection of their own.
    pub(super) fn reader(&self, race: &Race, way: Way) -> (Caller, Register) {
        if way == Way::Explain { (self.tenant.admin.clone(), self.administrator) } else { lock(&race.reader) }
    }
}

/// What an answer says of the document of a word.
fn saw(answer: &Answer, way: Way, word: &str) -> Saw {
    let text = answer.text();
    match answer.status {
        200 => {}
        401 => return Saw::Refused,
        404 => return Saw::Nothing,
        412 => return Saw::NotReached,
        429 | 503 => return Saw::Unsettled,
        status => panic!("{status} {text}"),
    }
    match way {
        Way::List | Way::Cursor if text.contains(&format!("\"document_id\":\"{word}\"")) => Saw::Something,
        // The smallest change that would turn it round has a `readable` of its own.
        Way::Explain if answer.json()["readable"] == true => Saw::Something,
        Way::List | Way::Cursor | Way::Explain => Saw::Nothing,
        Way::Get | Way::Keyword | Way::Hybrid | Way::Demand => {
            let told = text.split_once(&format!("{word} is explained in edition "));
            let version = told.and_then(|(_, rest)| rest.split('.').next()?.parse().ok());
            version.map_or(Saw::Nothing, Saw::Text)
        }
    }
}
