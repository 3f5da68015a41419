//! The keys of an issuer that publishes them at a URL: fetched, kept, renewed, and refused once they are old.
//!
//! Where is fetched from is configuration alone; nothing in a token says so. A set that cannot be had or is not a safe one leaves the one before in its place, until that is too old to be trusted: an issuer may have withdrawn a key meanwhile.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use reqwest::{StatusCode, Url, header, redirect::Policy};
use ringfence_indexes::Timestamp;
use tokio::{sync::watch, time::timeout};

use super::issuer::{IssuerKeys, KeySetError};
use crate::clock::Clock;

/// The largest key set in bytes.
const DOCUMENT_BYTES_MAX: usize = 256 << 10;
/// How long one fetch may take in all.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a token with an unknown key id waits for a fetch: the fetch has ended by then.
const PATIENCE: Duration = Duration::from_secs(6);
/// However many tokens with unknown key ids are shown, keys are fetched for them at most this often.
const DEMAND_INTERVAL_MICROS: i64 = 30 * 1_000_000;
/// How soon a fetch that failed is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// How far the clock may have been set back since the last fetch.
const CLOCK_STEP_MICROS_MAX: i64 = 300 * 1_000_000;

/// The published keys of one issuer.
pub struct RemoteKeys {
    url: Url,
    http: reqwest::Client,
    refresh: Duration,
    stale_micros: i64,
    kept: ArcSwapOption<Kept>,
    attempts: Mutex<Attempts>,
    /// Counts the fetches that have ended.
    ended: watch::Sender<u64>,
}

/// A key set and when it was asked for.
struct Kept {
    keys: Arc<IssuerKeys>,
    asked_at: Timestamp,
}

#[derive(Default)]
struct Attempts {
    is_running: bool,
    demanded_at: Option<Timestamp>,
}

/// Why keys were not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer in time, or none that could be read.
    #[error("the key set cannot be fetched")]
    Unreachable(#[source] reqwest::Error),
    /// Another status than 200; redirects are not followed.
    #[error("the address of the key set answers {0}")]
    Status(StatusCode),
    /// Too large.
    #[error("the key set has more than {DOCUMENT_BYTES_MAX} bytes")]
    TooLarge,
    /// Not a safe key set.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
}

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not an address.
    #[error("`jwks_url` is not an address such as `https://login.example/keys`")]
    Malformed,
    /// Whoever is on the way could put keys of their own in.
    #[error("`jwks_url` must start with `https://`: only on this machine may it be `http://`")]
    Unencrypted,
    /// Credentials would end up in logs.
    #[error("`jwks_url` must have no user, password or fragment")]
    Decorated,
    /// There is no TLS to fetch with.
    #[error("this machine has no certificate authorities to trust, which fetching over TLS needs")]
    NoTrust,
}

impl RemoteKeys {
    /// The keys at an address. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`UrlError`] for an address that cannot be trusted.
    pub fn new(url: &str, refresh: Duration, stale: Duration) -> Result<Self, UrlError> {
        let url = Url::parse(url).map_err(|_| UrlError::Malformed)?;
        let is_here = is_loopback(&url);
        match url.scheme() {
            "https" => {}
            "http" if is_here => {}
            _ => return Err(UrlError::Unencrypted),
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(UrlError::Decorated);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("ringfence/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .timeout(FETCH_TIMEOUT);
        if is_here {
            builder = builder.no_proxy();
        }
        Ok(Self {
            url,
            http: builder.build().map_err(|_| UrlError::NoTrust)?,
            refresh,
            stale_micros: i64::try_from(stale.as_micros()).unwrap_or(i64::MAX),
            kept: ArcSwapOption::empty(),
            attempts: Mutex::default(),
            ended: watch::Sender::new(0),
        })
    }

    /// The keys that may be trusted now; `None` before the first fetch, and where the last one is too long ago.
    #[must_use]
    pub fn current(&self, now: Timestamp) -> Option<Arc<IssuerKeys>> {
        let kept = self.kept.load();
        let kept = kept.as_ref()?;
        let age = now.0.saturating_sub(kept.asked_at.0);
        (-CLOCK_STEP_MICROS_MAX..=self.stale_micros).contains(&age).then(|| Arc::clone(&kept.keys))
    }

    /// Fetches because a token has a key id that is not known; whether a fetch ended meanwhile, so that looking again makes sense.
    ///
    /// One fetch serves all that wait; who comes too soon after the last one is told so at once.
    pub async fn demand(self: &Arc<Self>, clock: &Arc<Clock>) -> bool {
        let now = clock.now();
        let mut ended = {
            let mut attempts = self.attempts();
            if !attempts.is_running {
                let elapsed = attempts.demanded_at.map(|before| now.0.saturating_sub(before.0));
                if elapsed.is_some_and(|micros| (0..DEMAND_INTERVAL_MICROS).contains(&micros)) {
                    return false;
                }
                attempts.demanded_at = Some(now);
                self.begin(&mut attempts, clock);
            }
            // Subscribed while the attempt is known to run, so that its end cannot be missed.
            self.ended.subscribe()
        };
        timeout(PATIENCE, ended.changed()).await.is_ok_and(|changed| changed.is_ok())
    }

    /// Keeps the keys fresh, for as long as it is polled.
    pub async fn keep(self: Arc<Self>, issuer: String, clock: Arc<Clock>) {
        loop {
            let mut ended = {
                let mut attempts = self.attempts();
                if !attempts.is_running {
                    self.begin(&mut attempts, &clock);
                }
                self.ended.subscribe()
            };
            // It ends by itself: each fetch has its own limit.
            let _ended = ended.changed().await;
            let is_usable = self.current(clock.now()).is_some();
            if !is_usable {
                tracing::warn!(issuer, "there are no keys of this issuer: its tokens are refused");
            }
            let is_fresh = self
                .kept
                .load()
                .as_ref()
                .is_some_and(|kept| clock.now().0.saturating_sub(kept.asked_at.0) < micros(self.refresh));
            let pause = if is_fresh { self.refresh } else { RETRY.min(self.refresh) };
            let _elapsed = timeout(pause, std::future::pending::<()>()).await;
        }
    }

    /// Fetches once and takes the keys in.
    ///
    /// # Errors
    /// [`FetchError`]; the keys before stay.
    pub async fn renew(&self, clock: &Clock) -> Result<usize, FetchError> {
        // The answer may be as old as the question.
        let asked_at = clock.now();
        let keys = Arc::new(IssuerKeys::from_jwks(&self.fetch().await?)?);
        let count = keys.len();
        self.kept.store(Some(Arc::new(Kept { keys, asked_at })));
        Ok(count)
    }

    fn begin(self: &Arc<Self>, attempts: &mut Attempts, clock: &Arc<Clock>) {
        attempts.is_running = true;
        let running = Running(Arc::clone(self));
        let clock = Arc::clone(clock);
        // A task of its own: the request that asked for it may go away.
        tokio::spawn(async move {
            match running.0.renew(&clock).await {
                Ok(keys) => tracing::debug!(url = %running.0.url, keys, "the keys of an issuer were fetched"),
                Err(error) => tracing::warn!(
                    url = %running.0.url,
                    error = &error as &dyn std::error::Error,
                    "the keys of an issuer are not fetched"
                ),
            }
        });
    }

    async fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        let unreachable = |error: reqwest::Error| FetchError::Unreachable(error.without_url());
        let accepted = "application/jwk-set+json, application/json";
        let request = self.http.get(self.url.clone()).header(header::ACCEPT, accepted);
        let mut response = request.send().await.map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut document = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            if document.len() + piece.len() > DOCUMENT_BYTES_MAX {
                return Err(FetchError::TooLarge);
            }
            document.extend_from_slice(&piece);
        }
        Ok(document)
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fetch on its way; its end is told however it ends.
struct Running(Arc<RemoteKeys>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.attempts().is_running = false;
        self.0.ended.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RemoteKeys").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Whether an address is one of this machine, by number: a name could lead elsewhere.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[path = "remote_keys_tests.rs"]
mod tests;
