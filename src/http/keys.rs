//! `/v1/keys`: API keys. A key's string is shown once, when it is made or rotated.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::AttributeValue;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    body::read_bounded,
    gate::Ask,
    json,
    key_form::KeyForm,
    names::{self, Names},
    page::{PageQuery, next_cursor},
    problem::Problem,
    reply::{no_content, reply, reply_written},
    state::Server,
};
use crate::{
    acl_form,
    administration::keys::{IssuedKey, KeyManager},
    authn::KeyRecord,
};

const PURPOSE: &str = "keys";
/// The longest that two secrets of a key are taken.
const OVERLAP_SECONDS_MAX: u32 = 604_800;

/// A key, without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Key, example = json!({
    "id": "1f0c2b9d4e5a6b7c8d9e", "tenant": "acme", "kind": "service", "name": "wiki sync", "subject": "service:wiki-sync",
    "scopes": ["search", "ingest", "assert"], "collections": null, "groups": [], "attributes": {}, "networks": null,
    "expires_at": null, "created_at": "2026-11-03T09:12:44Z", "last_used_at": null, "previous_until": null
}))]
struct KeyView {
    /// The public part of the key.
    id: String,
    /// Whose; `null` for an operator's.
    tenant: Option<String>,
    /// `user`, `service`, `agent` or `operator`.
    kind: &'static str,
    /// A name for people.
    name: String,
    /// Whose key it is.
    subject: Option<String>,
    /// What it may do.
    scopes: Vec<&'static str>,
    /// The collections it is limited to; `null` for all.
    collections: Option<Vec<String>>,
    /// Groups of its subject, beside the directory's.
    groups: Vec<String>,
    /// Attributes of its subject.
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
    /// Networks that it may be used from; `null` for all.
    networks: Option<Vec<String>>,
    /// When it ends; `null` for never.
    expires_at: Option<String>,
    /// When it was made.
    created_at: String,
    /// When it was last used; `null` for never.
    last_used_at: Option<String>,
    /// Until when the string before the last rotation is taken as well; `null` where it is not.
    previous_until: Option<String>,
}

/// A key with its string, shown this once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "1f0c2b9d4e5a6b7c8d9e", "tenant": "acme", "kind": "service", "name": "wiki sync", "subject": "service:wiki-sync",
    "scopes": ["search", "ingest", "assert"], "collections": null, "groups": [], "attributes": {}, "networks": null,
    "expires_at": null, "created_at": "2026-11-03T09:12:44Z", "last_used_at": null, "previous_until": null,
    "key": "rf_1f0c2b9d4e5a6b7c8d9e_…", "revision": "…"
}))]
pub(super) struct IssuedKeyView {
    #[serde(flatten)]
    record: KeyView,
    /// The key itself. It is not shown again.
    key: String,
    /// The revision of the change.
    revision: String,
}

/// A page of keys.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"keys": [], "next_cursor": null}))]
pub(super) struct KeyList {
    /// The keys, by id.
    keys: Vec<KeyView>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

impl KeyView {
    fn new(key: &KeyRecord, server: &Server) -> Self {
        let now = server.app.clock.now();
        let previous_until = key.previous.map(|previous| previous.until).filter(|until| now < *until);
        let last_used_at = server.app.authenticator.keyring().uses().last(&key.id);
        Self {
            id: key.id.clone(),
            tenant: key.tenant.as_ref().map(ToString::to_string),
            kind: key.kind.name(),
            name: key.name.clone(),
            subject: key.subject.as_ref().map(ToString::to_string),
            scopes: key.scopes.names(),
            collections: key.collections.as_ref().map(|names| names.iter().map(ToString::to_string).collect()),
            groups: key.groups.iter().map(ToString::to_string).collect(),
            attributes: key.attributes.iter().map(|(name, value)| (name.clone(), attribute(value))).collect(),
            networks: key.networks.clone(),
            expires_at: key.expires_at.map(acl_form::format_time),
            created_at: acl_form::format_time(key.created_at),
            last_used_at: last_used_at.map(acl_form::format_time),
            previous_until: previous_until.map(acl_form::format_time),
        }
    }
}

impl IssuedKeyView {
    fn new(issued: &IssuedKey, server: &Server) -> Self {
        Self {
            record: KeyView::new(&issued.record, server),
            key: issued.key.expose_secret().to_owned(),
            revision: issued.revision.clone(),
        }
    }
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Integer(number) => (*number).into(),
        AttributeValue::Text(text) => text.as_str().into(),
        AttributeValue::Texts(texts) => texts.iter().cloned().collect(),
        AttributeValue::Boolean(is_true) => (*is_true).into(),
    }
}

/// Make a key
///
/// An operator names the `tenant`. A credential with the scope `keys` makes keys of its own tenant that are in no way wider than itself: not in scopes, collections, networks or time, and not in whose eyes they read with. It may give its own subject, groups and attributes or fewer; to name another subject or other groups it needs the scope `assert`, and attributes that it does not have itself it cannot give.
#[utoipa::path(
    post, path = "/v1/keys", tag = "keys", operation_id = "create_key",
    request_body = KeyForm,
    responses((status = 201, description = "The key, with its string this once", body = IssuedKeyView))
)]
pub(super) async fn create(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let manager = ask.key_manager()?;
    json::require_json(&headers)?;
    let form = json::parse::<KeyForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let answer = server.administration.create_key(&manager, form.into_request()?, ask.id()).await?;
    let (issued, receipt) = answer.into_parts();
    Ok(reply_written(StatusCode::CREATED, &IssuedKeyView::new(&issued, &server), &issued.revision, receipt))
}

/// List keys
///
/// Those of the credential's tenant; for an operator, those of all tenants or of the one it names.
#[utoipa::path(
    get, path = "/v1/keys", tag = "keys", operation_id = "list_keys",
    params(
        ("limit" = Option<usize>, Query, description = "How many entries a page has, 1 to 500; 50 without it"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
        ("tenant" = Option<String>, Query, description = "For operators: the keys of this tenant alone")
    ),
    responses((status = 200, description = "The keys", body = KeyList))
)]
pub(super) async fn list(State(server): State<Server>, ask: Ask, page: PageQuery) -> Result<Response, Problem> {
    let manager = ask.key_manager()?;
    let page = match manager {
        KeyManager::Operator(_) => page,
        KeyManager::Tenant(_) => page.without_tenant()?,
    };
    let tenant = page.tenant.as_deref().map(names::known_tenant).transpose()?;
    let sealer = ask.sealer(&server);
    let after = page.after(&sealer, PURPOSE)?;
    let answer = server.administration.keys(&manager, tenant.as_ref(), after.as_deref(), page.limit, ask.id()).await?;
    let (found, receipt) = answer.into_parts();
    let last = found.entries.last().map(|key| key.id.as_str());
    let next_cursor = next_cursor(&sealer, PURPOSE, found.has_more, last);
    let keys = found.entries.iter().map(|key| KeyView::new(key, &server)).collect();
    Ok(reply(StatusCode::OK, &KeyList { keys, next_cursor }, receipt))
}

/// How a key is rotated.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"overlap_seconds": 3600}))]
pub(super) struct Rotation {
    /// How long the old string is taken as well, at most a week; 0 for not at all.
    #[schema(minimum = 0, maximum = 604_800, default = 0)]
    overlap_seconds: u64,
}

/// Give a key a new secret
///
/// The old string is refused from the answer on, or once `overlap_seconds` are over; rotating again ends an overlap. Whoever rotates a key gets it, so it may not be wider than theirs. The body may be left out.
#[utoipa::path(
    post, path = "/v1/keys/{key}/rotate", tag = "keys", operation_id = "rotate_key",
    params(("key" = String, Path, description = "The key's id")),
    request_body = Option<Rotation>,
    responses((status = 200, description = "The key, with its new string this once", body = IssuedKeyView))
)]
pub(super) async fn rotate(
    State(server): State<Server>,
    ask: Ask,
    Names(key): Names<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let manager = ask.key_manager()?;
    let body = read_bounded(body, server.settings.json_bytes_max).await?;
    let rotation = if body.is_empty() {
        Rotation::default()
    } else {
        json::require_json(&headers)?;
        json::parse(&body)?
    };
    let overlap = u32::try_from(rotation.overlap_seconds).ok().filter(|seconds| *seconds <= OVERLAP_SECONDS_MAX);
    let overlap = overlap.ok_or_else(|| {
        Problem::invalid("/overlap_seconds", format!("must be at most {OVERLAP_SECONDS_MAX}: a week"))
    })?;
    let (issued, receipt) = server.administration.rotate_key(&manager, &key, overlap, ask.id()).await?.into_parts();
    Ok(reply_written(StatusCode::OK, &IssuedKeyView::new(&issued, &server), &issued.revision, receipt))
}

/// Revoke a key
///
/// Effective with the answer; requests in flight are refused when they look again.
#[utoipa::path(
    delete, path = "/v1/keys/{key}", tag = "keys", operation_id = "delete_key",
    params(("key" = String, Path, description = "The key's id")),
    responses((status = 204, description = "It is revoked"))
)]
pub(super) async fn delete(
    State(server): State<Server>,
    ask: Ask,
    Names(key): Names<String>,
) -> Result<Response, Problem> {
    let manager = ask.key_manager()?;
    let (revision, receipt) = server.administration.delete_key(&manager, &key, ask.id()).await?.into_parts();
    Ok(no_content(&revision, receipt))
}
