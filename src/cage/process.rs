//! A worker as the server sees it: a process behind two pipes.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use ringfence_ingest::ANSWER_BYTES_MAX;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{protection::Protections, worker::Order};

/// A process that has not reported by then is not a worker.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The line with which a worker reports.
const GREETING_BYTES_MAX: u64 = 256;

/// A worker that waits for its document. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    protections: Protections,
}

/// How a worker ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Crashed,
    /// It used up its processor time.
    TimedOut,
}

impl Worker {
    /// Starts a worker and waits until it has shut itself in.
    pub(super) async fn start(program: &Path) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg("worker")
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What a parser says about a document may be in the document's words.
            .stderr(Stdio::null())
            // A key pressed in the server's terminal is none of its business.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut output = BufReader::new(output);
        let mut line = String::new();
        let mut greeting = (&mut output).take(GREETING_BYTES_MAX);
        tokio::time::timeout(START_TIMEOUT, greeting.read_line(&mut line)).await??;
        let protections = Protections::from_line(&line).ok_or_else(|| io::Error::other("the process is no worker"))?;
        Ok(Self { child, input, output, protections })
    }

    /// What this worker is kept from, as it says.
    pub(super) const fn protections(&self) -> &Protections {
        &self.protections
    }

    /// Whether it still waits.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Hands over a document and waits for the answer and the end of the worker.
    pub(super) async fn exchange(
        mut self,
        bytes: &[u8],
        media_type: Option<&str>,
        accept: &[String],
    ) -> Result<Vec<u8>, Ended> {
        let media_type = media_type.map(Into::into);
        let order = Order { media_type, accept: accept.to_vec(), length: bytes.len() };
        let answer = self.converse(&order, bytes).await;
        if answer.is_err() {
            // It may be in the middle of anything.
            let _ = self.child.start_kill();
        }
        let status = self.child.wait().await.map_err(|_| Ended::Crashed)?;
        answer.ok().filter(|_| status.success()).ok_or_else(|| ended(status))
    }

    async fn converse(&mut self, order: &Order<'_>, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        self.input.write_all(&line).await?;
        self.input.write_all(bytes).await?;
        self.input.flush().await?;
        let mut answer = Vec::new();
        let most = u64::try_from(ANSWER_BYTES_MAX).unwrap_or(u64::MAX);
        (&mut self.output).take(most + 1).read_to_end(&mut answer).await?;
        if answer.len() > ANSWER_BYTES_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(answer) }
    }
}

fn ended(status: ExitStatus) -> Ended {
    if status.signal() == Some(libc::SIGXCPU) { Ended::TimedOut } else { Ended::Crashed }
}
