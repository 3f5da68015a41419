//! `/scim/v2/Users`: people who may ask, as an identity provider keeps them.

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
    authz::ManageDirectory,
    http::{gate::Ask, names::Names, problem::Problem, reply::no_content, state::Server},
};

/// A user
///
/// As RFC 7643 says, with the attributes of `/scim/v2/Schemas`.
#[derive(utoipa::ToSchema)]
#[schema(as = ScimUser, value_type = Object, example = json!({
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "b1f0…", "externalId": "00u1", "userName": "alice@example.com",
    "name": {"givenName": "Alice", "familyName": "Ash"}, "emails": [{"value": "alice@example.com", "type": "work", "primary": true}], "active": true,
    "meta": {"resourceType": "User", "created": "2026-11-02T09:00:00Z", "lastModified": "2026-11-02T09:00:00Z", "location": "/scim/v2/Users/b1f0…", "version": "W/\"…\""}
}))]
#[expect(dead_code, reason = "only describes a body")]
pub(super) struct UserBody(Value);

/// List users
///
/// Scope `acl`. All users that fulfil the filter, page by page.
#[utoipa::path(
    get, path = "/scim/v2/Users", tag = "scim", operation_id = "scim_list_users",
    params(
        ("filter" = Option<String>, Query, description = "As RFC 7644 says, such as `userName eq \"alice@example.com\"`"),
        ("startIndex" = Option<i64>, Query, description = "The first of the page, from 1"),
        ("count" = Option<i64>, Query, description = "How many a page has, 500 at most; 100 without it"),
        ("sortBy" = Option<String>, Query, description = "The attribute that orders the list"),
        ("sortOrder" = Option<String>, Query, description = "`ascending` or `descending`"),
        ("attributes" = Option<String>, Query, description = "Only these attributes, separated by commas"),
        ("excludedAttributes" = Option<String>, Query, description = "All but these attributes")
    ),
    responses((status = 200, description = "The users", content_type = "application/scim+json", body = Object))
)]
pub(super) async fn list(State(server): State<Server>, ask: Ask, asked: Asked) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let (page, receipt) = server.administration.users(&permit, &asked.list, ask.id()).await?.into_parts();
    Ok(answer::page(page, receipt))
}

/// Search for users
///
/// Scope `acl`. The same as the list, asked in a body.
#[utoipa::path(
    post, path = "/scim/v2/Users/.search", tag = "scim", operation_id = "scim_search_users",
    request_body(content = Object, content_type = "application/scim+json"),
    responses((status = 200, description = "The users", content_type = "application/scim+json", body = Object))
)]
pub(super) async fn search(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let asked = Asked::of_body(&read(&headers, body).await?)?;
    let (page, receipt) = server.administration.users(&permit, &asked.list, ask.id()).await?.into_parts();
    Ok(answer::page(page, receipt))
}

/// Make a user
///
/// Scope `acl`. The principal is `user:` and the `userName`, byte for byte; a second user whose name differs by case alone is refused.
#[utoipa::path(
    post, path = "/scim/v2/Users", tag = "scim", operation_id = "scim_create_user",
    request_body(content = UserBody, content_type = "application/scim+json"),
    responses((status = 201, description = "The user", content_type = "application/scim+json", body = UserBody))
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
    let answer = server.administration.create_user(&permit, &body, asked.parts(), ask.id()).await?;
    let (written, receipt) = answer.into_parts();
    Ok(answer::written(StatusCode::CREATED, &written, receipt))
}

/// Read a user
///
/// Scope `acl`.
#[utoipa::path(
    get, path = "/scim/v2/Users/{id}", tag = "scim", operation_id = "scim_get_user",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, description = "The user", content_type = "application/scim+json", body = UserBody))
)]
pub(super) async fn get(
    State(server): State<Server>,
    ask: Ask,
    Names(id): Names<String>,
    asked: Asked,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let (seen, receipt) = server.administration.user(&permit, &id, asked.parts(), ask.id()).await?.into_parts();
    Ok(answer::seen(&seen, receipt))
}

/// Replace a user
///
/// Scope `acl`. `active` stays as it is where the body leaves it out. With `If-Match` only the version that was meant is replaced.
#[utoipa::path(
    put, path = "/scim/v2/Users/{id}", tag = "scim", operation_id = "scim_replace_user",
    params(("id" = String, Path, description = "The user's id")),
    request_body(content = UserBody, content_type = "application/scim+json"),
    responses((status = 200, description = "The user", content_type = "application/scim+json", body = UserBody))
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
    let answer = administration.replace_user(&permit, (&id, &if_match), &body, asked.parts(), ask.id()).await?;
    let (written, receipt) = answer.into_parts();
    Ok(answer::written(StatusCode::OK, &written, receipt))
}

/// Patch a user
///
/// Scope `acl`. `active: false` is in effect for every request that begins after the answer, and for those in flight.
#[utoipa::path(
    patch, path = "/scim/v2/Users/{id}", tag = "scim", operation_id = "scim_patch_user",
    params(("id" = String, Path, description = "The user's id")),
    request_body(content = Object, content_type = "application/scim+json"),
    responses((status = 200, description = "The user", content_type = "application/scim+json", body = UserBody))
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
    let answer = administration.patch_user(&permit, (&id, &if_match), &body, asked.parts(), ask.id()).await?;
    let (written, receipt) = answer.into_parts();
    Ok(answer::written(StatusCode::OK, &written, receipt))
}

/// Delete a user
///
/// Scope `acl`. Their keys and memberships go with them, and nobody may ask under the name until it is given to another user, who inherits nothing.
#[utoipa::path(
    delete, path = "/scim/v2/Users/{id}", tag = "scim", operation_id = "scim_delete_user",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 204, description = "The user is gone"))
)]
pub(super) async fn delete(
    State(server): State<Server>,
    ask: Ask,
    Names(id): Names<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let if_match = if_match(&headers)?;
    let answer = server.administration.delete_user(&permit, (&id, &if_match), ask.id()).await?;
    let (revision, receipt) = answer.into_parts();
    Ok(no_content(&revision, receipt))
}
