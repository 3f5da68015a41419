//! The directory against a model of it: lists of people and groups, and nothing clever.
//!
//! What a random sequence of requests answers and leaves behind is what the model says, and so is who reads what afterwards, also after a restart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{delete, get, id, patch, send};
use crate::{
    harness::{Caller, Server, Tenant, is_deep},
    oracle::Dice,
};

const NAMES: [&str; 4] = ["ann", "Ann", "bo", "cy"];
const GROUPS: [&str; 3] = ["x", "y", "z"];

struct Person {
    name: String,
    active: bool,
}

#[derive(Default)]
struct Model {
    people: BTreeMap<String, Person>,
    /// By id: the name and the ids of the members.
    groups: BTreeMap<String, (String, BTreeSet<String>)>,
    /// Names that were given up and not given anew.
    gone: BTreeSet<String>,
    /// Names of groups that were given up: what named the first means none of the next.
    lost: BTreeSet<String>,
    /// The documents that were granted to each group when it was made.
    of_groups: BTreeMap<String, String>,
    /// The documents that each present or former bearer of a name was granted by name, by the person's id.
    granted: BTreeMap<String, BTreeSet<String>>,
    documents: usize,
}

impl Model {
    fn is_taken(&self, name: &str, own: Option<&str>) -> bool {
        let same = |other: &Person| other.name.to_lowercase() == name.to_lowercase();
        self.people.iter().any(|(id, other)| Some(id.as_str()) != own && same(other))
    }

    fn forget(&mut self, id: &str) {
        for (_, members) in self.groups.values_mut() {
            members.remove(id);
        }
    }

    /// Whether somebody is in a group, directly or through others.
    fn is_in(&self, id: &str, group: &str, seen: &mut BTreeSet<String>) -> bool {
        if !seen.insert(group.to_owned()) {
            return false;
        }
        let Some((_, members)) = self.groups.get(group) else { return false };
        members.contains(id) || members.iter().any(|member| self.is_in(id, member, seen))
    }
}

struct Trial {
    tenant: Tenant,
    model: Model,
    dice: Dice,
}

impl Trial {
    fn pick<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { Some(all[self.dice.roll(all.len())].clone()) }
    }

    fn admin(&self) -> Caller {
        self.tenant.admin.clone()
    }

    fn person(&mut self) -> Option<String> {
        let ids: Vec<_> = self.model.people.keys().cloned().collect();
        self.pick(&ids)
    }

    fn group(&mut self) -> Option<String> {
        let ids: Vec<_> = self.model.groups.keys().cloned().collect();
        self.pick(&ids)
    }

    fn step(&mut self) {
        match self.dice.roll(9) {
            0 | 1 => self.create_person(),
            2 => self.rename_person(),
            3 => self.switch_person(),
            4 => self.delete_person(),
            5 => self.create_group(),
            6 => self.change_members(),
            7 => self.delete_group(),
            _ => self.grant(),
        }
    }

    fn create_person(&mut self) {
        let name = NAMES[self.dice.roll(NAMES.len())];
        let answer = send(&self.admin(), "POST", "/Users", &json!({"userName": name}));
        if self.model.is_taken(name, None) {
            answer.expect(409);
            return;
        }
        self.model.gone.remove(name);
        self.model.people.insert(id(&answer.expect(201)), Person { name: name.to_owned(), active: true });
    }

    fn rename_person(&mut self) {
        let Some(id) = self.person() else { return };
        let name = NAMES[self.dice.roll(NAMES.len())];
        let operations = json!([{"op": "replace", "path": "userName", "value": name}]);
        let answer = patch(&self.admin(), &format!("/Users/{id}"), &operations);
        if self.model.is_taken(name, Some(&id)) {
            answer.expect(409);
            return;
        }
        answer.expect(200);
        let person = self.model.people.get_mut(&id).expect("it was picked");
        if person.name != name {
            let before = std::mem::replace(&mut person.name, name.to_owned());
            self.model.gone.remove(name);
            self.model.gone.insert(before);
            // What was granted to the name stays with the name.
            self.model.granted.remove(&id);
        }
    }

    fn switch_person(&mut self) {
        let Some(id) = self.person() else { return };
        let active = self.dice.roll(2) == 0;
        let operations = json!([{"op": "Replace", "value": {"active": if active { "True" } else { "False" }}}]);
        patch(&self.admin(), &format!("/Users/{id}"), &operations).expect(200);
        self.model.people.get_mut(&id).expect("it was picked").active = active;
    }

    fn delete_person(&mut self) {
        let Some(id) = self.person() else { return };
        delete(&self.admin(), &format!("/Users/{id}")).expect(204);
        delete(&self.admin(), &format!("/Users/{id}")).expect(404);
        let person = self.model.people.remove(&id).expect("it was picked");
        self.model.gone.insert(person.name);
        self.model.granted.remove(&id);
        self.model.forget(&id);
    }

    fn members(&mut self) -> BTreeSet<String> {
        let people = (0..self.dice.roll(3)).filter_map(|_| self.person()).collect::<Vec<_>>();
        let groups = (0..self.dice.roll(2)).filter_map(|_| self.group()).collect::<Vec<_>>();
        people.into_iter().chain(groups).collect()
    }

    fn create_group(&mut self) {
        let name = GROUPS[self.dice.roll(GROUPS.len())];
        let members = self.members();
        let values: Vec<_> = members.iter().map(|id| json!({"value": id})).collect();
        let answer = send(&self.admin(), "POST", "/Groups", &json!({"displayName": name, "members": values}));
        if self.model.groups.values().any(|(other, _)| other == name) {
            answer.expect(409);
            return;
        }
        let id = id(&answer.expect(201));
        let document = format!("of-{}", self.model.documents);
        self.model.documents += 1;
        let text = format!("granted to this group {}", self.model.documents);
        self.tenant.text("handbook", &document, &text, &[&format!("group:{name}")]);
        self.model.of_groups.insert(id.clone(), document);
        self.model.groups.insert(id, (name.to_owned(), members));
    }

    fn change_members(&mut self) {
        let Some(group) = self.group() else { return };
        let changed = self.members();
        let values: Vec<_> = changed.iter().map(|id| json!({"value": id})).collect();
        let path = format!("/Groups/{group}");
        let adds = self.dice.roll(2) == 0;
        let operations = if adds {
            json!([{"op": "Add", "path": "members", "value": values}])
        } else {
            let one = |id: &String| json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")});
            changed.iter().map(one).collect::<Vec<_>>().into()
        };
        if operations == json!([]) {
            return;
        }
        patch(&self.admin(), &path, &operations).expect(204);
        let (_, members) = self.model.groups.get_mut(&group).expect("it was picked");
        if adds {
            members.extend(changed);
        } else {
            members.retain(|member| !changed.contains(member));
        }
    }

    fn delete_group(&mut self) {
        let Some(group) = self.group() else { return };
        delete(&self.admin(), &format!("/Groups/{group}")).expect(204);
        let (name, _) = self.model.groups.remove(&group).expect("it was picked");
        self.model.lost.insert(name);
        self.model.forget(&group);
    }

    /// A document for one person by name.
    fn grant(&mut self) {
        let Some(id) = self.person() else { return };
        let name = self.model.people[&id].name.clone();
        let document = format!("by-name-{}", self.model.documents);
        self.model.documents += 1;
        // Of passages that say the same, only one is found.
        let text = format!("granted to somebody {}", self.model.documents);
        self.tenant.text("handbook", &document, &text, &[&format!("user:{name}")]);
        self.model.granted.entry(id).or_default().insert(document);
    }

    fn check(&self, caller: &Caller) {
        let listed = |path: &str| {
            let answer = get(caller, &format!("{path}?count=500")).expect(200).json();
            answer["Resources"].as_array().unwrap().clone()
        };
        let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
        let people: BTreeMap<String, (String, bool)> = listed("/Users")
            .iter()
            .map(|user| (text(user, "id"), (text(user, "userName"), user["active"].as_bool().unwrap())))
            .collect();
        let expected =
            self.model.people.iter().map(|(id, person)| (id.clone(), (person.name.clone(), person.active))).collect();
        assert_eq!(people, expected);
        let groups: BTreeMap<String, (String, BTreeSet<String>)> = listed("/Groups")
            .iter()
            .map(|group| {
                let members = group["members"].as_array().into_iter().flatten();
                (text(group, "id"), (text(group, "displayName"), members.map(|member| text(member, "value")).collect()))
            })
            .collect();
        assert_eq!(groups, self.model.groups);
    }

    /// Who reads what, asked by a program that may name anybody.
    fn check_reading(&self, bot: &Caller) {
        for name in NAMES {
            let person = self.model.people.iter().find(|(_, person)| person.name == name);
            let caller = bot.acting_as(&format!("user:{name}"));
            let Some((id, person)) = person else {
                let status = caller.get("/v1/collections").status;
                assert_eq!(status, if self.model.gone.contains(name) { 401 } else { 200 }, "{name}");
                continue;
            };
            if !person.active {
                caller.get("/v1/collections").expect(401);
                continue;
            }
            let mut expected: BTreeSet<String> = self.model.granted.get(id).cloned().unwrap_or_default();
            for (group, (name, _)) in &self.model.groups {
                if self.model.is_in(id, group, &mut BTreeSet::new()) {
                    expected.insert(self.model.of_groups[group].clone());
                    if !self.model.lost.contains(name) {
                        expected.insert(format!("for-{name}"));
                    }
                }
            }
            let found: BTreeSet<String> = caller.found("granted").into_iter().collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}

#[test]
fn the_directory_does_what_its_model_does() {
    for seed in 1..=(if is_deep() { 200 } else { 6 }) {
        let mut server = Server::start();
        let tenant = server.tenant("acme");
        tenant.collection("handbook", &json!({}));
        for group in GROUPS {
            tenant.text(
                "handbook",
                &format!("for-{group}"),
                &format!("granted to the group {group}"),
                &[&format!("group:{group}")],
            );
        }
        let bot = tenant.service("bot", &["search", "read", "assert"]);
        let mut trial = Trial { tenant, model: Model::default(), dice: Dice(seed) };
        for _ in 0..60 {
            trial.step();
            trial.check_reading(&bot);
        }
        trial.check(&trial.tenant.admin);
        server.restart();
        trial.check(&trial.tenant.admin.at(server.address()));
        trial.check_reading(&bot.at(server.address()));
    }
}
