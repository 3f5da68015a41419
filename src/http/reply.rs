//! Answers on their way out: JSON against a receipt.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use ringfence_ingest::{Finding, RedactionCount};
use serde::Serialize;

use crate::{audit::Receipt, release::Provenance};

/// The revision of a write whose answer has no body.
const REVISION: HeaderName = HeaderName::from_static("ringfence-revision");

/// The mark of an answer that was recorded; the gate lets no other pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded(());

impl Recorded {
    /// The mark that a receipt earns.
    pub(super) fn by(receipt: Receipt) -> Self {
        drop(receipt);
        Self(())
    }

    /// The mark of a stream whose lines are each given against a receipt of their own.
    pub(super) const fn line_by_line() -> Self {
        Self(())
    }
}

/// An answer with a body.
pub(super) fn reply<T: Serialize>(status: StatusCode, body: &T, receipt: Receipt) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.extensions_mut().insert(Recorded::by(receipt));
    response
}

/// The answer to a write, with its revision in a header beside the body.
pub(super) fn reply_written<T: Serialize>(status: StatusCode, body: &T, revision: &str, receipt: Receipt) -> Response {
    with_revision(reply(status, body, receipt), revision)
}

/// The answer to a write that has no body: 204, with the revision in a header.
pub(super) fn no_content(revision: &str, receipt: Receipt) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.extensions_mut().insert(Recorded::by(receipt));
    with_revision(response, revision)
}

fn with_revision(mut response: Response, revision: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(revision) {
        response.headers_mut().insert(REVISION, value);
    }
    response
}

/// What the sanitiser did to a text.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"removed": 1, "findings": [{"kind": "instruction-override", "action": "stripped", "at": 311}]}))]
pub(super) struct Sanitization {
    /// How many findings were taken out or masked.
    removed: usize,
    /// What was seen.
    findings: Vec<FindingView>,
}

/// One thing that the sanitiser saw.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Finding, example = json!({"kind": "instruction-override", "action": "stripped", "at": 311}))]
struct FindingView {
    /// What it is.
    kind: &'static str,
    /// What was done: `stripped`, `masked`, `flagged` or `quarantined`.
    action: &'static str,
    /// Where, in bytes of the normalised source.
    at: usize,
}

impl Sanitization {
    pub(super) fn new(removed: usize, findings: &[Finding]) -> Self {
        let view = |finding: &Finding| FindingView {
            kind: finding.kind.name(),
            action: finding.action.name(),
            at: finding.range.start,
        };
        Self { removed, findings: findings.iter().map(view).collect() }
    }

    /// Of a passage: what was removed is counted from its findings.
    pub(super) fn of(findings: &[Finding]) -> Self {
        use ringfence_ingest::Action::{Masked, Stripped};
        let removed = findings.iter().filter(|finding| matches!(finding.action, Stripped | Masked)).count();
        Self::new(removed, findings)
    }
}

/// How many values of a kind were masked.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"kind": "api-key", "count": 1}))]
pub(super) struct Redaction {
    /// What they are.
    kind: &'static str,
    /// How many.
    count: u32,
}

impl Redaction {
    pub(super) fn list(counts: &[RedactionCount]) -> Vec<Self> {
        counts.iter().map(|count| Self { kind: count.kind.name(), count: count.count }).collect()
    }
}

/// Where a document comes from.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Provenance, example = json!({
    "content_hash": "blake3:2f0c…", "ingested_at": "2026-11-03T09:12:44.018Z", "ingested_by": "service:wiki-sync", "version": 3,
    "sanitizer": "rules-1"
}))]
pub(super) struct ProvenanceView {
    /// The hash of its content under a key of the tenant.
    content_hash: String,
    /// When it was ingested.
    ingested_at: String,
    /// By whom.
    ingested_by: String,
    /// How many contents were written under its present ACL.
    version: u32,
    /// Which version of the sanitiser made its passages; `null` for a document of a server that did not say.
    sanitizer: Option<String>,
}

impl ProvenanceView {
    pub(super) fn new(provenance: &Provenance) -> Self {
        Self {
            content_hash: provenance.content_hash.clone(),
            ingested_at: crate::acl_form::format_time(provenance.ingested_at),
            ingested_by: provenance.ingested_by.clone(),
            version: provenance.version,
            sanitizer: provenance.sanitizer.clone(),
        }
    }
}

/// A range of bytes in the normalised source.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"start": 1200, "end": 1984}))]
pub(super) struct Span {
    /// The first byte.
    start: usize,
    /// The byte after the last.
    end: usize,
}

impl Span {
    pub(super) const fn new(span: (usize, usize)) -> Self {
        Self { start: span.0, end: span.1 }
    }
}
