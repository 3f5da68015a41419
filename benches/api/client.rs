//! A bare HTTP/1.1 client on one kept connection: what it costs itself is small and the same for every request.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// The longest wait for any answer: a hanging server ends the benchmark.
const PATIENCE: Duration = Duration::from_secs(600);

/// A connection with its credential.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    key: String,
    address: SocketAddr,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, key: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a socket takes TCP_NODELAY");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        Self { stream: BufReader::with_capacity(1 << 16, stream), key: key.to_owned(), address }
    }

    /// The bytes of a request, to be sent once or often.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        media_type: &str,
        acting_for: Option<&str>,
        body: &[u8],
    ) -> Vec<u8> {
        Self::bytes(self.address, &self.key, [method, path, media_type], acting_for, body)
    }

    /// The bytes of a request with any credential; the line is method, path and media type.
    pub(crate) fn bytes(
        address: SocketAddr,
        key: &str,
        [method, path, media_type]: [&str; 3],
        acting_for: Option<&str>,
        body: &[u8],
    ) -> Vec<u8> {
        let acting_for = acting_for.map(|person| format!("Ringfence-As: {person}\r\n")).unwrap_or_default();
        let content = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n", body.len())
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n{acting_for}{content}\r\n"
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        request
    }

    /// Sends a request and reads its whole answer.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        media_type: &str,
        acting_for: Option<&str>,
        body: &[u8],
    ) -> (u16, Vec<u8>) {
        let request = self.request(method, path, media_type, acting_for, body);
        self.exchange(&request)
    }

    /// Sends the bytes of a request and reads its whole answer.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.try_exchange(request).expect("the server answers")
    }

    /// Sends the bytes of a request to a server that may hang up.
    pub(crate) fn try_exchange(&mut self, request: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        self.stream.get_mut().write_all(request)?;
        self.answer()
    }

    /// Sends JSON and reads JSON; anything but a success ends the benchmark.
    pub(crate) fn json(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(method, path, "application/json", None, body.to_string().as_bytes());
        assert!((200..300).contains(&status), "{method} {path}: {status} {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap_or(Value::Null)
    }

    /// Sends the lines of a batch, all of which must be taken.
    pub(crate) fn batch(&mut self, collection: &str, lines: &str) {
        let path = format!("/v1/collections/{collection}/documents:batch");
        let (status, answer) = self.send("POST", &path, "application/x-ndjson", None, lines.as_bytes());
        let answer = String::from_utf8_lossy(&answer);
        let bad = answer.lines().find(|line| !line.contains("\"status\":200"));
        assert!(status == 200 && bad.is_none(), "{status} {bad:?}");
    }

    fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
        let (mut length, mut chunked) = (0, false);
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            match header.split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse().map_err(|_| broken())?,
                Some(("transfer-encoding", _)) => chunked = true,
                Some(_) => {}
            }
        }
        let mut body = Vec::new();
        if !chunked {
            body.resize(length, 0);
            self.stream.read_exact(&mut body)?;
            return Ok((status, body));
        }
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim_end(), 16).map_err(|_| broken())?;
            let start = body.len();
            body.resize(start + size + 2, 0);
            self.stream.read_exact(&mut body[start..])?;
            body.truncate(start + size);
            if size == 0 {
                return Ok((status, body));
            }
        }
    }
}
