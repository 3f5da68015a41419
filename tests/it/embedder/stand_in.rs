//! A service on loopback that speaks the form of OpenAI's `/v1/embeddings`, well or badly as it is told.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

pub(crate) const DIMENSIONS: usize = 64;

/// What the service answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Good,
    /// This status, without vectors.
    Status(u16),
    /// Elsewhere.
    Redirect(String),
    /// This body, whatever was asked.
    Body(String),
    /// One vector fewer than asked.
    OneFewer,
    /// The connection is closed without an answer.
    Closed,
    /// Nothing, ever.
    Silent,
    /// A body without end.
    Endless,
}

/// One call as it came.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) head: String,
    pub(crate) body: Value,
}

#[derive(Debug)]
pub(crate) struct StandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    calls: Vec<Call>,
    /// Connections that are never answered, kept open.
    silent: Vec<TcpStream>,
}

impl StandIn {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { manner: Manner::Good, calls: Vec::new(), silent: Vec::new() }));
        let of = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&of);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1/embeddings", self.address)
    }

    pub(crate) fn tell(&self, manner: Manner) {
        self.state.lock().unwrap().manner = manner;
    }

    /// The calls since the last time.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    // A client that is gone is no fault of the service.
    while let Ok(Some(call)) = read(&mut reader) {
        let manner = {
            let mut state = state.lock().unwrap();
            state.calls.push(call.clone());
            state.manner.clone()
        };
        if !answer(stream, state, &manner, &call) {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Call>> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Some(Call { head, body: serde_json::from_slice(&body).unwrap_or_default() }))
}

/// Whether the connection goes on.
fn answer(mut stream: &TcpStream, state: &Mutex<State>, manner: &Manner, call: &Call) -> bool {
    let texts = call.body["input"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut send = |status: u16, further: &str, body: &str| {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{further}\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).is_ok()
    };
    match manner {
        Manner::Good => send(200, "", &vectors(texts)),
        Manner::OneFewer => send(200, "", &vectors(&texts[1..])),
        Manner::Status(status) => send(*status, "", "{}"),
        Manner::Redirect(to) => send(307, &format!("location: {to}\r\n"), ""),
        Manner::Body(body) => send(200, "", body),
        Manner::Closed => false,
        Manner::Silent => {
            state.lock().unwrap().silent.push(stream.try_clone().unwrap());
            false
        }
        Manner::Endless => {
            let mut goes_on = stream.write_all(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n").is_ok();
            while goes_on {
                goes_on = stream.write_all(b"1000\r\n").is_ok()
                    && stream.write_all(&[b' '; 0x1000]).is_ok()
                    && stream.write_all(b"\r\n").is_ok();
            }
            false
        }
    }
}

/// Vectors in the falling order of their numbers, which a client must put right.
fn vectors(texts: &[Value]) -> String {
    let entry = |(index, text): (usize, &Value)| json!({"object": "embedding", "index": index, "embedding": vector(text.as_str().unwrap_or_default())});
    let mut data: Vec<Value> = texts.iter().enumerate().map(entry).collect();
    data.reverse();
    json!({"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}).to_string()
}

/// A direction for each word, added up: texts with the same words lie near each other.
fn vector(text: &str) -> Vec<f32> {
    let mut values = vec![0.01_f32; DIMENSIONS];
    for word in text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = word.to_lowercase().bytes().fold(17_usize, |hash, byte| hash.wrapping_mul(31) ^ usize::from(byte));
        values[hash % DIMENSIONS] += 1.0;
    }
    values
}
