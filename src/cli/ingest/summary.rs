//! What a run of `ingest` did, in words and for programs.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::cli::output::{counted, printable};

/// How many names of a list are shown.
const NAMES_MAX: usize = 20;

/// What a run did.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) new: u64,
    pub(super) changed: u64,
    pub(super) unchanged: u64,
    pub(super) chunks: u64,
    pub(super) bytes: u64,
    pub(super) quarantined: Vec<String>,
    pub(super) failed: Vec<(String, String)>,
    pub(super) unsupported: BTreeMap<String, u64>,
    /// What the sanitiser did, and how often: `stripped`, `comment`.
    pub(super) findings: BTreeMap<(String, String), u64>,
    /// Whether what was skipped is known to be on the server.
    pub(super) is_verified: bool,
    pub(super) took: Duration,
}

impl Summary {
    /// Counts the server's answer for one document.
    pub(super) fn count(&mut self, id: &str, result: &Value, is_change: bool, bytes: usize) {
        if is_change {
            self.changed += 1;
        } else {
            self.new += 1;
        }
        self.chunks += result["chunks"].as_u64().unwrap_or(0);
        self.bytes += bytes as u64;
        if result["status"] == "quarantined" {
            self.quarantined.push(id.to_owned());
        }
        for finding in result["sanitization"]["findings"].as_array().into_iter().flatten() {
            let part = |field: &str| finding[field].as_str().unwrap_or("?").to_owned();
            *self.findings.entry((part("action"), part("kind"))).or_default() += 1;
        }
    }

    fn chunks_per_second(&self) -> u64 {
        let milliseconds = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX).max(1);
        self.chunks.saturating_mul(1_000) / milliseconds
    }

    pub(super) fn json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|((action, kind), count)| json!({"kind": kind, "action": action, "count": count}))
            .collect();
        let failed: Vec<Value> = self.failed.iter().map(|(id, reason)| json!({"id": id, "reason": reason})).collect();
        json!({
            "new": self.new, "changed": self.changed, "unchanged": self.unchanged, "failed": failed,
            "unsupported": self.unsupported, "quarantined": self.quarantined, "findings": findings,
            "chunks": self.chunks, "bytes": self.bytes, "unchanged_verified": self.is_verified,
            "took_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "chunks_per_second": self.chunks_per_second(),
        })
    }

    pub(super) fn words(&self) -> String {
        let mut lines = vec![format!(
            "{} new, {} changed, {} unchanged, {} failed",
            self.new,
            self.changed,
            self.unchanged,
            self.failed.len()
        )];
        if self.new + self.changed > 0 {
            lines.push(format!(
                "{} from {} KiB in {:.1} s: {} chunks/s",
                counted(self.chunks, "chunk", "chunks"),
                self.bytes.div_ceil(1024),
                self.took.as_secs_f64(),
                self.chunks_per_second()
            ));
            lines.push(self.sanitised());
        }
        if self.unchanged > 0 && !self.is_verified {
            lines.push(
                "unchanged files were told from the state file alone: this key cannot list what the server has"
                    .to_owned(),
            );
        }
        if !self.unsupported.is_empty() {
            let kinds: Vec<String> = self.unsupported.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            lines.push(format!("not read: {}", kinds.join(", ")));
        }
        lines.extend(list("quarantined, held back for review", &self.quarantined));
        let failed: Vec<String> = self.failed.iter().map(|(id, reason)| format!("{id}: {reason}")).collect();
        lines.extend(list("failed", &failed));
        lines.join("\n")
    }

    fn sanitised(&self) -> String {
        if self.findings.is_empty() {
            return "the sanitiser found nothing".to_owned();
        }
        let mut by_action: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((action, kind), count) in &self.findings {
            by_action.entry(action).or_default().push(format!("{count} {}", printable(kind)));
        }
        let parts: Vec<String> =
            by_action.iter().map(|(action, kinds)| format!("{}: {}", printable(action), kinds.join(", "))).collect();
        parts.join("; ")
    }
}

fn list(title: &str, names: &[String]) -> Vec<String> {
    if names.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("{title}:")];
    lines.extend(names.iter().take(NAMES_MAX).map(|name| format!("  {}", printable(name))));
    if names.len() > NAMES_MAX {
        lines.push(format!("  and {} more (`--json` has all)", names.len() - NAMES_MAX));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_by_what_was_done_and_what_was_stripped() {
        let mut summary = Summary { took: Duration::from_secs(2), unchanged: 1, ..Summary::default() };
        let finding = |kind: &str| json!({"kind": kind, "action": "stripped", "at": 1});
        let result = json!({"chunks": 10, "status": "active", "sanitization": {"removed": 2, "findings": [finding("comment"), finding("comment")]}});
        summary.count("a", &result, false, 2_048);
        summary.count(
            "b",
            &json!({"chunks": 0, "status": "quarantined", "sanitization": {"findings": [finding("hidden-text")]}}),
            true,
            0,
        );
        summary.failed.push(("c".to_owned(), "Too large (413)".to_owned()));
        summary.unsupported.insert(".png".to_owned(), 3);
        let words = summary.words();
        for expected in [
            "1 new, 1 changed, 1 unchanged, 1 failed",
            "10 chunks from 2 KiB in 2.0 s: 5 chunks/s",
            "stripped: 2 comment, 1 hidden-text",
            "state file alone",
            "not read: 3 .png",
            "quarantined, held back for review:\n  b",
            "failed:\n  c: Too large (413)",
        ] {
            assert!(words.contains(expected), "{expected}: {words}");
        }
        assert_eq!(summary.json()["chunks_per_second"], 5);
    }
}
