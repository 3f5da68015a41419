//! Bodies: paced, so that a slow client gives up its place, and bounded without being buffered first.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    problem::{Code, Problem},
    settings::HttpSettings,
};

/// A body that may keep the server waiting for a grace plus what its size earns, and no longer.
///
/// Only time spent waiting for the client counts, so that a server under load blames nobody.
#[derive(Debug)]
pub(super) struct PacedBody<B> {
    body: B,
    allowance: Duration,
    rate_bytes: u64,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// The client kept the server waiting for too long.
#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
pub(super) struct TooSlow;

impl<B> PacedBody<B> {
    /// Paces `body` as the settings say.
    pub(super) const fn new(body: B, settings: &HttpSettings) -> Self {
        Self { body, allowance: settings.body_grace, rate_bytes: settings.body_rate_bytes, waiting: None }
    }

    fn settle(&mut self, received_bytes: usize) {
        if let Some((since, _)) = self.waiting.take() {
            self.allowance = self.allowance.saturating_sub(since.elapsed());
        }
        let earned_ms = received_bytes as u64 * 1000 / self.rate_bytes.max(1);
        self.allowance += Duration::from_millis(earned_ms);
    }
}

impl<B> HttpBody for PacedBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let paced = self.get_mut();
        match Pin::new(&mut paced.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                paced.settle(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => {
                let allowance = paced.allowance;
                let (_, timer) = paced.waiting.get_or_insert_with(|| {
                    let now = Instant::now();
                    (now, Box::pin(sleep_until(now + allowance)))
                });
                timer.as_mut().poll(context).map(|()| Some(Err(TooSlow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reads a whole body of at most `limit_bytes`; one that declares more is refused unread.
pub(super) async fn read_bounded(mut body: Body, limit_bytes: usize) -> Result<Vec<u8>, Problem> {
    let declared = HttpBody::size_hint(&body).lower();
    if declared > limit_bytes as u64 {
        return Err(too_large(limit_bytes));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(declared).unwrap_or(0));
    while let Some(chunk) = next_chunk(&mut body).await? {
        if bytes.len() + chunk.len() > limit_bytes {
            return Err(too_large(limit_bytes));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The next bytes of a body, or `None` at its end.
pub(super) async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(error)) => return Err(broken(&error)),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// The refusal of a body over its limit.
pub(super) fn too_large(limit_bytes: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("the limit here is {limit_bytes} bytes"))
}

fn broken(error: &axum::Error) -> Problem {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<TooSlow>() {
            return Problem::new(Code::RequestTimeout, "send the body faster, or in smaller requests");
        }
        cause = error.source();
    }
    Problem::new(Code::MalformedRequest, "the body ended early or its framing is broken")
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn impatient() -> HttpSettings {
        HttpSettings { body_grace: Duration::from_millis(50), body_rate_bytes: 1 << 20, ..HttpSettings::default() }
    }

    #[tokio::test]
    async fn a_body_over_its_limit_is_refused_declared_or_not() {
        let parts =
            |count: usize| stream::iter((0..count).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"12345"))));
        assert_eq!(read_bounded(Body::from("12345"), 5).await.unwrap(), b"12345");
        assert_eq!(read_bounded(Body::from("123456"), 5).await.unwrap_err().code, Code::PayloadTooLarge);
        assert_eq!(read_bounded(Body::from_stream(parts(2)), 10).await.unwrap().len(), 10);
        assert_eq!(read_bounded(Body::from_stream(parts(3)), 10).await.unwrap_err().code, Code::PayloadTooLarge);
    }

    #[tokio::test]
    async fn a_body_that_stops_is_given_up() {
        let stuck = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let body = Body::new(PacedBody::new(stuck, &impatient()));
        assert_eq!(read_bounded(body, 10).await.unwrap_err().code, Code::RequestTimeout);
    }

    #[tokio::test]
    async fn a_body_that_trickles_is_given_up() {
        let trickle = stream::unfold((), |()| async {
            let never = std::future::pending::<()>();
            tokio::time::timeout(Duration::from_millis(10), never).await.unwrap_err();
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let body = Body::new(PacedBody::new(Body::from_stream(Box::pin(trickle)), &impatient()));
        assert_eq!(read_bounded(body, 1 << 20).await.unwrap_err().code, Code::RequestTimeout);
    }
}
