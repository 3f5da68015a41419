//! A good request for each route, which only the credential can make fail.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Answer, Caller};

/// A request.
pub(super) struct Example {
    method: String,
    path: String,
    media_type: Option<&'static str>,
    body: Option<String>,
}

impl Example {
    /// An example of this operation; `None` for one that is not known here.
    pub(super) fn of(method: &str, template: &str, names: &BTreeMap<&'static str, String>) -> Option<Self> {
        let json = |body: Value| Some((Some("application/json"), Some(body.to_string())));
        let plain = Some((None, None));
        let (media_type, body) = match (method, last(template)) {
            ("GET" | "DELETE", _) => plain,
            ("POST", "/v1/search") => json(json!({"query": "secret"})),
            ("POST", "/v1/explain") => {
                json(json!({"principal": "user:ann", "collection": "handbook", "document_id": "d"}))
            }
            ("POST", "/v1/explain:readers") => json(json!({"collection": "handbook", "document_id": "d"})),
            ("POST", "/v1/explain:documents") => json(json!({"principal": "user:ann", "collection": "handbook"})),
            ("POST", "/v1/acl:simulate") => {
                json(json!({"collection": "handbook", "document_id": "d", "acl": {"allow": ["user:ann"]}}))
            }
            ("POST", "/release" | "/reject") => json(json!({"content_hash": names["quarantine hash"]})),
            ("POST", "/v1/reprocess") => json(json!({})),
            ("PUT", "/v1/policies/{}") => {
                json(json!({"text": "forbid (principal == User::\"zoe\", action, resource);"}))
            }
            ("PUT", "/v1/policies:settings") => json(json!({"permit": false})),
            ("PUT", "/v1/policies:tests") | ("POST", "/v1/policies:test") => {
                json(json!({"tests": "expect user:zoe !read collection/handbook/nothing"}))
            }
            ("POST", "/v1/policies:simulate") => json(json!({"name": "eng", "delete": true})),
            ("POST", "/.search" | "/scim/v2/.search" | "/scim/v2/Users/.search" | "/scim/v2/Groups/.search") => {
                json(json!({"count": 1}))
            }
            ("POST", "/scim/v2/Bulk") => json(json!({"Operations": []})),
            ("POST", "/scim/v2/Users") => json(json!({"userName": "made"})),
            ("POST", "/scim/v2/Groups") => json(json!({"displayName": "made"})),
            ("PUT", "/scim/v2/Users/{id}") => json(json!({"userName": "kept"})),
            ("PUT", "/scim/v2/Groups/{id}") => json(json!({"displayName": "kept"})),
            ("PATCH", _) => json(json!({"Operations": [{"op": "add", "path": "externalId", "value": "x"}]})),
            ("PUT", "/v1/attributes") => json(json!({"attributes": {}})),
            ("PUT", "/v1/directory") => json(json!({"users": "any"})),
            ("POST", "/v1/tenants") => json(json!({"id": "made", "name": "Made"})),
            ("POST", "/v1/keys") => json(json!({
                "tenant": "acme", "kind": "user", "name": "new", "subject": "user:new", "scopes": ["search"],
            })),
            ("POST", "/rotate") => json(json!({})),
            ("POST", "/v1/emergency-grants") => json(json!({
                "tenant": null, "principal": "user:ann", "collection": "handbook", "reason": "a drill",
                "expires_at": "2026-11-02T10:00:00Z",
            })),
            ("POST", "/v1/revocations") => json(json!({"subject": "user:spare"})),
            // A genuine form with a token that does not hold: who may exchange hears of it, others hear less.
            ("POST", "/oauth/token") => Some((
                Some("application/x-www-form-urlencoded"),
                Some("grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=x&subject_token_type=urn:ietf:params:oauth:token-type:jwt".to_owned()),
            )),
            ("POST", "/members") => json(json!({"principal": "user:bob"})),
            ("POST", "/documents:batch") => {
                let line = json!({"id": "b", "text": "x", "acl": {"allow": []}});
                Some((Some("application/x-ndjson"), Some(format!("{line}\n"))))
            }
            ("POST", "/documents") => {
                let part = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n";
                Some((Some("multipart/form-data; boundary=b"), Some(part.to_owned())))
            }
            ("PUT", "/acl") => json(json!({"allow": ["everyone"]})),
            ("PUT", "/folders/{}") => json(json!({"acl": {"allow": ["everyone"]}})),
            ("PUT", "/v1/groups/{}") => json(json!({"members": ["user:ann"]})),
            ("PUT", "/v1/collections/{}") => json(json!({"default_acl": {"allow": ["everyone"]}})),
            ("PUT", "/documents/{}") => json(json!({"text": "x", "acl": {"allow": ["everyone"]}})),
            _ => None,
        }?;
        Some(Self { method: method.to_owned(), path: filled(template, names)?, media_type, body })
    }

    pub(super) fn send(&self, caller: &Caller) -> Answer {
        caller.send(&self.method, &self.path, self.media_type, self.body.as_deref().map(str::as_bytes))
    }
}

/// What tells a route apart: its last fixed part, with `{}` for a parameter after it.
fn last(template: &str) -> &str {
    const FORMS: [(&str, &str); 6] = [
        ("/folders/{", "/folders/{}"),
        ("/documents/{", "/documents/{}"),
        ("/v1/groups/{", "/v1/groups/{}"),
        ("/v1/policies/{", "/v1/policies/{}"),
        ("/v1/collections/{", "/v1/collections/{}"),
        ("/v1/keys/{", "/v1/keys/{}"),
    ];
    let Some((_, end)) = template.rsplit_once('/') else { return template };
    if end.starts_with('{') {
        let form = FORMS.iter().find(|(opening, _)| {
            template.rfind(opening).is_some_and(|at| !template[at + opening.len()..].contains('/'))
        });
        return form.map_or(template, |(_, name)| name);
    }
    if template.contains('{') { &template[template.len() - end.len() - 1..] } else { template }
}

/// The template with its parameters filled in; `None` where one is not known.
fn filled(template: &str, names: &BTreeMap<&'static str, String>) -> Option<String> {
    let mut path = String::new();
    for (number, part) in template.split('/').enumerate() {
        if number > 0 {
            path.push('/');
        }
        match part.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((name, rest)) => {
                let owner = template.split('/').nth(number.checked_sub(1)?)?;
                // `{id}` names a document, a key or a tenant by where it stands.
                let name = match owner {
                    "quarantine" => "quarantine collection",
                    _ if template.starts_with("/v1/quarantine/") => "quarantine document",
                    "keys" => "key",
                    "tenants" => "tenant",
                    "Users" => "user",
                    "Groups" => "directory_group",
                    "Schemas" => "schema",
                    "ResourceTypes" => "type",
                    "groups" => "group",
                    "members" => "member",
                    "collections" => "collection",
                    "documents" => "document",
                    "folders" => "folder",
                    _ => name,
                };
                path.push_str(names.get(name)?);
                path.push_str(rest);
            }
            None => path.push_str(part),
        }
    }
    Some(path)
}
