//! The written form of domain values in columns: JSON texts and vector bytes.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_indexes::{Acl, AttributeValue, DocumentChunk, Principal, Vector};
use ringfence_ingest::{
    Action, Finding, FindingKind, PreparedChunk, QuarantineReason, RedactionCount, RedactionKind, SanitizePolicy,
    UntrustedText,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{StoreError, error::damaged};
use crate::acl_form;

/// A list of texts as JSON.
pub(super) fn write_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    Value::from(texts.into_iter().map(Value::from).collect::<Vec<_>>()).to_string()
}

/// A list of texts, each read by `parse`.
pub(super) fn read_list<T, C: FromIterator<T>>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<C, StoreError> {
    let texts: Vec<String> = serde_json::from_str(text).map_err(|_| damaged("a list"))?;
    texts.iter().map(|text| parse(text)).collect::<Option<C>>().ok_or_else(|| damaged("an entry of a list"))
}

pub(super) fn write_principals(principals: &BTreeSet<Principal>) -> String {
    write_list(principals.iter().map(Principal::as_str))
}

pub(super) fn read_principals(text: &str) -> Result<BTreeSet<Principal>, StoreError> {
    read_list(text, |name| Principal::restore(name).ok())
}

/// The JSON form of an ACL; an error for one that would not be read back as it is, which no request can make.
pub(super) fn write_acl(acl: &Acl) -> Result<String, StoreError> {
    let form = acl_form::to_json(acl);
    if acl_form::from_stored(&form).as_ref() == Ok(acl) {
        Ok(form.to_string())
    } else {
        Err(StoreError::Failed("an ACL without a written form".into()))
    }
}

pub(super) fn read_acl(text: &str) -> Result<Acl, StoreError> {
    let form = serde_json::from_str(text).map_err(|_| damaged("an ACL"))?;
    acl_form::from_stored(&form).map_err(|_| damaged("an ACL"))
}

pub(super) fn write_metadata(metadata: &Map<String, Value>) -> Result<String, StoreError> {
    serde_json::to_string(metadata).map_err(|error| StoreError::Failed(error.into()))
}

pub(super) fn read_metadata(text: &str) -> Result<Map<String, Value>, StoreError> {
    serde_json::from_str(text).map_err(|_| damaged("metadata"))
}

pub(super) fn write_attributes(attributes: &BTreeMap<String, AttributeValue>) -> String {
    let value = |value: &AttributeValue| match value {
        AttributeValue::Integer(number) => Value::from(*number),
        AttributeValue::Text(text) => Value::from(text.as_str()),
        AttributeValue::Texts(texts) => texts.iter().map(String::as_str).collect(),
        AttributeValue::Boolean(truth) => Value::from(*truth),
    };
    let object: Map<String, Value> = attributes.iter().map(|(name, held)| (name.clone(), value(held))).collect();
    Value::from(object).to_string()
}

pub(super) fn read_attributes(text: &str) -> Result<BTreeMap<String, AttributeValue>, StoreError> {
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| damaged("attributes"))?;
    let value = |value: Value| match value {
        Value::Number(number) => number.as_i64().map(AttributeValue::Integer),
        Value::String(text) => Some(AttributeValue::Text(text)),
        Value::Bool(truth) => Some(AttributeValue::Boolean(truth)),
        Value::Array(texts) => {
            texts.iter().map(|text| text.as_str().map(str::to_owned)).collect::<Option<_>>().map(AttributeValue::Texts)
        }
        _ => None,
    };
    let pairs = object.into_iter().map(|(name, held)| value(held).map(|held| (name, held)));
    pairs.collect::<Option<_>>().ok_or_else(|| damaged("an attribute"))
}

pub(super) const fn sanitize_name(policy: SanitizePolicy) -> &'static str {
    match policy {
        SanitizePolicy::Strip => "strip",
        SanitizePolicy::Flag => "flag",
        SanitizePolicy::Quarantine => "quarantine",
    }
}

pub(super) fn sanitize_from(name: &str) -> Option<SanitizePolicy> {
    [SanitizePolicy::Strip, SanitizePolicy::Flag, SanitizePolicy::Quarantine]
        .into_iter()
        .find(|policy| sanitize_name(*policy) == name)
}

/// The name on the wire and in the store.
#[must_use]
pub(crate) const fn reason_name(reason: QuarantineReason) -> &'static str {
    match reason {
        QuarantineReason::Policy => "policy",
        QuarantineReason::SanitizerFailed => "sanitizer-failed",
        QuarantineReason::Refused => "refused",
    }
}

pub(super) fn reason_from(name: &str) -> Option<QuarantineReason> {
    [QuarantineReason::Policy, QuarantineReason::SanitizerFailed, QuarantineReason::Refused]
        .into_iter()
        .find(|reason| reason_name(*reason) == name)
}

type FindingForm = (String, String, usize, usize);

fn finding_form(finding: &Finding) -> (&'static str, &'static str, usize, usize) {
    (finding.kind.name(), finding.action.name(), finding.range.start, finding.range.end)
}

fn finding_from((kind, action, start, end): FindingForm) -> Result<Finding, StoreError> {
    let kind = FindingKind::from_name(&kind).ok_or_else(|| damaged("the kind of a finding"))?;
    let action = Action::from_name(&action).ok_or_else(|| damaged("the action of a finding"))?;
    Ok(Finding { kind, action, range: start..end })
}

pub(super) fn write_findings(findings: &[Finding]) -> Result<String, StoreError> {
    let forms: Vec<_> = findings.iter().map(finding_form).collect();
    serde_json::to_string(&forms).map_err(|error| StoreError::Failed(error.into()))
}

pub(super) fn read_findings(text: &str) -> Result<Vec<Finding>, StoreError> {
    let forms: Vec<FindingForm> = serde_json::from_str(text).map_err(|_| damaged("findings"))?;
    forms.into_iter().map(finding_from).collect()
}

#[derive(Serialize)]
struct ChunkWritten<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    heading: &'a str,
    span: (usize, usize),
    ordinal: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<(&'static str, &'static str, usize, usize)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    masked: Vec<(&'static str, u32)>,
    /// How many values of `vectors` are this chunk's; 0 for a chunk without a direction.
    dimensions: usize,
    /// The exponent of its values, of three bytes each.
    #[serde(skip_serializing_if = "Option::is_none")]
    exponent: Option<i8>,
}

#[derive(Deserialize)]
struct ChunkRead {
    text: String,
    #[serde(default)]
    heading: String,
    span: (usize, usize),
    ordinal: u32,
    #[serde(default)]
    findings: Vec<FindingForm>,
    #[serde(default)]
    masked: Vec<(String, u32)>,
    dimensions: usize,
    /// Absent in what earlier releases wrote: four bytes a value, f32 as it was.
    exponent: Option<i8>,
}

/// The passages of a document as JSON, and their vectors as bytes.
pub(super) fn write_chunks(chunks: &[DocumentChunk]) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let mut bytes = Vec::new();
    let forms: Vec<_> = chunks.iter().map(|chunk| chunk_form(chunk, &mut bytes)).collect();
    let texts = serde_json::to_vec(&forms).map_err(|error| StoreError::Failed(error.into()))?;
    Ok((texts, bytes))
}

#[expect(clippy::disallowed_methods, reason = "the text goes into the database, as it is")]
fn chunk_form<'a>(chunk: &'a DocumentChunk, vectors: &mut Vec<u8>) -> ChunkWritten<'a> {
    let prepared = &chunk.prepared;
    let exponent = chunk.vector.as_ref().map(|vector| {
        let (exponent, bytes) = vector.to_fixed();
        vectors.extend_from_slice(&bytes);
        exponent
    });
    ChunkWritten {
        text: prepared.text().expose_untrusted(),
        heading: prepared.heading(),
        span: (prepared.span().start, prepared.span().end),
        ordinal: prepared.ordinal(),
        findings: prepared.findings().iter().map(finding_form).collect(),
        masked: prepared.masked().iter().map(|masked| (masked.kind.name(), masked.count)).collect(),
        dimensions: chunk.vector.as_ref().map_or(0, Vector::dimensions),
        exponent,
    }
}

/// What [`write_chunks`] wrote.
pub(super) fn read_chunks(texts: &[u8], mut vectors: &[u8]) -> Result<Vec<DocumentChunk>, StoreError> {
    let forms: Vec<ChunkRead> = serde_json::from_slice(texts).map_err(|_| damaged("passages"))?;
    let chunks: Vec<DocumentChunk> =
        forms.into_iter().map(|form| chunk_from(form, &mut vectors)).collect::<Result<_, _>>()?;
    if vectors.is_empty() { Ok(chunks) } else { Err(damaged("vectors that belong to nothing")) }
}

#[expect(clippy::disallowed_methods, reason = "the store gives back what `prepare` made; the row's digest says so")]
fn chunk_from(form: ChunkRead, vectors: &mut &[u8]) -> Result<DocumentChunk, StoreError> {
    let findings = form.findings.into_iter().map(finding_from).collect::<Result<_, _>>()?;
    let masked = |(kind, count): (String, u32)| {
        RedactionKind::from_name(&kind).map(|kind| RedactionCount { kind, count }).ok_or_else(|| damaged("a mask"))
    };
    let masked = form.masked.into_iter().map(masked).collect::<Result<_, _>>()?;
    let vector = (form.dimensions > 0).then(|| vector_from(form.dimensions, form.exponent, vectors)).transpose()?;
    let text = UntrustedText::new(form.text);
    let span = form.span.0..form.span.1;
    let prepared = PreparedChunk::assert_prepared(text, form.heading, span, form.ordinal, findings, masked);
    Ok(DocumentChunk { prepared, vector })
}

/// The next vector of a row's bytes.
fn vector_from(dimensions: usize, exponent: Option<i8>, vectors: &mut &[u8]) -> Result<Vector, StoreError> {
    let width = if exponent.is_some() { 3 } else { size_of::<f32>() };
    let length = dimensions.checked_mul(width).ok_or_else(|| damaged("a vector"))?;
    let (bytes, rest) = vectors.split_at_checked(length).ok_or_else(|| damaged("a vector that is cut short"))?;
    *vectors = rest;
    let vector = match exponent {
        Some(exponent) => Vector::from_fixed(exponent, bytes),
        None => Vector::restore(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
    };
    vector.map_err(|_| damaged("a vector"))
}

/// A short text that travels beside a document, as it is stored.
#[expect(clippy::disallowed_methods, reason = "the text goes into the database, as it is")]
pub(super) fn write_label(label: Option<&UntrustedText>) -> Option<String> {
    label.map(|label| label.expose_untrusted().to_owned())
}
