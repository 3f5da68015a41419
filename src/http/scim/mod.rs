//! `/scim/v2`: the directory for identity providers (RFC 7644).
//!
//! The resources are the administration's; here are their routes, the media type and the form of refusals. All of it needs the scope `acl`, as `/v1/groups` does. Users and groups have the same operations, each file one resource.

mod answer;
mod discovery;
mod groups;
mod query;
mod users;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    body::read_bounded,
    json,
    problem::{Code, Problem},
    request_id::RequestId,
    state::Server,
};

/// The media type of everything here.
pub(super) const MEDIA_TYPE: &str = "application/scim+json";
const PREFIX: &str = "/scim/v2";
/// Room for ten thousand members with their addresses.
const BODY_BYTES_MAX: usize = 4 << 20;

/// A refusal
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ScimRefusal)]
pub(super) struct Refusal {
    /// `urn:ietf:params:scim:api:messages:2.0:Error`.
    schemas: [&'static str; 1],
    /// The HTTP status, as a text.
    #[schema(example = "409")]
    status: String,
    /// What SCIM calls the fault.
    #[serde(rename = "scimType", skip_serializing_if = "Option::is_none")]
    #[schema(example = "uniqueness")]
    scim_type: Option<&'static str>,
    /// What happened in this case.
    detail: String,
}

/// Every route of SCIM.
pub(super) fn routes() -> OpenApiRouter<Server> {
    OpenApiRouter::new()
        .routes(routes!(discovery::service_provider_config))
        .routes(routes!(discovery::schemas))
        .routes(routes!(discovery::schema))
        .routes(routes!(discovery::resource_types))
        .routes(routes!(discovery::resource_type))
        .routes(routes!(discovery::search_all))
        .routes(routes!(discovery::bulk))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::search))
        .routes(routes!(users::get, users::replace, users::patch, users::delete))
        .routes(routes!(groups::list, groups::create))
        .routes(routes!(groups::search))
        .routes(routes!(groups::get, groups::replace, groups::patch, groups::delete))
}

/// Whether a path is one of SCIM, so that its refusals have the form of SCIM.
pub(super) fn is_scim(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A refusal in the form of SCIM (RFC 7644, 3.12), with the headers of every refusal.
pub(super) fn refusal(problem: &Problem, request_id: &RequestId) -> Response {
    let plain = problem.response(request_id);
    let (status, scim_type) = match problem.code {
        // SCIM knows no 422.
        Code::InvalidFields => (StatusCode::BAD_REQUEST, Some("invalidValue")),
        Code::MalformedJson => (plain.status(), Some("invalidSyntax")),
        Code::Conflict => (plain.status(), problem.scim_type.or(Some("uniqueness"))),
        _ => (plain.status(), problem.scim_type),
    };
    let detail = match problem.errors.first() {
        Some(error) => format!("{}: {}", error.pointer, error.detail),
        None => problem.detail.clone(),
    };
    let body = Refusal {
        schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"],
        status: status.as_u16().to_string(),
        scim_type,
        detail,
    };
    let mut response = (status, axum::Json(body)).into_response();
    for name in [header::CACHE_CONTROL, header::WWW_AUTHENTICATE, header::RETRY_AFTER] {
        if let Some(value) = plain.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

/// A body of SCIM.
async fn read(headers: &HeaderMap, body: Body) -> Result<Value, Problem> {
    if !json::is_media_type(headers, MEDIA_TYPE) && !json::is_media_type(headers, "application/json") {
        return Err(Problem::new(Code::UnsupportedMediaType, format!("send `Content-Type: {MEDIA_TYPE}`")));
    }
    json::parse_value(&read_bounded(body, BODY_BYTES_MAX).await?)
}
