//! The body of `POST /v1/keys`: fields and limits.

use std::collections::BTreeSet;

use ringfence_indexes::{AttributeValue, CollectionId, Principal, TenantId};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::problem::{FieldError, Problem};
use crate::{
    acl_form,
    administration::keys::KeyRequest,
    authn::{KeyKind, attribute_value},
    authz::{Scope, Scopes},
};

const NAME_BYTES_MAX: usize = 256;
/// The most entries of a list of a key.
const ENTRIES_MAX: usize = 1_000;

/// A key to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyForm {
    /// Whose. An operator must name it; others may leave it out.
    #[schema(example = "acme")]
    tenant: Option<String>,
    /// `user`, `service`, `agent` or `operator`.
    #[schema(example = "service")]
    kind: String,
    /// A name for people.
    #[schema(default = "", example = "wiki sync", max_length = 256)]
    name: Option<String>,
    /// Whose key it is: `user:…` for a user, who reads as that person; `service:…` for a program, or nothing for one with a name of its own.
    #[schema(example = "service:wiki-sync")]
    subject: Option<String>,
    /// What it may do.
    #[schema(example = json!(["ingest", "search", "assert"]))]
    scopes: Option<Vec<String>>,
    /// The collections it is limited to; `null` for all.
    #[schema(example = json!(["handbook"]))]
    collections: Option<Vec<String>>,
    /// Groups of its subject, beside the directory's.
    #[schema(example = json!(["group:eng"]))]
    groups: Option<Vec<String>>,
    /// Attributes of its subject, for the `require` of ACLs.
    #[schema(value_type = Option<Object>, example = json!({"clearance": 2}))]
    attributes: Option<Map<String, Value>>,
    /// Networks in CIDR form that it may be used from; `null` for all.
    #[schema(example = json!(["10.0.0.0/8"]))]
    networks: Option<Vec<String>>,
    /// When it ends; `null` for never.
    #[schema(example = "2027-01-01T00:00:00Z")]
    expires_at: Option<String>,
}

impl KeyForm {
    /// Checks every field and tells all that are wrong.
    pub(super) fn into_request(self) -> Result<KeyRequest, Problem> {
        let mut faults = Vec::new();
        let mut fault = |error: FieldError| faults.push(error);
        let tenant = self.tenant.as_deref().map(TenantId::new).transpose();
        let tenant = tenant.map_err(|error| fault(invalid("/tenant", &error)));
        let kind = KeyKind::from_name(&self.kind).ok_or("must be one of `user`, `service`, `agent`, `operator`");
        let kind = kind.map_err(|detail| fault(invalid("/kind", &detail)));
        let name = name(self.name).map_err(&mut fault);
        let subject = self.subject.as_deref().map(Principal::new).transpose();
        let subject = subject.map_err(|error| fault(invalid("/subject", &error)));
        let scopes: Result<Vec<_>, _> = entries("/scopes", self.scopes, |name| {
            Scope::from_name(name).ok_or_else(|| format!("there is no scope `{name}`"))
        });
        let scopes = scopes.map_err(&mut fault);
        let collections: Result<Option<BTreeSet<_>>, _> =
            self.collections.map(|names| entries("/collections", Some(names), CollectionId::new)).transpose();
        let collections = collections.map_err(&mut fault);
        let groups: Result<BTreeSet<_>, _> = entries("/groups", self.groups, Principal::new);
        let groups = groups.map_err(&mut fault);
        let attributes = attributes(self.attributes).map_err(&mut fault);
        let networks: Result<Option<Vec<_>>, _> = self
            .networks
            .map(|networks| entries("/networks", Some(networks), |network| Ok::<_, String>(network.to_owned())))
            .transpose();
        let networks = networks.map_err(&mut fault);
        let expires_at = self.expires_at.as_deref().map(|text| acl_form::parse_time(text).ok_or(TIME)).transpose();
        let expires_at = expires_at.map_err(|detail| fault(invalid("/expires_at", &detail)));
        let checked = (|| {
            Ok::<_, ()>(KeyRequest {
                tenant: tenant?,
                kind: kind?,
                name: name?,
                subject: subject?,
                scopes: scopes?.into_iter().collect::<Scopes>(),
                collections: collections?,
                groups: groups?,
                attributes: attributes?,
                networks: networks?,
                expires_at: expires_at?,
            })
        })();
        checked.map_err(|()| Problem::invalid_fields(faults))
    }
}

const TIME: &str = "must be an RFC 3339 time such as `2026-12-01T08:00:00Z`";

pub(super) fn invalid(pointer: &str, detail: &impl ToString) -> FieldError {
    FieldError { pointer: pointer.to_owned(), detail: detail.to_string() }
}

fn name(name: Option<String>) -> Result<String, FieldError> {
    let name = name.unwrap_or_default();
    if name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        let detail = format!("must be a text of at most {NAME_BYTES_MAX} bytes without control characters");
        return Err(invalid("/name", &detail));
    }
    Ok(name)
}

/// A bounded list of texts, each parsed, with the place of what is wrong.
pub(super) fn entries<T, E: ToString, C: FromIterator<T>>(
    pointer: &str,
    entries: Option<Vec<String>>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<C, FieldError> {
    let entries = entries.unwrap_or_default();
    if entries.len() > ENTRIES_MAX {
        return Err(invalid(pointer, &format!("has more than {ENTRIES_MAX} entries")));
    }
    let parse = |(index, entry): (usize, &String)| {
        parse(entry).map_err(|error| invalid(&format!("{pointer}/{index}"), &error.to_string()))
    };
    entries.iter().enumerate().map(parse).collect()
}

/// Attributes as a credential brings them.
pub(super) fn attributes(
    attributes: Option<Map<String, Value>>,
) -> Result<std::collections::BTreeMap<String, AttributeValue>, FieldError> {
    let attributes = attributes.unwrap_or_default();
    if attributes.len() > ENTRIES_MAX {
        return Err(invalid("/attributes", &format!("has more than {ENTRIES_MAX} entries")));
    }
    let parse = |(name, value): (&String, &Value)| {
        let pointer = format!("/attributes/{}", name.replace('~', "~0").replace('/', "~1"));
        let value = attribute_value(value).ok_or("must be a whole number, a text, a list of texts, true or false");
        value.map(|value| (name.clone(), value)).map_err(|detail| invalid(&pointer, &detail))
    };
    attributes.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(body: &Value, expected: &[&str]) {
        let parsed = super::super::json::from_value::<KeyForm>(body.clone()).and_then(KeyForm::into_request);
        let errors: Vec<FieldError> = parsed.err().into_iter().flat_map(|problem| problem.errors).collect();
        let found: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn takes_the_contracts_example() {
        check(
            &json!({
                "tenant": "acme", "kind": "service", "name": "wiki sync", "subject": "service:wiki-sync",
                "scopes": ["ingest", "search", "assert"], "collections": null, "groups": [], "attributes": {},
                "networks": null, "expires_at": null
            }),
            &[],
        );
        check(&json!({"kind": "user", "attributes": {"clearance": 2, "region": ["eu"], "staff": true}}), &[]);
    }

    #[test]
    fn tells_every_wrong_field() {
        check(&json!({"kind": "service", "secret": "x"}), &["/secret"]);
        check(
            &json!({"tenant": "../x", "kind": "root", "subject": "bob", "scopes": ["search", "all"], "groups": ["eng"]}),
            &["/tenant", "/kind", "/subject", "/scopes/1", "/groups/0"],
        );
        check(
            &json!({"kind": "user", "collections": [""], "attributes": {"a/b": 1.5}, "expires_at": "soon"}),
            &["/collections/0", "/attributes/a~1b", "/expires_at"],
        );
    }
}
