//! The demo's questions: asked, answered, and checked against what must hold.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    data::{Question, Removal},
    load::{Asker, Loaded},
};
use crate::cli::{
    client::{Answer, Client},
    failure::Failure,
};

/// What one person was answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) tenant: String,
    pub(super) person: String,
    pub(super) answer: Value,
}

/// A question with its answers and what was found out about them.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) question: String,
    pub(super) shows: String,
    pub(super) answers: Vec<Answered>,
    /// After a change, where the script has one: what was done, and the answers to the same question.
    pub(super) after: Option<(String, Vec<Answered>)>,
    pub(super) held: u64,
    pub(super) broken: Vec<String>,
}

/// Asks one question of the script.
pub(super) async fn tell(tenants: &[Loaded], question: &Question) -> Result<Told, Failure> {
    let answers = ask_all(tenants, question).await?;
    let mut told = Told {
        id: question.id.clone(),
        question: question.question.clone(),
        shows: question.shows.clone(),
        answers,
        after: None,
        held: 0,
        broken: Vec::new(),
    };
    check_first(question, &mut told);
    check_absent(&question.must_not_see, &mut told, false);
    if let Some(change) = &question.change {
        let loader = loader_of(tenants, &change.remove_member)?;
        revoke(loader, change).await?;
        let again = ask_all(tenants, question).await;
        // Put back before anything else, so that a failed question leaves the companies as they were.
        restore(loader, change).await?;
        told.after = Some((format!("{} is taken out of group:{}", change.remove_member, change.group), again?));
        if let Some(after) = &question.after {
            check_absent(&after.must_not_see, &mut told, true);
        }
    }
    check_strings(&question.must_not_contain, &mut told);
    Ok(told)
}

async fn ask_all(tenants: &[Loaded], question: &Question) -> Result<Vec<Answered>, Failure> {
    let mut answers = Vec::new();
    for person in &question.people {
        let (tenant, asker) = find(tenants, person)?;
        let body = json!({"query": question.question, "format": "none"});
        let answer = asker.client.send(asker.client.request(Method::POST, &["v1", "search"]).json(&body)).await?;
        answers.push(Answered { tenant: tenant.id.clone(), person: person.clone(), answer });
    }
    Ok(answers)
}

/// A person of any tenant; each name is used in one.
fn find<'loaded>(tenants: &'loaded [Loaded], person: &str) -> Result<(&'loaded Loaded, &'loaded Asker), Failure> {
    let mut askers = tenants.iter().flat_map(|tenant| tenant.people.iter().map(move |asker| (tenant, asker)));
    askers
        .find(|(_, asker)| asker.person.principal == person)
        .ok_or_else(|| Failure::new(format!("the demo has nobody called {person}")))
}

fn loader_of<'loaded>(tenants: &'loaded [Loaded], person: &str) -> Result<&'loaded Client, Failure> {
    find(tenants, person).map(|(tenant, _)| &tenant.loader)
}

async fn revoke(loader: &Client, change: &Removal) -> Result<(), Failure> {
    let path = ["v1", "groups", &change.group, "members", &change.remove_member];
    loader.send(loader.request(Method::DELETE, &path)).await?;
    Ok(())
}

async fn restore(loader: &Client, change: &Removal) -> Result<(), Failure> {
    let path = ["v1", "groups", &change.group, "members"];
    let body = json!({"member": change.remove_member});
    loader.send(loader.request(Method::POST, &path).json(&body)).await?;
    Ok(())
}

fn check_first(question: &Question, told: &mut Told) {
    for (person, expected) in &question.expect_first {
        let answer = told.answers.iter().find(|answer| answer.person == *person);
        let first = answer.and_then(|answer| documents(&answer.answer).next()).unwrap_or("nothing").to_owned();
        told.note(first == *expected, || format!("{person} should find `{expected}` first and found `{first}`"));
    }
}

fn check_absent(absent: &std::collections::BTreeMap<String, Vec<String>>, told: &mut Told, is_after: bool) {
    for (person, hidden) in absent {
        for document in hidden {
            let answers = if is_after { told.after.as_ref().map(|(_, answers)| answers) } else { Some(&told.answers) };
            let answer = answers.and_then(|answers| answers.iter().find(|answer| answer.person == *person));
            // An answer that is not there proves nothing.
            let is_absent = answer.is_some_and(|answer| documents(&answer.answer).all(|found| found != document));
            told.note(is_absent, || format!("{person} must not see `{document}`"));
        }
    }
}

fn check_strings(forbidden: &[String], told: &mut Told) {
    for text in forbidden {
        let found = told.answers.iter().any(|answer| contains(&answer.answer, text));
        told.note(!found, || format!("an answer contains `{text}`"));
    }
}

impl Told {
    fn note(&mut self, holds: bool, broken: impl FnOnce() -> String) {
        if holds { self.held += 1 } else { self.broken.push(broken()) }
    }
}

/// The documents of an answer, best first.
pub(super) fn documents(answer: &Value) -> impl Iterator<Item = &str> {
    answer["results"].as_array().into_iter().flatten().filter_map(|hit| hit["document_id"].as_str())
}

/// Whether any text of an answer contains a string.
fn contains(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own.contains(text),
        Value::Array(items) => items.iter().any(|item| contains(item, text)),
        Value::Object(fields) => fields.values().any(|field| contains(field, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The answers to a document that is hidden and to one that never was.
#[derive(Debug)]
pub(super) struct Hidden {
    pub(super) person: String,
    pub(super) hidden: (String, Answer),
    pub(super) missing: (String, Answer),
}

impl Hidden {
    /// Whether nothing but the request's id tells them apart.
    pub(super) fn is_alike(&self) -> bool {
        let (hidden, missing) = (&self.hidden.1, &self.missing.1);
        let (Some(left), Some(right)) = (without_request_id(&hidden.text), without_request_id(&missing.text)) else {
            return false;
        };
        hidden.status.as_u16() == 404 && hidden.status == missing.status && left == right
    }
}

fn without_request_id(body: &str) -> Option<String> {
    let problem: Value = serde_json::from_str(body).ok()?;
    Some(body.replace(problem["request_id"].as_str()?, ""))
}

/// Asks for a hidden and for a missing document.
pub(super) async fn hidden_like_missing(
    tenants: &[Loaded],
    person: &str,
    collection: &str,
    hidden: &str,
) -> Result<Hidden, Failure> {
    let (_, asker) = find(tenants, person)?;
    let ask = async |id: &str| {
        let request = asker.client.request(Method::GET, &["v1", "collections", collection, "documents", id]);
        Ok::<_, Failure>((id.to_owned(), asker.client.send_raw(request).await?))
    };
    Ok(Hidden { person: person.to_owned(), hidden: ask(hidden).await?, missing: ask("never-written").await? })
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    fn told(documents: &[&str]) -> Told {
        let results: Vec<Value> = documents.iter().map(|id| json!({"document_id": id, "text": "a secret"})).collect();
        let answer = Answered { tenant: "acme".into(), person: "user:a".into(), answer: json!({"results": results}) };
        Told {
            id: String::new(),
            question: String::new(),
            shows: String::new(),
            answers: vec![answer],
            after: None,
            held: 0,
            broken: Vec::new(),
        }
    }

    fn absent(document: &str) -> std::collections::BTreeMap<String, Vec<String>> {
        [("user:a".to_owned(), vec![document.to_owned()])].into()
    }

    #[test]
    fn what_must_not_be_seen_is_looked_for_and_a_missing_answer_proves_nothing() {
        let mut story = told(&["x", "y"]);
        check_absent(&absent("z"), &mut story, false);
        check_absent(&absent("y"), &mut story, false);
        check_absent(&absent("z"), &mut story, true);
        check_absent(&[("user:b".to_owned(), vec!["z".to_owned()])].into(), &mut story, false);
        assert_eq!((story.held, story.broken.len()), (1, 3), "{:?}", story.broken);
        check_strings(&["nothing of it".to_owned(), "secret".to_owned()], &mut story);
        assert_eq!((story.held, story.broken.len()), (2, 4));
    }

    #[test]
    fn alike_is_every_byte_but_the_requests_id() {
        let answer =
            |text: &str| (String::new(), Answer { status: StatusCode::NOT_FOUND, date: None, text: text.to_owned() });
        let hidden = |hidden: &str, missing: &str| Hidden {
            person: String::new(),
            hidden: answer(hidden),
            missing: answer(missing),
        };
        let body =
            |id: &str, detail: &str| format!(r#"{{"code":"not_found","detail":"{detail}","request_id":"{id}"}}"#);
        assert!(hidden(&body("r1", "x"), &body("r2", "x")).is_alike());
        assert!(!hidden(&body("r1", "x"), &body("r2", "y")).is_alike());
        assert!(!hidden("", "").is_alike());
    }
}
