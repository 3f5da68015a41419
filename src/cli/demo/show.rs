//! The demo on a terminal: who there is, and the same question beside its different answers.

use comfy_table::{ColumnConstraint, Width};
use serde_json::{Value, json};

use super::{
    load::Loaded,
    story::{Answered, Hidden, Told},
};
use crate::cli::{
    output::{self, counted, excerpt, printable},
    search::labels,
};

/// How many hits of an answer are shown.
const HITS_SHOWN: usize = 2;
/// How much of a passage is quoted.
const QUOTE_CHARACTERS: usize = 150;
/// How many words are shown on each side of what was masked.
const WORDS_AROUND: usize = 6;

/// Who was loaded and who may ask.
pub(super) fn tenants(tenants: &[Loaded]) -> String {
    let mut lines = Vec::new();
    for tenant in tenants {
        let counts = &tenant.counts;
        let removed: Vec<String> =
            counts.removed.iter().map(|(kind, count)| format!("{count} {}", printable(kind))).collect();
        lines.push(format!(
            "{} ({}): {}, {}{}",
            tenant.name,
            tenant.id,
            counted(counts.documents, "document", "documents"),
            counted(counts.chunks, "passage", "passages"),
            if counts.quarantined > 0 { format!(", {} held back", counts.quarantined) } else { String::new() }
        ));
        if !removed.is_empty() {
            lines.push(format!("  taken out on the way in: {}", removed.join(", ")));
        }
    }
    lines.push("\nPeople and their keys".to_owned());
    for tenant in tenants {
        for asker in &tenant.people {
            let person = &asker.person;
            lines.push(format!(
                "  {} of {}: {}, {}\n    {}",
                person.principal, tenant.id, person.name, person.title, asker.key
            ));
        }
    }
    lines.join("\n")
}

/// A question with its answers side by side, and whether what must hold does.
pub(super) fn question(number: usize, told: &Told) -> String {
    let mut text =
        format!("\n{number}. {}\n   ({})\n{}", told.question, told.shows, answers(&told.question, &told.answers));
    if let Some((change, again)) = &told.after {
        text.push_str(&format!(
            "\n   Now {change}. The next search, the same question:\n{}",
            answers(&told.question, again)
        ));
    }
    text.push('\n');
    match told.broken.as_slice() {
        [] => text.push_str(&format!("   held: {}", counted(told.held, "expectation", "expectations"))),
        broken => text.push_str(&format!("   BROKEN: {}", broken.join("; "))),
    }
    text
}

fn answers(question: &str, answers: &[Answered]) -> String {
    let mut table = output::table(&["who asks", "is shown"]);
    for answered in answers {
        let hits = answered.answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
        let shown: Vec<String> =
            distinct(hits).take(HITS_SHOWN).enumerate().map(|(index, hit)| hit_words(question, hit, index)).collect();
        let shown = if shown.is_empty() { "nothing".to_owned() } else { shown.join("\n") };
        table.add_row([format!("{}\n{}", answered.person, answered.tenant), shown]);
    }
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(12)));
    }
    table.to_string()
}

/// The best hit of each document.
fn distinct(hits: &[Value]) -> impl Iterator<Item = &Value> {
    let place = |hit: &Value| (hit["collection"].to_string(), hit["document_id"].to_string());
    let mut seen = std::collections::BTreeSet::new();
    hits.iter().filter(move |hit| seen.insert(place(hit)))
}

/// A hit: its title, its place and its labels, and for the first one what it says.
fn hit_words(question: &str, hit: &Value, index: usize) -> String {
    let text = |field: &str| printable(hit[field].as_str().unwrap_or_default());
    let place = format!("{}/{}", text("collection"), text("document_id"));
    let mut words = format!("{}. {} [{place}] {}", index + 1, text("title"), labels(hit).join(", "));
    if index == 0 {
        let text = hit["text"].as_str().unwrap_or_default();
        words.push_str(&format!("\n“{}”", quote(question, text)));
        if let Some(masked) = masked(text) {
            words.push_str(&format!("\n“{masked}”"));
        }
    }
    words
}

/// The sentence of a passage that shares most words with the question: what a reader would look for.
fn quote(question: &str, text: &str) -> String {
    let words = |text: &str| -> std::collections::BTreeSet<String> {
        let words = text.split(|character: char| !character.is_alphanumeric()).filter(|word| word.len() > 3);
        // Crude stems are enough to find "rotated" with "rotate".
        words.map(|word| word.to_lowercase().chars().take(5).collect()).collect()
    };
    let asked = words(question);
    // Who asks "how often" or "how many" wants a number.
    let wants_number = question.to_lowercase().starts_with("how ");
    let worth = |sentence: &str| {
        let has_number = wants_number && sentence.contains(|character: char| character.is_ascii_digit());
        words(sentence).intersection(&asked).count() + usize::from(has_number)
    };
    let sentences = text.split('\n').flat_map(|line| line.split_inclusive(". "));
    // A heading repeats the title; only what ends like a sentence says something.
    let sentences = sentences.filter(|sentence| sentence.trim_end().ends_with(['.', '!', '?', ':']));
    let best = sentences.enumerate().max_by_key(|(index, sentence)| (worth(sentence), std::cmp::Reverse(*index)));
    let best = best.map_or(text, |(_, sentence)| sentence).replace("**", "");
    excerpt(best.trim_start_matches(['#', '-', '*', '>', ' ']), QUOTE_CHARACTERS)
}

/// The words around the first value that was masked on the way out.
fn masked(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| word.contains("[redacted:"))?;
    let around = &words[at.saturating_sub(WORDS_AROUND)..words.len().min(at + WORDS_AROUND + 1)];
    Some(format!("… {} …", printable(&around.join(" "))))
}

/// A hidden document beside one that never was.
pub(super) fn hidden(hidden: &Hidden) -> String {
    let line = |what: &str, (id, answer): &(String, crate::cli::client::Answer)| {
        format!("   {what} ({id}): {}\n     {}", answer.status.as_u16(), printable(&answer.text))
    };
    let verdict = if hidden.is_alike() {
        "   held: equal in every byte but the request's id"
    } else {
        "   BROKEN: the answers differ"
    };
    format!(
        "\n{} asks for a document that is hidden from them, and for one that never was\n{}\n{}\n{verdict}",
        hidden.person,
        line("hidden", &hidden.hidden),
        line("missing", &hidden.missing)
    )
}

/// A question for programs.
pub(super) fn question_json(told: &Told) -> Value {
    json!({
        "id": told.id, "question": told.question, "shows": told.shows, "answers": answers_json(&told.answers),
        "after": told.after.as_ref().map(|(change, answers)| json!({"change": change, "answers": answers_json(answers)})),
        "held": told.held, "broken": told.broken,
    })
}

fn answers_json(answers: &[Answered]) -> Vec<Value> {
    let one = |answered: &Answered| json!({"tenant": answered.tenant, "person": answered.person, "results": answered.answer["results"]});
    answers.iter().map(one).collect()
}

/// The companies for programs.
pub(super) fn tenants_json(tenants: &[Loaded]) -> Vec<Value> {
    let people = |tenant: &Loaded| -> Vec<Value> {
        tenant
            .people
            .iter()
            .map(|asker| json!({"principal": asker.person.principal, "name": asker.person.name, "key": asker.key}))
            .collect()
    };
    let one = |tenant: &Loaded| {
        let Loaded { id, name, counts, .. } = tenant;
        json!({
            "id": id, "name": name, "documents": counts.documents, "chunks": counts.chunks,
            "quarantined": counts.quarantined, "removed": counts.removed, "people": people(tenant),
        })
    };
    tenants.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quoted_sentence_is_the_one_that_answers() {
        let text = "# Signing keys\n\nThe platform team owns them. Keys are rotated every 90 days. Ask in the channel for help.";
        assert_eq!(quote("How often do we rotate the signing keys?", text), "Keys are rotated every 90 days.");
        assert_eq!(quote("?", "short"), "short");
    }

    #[test]
    fn what_was_masked_is_shown_in_its_place() {
        let text = "One two three four five six seven the key is [redacted:api-key] for now.";
        assert_eq!(masked(text).unwrap(), "… five six seven the key is [redacted:api-key] for now. …");
        assert_eq!(masked("nothing"), None);
    }

    #[test]
    fn an_answer_without_hits_is_shown_as_nothing() {
        let answered = Answered { tenant: "acme".into(), person: "user:dave".into(), answer: json!({"results": []}) };
        let text = answers("x", &[answered]);
        assert!(text.contains("user:dave") && text.contains("nothing"), "{text}");
    }
}
