//! Tests of the accept loop over real sockets, raw hostile requests among them.

use axum::routing::{any, post};
use tokio::sync::oneshot;

use super::*;
use crate::http::problem::Problem;

/// A server with short timers and two routes: `/p` reads its body, `/admin` must only be reached by asking for it.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(settings: HttpSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route(
                "/p",
                post(async |body: Body| {
                    super::super::body::read_bounded(body, 1000).await.map(|bytes| bytes.len().to_string())
                }),
            )
            .route("/admin", any(async || "ADMIN-REACHED"))
            .fallback(async || Problem::not_found())
            .layer(axum::middleware::from_fn(super::super::problem::render));
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { stopped.await.unwrap_or_default() };
        let task = tokio::spawn(serve(listener, router, settings, None, shutdown));
        Self { address, stop: Some(stop), task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes, ends the sending side and returns all that comes back.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // The server may close before all is sent.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        read_all(&mut stream).await
    }
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("the server hangs up");
    drop(read);
    String::from_utf8_lossy(&answer).into_owned()
}

fn impatient() -> HttpSettings {
    HttpSettings {
        head_timeout: Duration::from_millis(200),
        body_grace: Duration::from_millis(200),
        ..HttpSettings::default()
    }
}

/// How a raw request must end.
#[derive(Clone, Copy, Debug)]
enum End {
    /// A 4xx or nothing, and never a second answer.
    Refused,
    /// Any answer but that of `/admin`.
    NotAdmin,
}

fn hostile_requests() -> Vec<(&'static str, Vec<u8>, End)> {
    const SMUGGLED: &str = "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n";
    let length = SMUGGLED.len();
    let body = |fields: &str, body: &str| format!("POST /p HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n{body}").into_bytes();
    let get = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\n{fields}\r\n").into_bytes();
    let chunked = "Transfer-Encoding: chunked";
    let many: String = (0..1000).map(|number| format!("X{number}: 1\r\n")).collect();
    use End::{NotAdmin, Refused};
    vec![
        (
            "length then chunked",
            body(&format!("Content-Length: {}\r\n{chunked}", length + 5), &format!("0\r\n\r\n{SMUGGLED}")),
            Refused,
        ),
        (
            "chunked then length",
            body(&format!("{chunked}\r\nContent-Length: 4"), &format!("{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n")),
            Refused,
        ),
        (
            "two encodings",
            body(&format!("{chunked}\r\nTransfer-Encoding: x"), &format!("0\r\n\r\n{SMUGGLED}")),
            Refused,
        ),
        ("unknown encoding", body("Transfer-Encoding: xchunked", &format!("0\r\n\r\n{SMUGGLED}")), Refused),
        (
            "space before colon",
            body("Transfer-Encoding : chunked\r\nContent-Length: 5", &format!("0\r\n\r\n{SMUGGLED}")),
            Refused,
        ),
        ("two lengths", body(&format!("Content-Length: 0\r\nContent-Length: {length}"), SMUGGLED), Refused),
        ("signed length", body("Content-Length: +5", "hello"), Refused),
        ("negative length", body("Content-Length: -1", SMUGGLED), Refused),
        ("listed length", body("Content-Length: 0, 5", "hello"), Refused),
        ("endless length", body("Content-Length: 99999999999999999999", "x"), Refused),
        ("huge length, nothing sent", body("Expect: 100-continue\r\nContent-Length: 99999999999", ""), Refused),
        ("chunk size overflow", body(chunked, "fffffffffffffffff\r\nx\r\n0\r\n\r\n"), Refused),
        ("long chunk extension", body(chunked, &format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(200_000))), Refused),
        ("chunk with bare line feeds", body(chunked, &format!("1\nx\n0\n\n{SMUGGLED}")), Refused),
        ("request after chunks", body(chunked, &format!("1\r\nx\r\n0\r\n\r\n{SMUGGLED}")), NotAdmin),
        ("folded header", get("/", "Host: x\r\nX-A: 1\r\n  continued\r\n"), Refused),
        ("bare carriage return", get("/", "Host: x\r\nX-A: 1\rX-B: 2\r\n"), Refused),
        ("zero byte in a header", get("/", "Host: x\r\nX-A: a\0b\r\n"), Refused),
        ("no host", get("/", ""), Refused),
        ("two hosts", get("/", "Host: a\r\nHost: b\r\n"), Refused),
        ("address of another host", get("http://evil/admin", "Host: x\r\n"), Refused),
        ("encoded dots", get("/%2e%2e/admin", "Host: x\r\n"), NotAdmin),
        ("double slash", get("//admin", "Host: x\r\n"), NotAdmin),
        ("path parameter", get("/admin;/../", "Host: x\r\n"), NotAdmin),
        ("zero byte in the path", get("/admin%00", "Host: x\r\n"), NotAdmin),
        (
            "method and path overrides",
            get("/", "Host: x\r\nX-HTTP-Method-Override: DELETE\r\nX-Original-URL: /admin\r\n"),
            NotAdmin,
        ),
        ("HTTP/0.9", b"GET /admin\r\n".to_vec(), Refused),
        ("HTTP/1.0 without host", b"GET /admin HTTP/1.0\r\n\r\n".to_vec(), Refused),
        ("HTTP/2 preface", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &[0xff; 100]].concat(), Refused),
        ("long header", get("/", &format!("Host: x\r\nX: {}\r\n", "a".repeat(1 << 17))), Refused),
        ("header a little over", get("/", &format!("Host: x\r\nX: {}\r\n", "a".repeat(17 << 10))), Refused),
        ("many headers", get("/", &format!("Host: x\r\n{many}")), Refused),
        ("long address", get(&format!("/{}", "a".repeat(1 << 17)), "Host: x\r\n"), Refused),
        ("TLS on a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), Refused),
        ("line feeds alone", b"GET /admin HTTP/1.1\nHost: x\n\n".to_vec(), Refused),
        ("TRACE", b"TRACE /admin HTTP/1.1\r\nHost: x\r\nX: SECRET-CANARY\r\n\r\n".to_vec(), Refused),
        ("CONNECT", b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), Refused),
        ("compressed body", body("Content-Encoding: gzip\r\nContent-Length: 5", "hello"), Refused),
    ]
}

#[tokio::test]
async fn hostile_raw_requests_are_refused_and_smuggle_nothing() {
    let server = Server::start(HttpSettings::default()).await;
    for (name, bytes, end) in hostile_requests() {
        let answer = server.exchange(&bytes).await;
        assert!(!answer.contains("ADMIN-REACHED") && !answer.contains("SECRET-CANARY"), "{name}: {answer}");
        assert!(answer.matches("HTTP/1.").count() <= 1, "{name}: {answer}");
        let status = answer.get(9..12).unwrap_or_default();
        match end {
            End::Refused => assert!(answer.is_empty() || status.starts_with('4'), "{name}: {answer}"),
            End::NotAdmin => assert!(answer.starts_with("HTTP/1.1 "), "{name}: {answer}"),
        }
    }
    let answer = server.exchange(b"GET /admin HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.contains("ADMIN-REACHED"), "the server still serves: {answer}");
}

#[tokio::test]
async fn two_requests_on_one_connection_are_both_answered() {
    let server = Server::start(HttpSettings::default()).await;
    let request = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    let answer = server.exchange(request.repeat(2).as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
}

#[tokio::test]
async fn clients_that_stop_sending_are_closed() {
    let server = Server::start(impatient()).await;
    for (name, bytes) in [
        ("nothing", ""),
        ("half a head", "GET / HTTP/1.1\r\nHo"),
        ("idle after a request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("half a body", "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhel"),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let answer = read_all(&mut stream).await;
        assert!(!answer.contains("HTTP/1.1 5"), "{name}: {answer}");
        assert_eq!(answer.contains("\"status\":408"), name == "half a body", "{name}: {answer}");
    }
}

#[tokio::test]
async fn a_body_over_its_limit_is_refused_before_it_is_sent() {
    let server = Server::start(HttpSettings::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000000\r\n\r\n").await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("payload_too_large"), "{answer}");
}

#[tokio::test]
async fn connections_over_the_cap_are_closed_and_places_given_back() {
    let server = Server::start(HttpSettings { connections_per_address_max: 1, ..HttpSettings::default() }).await;
    let request = b"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    let mut first = server.connect().await;
    first.write_all(request).await.unwrap();
    first.readable().await.unwrap();
    assert_eq!(server.exchange(request).await, "");
    first.shutdown().await.unwrap();
    read_all(&mut first).await;
    let again = async { while server.exchange(request).await.is_empty() {} };
    timeout(Duration::from_secs(20), again).await.expect("the place is free again");
}

#[tokio::test]
async fn shutdown_lets_an_open_request_finish() {
    let mut server = Server::start(HttpSettings::default()).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .await
        .unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.stop.take().unwrap().send(()).unwrap();
    stream.write_all(b"hello").await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.task.await.unwrap();
}
