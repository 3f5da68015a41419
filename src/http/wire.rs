//! The byte stream under hyper: inspected on the way in, bounded in patience on the way out.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::inspector::{Inspector, Violation};

/// What the inspector found on a connection; set once, read by the service that answers on it.
pub(super) type Verdict = Arc<OnceLock<Violation>>;

/// A connection's stream with its inspector and its write timer.
pub(super) struct Wire<S> {
    stream: S,
    inspector: Inspector,
    verdict: Verdict,
    write_timeout: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Wire<S> {
    /// Wraps `stream`; a violation is told through `verdict`.
    pub(super) fn new(stream: S, inspector: Inspector, verdict: Verdict, write_timeout: Duration) -> Self {
        Self { stream, inspector, verdict, write_timeout, stalled: None }
    }

    /// Lets a client that reads nothing be given up: a pending write may wait only so long.
    fn patience<T>(&mut self, context: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + timeout)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read the answer")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut wire.stream).poll_read(context, buffer))?;
        if let Some(violation) = wire.inspector.feed(&buffer.filled()[before..]) {
            wire.verdict.get_or_init(|| violation);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let poll = Pin::new(&mut wire.stream).poll_write(context, bytes);
        wire.patience(context, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let poll = Pin::new(&mut wire.stream).poll_write_vectored(context, slices);
        wire.patience(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let poll = Pin::new(&mut wire.stream).poll_flush(context);
        wire.patience(context, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let poll = Pin::new(&mut wire.stream).poll_shutdown(context);
        wire.patience(context, poll)
    }
}
