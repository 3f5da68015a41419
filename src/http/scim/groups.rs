//! `/scim/v2/Groups`: the groups of `/v1/groups`, as an identity provider keeps them.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::Value;

use super::{
    answer,
    query::{Asked, if_match},
    read,
};
use crate::{
    administration::scim_resource::WrittenResource,
    authz::ManageDirectory,
    http::{gate::Ask, names::Names, problem::Problem, reply::no_content, state::Server},
};

/// A group
///
/// As RFC 7643 says. A member that is no user or group of the directory has its principal as `value`.
#[derive(utoipa::ToSchema)]
#[schema(as = ScimGroup, value_type = Object, example = json!({
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": "9c2e…", "displayName": "eng",
    "members": [{"value": "b1f0…", "$ref": "/scim/v2/Groups/b1f0…", "type": "User"}],
    "meta": {"resourceType": "Group", "created": "2026-11-02T09:00:00Z", "lastModified": "2026-11-02T09:00:00Z", "location": "/scim/v2/Groups/9c2e…", "version": "W/\"…\""}
}))]
#[expect(dead_code, reason = "only describes a body")]
pub(super) struct GroupBody(Value);

/// List groups
///
/// Scope `acl`. All groups that fulfil the filter, page by page.
#[utoipa::path(
    get, path = "/scim/v2/Groups", tag = "scim", operation_id = "scim_list_groups",
    params(
        ("filter" = Option<String>, Query, description = "As RFC 7644 says, such as `displayName eq \"eng\"`"),
        ("startIndex" = Option<i64>, Query, description = "The first of the page, from 1"),
        ("count" = Option<i64>, Query, description = "How many a page has, 500 at most; 100 without it"),
        ("sortBy" = Option<String>, Query, description = "The attribute that orders the list"),
        ("sortOrder" = Option<String>, Query, description = "`ascending` or `descending`"),
        ("attributes" = Option<String>, Query, description = "Only these attributes, separated by commas"),
        ("excludedAttributes" = Option<String>, Query, description = "All but these attributes")
    ),
    responses((status = 200, description = "The groups", content_type = "application/scim+json", body = Object))
)]
pub(super) async fn list(State(server): State<Server>, ask: Ask, asked: Asked) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let (page, receipt) = server.administration.scim_groups(&permit, &asked.list, ask.id()).await?.into_parts();
    Ok(answer::page(page, receipt))
}

/// Search for groups
///
/// Scope `acl`. The same as the list, asked in a body.
#[utoipa::path(
    post, path = "/scim/v2/Groups/.search", tag = "scim", operation_id = "scim_search_groups",
    request_body(content = Object, content_type = "application/scim+json"),
    responses((status = 200, description = "The groups", content_type = "application/scim+json", body = Object))
)]
pub(super) async fn search(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let asked = Asked::of_body(&read(&headers, body).await?)?;
    let (page, receipt) = server.administration.scim_groups(&permit, &asked.list, ask.id()).await?.into_parts();
    Ok(answer::page(page, receipt))
}

/// Make a group
///
/// Scope `acl`. The principal is `group:` and the `displayName`, byte for byte; a second group whose name differs by case alone is refused.
#[utoipa::path(
    post, path = "/scim/v2/Groups", tag = "scim", operation_id = "scim_create_group",
    request_body(content = GroupBody, content_type = "application/scim+json"),
    responses((status = 201, description = "The group", content_type = "application/scim+json", body = GroupBody))
)]
pub(super) async fn create(
    State(server): State<Server>,
    ask: Ask,
    asked: Asked,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let body = read(&headers, body).await?;
    let answer = server.administration.create_scim_group(&permit, &body, asked.parts(), ask.id()).await?;
    let (written, receipt) = answer.into_parts();
    Ok(answer::written(StatusCode::CREATED, &written, receipt))
}

/// Read a group
///
/// Scope `acl`.
#[utoipa::path(
    get, path = "/scim/v2/Groups/{id}", tag = "scim", operation_id = "scim_get_group",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = 200, description = "The group", content_type = "application/scim+json", body = GroupBody))
)]
pub(super) async fn get(
    State(server): State<Server>,
    ask: Ask,
    Names(id): Names<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let (seen, receipt) = server.administration.scim_group(&permit, &id, asked.parts(), ask.id()).await?.into_parts();
    Ok(answer::seen(&seen, receipt))
}

/// Replace a group
///
/// Scope `acl`. Where the name changes, ACLs that name the group before do not follow. With `If-Match` only the version that was meant is replaced.
#[utoipa::path(
    put, path = "/scim/v2/Groups/{id}", tag = "scim", operation_id = "scim_replace_group",
    params(("id" = String, Path, description = "The group's id")),
    request_body(content = GroupBody, content_type = "application/scim+json"),
    responses((status = 200, description = "The group", content_type = "application/scim+json", body = GroupBody))
)]
pub(super) async fn replace(
    State(server): State<Server>,
    ask: Ask,
    Names(id): Names<String>,
    asked: Asked,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let if_match = if_match(&headers)?;
    let body = read(&headers, body).await?;
    let administration = &server.administration;
    let answer = administration.replace_scim_group(&permit, (&id, &if_match), &body, asked.parts(), ask.id()).await?;
    let (written, receipt) = answer.into_parts();
    Ok(answer::written(StatusCode::OK, &written, receipt))
}

/// Patch a group
///
/// Scope `acl`. In effect for every request that begins after the answer, and for those in flight. Answered with 204, because a group may be large; with `attributes` or `excludedAttributes` the group is answered.
#[utoipa::path(
    patch, path = "/scim/v2/Groups/{id}", tag = "scim", operation_id = "scim_patch_group",
    params(("id" = String, Path, description = "The group's id")),
    request_body(content = Object, content_type = "application/scim+json"),
    responses(
        (status = 200, description = "The group", content_type = "application/scim+json", body = GroupBody),
        (status = 204, description = "The group is changed")
    )
)]
pub(super) async fn patch(
    State(server): State<Server>,
    ask: Ask,
    Names(id): Names<String>,
    asked: Asked,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let if_match = if_match(&headers)?;
    let body = read(&headers, body).await?;
    let administration = &server.administration;
    let parts = asked.names_parts.then(|| asked.parts());
    let answer = administration.patch_scim_group(&permit, (&id, &if_match), &body, parts, ask.id()).await?;
    let ((seen, revision), receipt) = answer.into_parts();
    Ok(match seen {
        Some(seen) => answer::written(StatusCode::OK, &WrittenResource { seen, revision }, receipt),
        None => no_content(&revision, receipt),
    })
}

/// Delete a group
///
/// Scope `acl`. In effect for every request that begins after the answer, and for those in flight.
#[utoipa::path(
    delete, path = "/scim/v2/Groups/{id}", tag = "scim", operation_id = "scim_delete_group",
    params(("id" = String, Path, description = "The group's id")),
    responses((status = 204, description = "The group is gone"))
)]
pub(super) async fn delete(
    State(server): State<Server>,
    ask: Ask,
    Names(id): Names<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let if_match = if_match(&headers)?;
    let answer = server.administration.delete_scim_group(&permit, (&id, &if_match), ask.id()).await?;
    let (revision, receipt) = answer.into_parts();
    Ok(no_content(&revision, receipt))
}
