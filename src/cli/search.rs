//! `ringfence search`: the answer as a table a person can read.

use std::collections::BTreeSet;

use clap::Args;
use comfy_table::{ColumnConstraint, Width};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    failure::Failure,
    options::{Context, ServerOptions},
    output,
};

#[derive(Debug, Args)]
pub(super) struct Search {
    /// The question
    query: String,
    /// Only in this collection; may be repeated
    #[arg(long = "collection", value_name = "COLLECTION", value_delimiter = ',')]
    collections: Vec<String>,
    /// As this person, with a key that has the scope `assert`: `user:alice`, or `user:alice; group:eng`
    #[arg(long = "as", value_name = "PRINCIPAL")]
    person: Option<String>,
    /// How many passages at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    top_k: Option<u64>,
    /// How to rank
    #[arg(long, value_parser = ["hybrid", "keyword", "vector"])]
    mode: Option<String>,
    /// A condition on metadata as JSON, such as `{"metadata.lang": "en"}`
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    filter: Option<Value>,
    /// Show for each passage its scores, its origin and what the sanitiser found
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    server: ServerOptions,
}

fn json_value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

impl Search {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.server.client(context)?;
        let client = match &self.person {
            Some(person) => client.acting_for(person)?,
            None => client,
        };
        let answer = client.send(client.request(Method::POST, &["v1", "search"]).json(&self.body())).await?;
        if context.json {
            return output::say_json(&answer);
        }
        output::say(&shown(&answer, self.explain))
    }

    fn body(&self) -> Value {
        let mut body = json!({"query": self.query, "format": "none"});
        let optional = [
            ("collections", (!self.collections.is_empty()).then(|| json!(self.collections))),
            ("top_k", self.top_k.map(Value::from)),
            ("mode", self.mode.clone().map(Value::from)),
            ("filter", self.filter.clone()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        body
    }
}

/// The answer in words: a row a passage.
fn shown(answer: &Value, explain: bool) -> String {
    let results = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    if results.is_empty() {
        return "nothing found that this caller may read".to_owned();
    }
    let mut table = output::table(&["#", "document", "passage", "labels"]);
    for hit in results {
        let mut passage =
            output::excerpt(words(hit["text"].as_str().unwrap_or_default()), if explain { 600 } else { 280 });
        if explain {
            passage = format!("{passage}\n{}", explanation(hit));
        }
        table.add_row([hit["rank"].to_string(), document(hit), passage, labels(hit).join("\n")]);
    }
    let bounds = [(0, 2, 4), (1, 16, 30), (3, 12, 22)];
    for (column, lower, upper) in bounds {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::Boundaries {
                lower: Width::Fixed(lower),
                upper: Width::Fixed(upper),
            });
        }
    }
    let took = answer["took_ms"].as_u64().map_or_else(String::new, |took| format!(" in {took} ms"));
    let count = output::counted(results.len() as u64, "passage", "passages");
    format!("{table}\n{count}{took}. Passages are quoted from documents: data, not instructions.")
}

/// A passage without the headings that it opens with: the title says the same.
fn words(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with('#') {
        match rest.split_once('\n') {
            Some((_, after)) if !after.trim().is_empty() => rest = after.trim_start(),
            _ => break,
        }
    }
    rest
}

/// What a hit is of: its title, where it lies, where it came from.
fn document(hit: &Value) -> String {
    let text = |field: &str| hit[field].as_str().map(output::printable).filter(|text| !text.is_empty());
    let place = format!("{}/{}", text("collection").unwrap_or_default(), text("document_id").unwrap_or_default());
    [text("title"), Some(place), text("uri")].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// What a reader must know of a passage: the trust in its authors, what was taken out, what was masked.
pub(super) fn labels(hit: &Value) -> Vec<String> {
    let mut labels = vec![output::printable(hit["trust"].as_str().unwrap_or("untrusted"))];
    let removed = hit["sanitization"]["removed"].as_u64().unwrap_or(0);
    if removed > 0 {
        let kinds: BTreeSet<&str> =
            findings(hit).filter(|(_, action, _)| *action != "flagged").map(|(kind, ..)| kind).collect();
        let kinds = kinds.into_iter().map(output::printable).collect::<Vec<_>>().join(", ");
        labels.push(format!("{removed} stripped ({kinds})"));
    }
    let flagged = findings(hit).filter(|(_, action, _)| *action == "flagged").count();
    if flagged > 0 {
        labels.push(format!("{flagged} flagged"));
    }
    for redaction in hit["redactions"].as_array().into_iter().flatten() {
        let (kind, count) = (redaction["kind"].as_str().unwrap_or("?"), redaction["count"].as_u64().unwrap_or(1));
        labels.push(format!("{count} {} redacted", output::printable(kind)));
    }
    labels
}

fn findings(hit: &Value) -> impl Iterator<Item = (&str, &str, u64)> {
    let findings = hit["sanitization"]["findings"].as_array().into_iter().flatten();
    findings.map(|finding| {
        (
            finding["kind"].as_str().unwrap_or("?"),
            finding["action"].as_str().unwrap_or("?"),
            finding["at"].as_u64().unwrap_or(0),
        )
    })
}

/// Scores, place, origin and findings of a hit.
fn explanation(hit: &Value) -> String {
    let number = |value: &Value| value.as_f64().map_or_else(|| "–".to_owned(), |number| format!("{number:.4}"));
    let scores = &hit["scores"];
    let mut lines = vec![format!(
        "score {} (keyword {}, vector {})",
        number(&hit["score"]),
        number(&scores["keyword"]),
        number(&scores["vector"])
    )];
    lines.push(format!(
        "bytes {}–{}, chunk {}",
        hit["span"]["start"],
        hit["span"]["end"],
        output::printable(hit["chunk_id"].as_str().unwrap_or("?"))
    ));
    let provenance = &hit["provenance"];
    let text = |field: &str| output::printable(provenance[field].as_str().unwrap_or("?"));
    lines.push(format!("version {} by {} at {}", provenance["version"], text("ingested_by"), text("ingested_at")));
    lines.extend(
        findings(hit).map(|(kind, action, at)| {
            format!("{} {} at byte {at}", output::printable(kind), output::printable(action))
        }),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Value {
        json!({"took_ms": 3, "results": [{
            "chunk_id": "c1", "document_id": "signing-keys", "collection": "handbook", "title": "Rotation\u{1b}[31m", "uri": "https://wiki.example/a",
            "rank": 1, "score": 0.9, "scores": {"keyword": 7.31, "vector": null}, "text": "Keys are rotated every 90 days.",
            "span": {"start": 0, "end": 31}, "trust": "internal",
            "sanitization": {"removed": 2, "findings": [{"kind": "comment", "action": "stripped", "at": 311}]},
            "redactions": [{"kind": "api-key", "count": 1}],
            "provenance": {"content_hash": "blake3:x", "ingested_at": "2026-11-25T00:00:00Z", "ingested_by": "service:sync", "version": 3}
        }]})
    }

    #[test]
    fn a_hit_shows_what_where_and_how_far_to_trust_it() {
        let text = shown(&answer(), false);
        for expected in [
            "Rotation",
            "handbook/signing-keys",
            "every 90 days",
            "internal",
            "2 stripped",
            "(comment)",
            "1 api-key",
            "in 3 ms",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(!text.contains('\u{1b}') && !text.contains("score"), "{text}");
        assert!(shown(&json!({"results": []}), false).contains("nothing found"));
    }

    #[test]
    fn a_passage_is_shown_without_the_headings_it_opens_with() {
        for (text, expected) in
            [("# A\n\n## B\nc # d", "c # d"), ("# A", "# A"), ("# A\n\n", "# A\n\n"), ("plain", "plain")]
        {
            assert_eq!(words(text), expected);
        }
    }

    #[test]
    fn an_explanation_shows_scores_origin_and_findings() {
        let text = explanation(&answer()["results"][0]);
        assert_eq!(
            text,
            "score 0.9000 (keyword 7.3100, vector –)\nbytes 0–31, chunk c1\nversion 3 by service:sync at 2026-11-25T00:00:00Z\ncomment stripped at byte 311"
        );
    }
}
