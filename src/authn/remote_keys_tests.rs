//! Keys from an address: what is fetched, when, and what comes of answers that are no key sets.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::Algorithm;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use super::{super::issuer::Lookup, *};

const START: Timestamp = Timestamp(1_700_000_000_000_000);
const SECOND: i64 = 1_000_000;

/// A set of one Ed25519 key of this id.
fn document(id: &str) -> String {
    let x = BASE64URL_NOPAD.encode(&[7; 32]);
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": id, "use": "sig", "x": x}]}).to_string()
}

/// An issuer's web server, which gives the answer of the moment.
struct Publisher {
    address: SocketAddr,
    answer: Mutex<String>,
    asked: AtomicUsize,
    /// Whether answers wait until they are let go.
    holds: AtomicBool,
    let_go: Notify,
}

impl Publisher {
    async fn start(answer: String) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let publisher = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            answer: Mutex::new(answer),
            asked: AtomicUsize::new(0),
            holds: AtomicBool::new(false),
            let_go: Notify::new(),
        });
        let serving = Arc::clone(&publisher);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let serving = Arc::clone(&serving);
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        publisher
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut head = [0; 4_096];
        let _read = stream.read(&mut head).await.unwrap();
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.holds.load(Ordering::SeqCst) {
            self.let_go.notified().await;
        }
        let answer = self.answer.lock().unwrap().clone();
        // The client may have had enough before all is written.
        let _written = stream.write_all(answer.as_bytes()).await;
    }

    fn set(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn keys(&self) -> Arc<RemoteKeys> {
        let url = format!("http://{}/keys", self.address);
        Arc::new(RemoteKeys::new(&url, Duration::from_secs(600), Duration::from_secs(3_600)).unwrap())
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn has(keys: &RemoteKeys, id: &str, now: Timestamp) -> bool {
    let is_found =
        |keys: Arc<IssuerKeys>| matches!(keys.find(Some(id), Algorithm::EdDSA), Lookup::Found(_) | Lookup::Only(_));
    keys.current(now).is_some_and(is_found)
}

fn later(seconds: i64) -> Timestamp {
    Timestamp(START.0 + seconds * SECOND)
}

#[tokio::test]
async fn a_rotated_key_is_taken_up_once_somebody_shows_it() {
    let publisher = Publisher::start(ok(&document("one"))).await;
    let (keys, clock) = (publisher.keys(), Arc::new(Clock::fixed(START)));
    assert!(keys.current(START).is_none());
    assert!(keys.demand(&clock).await);
    assert!(has(&keys, "one", START) && !has(&keys, "two", START));
    publisher.set(ok(&document("two")));
    // Too soon: refused at once, and nothing is fetched.
    clock.set(later(29));
    assert!(!keys.demand(&clock).await);
    assert_eq!(publisher.asked(), 1);
    clock.set(later(30));
    assert!(keys.demand(&clock).await);
    assert!(has(&keys, "two", later(30)) && !has(&keys, "one", later(30)));
    assert_eq!(publisher.asked(), 2);
}

#[tokio::test]
async fn one_fetch_serves_all_that_wait() {
    let publisher = Publisher::start(ok(&document("one"))).await;
    let (keys, clock) = (publisher.keys(), Arc::new(Clock::fixed(START)));
    publisher.holds.store(true, Ordering::SeqCst);
    let demand = || {
        let (keys, clock) = (Arc::clone(&keys), Arc::clone(&clock));
        tokio::spawn(async move { keys.demand(&clock).await })
    };
    let waiting: Vec<_> = (0..50).map(|_| demand()).collect();
    while keys.ended.receiver_count() < 50 || publisher.asked() == 0 {
        tokio::task::yield_now().await;
    }
    publisher.let_go.notify_one();
    for waiting in waiting {
        assert!(waiting.await.unwrap());
    }
    assert_eq!(publisher.asked(), 1);
    assert!(has(&keys, "one", START));
}

#[tokio::test]
async fn old_keys_are_refused_and_a_failed_fetch_keeps_those_before() {
    let publisher = Publisher::start(ok(&document("one"))).await;
    let (keys, clock) = (publisher.keys(), Arc::new(Clock::fixed(START)));
    keys.renew(&clock).await.unwrap();
    publisher.set("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into());
    clock.set(later(100));
    assert!(matches!(keys.renew(&clock).await, Err(FetchError::Status(StatusCode::SERVICE_UNAVAILABLE))));
    assert!(has(&keys, "one", later(3_600)), "until they are too old");
    assert!(!has(&keys, "one", later(3_601)), "then nothing is verified with them");
    assert!(has(&keys, "one", later(-300)) && !has(&keys, "one", later(-301)), "a clock set back far");
    publisher.set(ok(&document("one")));
    clock.set(later(4_000));
    keys.renew(&clock).await.unwrap();
    assert!(has(&keys, "one", later(4_000)));
}

#[tokio::test]
async fn what_is_no_safe_key_set_is_not_taken() {
    let publisher = Publisher::start(ok(&document("one"))).await;
    let (keys, clock) = (publisher.keys(), Arc::new(Clock::fixed(START)));
    keys.renew(&clock).await.unwrap();
    let [weak, strong] = [128, 256].map(|length| BASE64URL_NOPAD.encode(&vec![0xff; length]));
    let rsa =
        |n: &str, e: &str, more: &str| format!(r#"{{"keys":[{{"kty":"RSA","kid":"r","n":"{n}","e":"{e}"{more}}}]}}"#);
    let two = document("one").replace("]", &format!(",{}]", &document("one")[9..document("one").len() - 2]));
    for (body, expected) in [
        (String::new(), KeySetError::Malformed),
        ("[]".into(), KeySetError::Malformed),
        (r#"{"keys":{}}"#.into(), KeySetError::Malformed),
        (r#"{"keys":[]}"#.into(), KeySetError::Empty),
        (r#"{"keys":[],"keys":[]}"#.into(), KeySetError::Malformed),
        (two, KeySetError::DuplicateKeyId),
        (rsa(&weak, "AQAB", ""), KeySetError::WeakRsa),
        (rsa(&strong, "AQ", ""), KeySetError::WeakRsa),
        (rsa(&strong, "Ag", ""), KeySetError::WeakRsa),
        (rsa(&strong, "AQAB", r#","d":"AQAB""#), KeySetError::Private),
        (r#"{"keys":[{"kty":"oct","kid":"s","k":"AAAA"}]}"#.into(), KeySetError::Symmetric),
        (format!(r#"{{"keys":[{}]}}"#, vec!["{}"; 101].join(",")), KeySetError::TooMany),
    ] {
        publisher.set(ok(&body));
        match keys.renew(&clock).await {
            Err(FetchError::KeySet(error)) => assert_eq!(error, expected, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    publisher.set(ok(&format!("{{\"x\":\"{}\"}}", "x".repeat(DOCUMENT_BYTES_MAX))));
    assert!(matches!(keys.renew(&clock).await, Err(FetchError::TooLarge)));
    assert!(has(&keys, "one", START), "those before stay");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Publisher::start(ok(&document("evil"))).await;
    let location = format!("http://{}/keys", elsewhere.address);
    let redirect =
        format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let publisher = Publisher::start(redirect).await;
    let (keys, clock) = (publisher.keys(), Arc::new(Clock::fixed(START)));
    assert!(matches!(keys.renew(&clock).await, Err(FetchError::Status(StatusCode::FOUND))));
    assert_eq!(elsewhere.asked(), 0);
}

#[test]
fn only_an_address_that_can_be_trusted_is_taken() {
    let refused = |url: &str| RemoteKeys::new(url, Duration::from_secs(600), Duration::from_secs(3_600)).err();
    for url in ["https://login.example/keys", "http://127.0.0.1:8080/keys", "http://[::1]/keys", "http://127.8.8.8/"] {
        assert_eq!(refused(url), None, "{url}");
    }
    for (url, expected) in [
        ("login.example/keys", UrlError::Malformed),
        ("http://login.example/keys", UrlError::Unencrypted),
        ("http://localhost/keys", UrlError::Unencrypted),
        ("http://127.0.0.1.example/keys", UrlError::Unencrypted),
        ("file:///etc/keys", UrlError::Unencrypted),
        ("https://user:secret@login.example/keys", UrlError::Decorated),
        ("https://login.example/keys#a", UrlError::Decorated),
    ] {
        assert_eq!(refused(url), Some(expected), "{url}");
    }
}
