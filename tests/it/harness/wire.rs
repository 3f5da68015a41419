//! HTTP/1.1 over a plain socket: exactly the bytes that were meant go out, and exactly the bytes that came are looked at.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// An answer that takes longer is a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that is kept alive between requests and opened again when the server has closed it.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Sends a request. One that was lost because an idle connection had been closed is sent again on a new one.
    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<Answer> {
        if let Some(stream) = self.stream.take()
            && let Ok(answer) = self.exchange(stream, request)
        {
            return Ok(answer);
        }
        self.send_once(request)
    }

    /// Sends a request on a new connection and never a second time.
    pub(crate) fn send_once(&mut self, request: &[u8]) -> io::Result<Answer> {
        let stream = connect(self.address)?;
        self.exchange(BufReader::new(stream), request)
    }

    fn exchange(&mut self, mut stream: BufReader<TcpStream>, request: &[u8]) -> io::Result<Answer> {
        // A server that refuses a body early may close its side while we write: the answer is what counts.
        let written = stream.get_mut().write_all(request);
        let is_head = request.starts_with(b"HEAD ");
        let answer = match (read_answer(&mut stream, is_head), written) {
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
            (Ok(answer), _) => answer,
        };
        if answer.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

/// A fresh socket.
pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Everything the server says to these bytes until it closes; the client says that it has finished.
pub(crate) fn exchange_raw(address: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(address)?;
    // As above: the server may have had enough before all is written.
    let _written = stream.write_all(bytes).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if answer.is_empty() && error.kind() != io::ErrorKind::ConnectionReset => Err(error),
        _ => Ok(answer),
    }
}

/// The head and body of a request; a body brings its length.
pub(crate) fn request(method: &str, path: &str, headers: &[(String, String)], body: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    if let Some(body) = body {
        bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body.unwrap_or_default());
    bytes
}

/// Reads one answer.
pub(crate) fn read_answer(stream: &mut impl BufRead, is_head: bool) -> io::Result<Answer> {
    loop {
        let (status, headers) = read_head(stream)?;
        if status == 100 {
            continue;
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if !(is_head || matches!(status, 204 | 304)) {
            answer.body = read_body(stream, &answer)?;
        }
        return Ok(answer);
    }
}

fn read_head(stream: &mut impl BufRead) -> io::Result<(u16, Vec<(String, String)>)> {
    let first = read_line(stream)?;
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    let status = status.ok_or_else(|| broken("no status line"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken("a header without a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_body(stream: &mut impl BufRead, answer: &Answer) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = read_line(stream)?;
            let size = usize::from_str_radix(&size, 16).map_err(|_| broken("no chunk size"))?;
            let start = body.len();
            body.resize(start + size, 0);
            stream.read_exact(&mut body[start..])?;
            read_line(stream)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match answer.header("content-length") {
        Some(length) => {
            body.resize(length.parse().map_err(|_| broken("no content length"))?, 0);
            stream.read_exact(&mut body)?;
        }
        None => {
            stream.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Answer {
    /// The first header of this name, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}: {}", self.status, self.text()))
    }

    /// The answer, once it is known to have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}
