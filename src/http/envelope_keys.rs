//! `GET /.well-known/ringfence-keys.json`: the public keys that signed answers are verified with.
//!
//! Open to everybody, like the keys of any issuer: who verifies an answer need not be one who may ask.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::{problem::Problem, state::Server};
use crate::envelope::PublicKeys;

/// The public keys of signed answers
///
/// A JWK Set of Ed25519 keys (RFC 8037), named by their thumbprints (RFC 7638). `envelope.key_id` of a signed answer names one of them. They change with the server's master key.
#[utoipa::path(
    get, path = "/.well-known/ringfence-keys.json", tag = "server", operation_id = "envelope_keys", security(()),
    responses((status = 200, description = "The keys", body = PublicKeys, content_type = "application/json"))
)]
pub(super) async fn keys(State(server): State<Server>) -> Result<Response, Problem> {
    let keys = serde_json::to_string(&server.signer.public_keys()).map_err(|_| Problem::internal())?;
    let media_type = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, media_type)], keys).into_response())
}
