//! `ringfence reprocess`: what an older sanitiser made is judged anew by the server's present one, page by page.

use std::collections::BTreeMap;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    failure::Failure,
    options::{Context, ServerOptions},
    output,
};

#[derive(Debug, Args)]
pub(super) struct Reprocess {
    /// In this collection alone [default: in all within the key's limits]
    #[arg(long, value_name = "COLLECTION")]
    collection: Option<String>,
    /// Tell what would become of the documents, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerOptions,
}

/// What became of all documents.
#[derive(Default)]
struct Total {
    sanitizer: String,
    became: BTreeMap<String, u64>,
    /// Those that are not as they were.
    notable: Vec<Value>,
}

impl Reprocess {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = self.server.client(context)?;
        let bar = if output::is_watched() && !context.json { spinner() } else { ProgressBar::hidden() };
        let mut total = Total::default();
        let mut cursor = Value::Null;
        loop {
            let body = json!({"collection": self.collection, "dry_run": self.dry_run, "cursor": cursor});
            let page = client.send(client.request(Method::POST, &["v1", "reprocess"]).json(&body)).await?;
            bar.inc(total.add(&page));
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        bar.finish_and_clear();
        if context.json {
            let Total { sanitizer, became, notable } = total;
            return output::say_json(&json!({
                "sanitizer": sanitizer, "dry_run": self.dry_run, "became": became, "documents": notable,
            }));
        }
        output::say(&total.shown(self.dry_run))
    }
}

fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} documents, {per_sec}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

impl Total {
    /// Adds a page; how many documents it had.
    fn add(&mut self, page: &Value) -> u64 {
        self.sanitizer = page["sanitizer"].as_str().unwrap_or_default().to_owned();
        let documents = page["documents"].as_array().map(Vec::as_slice).unwrap_or_default();
        for document in documents {
            let became = document["became"].as_str().unwrap_or("?");
            *self.became.entry(became.to_owned()).or_default() += 1;
            if became != "unchanged" {
                self.notable.push(document.clone());
            }
        }
        documents.len() as u64
    }

    fn shown(&self, dry_run: bool) -> String {
        let version = output::printable(&self.sanitizer);
        if self.became.is_empty() {
            return format!("every document is of the present version, {version}");
        }
        let mut lines = Vec::new();
        if !self.notable.is_empty() {
            let mut table = output::table(&["document", "became", "taken out"]);
            for document in &self.notable {
                let text = |field: &str| output::printable(document[field].as_str().unwrap_or_default());
                let removed = format!("{} → {}", document["removed_before"], document["removed_after"]);
                table.add_row([format!("{}/{}", text("collection"), text("document_id")), text("became"), removed]);
            }
            lines.push(table.to_string());
        }
        let counts: Vec<String> =
            self.became.iter().map(|(became, count)| format!("{count} {}", output::printable(became))).collect();
        let said = if dry_run { "would become of them under" } else { "judged anew by" };
        lines.push(format!("{}: {said} {version}", counts.join(", ")));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_add_up_and_what_changed_is_named() {
        let document = |id: &str, became: &str| json!({"document_id": id, "collection": "wiki", "became": became, "removed_before": 0, "removed_after": 2});
        let mut total = Total::default();
        let one =
            json!({"sanitizer": "rules-2", "documents": [document("a", "unchanged"), document("b\u{1b}", "changed")]});
        assert_eq!(total.add(&one), 2);
        total.add(&json!({"sanitizer": "rules-2", "documents": [document("c", "unchanged")]}));
        let shown = total.shown(false);
        assert!(shown.contains("1 changed, 2 unchanged: judged anew by rules-2"), "{shown}");
        assert!(shown.contains("wiki/b") && shown.contains("0 → 2") && !shown.contains("wiki/a"), "{shown}");
        assert!(!shown.contains('\u{1b}'));
        assert!(Total { sanitizer: "rules-2".to_owned(), ..Total::default() }.shown(true).contains("every document"));
    }
}
