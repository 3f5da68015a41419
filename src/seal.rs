//! Keys and sealed values: one master key, a key for each tenant and purpose, and opaque values that leave the server.
//!
//! Whatever counts others' doings (an epoch, a position in a list) leaves only sealed.
//! A revision is sealed under a random nonce, so that two of them cannot be compared; a cursor is sealed deterministically, so that equal worlds give equal bytes.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::BASE64URL_NOPAD;
use ringfence_indexes::TenantId;

use crate::entropy::Entropy;

/// The file of the master key in the data directory.
pub const MASTER_KEY_FILE: &str = "master.key";
/// Cursors are padded to a multiple of this, so that their length does not show what they hold.
const CURSOR_BLOCK: usize = 64;
/// A longer sealed value was never made here.
const SEALED_BYTES_MAX: usize = 4096;
/// The longest sealed root of a token.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
const REVISION: &[u8] = b"revision";
const TOKEN: &[u8] = b"token";

/// The key that all others derive from. Whoever has it and the data directory has everything.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// Wraps a key that was made elsewhere, such as in a test.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Makes a key and writes it, readable by its owner alone; an existing one is never overwritten.
    ///
    /// # Errors
    /// [`SealError::File`] where the file exists or cannot be written.
    pub fn create(data_dir: &Path, entropy: &Entropy) -> Result<Self, SealError> {
        let path = data_dir.join(MASTER_KEY_FILE);
        let key = Self(entropy.bytes());
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(&key.0)?;
            file.sync_all()?;
            File::open(data_dir)?.sync_all()
        };
        write().map_err(|source: io::Error| SealError::File { path: path.clone(), source })?;
        Ok(key)
    }

    /// Whether a data directory has a key.
    #[must_use]
    pub fn exists(data_dir: &Path) -> bool {
        data_dir.join(MASTER_KEY_FILE).exists()
    }

    /// Reads the key of a data directory.
    ///
    /// # Errors
    /// [`SealError`] where there is none, others may read it, or it is not a key.
    pub fn load(data_dir: &Path) -> Result<Self, SealError> {
        let path = data_dir.join(MASTER_KEY_FILE);
        let file_error = |source| SealError::File { path: path.clone(), source };
        let mode = fs::metadata(&path).map_err(file_error)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(SealError::Exposed { path });
        }
        let mut bytes = Vec::with_capacity(33);
        File::open(&path).map_err(file_error)?.take(33).read_to_end(&mut bytes).map_err(file_error)?;
        bytes.try_into().map(Self).map_err(|_| SealError::NotAKey { path })
    }

    /// A key of its own for a purpose. The purpose is a constant of the program.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(&format!("ringfence 2026 {purpose}"), &self.0)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey(…)")
    }
}

/// The keys of one tenant. Equal for equal master key and name, so they are never stored.
#[derive(Clone)]
pub struct TenantKeys {
    chunk: [u8; 32],
    content: [u8; 32],
    query: [u8; 32],
    seal: [u8; 32],
    source: [u8; 32],
}

impl TenantKeys {
    /// The keys of a tenant.
    #[must_use]
    pub fn derive(master: &MasterKey, tenant: &TenantId) -> Self {
        let root = blake3::keyed_hash(&master.derive("tenant"), tenant.as_str().as_bytes());
        let key = |purpose: &str| blake3::derive_key(&format!("ringfence 2026 tenant {purpose}"), root.as_bytes());
        Self {
            chunk: key("chunk"),
            content: key("content"),
            query: key("query"),
            seal: key("seal"),
            source: key("source"),
        }
    }

    /// The key of chunk and class names.
    #[must_use]
    pub const fn chunk_key(&self) -> [u8; 32] {
        self.chunk
    }

    /// The key of content hashes: without it nobody can test a guess of a content against a hash.
    #[must_use]
    pub const fn content_key(&self) -> [u8; 32] {
        self.content
    }

    /// The key of the query hashes in the audit log.
    #[must_use]
    pub const fn query_key(&self) -> [u8; 32] {
        self.query
    }

    /// What seals this tenant's opaque values.
    #[must_use]
    pub fn sealer(&self) -> Sealer {
        Sealer::of(&self.seal)
    }

    /// What seals the originals of this tenant's documents.
    #[must_use]
    pub fn vault(&self) -> Vault {
        Vault(Sealer::of(&self.source))
    }
}

impl fmt::Debug for TenantKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TenantKeys(…)")
    }
}

/// Seals and opens the opaque values of one tenant. What another tenant's sealer made does not open.
#[derive(Clone)]
pub struct Sealer {
    aead: [u8; 32],
    nonce: [u8; 32],
}

impl Sealer {
    /// What seals the cursors of operators, who belong to no tenant.
    #[must_use]
    pub fn of_server(master: &MasterKey) -> Self {
        Self { aead: master.derive("server seal aead"), nonce: master.derive("server seal nonce") }
    }

    fn of(key: &[u8; 32]) -> Self {
        Self {
            aead: blake3::derive_key("ringfence 2026 seal aead", key),
            nonce: blake3::derive_key("ringfence 2026 seal nonce", key),
        }
    }

    /// Seals a revision; always of one length, never twice the same.
    #[must_use]
    pub fn seal_revision(&self, revision: u64, entropy: &Entropy) -> String {
        self.seal(REVISION, entropy.bytes(), revision.to_le_bytes().to_vec())
    }

    /// Opens a revision; `None` for anything that this sealer did not make.
    #[must_use]
    pub fn open_revision(&self, sealed: &str) -> Option<u64> {
        Some(u64::from_le_bytes(self.open(REVISION, sealed)?.try_into().ok()?))
    }

    /// Seals a position in a list. Equal positions give equal text; the length is a multiple of a block.
    ///
    /// # Panics
    /// For a position over 64 KiB; names and sort keys are far shorter.
    #[must_use]
    pub fn seal_cursor(&self, purpose: &str, position: &[u8]) -> String {
        let length = u16::try_from(position.len()).expect("a position is shorter than 64 KiB");
        let mut padded = length.to_le_bytes().to_vec();
        padded.extend_from_slice(position);
        padded.resize(padded.len().next_multiple_of(CURSOR_BLOCK), 0);
        let purpose = cursor_purpose(purpose);
        let nonce = self.nonce_of(&purpose, &padded);
        self.seal(&purpose, nonce, padded)
    }

    /// Opens a position; `None` for anything that this sealer did not make for this purpose.
    #[must_use]
    pub fn open_cursor(&self, purpose: &str, sealed: &str) -> Option<Vec<u8>> {
        let padded = self.open(&cursor_purpose(purpose), sealed)?;
        let (length, rest) = padded.split_first_chunk::<2>()?;
        rest.get(..usize::from(u16::from_le_bytes(*length))).map(<[u8]>::to_vec)
    }

    /// Seals what a token says; never twice the same.
    #[must_use]
    pub fn seal_token(&self, text: &[u8], entropy: &Entropy) -> String {
        self.seal(TOKEN, entropy.bytes(), text.to_vec())
    }

    /// Opens what a token says; `None` for anything that this sealer did not make.
    #[must_use]
    pub fn open_token(&self, sealed: &str) -> Option<Vec<u8>> {
        if sealed.len() > TOKEN_BYTES_MAX { None } else { self.open_text(TOKEN, sealed) }
    }

    fn seal(&self, purpose: &[u8], nonce: [u8; NONCE_LEN], text: Vec<u8>) -> String {
        BASE64URL_NOPAD.encode(&self.seal_bytes(purpose, nonce, text))
    }

    fn open(&self, purpose: &[u8], sealed: &str) -> Option<Vec<u8>> {
        if sealed.len() > SEALED_BYTES_MAX { None } else { self.open_text(purpose, sealed) }
    }

    fn open_text(&self, purpose: &[u8], sealed: &str) -> Option<Vec<u8>> {
        self.open_bytes(purpose, &BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?)
    }

    /// The nonce and the sealed text.
    fn seal_bytes(&self, purpose: &[u8], nonce: [u8; NONCE_LEN], mut text: Vec<u8>) -> Vec<u8> {
        self.key()
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose), &mut text)
            .expect("AES-GCM-SIV seals a text of less than 64 GiB");
        [&nonce[..], &text].concat()
    }

    fn open_bytes(&self, purpose: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened_bytes = self.key().open_in_place(nonce, Aad::from(purpose), &mut text).ok()?.len();
        text.truncate(opened_bytes);
        Some(text)
    }

    /// A nonce that follows from what is sealed. The cipher bears a nonce that comes again: all it shows is that equal texts are equal.
    fn nonce_of(&self, purpose: &[u8], text: &[u8]) -> [u8; NONCE_LEN] {
        let mut hasher = blake3::Hasher::new_keyed(&self.nonce);
        hasher.update(&(purpose.len() as u64).to_le_bytes()).update(purpose).update(text);
        let mut nonce = [0; NONCE_LEN];
        hasher.finalize_xof().fill(&mut nonce);
        nonce
    }

    fn key(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &self.aead).expect("the key has the cipher's length"))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sealer(…)")
    }
}

/// Seals and opens the originals of one tenant's documents, each bound to its place: what lay at one place does not open at another.
///
/// The same original at the same place gives the same bytes, so that a document that is put again is seen to be unchanged.
#[derive(Clone)]
pub struct Vault(Sealer);

impl Vault {
    /// Seals an original for a place.
    #[must_use]
    pub fn seal(&self, place: &str, original: Vec<u8>) -> Vec<u8> {
        let purpose = source_purpose(place);
        let nonce = self.0.nonce_of(&purpose, &original);
        self.0.seal_bytes(&purpose, nonce, original)
    }

    /// Opens the original of a place; `None` for anything that this vault did not seal for it.
    #[must_use]
    pub fn open(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.open_bytes(&source_purpose(place), sealed)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Vault(…)")
    }
}

fn source_purpose(place: &str) -> Vec<u8> {
    [b"source ", place.as_bytes()].concat()
}

fn cursor_purpose(purpose: &str) -> Vec<u8> {
    [b"cursor ", purpose.as_bytes()].concat()
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file cannot be read or written.
    #[error("cannot use the key file `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than the owner may read the file.
    #[error("the key file `{}` is open to others than its owner; run `chmod 600` on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The file has the wrong length.
    #[error("the key file `{}` does not hold 32 bytes", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(tenant: &str) -> TenantKeys {
        TenantKeys::derive(&MasterKey::new([7; 32]), &TenantId::new(tenant).unwrap())
    }

    #[test]
    fn seals_revisions_of_one_length_that_never_repeat() {
        let (sealer, entropy) = (keys("acme").sealer(), Entropy::seeded([1; 32]));
        for revision in [0, 1, 255, u64::MAX] {
            let sealed = sealer.seal_revision(revision, &entropy);
            assert_eq!(sealed.len(), sealer.seal_revision(0, &entropy).len());
            assert_ne!(sealed, sealer.seal_revision(revision, &entropy));
            assert_eq!(sealer.open_revision(&sealed), Some(revision));
        }
    }

    #[test]
    fn seals_equal_cursors_equally_and_hides_their_length() {
        let sealer = keys("acme").sealer();
        let (short, long) = (sealer.seal_cursor("documents", b"a"), sealer.seal_cursor("documents", &[b'a'; 60]));
        assert_eq!(short.len(), long.len());
        assert_eq!(short, sealer.seal_cursor("documents", b"a"));
        assert_ne!(short, sealer.seal_cursor("groups", b"a"));
        assert_eq!(sealer.open_cursor("documents", &long), Some(vec![b'a'; 60]));
        assert_eq!(sealer.open_cursor("documents", &sealer.seal_cursor("documents", b"")), Some(Vec::new()));
    }

    #[test]
    fn opens_nothing_that_it_did_not_make() {
        let (sealer, entropy) = (keys("acme").sealer(), Entropy::seeded([1; 32]));
        let (revision, cursor) = (sealer.seal_revision(7, &entropy), sealer.seal_cursor("documents", b"a"));
        assert_eq!(keys("globex").sealer().open_revision(&revision), None);
        assert_eq!(keys("globex").sealer().open_cursor("documents", &cursor), None);
        assert_eq!(sealer.open_cursor("groups", &cursor), None);
        assert_eq!(sealer.open_cursor("documents", &revision), None);
        for bad in ["", "AAAA", "not base64!", &"A".repeat(8192), &revision[1..], &format!("{revision}=")] {
            assert_eq!(sealer.open_revision(bad), None, "{bad}");
        }
        for position in 0..revision.len() {
            let mut changed = revision.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(sealer.open_revision(&changed), None);
        }
    }

    #[test]
    fn an_original_opens_at_its_place_alone() {
        let vault = keys("acme").vault();
        let sealed = vault.seal("wiki/a", b"original".to_vec());
        assert_eq!(sealed, vault.seal("wiki/a", b"original".to_vec()));
        assert_ne!(sealed[..NONCE_LEN], vault.seal("wiki/a", b"0riginal".to_vec())[..NONCE_LEN]);
        assert_eq!(vault.open("wiki/a", &sealed).as_deref(), Some(&b"original"[..]));
        assert_eq!(vault.open("wiki/b", &sealed), None);
        assert_eq!(keys("globex").vault().open("wiki/a", &sealed), None);
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(vault.open("wiki/a", &changed), None);
            assert_eq!(vault.open("wiki/a", &sealed[..position]), None);
        }
    }

    #[test]
    fn keeps_purposes_and_tenants_apart() {
        let (one, other) = (keys("acme"), keys("globex"));
        let all = [&one, &other].map(|keys| [keys.chunk_key(), keys.content_key(), keys.query_key()]).concat();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 6);
    }

    #[test]
    fn writes_the_master_key_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(MasterKey::load(dir.path()), Err(SealError::File { .. })));
        let key = MasterKey::create(dir.path(), &Entropy::System).unwrap();
        assert_eq!(MasterKey::load(dir.path()).unwrap().0, key.0);
        assert!(matches!(MasterKey::create(dir.path(), &Entropy::System), Err(SealError::File { .. })));
        let path = dir.path().join(MASTER_KEY_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(MasterKey::load(dir.path()), Err(SealError::Exposed { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, [0; 33]).unwrap();
        assert!(matches!(MasterKey::load(dir.path()), Err(SealError::NotAKey { .. })));
    }
}
