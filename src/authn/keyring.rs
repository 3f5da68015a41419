//! API keys: `rf_<id>_<secret>_<checksum>`, looked up by id and compared in constant time.
//!
//! The secret has 256 random bits, so a fast keyed hash is enough; the hash's key is not in the database, so a stolen database verifies no guesses.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use data_encoding::HEXLOWER;
use ringfence_indexes::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{key_record::KeyRecord, key_uses::KeyUses, network::Network};
use crate::entropy::Entropy;

const ID_BYTES: usize = 10;
const SECRET_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;

/// The keys that are valid now, in memory; the committer changes it before it acknowledges.
pub struct Keyring {
    hasher: KeyHasher,
    keys: RwLock<HashMap<String, Arc<KeyRecord>>>,
    uses: KeyUses,
}

/// Hashes secrets under a key of the server.
#[derive(Clone)]
pub struct KeyHasher([u8; 32]);

/// A fresh key: its string is shown once.
#[derive(Debug)]
pub struct NewKey {
    /// The whole key string.
    pub key: SecretString,
    /// The public part.
    pub id: String,
    /// What is stored of the secret.
    pub secret_hash: [u8; 32],
}

impl KeyHasher {
    /// A hasher under this key, which is derived from the master key.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn hash(&self, id: &str, secret: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&(id.len() as u64).to_le_bytes()).update(id.as_bytes()).update(secret);
        *hasher.finalize().as_bytes()
    }
}

impl NewKey {
    /// Makes a key with a random id.
    #[must_use]
    pub fn generate(entropy: &Entropy, hasher: &KeyHasher) -> Self {
        Self::with_id(HEXLOWER.encode(&entropy.bytes::<ID_BYTES>()), entropy, hasher)
    }

    /// Makes a new secret for an id: rotation.
    #[must_use]
    pub fn with_id(id: String, entropy: &Entropy, hasher: &KeyHasher) -> Self {
        let secret = entropy.bytes::<SECRET_BYTES>();
        let body = format!("rf_{id}_{}", HEXLOWER.encode(&secret));
        let key = SecretString::from(format!("{body}_{}", checksum(&body)));
        Self { key, secret_hash: hasher.hash(&id, &secret), id }
    }
}

impl Keyring {
    /// An empty keyring.
    #[must_use]
    pub fn new(hasher: KeyHasher) -> Self {
        Self { hasher, keys: RwLock::default(), uses: KeyUses::default() }
    }

    /// The hasher, for new keys.
    #[must_use]
    pub const fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// Adds or replaces a key.
    pub fn insert(&self, record: KeyRecord) {
        self.write().insert(record.id.clone(), Arc::new(record));
    }

    /// When keys were last used.
    #[must_use]
    pub const fn uses(&self) -> &KeyUses {
        &self.uses
    }

    /// Removes a key; requests in flight with it are refused when they look again.
    pub fn remove(&self, id: &str) {
        self.write().remove(id);
        self.uses.forget(id);
    }

    /// Removes every key that `gone` names, such as those of a deleted tenant.
    pub fn remove_where(&self, gone: impl Fn(&KeyRecord) -> bool) {
        let mut keys = self.write();
        keys.retain(|id, record| {
            let stays = !gone(record);
            if !stays {
                self.uses.forget(id);
            }
            stays
        });
    }

    /// The record of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<KeyRecord>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Every key that `wanted` names, in the order of their ids.
    #[must_use]
    pub fn records(&self, wanted: impl Fn(&KeyRecord) -> bool) -> Vec<Arc<KeyRecord>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let mut records: Vec<_> = keys.values().filter(|record| wanted(record)).cloned().collect();
        records.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        records
    }

    /// The key of a key string that is genuine, unexpired and used from an allowed network.
    pub(super) fn verify(&self, key: &str, peer: IpAddr, now: Timestamp) -> Option<HeldKey> {
        let (id, secret) = parse(key)?;
        let record = self.get(id);
        // The same hash and comparisons for an unknown id, so that the time does not tell which ids exist.
        let shown = self.hasher.hash(id, &secret);
        let stored = record.as_ref().map_or([0; 32], |record| record.secret_hash);
        let previous = record.as_ref().and_then(|record| record.previous);
        let was = previous.map_or([0; 32], |previous| previous.hash);
        let is_newest = bool::from(shown.ct_eq(&stored));
        let is_previous = bool::from(shown.ct_eq(&was)) && previous.is_some_and(|previous| now < previous.until);
        let record = record.filter(|record| is_usable(record, now) && is_allowed_from(record, peer))?;
        if !is_newest && !is_previous {
            return None;
        }
        self.uses.note(&record.id, now);
        Some(HeldKey { record, secret_hash: shown })
    }

    /// The key that a token was made with, if it still stands behind it: with the secret of that time, and used from an allowed network.
    pub(super) fn behind(&self, id: &str, fingerprint: &[u8], peer: IpAddr, now: Timestamp) -> Option<HeldKey> {
        let record = self.get(id).filter(|record| is_usable(record, now) && is_allowed_from(record, peer))?;
        let secret_hash = *record.secrets(now).find(|secret| secret_fingerprint(secret) == fingerprint)?;
        self.uses.note(id, now);
        Some(HeldKey { record, secret_hash })
    }

    /// Whether a key still holds: not revoked or expired since, its rights unchanged, and its secret still taken.
    pub(super) fn is_current(&self, held: &HeldKey, now: Timestamp) -> bool {
        self.get(&held.record.id).is_some_and(|current| {
            let is_the_same = Arc::ptr_eq(&current, &held.record) || held.record.differs_in_secret_alone(&current);
            is_the_same && is_usable(&current, now) && current.secrets(now).any(|secret| *secret == held.secret_hash)
        })
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<String, Arc<KeyRecord>>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyHasher")
    }
}

/// A key and the secret of it that was shown.
#[derive(Clone, Debug)]
pub(super) struct HeldKey {
    pub(super) record: Arc<KeyRecord>,
    pub(super) secret_hash: [u8; 32],
}

impl PartialEq for HeldKey {
    fn eq(&self, other: &Self) -> bool {
        self.record == other.record && self.secret_hash == other.secret_hash
    }
}

impl Eq for HeldKey {}

/// What stands for a secret in a token that was made with it.
pub(super) fn secret_fingerprint(secret_hash: &[u8; 32]) -> [u8; 16] {
    let hash = blake3::derive_key("ringfence 2026 secret fingerprint", secret_hash);
    std::array::from_fn(|index| hash[index])
}

/// Whether a bearer credential has the form of an API key, genuine or not.
pub(super) fn looks_like_key(credential: &str) -> bool {
    credential.starts_with("rf_")
}

/// The id and the secret of a well-formed key string.
fn parse(key: &str) -> Option<(&str, Vec<u8>)> {
    let (body, sum) = key.rsplit_once('_')?;
    let (id, secret) = body.strip_prefix("rf_")?.split_once('_')?;
    let secret = HEXLOWER.decode(secret.as_bytes()).ok()?;
    let well_formed = id.len() == 2 * ID_BYTES && secret.len() == SECRET_BYTES && sum == checksum(body);
    well_formed.then_some((id, secret))
}

/// Catches typing errors and lets secret scanners recognise a key; it is no protection.
fn checksum(body: &str) -> String {
    HEXLOWER.encode(&blake3::hash(body.as_bytes()).as_bytes()[..CHECKSUM_BYTES])
}

fn is_usable(record: &KeyRecord, now: Timestamp) -> bool {
    record.expires_at.is_none_or(|end| now < end)
}

fn is_allowed_from(record: &KeyRecord, peer: IpAddr) -> bool {
    let contains = |network: &String| Network::parse(network).is_some_and(|network| network.contains(peer));
    record.networks.as_ref().is_none_or(|networks| networks.iter().any(contains))
}

/// The public part of a key string, for logs of what was made.
#[must_use]
pub fn key_id_of(key: &SecretString) -> Option<String> {
    parse(key.expose_secret()).map(|(id, _)| id.to_owned())
}
