//! One log: its file, the head of its chain, its checkpoints.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use ringfence_indexes::Timestamp;

use super::{
    AuditError,
    event::AuditEvent,
    format::{GENESIS, Link, read_checkpoint, read_record, write_checkpoint, write_record},
};

/// Records between two checkpoints.
const CHECKPOINT_EVERY: u64 = 1_000;

pub(super) struct TenantLog {
    name: String,
    checkpoints: PathBuf,
    signer: Arc<Ed25519KeyPair>,
    state: Mutex<State>,
    sync_handle: File,
    failed: AtomicBool,
    waiting: AtomicBool,
    cut: u64,
}

struct State {
    file: File,
    length: u64,
    head: Link,
    signed: Signed,
}

/// The last checkpoint: what it signs, and the hash of its line.
#[derive(Clone, Copy)]
struct Signed {
    seq: u64,
    line: [u8; 32],
}

impl TenantLog {
    /// Opens or creates a log. A torn end, as `kill -9` leaves it, is cut; anything else that is wrong is refused.
    pub(super) fn open(dir: &Path, name: &str, signer: Arc<Ed25519KeyPair>) -> Result<Self, AuditError> {
        let checkpoints = dir.join(format!("{name}.checkpoints"));
        let signed = read_checkpoints(name, &checkpoints, signer.public_key().as_ref())?;
        let path = dir.join(format!("{name}.log"));
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(AuditError::Unavailable)?;
        let (head, length, total) = read_chain(&mut file, name, signed.map(|(link, _)| link))?;
        if length < total {
            file.set_len(length).and_then(|()| file.sync_all()).map_err(AuditError::Unavailable)?;
        }
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(AuditError::Unavailable)?;
        let sync_handle = file.try_clone().map_err(AuditError::Unavailable)?;
        let signed = signed.map_or(Signed { seq: 0, line: GENESIS }, |(link, line)| Signed { seq: link.seq, line });
        Ok(Self {
            name: name.to_owned(),
            checkpoints,
            signer,
            state: Mutex::new(State { file, length, head, signed }),
            sync_handle,
            failed: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            cut: total - length,
        })
    }

    /// How many bytes of a torn end were cut at opening.
    pub(super) const fn cut(&self) -> u64 {
        self.cut
    }

    /// Hands records to the operating system with one `write`. What fails leaves the log as it was.
    pub(super) fn append(&self, events: &[&AuditEvent], at: Timestamp) -> Result<(), AuditError> {
        let mut state = self.lock();
        if self.failed.load(Ordering::SeqCst) {
            return Err(AuditError::Failed);
        }
        let (mut text, mut head) = (String::new(), state.head);
        for event in events {
            head = write_record(event, head, at, &mut text);
        }
        if let Err(error) = state.file.write_all(text.as_bytes()) {
            // Part of the line may be in the file. It must go before another record follows.
            if state.file.set_len(state.length).is_err() {
                self.failed.store(true, Ordering::SeqCst);
            }
            return Err(AuditError::Unavailable(error));
        }
        state.length += text.len() as u64;
        state.head = head;
        if head.seq - state.signed.seq >= CHECKPOINT_EVERY {
            self.sign(&mut state)?;
        }
        Ok(())
    }

    /// Waits until everything that was appended is on disk.
    pub(super) fn sync(&self) -> Result<(), AuditError> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(AuditError::Failed);
        }
        self.sync_handle.sync_data().map_err(|error| {
            self.failed.store(true, Ordering::SeqCst);
            AuditError::Unavailable(error)
        })
    }

    /// Signs the head, unless it is signed already.
    pub(super) fn checkpoint(&self) -> Result<(), AuditError> {
        let mut state = self.lock();
        if state.head.seq == state.signed.seq { Ok(()) } else { self.sign(&mut state) }
    }

    /// Says that the log waits for the disk; whether it did already.
    pub(super) fn mark_waiting(&self) -> bool {
        self.waiting.swap(true, Ordering::SeqCst)
    }

    /// Says that what is appended from now on must wait anew.
    pub(super) fn clear_waiting(&self) {
        self.waiting.store(false, Ordering::SeqCst);
    }

    /// The records must be on disk before their signature: a checkpoint past the end would read as a cut log.
    fn sign(&self, state: &mut State) -> Result<(), AuditError> {
        self.sync()?;
        let (text, line) = write_checkpoint(&self.name, state.head, state.signed.line, &self.signer);
        append_line(&self.checkpoints, &text).map_err(AuditError::Unavailable)?;
        state.signed = Signed { seq: state.head.seq, line };
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append_line(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).inspect_err(|_| {
        // Best effort: a torn line is cut when the log is opened next.
        let _ = file.set_len(length);
    })
}

/// The last checkpoint and the hash of its line. A torn last line is cut: it was never relied on.
fn read_checkpoints(name: &str, path: &Path, public: &[u8]) -> Result<Option<(Link, [u8; 32])>, AuditError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(AuditError::Unavailable(error)),
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() {
        let file = OpenOptions::new().write(true).open(path).map_err(AuditError::Unavailable)?;
        file.set_len(whole as u64).and_then(|()| file.sync_all()).map_err(AuditError::Unavailable)?;
    }
    let damaged = |reason| AuditError::Damaged { log: name.to_owned(), reason };
    let (mut last, mut previous) = (None, GENESIS);
    for line in bytes[..whole].split_inclusive(|byte| *byte == b'\n') {
        let (head, before, hash) = read_checkpoint(name, &line[..line.len() - 1], public)
            .ok_or_else(|| damaged("a checkpoint is not signed"))?;
        if before != previous {
            return Err(damaged("a checkpoint is missing"));
        }
        (last, previous) = (Some((head, hash)), hash);
    }
    Ok(last)
}

/// Follows the chain through the file: its head, how many bytes are sound, how many there are.
fn read_chain(file: &mut File, name: &str, signed: Option<Link>) -> Result<(Link, u64, u64), AuditError> {
    let damaged = |reason| AuditError::Damaged { log: name.to_owned(), reason };
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes)).map_err(AuditError::Unavailable)?;
    let (mut head, mut length) = (Link::START, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_last = length + line.len() == bytes.len();
        let read = line.strip_suffix(b"\n").and_then(read_record);
        match read {
            Some((link, previous)) if link.seq == head.seq + 1 && previous == head.hash => head = link,
            _ if is_last => break,
            _ => return Err(damaged("a record in the middle does not follow the one before it")),
        }
        if signed.is_some_and(|signed| signed.seq == head.seq && signed.hash != head.hash) {
            return Err(damaged("a record is not the one that was signed"));
        }
        length += line.len();
    }
    if signed.is_some_and(|signed| head.seq < signed.seq) {
        return Err(damaged("records before a checkpoint are missing"));
    }
    Ok((head, length as u64, bytes.len() as u64))
}
