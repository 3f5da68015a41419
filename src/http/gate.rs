//! What every request of `/v1` passes: who asks, how often, and that a refusal is recorded like an answer.
//!
//! A 2xx of a route that must be recorded leaves only with the mark of its receipt; one without it is a mistake in this program, and is withheld.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::{HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use ringfence_indexes::{Pin, TenantId};

use super::{
    limits::{self, TooSoon},
    names,
    problem::{self, Code, Problem},
    reply::Recorded,
    request_id::RequestId,
    routes,
    server::{Peer, PeerCertificate},
    state::Server,
};
use crate::{
    administration::{emergency::Emergency, keys::KeyManager},
    app::OpenError,
    audit::{Action, Actor, AuditEvent},
    authn::{Authenticated, ClientCertificate, CredentialHeaders, Unauthenticated},
    authz::{self, OperatorPermit, Permit, operator_permit, permit},
    retrieval::answer::record,
    seal::{Sealer, TenantKeys},
};

/// The header that demands how new the answer must be.
const MIN_REVISION: &str = "ringfence-min-revision";

/// Who asks, and under which id: what a handler starts from.
#[derive(Clone)]
pub(super) struct Ask(Arc<(Authenticated, RequestId)>);

impl Ask {
    /// Proof that the caller may do `A`.
    pub(super) fn permit<A: authz::Action>(&self) -> Result<Permit<A>, Problem> {
        Ok(permit(self.0.0.caller()?)?)
    }

    /// Proof that an operator asks.
    pub(super) fn operator(&self) -> Result<OperatorPermit, Problem> {
        Ok(operator_permit(&self.0.0)?)
    }

    /// Whoever may manage keys: an operator, or a credential with the scope `keys`.
    pub(super) fn key_manager(&self) -> Result<KeyManager, Problem> {
        match &self.0.0 {
            Authenticated::Operator(_) => self.operator().map(KeyManager::Operator),
            Authenticated::Caller(_) => self.permit().map(KeyManager::Tenant),
        }
    }

    /// Whoever may be at work on emergency grants, before it is known in which tenant.
    pub(super) fn check_emergency<A: authz::Action>(&self) -> Result<(), Problem> {
        match &self.0.0 {
            Authenticated::Operator(_) => self.operator().map(drop),
            Authenticated::Caller(_) => self.permit::<A>().map(drop),
        }
    }

    /// Whoever may be at work on emergency grants: an operator that names the tenant, or a credential with a scope for it.
    pub(super) fn emergency<A: authz::Action>(
        &self,
        tenant: Option<&str>,
        pointer: &str,
    ) -> Result<Emergency<A>, Problem> {
        match (&self.0.0, tenant) {
            (Authenticated::Operator(_), Some(tenant)) => {
                Ok(Emergency::Operator(self.operator()?, names::known_tenant(tenant)?))
            }
            (Authenticated::Operator(_), None) => Err(Problem::invalid(pointer, "an operator names the tenant")),
            (Authenticated::Caller(_), None) => self.permit().map(Emergency::Tenant),
            (Authenticated::Caller(_), Some(_)) => {
                self.permit::<A>()?;
                Err(Problem::invalid(pointer, "the credential says whose tenant it is"))
            }
        }
    }

    /// The most results of one answer, where the credential says so.
    pub(super) fn results_max(&self) -> Option<usize> {
        self.0.0.caller().ok()?.results_max()
    }

    /// The request's id.
    pub(super) fn id(&self) -> &str {
        self.0.1.as_str()
    }

    /// What seals the cursors of this asker.
    pub(super) fn sealer(&self, server: &Server) -> Sealer {
        match &self.0.0 {
            Authenticated::Operator(_) => Sealer::of_server(&server.app.master),
            Authenticated::Caller(caller) => TenantKeys::derive(&server.app.master, caller.tenant()).sealer(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Ask {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // A route without the gate in front would be open to everyone: it answers nothing instead.
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// Middleware: authenticates, limits, runs the route, and records what it refuses.
pub(super) async fn gate(
    State(server): State<Server>,
    matched: MatchedPath,
    names: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(request_id) = request.extensions().get::<RequestId>().cloned() else {
        return Problem::internal().into_response();
    };
    let action = routes::action(request.method(), matched.as_str());
    // A name that is not UTF-8 is refused by its handler, in the form that every refusal has.
    let resource = names.map_or_else(|_| String::new(), |names| joined(&names));
    let resource = (!resource.is_empty()).then_some(resource);
    let mut trail = Trail { action, resource, request_id, who: Who::Nobody };
    let (address, certificate) = (address(&server, &request), certificate(&request));
    let authenticated =
        match authenticate(&server, request.headers(), certificate.as_deref(), address, &mut trail).await {
            Ok(authenticated) => authenticated,
            Err(refused) => return trail.finish(&server, *refused).await,
        };
    trail.who = Who::of(&authenticated);
    if let Err(refused) = server.limits.check(&authenticated) {
        return too_soon(*refused);
    }
    if let Err(problem) = check_min_revision(&server, &authenticated, request.headers()) {
        return problem.into_response();
    }
    let pin = match pin(&server, &authenticated).await {
        Ok(pin) => pin,
        Err(problem) => return unavailable(&server, problem.into_response()),
    };
    request.extensions_mut().insert(Ask(Arc::new((authenticated, trail.request_id.clone()))));
    let response = next.run(request).await;
    // A body may still be made while it is sent.
    trail.finish(&server, response).await.map(|body| Body::new(HeldBody { body, _pin: pin }))
}

/// Makes sure that the caller's tenant is open, and stays so for as long as the request lasts.
async fn pin(server: &Server, authenticated: &Authenticated) -> Result<Option<Pin>, Problem> {
    let Authenticated::Caller(caller) = authenticated else { return Ok(None) };
    match server.app.tenants.pin(caller.tenant()).await {
        Ok(pin) => Ok(Some(pin)),
        // It is going; its handler says so in its own words.
        Err(OpenError::NoTenant) => Ok(None),
        Err(OpenError::Unreadable) => {
            Err(Problem::unavailable("what the tenant holds cannot be read: see the server's log"))
        }
    }
}

/// The body of an answer, with what has to be there while it is made.
struct HeldBody {
    body: Body,
    _pin: Option<Pin>,
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        std::pin::Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The names of a path as a record tells them.
fn joined(names: &RawPathParams) -> String {
    names.iter().map(|(_, name)| name).collect::<Vec<_>>().join("/")
}

/// What a record of this request says.
struct Trail {
    action: Option<Action>,
    resource: Option<String>,
    request_id: RequestId,
    who: Who,
}

enum Who {
    /// Not known: there is no log to write to, and nothing was told.
    Nobody,
    Known {
        tenant: Option<TenantId>,
        actor: Actor,
    },
}

impl Who {
    fn of(authenticated: &Authenticated) -> Self {
        match authenticated {
            Authenticated::Caller(caller) => {
                Self::Known { tenant: Some(caller.tenant().clone()), actor: caller.actor() }
            }
            Authenticated::Operator(operator) => Self::Known { tenant: None, actor: operator.actor() },
        }
    }
}

impl Trail {
    /// Records a refusal, and withholds an answer that ought to be recorded and is not.
    async fn finish(self, server: &Server, response: Response) -> Response {
        count(server, &response);
        let status = response.status();
        let is_recorded = response.extensions().get::<Recorded>().is_some();
        let Some(action) = self.action.filter(|_| !is_recorded) else { return response };
        match status.as_u16() {
            403 | 404 => {
                let Who::Known { tenant, actor } = self.who else { return response };
                let event = AuditEvent {
                    status: status.as_u16(),
                    resource: self.resource,
                    ..AuditEvent::new(tenant, actor, action, self.request_id.as_str())
                };
                match record(&server.app.audit, event).await {
                    Ok(_receipt) => response,
                    Err(error) => {
                        server.metrics.audit_failed();
                        unavailable(server, Problem::from(error).into_response())
                    }
                }
            }
            200..300 => {
                tracing::error!(action = action.name(), "an answer without a receipt was withheld");
                Problem::internal().into_response()
            }
            503 => unavailable(server, response),
            _ => response,
        }
    }
}

fn count(server: &Server, response: &Response) {
    match problem::code_of(response) {
        Some(Code::AuditUnavailable) => server.metrics.audit_failed(),
        Some(Code::Unauthenticated) => server.metrics.authentication_failed(),
        _ => {}
    }
}

/// A server that cannot answer says when to come back, in the same words as one that was asked too often.
fn unavailable(server: &Server, mut response: Response) -> Response {
    response.headers_mut().insert(limits::POLICY, server.limits.policy());
    response.headers_mut().insert(limits::STATE, limits::exhausted("key", 1));
    response
}

fn too_soon(refused: TooSoon) -> Response {
    let mut response = refused.problem.into_response();
    response.headers_mut().insert(limits::POLICY, refused.policy);
    response.headers_mut().insert(limits::STATE, refused.state);
    response
}

async fn authenticate(
    server: &Server,
    headers: &HeaderMap,
    certificate: Option<&ClientCertificate>,
    address: IpAddr,
    trail: &mut Trail,
) -> Result<Authenticated, Box<Response>> {
    let was_shown = headers.contains_key(header::AUTHORIZATION) || certificate.is_some();
    let headers = credential_headers(headers).map(|headers| CredentialHeaders { certificate, ..headers });
    let authenticator = &server.app.authenticator;
    let refused = match headers.as_ref().map_err(|refused| *refused) {
        Ok(headers) => match authenticator.authenticate(headers, address).await {
            Ok(authenticated) => return Ok(authenticated.seen_from(address)),
            Err(refused) => refused,
        },
        Err(refused) => refused,
    };
    if let Ok(headers) = &headers
        && matches!(refused, Unauthenticated::MissingScope(_))
    {
        // A 403 is recorded: under the credential alone, since the person it names was not accepted.
        let alone = CredentialHeaders { act_as: None, on_behalf_of: None, ..*headers };
        if let Ok(authenticated) = authenticator.authenticate(&alone, address).await {
            trail.who = Who::of(&authenticated);
        }
    }
    if refused == Unauthenticated::GroupsUnresolved {
        let actor = Actor { credential: "token without groups".to_owned(), ..Actor::default() };
        trail.who = Who::Known { tenant: None, actor };
    }
    if refused == Unauthenticated::Invalid && was_shown {
        tracing::info!(request.id = trail.request_id.as_str(), "a credential was refused");
        if let Err(refused) = server.limits.check_failure(address) {
            server.metrics.authentication_failed();
            return Err(Box::new(too_soon(*refused)));
        }
    }
    Err(Box::new(Problem::from(refused).into_response()))
}

/// Each header at most once: of two credentials, two readers could take different ones.
fn credential_headers(headers: &HeaderMap) -> Result<CredentialHeaders<'_>, Unauthenticated> {
    let once = |name: &str, refusal: Unauthenticated| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => std::str::from_utf8(value.as_bytes()).map(Some).map_err(|_| refusal),
            _ => Err(refusal),
        }
    };
    Ok(CredentialHeaders {
        authorization: once("authorization", Unauthenticated::Invalid)?,
        act_as: once("ringfence-as", Unauthenticated::MalformedActing)?,
        on_behalf_of: once("ringfence-on-behalf-of", Unauthenticated::MalformedActing)?,
        certificate: None,
    })
}

/// The certificate of the connection.
fn certificate(request: &Request) -> Option<Arc<ClientCertificate>> {
    request.extensions().get::<PeerCertificate>().map(|certificate| Arc::clone(&certificate.0))
}

/// Where the request comes from. A proxy appends its client to `X-Forwarded-For`, so the last address is the one it vouches for.
fn address(server: &Server, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0);
    if !server.app.config.behind_proxy {
        return peer;
    }
    let forwarded = request.headers().get_all("x-forwarded-for").iter().next_back();
    let last = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.unwrap_or(peer)
}

/// A read may demand that a write it knows of is in the answer.
fn check_min_revision(server: &Server, authenticated: &Authenticated, headers: &HeaderMap) -> Result<(), Problem> {
    let (Some(demanded), Authenticated::Caller(caller)) = (headers.get(MIN_REVISION), authenticated) else {
        return Ok(());
    };
    let keys = TenantKeys::derive(&server.app.master, caller.tenant());
    let demanded = demanded.to_str().ok().and_then(|sealed| keys.sealer().open_revision(sealed));
    let malformed = || Problem::new(Code::MalformedHeader, "`Ringfence-Min-Revision` is not a revision of this tenant");
    let demanded = demanded.ok_or_else(malformed)?;
    if server.app.engine.epoch(caller.tenant()).is_some_and(|epoch| epoch >= demanded) {
        return Ok(());
    }
    Err(Problem::new(Code::RevisionNotReached, "the server does not have that revision yet"))
}

/// The name of a method for metrics; any string can be a method.
pub(super) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}
