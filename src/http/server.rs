//! The accept loop: connections with caps and timers, TLS, and a shutdown that lets open requests finish.
//!
//! `axum::serve` keeps idle, half-sent and unread connections open for as long as the client likes; here every wait has an end.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, header},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt;

use super::{
    body::PacedBody,
    inspector::Inspector,
    request_id::RequestId,
    settings::HttpSettings,
    strict,
    wire::{Verdict, Wire},
};
use crate::authn::ClientCertificate;

/// The address a request came from, as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// The client certificate of a request's connection, as an extension of the request.
#[derive(Clone, Debug)]
pub(super) struct PeerCertificate(pub(super) Arc<ClientCertificate>);

/// Serves `router` on `listener` until `shutdown` resolves; returns when open requests are done or the drain time is over.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: HttpSettings,
    tls: Option<Arc<rustls::ServerConfig>>,
    shutdown: impl Future<Output = ()>,
) {
    let settings = Arc::new(settings);
    let tls = tls.map(TlsAcceptor::from);
    let places = Places::new(&settings);
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listener) => {
                let (stream, peer) = accepted;
                let Some(place) = places.take(peer.ip()) else { continue };
                let connection = Connection { peer, router: router.clone(), settings: settings.clone(), stopping: stopping.clone() };
                let tls = tls.clone();
                connections.spawn(async move {
                    connection.open(stream, tls).await;
                    drop(place);
                });
            }
        }
    }
    drop(listener);
    stop.send_replace(true);
    let drained = timeout(settings.drain_timeout, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = connections.len(), "closing connections that did not finish in time");
    }
}

/// The next connection; without file descriptors it waits rather than spins.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                let wait = timeout(Duration::from_millis(100), std::future::pending::<()>());
                wait.await.unwrap_or_default();
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct Connection {
    peer: SocketAddr,
    router: Router,
    settings: Arc<HttpSettings>,
    stopping: watch::Receiver<bool>,
}

impl Connection {
    async fn open(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Answers are small and written whole: waiting for more to send only adds latency.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        match tls {
            None => self.run(stream, None).await,
            Some(acceptor) => {
                if let Ok(Ok(stream)) = timeout(self.settings.handshake_timeout, acceptor.accept(stream)).await {
                    let certificate = peer_certificate(&stream);
                    self.run(stream, certificate).await;
                }
            }
        }
    }

    async fn run<S: AsyncRead + AsyncWrite + Unpin + Send>(mut self, stream: S, certificate: Option<PeerCertificate>) {
        let verdict = Verdict::default();
        // hyper refuses what is more than twice over the limit; what is a little over gets a problem document.
        let buffer_bytes = self.settings.head_bytes_max * 2;
        let inspector = Inspector::new(buffer_bytes);
        let wire = Wire::new(stream, inspector, verdict.clone(), self.settings.write_timeout);
        let (router, settings, peer) = (self.router.clone(), self.settings.clone(), Peer(self.peer.ip()));
        // hyper gives its stream back only from futures that can be moved.
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let (router, settings, verdict) = (router.clone(), settings.clone(), verdict.clone());
            if let Some(certificate) = certificate.clone() {
                request.extensions_mut().insert(certificate);
            }
            Box::pin(async move { answer(request, router, &settings, &verdict, peer).await })
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.settings.head_timeout)
            .max_buf_size(buffer_bytes)
            .serve_connection(TokioIo::new(wire), service);
        let served = tokio::select! {
            served = poll_fn(|context| connection.poll_without_shutdown(context)) => served,
            () = async { drop(self.stopping.wait_for(|stopping| *stopping).await) } => {
                Pin::new(&mut connection).graceful_shutdown();
                poll_fn(|context| connection.poll_without_shutdown(context)).await
            }
        };
        match served {
            Ok(()) => linger(connection.into_parts().io.into_inner()).await,
            Err(error) => tracing::debug!(%error, "a connection ended early"),
        }
    }
}

/// What the client showed of itself, its chain checked; `None` where it showed nothing, or nothing that can be read.
fn peer_certificate(stream: &TlsStream<TcpStream>) -> Option<PeerCertificate> {
    let (_, connection) = stream.get_ref();
    let certificate = ClientCertificate::parse(connection.peer_certificates()?.first()?)?;
    Some(PeerCertificate(Arc::new(certificate)))
}

/// Ends a connection so that the client can read the answer although it still sends.
///
/// Closing a socket with unread input resets it, and the reset overtakes the answer: a refused upload would look like a broken network.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let drain = async {
        stream.shutdown().await?;
        let mut sink = [0; 8192];
        while stream.read(&mut sink).await? > 0 {}
        Ok::<(), io::Error>(())
    };
    if timeout(LINGER, drain).await.is_err() {
        tracing::debug!("a client kept sending after its answer");
    }
}

/// How long a client that still sends is listened to after its last answer.
const LINGER: Duration = Duration::from_secs(2);

async fn answer(
    request: hyper::Request<Incoming>,
    router: Router,
    settings: &HttpSettings,
    verdict: &Verdict,
    peer: Peer,
) -> Result<Response, Infallible> {
    let (parts, body) = request.into_parts();
    if let Err(problem) = strict::check(&parts, verdict.get().copied(), settings) {
        return Ok(closing(problem.response(&RequestId::random())));
    }
    let chunked = parts.headers.contains_key(header::TRANSFER_ENCODING);
    let mut request = Request::from_parts(parts, Body::new(PacedBody::new(body, settings)));
    request.extensions_mut().insert(peer);
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    // The inspector does not follow chunks, so nothing may come after them.
    Ok(if chunked { closing(response) } else { response })
}

fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Counts open connections, in all and by address.
struct Places {
    open: Arc<Mutex<Open>>,
    all_max: usize,
    address_max: usize,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One open connection; gives its place back when dropped.
struct Place {
    open: Arc<Mutex<Open>>,
    address: IpAddr,
}

impl Places {
    fn new(settings: &HttpSettings) -> Self {
        Self {
            open: Arc::default(),
            all_max: settings.connections_max,
            address_max: settings.connections_per_address_max,
        }
    }

    fn take(&self, address: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.by_address.get(&address).copied().unwrap_or(0);
        if open.all >= self.all_max || here >= self.address_max {
            return None;
        }
        open.all += 1;
        open.by_address.insert(address, here + 1);
        Some(Place { open: self.open.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
