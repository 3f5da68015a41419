//! What a client finds out about the directory before it uses it.

use axum::{extract::State, response::Response};
use serde_json::{Value, json};

use super::answer;
use crate::{
    administration::scim_resource::COUNT_MAX,
    authz::{ManageDirectory, Permit},
    http::{
        gate::Ask,
        names::Names,
        problem::{Code, Problem},
        state::Server,
    },
    scim::schema::{self, ResourceType},
};

/// What is supported
///
/// Scope `acl`, as for everything here.
#[utoipa::path(
    get, path = "/scim/v2/ServiceProviderConfig", tag = "scim", operation_id = "scim_service_provider_config",
    responses((status = 200, description = "What is supported", content_type = "application/scim+json", body = Object))
)]
pub(super) async fn service_provider_config(State(server): State<Server>, ask: Ask) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let config = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": COUNT_MAX},
        "changePassword": {"supported": false},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer",
            "description": "An API key of the tenant with the scope `acl`, or a token of a configured issuer with it",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": "/scim/v2/ServiceProviderConfig"},
    });
    described(&server, &permit, config, ask.id()).await
}

/// The schemas of users and groups
///
/// Scope `acl`. The attributes that the tenant declares to come from its directory are an extension of the user.
#[utoipa::path(
    get, path = "/scim/v2/Schemas", tag = "scim", operation_id = "scim_schemas",
    responses((status = 200, description = "The schemas", content_type = "application/scim+json", body = Object))
)]
pub(super) async fn schemas(State(server): State<Server>, ask: Ask) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let all = all_schemas(&server, &permit)?;
    described(&server, &permit, answer::list(all.len(), 1, &all), ask.id()).await
}

/// One schema
///
/// Scope `acl`.
#[utoipa::path(
    get, path = "/scim/v2/Schemas/{id}", tag = "scim", operation_id = "scim_schema",
    params(("id" = String, Path, description = "The schema's URN")),
    responses((status = 200, description = "The schema", content_type = "application/scim+json", body = Object))
)]
pub(super) async fn schema(
    State(server): State<Server>,
    ask: Ask,
    Names(id): Names<String>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let found = named(all_schemas(&server, &permit)?, &id)?;
    described(&server, &permit, found, ask.id()).await
}

/// The types of resources
///
/// Scope `acl`.
#[utoipa::path(
    get, path = "/scim/v2/ResourceTypes", tag = "scim", operation_id = "scim_resource_types",
    responses((status = 200, description = "The types", content_type = "application/scim+json", body = Object))
)]
pub(super) async fn resource_types(State(server): State<Server>, ask: Ask) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let all: Vec<Value> = types(&server, &permit)?.iter().map(ResourceType::describe).collect();
    described(&server, &permit, answer::list(all.len(), 1, &all), ask.id()).await
}

/// One type of resources
///
/// Scope `acl`.
#[utoipa::path(
    get, path = "/scim/v2/ResourceTypes/{id}", tag = "scim", operation_id = "scim_resource_type",
    params(("id" = String, Path, description = "`User` or `Group`")),
    responses((status = 200, description = "The type", content_type = "application/scim+json", body = Object))
)]
pub(super) async fn resource_type(
    State(server): State<Server>,
    ask: Ask,
    Names(id): Names<String>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageDirectory>()?;
    let all = types(&server, &permit)?.iter().map(ResourceType::describe).collect();
    described(&server, &permit, named(all, &id)?, ask.id()).await
}

/// Search for users and groups at once
///
/// Not done: 501. `/scim/v2/Users/.search` and `/scim/v2/Groups/.search` are.
#[utoipa::path(
    post, path = "/scim/v2/.search", tag = "scim", operation_id = "scim_search",
    responses((status = 501, description = "It is not done"))
)]
pub(super) async fn search_all(ask: Ask) -> Result<Response, Problem> {
    ask.permit::<ManageDirectory>()?;
    Err(Problem::new(Code::NotImplemented, "search for users or for groups, each by itself"))
}

/// Several operations in one request
///
/// Not done: 501.
#[utoipa::path(
    post, path = "/scim/v2/Bulk", tag = "scim", operation_id = "scim_bulk",
    responses((status = 501, description = "It is not done"))
)]
pub(super) async fn bulk(ask: Ask) -> Result<Response, Problem> {
    ask.permit::<ManageDirectory>()?;
    Err(Problem::new(Code::NotImplemented, "send each operation by itself"))
}

fn types(server: &Server, permit: &Permit<ManageDirectory>) -> Result<[ResourceType; 2], Problem> {
    Ok([server.administration.user_type(permit)?, schema::group()])
}

fn all_schemas(server: &Server, permit: &Permit<ManageDirectory>) -> Result<Vec<Value>, Problem> {
    let types = types(server, permit)?;
    let descriptions = schema::of_descriptions();
    let of_types = types.iter().flat_map(|kind| std::iter::once(&kind.core).chain(&kind.extensions));
    Ok(of_types.chain(&descriptions).map(schema::Schema::describe).collect())
}

fn named(all: Vec<Value>, id: &str) -> Result<Value, Problem> {
    all.into_iter().find(|described| described["id"] == id).ok_or_else(Problem::not_found)
}

async fn described(
    server: &Server,
    permit: &Permit<ManageDirectory>,
    body: Value,
    request_id: &str,
) -> Result<Response, Problem> {
    let (body, receipt) = server.administration.described(permit, body, request_id).await?.into_parts();
    Ok(answer::plain(&body, receipt))
}
