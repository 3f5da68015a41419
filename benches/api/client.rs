//! A bare HTTP/1.1 client on one kept connection: what it costs itself is small and the same for every request.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;

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
        Self { stream: BufReader::with_capacity(1 << 16, stream), key: key.to_owned(), address }
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
        let acting_for = acting_for.map(|person| format!("Ringfence-As: {person}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{acting_for}Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.key,
            body.len()
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.stream.get_mut().write_all(&request).expect("the server reads");
        self.answer()
    }

    /// Sends JSON and reads JSON; anything but a success ends the benchmark.
    pub(crate) fn json(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send(method, path, "application/json", None, body.to_string().as_bytes());
        assert!((200..300).contains(&status), "{method} {path}: {status} {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap_or(Value::Null)
    }

    fn answer(&mut self) -> (u16, Vec<u8>) {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server answers");
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let (mut length, mut chunked) = (0, false);
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("the server answers");
            let header = line.trim_end().to_ascii_lowercase();
            match header.split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse().expect("a length"),
                Some(("transfer-encoding", _)) => chunked = true,
                Some(_) => {}
            }
        }
        let mut body = Vec::new();
        if !chunked {
            body.resize(length, 0);
            self.stream.read_exact(&mut body).expect("the server answers");
            return (status, body);
        }
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("the server answers");
            let size = usize::from_str_radix(line.trim_end(), 16).expect("a chunk size");
            let start = body.len();
            body.resize(start + size + 2, 0);
            self.stream.read_exact(&mut body[start..]).expect("the server answers");
            body.truncate(start + size);
            if size == 0 {
                return (status, body);
            }
        }
    }
}
