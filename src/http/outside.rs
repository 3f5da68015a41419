//! The outermost layers: what every answer carries, what is counted of it, and browsers of other origins.

use std::any::Any;

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::Instant;

use super::{gate::method_name, problem::Problem, state::Server};

/// Nothing of the API is a page; the viewer under `/docs` has a policy of its own.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE");
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Ringfence-As, Ringfence-On-Behalf-Of, Ringfence-Meta, Ringfence-Acl, Ringfence-Min-Revision",
);
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("Retry-After, RateLimit, RateLimit-Policy, Ringfence-Revision");
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// Middleware: counts the request and gives every answer its protective headers.
pub(super) async fn observe(State(server): State<Server>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    server.metrics.request(method, route, response.status().as_u16(), started.elapsed());
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    for (name, value) in [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ] {
        headers.entry(name).or_insert(value);
    }
    response
}

/// Middleware: lets browsers of the configured origins call, and answers their preflight requests.
pub(super) async fn cors(State(server): State<Server>, request: Request, next: Next) -> Response {
    let cors = &server.app.config.cors;
    if cors.origins.is_empty() {
        return next.run(request).await;
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let is_named = |origin: &HeaderValue| cors.origins.iter().any(|named| named.as_bytes() == origin.as_bytes());
    let is_any = cors.origins.iter().any(|origin| origin == "*");
    let allowed = match origin {
        Some(origin) if is_named(&origin) => Some(origin),
        Some(_) if is_any => Some(HeaderValue::from_static("*")),
        _ => None,
    };
    let asks_first =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match (&allowed, asks_first) {
        (Some(_), true) => preflight(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        if cors.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
    response
}

fn preflight() -> Response {
    const NAMES: [(HeaderName, HeaderValue); 3] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
    ];
    (StatusCode::NO_CONTENT, NAMES).into_response()
}

/// A panic becomes a 500 that tells nothing. What it said may quote a document, so it is not logged here.
pub(super) fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a request ended in a panic");
    Problem::internal().into_response()
}
