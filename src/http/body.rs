//! Bodies: paced, so that a slow client gives up its place, and bounded without being buffered first.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until, timeout},
};

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
pub(super) async fn read_bounded(body: Body, limit_bytes: usize) -> Result<Vec<u8>, Problem> {
    read(body, limit_bytes, None).await
}

/// Reads a whole body of at most `limit_bytes` into the room that all documents share.
pub(super) async fn read_into(room: &Room, body: Body, limit_bytes: usize) -> Result<(Vec<u8>, Held), Problem> {
    let mut held = Held::default();
    let bytes = read(body, limit_bytes, Some((room, &mut held))).await?;
    Ok((bytes, held))
}

async fn read(mut body: Body, limit_bytes: usize, mut room: Option<(&Room, &mut Held)>) -> Result<Vec<u8>, Problem> {
    let declared = HttpBody::size_hint(&body).lower();
    if declared > limit_bytes as u64 {
        return Err(too_large(limit_bytes));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(declared).unwrap_or(0));
    while let Some(chunk) = next_chunk(&mut body).await? {
        if bytes.len() + chunk.len() > limit_bytes {
            return Err(too_large(limit_bytes));
        }
        if let Some((room, held)) = &mut room {
            // Taken as the bytes come: a client that declares much and sends little holds little.
            held.take(room, chunk.len()).await?;
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Room that one body takes; given back when dropped.
#[derive(Debug, Default)]
pub(super) struct Held(Option<OwnedSemaphorePermit>);

impl Held {
    /// Takes room for what a JSON body is parsed into while the body itself is still there: its strings, and the content that they encode. Never so much that a body which fits by itself would wait for ever.
    pub(super) async fn take_parsed(&mut self, room: &Room, body_bytes: usize) -> Result<(), Problem> {
        self.take(room, body_bytes.saturating_mul(JSON_GROWTH).min(room.bytes / 2)).await
    }

    /// Takes more, waiting a moment for it.
    pub(super) async fn take(&mut self, room: &Room, bytes: usize) -> Result<(), Problem> {
        let more = room.take(bytes).await?;
        match &mut self.0 {
            Some(held) => held.merge(more),
            None => self.0 = Some(more),
        }
        Ok(())
    }
}

/// The memory that document bodies of all requests share, so that many large ones at once are told to wait rather than the server killed.
#[derive(Clone, Debug)]
pub(super) struct Room {
    units: Arc<Semaphore>,
    bytes: usize,
    patience: Duration,
}

impl Room {
    /// Room for so many bytes, and how long a body waits for it before it is refused.
    pub(super) fn new(bytes: usize, patience: Duration) -> Self {
        Self { units: Arc::new(Semaphore::new(bytes / ROOM_UNIT)), bytes, patience }
    }

    async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let units = u32::try_from(bytes.div_ceil(ROOM_UNIT)).unwrap_or(u32::MAX);
        let taken = timeout(self.patience, Arc::clone(&self.units).acquire_many_owned(units)).await;
        let full = || Problem::unavailable("too many large documents are being taken in: try again");
        taken.ok().and_then(Result::ok).ok_or_else(full)
    }
}

/// A parsed JSON body beside the body, in parts of it: the strings once, and once more what they are decoded to.
const JSON_GROWTH: usize = 2;

/// The size of a permit for room.
const ROOM_UNIT: usize = 1 << 10;

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
    async fn bodies_share_their_room_and_give_it_back() {
        let room = Room::new(10 << 10, Duration::from_millis(10));
        let body = || Body::from(vec![0; 8 << 10]);
        let (bytes, held) = read_into(&room, body(), 1 << 20).await.unwrap();
        assert_eq!(bytes.len(), 8 << 10);
        assert_eq!(read_into(&room, body(), 1 << 20).await.unwrap_err().code, Code::Unavailable);
        drop(held);
        assert!(read_into(&room, body(), 1 << 20).await.is_ok());
    }

    #[tokio::test]
    async fn what_a_body_is_parsed_into_takes_room_too() {
        let room = Room::new(12 << 10, Duration::from_millis(10));
        let body = || Body::from(vec![0; 3 << 10]);
        let (bytes, mut held) = read_into(&room, body(), 1 << 20).await.unwrap();
        held.take_parsed(&room, bytes.len()).await.unwrap();
        let (_, mut second) = read_into(&room, body(), 1 << 20).await.unwrap();
        assert_eq!(second.take_parsed(&room, 3 << 10).await.unwrap_err().code, Code::Unavailable);
        drop((held, second));
        // One that fills half of the room by itself is parsed all the same.
        let (bytes, mut held) = read_into(&room, Body::from(vec![0; 6 << 10]), 1 << 20).await.unwrap();
        held.take_parsed(&room, bytes.len()).await.unwrap();
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
            timeout(Duration::from_millis(10), never).await.unwrap_err();
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let body = Body::new(PacedBody::new(Body::from_stream(Box::pin(trickle)), &impatient()));
        assert_eq!(read_bounded(body, 1 << 20).await.unwrap_err().code, Code::RequestTimeout);
    }
}
