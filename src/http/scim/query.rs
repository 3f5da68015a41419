//! What a request of SCIM asks beside its body: filters, pages, parts, versions.

use axum::{
    extract::{FromRequestParts, Query},
    http::{HeaderMap, header, request::Parts},
};
use serde_json::Value;

use crate::{
    administration::scim_resource::{AskedList, AskedParts, IfMatch},
    http::problem::{Code, Problem},
    scim::{Fault, ScimError},
};

/// What a request asks for. Parameters that are not known are left alone: providers send some of their own.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) list: AskedList,
    /// Whether the answer's parts were named.
    pub(super) names_parts: bool,
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Problem::from(ScimError::value("the query is not well-formed")))?;
        let mut asked = Self::default();
        for (name, value) in pairs {
            asked.take(&name, Value::String(value))?;
        }
        Ok(asked)
    }
}

impl Asked {
    /// What a `SearchRequest` asks for.
    pub(super) fn of_body(body: &Value) -> Result<Self, Problem> {
        let fault = || ScimError::new(Fault::InvalidSyntax, "the body must be a JSON object");
        let mut asked = Self::default();
        for (name, value) in body.as_object().ok_or_else(fault)? {
            let value = match value {
                Value::Null => continue,
                Value::Number(number) => Value::String(number.to_string()),
                Value::Array(names) => {
                    Value::String(names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
                }
                other => other.clone(),
            };
            asked.take(name, value)?;
        }
        Ok(asked)
    }

    pub(super) const fn parts(&self) -> &AskedParts {
        &self.list.parts
    }

    fn take(&mut self, name: &str, value: Value) -> Result<(), Problem> {
        let slot = match name {
            "filter" => &mut self.list.filter,
            "sortBy" => &mut self.list.sort_by,
            "sortOrder" => &mut self.list.sort_order,
            "attributes" => &mut self.list.parts.attributes,
            "excludedAttributes" => &mut self.list.parts.excluded,
            "startIndex" => return number(name, &value, &mut self.list.start_index),
            "count" => return number(name, &value, &mut self.list.count),
            _ => return Ok(()),
        };
        self.names_parts |= matches!(name, "attributes" | "excludedAttributes");
        let Value::String(value) = value else { return Err(fault(name, "must be a text")) };
        if slot.replace(value).is_some() {
            return Err(fault(name, "is given more than once"));
        }
        Ok(())
    }
}

fn number(name: &str, value: &Value, slot: &mut Option<i64>) -> Result<(), Problem> {
    let number = value.as_str().and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| fault(name, "must be a whole number"))?;
    if slot.replace(number).is_some() { Err(fault(name, "is given more than once")) } else { Ok(()) }
}

fn fault(name: &str, detail: &str) -> Problem {
    ScimError::value(format_args!("`{name}` {detail}")).into()
}

/// The `If-Match` of a request.
pub(super) fn if_match(headers: &HeaderMap) -> Result<IfMatch, Problem> {
    let mut versions = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        let malformed = || Problem::new(Code::MalformedHeader, "`If-Match` is not a list of entity tags");
        let value = value.to_str().map_err(|_| malformed())?;
        versions.extend(value.split(',').map(|version| version.trim().to_owned()));
    }
    // `*` asks for whichever there is.
    let is_any = versions.is_empty() || versions.iter().any(|version| version == "*");
    Ok(if is_any { IfMatch::Any } else { IfMatch::OneOf(versions) })
}
