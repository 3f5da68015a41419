//! A remote embedder that speaks the form of OpenAI's `/v1/embeddings`.
//!
//! What goes there has left this server, so it is masked first: credentials and every kind of personal data. It goes nowhere else: no redirects, HTTPS beyond this machine.
//! Calls are bounded in number, size and time; a service that does not answer is left alone for a while. What comes back is checked as any input is.

use std::{collections::BTreeSet, fs, time::Duration};

use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use ringfence_indexes::Vector;
use ringfence_ingest::{RedactionKind, redact};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{EmbedFailure, EmbedderError, breaker::Breaker};
use crate::{config::OpenaiConfig, entropy::Entropy};

/// Bytes of one text that are sent; models read some thousand tokens.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// How often a call is made in all.
const ATTEMPTS_MAX: u32 = 3;
/// The first wait before another attempt; it doubles.
const WAIT: Duration = Duration::from_millis(200);
/// The longest wait that the service may ask for.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Calls for queries at the same time: they are small, and people wait for them.
const QUERIES: usize = 64;
/// Bytes of an answer for each number and each text, and beside them.
const NUMBER_BYTES: usize = 32;
const ENTRY_BYTES: usize = 256;
const ANSWER_BYTES: usize = 64 << 10;

pub(super) struct Openai {
    http: Client,
    url: Url,
    key: Option<SecretString>,
    model: String,
    dimensions: usize,
    asks_for_dimensions: bool,
    query_prefix: String,
    passage_prefix: String,
    batch: usize,
    call_time: Duration,
    queries: Semaphore,
    passages: Semaphore,
    breaker: Breaker,
    entropy: Entropy,
    fingerprint: String,
}

#[derive(Serialize)]
struct Ask<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    index: usize,
    embedding: Vec<f32>,
}

/// A call that failed, and whether it may be made again after how long.
struct Failed {
    failure: EmbedFailure,
    again: Option<Duration>,
}

impl Openai {
    pub(super) fn open(config: &OpenaiConfig, recipe: &[u8]) -> Result<Self, EmbedderError> {
        let fault = |what: String| EmbedderError::Remote { url: config.url.clone(), what };
        let url = config.checked_url().map_err(fault)?;
        let mut builder = Client::builder()
            .user_agent(concat!("ringfence/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.call_time())
            .redirect(redirect::Policy::none());
        builder = match url.scheme() {
            // Only this machine; a proxy set for the web cannot reach it, and would see the texts.
            "http" => builder.no_proxy(),
            _ => builder.https_only(true),
        };
        let http = builder.build().map_err(|error| fault(error.to_string()))?;
        Ok(Self {
            http,
            key: key(config).map_err(fault)?,
            model: config.model.clone(),
            dimensions: config.dimensions,
            asks_for_dimensions: config.request_dimensions,
            query_prefix: config.query_prefix.clone(),
            passage_prefix: config.passage_prefix.clone(),
            batch: config.batch,
            call_time: config.call_time(),
            queries: Semaphore::new(QUERIES),
            passages: Semaphore::new(config.parallel),
            breaker: Breaker::default(),
            entropy: Entropy::System,
            fingerprint: fingerprint(config, &url, recipe),
            url,
        })
    }

    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) const fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(super) async fn embed_query(&self, text: &str) -> Result<Option<Vector>, EmbedFailure> {
        Ok(self.embed(&[text.to_owned()], &self.query_prefix, &self.queries).await?.pop().flatten())
    }

    pub(super) async fn embed_passages(&self, texts: &[String]) -> Result<Vec<Option<Vector>>, EmbedFailure> {
        self.embed(texts, &self.passage_prefix, &self.passages).await
    }

    /// A vector for each text, none for a blank one.
    async fn embed(
        &self,
        texts: &[String],
        prefix: &str,
        places: &Semaphore,
    ) -> Result<Vec<Option<Vector>>, EmbedFailure> {
        let mut vectors = vec![None; texts.len()];
        let worded: Vec<usize> = (0..texts.len()).filter(|index| !texts[*index].trim().is_empty()).collect();
        for batch in worded.chunks(self.batch) {
            let masked: Vec<String> = batch.iter().map(|index| format!("{prefix}{}", masked(&texts[*index]))).collect();
            // Each batch has its time: a large document takes as long as it has batches.
            let deadline = Instant::now() + self.call_time * 2;
            let place = timeout_at(deadline, places.acquire()).await.map_err(|_late| EmbedFailure::Silent)?;
            let _place = place.map_err(|_closed| EmbedFailure::Silent)?;
            for (index, vector) in batch.iter().zip(self.ask(&masked, deadline).await?) {
                vectors[*index] = Some(vector);
            }
        }
        Ok(vectors)
    }

    /// Asks until there is an answer, so often and so long as may be.
    async fn ask(&self, texts: &[String], deadline: Instant) -> Result<Vec<Vector>, EmbedFailure> {
        let mut attempt = 0;
        loop {
            let leave = self.breaker.enter(Instant::now()).ok_or(EmbedFailure::LeftAlone)?;
            let until = deadline.min(Instant::now() + self.call_time);
            let silent = Failed { failure: EmbedFailure::Silent, again: Some(Duration::ZERO) };
            let failed = match timeout_at(until, self.call(texts)).await.unwrap_or(Err(silent)) {
                Ok(vectors) => {
                    leave.succeeded();
                    return Ok(vectors);
                }
                Err(failed) => failed,
            };
            leave.failed(Instant::now());
            attempt += 1;
            let Some(asked) = failed.again.filter(|_| attempt < ATTEMPTS_MAX) else { return Err(failed.failure) };
            let wait = asked.max(self.backoff(attempt));
            if Instant::now() + wait >= deadline {
                return Err(failed.failure);
            }
            // Nothing happens meanwhile: the wait itself is what is bounded.
            let _over = timeout_at(Instant::now() + wait, std::future::pending::<()>()).await;
        }
    }

    /// Between half the wait and all of it, so that many who failed together do not come back together.
    fn backoff(&self, attempt: u32) -> Duration {
        let whole = WAIT * 2_u32.saturating_pow(attempt - 1);
        whole / 2 + whole.mul_f64(f64::from(u16::from_le_bytes(self.entropy.bytes())) / f64::from(u16::MAX) / 2.0)
    }

    async fn call(&self, texts: &[String]) -> Result<Vec<Vector>, Failed> {
        let dimensions = self.asks_for_dimensions.then_some(self.dimensions);
        let ask = Ask { model: &self.model, input: texts, encoding_format: "float", dimensions };
        let mut request = self.http.post(self.url.clone()).json(&ask);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await.map_err(|error| Failed::broken(&error))?;
        if !response.status().is_success() {
            return Err(Failed::refused(&response));
        }
        let bytes = self.read(response, texts.len()).await?;
        let answer = serde_json::from_slice(&bytes).map_err(|_| Failed::unusable("is not of the expected form"))?;
        self.check(answer, texts.len())
    }

    /// The body, as far as it can be an answer.
    async fn read(&self, mut response: Response, texts: usize) -> Result<Vec<u8>, Failed> {
        let most = ANSWER_BYTES + texts * (ENTRY_BYTES + self.dimensions * NUMBER_BYTES);
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| Failed::broken(&error))? {
            if bytes.len() + piece.len() > most {
                return Err(Failed::unusable("is too long"));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// A vector for each text, in the order of the texts: so many, so long, finite, with a direction.
    fn check(&self, answer: Answer, texts: usize) -> Result<Vec<Vector>, Failed> {
        if answer.data.len() != texts {
            return Err(Failed::unusable("has another number of vectors than was asked for"));
        }
        let mut vectors = vec![None; texts];
        for Entry { index, embedding } in answer.data {
            if embedding.len() != self.dimensions {
                return Err(Failed::unusable("has vectors of another length than `dimensions`"));
            }
            let vector = Vector::new(embedding).map_err(|_| Failed::unusable("has a vector without direction"))?;
            let place = vectors.get_mut(index).filter(|place| place.is_none());
            *place.ok_or_else(|| Failed::unusable("numbers its vectors wrongly"))? = Some(vector);
        }
        Ok(vectors.into_iter().flatten().collect())
    }
}

impl Failed {
    /// No answer, or half of one. The URL is left out: its query may carry a credential.
    fn broken(error: &reqwest::Error) -> Self {
        let what = if error.is_connect() { "cannot be reached" } else { "broke off" };
        Self { failure: EmbedFailure::Broken(what), again: Some(Duration::ZERO) }
    }

    fn refused(response: &Response) -> Self {
        let status = response.status();
        let is_passing =
            status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        let asked = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let asked = asked.map_or(Duration::ZERO, Duration::from_secs).min(WAIT_MAX);
        Self { failure: EmbedFailure::Refused(status.as_u16()), again: is_passing.then_some(asked) }
    }

    const fn unusable(what: &'static str) -> Self {
        Self { failure: EmbedFailure::Unusable(what), again: None }
    }
}

/// A text as it may leave, cut where no model would read on.
fn masked(text: &str) -> String {
    let mut text = redact(text, &BTreeSet::from(RedactionKind::PERSONAL)).text;
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

fn key(config: &OpenaiConfig) -> Result<Option<SecretString>, String> {
    let text = match (&config.key_file, &config.key_env) {
        (None, None) => return Ok(None),
        (Some(file), _) => {
            fs::read_to_string(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?
        }
        (None, Some(name)) => {
            std::env::var(name).map_err(|_| format!("the environment variable `{name}` of `key_env` is not set"))?
        }
    };
    let key = text.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the key is empty or has characters that no header can carry".to_owned());
    }
    Ok(Some(key.into()))
}

fn fingerprint(config: &OpenaiConfig, url: &Url, recipe: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    part(b"openai, masked");
    for text in [url.as_str(), &config.model, &config.revision, &config.query_prefix, &config.passage_prefix] {
        part(text.as_bytes());
    }
    part(&(config.dimensions as u64).to_le_bytes());
    part(&(TEXT_BYTES_MAX as u64).to_le_bytes());
    part(recipe);
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedder() -> Openai {
        let config: OpenaiConfig =
            toml::from_str("url = \"http://127.0.0.1:1/v1/embeddings\"\nmodel = \"m\"\ndimensions = 2").unwrap();
        Openai::open(&config, b"recipe").unwrap()
    }

    #[track_caller]
    fn check(answer: &str, expected: Result<usize, &'static str>) {
        let found = serde_json::from_str(answer).map_err(|_| "form").and_then(|answer| {
            embedder().check(answer, 2).map(|vectors| vectors.len()).map_err(|failed| match failed.failure {
                EmbedFailure::Unusable(what) => what,
                _ => "another failure",
            })
        });
        assert_eq!(found, expected, "{answer}");
    }

    #[test]
    fn takes_only_an_answer_that_fits() {
        let entry = |index: usize, numbers: &str| format!("{{\"index\": {index}, \"embedding\": [{numbers}]}}");
        let answer = |entries: &[String]| format!("{{\"data\": [{}], \"model\": \"m\"}}", entries.join(","));
        check(&answer(&[entry(1, "0, 1"), entry(0, "1, 0")]), Ok(2));
        check(&answer(&[entry(0, "1, 0")]), Err("has another number of vectors than was asked for"));
        check(&answer(&[entry(0, "1, 0"), entry(0, "1, 0")]), Err("numbers its vectors wrongly"));
        check(&answer(&[entry(0, "1, 0"), entry(2, "1, 0")]), Err("numbers its vectors wrongly"));
        check(&answer(&[entry(0, "1, 0"), entry(1, "1")]), Err("has vectors of another length than `dimensions`"));
        check(&answer(&[entry(0, "1, 0"), entry(1, "0, 0")]), Err("has a vector without direction"));
        check(&answer(&[entry(0, "1, 0"), entry(1, "1e39, 0")]), Err("form"));
        check(&answer(&[entry(0, "1, 0"), entry(1, "null, 0")]), Err("form"));
        let vectors =
            embedder().check(serde_json::from_str(&answer(&[entry(1, "0, 1"), entry(0, "1, 0")])).unwrap(), 2);
        assert_eq!(vectors.ok().unwrap()[0].values(), [1.0, 0.0]);
    }

    #[test]
    fn masks_what_leaves_and_cuts_it_at_a_character() {
        assert_eq!(masked("write to ann@example.com"), "write to [redacted:email]");
        assert_eq!(masked(&"é".repeat(TEXT_BYTES_MAX)).len(), TEXT_BYTES_MAX);
    }

    #[test]
    fn waits_longer_each_time_but_never_alike() {
        let embedder = embedder();
        for attempt in 1..4 {
            let whole = WAIT * 2_u32.pow(attempt - 1);
            let waits: BTreeSet<Duration> = (0..20).map(|_| embedder.backoff(attempt)).collect();
            assert!(waits.len() > 1 && waits.iter().all(|wait| (whole / 2..=whole).contains(wait)), "{waits:?}");
        }
    }
}
