//! Clients that stop in the middle are closed, and others do not notice them.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::json;
use tokio::time::{Duration, Instant};

use crate::harness::{Server, connect};

const CLIENTS: usize = 400;
const SECONDS_MAX: u64 = 30;

/// What a client sends before it stops.
fn beginnings(credential: &str) -> [String; 5] {
    let head = format!("POST /v1/search HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {credential}\r\n");
    let json = "content-type: application/json\r\ncontent-length: 900\r\n\r\n{\"query\":";
    [
        String::new(),
        "POST /v1/se".to_owned(),
        head.clone(),
        format!("{head}{json}"),
        "GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n".to_owned(),
    ]
}

fn stopped(server: &Server, beginning: &str) -> TcpStream {
    let mut stream = connect(server.address()).unwrap();
    stream.write_all(beginning.as_bytes()).unwrap();
    stream
}

#[test]
fn clients_that_stop_are_closed_and_nobody_else_waits() {
    let server = Server::start_with(|config, _| config.limits.connections_per_address = 2 * CLIENTS);
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.text("handbook", "d", "how the signing keys are rotated", &["everyone"]);
    let user = tenant.user("ann", &[]);
    let beginnings = beginnings(user.credential());
    let begun = Instant::now();
    let slow: Vec<TcpStream> = (0..CLIENTS).map(|number| stopped(&server, &beginnings[number % 5])).collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let asked = Instant::now();
        assert_eq!(user.found("signing keys"), ["d"]);
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(5), "a search took {slowest:?} beside slow clients");
    for (number, mut stream) in slow.into_iter().enumerate() {
        let mut rest = Vec::new();
        // A reset closes as well as an end.
        let _end = stream.read_to_end(&mut rest);
        let rest = String::from_utf8_lossy(&rest);
        let expected = if number % 5 == 4 { "HTTP/1.1 200" } else { "" };
        assert!(rest.starts_with(expected) && !rest.contains("HTTP/1.1 5"), "{number}: {rest}");
    }
    let seconds = begun.elapsed().as_secs();
    assert!(seconds <= SECONDS_MAX, "the last slow client was closed after {seconds} s");
    assert_eq!(user.found("signing keys"), ["d"]);
}

#[test]
fn too_many_connections_are_refused_and_the_rest_served() {
    let server = Server::start_with(|config, _| config.limits.connections_per_address = 10);
    let open: Vec<TcpStream> = (0..10).map(|_| stopped(&server, "GET ")).collect();
    let refused = connect(server.address()).and_then(|mut stream| {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map(|_| answer)
    });
    // Closed without an answer, or reset before the request was written.
    assert!(refused.is_err() || refused.is_ok_and(|answer| answer.is_empty()), "an eleventh connection was served");
    drop(open);
    let served = |server: &Server| {
        let mut stream = connect(server.address()).ok()?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(())
    };
    let end = Instant::now() + Duration::from_secs(SECONDS_MAX);
    while served(&server).is_none() {
        assert!(Instant::now() < end, "places are not given back");
    }
}
