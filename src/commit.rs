//! The one writer of everything.
//!
//! A group of writes is one transaction with a savepoint each; the audit records are on disk before the commit; the engine, the catalog and the keyring are changed after it, in commit order; only then are the writes acknowledged.

mod apply;
mod directory;
mod document;
mod effect;
mod emergency;
mod error;
mod folder;
mod group;
mod policy;
mod record;
mod worker;
mod write;

use std::{
    fs::File,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use ringfence_indexes::Engine;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

pub use self::error::{CommitError, FOLDER_DEPTH_MAX};
pub use self::write::{
    Cause, Committed, DocumentBody, DocumentWrite, Expected, Outcome, PolicyWrite, ReworkWrite, Write, WriteRequest,
};
use self::{effect::Derived, group::Groups, worker::Worker};
use crate::{
    audit::AuditLog,
    authn::{Keyring, Revocations},
    catalog::Catalog,
    clock::Clock,
    entropy::Entropy,
    seal::MasterKey,
    store::{Store, StoreError, Writer},
};

/// Writes that may wait in each lane; one more is refused at once, so that a client hears of it while it can still do something.
const WAITING_MAX: usize = 1024;
/// The size of a permit for waiting bytes.
const WAITING_UNIT: usize = 1 << 10;
/// How many bytes may wait, in units. One write of the largest size always may.
const WAITING_UNITS_MAX: u32 = 192 << 10;

/// Takes writes from many requests and makes them durable in groups.
#[derive(Debug)]
pub struct Committer {
    urgent: mpsc::Sender<Job>,
    bulk: mpsc::Sender<Job>,
    waiting: Arc<Semaphore>,
    failed: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the committer writes to and changes.
#[derive(Clone, Debug)]
pub struct CommitterParts {
    /// What is true.
    pub store: Store,
    /// Where it is recorded.
    pub audit: Arc<AuditLog>,
    /// What all keys derive from.
    pub master: Arc<MasterKey>,
    /// The indexes.
    pub engine: Arc<Engine>,
    /// Tenants and collections.
    pub catalog: Arc<Catalog>,
    /// The keys that are valid.
    pub keyring: Arc<Keyring>,
    /// The tokens that are refused.
    pub revocations: Arc<Revocations>,
    /// The present.
    pub clock: Arc<Clock>,
    /// Randomness.
    pub entropy: Arc<Entropy>,
    /// The fingerprint of the built-in embedder.
    pub embedder: String,
    /// What must be held as long as anything may be written: the lock on the data directory.
    pub lock: Arc<File>,
}

/// A write that waits, or the end of all of them.
#[derive(Debug)]
enum Job {
    Write(Box<Waiting>),
    Stop,
}

#[derive(Debug)]
struct Waiting {
    request: WriteRequest,
    answer: oneshot::Sender<Result<Committed, CommitError>>,
    /// Given back when the write is answered.
    _room: OwnedSemaphorePermit,
}

impl Committer {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// [`StoreError`] where the writing connection or the thread cannot be had.
    pub async fn start(parts: CommitterParts) -> Result<Self, StoreError> {
        let writer = parts.store.writer().await?;
        Self::start_with(writer, parts)
    }

    fn start_with(writer: Writer, parts: CommitterParts) -> Result<Self, StoreError> {
        let CommitterParts {
            audit, master, engine, catalog, keyring, revocations, clock, entropy, embedder, lock, ..
        } = parts;
        let failed_io = |error: io::Error| StoreError::Failed(error.into());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed_io)?;
        let (urgent, urgent_jobs) = mpsc::channel(WAITING_MAX);
        let (bulk, bulk_jobs) = mpsc::channel(WAITING_MAX);
        let failed = Arc::new(AtomicBool::new(false));
        let derived = Derived { master, engine, catalog, keyring, revocations };
        let groups = Groups::new(writer, audit, derived, clock, entropy, embedder);
        let worker = Worker { urgent: urgent_jobs, bulk: bulk_jobs, groups, failed: Arc::clone(&failed), _lock: lock };
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || runtime.block_on(worker.run()))
            .map_err(failed_io)?;
        let waiting = Arc::new(Semaphore::new(WAITING_UNITS_MAX as usize));
        Ok(Self { urgent, bulk, waiting, failed, thread: Mutex::new(Some(thread)) })
    }

    /// Makes one write durable, recorded and visible.
    ///
    /// # Errors
    /// [`CommitError`]: nothing of it happened, except where it says otherwise.
    pub async fn commit(&self, request: WriteRequest) -> Result<Committed, CommitError> {
        if !self.is_open() {
            return Err(CommitError::Unavailable);
        }
        let units = u32::try_from(request.size() / WAITING_UNIT + 1).unwrap_or(u32::MAX).min(WAITING_UNITS_MAX);
        let room = Arc::clone(&self.waiting).try_acquire_many_owned(units).map_err(|_| CommitError::Unavailable)?;
        // A revocation does not wait behind an ingest. Two writes that are both unanswered have no order among them.
        let request_is_bulk =
            matches!(request.write, Write::PutDocument(_) | Write::ReworkDocument(_) | Write::ExpireDocument { .. });
        let (answer, answered) = oneshot::channel();
        let job = Job::Write(Box::new(Waiting { request, answer, _room: room }));
        let lane = if request_is_bulk { &self.bulk } else { &self.urgent };
        lane.try_send(job).map_err(|_| CommitError::Unavailable)?;
        // Without an answer the thread has ended: whether the write is durable shows after a restart.
        answered.await.unwrap_or(Err(CommitError::Unavailable))
    }

    /// Whether writes are taken. After a commit of unknown outcome none are until the data directory is opened anew.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.failed.load(Ordering::SeqCst) && !self.urgent.is_closed()
    }

    /// Finishes what waits and takes no more.
    pub async fn close(&self) {
        // It fails only where the thread has ended already.
        let _ = self.urgent.send(Job::Stop).await;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic in the thread was reported when it happened.
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }
}

#[cfg(test)]
mod tests;
