//! The body of `POST /v1/search`: its fields, limits and defaults.

use std::collections::BTreeSet;

use ringfence_indexes::{CollectionId, Filter, Mode, Principal, Selection, Vector};
use serde::Deserialize;
use serde_json::Value;

use super::problem::{FieldError, Problem};
use crate::{
    authn::strict_json,
    context::ContextFormat,
    retrieval::query::{Query, QueryText, TOP_K_DEFAULT, TOP_K_MAX},
    store::Trust,
};

/// The most collections that one search may name.
const COLLECTIONS_MAX: usize = 1_000;
/// The most principals that an audience may have: each costs a decision of its own.
const AUDIENCE_MAX: usize = 100;
/// The most tokens that one search may ask for.
const TOKENS_MAX: u64 = 1_000_000;

/// What to search for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchForm {
    /// The question, at most 8 KiB; any text. For ranking by words, words between double quotes must stand side by side in a passage, and a `*` right behind the last word stands for its rest.
    #[schema(example = "how do we rotate signing keys?", max_length = 8192)]
    query: String,
    /// How many passages at most.
    #[schema(default = 8, minimum = 1, maximum = 100)]
    top_k: Option<u64>,
    /// The collections to search; all that are readable without it. One that is absent or unreadable adds nothing.
    #[schema(example = json!(["handbook"]))]
    collections: Option<Vec<String>>,
    /// Conditions on metadata, all of which must hold; operators: eq, ne, in, nin, gt, gte, lt, lte, exists.
    #[serde(default, deserialize_with = "strict_json::optional")]
    #[schema(value_type = Option<Object>, example = json!({"metadata.lang": "en", "metadata.year": {"gte": 2024}}))]
    filter: Option<Value>,
    /// How to rank: `hybrid`, `keyword` or `vector`.
    #[schema(default = "hybrid", example = "hybrid")]
    mode: Option<String>,
    /// The query's embedding, for collections whose clients embed.
    vector: Option<Vec<f32>>,
    /// How many tokens the passages may have together, at four bytes a token.
    #[schema(minimum = 1, example = 2000)]
    max_tokens: Option<u64>,
    /// How many passages one document may give.
    #[schema(minimum = 1, example = 3)]
    max_per_document: Option<u64>,
    /// Whether the last word may go on without a `*`, for asking while a person types; a blank behind it says that it is whole.
    #[schema(default = false)]
    prefix: Option<bool>,
    /// Leaves out passages whose `score` is lower. `keyword` and `hybrid` score from 0 to 1, relative to the best of this answer; `vector` is the cosine.
    #[schema(minimum = 0.0, maximum = 1.0, example = 0.2)]
    min_score: Option<f32>,
    /// Leaves out passages that say almost the same as a better one.
    #[schema(default = false)]
    collapse_duplicates: Option<bool>,
    /// How much being unlike the passages already chosen counts beside the score, when it is chosen which to give (maximal marginal relevance); they are listed by `score` all the same.
    #[schema(minimum = 0.0, maximum = 1.0, example = 0.3)]
    diversity: Option<f32>,
    /// How `context` is rendered: `none`, `json`, `delimited`, `datamarked`, `encoded`, `anthropic` or `openai`.
    #[schema(default = "delimited", example = "delimited")]
    format: Option<String>,
    /// The least trust of a passage's collection: `untrusted`, `internal` or `curated`.
    #[schema(default = "untrusted", example = "untrusted")]
    min_trust: Option<String>,
    /// Who will see the answer beside the caller, as in a shared channel: only what every one of these principals may read is found. At most 100.
    #[schema(example = json!(["group:eng", "user:bo"]), min_items = 1, max_items = 100)]
    audience: Option<Vec<String>>,
    /// Whether the answer is signed: it then has an `envelope` with digests of the query, the answer and each result, which anybody can verify with the server's public key for five minutes.
    #[schema(default = false)]
    signed: Option<bool>,
}

impl SearchForm {
    /// The query to sign the answer for, where it is to be signed.
    pub(super) fn query_to_sign(&self) -> Option<String> {
        self.signed.unwrap_or(false).then(|| self.query.clone())
    }

    /// Checks every field and tells all that are wrong.
    pub(super) fn into_query(self) -> Result<Query, Problem> {
        let mut faults = Faults::default();
        let text = faults.check("/query", QueryText::new(self.query));
        let top_k = faults.bounded("/top_k", self.top_k, TOP_K_MAX as u64);
        let collections = faults.check_at(selection(self.collections));
        let filter =
            faults.check("/filter", self.filter.map_or(Ok(Filter::default()), |filter| Filter::parse(&filter)));
        let mode = faults.check("/mode", mode(self.mode.as_deref()));
        let vector = faults.check("/vector", self.vector.map(Vector::new).transpose());
        let max_tokens = faults.bounded("/max_tokens", self.max_tokens, TOKENS_MAX);
        let max_per_document = faults.bounded("/max_per_document", self.max_per_document, TOP_K_MAX as u64);
        let format = faults.check("/format", format(self.format.as_deref()));
        let min_trust = faults.check("/min_trust", trust(self.min_trust.as_deref()));
        let audience = faults.check_at(audience(self.audience));
        let min_score = faults.share("/min_score", self.min_score);
        let diversity = faults.share("/diversity", self.diversity);
        match (text, collections, filter, mode, vector, format, min_trust) {
            (Some(text), Some(collections), Some(filter), Some(mode), Some(vector), Some(format), Some(min_trust))
                if faults.0.is_empty() =>
            {
                let top_k = top_k.unwrap_or(TOP_K_DEFAULT);
                Ok(Query {
                    text,
                    top_k,
                    collections,
                    filter,
                    mode,
                    vector,
                    max_tokens,
                    max_per_document,
                    prefix: self.prefix.unwrap_or(false),
                    min_score,
                    collapse_duplicates: self.collapse_duplicates.unwrap_or(false),
                    diversity,
                    format,
                    min_trust,
                    audience: audience.flatten(),
                })
            }
            _ => Err(Problem::invalid_fields(faults.0)),
        }
    }
}

#[derive(Default)]
struct Faults(Vec<FieldError>);

impl Faults {
    fn check<T, E: ToString>(&mut self, pointer: &str, checked: Result<T, E>) -> Option<T> {
        self.check_at(checked.map_err(|error| (pointer.to_owned(), error.to_string())))
    }

    fn check_at<T>(&mut self, checked: Result<T, (String, String)>) -> Option<T> {
        checked.map_err(|(pointer, detail)| self.0.push(FieldError { pointer, detail })).ok()
    }

    fn bounded(&mut self, pointer: &str, value: Option<u64>, max: u64) -> Option<usize> {
        let value = value?;
        let checked = usize::try_from(value).ok().filter(|_| (1..=max).contains(&value));
        self.check(pointer, checked.ok_or_else(|| format!("must be from 1 to {max}")))
    }

    fn share(&mut self, pointer: &str, value: Option<f32>) -> Option<f32> {
        let value = value?;
        self.check(pointer, if (0.0..=1.0).contains(&value) { Ok(value) } else { Err("must be from 0 to 1") })
    }
}

fn selection(names: Option<Vec<String>>) -> Result<Selection, (String, String)> {
    let Some(names) = names else { return Ok(Selection::All) };
    if names.len() > COLLECTIONS_MAX {
        return Err(("/collections".to_owned(), format!("has more than {COLLECTIONS_MAX} entries")));
    }
    let id = |(index, name): (usize, &String)| {
        CollectionId::new(name).map_err(|error| (format!("/collections/{index}"), error.to_string()))
    };
    names.iter().enumerate().map(id).collect::<Result<_, _>>().map(Selection::Only)
}

/// Nobody as an audience would be satisfied by everything, so it is taken for a mistake.
fn audience(names: Option<Vec<String>>) -> Result<Option<BTreeSet<Principal>>, (String, String)> {
    let Some(names) = names else { return Ok(None) };
    if !(1..=AUDIENCE_MAX).contains(&names.len()) {
        return Err(("/audience".to_owned(), format!("must have from 1 to {AUDIENCE_MAX} entries")));
    }
    let principal = |(index, name): (usize, &String)| {
        Principal::new(name).map_err(|error| (format!("/audience/{index}"), error.to_string()))
    };
    names.iter().enumerate().map(principal).collect::<Result<_, _>>().map(Some)
}

fn trust(name: Option<&str>) -> Result<Trust, &'static str> {
    let Some(name) = name else { return Ok(Trust::default()) };
    Trust::from_name(name).ok_or("must be one of `untrusted`, `internal`, `curated`")
}

fn mode(name: Option<&str>) -> Result<Mode, &'static str> {
    match name {
        None | Some("hybrid") => Ok(Mode::Hybrid),
        Some("keyword") => Ok(Mode::Keyword),
        Some("vector") => Ok(Mode::Vector),
        Some(_) => Err("must be one of `hybrid`, `keyword`, `vector`"),
    }
}

fn format(name: Option<&str>) -> Result<ContextFormat, String> {
    let Some(name) = name else { return Ok(ContextFormat::default()) };
    ContextFormat::from_name(name).ok_or_else(|| {
        let names: Vec<_> = ContextFormat::ALL.iter().map(|format| format!("`{}`", format.name())).collect();
        format!("must be one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(body: &Value, expected: &[&str]) {
        let parsed = super::super::json::from_value::<SearchForm>(body.clone()).and_then(SearchForm::into_query);
        let found: Vec<_> = parsed.err().into_iter().flat_map(|problem| problem.errors).collect();
        let found: Vec<_> = found.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn takes_the_contracts_example() {
        check(
            &json!({
                "query": "how do we rotate signing keys?", "top_k": 8, "collections": ["handbook"],
                "filter": {"metadata.lang": "en", "metadata.year": {"gte": 2024}},
                "mode": "hybrid", "vector": null, "max_tokens": 2000, "max_per_document": 3,
                "format": "json", "min_trust": "untrusted"
            }),
            &[],
        );
        check(&json!({"query": "x"}), &[]);
    }

    #[test]
    fn tells_every_wrong_field() {
        check(&json!({}), &["/query"]);
        check(&json!({"query": 1}), &["/query"]);
        check(&json!({"query": "x", "k": 1}), &["/k"]);
        check(
            &json!({"query": " ", "top_k": 0, "collections": ["a", "../b"]}),
            &["/query", "/top_k", "/collections/1"],
        );
        check(&json!({"query": "x".repeat(8193)}), &["/query"]);
        check(&json!({"query": "x", "top_k": 101, "mode": "fuzzy", "format": "xml"}), &["/top_k", "/mode", "/format"]);
        check(&json!({"query": "x", "top_k": -1}), &["/top_k"]);
        check(&json!({"query": "x", "min_score": 0, "diversity": 1, "prefix": true, "collapse_duplicates": true}), &[]);
        check(&json!({"query": "x", "min_score": -0.1, "diversity": 1.5}), &["/min_score", "/diversity"]);
        check(&json!({"query": "x", "diversity": 1e39}), &["/diversity"]);
        check(&json!({"query": "x", "prefix": "yes"}), &["/prefix"]);
        check(&json!({"query": "x", "vector": [0, 0], "min_trust": "some"}), &["/vector", "/min_trust"]);
        check(&json!({"query": "x", "filter": {"acl": "user:a"}, "max_tokens": 0}), &["/filter", "/max_tokens"]);
    }
}
