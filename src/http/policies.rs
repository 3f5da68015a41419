//! `/v1/policies`: a tenant's policies in Cedar, their versions and settings.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::PolicyName;
use serde::{Deserialize, Serialize};

use super::{
    body::read_bounded,
    emergency::one_line,
    gate::Ask,
    json,
    names::{self, Names},
    page::{PageQuery, next_cursor},
    problem::Problem,
    reply::{no_content, reply, reply_written},
    state::Server,
};
use crate::{
    acl_form::format_time,
    administration::policies::{CheckedPolicy, DESCRIPTION_BYTES_MAX, PolicyMade, PolicyRequest},
    authz::ManagePolicies,
    store::{PolicyRecord, PolicySettings},
};

const PURPOSE: &str = "policies";
const VERSIONS: &str = "policy versions";

/// A policy to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyForm {
    /// One or several Cedar statements that hold to the schema; at most 16 KiB. `policy` and `cedar` are understood as well.
    #[serde(alias = "policy", alias = "cedar")]
    #[schema(
        example = "forbid (principal in Group::\"contractors\", action, resource in Collection::\"hr\");",
        max_length = 16384
    )]
    text: String,
    /// What it is for.
    #[schema(example = "Contractors read nothing of HR", max_length = 1024)]
    description: Option<String>,
    /// Why it must hold although permission tests fail with it, in at most 500 bytes: for an emergency. Only a policy that permits nothing, and replaces none that forbids, can be forced. It is recorded.
    #[schema(example = json!(null), max_length = 500)]
    force: Option<String>,
}

/// A policy.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Policy, example = json!({
    "name": "no-contractors", "version": 2, "text": "forbid (principal in Group::\"contractors\", action, resource in Collection::\"hr\");",
    "description": "Contractors read nothing of HR", "forbids": true, "permits": false, "depends_on_context": false,
    "warnings": [], "written_at": "2026-11-03T09:12:44Z", "written_by": "service:admin", "revision": "…"
}))]
struct PolicyView {
    /// Its name.
    name: String,
    /// Counts its changes, from 1 on.
    version: u32,
    /// The Cedar text.
    text: String,
    /// What it is for.
    description: String,
    /// Whether a statement forbids.
    forbids: bool,
    /// Whether a statement permits; it takes part only where the settings say so.
    permits: bool,
    /// Whether it looks at the time, the purpose, the network or the device: then it is evaluated for each request.
    depends_on_context: bool,
    /// What the validator finds strange, such as a statement that can never apply.
    warnings: Vec<String>,
    /// When this version was written.
    written_at: String,
    /// By whom.
    written_by: String,
    /// The permission tests that fail with it; only in the answer to a change that was forced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failing_tests: Vec<String>,
    /// The revision of the change; only in the answer to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
}

/// A page of policies.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"policies": [], "next_cursor": null}))]
pub(super) struct PolicyList {
    /// The policies, by name.
    policies: Vec<PolicyView>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

/// One version of a policy.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicyVersion)]
struct VersionView {
    /// Counts its changes, from 1 on.
    version: u32,
    /// The Cedar text; `null` for its deletion.
    text: Option<String>,
    /// What it is for.
    description: String,
    /// When it was written.
    written_at: String,
    /// By whom.
    written_by: String,
}

/// A page of versions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicyVersions, example = json!({
    "name": "no-contractors", "versions": [{"version": 2, "text": null, "description": "", "written_at": "2026-11-03T09:12:44Z", "written_by": "service:admin"}], "next_cursor": null
}))]
pub(super) struct VersionList {
    /// The policy.
    name: String,
    /// Its versions, the newest first; the last 50 are kept.
    versions: Vec<VersionView>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

/// The schema.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicySchema, example = json!({"format": "cedarschema", "schema": "entity Group; …"}))]
pub(super) struct SchemaView {
    /// How it is written.
    format: &'static str,
    /// The schema that every policy holds to; it is the same for all tenants.
    schema: &'static str,
}

/// What holds for all policies of the tenant.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySettingsForm {
    /// Whether policies that permit take part. They stand in for an entry of `allow`, and for nothing else.
    #[schema(example = false)]
    permit: bool,
}

/// What holds for all policies of the tenant.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicySettings, example = json!({"permit": false, "revision": "…"}))]
struct SettingsView {
    /// Whether policies that permit take part.
    permit: bool,
    /// The revision of the change; only in the answer to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
}

impl PolicyView {
    fn new(checked: CheckedPolicy, revision: Option<String>) -> Self {
        let CheckedPolicy { record, policy } = checked;
        let policy = policy.as_deref();
        Self {
            name: record.name.to_string(),
            version: record.version,
            text: record.text.unwrap_or_default(),
            description: record.description,
            forbids: policy.is_some_and(ringfence_indexes::TenantPolicy::forbids),
            permits: policy.is_some_and(ringfence_indexes::TenantPolicy::permits),
            depends_on_context: policy.is_some_and(ringfence_indexes::TenantPolicy::depends_on_context),
            warnings: policy.map(|policy| policy.warnings().to_vec()).unwrap_or_default(),
            written_at: format_time(record.written_at),
            written_by: record.written_by,
            failing_tests: Vec::new(),
            revision,
        }
    }
}

impl VersionView {
    fn new(record: PolicyRecord) -> Self {
        Self {
            version: record.version,
            text: record.text,
            description: record.description,
            written_at: format_time(record.written_at),
            written_by: record.written_by,
        }
    }
}

impl SettingsView {
    const fn new(settings: &PolicySettings, revision: Option<String>) -> Self {
        Self { permit: settings.permit, revision }
    }
}

fn description(text: Option<String>) -> Result<String, Problem> {
    let text = text.unwrap_or_default();
    if text.len() > DESCRIPTION_BYTES_MAX || text.contains(|character: char| character.is_control()) {
        let detail = format!("must be a text of at most {DESCRIPTION_BYTES_MAX} bytes without control characters");
        return Err(Problem::invalid("/description", detail));
    }
    Ok(text)
}

/// Make or replace a tenant policy
///
/// Scope `policy`. The text is checked against the schema, and the tenant's permission tests are run with it: where one fails, nothing is changed (422 `tests_fail`), unless the policy can only narrow and is forced. In effect for every request that begins after the answer.
#[utoipa::path(
    put, path = "/v1/policies/{name}", tag = "policies", operation_id = "put_policy",
    params(("name" = String, Path, description = "The policy: letters, digits, `_`, `-` and `.`")),
    request_body = PolicyForm,
    responses((status = 200, description = "The policy", body = PolicyView))
)]
pub(super) async fn put(
    State(server): State<Server>,
    ask: Ask,
    Names(name): Names<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    let name = names::new(PolicyName::new(&name), "name")?;
    json::require_json(&headers)?;
    let form = json::parse::<PolicyForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let description = description(form.description)?;
    let force = form.force.as_deref().map(|text| one_line("/force", text)).transpose();
    let force = force.map_err(|fault| Problem::invalid_fields(vec![fault]))?;
    let request = PolicyRequest { text: form.text, description, force };
    let made = server.administration.put_policy(&permit, name, request, ask.id()).await?;
    let (PolicyMade { policy, failing, revision }, receipt) = made.into_parts();
    let view = PolicyView { failing_tests: failing, ..PolicyView::new(policy, Some(revision.clone())) };
    Ok(reply_written(StatusCode::OK, &view, &revision, receipt))
}

/// Read a tenant policy
///
/// Scope `policy`.
#[utoipa::path(
    get, path = "/v1/policies/{name}", tag = "policies", operation_id = "get_policy",
    params(("name" = String, Path, description = "The policy")),
    responses((status = 200, description = "The policy", body = PolicyView))
)]
pub(super) async fn get(
    State(server): State<Server>,
    ask: Ask,
    Names(name): Names<String>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    let name = names::known(PolicyName::new(&name))?;
    let (policy, receipt) = server.administration.policy(&permit, &name, ask.id()).await?.into_parts();
    Ok(reply(StatusCode::OK, &PolicyView::new(policy, None), receipt))
}

/// List tenant policies
///
/// Scope `policy`.
#[utoipa::path(
    get, path = "/v1/policies", tag = "policies", operation_id = "list_policies",
    params(
        ("limit" = Option<usize>, Query, description = "How many entries a page has, 1 to 500; 50 without it"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "The policies", body = PolicyList))
)]
pub(super) async fn list(State(server): State<Server>, ask: Ask, page: PageQuery) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    let page = page.without_tenant()?;
    let sealer = ask.sealer(&server);
    let after = page.after(&sealer, PURPOSE)?.and_then(|name| PolicyName::new(&name).ok());
    let answer = server.administration.policies(&permit, after.as_ref(), page.limit, ask.id()).await?;
    let (found, receipt) = answer.into_parts();
    let last = found.entries.last().map(|policy| policy.record.name.as_str());
    let next_cursor = next_cursor(&sealer, PURPOSE, found.has_more, last);
    let policies = found.entries.into_iter().map(|policy| PolicyView::new(policy, None)).collect();
    Ok(reply(StatusCode::OK, &PolicyList { policies, next_cursor }, receipt))
}

/// Delete a tenant policy
///
/// Scope `policy`. The permission tests are run without it, as for `PUT`. The revision of the deletion is in the header `Ringfence-Revision`.
#[utoipa::path(
    delete, path = "/v1/policies/{name}", tag = "policies", operation_id = "delete_policy",
    params(("name" = String, Path, description = "The policy")),
    responses((status = 204, description = "It is gone"))
)]
pub(super) async fn delete(
    State(server): State<Server>,
    ask: Ask,
    Names(name): Names<String>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    let name = names::known(PolicyName::new(&name))?;
    let (revision, receipt) = server.administration.delete_policy(&permit, name, ask.id()).await?.into_parts();
    Ok(no_content(&revision, receipt))
}

/// List the versions of a tenant policy
///
/// Scope `policy`. The newest first; those of a deleted policy can still be read.
#[utoipa::path(
    get, path = "/v1/policies/{name}/versions", tag = "policies", operation_id = "list_policy_versions",
    params(
        ("name" = String, Path, description = "The policy"),
        ("limit" = Option<usize>, Query, description = "How many entries a page has, 1 to 500; 50 without it"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "The versions", body = VersionList))
)]
pub(super) async fn versions(
    State(server): State<Server>,
    ask: Ask,
    Names(name): Names<String>,
    page: PageQuery,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    let name = names::known(PolicyName::new(&name))?;
    let page = page.without_tenant()?;
    let sealer = ask.sealer(&server);
    // The cursor is for this policy: that of another is none.
    let purpose = format!("{VERSIONS} of {name}");
    let before = page.after(&sealer, &purpose)?.and_then(|version| version.parse().ok());
    let answer = server.administration.policy_versions(&permit, &name, before, page.limit, ask.id()).await?;
    let (found, receipt) = answer.into_parts();
    let last = found.entries.last().map(|record| record.version.to_string());
    let next_cursor = next_cursor(&sealer, &purpose, found.has_more, last.as_deref());
    let versions = found.entries.into_iter().map(VersionView::new).collect();
    Ok(reply(StatusCode::OK, &VersionList { name: name.to_string(), versions, next_cursor }, receipt))
}

/// Read the schema of tenant policies
///
/// Scope `policy`. What a policy may look at; it is the same for every tenant.
#[utoipa::path(
    get, path = "/v1/policies:schema", tag = "policies", operation_id = "get_policy_schema",
    responses((status = 200, description = "The schema", body = SchemaView))
)]
pub(super) async fn schema(State(server): State<Server>, ask: Ask) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    let (schema, receipt) = server.administration.policy_schema(&permit, ask.id()).await?.into_parts();
    Ok(reply(StatusCode::OK, &SchemaView { format: "cedarschema", schema }, receipt))
}

/// Read the settings of tenant policies
///
/// Scope `policy`.
#[utoipa::path(
    get, path = "/v1/policies:settings", tag = "policies", operation_id = "get_policy_settings",
    responses((status = 200, description = "The settings", body = SettingsView))
)]
pub(super) async fn settings(State(server): State<Server>, ask: Ask) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    let (settings, receipt) = server.administration.policy_settings(&permit, ask.id()).await?.into_parts();
    Ok(reply(StatusCode::OK, &SettingsView::new(&settings, None), receipt))
}

/// Change the settings of tenant policies
///
/// Scope `policy`. Without `permit`, policies that permit are refused, and those that are there take no part. The permission tests are run with the change, as for a policy.
#[utoipa::path(
    put, path = "/v1/policies:settings", tag = "policies", operation_id = "put_policy_settings",
    request_body = PolicySettingsForm,
    responses((status = 200, description = "The settings", body = SettingsView))
)]
pub(super) async fn put_settings(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    json::require_json(&headers)?;
    let form = json::parse::<PolicySettingsForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let answer = server.administration.enable_permit(&permit, form.permit, ask.id()).await?;
    let ((settings, revision), receipt) = answer.into_parts();
    Ok(reply_written(StatusCode::OK, &SettingsView::new(&settings, Some(revision.clone())), &revision, receipt))
}
