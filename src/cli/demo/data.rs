//! The demo's two companies and its script, as they lie in the binary.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Everything under `assets/demo`, by path; `build.rs` makes the list.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/demo_files.rs"));

/// The folders of the tenants.
const TENANTS: [&str; 2] = ["acme", "globex"];

/// One company.
#[derive(Debug)]
pub(super) struct DemoTenant {
    pub(super) about: About,
    pub(super) documents: Vec<Document>,
}

/// `tenant.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) groups: Vec<Group>,
    pub(super) people: Vec<Person>,
    pub(super) collections: Vec<Collection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) members: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Person {
    pub(super) principal: String,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) attributes: Map<String, Value>,
}

/// A collection: its name, and its settings as they are sent.
#[derive(Debug, Deserialize)]
pub(super) struct Collection {
    pub(super) name: String,
    pub(super) writers: Vec<String>,
    #[serde(flatten)]
    pub(super) settings: Map<String, Value>,
}

/// An entry of `manifest.json` with the file it names.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) entry: Entry,
    pub(super) bytes: &'static [u8],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) collection: String,
    pub(super) id: String,
    pub(super) file: String,
    pub(super) media_type: String,
    pub(super) title: String,
    pub(super) uri: String,
    pub(super) metadata: Map<String, Value>,
    pub(super) acl: Option<Value>,
}

/// A question of the script and what must hold of its answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    pub(super) id: String,
    #[expect(dead_code, reason = "for people who read the file: a person belongs to one tenant")]
    tenants: Vec<String>,
    pub(super) question: String,
    pub(super) people: Vec<String>,
    pub(super) shows: String,
    pub(super) expect_first: BTreeMap<String, String>,
    pub(super) must_not_see: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) must_not_contain: Vec<String>,
    pub(super) change: Option<Removal>,
    pub(super) after: Option<After>,
}

/// Somebody is taken out of a group.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    pub(super) group: String,
    pub(super) remove_member: String,
}

/// What must hold from then on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    pub(super) must_not_see: BTreeMap<String, Vec<String>>,
}

/// The companies.
pub(super) fn tenants() -> Vec<DemoTenant> {
    TENANTS.iter().map(|folder| tenant(folder)).collect()
}

/// The script.
pub(super) fn questions() -> Vec<Question> {
    parse("questions.json")
}

fn tenant(folder: &str) -> DemoTenant {
    let entries: Vec<Entry> = parse(&format!("{folder}/manifest.json"));
    let documents =
        entries.into_iter().map(|entry| Document { bytes: bytes(&format!("{folder}/{}", entry.file)), entry });
    DemoTenant { about: parse(&format!("{folder}/tenant.json")), documents: documents.collect() }
}

fn parse<T: DeserializeOwned>(path: &str) -> T {
    serde_json::from_slice(bytes(path)).unwrap_or_else(|error| panic!("`{path}` of the demo does not parse: {error}"))
}

/// A file of the demo. A test reads them all, so that a missing one is found before it is released.
fn bytes(path: &str) -> &'static [u8] {
    let file = FILES.iter().find(|(name, _)| *name == path);
    file.unwrap_or_else(|| panic!("the demo has no `{path}`")).1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everything_is_there_and_hangs_together() {
        let tenants = tenants();
        let people: BTreeSet<&str> =
            tenants.iter().flat_map(|tenant| &tenant.about.people).map(|person| person.principal.as_str()).collect();
        let documents: BTreeSet<&str> =
            tenants.iter().flat_map(|tenant| &tenant.documents).map(|document| document.entry.id.as_str()).collect();
        for question in questions() {
            assert!(question.people.iter().all(|person| people.contains(person.as_str())), "{}", question.id);
            let named = question.expect_first.values().chain(question.must_not_see.values().flatten());
            assert!(named.into_iter().all(|document| documents.contains(document.as_str())), "{}", question.id);
            assert!(question.expect_first.keys().all(|person| question.people.contains(person)), "{}", question.id);
        }
        assert!((60..=120).contains(&tenants.iter().map(|tenant| tenant.documents.len()).sum::<usize>()));
    }

    #[test]
    fn no_file_lies_about_unused() {
        let used: BTreeSet<String> = TENANTS
            .iter()
            .flat_map(|folder| {
                tenant(folder).documents.into_iter().map(move |document| format!("{folder}/{}", document.entry.file))
            })
            .collect();
        let is_other = |name: &str| name.ends_with(".json") || name == "README.md";
        let unused: Vec<&str> =
            FILES.iter().map(|(name, _)| *name).filter(|name| !is_other(name) && !used.contains(*name)).collect();
        assert!(unused.is_empty(), "{unused:?}");
    }
}
