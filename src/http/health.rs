//! `/healthz`, `/readyz` and `/metrics`: for whoever runs the server.

use axum::{
    Json, Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use super::{gate::Ask, problem::Problem, state::Server};

/// How the server is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"status": "ok"}))]
pub(super) struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether the process lives
#[utoipa::path(
    get, path = "/healthz", tag = "server", operation_id = "healthz", security(()),
    responses((status = 200, description = "It does", body = Health))
)]
pub(super) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether requests are welcome
///
/// 503 while the server is stopping, or where it takes no writes until it is opened anew.
#[utoipa::path(
    get, path = "/readyz", tag = "server", operation_id = "readyz", security(()),
    responses((status = 200, description = "They are", body = Health))
)]
pub(super) async fn readyz(State(server): State<Server>) -> Result<Json<Health>, Problem> {
    if server.is_stopping() {
        return Err(Problem::unavailable("the server is stopping"));
    }
    if !server.app.committer.is_open() {
        return Err(Problem::unavailable("writes are not possible: see the server's log, and restart it"));
    }
    Ok(Json(Health { status: "ok" }))
}

/// Read metrics
///
/// For operators, in Prometheus' text form. Where `metrics.listen` is configured they are there, without a credential, and not here.
#[utoipa::path(
    get, path = "/metrics", tag = "server", operation_id = "metrics",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(State(server): State<Server>, ask: Ask) -> Result<Response, Problem> {
    ask.operator()?;
    if server.app.config.metrics.listen.is_some() {
        return Err(Problem::not_found());
    }
    Ok(text(&server))
}

/// The router of a listener for metrics alone.
pub(super) fn metrics_router(server: Server) -> Router {
    Router::new()
        .route("/metrics", get(async |State(server): State<Server>| text(&server)))
        .fallback(async || Problem::not_found())
        .layer(axum::middleware::from_fn(super::problem::render))
        .with_state(server)
}

fn text(server: &Server) -> Response {
    let text = server.metrics.render(server.searcher.slots.waiting(), &server.app.authenticator.published_keys());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
