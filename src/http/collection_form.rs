//! The body of `PUT /v1/collections/{collection}`: fields, limits and defaults.

use std::collections::BTreeSet;

use ringfence_indexes::{AnalyzerKind, DIMENSIONS_MAX, Principal};
use ringfence_ingest::{RedactionKind, SanitizePolicy};
use serde::Deserialize;
use serde_json::Value;

use super::{problem::Problem, refusals::invalid_acl};
use crate::{
    acl_form,
    administration::collections::{CollectionSettings, Embedding},
    store::Trust,
};

const DESCRIPTION_BYTES_MAX: usize = 4_096;
const ACCEPT_MAX: usize = 50;
/// A hundred years: long enough to be forever, short enough to compute with.
const RETENTION_DAYS_MAX: u32 = 36_525;

/// What is masked on the way out where a collection says nothing: numbers of a form that makes a mistake rare, and which no reader needs whole.
/// E-mail addresses, telephone numbers and IP addresses are what many documents are about; a collection names them where they must not leave.
const REDACT_DEFAULT: [RedactionKind; 3] = [RedactionKind::Card, RedactionKind::Iban, RedactionKind::Ssn];

/// The settings of a collection. What is left out takes its default, also where the collection exists; only `embedding` is kept.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CollectionForm {
    /// What it is for, at most 4 KiB.
    #[schema(default = "", example = "How we work")]
    description: Option<String>,
    /// The ACL of documents that bring none; without it they are refused.
    #[schema(value_type = Option<Object>, example = json!({"allow": ["everyone"]}))]
    default_acl: Option<Value>,
    /// One of these must match for any document to be readable.
    #[schema(value_type = Option<Vec<String>>, default = json!(["everyone"]), example = json!(["everyone"]))]
    readers: Option<Value>,
    /// One of these must match to write, and the credential needs the scope `ingest`.
    #[schema(value_type = Option<Vec<String>>, default = json!(["everyone"]), example = json!(["service:wiki-sync"]))]
    writers: Option<Value>,
    /// `untrusted`, `internal` or `curated`: a label for the reader, never a licence to skip a step.
    #[schema(default = "untrusted", example = "internal")]
    trust: Option<String>,
    /// What is done with text that speaks to the machine: `strip`, `flag` or `quarantine`.
    #[schema(default = "strip", example = "strip")]
    sanitize: Option<String>,
    /// Personal data that is masked on the way out, unless the credential has the scope `pii:read`: `email`, `phone`, `card`, `iban`, `ip`, `ssn`. Credentials are always masked.
    #[schema(default = json!(["card", "iban", "ssn"]), example = json!(["card", "iban", "ssn", "email"]))]
    redact: Option<Vec<String>>,
    /// Documents are deleted this many days after they were ingested; never without it.
    #[schema(minimum = 1, maximum = 36525)]
    retention_days: Option<u32>,
    /// Accepted media types; every supported one without it.
    #[schema(example = json!(["text/markdown", "text/html"]))]
    accept: Option<Vec<String>>,
    /// Where vectors come from. Cannot change while there are documents.
    embedding: Option<EmbeddingForm>,
    /// How texts are cut into terms: `english` (stems), `plain` (words as they stand), `cjk` (pairs and single characters), or stems of `arabic`, `danish`, `dutch`, `finnish`, `french`, `german`, `greek`, `hungarian`, `italian`, `norwegian`, `portuguese`, `romanian`, `russian`, `spanish`, `swedish`, `tamil`, `turkish`. Absent leaves it as it is; a change cuts what is there anew before it is acknowledged.
    #[schema(default = "english", example = "english")]
    analyzer: Option<String>,
}

/// Where the vectors of a collection come from.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(tag = "source", rename_all = "lowercase", deny_unknown_fields)]
#[schema(example = json!({"source": "builtin"}))]
pub(super) enum EmbeddingForm {
    /// The server's own embedder.
    Builtin {},
    /// The client brings a vector for each passage and each query.
    Client {
        /// How long each vector is.
        #[schema(minimum = 1, maximum = 4096, example = 384)]
        dimensions: usize,
    },
}

impl CollectionForm {
    /// Checks every field and tells all that are wrong.
    pub(super) fn into_settings(self) -> Result<CollectionSettings, Problem> {
        let mut faults = Vec::new();
        let mut fault = |problem: Problem| faults.extend(problem.errors);
        let description = bounded_text(self.description).map_err(&mut fault);
        let default_acl = self.default_acl.as_ref().map(acl_form::from_json).transpose();
        let default_acl = default_acl.map_err(|error| fault(invalid_acl("/default_acl", &error)));
        let readers = principals("/readers", self.readers.as_ref()).map_err(&mut fault);
        let writers = principals("/writers", self.writers.as_ref()).map_err(&mut fault);
        let trust = named("/trust", self.trust, Trust::from_name, "`untrusted`, `internal`, `curated`");
        let trust = trust.map_err(&mut fault);
        let sanitize = named("/sanitize", self.sanitize, sanitize, "`strip`, `flag`, `quarantine`").map_err(&mut fault);
        let redact = redact(self.redact).map_err(&mut fault);
        let retention_days = retention(self.retention_days).map_err(&mut fault);
        let accept = accept(self.accept).map_err(&mut fault);
        let embedding = self.embedding.map(EmbeddingForm::check).transpose().map_err(&mut fault);
        let analyzer = self.analyzer.map(|name| analyzer(&name)).transpose().map_err(&mut fault);
        let checked = (|| {
            Ok::<_, ()>(CollectionSettings {
                description: description?,
                default_acl: default_acl?,
                readers: readers?,
                writers: writers?,
                trust: trust?,
                sanitize: sanitize?,
                redact: redact?,
                retention_days: retention_days?,
                accept: accept?,
                embedding: embedding?,
                analyzer: analyzer?,
            })
        })();
        checked.map_err(|()| Problem::invalid_fields(faults))
    }
}

impl EmbeddingForm {
    fn check(self) -> Result<Embedding, Problem> {
        match self {
            Self::Builtin {} => Ok(Embedding::Builtin),
            Self::Client { dimensions } if (1..=DIMENSIONS_MAX).contains(&dimensions) => {
                Ok(Embedding::Client { dimensions })
            }
            Self::Client { .. } => {
                Err(Problem::invalid("/embedding/dimensions", format!("must be from 1 to {DIMENSIONS_MAX}")))
            }
        }
    }
}

/// The name of a policy on the wire.
pub(super) const fn sanitize_name(policy: SanitizePolicy) -> &'static str {
    match policy {
        SanitizePolicy::Strip => "strip",
        SanitizePolicy::Flag => "flag",
        SanitizePolicy::Quarantine => "quarantine",
    }
}

fn sanitize(name: &str) -> Option<SanitizePolicy> {
    let all = [SanitizePolicy::Strip, SanitizePolicy::Flag, SanitizePolicy::Quarantine];
    all.into_iter().find(|policy| sanitize_name(*policy) == name)
}

fn analyzer(name: &str) -> Result<AnalyzerKind, Problem> {
    AnalyzerKind::from_name(name).ok_or_else(|| {
        let names: Vec<_> = AnalyzerKind::ALL.iter().map(|kind| format!("`{}`", kind.name())).collect();
        Problem::invalid("/analyzer", format!("must be one of {}", names.join(", ")))
    })
}

fn bounded_text(text: Option<String>) -> Result<String, Problem> {
    let text = text.unwrap_or_default();
    if text.len() > DESCRIPTION_BYTES_MAX {
        return Err(Problem::invalid("/description", format!("must have at most {DESCRIPTION_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn principals(pointer: &str, value: Option<&Value>) -> Result<BTreeSet<Principal>, Problem> {
    let Some(value) = value else { return Ok(BTreeSet::from([Principal::everyone()])) };
    acl_form::principals_at(value, pointer).map_err(|error| invalid_acl("", &error))
}

fn named<T: Default>(
    pointer: &str,
    name: Option<String>,
    parse: impl Fn(&str) -> Option<T>,
    names: &str,
) -> Result<T, Problem> {
    let Some(name) = name else { return Ok(T::default()) };
    parse(&name).ok_or_else(|| Problem::invalid(pointer, format!("must be one of {names}")))
}

fn redact(names: Option<Vec<String>>) -> Result<BTreeSet<RedactionKind>, Problem> {
    let Some(names) = names else { return Ok(BTreeSet::from(REDACT_DEFAULT)) };
    let kind = |(index, name): (usize, &String)| {
        RedactionKind::PERSONAL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let names: Vec<_> = RedactionKind::PERSONAL.iter().map(|kind| format!("`{}`", kind.name())).collect();
            Problem::invalid(format!("/redact/{index}"), format!("must be one of {}", names.join(", ")))
        })
    };
    names.iter().enumerate().map(kind).collect()
}

fn retention(days: Option<u32>) -> Result<Option<u32>, Problem> {
    match days {
        Some(days) if !(1..=RETENTION_DAYS_MAX).contains(&days) => {
            Err(Problem::invalid("/retention_days", format!("must be from 1 to {RETENTION_DAYS_MAX}")))
        }
        days => Ok(days),
    }
}

fn accept(types: Option<Vec<String>>) -> Result<Vec<String>, Problem> {
    let types = types.unwrap_or_default();
    if types.len() > ACCEPT_MAX {
        return Err(Problem::invalid("/accept", format!("has more than {ACCEPT_MAX} entries")));
    }
    let is_type = |text: &String| {
        let token = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&byte);
            !part.is_empty() && part.len() <= 127 && part.bytes().all(plain)
        };
        text.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
    };
    match types.iter().position(|text| !is_type(text)) {
        Some(index) => {
            Err(Problem::invalid(format!("/accept/{index}"), "must be a media type such as `text/markdown`"))
        }
        None => Ok(types.iter().map(|text| text.to_ascii_lowercase()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::problem::FieldError, *};

    fn parse(body: Value) -> Result<CollectionSettings, Problem> {
        super::super::json::from_value::<CollectionForm>(body).and_then(CollectionForm::into_settings)
    }

    #[track_caller]
    fn check(body: &Value, expected: &[&str]) {
        let errors: Vec<FieldError> =
            parse(body.clone()).err().into_iter().flat_map(|problem| problem.errors).collect();
        let found: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn takes_every_field_and_has_defaults() {
        let settings = parse(json!({})).unwrap();
        assert_eq!(settings.readers, BTreeSet::from([Principal::everyone()]));
        assert_eq!(settings.redact, BTreeSet::from(REDACT_DEFAULT));
        assert_eq!((settings.embedding, settings.trust), (None, Trust::Untrusted));
        let settings = parse(json!({
            "description": "x", "default_acl": {"allow": ["group:eng"]}, "readers": ["group:eng"], "writers": [],
            "trust": "curated", "sanitize": "flag", "redact": [], "retention_days": 30, "accept": ["Text/HTML"],
            "embedding": {"source": "client", "dimensions": 384}, "analyzer": "german"
        }));
        let settings = settings.unwrap();
        assert_eq!(settings.embedding, Some(Embedding::Client { dimensions: 384 }));
        assert_eq!((settings.accept, settings.analyzer), (vec!["text/html".to_owned()], Some(AnalyzerKind::German)));
        assert!(settings.writers.is_empty() && settings.redact.is_empty());
        check(&json!({"embedding": {"source": "builtin"}, "default_acl": null}), &[]);
    }

    #[test]
    fn tells_every_wrong_field() {
        check(&json!({"name": "x"}), &["/name"]);
        check(
            &json!({"default_acl": {"alow": []}, "readers": ["bob"], "trust": "full", "redact": ["email", "api-key"]}),
            &["/default_acl/alow", "/readers/0", "/trust", "/redact/1"],
        );
        check(
            &json!({"retention_days": 0, "accept": ["html"], "sanitize": ""}),
            &["/sanitize", "/retention_days", "/accept/0"],
        );
        check(&json!({"embedding": {"source": "client", "dimensions": 0}}), &["/embedding/dimensions"]);
        check(&json!({"embedding": {"source": "client"}}), &["/embedding/dimensions"]);
        check(&json!({"embedding": {"source": "remote"}}), &["/embedding/source"]);
        check(&json!({"analyzer": "klingon", "sanitize": ""}), &["/sanitize", "/analyzer"]);
    }
}
