//! The way out: what may leave is redacted and labelled here and nowhere else.
//!
//! Text was sanitised when it came in; its credentials were masked then. They are looked for again, since detectors improve while stored text does not, and personal data is masked by the collection's policy.
//! A [`ReleasedChunk`] is the only form in which a passage reaches an answer.

use std::collections::BTreeSet;

use ringfence_indexes::{DocumentInfo, Timestamp};
use ringfence_ingest::{Finding, PreparedChunk, RedactionCount, RedactionKind, UntrustedText, redact};
use serde_json::{Map, Value};

/// A passage that may leave: sanitised, redacted, labelled. Only [`release`] makes one.
///
/// ```compile_fail
/// let chunk = ringfence::release::ReleasedChunk { text: "raw".to_owned() }; // private fields: nothing leaves unlabelled
/// ```
#[derive(Clone, PartialEq)]
pub struct ReleasedChunk {
    text: String,
    heading: String,
    labels: ReleasedLabels,
    redactions: Vec<RedactionCount>,
    findings: Vec<Finding>,
    span: (usize, usize),
    trust: &'static str,
}

/// What travels beside a text, ready to leave.
#[derive(Clone, Default, PartialEq)]
pub struct ReleasedLabels {
    title: Option<String>,
    uri: Option<String>,
    metadata: Map<String, Value>,
}

/// A passage on its way out, as the index holds it.
#[derive(Clone, Copy, Debug)]
pub struct Passage<'a> {
    /// The sanitised text.
    pub text: &'a UntrustedText,
    /// The headings above it.
    pub heading: &'a str,
    /// Where it lies in the normalised source.
    pub span: (usize, usize),
    /// What the sanitiser saw in it.
    pub findings: &'a [Finding],
    /// What was masked before it was indexed.
    pub masked: &'a [RedactionCount],
    /// What travels beside it.
    pub labels: Labels<'a>,
}

/// A document's title, URI and metadata on their way out.
#[derive(Clone, Copy)]
pub struct Labels<'a> {
    /// The title.
    pub title: Option<&'a UntrustedText>,
    /// Where the client says that the document comes from.
    pub uri: Option<&'a UntrustedText>,
    /// The client's metadata.
    pub metadata: &'a Map<String, Value>,
}

/// What a collection and a credential say about leaving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleasePolicy {
    personal: BTreeSet<RedactionKind>,
    trust: &'static str,
}

/// When and by whom a document was ingested, as an answer tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The keyed hash of the content.
    pub content_hash: String,
    /// When.
    pub ingested_at: Timestamp,
    /// By whom.
    pub ingested_by: String,
    /// How often the content has changed under its present ACL.
    pub version: u32,
    /// Which version of the sanitiser made the passages; `None` where an older server did not say.
    pub sanitizer: Option<String>,
}

impl ReleasePolicy {
    /// The policy of a collection. With the scope `pii:read`, personal data passes; credentials never do.
    #[must_use]
    pub fn new(personal: &BTreeSet<RedactionKind>, may_read_personal: bool, trust: &'static str) -> Self {
        let personal = if may_read_personal { BTreeSet::new() } else { personal.clone() };
        Self { personal, trust }
    }

    /// The policy where a collection's own is not known: nothing personal passes, nothing is trusted.
    #[must_use]
    pub fn strictest() -> Self {
        Self { personal: BTreeSet::from(RedactionKind::PERSONAL), trust: "untrusted" }
    }

    /// How far the collection is trusted.
    #[must_use]
    pub const fn trust(&self) -> &'static str {
        self.trust
    }
}

impl<'a> Labels<'a> {
    /// What travels beside a document.
    #[must_use]
    pub fn of(info: &'a DocumentInfo) -> Self {
        Self { title: info.title.as_ref(), uri: info.uri.as_ref(), metadata: &info.metadata }
    }
}

impl<'a> Passage<'a> {
    /// A passage of a document, as a scope gave them.
    #[must_use]
    pub fn of(chunk: &'a PreparedChunk, info: &'a DocumentInfo) -> Self {
        Self {
            text: chunk.text(),
            heading: chunk.heading(),
            span: (chunk.span().start, chunk.span().end),
            findings: chunk.findings(),
            masked: chunk.masked(),
            labels: Labels::of(info),
        }
    }
}

impl Provenance {
    /// Where a document comes from, as the index holds it.
    #[must_use]
    pub fn of(info: &DocumentInfo) -> Self {
        Self {
            content_hash: info.content_hash.clone(),
            ingested_at: info.ingested_at,
            ingested_by: info.ingested_by.clone(),
            version: info.version,
            sanitizer: info.sanitizer.clone(),
        }
    }
}

/// Redacts and labels one passage.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the text leaves here, redacted and labelled")]
pub fn release(passage: &Passage<'_>, policy: &ReleasePolicy) -> ReleasedChunk {
    let mut redactor = Redactor::new(policy);
    passage.masked.iter().for_each(|count| redactor.count(*count));
    let text = redactor.text(passage.text.expose_untrusted());
    let heading = redactor.text(passage.heading);
    let labels = redactor.labels(&passage.labels);
    ReleasedChunk {
        text,
        heading,
        labels,
        redactions: redactor.counts,
        findings: passage.findings.to_vec(),
        span: passage.span,
        trust: policy.trust,
    }
}

/// Redacts what travels beside a document, where no passage of it leaves.
#[must_use]
pub fn release_labels(labels: &Labels<'_>, policy: &ReleasePolicy) -> ReleasedLabels {
    Redactor::new(policy).labels(labels)
}

impl ReleasedChunk {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The headings above it, outermost first; empty where there are none.
    #[must_use]
    pub fn heading(&self) -> &str {
        &self.heading
    }

    /// Title, URI and metadata of its document.
    #[must_use]
    pub const fn labels(&self) -> &ReleasedLabels {
        &self.labels
    }

    /// What was masked, before indexing or now, in the text and beside it.
    #[must_use]
    pub fn redactions(&self) -> &[RedactionCount] {
        &self.redactions
    }

    /// What the sanitiser saw.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Where the passage starts and ends in the normalised source, in bytes.
    #[must_use]
    pub const fn span(&self) -> (usize, usize) {
        self.span
    }

    /// How far its collection trusts it: a label for the reader.
    #[must_use]
    pub const fn trust(&self) -> &'static str {
        self.trust
    }
}

impl ReleasedLabels {
    /// The title.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// Where the client says that the document comes from.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// The client's metadata.
    #[must_use]
    pub const fn metadata(&self) -> &Map<String, Value> {
        &self.metadata
    }
}

impl std::fmt::Debug for ReleasedChunk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ReleasedChunk({} bytes, {})", self.text.len(), self.trust)
    }
}

impl std::fmt::Debug for ReleasedLabels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ReleasedLabels({} metadata fields)", self.metadata.len())
    }
}

impl std::fmt::Debug for Labels<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Labels({} metadata fields)", self.metadata.len())
    }
}

/// Redacts the parts of one passage and adds up what was masked.
struct Redactor<'a> {
    personal: &'a BTreeSet<RedactionKind>,
    /// In the order of [`RedactionKind::ALL`], zeroes left out.
    counts: Vec<RedactionCount>,
}

impl<'a> Redactor<'a> {
    const fn new(policy: &'a ReleasePolicy) -> Self {
        Self { personal: &policy.personal, counts: Vec::new() }
    }

    fn text(&mut self, text: &str) -> String {
        let redacted = redact(text, self.personal);
        redacted.counts.iter().for_each(|count| self.count(*count));
        redacted.text
    }

    #[expect(clippy::disallowed_methods, reason = "title and URI leave here, redacted")]
    fn labels(&mut self, labels: &Labels<'_>) -> ReleasedLabels {
        let title = labels.title.map(|title| self.text(title.expose_untrusted()));
        let uri = labels.uri.map(|uri| self.text(uri.expose_untrusted()));
        let metadata = labels.metadata.iter().map(|(name, value)| (self.text(name), self.value(value))).collect();
        ReleasedLabels { title, uri, metadata }
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(values) => Value::Array(values.iter().map(|value| self.value(value)).collect()),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(name, value)| (self.text(name), self.value(value))).collect())
            }
            // A card number or telephone number may stand as a number.
            Value::Number(number) => {
                let text = number.to_string();
                let redacted = self.text(&text);
                if redacted == text { value.clone() } else { Value::String(redacted) }
            }
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    fn count(&mut self, added: RedactionCount) {
        if added.count == 0 {
            return;
        }
        match self.counts.binary_search_by_key(&added.kind, |count| count.kind) {
            Ok(index) => self.counts[index].count = self.counts[index].count.saturating_add(added.count),
            Err(index) => self.counts.insert(index, added),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(kind: RedactionKind, count: u32) -> RedactionCount {
        RedactionCount { kind, count }
    }

    #[test]
    fn adds_counts_up_in_the_order_of_kinds() {
        let policy = ReleasePolicy::new(&BTreeSet::new(), false, "untrusted");
        let mut redactor = Redactor::new(&policy);
        for added in
            [(RedactionKind::Ip, 1), (RedactionKind::ApiKey, 2), (RedactionKind::Ip, 3), (RedactionKind::Jwt, 0)]
        {
            redactor.count(count(added.0, added.1));
        }
        assert_eq!(redactor.counts, [count(RedactionKind::ApiKey, 2), count(RedactionKind::Ip, 4)]);
    }

    #[test]
    fn lets_personal_data_pass_only_with_the_scope() {
        let personal = BTreeSet::from(RedactionKind::PERSONAL);
        assert_eq!(ReleasePolicy::new(&personal, false, "internal").personal, personal);
        assert!(ReleasePolicy::new(&personal, true, "internal").personal.is_empty());
    }
}
