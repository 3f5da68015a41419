//! Every refusal the server can give: one table from code to status and public text (RFC 9457).
//!
//! A `Problem` is turned into bytes by one middleware, [`render`], because only there the request's id is known.
//! Handlers return `Result<_, Problem>`; the internal cause of a 5xx goes to the log, never into the document.

use axum::{
    Json,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{request_id::RequestId, scim};

/// A refusal on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which refusal this is.
    pub code: Code,
    /// What happened in this case, for a person; never names anything the caller may not know of.
    pub detail: String,
    /// The fields that are wrong, for 422.
    pub errors: Vec<FieldError>,
    /// After how many seconds the client may try again, for 429 and 503.
    pub retry_after_seconds: Option<u64>,
    /// What OAuth calls it, for the route of tokens.
    pub oauth: Option<OauthError>,
    /// What SCIM calls it (RFC 7644, 3.12), where it does.
    pub scim_type: Option<&'static str>,
}

/// What OAuth calls a refusal (RFC 6749, 5.2; RFC 8693, 2.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OauthError {
    /// Something is missing, doubled, unknown, or does not hold.
    InvalidRequest,
    /// A scope that cannot be had.
    InvalidScope,
    /// A token for elsewhere.
    InvalidTarget,
    /// The application may not do this.
    UnauthorizedClient,
    /// Another way of getting a token.
    UnsupportedGrantType,
}

impl OauthError {
    const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
        }
    }
}

/// One wrong field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// A JSON pointer into the body, or `#/query/…`, `#/path/…` and `#/headers/…` for what is outside it.
    #[schema(example = "/acl/allow/0")]
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// The form of `application/problem+json` on the wire.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// A URN for the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:ringfence:problem:not_found")]
    kind: String,
    /// The kind of problem in words, always the same for a code.
    #[schema(example = "Not found")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// A stable word for programs.
    #[schema(example = "not_found")]
    code: &'static str,
    /// What happened in this case.
    detail: String,
    /// The id under which the server's log knows this request.
    request_id: String,
    /// The fields that are wrong, for 422.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// What OAuth calls it, on the route of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// The detail once more, under OAuth's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<String>,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $code:literal, $title:literal;)*) => {
        /// A kind of refusal: the one table of codes, statuses and titles.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The stable word for programs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The kind of refusal in words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    MalformedRequest = 400, "malformed_request", "The request is not well-formed HTTP";
    MalformedJson = 400, "malformed_json", "The body is not well-formed JSON";
    MalformedHeader = 400, "malformed_header", "A header has the wrong form";
    InvalidExchange = 400, "invalid_exchange", "No token can be made of this";
    InvalidCursor = 400, "invalid_cursor", "The cursor is not one of this listing";
    InvalidScim = 400, "invalid_scim", "The SCIM request is invalid";
    Unauthenticated = 401, "unauthenticated", "No valid credential";
    MissingScope = 403, "missing_scope", "The credential lacks a scope";
    OperatorOnly = 403, "operator_only", "Only an operator may do this";
    NoContentForOperator = 403, "no_content_for_operator", "Operators reach no content";
    SubjectRequired = 403, "subject_required", "The credential names no reader";
    GroupsUnresolved = 403, "groups_unresolved", "The caller's groups are not known";
    WiderThanYourself = 403, "wider_than_yourself", "A key cannot be wider than the one that makes it";
    OwnNameRequired = 403, "own_name_required", "A review is made in one's own name";
    NotFound = 404, "not_found", "Not found";
    MethodNotAllowed = 405, "method_not_allowed", "The resource does not have this method";
    RequestTimeout = 408, "request_timeout", "The body came too slowly";
    Conflict = 409, "conflict", "Already taken";
    ContentChanged = 409, "content_changed", "The content was replaced meanwhile";
    LastOperatorKey = 409, "last_operator_key", "The last operator key cannot be deleted";
    OtherVersion = 412, "other_version", "The resource has another version";
    RevisionNotReached = 412, "revision_not_reached", "The demanded revision is not reached";
    PayloadTooLarge = 413, "payload_too_large", "The body is too large";
    UriTooLong = 414, "uri_too_long", "The address is too long";
    UnsupportedMediaType = 415, "unsupported_media_type", "The media type is not accepted";
    InvalidFields = 422, "invalid_fields", "Fields are invalid";
    AclRequired = 422, "acl_required", "The document has no ACL and its collection no default";
    TestsFail = 422, "tests_fail", "Permission tests fail";
    Unparseable = 422, "unparseable", "The document cannot be parsed";
    Unreleasable = 422, "unreleasable", "The document cannot be released";
    TooManyRequests = 429, "too_many_requests", "Too many requests";
    HeadersTooLarge = 431, "headers_too_large", "The header block is too large";
    Internal = 500, "internal", "The server failed";
    NotImplemented = 501, "not_implemented", "The server does not do this";
    Unavailable = 503, "unavailable", "The server cannot answer now";
    EmbedderUnavailable = 503, "embedder_unavailable", "The embedder does not answer";
    AuditUnavailable = 503, "audit_unavailable", "The answer could not be recorded";
    StorageFull = 507, "storage_full", "The server has no room left";
}

impl Problem {
    /// A refusal with its explanation.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_seconds: None,
            oauth: None,
            scim_type: None,
        }
    }

    /// The same refusal with OAuth's name for it beside.
    #[must_use]
    pub fn with_oauth(self, error: OauthError) -> Self {
        Self { oauth: Some(error), ..self }
    }

    /// The one answer for what is absent and for what the caller may not know of.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "there is no such resource")
    }

    /// The one answer for every missing or bad credential: a cause would help a guesser.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(Code::Unauthenticated, "send a valid credential as `Authorization: Bearer …`")
    }

    /// One wrong field.
    #[must_use]
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }

    /// Several wrong fields.
    #[must_use]
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(Code::InvalidFields, "see `errors` for the fields that are invalid") }
    }

    /// A failure of the server's own; the cause is logged where it is known.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Code::Internal, "an unexpected failure; the server's log knows it by `request_id`")
    }

    /// The server cannot answer at present.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self { retry_after_seconds: Some(1), ..Self::new(Code::Unavailable, detail) }
    }

    /// The document as it goes over the wire.
    #[must_use]
    pub fn document(&self, request_id: &RequestId) -> ProblemDocument {
        ProblemDocument {
            kind: format!("urn:ringfence:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status(),
            code: self.code.as_str(),
            detail: self.detail.clone(),
            request_id: request_id.as_str().to_owned(),
            errors: self.errors.clone(),
            error: self.oauth.map(OauthError::as_str),
            error_description: self.oauth.map(|_| ascii(&self.detail)),
        }
    }

    /// The whole response, for those who know the request's id.
    #[must_use]
    pub fn response(&self, request_id: &RequestId) -> Response {
        let status = StatusCode::from_u16(self.code.status()).expect("the table holds valid statuses");
        let mut response = (status, Json(self.document(request_id))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ringfence\""));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).expect("the table holds valid statuses");
        let mut response = status.into_response();
        response.extensions_mut().insert(Rendering(self));
        response
    }
}

/// The characters that an `error_description` may have (RFC 6749, 5.2).
fn ascii(detail: &str) -> String {
    let allowed = |character: char| matches!(character, ' '..='~') && !matches!(character, '"' | '\\');
    detail.chars().map(|character| if allowed(character) { character } else { '?' }).collect()
}

#[derive(Clone)]
struct Rendering(Problem);

/// Which refusal a response will be rendered as.
pub(super) fn code_of(response: &Response) -> Option<Code> {
    response.extensions().get::<Rendering>().map(|rendering| rendering.0.code)
}

/// Middleware: gives the request its id and every refusal below it its document.
///
/// A bare 404 or 405 of the router itself becomes a problem here too, so that nothing answers in another form.
pub async fn render(mut request: Request, next: Next) -> Response {
    let request_id = RequestId::random();
    request.extensions_mut().insert(request_id.clone());
    let is_scim = scim::is_scim(request.uri().path());
    let mut response = next.run(request).await;
    let problem = match response.extensions_mut().remove::<Rendering>() {
        Some(Rendering(problem)) => problem,
        None if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(Code::MethodNotAllowed, "see the `allow` header for the methods of this resource")
        }
        None => return response,
    };
    let mut rendered = if is_scim { scim::refusal(&problem, &request_id) } else { problem.response(&request_id) };
    copy_kept_headers(&response, &mut rendered);
    rendered
}

/// Headers that a handler or a layer may set beside a refusal.
const KEPT: [HeaderName; 5] = [
    header::ALLOW,
    header::CONNECTION,
    header::VARY,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
];

fn copy_kept_headers(from: &Response, to: &mut Response) {
    for name in KEPT {
        if let Some(value) = from.headers().get(&name) {
            to.headers_mut().insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_their_statuses_valid() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code:?}");
            assert!(!code.title().ends_with('.'), "{code:?}");
        }
    }

    #[test]
    fn only_a_missing_credential_is_challenged() {
        let id = RequestId::random();
        for code in Code::ALL {
            let response = Problem::new(*code, "x").response(&id);
            assert_eq!(response.headers().contains_key(header::WWW_AUTHENTICATE), *code == Code::Unauthenticated);
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        }
    }

    #[test]
    fn a_document_holds_errors_only_where_there_are_some() {
        let id = RequestId::random();
        let plain = serde_json::to_value(Problem::not_found().document(&id)).unwrap();
        assert_eq!(plain.get("errors"), None);
        assert_eq!(plain["status"], 404);
        let field = serde_json::to_value(Problem::invalid("/query", "is empty").document(&id)).unwrap();
        assert_eq!(field["errors"][0]["pointer"], "/query");
    }
}
