//! `/v1/attributes` and `/v1/directory`: what a tenant says of its directory.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::{AttributeType, Declaration, Declarations};
use serde::{Deserialize, Serialize};

use super::{
    body::read_bounded,
    gate::Ask,
    json,
    problem::Problem,
    reply::{reply, reply_written},
    state::Server,
};
use crate::{
    administration::directory::DECLARATIONS_MAX,
    authz::ManageDirectory,
    store::{Setting, source_from, source_name},
};

/// The longest name of an attribute in bytes.
const NAME_BYTES_MAX: usize = 64;

/// One attribute.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeclarationForm {
    /// `string`, `integer`, `boolean` or `strings`. A value of another type counts as missing.
    #[serde(rename = "type")]
    #[schema(example = "integer")]
    kind: String,
    /// Where it may come from: `claims`, `directory`, `keys`. From elsewhere it counts as missing; the directory is believed first.
    #[schema(example = json!(["directory", "claims"]))]
    from: Vec<String>,
}

/// The attributes of a tenant.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AttributesForm {
    /// By name; at most 100. Attributes that are not named here count as their credential gives them.
    #[schema(example = json!({"clearance": {"type": "integer", "from": ["directory"]}}))]
    attributes: BTreeMap<String, DeclarationForm>,
}

/// The declared attributes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Attributes, example = json!({"attributes": {"clearance": {"type": "integer", "from": ["directory"]}}, "revision": "…"}))]
struct AttributesView {
    /// By name.
    attributes: BTreeMap<String, DeclarationForm>,
    /// The revision of the change; only in the answer to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
}

/// Who may ask.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DirectoryForm {
    /// `any`: who has a valid credential, but for users that the directory has deactivated or deleted. `known`: only active users of the directory; programs are not concerned.
    #[schema(example = "known")]
    users: String,
}

/// Who may ask.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Directory, example = json!({"users": "any", "revision": "…"}))]
struct DirectoryView {
    /// `any` or `known`.
    users: &'static str,
    /// The revision of the change; only in the answer to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
}

impl AttributesForm {
    fn declarations(&self) -> Result<Declarations, Problem> {
        if self.attributes.len() > DECLARATIONS_MAX {
            return Err(Problem::invalid("/attributes", format!("has more than {DECLARATIONS_MAX} entries")));
        }
        let declared = self.attributes.iter().map(|(name, form)| Ok((name.clone(), form.declaration(name)?)));
        Ok(Declarations(declared.collect::<Result<_, Problem>>()?))
    }
}

impl DeclarationForm {
    fn declaration(&self, name: &str) -> Result<Declaration, Problem> {
        let pointer = format!("/attributes/{}", name.replace('~', "~0").replace('/', "~1"));
        // What SCIM can name as well.
        let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
        let begins = name.starts_with(|first: char| first.is_ascii_alphabetic());
        if name.len() > NAME_BYTES_MAX || !begins || !name.chars().all(is_plain) {
            let detail = "the name must be letters, digits, `_` and `-`, begin with a letter and not be too long";
            return Err(Problem::invalid(pointer, detail));
        }
        let kind = AttributeType::ALL.into_iter().find(|kind| kind.name() == self.kind);
        let kind = kind.ok_or_else(|| {
            Problem::invalid(format!("{pointer}/type"), "must be `string`, `integer`, `boolean` or `strings`")
        })?;
        let source = |(index, name): (usize, &String)| {
            let detail = "must be `claims`, `directory` or `keys`";
            source_from(name).ok_or_else(|| Problem::invalid(format!("{pointer}/from/{index}"), detail))
        };
        Ok(Declaration { kind, from: self.from.iter().enumerate().map(source).collect::<Result<BTreeSet<_>, _>>()? })
    }

    fn of(declaration: &Declaration) -> Self {
        let from = declaration.from.iter().map(|source| source_name(*source).to_owned());
        Self { kind: declaration.kind.name().to_owned(), from: from.collect() }
    }
}

impl AttributesView {
    fn new(declarations: &Declarations, revision: Option<String>) -> Self {
        let declared = declarations.0.iter();
        let attributes = declared.map(|(name, declaration)| (name.clone(), DeclarationForm::of(declaration)));
        Self { attributes: attributes.collect(), revision }
    }
}

const fn users_name(known_only: bool) -> &'static str {
    if known_only { "known" } else { "any" }
}

/// Read the declared attributes
///
/// Scope `acl`.
#[utoipa::path(
    get, path = "/v1/attributes", tag = "directory", operation_id = "get_attributes",
    responses((status = 200, description = "The attributes", body = AttributesView))
)]
pub(super) async fn get_attributes(State(server): State<Server>, ask: Ask) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let (declarations, receipt) = server.administration.declarations(&permit, ask.id()).await?.into_parts();
    Ok(reply(StatusCode::OK, &AttributesView::new(&declarations, None), receipt))
}

/// Declare attributes
///
/// Scope `acl`. Replaces what was declared before; in effect for every request that begins after the answer. Those that may come from the directory are an extension of its users in SCIM.
#[utoipa::path(
    put, path = "/v1/attributes", tag = "directory", operation_id = "put_attributes",
    request_body = AttributesForm,
    responses((status = 200, description = "The attributes", body = AttributesView))
)]
pub(super) async fn put_attributes(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    json::require_json(&headers)?;
    let form = json::parse::<AttributesForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let declarations = form.declarations()?;
    let setting = Setting::Attributes(declarations.clone());
    let (revision, receipt) = server.administration.put_setting(&permit, setting, ask.id()).await?.into_parts();
    let view = AttributesView::new(&declarations, Some(revision.clone()));
    Ok(reply_written(StatusCode::OK, &view, &revision, receipt))
}

/// Read who may ask
///
/// Scope `acl`.
#[utoipa::path(
    get, path = "/v1/directory", tag = "directory", operation_id = "get_directory",
    responses((status = 200, description = "Who may ask", body = DirectoryView))
)]
pub(super) async fn get(State(server): State<Server>, ask: Ask) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let (known_only, receipt) = server.administration.known_users_only(&permit, ask.id()).await?.into_parts();
    let view = DirectoryView { users: users_name(known_only), revision: None };
    Ok(reply(StatusCode::OK, &view, receipt))
}

/// Say who may ask
///
/// Scope `acl`. In effect for every request that begins after the answer, and for those in flight.
#[utoipa::path(
    put, path = "/v1/directory", tag = "directory", operation_id = "put_directory",
    request_body = DirectoryForm,
    responses((status = 200, description = "Who may ask", body = DirectoryView))
)]
pub(super) async fn put(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    json::require_json(&headers)?;
    let form = json::parse::<DirectoryForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let known_only = match form.users.as_str() {
        "any" => false,
        "known" => true,
        _ => return Err(Problem::invalid("/users", "must be `any` or `known`")),
    };
    let setting = Setting::KnownUsersOnly(known_only);
    let (revision, receipt) = server.administration.put_setting(&permit, setting, ask.id()).await?.into_parts();
    let view = DirectoryView { users: users_name(known_only), revision: Some(revision.clone()) };
    Ok(reply_written(StatusCode::OK, &view, &revision, receipt))
}
