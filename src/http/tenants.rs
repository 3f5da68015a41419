//! `/v1/tenants`: made, listed and deleted by operators.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::TenantId;
use serde::{Deserialize, Serialize};

use super::{
    body::read_bounded,
    gate::Ask,
    json,
    names::{self, Names},
    page::{PageQuery, next_cursor},
    problem::Problem,
    reply::{no_content, reply, reply_written},
    state::Server,
};
use crate::{acl_form, store::TenantRecord};

const NAME_BYTES_MAX: usize = 256;
const PURPOSE: &str = "tenants";

/// A tenant to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantForm {
    /// Its name in keys and logs: letters, digits, `_`, `-` and `.`, at most 64.
    #[schema(example = "acme")]
    id: String,
    /// Its name for people; the id without it.
    #[schema(example = "Acme Ltd")]
    name: Option<String>,
}

/// A tenant.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Tenant, example = json!({"id": "acme", "name": "Acme Ltd", "created_at": "2026-11-03T09:12:44Z"}))]
struct TenantView {
    /// Its name in keys and logs.
    id: String,
    /// Its name for people.
    name: String,
    /// When it was made.
    created_at: String,
}

/// A page of tenants.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"tenants": [{"id": "acme", "name": "Acme Ltd", "created_at": "2026-11-03T09:12:44Z"}], "next_cursor": null}))]
pub(super) struct TenantList {
    /// The tenants, by id.
    tenants: Vec<TenantView>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

impl TenantView {
    fn new(tenant: &TenantRecord) -> Self {
        Self {
            id: tenant.id.to_string(),
            name: tenant.name.clone(),
            created_at: acl_form::format_time(tenant.created_at),
        }
    }
}

/// Make a tenant
///
/// Operators only.
#[utoipa::path(
    post, path = "/v1/tenants", tag = "tenants", operation_id = "create_tenant",
    request_body = TenantForm,
    responses(
        (status = 201, description = "The tenant", body = TenantView),
        (status = 409, description = "The id is taken", body = super::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(super) async fn create(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.operator()?;
    json::require_json(&headers)?;
    let form = json::parse::<TenantForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let id = TenantId::new(&form.id).map_err(|error| Problem::invalid("/id", error.to_string()))?;
    let name = form.name.unwrap_or_else(|| id.to_string());
    if name.trim().is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        let detail = format!("must be a text of 1 to {NAME_BYTES_MAX} bytes without control characters");
        return Err(Problem::invalid("/name", detail));
    }
    let answer = server.administration.create_tenant(&permit, id, name, ask.id()).await?;
    let ((tenant, revision), receipt) = answer.into_parts();
    Ok(reply_written(StatusCode::CREATED, &TenantView::new(&tenant), &revision, receipt))
}

/// Read a tenant
///
/// Operators only.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}", tag = "tenants", operation_id = "get_tenant",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, description = "The tenant", body = TenantView))
)]
pub(super) async fn get(
    State(server): State<Server>,
    ask: Ask,
    Names(tenant): Names<String>,
) -> Result<Response, Problem> {
    let permit = ask.operator()?;
    let tenant = names::known_tenant(&tenant)?;
    let (tenant, receipt) = server.administration.tenant(&permit, &tenant, ask.id()).await?.into_parts();
    Ok(reply(StatusCode::OK, &TenantView::new(&tenant), receipt))
}

/// List tenants
///
/// Operators only.
#[utoipa::path(
    get, path = "/v1/tenants", tag = "tenants", operation_id = "list_tenants",
    params(
        ("limit" = Option<usize>, Query, description = "How many entries a page has, 1 to 500; 50 without it"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "The tenants", body = TenantList))
)]
pub(super) async fn list(State(server): State<Server>, ask: Ask, page: PageQuery) -> Result<Response, Problem> {
    let permit = ask.operator()?;
    let page = page.without_tenant()?;
    let sealer = ask.sealer(&server);
    let after = page.after(&sealer, PURPOSE)?.and_then(|name| TenantId::new(&name).ok());
    let answer = server.administration.tenants(&permit, after.as_ref(), page.limit, ask.id()).await?;
    let (found, receipt) = answer.into_parts();
    let last = found.entries.last().map(|tenant| tenant.id.as_str());
    let next_cursor = next_cursor(&sealer, PURPOSE, found.has_more, last);
    let tenants = found.entries.iter().map(|tenant| TenantView::new(tenant)).collect();
    Ok(reply(StatusCode::OK, &TenantList { tenants, next_cursor }, receipt))
}

/// Delete a tenant with everything it has
///
/// Operators only. Its keys stop working with the answer.
#[utoipa::path(
    delete, path = "/v1/tenants/{tenant}", tag = "tenants", operation_id = "delete_tenant",
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 204, description = "It is gone"))
)]
pub(super) async fn delete(
    State(server): State<Server>,
    ask: Ask,
    Names(tenant): Names<String>,
) -> Result<Response, Problem> {
    let permit = ask.operator()?;
    let tenant = names::known_tenant(&tenant)?;
    let (revision, receipt) = server.administration.delete_tenant(&permit, tenant, ask.id()).await?.into_parts();
    Ok(no_content(&revision, receipt))
}
