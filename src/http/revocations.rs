//! `/v1/revocations`: tokens that are refused although their issuer still stands by them.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::{Principal, PrincipalKind, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    body::read_bounded,
    gate::Ask,
    json,
    key_form::invalid,
    page::{PageQuery, next_cursor},
    problem::{FieldError, Problem},
    reply::{reply, reply_written},
    state::Server,
};
use crate::{
    acl_form,
    administration::revocations::{RevocationRequest, Revoked},
    authn::{Revocation, RevocationTarget},
    authz::{ManageKeys, Permit},
};

const PURPOSE: &str = "revocations";
const TEXT_BYTES_MAX: usize = 512;
const TIME: &str = "must be an RFC 3339 time such as `2026-12-01T08:00:00Z`";

/// What to revoke: `issuer` and `jti` for one token, or `subject` for all of a user's or service's.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RevocationRequest, example = json!({"subject": "user:alice", "issued_before": "2026-11-25T09:00:00Z"}))]
pub(super) struct RevocationForm {
    /// The `iss` claim of one token; `ringfence` for a token of `/oauth/token`.
    issuer: Option<String>,
    /// Its `jti` claim; for a token of `/oauth/token` the id that the audit log has.
    jti: Option<String>,
    /// The user or service whose tokens are revoked.
    subject: Option<String>,
    /// Those issued before this moment; now where it is left out.
    issued_before: Option<String>,
    /// When the last of the tokens has expired by itself: the entry is forgotten afterwards. It stays where this is left out.
    expires_at: Option<String>,
}

/// A revocation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Revocation, example = json!({
    "id": "5b0c2b9d4e5a6b7c8d9e1f2a3b4c5d6e", "issuer": null, "jti": null, "subject": "user:alice",
    "issued_before": "2026-11-25T09:00:00Z", "expires_at": null, "created_at": "2026-11-25T09:00:00Z"
}))]
struct RevocationView {
    /// A name for what is revoked.
    id: String,
    /// The issuer of the one token.
    issuer: Option<String>,
    /// The id of the one token.
    jti: Option<String>,
    /// The user or service whose tokens are revoked.
    subject: Option<String>,
    /// Those issued before this moment, or that do not say when.
    issued_before: Option<String>,
    /// When the entry is forgotten; `null` for never.
    expires_at: Option<String>,
    /// When the first of them was revoked.
    created_at: String,
}

/// A revocation that is in force.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "5b0c2b9d4e5a6b7c8d9e1f2a3b4c5d6e", "issuer": null, "jti": null, "subject": "user:alice",
    "issued_before": "2026-11-25T09:00:00Z", "expires_at": null, "created_at": "2026-11-25T09:00:00Z", "revision": "…"
}))]
pub(super) struct RevokedView {
    #[serde(flatten)]
    revocation: RevocationView,
    /// The revision of the change.
    revision: String,
}

/// A page of revocations.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"revocations": [], "next_cursor": null}))]
pub(super) struct RevocationList {
    /// The revocations, by id.
    revocations: Vec<RevocationView>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

impl RevocationView {
    fn new(revocation: &Revocation) -> Self {
        let (issuer, jti, subject, issued_before) = match &revocation.target {
            RevocationTarget::Token { issuer, jti } => (Some(issuer.clone()), Some(jti.clone()), None, None),
            RevocationTarget::Subject { subject, issued_before } => {
                (None, None, Some(subject.to_string()), Some(acl_form::format_time(*issued_before)))
            }
        };
        Self {
            id: revocation.id(),
            issuer,
            jti,
            subject,
            issued_before,
            expires_at: revocation.expires_at.map(acl_form::format_time),
            created_at: acl_form::format_time(revocation.created_at),
        }
    }
}

impl RevocationForm {
    fn into_request(self) -> Result<(RevocationRequest, Option<Timestamp>), Problem> {
        let mut faults = Vec::new();
        let mut time = |pointer: &str, text: Option<&str>| {
            let parsed = text.map(|text| acl_form::parse_time(text).ok_or_else(|| invalid(pointer, &TIME))).transpose();
            parsed.unwrap_or_else(|fault| {
                faults.push(fault);
                None
            })
        };
        let issued_before = time("/issued_before", self.issued_before.as_deref());
        let expires_at = time("/expires_at", self.expires_at.as_deref());
        let request = match (self.issuer, self.jti, self.subject) {
            (Some(issuer), Some(jti), None) => {
                for (pointer, value) in [("/issuer", &issuer), ("/jti", &jti)] {
                    if value.is_empty() || value.len() > TEXT_BYTES_MAX {
                        faults.push(invalid(pointer, &format!("must have 1 to {TEXT_BYTES_MAX} bytes")));
                    }
                }
                if self.issued_before.is_some() {
                    faults.push(invalid("/issued_before", &"goes with `subject`"));
                }
                Some(RevocationRequest::Token { issuer, jti })
            }
            (None, None, Some(subject)) => match person(&subject) {
                Ok(subject) => Some(RevocationRequest::Subject { subject, issued_before }),
                Err(fault) => {
                    faults.push(fault);
                    None
                }
            },
            _ => {
                faults.push(invalid("", &"give either `issuer` and `jti`, or `subject`"));
                None
            }
        };
        match request {
            Some(request) if faults.is_empty() => Ok((request, expires_at)),
            _ => Err(Problem::invalid_fields(faults)),
        }
    }
}

fn person(name: &str) -> Result<Principal, FieldError> {
    let subject = Principal::new(name).map_err(|error| invalid("/subject", &error))?;
    if matches!(subject.kind(), PrincipalKind::User | PrincipalKind::Service) {
        return Ok(subject);
    }
    Err(invalid("/subject", &"must be a user or a service, such as `user:alice`"))
}

/// Revoke tokens
///
/// Of the own tenant; API keys have their own route. Effective with the answer: requests in flight are refused when they look again, and so are the tokens that `/oauth/token` made from a revoked one. Revoking again adds: what was revoked stays revoked.
#[utoipa::path(
    post, path = "/v1/revocations", tag = "tokens", operation_id = "revoke_tokens",
    request_body = RevocationForm,
    responses((status = 201, description = "They are revoked", body = RevokedView))
)]
pub(super) async fn revoke(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit: Permit<ManageKeys> = ask.permit()?;
    json::require_json(&headers)?;
    let form = json::parse::<RevocationForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let (request, expires_at) = form.into_request()?;
    let answer = server.administration.revoke(&permit, request, expires_at, ask.id()).await?;
    let (Revoked { revocation, revision }, receipt) = answer.into_parts();
    let view = RevokedView { revocation: RevocationView::new(&revocation), revision: revision.clone() };
    Ok(reply_written(StatusCode::CREATED, &view, &revision, receipt))
}

/// List revocations
#[utoipa::path(
    get, path = "/v1/revocations", tag = "tokens", operation_id = "list_revocations",
    params(
        ("limit" = Option<usize>, Query, description = "How many entries a page has, 1 to 500; 50 without it"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "The revocations", body = RevocationList))
)]
pub(super) async fn list(State(server): State<Server>, ask: Ask, page: PageQuery) -> Result<Response, Problem> {
    let permit: Permit<ManageKeys> = ask.permit()?;
    let page = page.without_tenant()?;
    let sealer = ask.sealer(&server);
    let after = page.after(&sealer, PURPOSE)?;
    let answer = server.administration.revocations(&permit, after.as_deref(), page.limit, ask.id()).await?;
    let (found, receipt) = answer.into_parts();
    let last = found.entries.last().map(Revocation::id);
    let next_cursor = next_cursor(&sealer, PURPOSE, found.has_more, last.as_deref());
    let revocations = found.entries.iter().map(RevocationView::new).collect();
    Ok(reply(StatusCode::OK, &RevocationList { revocations, next_cursor }, receipt))
}
