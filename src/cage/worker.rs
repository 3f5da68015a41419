//! The worker itself: shut in, read one document, answer, end.

use std::{
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    process::ExitCode,
};

use ringfence_ingest::{ANSWER_BYTES_MAX, parse_document, write_answer};
use serde::{Deserialize, Serialize};

use super::confine::confine;

/// The line before a document.
const ORDER_BYTES_MAX: u64 = 1 << 20;

/// What is asked of a worker; so many bytes of the document follow the line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order<'a> {
    #[serde(borrow)]
    pub(super) media_type: Option<std::borrow::Cow<'a, str>>,
    pub(super) accept: Vec<String>,
    pub(super) length: usize,
}

/// Whether the arguments of a process make it a worker. Asked before anything else is done, because a worker has one thread and reads no configuration.
#[must_use]
pub fn is_asked_for() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    arguments.next().is_some_and(|argument| argument == "worker") && arguments.next().is_none()
}

/// Runs a worker on standard input and output.
#[must_use]
pub fn run() -> ExitCode {
    let protections = confine();
    let served = serve(io::stdin().lock(), io::stdout().lock(), &protections.to_line());
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn serve(input: impl Read, mut output: impl Write, greeting: &str) -> io::Result<()> {
    output.write_all(greeting.as_bytes())?;
    output.flush()?;
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    input.by_ref().take(ORDER_BYTES_MAX).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        // The server went away, or has no use for this worker.
        return Ok(());
    }
    let order: Order<'_> = serde_json::from_slice(&line)?;
    let mut bytes = Vec::with_capacity(order.length.min(ANSWER_BYTES_MAX));
    input.take(order.length as u64).read_to_end(&mut bytes)?;
    if bytes.len() != order.length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let outcome = parse_document(&bytes, order.media_type.as_deref(), &order.accept);
    drop(bytes);
    let mut answer = BufWriter::with_capacity(1 << 16, Bounded { output, left: ANSWER_BYTES_MAX });
    write_answer(outcome, &mut answer)?;
    answer.flush()
}

/// A writer that fails rather than write more than it may.
struct Bounded<W> {
    output: W,
    left: usize,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.left {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = self.output.write(bytes)?;
        self.left -= written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Bounded, serve};

    fn check(input: &[u8], expected: Option<&str>) {
        let mut output = Vec::new();
        let served = serve(input, &mut output, "ready\n").ok().map(|()| String::from_utf8(output).unwrap());
        assert_eq!(served.as_deref(), expected, "{}", String::from_utf8_lossy(input));
    }

    #[test]
    fn one_document_is_answered() {
        let order = "{\"media_type\":\"application/json\",\"accept\":[],\"length\":2}\n";
        let answer = r#"{"parsed":{"title":null,"media_type":"application/json","findings":[],"text":"17"}}"#;
        check(format!("{order}17more").as_bytes(), Some(&format!("ready\n{answer}")));
        check(b"", Some("ready\n"));
        check(format!("{order}1").as_bytes(), None);
        check(b"{}\n", None);
    }

    #[test]
    fn an_answer_is_bounded() {
        let mut bounded = Bounded { output: Vec::new(), left: 3 };
        assert!(bounded.write_all(b"ab").is_ok() && bounded.write_all(b"cd").is_err());
        assert_eq!(bounded.output, b"ab");
    }
}
