//! Talking to a server: one HTTP client for every subcommand, and its refusals in words a tired person understands.
//!
//! A refusal keeps what the server said (title, detail, fields, request id) and adds what to do about it.
//! Waiting for a busy server is bounded: a script that hangs is worse than one that fails.

use std::{env, fmt, future::pending, net::IpAddr, time::Duration};

use reqwest::{
    Method, RequestBuilder, Response, StatusCode, Url,
    header::{self, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::authn::key_id_of;

/// Where `ringfence serve` listens unless told otherwise.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:7300";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A large page on a busy server takes its time; silence for longer is a fault.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
/// How often a request that the server was too busy for is sent again.
const ATTEMPTS_MAX: u32 = 6;
/// The longest wait before another attempt, whatever the server asks for.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A server and the credential for it.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    server: Url,
    authorization: HeaderValue,
    acting_for: Option<HeaderValue>,
    /// The public part of the key, for a key.
    key_id: Option<String>,
}

impl Client {
    /// A client of `server` with the credential `key`: an API key or a token.
    ///
    /// # Errors
    /// [`ClientError::InvalidServer`] and [`ClientError::InvalidKey`] for what cannot be one.
    pub fn new(server: &str, key: &SecretString) -> Result<Self, ClientError> {
        let server = parse_server(server)?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret().trim()))
            .map_err(|_| ClientError::InvalidKey)?;
        authorization.set_sensitive(true);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("ringfence/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            // A credential goes to the server it was given for and to nobody that server points at.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&server) {
            // A proxy set for the web cannot reach this machine's own ports.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(ClientError::Setup)?;
        Ok(Self { http, server, authorization, acting_for: None, key_id: key_id_of(key) })
    }

    /// The same client, asking as another person: `user:alice`, or `user:alice; group:eng`.
    ///
    /// # Errors
    /// [`ClientError::InvalidPrincipal`] for what no header can carry.
    pub fn acting_for(&self, person: &str) -> Result<Self, ClientError> {
        let person = HeaderValue::from_str(person)
            .map_err(|_| ClientError::InvalidPrincipal(person.escape_debug().to_string()))?;
        Ok(Self { acting_for: Some(person), ..self.clone() })
    }

    /// The server's address.
    #[must_use]
    pub const fn server(&self) -> &Url {
        &self.server
    }

    /// The public part of its key; a token has none.
    #[must_use]
    pub const fn key_id(&self) -> Option<&String> {
        self.key_id.as_ref()
    }

    /// Whether what is sent is encrypted on its way.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.server.scheme() == "https"
    }

    /// Whether what is sent stays on this machine.
    #[must_use]
    pub fn is_on_this_machine(&self) -> bool {
        is_loopback(&self.server)
    }

    /// A request for the resource at `path`, segment by segment: each is encoded, a `/` inside one included.
    pub fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.request_with(method, path, [])
    }

    /// The same with a query.
    pub fn request_with<'pair>(
        &self,
        method: Method,
        path: &[&str],
        query: impl IntoIterator<Item = (&'pair str, &'pair str)>,
    ) -> RequestBuilder {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut query = query.into_iter().peekable();
        if query.peek().is_some() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url).header(header::AUTHORIZATION, self.authorization.clone());
        if let Some(person) = &self.acting_for {
            request = request.header("Ringfence-As", person.clone());
        }
        request
    }

    /// Sends a request and reads its JSON answer. A busy server is asked again after the time it names.
    ///
    /// # Errors
    /// [`ClientError`] says what failed.
    pub async fn send(&self, request: RequestBuilder) -> Result<Value, ClientError> {
        let body = self.send_for_text(request).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&body).map_err(|_| self.not_ringfence())
    }

    fn not_ringfence(&self) -> ClientError {
        ClientError::NotRingfence { server: self.shown() }
    }

    /// Every item of a list, page after page. A list is the one array of its answer, whatever its name.
    ///
    /// # Errors
    /// [`ClientError`] says what failed.
    pub async fn list(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<Value>, ClientError> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let pairs = query.iter().copied().chain(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let request = self.request_with(Method::GET, path, pairs);
            let Value::Object(page) = self.send(request).await? else { return Err(self.not_ringfence()) };
            let next = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            let list =
                page.into_iter().find_map(|(_, value)| if let Value::Array(list) = value { Some(list) } else { None });
            items.extend(list.ok_or_else(|| self.not_ringfence())?);
            match next {
                // The same place twice would go round for ever.
                Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
                _ => return Ok(items),
            }
        }
    }

    /// Sends a request and gives the answer's bytes as they came, whatever its status.
    ///
    /// # Errors
    /// [`ClientError`] where no answer came.
    pub async fn send_raw(&self, request: RequestBuilder) -> Result<Answer, ClientError> {
        let response = request.send().await.map_err(|error| self.transport(error))?;
        let status = response.status();
        let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
        let text = response.text().await.map_err(|error| self.transport(error))?;
        Ok(Answer { status, date, text })
    }

    /// Sends a request whose successful answer has no JSON of its own, such as NDJSON, and gives its text.
    ///
    /// # Errors
    /// [`ClientError`] says what failed.
    pub async fn send_for_lines(&self, request: RequestBuilder) -> Result<String, ClientError> {
        self.send_for_text(request).await
    }

    async fn send_for_text(&self, mut request: RequestBuilder) -> Result<String, ClientError> {
        for attempt in 1.. {
            let again = request.try_clone();
            let response = request.send().await.map_err(|error| self.transport(error))?;
            let status = response.status();
            let wait = wait_before_retry(&response, attempt);
            let text = response.text().await.map_err(|error| self.transport(error))?;
            if status.is_success() {
                return Ok(text);
            }
            let Some((wait, again)) = wait.zip(again) else { return Err(self.refusal(status, &text)) };
            // Nothing announces that a busy server has room again.
            timeout(wait, pending::<()>()).await.unwrap_or_default();
            request = again;
        }
        unreachable!("the last attempt returns")
    }

    /// The address as a person writes it.
    fn shown(&self) -> String {
        self.server.as_str().trim_end_matches('/').to_owned()
    }

    fn transport(&self, error: reqwest::Error) -> ClientError {
        let server = self.shown();
        if error.is_connect() {
            ClientError::Unreachable { server, source: error.without_url() }
        } else if error.is_timeout() {
            ClientError::Silent { server }
        } else {
            ClientError::Broken { server, source: error.without_url() }
        }
    }

    fn refusal(&self, status: StatusCode, body: &str) -> ClientError {
        match serde_json::from_str::<Problem>(body) {
            Ok(problem) => ClientError::Refused(Box::new(Refusal { status: status.as_u16(), problem })),
            Err(_) => self.not_ringfence(),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Client({})", self.server)
    }
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// The server's clock, as its `Date` header has it.
    pub date: Option<String>,
    /// Its body.
    pub text: String,
}

/// The credential from a flag, else from `RINGFENCE_KEY`.
///
/// # Errors
/// [`ClientError::NoKey`] where neither has one.
pub fn credential(flag: Option<String>) -> Result<SecretString, ClientError> {
    let key = flag.or_else(|| env::var("RINGFENCE_KEY").ok()).filter(|key| !key.trim().is_empty());
    key.map(SecretString::from).ok_or(ClientError::NoKey)
}

fn parse_server(server: &str) -> Result<Url, ClientError> {
    let invalid = || ClientError::InvalidServer(server.escape_debug().to_string());
    let url = Url::parse(server).map_err(|_| invalid())?;
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain { Ok(url) } else { Err(invalid()) }
}

fn is_loopback(server: &Url) -> bool {
    let host = server.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// How long to wait before sending the request again; `None` if that would not help.
fn wait_before_retry(response: &Response, attempt: u32) -> Option<Duration> {
    let is_busy = matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    if !is_busy || attempt >= ATTEMPTS_MAX {
        return None;
    }
    let asked = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let wait = asked.map_or_else(|| Duration::from_millis(100 << attempt), Duration::from_secs);
    Some(wait.min(WAIT_MAX))
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's address is not one.
    #[error("`{0}` is not the address of a server")]
    InvalidServer(String),
    /// No credential was given.
    #[error("no key was given")]
    NoKey,
    /// The credential has characters that no key has.
    #[error("the key has characters that no key has")]
    InvalidKey,
    /// The name of a person has characters that no name has.
    #[error("`{0}` is not a principal")]
    InvalidPrincipal(String),
    /// The client could not be set up.
    #[error("cannot set up an HTTP client")]
    Setup(#[source] reqwest::Error),
    /// Nobody answers there.
    #[error("cannot connect to {server}")]
    Unreachable {
        /// The address.
        server: String,
        /// What the system says.
        source: reqwest::Error,
    },
    /// The server took the request and says nothing.
    #[error("{server} does not answer")]
    Silent {
        /// The address.
        server: String,
    },
    /// The connection broke.
    #[error("the connection to {server} broke")]
    Broken {
        /// The address.
        server: String,
        /// What the system says.
        source: reqwest::Error,
    },
    /// Something else answers there.
    #[error("what answers at {server} is not a Ringfence server")]
    NotRingfence {
        /// The address.
        server: String,
    },
    /// The server refuses.
    #[error("{0}")]
    Refused(Box<Refusal>),
}

impl ClientError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::InvalidServer(_) => Some("write it like `--server http://127.0.0.1:7300`"),
            Self::NoKey => Some("pass `--key KEY`, or set RINGFENCE_KEY; `ringfence key create` makes one"),
            Self::InvalidKey => Some("copy the key again: it starts with `rf_` and has no spaces or line ends"),
            Self::InvalidPrincipal(_) => Some("write it like `user:alice` or `user:alice; group:eng, group:sales`"),
            Self::Unreachable { .. } => {
                Some("start it with `ringfence serve`, or name the right one with `--server` or RINGFENCE_SERVER")
            }
            Self::Silent { .. } | Self::Broken { .. } => {
                Some("look at the server's log; `ringfence doctor` checks a running server")
            }
            Self::NotRingfence { .. } => Some("check the address and the port behind `--server`"),
            Self::Setup(_) => None,
            Self::Refused(refusal) => refusal.remedy(),
        }
    }

    /// The server's word for its refusal, if it refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        if let Self::Refused(refusal) = self { Some(&refusal.problem.code) } else { None }
    }

    /// Whether every further request would fail in the same way.
    #[must_use]
    pub fn is_of_the_connection(&self) -> bool {
        !matches!(self, Self::Refused(refusal) if !matches!(refusal.status, 401 | 403 | 429 | 503 | 507))
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Deserialize)]
pub struct Problem {
    /// The kind of problem in words.
    pub title: String,
    /// The stable word for programs.
    pub code: String,
    /// What happened in this case.
    #[serde(default)]
    pub detail: String,
    /// The id under which the server's log knows the request.
    #[serde(default)]
    pub request_id: String,
    /// The fields that are wrong.
    #[serde(default)]
    pub errors: Vec<FieldError>,
}

/// One wrong field.
#[derive(Debug, Deserialize)]
pub struct FieldError {
    /// Where.
    pub pointer: String,
    /// What is wrong.
    pub detail: String,
}

/// The server's refusal of one request.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What the server said.
    pub problem: Problem,
}

impl Refusal {
    fn remedy(&self) -> Option<&'static str> {
        match self.problem.code.as_str() {
            "unauthenticated" => Some("the key is mistyped, expired or revoked, or this network may not use it"),
            "missing_scope" => Some("use a key that has the scope, or make one with `ringfence key create --scope …`"),
            "operator_only" => Some("use the operator key that `ringfence init` printed"),
            "no_content_for_operator" => {
                Some("make a tenant's key with `ringfence key create --tenant …` and use that")
            }
            "subject_required" => Some("say for whom with `--as user:NAME`, or use a person's own key"),
            "acl_required" => {
                Some("say who may read it with `--allow PRINCIPAL`, or give the collection a default ACL")
            }
            "not_found" => Some("check the name; what a key may not see is not there for it"),
            "tests_fail" => {
                Some("change the policy, or the permission tests with `ringfence policy test --file FILE --keep`")
            }
            "conflict" => Some("choose another name, or go on with the one that is there"),
            "wider_than_yourself" => Some("ask for less, or use a key that may do all of it, such as an operator's"),
            "groups_unresolved" => Some("have the issuer put the user's groups into the token"),
            "payload_too_large" => Some("send less at a time; `limits` in the server's configuration has the sizes"),
            "unsupported_media_type" => Some("send Markdown, HTML or plain text under its own name"),
            "too_many_requests" | "unavailable" => Some("try again in a moment"),
            "audit_unavailable" => Some("the server's audit log cannot be written: look at its disk and its log"),
            "storage_full" => Some("make room on the server's disk"),
            "internal" => Some("the server's log has the cause under the request id"),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { title, detail, request_id, errors, .. } = &self.problem;
        write!(formatter, "{title} ({})", self.status)?;
        if !detail.is_empty() && errors.is_empty() {
            write!(formatter, ": {detail}")?;
        }
        for FieldError { pointer, detail } in errors {
            write!(formatter, "; `{pointer}` {detail}")?;
        }
        if self.status >= 500 && !request_id.is_empty() {
            write!(formatter, " [request {request_id}]")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(server: &str) -> Result<Client, ClientError> {
        Client::new(server, &SecretString::from("rf_a_b_c"))
    }

    #[test]
    fn only_addresses_of_servers_are_taken() {
        for server in ["http://127.0.0.1:7300", "https://ring.example/base/", "http://[::1]:7300"] {
            assert!(client(server).is_ok(), "{server}");
        }
        for server in ["127.0.0.1:7300", "ftp://x", "", "http://x/?a=b", "http://x/#y", "http://me@x/", "file:///x"] {
            assert!(matches!(client(server), Err(ClientError::InvalidServer(_))), "{server}");
        }
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        let path_of = |server: &str, path: &[&str]| {
            let request = client(server).unwrap().request(Method::GET, path).build().unwrap();
            request.url().path().to_owned()
        };
        for (server, id, expected) in [
            ("http://x", "a/b.md", "/v1/documents/a%2Fb.md"),
            ("http://x/", "ü ?#%", "/v1/documents/%C3%BC%20%3F%23%25"),
            ("http://x/base", "../../y", "/base/v1/documents/..%2F..%2Fy"),
        ] {
            assert_eq!(path_of(server, &["v1", "documents", id]), expected);
        }
    }

    #[test]
    fn a_proxy_is_for_other_machines() {
        for (server, expected) in [
            ("http://localhost:1", true),
            ("http://127.0.0.9:1", true),
            ("http://[::1]:1", true),
            ("http://10.0.0.1:1", false),
            ("https://localhost.example", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(server).unwrap()), expected, "{server}");
        }
    }

    #[test]
    fn a_refusal_says_what_where_and_what_to_do() {
        let client = client("http://x").unwrap();
        let body = r#"{"type": "t", "title": "Fields are invalid", "status": 422, "code": "invalid_fields", "detail": "see `errors`",
            "request_id": "r1", "errors": [{"pointer": "/acl/allow/0", "detail": "is empty"}]}"#;
        let error = client.refusal(StatusCode::UNPROCESSABLE_ENTITY, body);
        assert_eq!(error.to_string(), "Fields are invalid (422); `/acl/allow/0` is empty");
        assert!(!error.is_of_the_connection());

        let body = r#"{"type": "t", "title": "No valid credential", "status": 401, "code": "unauthenticated", "request_id": "r"}"#;
        let error = client.refusal(StatusCode::UNAUTHORIZED, body);
        assert!(error.remedy().is_some_and(|remedy| remedy.contains("revoked")), "{error}");
        assert!(error.is_of_the_connection());

        let error = client.refusal(StatusCode::BAD_GATEWAY, "<html>nginx</html>");
        assert!(matches!(error, ClientError::NotRingfence { .. }), "{error}");
    }

    #[test]
    fn a_key_is_one_line_and_never_shown() {
        assert!(matches!(Client::new("http://x", &SecretString::from("a\nb")), Err(ClientError::InvalidKey)));
        let shown = format!("{:?}", Client::new("http://x", &SecretString::from("rf_a_secret_c\n")).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
        assert!(matches!(credential(Some("  ".to_owned())), Err(ClientError::NoKey)));
    }
}
