//! `POST /oauth/token`: token exchange (RFC 8693), form-encoded in, JSON out. Refusals are problem documents with the `error` of RFC 6749 beside.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::CollectionId;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{
    body::read_bounded,
    gate::Ask,
    json::is_media_type,
    problem::{Code, OauthError, Problem},
    reply::reply,
    state::Server,
};
use crate::{
    audit::{Action, AuditEvent},
    authn::{ExchangeError, ExchangeRequest, TASK_SECONDS_MAX, TaskTokenIssued, is_purpose},
    authz::{self, Permit, Scopes},
    retrieval::answer::record,
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// What a subject token may be called: whatever it is called, it is verified as what it is.
const SUBJECT_TYPES: [&str; 3] =
    [ACCESS_TOKEN, "urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"];
/// The most collections that one request names.
const COLLECTIONS_MAX: usize = 1_000;

/// The request, form-encoded. Unknown parameters are refused: a misspelt limit would be none.
#[derive(Debug, utoipa::ToSchema)]
#[schema(as = TokenExchange, example = json!({
    "grant_type": GRANT, "subject_token": "eyJhbGciOi…", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "scope": "search", "collections": "handbook", "max_results": 5, "ttl": 300, "purpose": "answer a ticket", "budget": 20
}))]
#[expect(dead_code, reason = "the description of a form that is read parameter by parameter")]
pub(super) struct ExchangeForm {
    /// `urn:ietf:params:oauth:grant-type:token-exchange`.
    grant_type: String,
    /// The user's token, or an earlier token of this application.
    subject_token: String,
    /// `urn:ietf:params:oauth:token-type:jwt`, `…:access_token` or `…:id_token`.
    subject_token_type: String,
    /// `urn:ietf:params:oauth:token-type:access_token`, which is the default and all there is.
    requested_token_type: Option<String>,
    /// Scopes, separated by blanks; all that user and application share where it is left out.
    scope: Option<String>,
    /// Collections, separated by blanks; all that are possible where it is left out.
    collections: Option<String>,
    /// The most results of one answer.
    max_results: Option<u32>,
    /// How many seconds it holds, at most 900, which is the default.
    ttl: Option<u32>,
    /// What for; it goes into the audit log and to the tenant's policies.
    purpose: Option<String>,
    /// The most requests.
    budget: Option<u32>,
}

/// A token for a task (RFC 8693, 2.2).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TaskToken, example = json!({
    "access_token": "rft_…", "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "search"
}))]
pub(super) struct TaskTokenView {
    /// The token.
    access_token: String,
    /// What it is.
    issued_token_type: &'static str,
    /// How it is shown.
    token_type: &'static str,
    /// For how many seconds it holds.
    expires_in: i64,
    /// What it may do.
    scope: String,
}

impl TaskTokenView {
    fn new(issued: &TaskTokenIssued) -> Self {
        Self {
            access_token: issued.token.expose_secret().to_owned(),
            issued_token_type: ACCESS_TOKEN,
            token_type: "Bearer",
            expires_in: issued.expires_in_seconds,
            scope: issued.scopes.names().join(" "),
        }
    }
}

/// Exchange a user's token for one of a task
///
/// By the API key of an application with the scope `act`. The new token reads what the user may read, within the application's scopes and collections and the limits that are asked for; it ends with the application's key, with a revocation of the user's token, and by itself. Whoever holds it can narrow it further without asking: see the README.
#[utoipa::path(
    post, path = "/oauth/token", tag = "tokens", operation_id = "exchange_token",
    request_body(content = ExchangeForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token", body = TaskTokenView))
)]
pub(super) async fn exchange(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit: Permit<authz::ExchangeToken> =
        ask.permit().map_err(|problem| problem.with_oauth(OauthError::UnauthorizedClient))?;
    if !is_media_type(&headers, "application/x-www-form-urlencoded") {
        let detail = "send `Content-Type: application/x-www-form-urlencoded`";
        return Err(Problem::new(Code::UnsupportedMediaType, detail).with_oauth(OauthError::InvalidRequest));
    }
    let body = read_bounded(body, server.settings.json_bytes_max).await?;
    let request = request(&body)?;
    let issued = server.app.authenticator.exchange(&permit, &request).await?;
    let caller = permit.caller();
    let mut actor = caller.actor();
    actor.acting_for = Some(issued.person.to_string());
    actor.purpose.clone_from(&request.purpose);
    let event = AuditEvent {
        resource: Some(issued.id.clone()),
        ..AuditEvent::new(Some(caller.tenant().clone()), actor, Action::ExchangeToken, ask.id())
    };
    // The key may have been revoked while the token was made.
    if !server.app.authenticator.still_valid(caller) {
        return Err(Problem::unauthenticated());
    }
    let receipt = record(&server.app.audit, event).await?;
    Ok(reply(StatusCode::OK, &TaskTokenView::new(&issued), receipt))
}

impl From<ExchangeError> for Problem {
    fn from(error: ExchangeError) -> Self {
        let (code, oauth) = match error {
            ExchangeError::NotAnApplication => (Code::MissingScope, OauthError::UnauthorizedClient),
            ExchangeError::GroupsUnresolved => (Code::GroupsUnresolved, OauthError::InvalidRequest),
            ExchangeError::Scope => (Code::InvalidExchange, OauthError::InvalidScope),
            // What an invalid subject token is called: RFC 8693, 2.2.2.
            ExchangeError::SubjectToken
            | ExchangeError::Collections
            | ExchangeError::Purpose
            | ExchangeError::TooLarge => (Code::InvalidExchange, OauthError::InvalidRequest),
        };
        Self::new(code, error.to_string()).with_oauth(oauth)
    }
}

/// The parameters, each at most once.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        const KNOWN: [&str; 10] = [
            "grant_type",
            "subject_token",
            "subject_token_type",
            "requested_token_type",
            "scope",
            "collections",
            "max_results",
            "ttl",
            "purpose",
            "budget",
        ];
        let text =
            std::str::from_utf8(body).map_err(|_| refused(OauthError::InvalidRequest, "the body is not UTF-8"))?;
        let pairs = pairs(text);
        for (index, (name, _)) in pairs.iter().enumerate() {
            if matches!(name.as_str(), "audience" | "resource") {
                return Err(refused(
                    OauthError::InvalidTarget,
                    format!("`{name}` is not offered: a token is for this server"),
                ));
            }
            if !KNOWN.contains(&name.as_str()) {
                return Err(refused(OauthError::InvalidRequest, "there is an unknown parameter"));
            }
            if pairs[..index].iter().any(|(other, _)| other == name) {
                return Err(refused(OauthError::InvalidRequest, format!("`{name}` is given more than once")));
            }
        }
        Ok(Self(pairs))
    }

    /// A parameter without a value is as good as none (RFC 6749, 3.2).
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, value)| own == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Result<Option<u32>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| *number > 0);
        number.map(Some).ok_or_else(|| refused(OauthError::InvalidRequest, format!("`{name}` must be a number from 1")))
    }
}

/// The pairs of a form, which has the form of a query.
fn pairs(body: &str) -> Vec<(String, String)> {
    let Ok(mut address) = reqwest::Url::parse("http://127.0.0.1/") else { return Vec::new() };
    address.set_query(Some(body));
    address.query_pairs().into_owned().collect()
}

fn request(body: &[u8]) -> Result<ExchangeRequest, Problem> {
    let parameters = Parameters::parse(body)?;
    let need = |name: &str| {
        parameters.get(name).ok_or_else(|| refused(OauthError::InvalidRequest, format!("`{name}` is required")))
    };
    if need("grant_type")? != GRANT {
        return Err(refused(OauthError::UnsupportedGrantType, format!("`grant_type` must be `{GRANT}`")));
    }
    if !SUBJECT_TYPES.contains(&need("subject_token_type")?) {
        let detail = format!("`subject_token_type` must be one of {}", SUBJECT_TYPES.join(", "));
        return Err(refused(OauthError::InvalidRequest, detail));
    }
    if parameters.get("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
        return Err(refused(OauthError::InvalidRequest, format!("`requested_token_type` must be `{ACCESS_TOKEN}`")));
    }
    let scopes = parameters.get("scope").map(|names| Scopes::from_names(words(names)));
    let scopes = scopes.transpose().map_err(|error| refused(OauthError::InvalidScope, error.to_string()))?;
    let purpose = parameters.get("purpose");
    if purpose.is_some_and(|purpose| !is_purpose(purpose)) {
        return Err(refused(OauthError::InvalidRequest, "`purpose` must be one line of at most 256 bytes"));
    }
    Ok(ExchangeRequest {
        subject_token: SecretString::from(need("subject_token")?),
        scopes,
        collections: parameters.get("collections").map(collections).transpose()?,
        results_max: parameters.number("max_results")?.and_then(|most| usize::try_from(most).ok()),
        ttl_seconds: parameters.number("ttl")?.map(|seconds| seconds.min(TASK_SECONDS_MAX)),
        purpose: purpose.map(str::to_owned),
        budget: parameters.number("budget")?,
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

fn collections(names: &str) -> Result<BTreeSet<CollectionId>, Problem> {
    let ids: Result<BTreeSet<_>, _> = words(names).map(CollectionId::new).collect();
    let ids = ids.map_err(|error| refused(OauthError::InvalidRequest, format!("`collections`: a name {error}")))?;
    if ids.len() > COLLECTIONS_MAX {
        return Err(refused(
            OauthError::InvalidRequest,
            format!("`collections` has more than {COLLECTIONS_MAX} names"),
        ));
    }
    Ok(ids)
}

fn refused(error: OauthError, detail: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidExchange, detail).with_oauth(error)
}
