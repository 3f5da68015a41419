//! The keys of an issuer that the operator gives in a file: read at the start, and looked at again while the server runs.
//!
//! The file is the operator's word. What it says holds within seconds, a withdrawn key included; a file that is gone, or that is no safe key set, means that nobody vouches for any key: the ones before are trusted for a short time, in which it may be being written, and then the issuer's tokens are refused until the file is sound again.

use std::{
    fmt, fs, io,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ringfence_indexes::Timestamp;
use tokio::time::timeout;

use super::issuer::{IssuerKeys, KeySetError};
use crate::clock::Clock;

/// The largest key set in bytes.
const DOCUMENT_BYTES_MAX: u64 = 256 << 10;
/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long the keys before are trusted once the file is not sound any more.
const GRACE_MICROS: i64 = 30 * 1_000_000;
/// However many tokens with unknown key ids are shown, the file is read for them at most this often.
const DEMAND_INTERVAL_MICROS: i64 = 1_000_000;

/// The keys in one file.
pub struct KeyFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    keys: Arc<IssuerKeys>,
    /// The document that they were read from.
    document: Vec<u8>,
    /// Since when the file is not sound.
    unsound_since: Option<Timestamp>,
    demanded_at: Option<Timestamp>,
}

/// Why the keys of a file are not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the file")]
    Unreadable(#[source] io::Error),
    /// It is too large.
    #[error("the key set has more than {DOCUMENT_BYTES_MAX} bytes")]
    TooLarge,
    /// Not a safe key set.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
}

impl KeyFile {
    /// Reads a file for the first time.
    ///
    /// # Errors
    /// [`KeyFileError`] where it has no safe key set.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let document = read(path)?;
        let keys = Arc::new(IssuerKeys::from_jwks(&document)?);
        let state = State { keys, document, unsound_since: None, demanded_at: None };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// The keys that may be trusted now; `None` where the file has not been sound for too long.
    #[must_use]
    pub fn current(&self, now: Timestamp) -> Option<Arc<IssuerKeys>> {
        let state = self.state();
        let is_trusted = state.unsound_since.is_none_or(|since| (0..GRACE_MICROS).contains(&(now.0 - since.0)));
        is_trusted.then(|| Arc::clone(&state.keys))
    }

    /// Reads the file again. Blocks.
    ///
    /// # Errors
    /// [`KeyFileError`]; the keys before are trusted for half a minute, counted from the first time that it failed.
    pub fn renew(&self, now: Timestamp) -> Result<(), KeyFileError> {
        let document = read(&self.path);
        let mut state = self.state();
        let renewed = document.and_then(|document| {
            if document != state.document {
                state.keys = Arc::new(IssuerKeys::from_jwks(&document)?);
                state.document = document;
                tracing::info!(path = %self.path.display(), keys = state.keys.len(), "the keys of an issuer were read anew");
            }
            Ok(())
        });
        state.unsound_since = match &renewed {
            Ok(()) => None,
            Err(_) => Some(state.unsound_since.unwrap_or(now)),
        };
        renewed
    }

    /// Reads the file because a token has a key id that is not known; whether it was read.
    pub(super) async fn demand(self: &Arc<Self>, clock: &Clock) -> bool {
        let now = clock.now();
        {
            let mut state = self.state();
            let elapsed = state.demanded_at.map(|before| now.0 - before.0);
            if elapsed.is_some_and(|micros| (0..DEMAND_INTERVAL_MICROS).contains(&micros)) {
                return false;
            }
            state.demanded_at = Some(now);
        }
        let file = Arc::clone(self);
        tokio::task::spawn_blocking(move || file.renew(now).is_ok()).await.unwrap_or(false)
    }

    /// Looks at the file again and again, for as long as it is polled.
    pub(super) async fn keep(self: Arc<Self>, issuer: String, clock: Arc<Clock>) {
        loop {
            let _elapsed = timeout(INTERVAL, std::future::pending::<()>()).await;
            let (file, now) = (Arc::clone(&self), clock.now());
            let renewed = tokio::task::spawn_blocking(move || file.renew(now)).await;
            if let Ok(Err(error)) = renewed {
                let is_usable = self.current(clock.now()).is_some();
                tracing::warn!(
                    issuer, path = %self.path.display(), is_usable, error = &error as &dyn std::error::Error,
                    "the key file of an issuer is not sound: its tokens are refused from half a minute on"
                );
            }
        }
    }

    /// A panic while the lock was held left keys that are whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let mut document = Vec::new();
    let file = fs::File::open(path).map_err(KeyFileError::Unreadable)?;
    file.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut document).map_err(KeyFileError::Unreadable)?;
    let fits = u64::try_from(document.len()).is_ok_and(|length| length <= DOCUMENT_BYTES_MAX);
    if fits { Ok(document) } else { Err(KeyFileError::TooLarge) }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyFile").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn jwks(id: &str) -> String {
        let x = data_encoding::BASE64URL_NOPAD.encode(&[9; 32]);
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"{id}","x":"{x}"}}]}}"#)
    }

    fn has(file: &KeyFile, now: i64, id: &str) -> Option<bool> {
        let found = |keys: Arc<IssuerKeys>| {
            let lookup = keys.find(Some(id), jsonwebtoken::Algorithm::EdDSA);
            matches!(lookup, super::super::issuer::Lookup::Found(_))
        };
        file.current(Timestamp(now)).map(found)
    }

    #[test]
    fn what_the_file_says_holds_and_what_is_not_sound_closes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        assert!(matches!(KeyFile::open(&path), Err(KeyFileError::Unreadable(_))));
        fs::write(&path, jwks("old")).unwrap();
        let file = KeyFile::open(&path).unwrap();
        assert_eq!(has(&file, 0, "old"), Some(true));
        fs::write(&path, jwks("new")).unwrap();
        file.renew(Timestamp(0)).unwrap();
        assert_eq!((has(&file, 0, "old"), has(&file, 0, "new")), (Some(false), Some(true)), "withdrawn at once");
        for (unsound, at) in [("", 100), (r#"{"keys":[]}"#, 110)] {
            fs::write(&path, unsound).unwrap();
            assert!(file.renew(Timestamp(at * SECOND)).is_err());
        }
        assert_eq!(has(&file, 130 * SECOND - 1, "new"), Some(true), "it may be being written");
        assert_eq!(has(&file, 130 * SECOND, "new"), None, "counted from the first failure");
        assert_eq!(has(&file, 99 * SECOND, "new"), None, "a clock that was set back gains nothing");
        fs::remove_file(&path).unwrap();
        assert!(file.renew(Timestamp(140 * SECOND)).is_err());
        assert_eq!(has(&file, 140 * SECOND, "new"), None);
        fs::write(&path, jwks("new")).unwrap();
        file.renew(Timestamp(150 * SECOND)).unwrap();
        assert_eq!(has(&file, 150 * SECOND, "new"), Some(true));
        fs::write(&path, vec![b' '; 300 << 10]).unwrap();
        assert!(matches!(file.renew(Timestamp(160 * SECOND)), Err(KeyFileError::TooLarge)));
    }
}
