//! What the asker says to both worlds, drawn from a seed: every route they have, in every form, right and wrong.

use serde_json::{Value, json};

use super::plan::{Asker, HIDDEN_WORD, Hidden, Plan, Planned, acl, document, rule, vector};
use crate::{corpus, harness::document_path, oracle::Dice};

/// What draws a step of one kind.
type Draw<'p> = fn(&mut Transcript<'p>) -> Step;

/// One step of a transcript.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A request to both worlds.
    Ask(Ask),
    /// A listing, page by page, with the cursors that the worlds give.
    Pages { path: String },
    /// Something that happens in world B alone, out of the asker's sight.
    Behind(Change),
}

/// A request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) media_type: Option<&'static str>,
    pub(crate) body: Option<String>,
    /// Whether to demand the newest revision that this world has told.
    pub(crate) demands_revision: bool,
    /// Another header.
    pub(crate) header: Option<(&'static str, String)>,
}

/// A change of what is hidden.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Put(Planned),
    Delete { collection: &'static str, id: String },
    Group { name: String, member: String },
    User { name: String, is_gone: bool },
    Search { query: String },
}

/// Draws the steps of a transcript one after the other.
pub(crate) struct Transcript<'p> {
    dice: Dice,
    plan: &'p Plan,
    /// Ids of every kind, with their collections.
    known: Vec<(&'static str, String)>,
    hidden: Vec<&'p Planned>,
}

impl<'p> Transcript<'p> {
    pub(crate) fn new(seed: u64, plan: &'p Plan) -> Self {
        let mut known: Vec<(&'static str, String)> =
            plan.visible.iter().map(|document| (document.collection, document.id.clone())).collect();
        let mut hidden = Vec::new();
        for item in &plan.hidden {
            match item {
                Hidden::Document(document) => {
                    hidden.push(document);
                    known.push((document.collection, document.id.clone()));
                }
                Hidden::Deleted(document) => known.push((document.collection, document.id.clone())),
                Hidden::Refused { collection, id, .. } => known.push((collection, id.clone())),
                _ => {}
            }
        }
        known.extend((0..20).map(|number| ("handbook", format!("nope{number}"))));
        Self { dice: Dice(seed ^ 0x7A11), plan, known, hidden }
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.dice.roll(sides)
    }

    fn any<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.roll(from.len())]
    }

    /// The next step.
    pub(crate) fn next(&mut self) -> Step {
        let writes = matches!(self.plan.asker, Asker::User | Asker::Limited | Asker::Asserted | Asker::Writer);
        let weights: [(usize, Draw<'p>); 6] = match self.plan.asker {
            Asker::Writer => [
                (5, Self::search),
                (10, Self::read),
                (3, Self::pages),
                (10, Self::wrong),
                (70, Self::write),
                (10, Self::behind),
            ],
            _ => [
                (52, Self::search),
                (14, Self::read),
                (5, Self::pages),
                (8, Self::wrong),
                (if writes { 10 } else { 1 }, Self::write),
                (8, Self::behind),
            ],
        };
        let mut roll = self.roll(weights.iter().map(|(weight, _)| weight).sum());
        for (weight, step) in weights {
            if roll < weight {
                return step(self);
            }
            roll -= weight;
        }
        unreachable!("the roll is under the sum")
    }

    fn search(&mut self) -> Step {
        let mut query = corpus::phrase(&mut self.dice);
        if self.roll(6) == 0 {
            query = format!("{query} {HIDDEN_WORD}");
        }
        match self.roll(8) {
            0 => query = format!("\"{query}\""),
            1 => query = query.split_inclusive(' ').rev().map(|word| format!("\"{}\" ", word.trim())).collect(),
            2 => query = format!("{}*", query.chars().take(3 + self.dice.roll(12)).collect::<String>()),
            _ => {}
        }
        let mut form = json!({"query": query, "mode": self.any(&["hybrid", "hybrid", "keyword", "vector"])});
        form["format"] =
            self.any(&["none", "json", "delimited", "datamarked", "encoded", "anthropic", "openai"]).into();
        if self.roll(2) == 0 {
            form["top_k"] = [1, 3, 8, 20, 100][self.roll(5)].into();
        }
        match self.roll(8) {
            0 => form["filter"] = json!({"metadata.lang": "en"}),
            1 => {
                form["filter"] =
                    json!({"metadata.year": {"gte": 2020 + self.roll(7)}, "metadata.lang": {"in": ["de"]}});
            }
            2 => form["max_tokens"] = (20 + self.roll(600)).into(),
            3 => form["max_per_document"] = (1 + self.roll(3)).into(),
            4 => form["min_trust"] = self.any(&["untrusted", "internal", "curated"]).into(),
            _ => {}
        }
        match self.roll(10) {
            0 => form["prefix"] = true.into(),
            1 => form["min_score"] = [0.0, 0.2, 0.5, 1.0][self.roll(4)].into(),
            2 => form["diversity"] = [0.0, 0.3, 0.8, 1.0][self.roll(4)].into(),
            3 => form["collapse_duplicates"] = true.into(),
            _ => {}
        }
        if self.roll(4) == 0 {
            let all = ["handbook", "wiki", "flags", "review", "vectors", "closed", "hidden0", "absent"];
            let some: Vec<&str> = (0..=self.roll(3)).map(|_| self.any(&all)).collect();
            form["collections"] = json!(some);
        }
        if self.roll(3) == 0 {
            form["vector"] = vector(&mut self.dice);
        }
        if self.roll(12) == 0 {
            form["signed"] = true.into();
        }
        let mut ask = Ask::json("POST", "/v1/search".to_owned(), &form);
        ask.demands_revision = self.roll(10) == 0;
        Step::Ask(ask)
    }

    /// A document of any kind; every second time one that the asker reads, unless they have changed it.
    fn known(&mut self) -> (&'static str, String) {
        let readable = self.plan.visible.len();
        let among = if readable > 0 && self.roll(2) == 0 { readable } else { self.known.len() };
        self.known[self.dice.roll(among)].clone()
    }

    fn read(&mut self) -> Step {
        let (collection, id) = self.known();
        let path = match self.roll(12) {
            0 => "/v1/collections".to_owned(),
            1 => format!("/v1/collections/{}", self.any(&["handbook", "wiki", "closed", "hidden1", "absent"])),
            2 => document_path(self.any(&["closed", "hidden0", "absent"]), "d1"),
            3 => return self.simulate(),
            _ => document_path(collection, &id),
        };
        Step::Ask(Ask { method: "GET", path, demands_revision: self.roll(10) == 0, ..Ask::default() })
    }

    /// What another ACL would open and close. Whom to look at is named: the directory is not a document, and is seen whole by who may change it.
    fn simulate(&mut self) -> Step {
        let (collection, id) = self.known();
        let acl = acl(&rule(&mut self.dice));
        let principals = ["user:ann", "user:kim", "group:eng", "group:staff", "group:board", "everyone"];
        let form = json!({"collection": collection, "document_id": id, "acl": acl, "principals": principals});
        Step::Ask(Ask::json("POST", "/v1/acl:simulate".to_owned(), &form))
    }

    fn pages(&mut self) -> Step {
        let limit = [1, 2, 5, 50][self.roll(4)];
        let collection = self.any(&["handbook", "handbook", "wiki", "flags", "vectors", "review", "closed", "absent"]);
        let path = match self.roll(5) {
            0 => format!("/v1/collections?limit={limit}"),
            _ => format!("/v1/collections/{collection}/documents?limit={limit}"),
        };
        Step::Pages { path }
    }

    fn wrong(&mut self) -> Step {
        let (collection, id) = self.known();
        let path = document_path(collection, &id);
        let search = |form: &Value| Ask::json("POST", "/v1/search".to_owned(), form);
        let plain = |method: &'static str, path: String| Ask { method, path, ..Ask::default() };
        if self.roll(6) == 0 {
            return Step::Ask(self.directory());
        }
        Step::Ask(match self.roll(24) {
            0 => search(&json!({"query": ""})),
            1 => search(&json!({"query": "x", "tenant": "alpha"})),
            2 => search(&json!({"query": "x".repeat(9_000)})),
            3 => search(&json!({"query": "x", "top_k": 101, "filter": {"acl": 1}})),
            4 => search(&json!({"query": "x", "vector": [1, 2]})),
            5 => Ask { body: Some("{\"query\": \"x\"".to_owned()), ..search(&Value::Null) },
            6 => plain("PATCH", path),
            7 => plain("GET", format!("/v1/collections/{collection}/documents?cursor=AAAA")),
            8 => plain("GET", format!("/v1/collections/{collection}/documents?limit=0")),
            9 => plain("GET", "/v1/keys".to_owned()),
            10 => plain("GET", "/v1/tenants".to_owned()),
            11 => Ask { header: Some(("ringfence-min-revision", "AAAAAAAA".to_owned())), ..plain("GET", path) },
            13 => plain("GET", "/v1/quarantine".to_owned()),
            14 => plain("GET", format!("/v1/quarantine/{collection}/{id}")),
            15 => Ask::json(
                "POST",
                format!("/v1/quarantine/{collection}/{id}/release"),
                &json!({"content_hash": "blake3:00"}),
            ),
            16 => Ask::json("POST", "/v1/reprocess".to_owned(), &json!({"dry_run": true})),
            19 => plain("GET", "/v1/policies".to_owned()),
            20 => plain("GET", format!("/v1/policies/{}", self.any(&["sealed", "absent"]))),
            21 => Ask::json("POST", "/v1/policies:simulate".to_owned(), &json!({"name": "sealed", "delete": true})),
            22 => Ask::json(
                "POST",
                "/v1/policies:test".to_owned(),
                &json!({"tests": "user:ann read collection/handbook/d1"}),
            ),
            12 => Ask { header: Some(("if-none-match", "*".to_owned())), ..plain("GET", path) },
            17 => plain("GET", "/v1/revocations".to_owned()),
            18 => Ask {
                media_type: Some("application/x-www-form-urlencoded"),
                body: Some(format!("grant_type=x&subject_token={id}&collections={collection}")),
                ..plain("POST", "/oauth/token".to_owned())
            },
            _ => plain("GET", format!("{path}/history")),
        })
    }

    /// The directory, for which most askers have no right. Those with the scope `acl` see it as it is, so they ask for what is not there.
    fn directory(&mut self) -> Ask {
        let sees_it = matches!(self.plan.asker, Asker::User | Asker::Limited);
        let absent = ["/scim/v2/Users/0123456789abcdef", "/scim/v2/Groups/0123456789abcdef", "/scim/v2/Nothing"];
        let lists = ["/scim/v2/Users", "/scim/v2/Groups", "/scim/v2/Schemas", "/v1/attributes", "/v1/directory"];
        let path = if sees_it || self.roll(2) == 0 { self.any(&absent) } else { self.any(&lists) }.to_owned();
        match self.roll(4) {
            0 => Ask { method: "DELETE", path: absent[self.roll(2)].to_owned(), ..Ask::default() },
            1 => {
                let patch = json!({"Operations": [{"op": "replace", "path": "active", "value": false}]});
                Ask::json("PATCH", absent[0].to_owned(), &patch)
            }
            2 => Ask::json("POST", "/scim/v2/Users".to_owned(), &json!({"title": "without a name"})),
            _ => Ask { method: "GET", path, ..Ask::default() },
        }
    }

    fn write(&mut self) -> Step {
        let (collection, id) = self.known();
        // What the asker takes over must not be changed behind their back: that would be a change of what they see.
        let is_behind = id.starts_with('b');
        let id = if is_behind || self.roll(3) == 0 { format!("w{}", self.roll(30)) } else { id };
        let rule = rule(&mut self.dice);
        let path = document_path(collection, &id);
        Step::Ask(match self.roll(8) {
            0 | 1 => Ask { method: "DELETE", path, ..Ask::default() },
            // A service that reads nothing sets no ACLs: it has no scope for it.
            2 => Ask::json("PUT", format!("{path}/acl"), &acl(&rule)),
            3 => {
                let lines = (0..1 + self.roll(3)).map(|number| {
                    let mut line = document(&mut self.dice, collection, &id, &rule, false).form;
                    line["id"] = format!("{id}-{number}").into();
                    format!("{line}\n")
                });
                let body = lines.collect::<String>();
                let path = format!("/v1/collections/{collection}/documents:batch");
                Ask {
                    method: "POST",
                    path,
                    media_type: Some("application/x-ndjson"),
                    body: Some(body),
                    ..Ask::default()
                }
            }
            4 => Ask::json("PUT", path, &json!({"text": "no ACL is given here"})),
            5 => Ask::json("PUT", document_path("hidden0", &id), &json!({"text": "x", "acl": {"allow": ["everyone"]}})),
            _ => Ask::json("PUT", path, &document(&mut self.dice, collection, &id, &rule, false).form),
        })
    }

    fn behind(&mut self) -> Step {
        if self.hidden.is_empty() {
            return self.search();
        }
        let Planned { collection, form, .. } = self.hidden[self.dice.roll(self.hidden.len())].clone();
        Step::Behind(match self.roll(6) {
            // Under an id of its own: the asker may have taken the old one over by now.
            0 | 1 => {
                let id = format!("b{}", self.roll(60));
                self.known.push((collection, id.clone()));
                Change::Put(Planned { collection, id, form })
            }
            2 => Change::Delete { collection, id: format!("b{}", self.roll(60)) },
            5 => Change::User { name: format!("person{}", self.roll(9)), is_gone: self.roll(2) == 0 },
            3 => {
                Change::Group { name: format!("secret{}", self.roll(9)), member: format!("user:x{}", self.roll(1_000)) }
            }
            _ => Change::Search { query: corpus::phrase(&mut self.dice) },
        })
    }
}

impl Ask {
    fn json(method: &'static str, path: String, body: &Value) -> Self {
        let body = Some(body.to_string());
        Self { method, path, media_type: Some("application/json"), body, ..Self::default() }
    }
}
