//! `/v1/emergency-grants`: to let somebody in for a short time, with a reason, where no ACL lets them in.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::{CollectionId, Covered, GrantId, Principal};
use serde::{Deserialize, Serialize};

use super::{
    body::read_bounded,
    gate::Ask,
    json,
    key_form::invalid,
    names::{self, Names},
    page::{PageQuery, next_cursor},
    problem::{FieldError, Problem},
    reply::{no_content, reply, reply_written},
    state::Server,
};
use crate::{
    acl_form,
    administration::emergency::{GrantRequest, GrantShown},
    authz::{DeclareEmergency, EndEmergency, ViewEmergencies},
};

const PURPOSE: &str = "emergency-grants";
/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 500;
const TIME: &str = "must be an RFC 3339 time such as `2026-12-01T08:00:00Z`";

/// Whom to let in, where, why and until when.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EmergencyRequest, example = json!({
    "principal": "user:alice", "collection": "hr", "documents": "payroll-*",
    "reason": "INC-4711: payroll run fails, Alice is on call", "expires_at": "2026-11-25T04:00:00Z"
}))]
pub(super) struct EmergencyForm {
    /// For operators: whose tenant.
    tenant: Option<String>,
    /// The user or service that is let in; the person who asks where it is left out.
    principal: Option<String>,
    /// The collection.
    collection: String,
    /// A document, or how the names of documents begin with a `*` after it; every document where it is left out.
    documents: Option<String>,
    /// Why, in at most 500 bytes. It is recorded.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// When it is over, at most four hours ahead.
    expires_at: String,
}

/// An emergency grant.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = EmergencyGrant, example = json!({
    "id": "0641f5a2b3c4d5-9f3c2b1a0d4e5f60", "state": "in_force", "principal": "user:alice", "collection": "hr",
    "documents": "payroll-*", "reason": "INC-4711: payroll run fails, Alice is on call",
    "declared_by": "user:alice", "declared_at": "2026-11-25T03:00:00Z", "expires_at": "2026-11-25T04:00:00Z",
    "ended_at": null, "ended_by": null
}))]
struct GrantView {
    /// Its name.
    id: String,
    /// `in_force`, `expired`, or `ended` before its time.
    state: &'static str,
    /// Who is let in; `user:NAME;former` where another bears the name by now.
    principal: String,
    /// The collection.
    collection: String,
    /// The documents of the collection.
    documents: String,
    /// Why.
    reason: String,
    /// Who declared it.
    declared_by: String,
    /// When.
    declared_at: String,
    /// When it is over by itself.
    expires_at: String,
    /// When it was ended before its time.
    ended_at: Option<String>,
    /// By whom.
    ended_by: Option<String>,
}

/// An emergency grant that is in force from this answer on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "0641f5a2b3c4d5-9f3c2b1a0d4e5f60", "state": "in_force", "principal": "user:alice", "collection": "hr",
    "documents": "payroll-*", "reason": "INC-4711: payroll run fails, Alice is on call",
    "declared_by": "user:alice", "declared_at": "2026-11-25T03:00:00Z", "expires_at": "2026-11-25T04:00:00Z",
    "ended_at": null, "ended_by": null, "revision": "…"
}))]
pub(super) struct DeclaredView {
    #[serde(flatten)]
    grant: GrantView,
    /// The revision of the change.
    revision: String,
}

/// A page of emergency grants.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"grants": [], "next_cursor": null}))]
pub(super) struct GrantList {
    /// The grants, the newest first; those that are over stay for 90 days.
    grants: Vec<GrantView>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

impl GrantView {
    fn new(GrantShown { record, now }: &GrantShown) -> Self {
        let grant = &record.grant;
        let state = match &record.ended {
            Some(_) => "ended",
            None if grant.is_in_force(*now) => "in_force",
            None => "expired",
        };
        Self {
            id: grant.id.to_string(),
            state,
            principal: grant.holder.to_string(),
            collection: grant.collection.to_string(),
            documents: grant.documents.pattern(),
            reason: record.reason.clone(),
            declared_by: record.declared_by.clone(),
            declared_at: acl_form::format_time(record.declared_at),
            expires_at: acl_form::format_time(grant.expires_at),
            ended_at: record.ended.as_ref().map(|(at, _)| acl_form::format_time(*at)),
            ended_by: record.ended.as_ref().map(|(_, by)| by.clone()),
        }
    }
}

impl EmergencyForm {
    fn into_request(self) -> Result<GrantRequest, Problem> {
        let mut faults = Vec::new();
        let principal = self.principal.as_deref().map(Principal::new).transpose();
        let principal = principal.map_err(|error| invalid("/principal", &format!("the principal {error}")));
        let collection = CollectionId::new(&self.collection).map_err(|error| invalid("/collection", &error));
        let documents = Covered::parse(self.documents.as_deref().unwrap_or("*"));
        let documents = documents.map_err(|error| invalid("/documents", &error));
        let expires_at = acl_form::parse_time(&self.expires_at).ok_or_else(|| invalid("/expires_at", &TIME));
        let (principal, collection) = (kept(principal, &mut faults), kept(collection, &mut faults));
        let (documents, expires_at) = (kept(documents, &mut faults), kept(expires_at, &mut faults));
        let reason = kept(one_line("/reason", &self.reason), &mut faults);
        let (Some(principal), Some(collection), Some(documents), Some(expires_at), Some(reason)) =
            (principal, collection, documents, expires_at, reason)
        else {
            return Err(Problem::invalid_fields(faults));
        };
        Ok(GrantRequest { principal, collection, documents, reason, expires_at })
    }
}

/// The value of a field; a fault is kept with the others.
fn kept<T>(value: Result<T, FieldError>, faults: &mut Vec<FieldError>) -> Option<T> {
    value.map_err(|fault| faults.push(fault)).ok()
}

/// A reason for the audit log.
pub(super) fn one_line(pointer: &str, text: &str) -> Result<String, FieldError> {
    let text = text.trim();
    if text.is_empty() || text.len() > REASON_BYTES_MAX || text.contains(char::is_control) {
        let detail = format!("must have 1 to {REASON_BYTES_MAX} bytes on one line: it is recorded");
        return Err(invalid(pointer, &detail));
    }
    Ok(text.to_owned())
}

/// Declare an emergency
///
/// Scope `break_glass`, or an operator that names the `tenant`. From the answer on until `expires_at`, the `principal` reads the documents as if the collection's `readers` and each document's `allow` named them. Nothing else is lifted: `deny`, requirements, windows, tenant policies that forbid, redaction, and the limits of the credential that is shown. A person declares an emergency for themselves; a program that acts as itself, or an operator, for any user or service. Whether there is such a collection, document or user plays no part in the answer. The declaration is recorded with its reason, and so is every reading that needed it.
#[utoipa::path(
    post, path = "/v1/emergency-grants", tag = "access", operation_id = "declare_emergency",
    request_body = EmergencyForm,
    responses((status = 201, description = "It is in force", body = DeclaredView))
)]
pub(super) async fn declare(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    ask.check_emergency::<DeclareEmergency>()?;
    json::require_json(&headers)?;
    let form = json::parse::<EmergencyForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let who = ask.emergency::<DeclareEmergency>(form.tenant.as_deref(), "/tenant")?;
    let answer = server.administration.declare_emergency(&who, form.into_request()?, ask.id()).await?;
    let ((grant, revision), receipt) = answer.into_parts();
    let view = DeclaredView { grant: GrantView::new(&grant), revision: revision.clone() };
    Ok(reply_written(StatusCode::CREATED, &view, &revision, receipt))
}

/// List emergency grants
///
/// All of the tenant with the scope `acl` or `audit`, for a program with `break_glass`, and for an operator that names the `tenant`; a person with `break_glass` sees their own. The newest come first, those that are over included.
#[utoipa::path(
    get, path = "/v1/emergency-grants", tag = "access", operation_id = "list_emergencies",
    params(
        ("limit" = Option<usize>, Query, description = "How many entries a page has, 1 to 500; 50 without it"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
        ("tenant" = Option<String>, Query, description = "For operators: whose")
    ),
    responses((status = 200, description = "The grants", body = GrantList))
)]
pub(super) async fn list(State(server): State<Server>, ask: Ask, page: PageQuery) -> Result<Response, Problem> {
    let who = ask.emergency::<ViewEmergencies>(page.tenant.as_deref(), "#/query/tenant")?;
    let sealer = ask.sealer(&server);
    let before = page.after(&sealer, PURPOSE)?.and_then(|id| GrantId::new(&id).ok());
    let answer = server.administration.emergencies(&who, before, page.limit, ask.id()).await?;
    let (found, receipt) = answer.into_parts();
    let last = found.entries.last().map(|shown| shown.record.grant.id.as_str());
    let next_cursor = next_cursor(&sealer, PURPOSE, found.has_more, last);
    let grants = found.entries.iter().map(GrantView::new).collect();
    Ok(reply(StatusCode::OK, &GrantList { grants, next_cursor }, receipt))
}

/// Read an emergency grant
#[utoipa::path(
    get, path = "/v1/emergency-grants/{grant}", tag = "access", operation_id = "get_emergency",
    params(
        ("grant" = String, Path, description = "The grant's id"),
        ("tenant" = Option<String>, Query, description = "For operators: whose")
    ),
    responses((status = 200, description = "The grant", body = GrantView))
)]
pub(super) async fn get(
    State(server): State<Server>,
    ask: Ask,
    Names(grant): Names<String>,
    query: PageQuery,
) -> Result<Response, Problem> {
    let who = ask.emergency::<ViewEmergencies>(query.tenant.as_deref(), "#/query/tenant")?;
    let id = names::known(GrantId::new(&grant))?;
    let (found, receipt) = server.administration.emergency(&who, &id, ask.id()).await?.into_parts();
    Ok(reply(StatusCode::OK, &GrantView::new(&found), receipt))
}

/// End an emergency grant
///
/// Effective with the answer, for requests in flight too. Scope `acl`, or an operator that names the `tenant`; a person with `break_glass` ends their own. One that is over stays as it is.
#[utoipa::path(
    delete, path = "/v1/emergency-grants/{grant}", tag = "access", operation_id = "end_emergency",
    params(
        ("grant" = String, Path, description = "The grant's id"),
        ("tenant" = Option<String>, Query, description = "For operators: whose")
    ),
    responses((status = 204, description = "It is over"))
)]
pub(super) async fn end(
    State(server): State<Server>,
    ask: Ask,
    Names(grant): Names<String>,
    query: PageQuery,
) -> Result<Response, Problem> {
    let who = ask.emergency::<EndEmergency>(query.tenant.as_deref(), "#/query/tenant")?;
    let id = names::known(GrantId::new(&grant))?;
    let (revision, receipt) = server.administration.end_emergency(&who, id, ask.id()).await?.into_parts();
    Ok(no_content(&revision, receipt))
}
