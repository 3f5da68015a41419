//! The cage: parsers run in a process that can do nothing but read what it is given and write what it makes of it.
//!
//! A worker is this same program, started as `ringfence worker`. It shuts itself in ([`confine`]) before it reads the first byte, takes **one** document, answers and ends: what a document does to its parser cannot reach the next one, which may be of another tenant. Workers wait ready in a small pool, so that a document does not wait for a process to start.
//!
//! A worker that crashes, takes too long or says something strange is a refusal of that document and nothing else.

pub mod confine;
mod process;
mod protection;
pub mod worker;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ringfence_ingest::{Fault, ParsedDocument, PrepareError, read_answer};
use tokio::sync::Semaphore;

use self::process::{Ended, Worker};
pub use self::protection::{Protection, Protections};

/// How long a worker may take: its ten seconds of processor time, and as much again for a machine that is busy.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Workers that wait ready.
const IDLE_MAX: usize = 2;

/// Starts workers and hands them documents.
#[derive(Debug)]
pub struct Cage {
    /// `None` has no workers, and refuses what needs one.
    program: Option<PathBuf>,
    protections: Protections,
    idle: Arc<Mutex<Vec<Worker>>>,
    /// How many documents are parsed at the same time: each worker may take its share of memory.
    slots: Semaphore,
}

/// Why there is no parsed document.
#[derive(Debug, thiserror::Error)]
pub enum CageError {
    /// 415 or 422: the document.
    #[error(transparent)]
    Refused(#[from] PrepareError),
    /// 503: no worker could be started, or it could not shut itself in as far as is demanded.
    #[error("no worker can be started for the parser")]
    Unavailable(#[source] io::Error),
}

impl Cage {
    /// Starts a first worker and learns from it what this kernel can enforce. Without a program there are no workers.
    ///
    /// # Errors
    /// Where no worker can be started.
    pub async fn open(program: Option<PathBuf>) -> io::Result<Self> {
        let worker = match &program {
            Some(program) => Some(Worker::start(program).await?),
            None => None,
        };
        let protections = worker.as_ref().map(|worker| worker.protections().clone()).unwrap_or_default();
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let idle = Arc::new(Mutex::new(worker.into_iter().collect()));
        Ok(Self { program, protections, idle, slots: Semaphore::new(processors.max(2)) })
    }

    /// The running program, as a worker. The link stays good while the file behind it is replaced by a newer release.
    #[must_use]
    pub fn own_program() -> PathBuf {
        PathBuf::from("/proc/self/exe")
    }

    /// What workers on this machine are kept from.
    #[must_use]
    pub const fn protections(&self) -> &Protections {
        &self.protections
    }

    /// Parses a file in a worker.
    ///
    /// # Errors
    /// [`CageError`]; nothing of the document is left behind.
    pub async fn parse(
        &self,
        bytes: &[u8],
        media_type: Option<&str>,
        accept: &[String],
    ) -> Result<ParsedDocument, CageError> {
        let _slot = self.slots.acquire().await.map_err(|closed| CageError::Unavailable(io::Error::other(closed)))?;
        let worker = self.take().await.map_err(CageError::Unavailable)?;
        let exchange = worker.exchange(bytes, media_type, accept);
        let answer = match tokio::time::timeout(TIMEOUT, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Ended::Crashed)) => return Err(refused(Fault::Crashed)),
            Ok(Err(Ended::TimedOut)) | Err(_) => return Err(refused(Fault::TimedOut)),
        };
        Ok(read_answer(&answer, media_type, accept)?)
    }

    /// A worker that is ready; another one is started in its place.
    async fn take(&self) -> io::Result<Worker> {
        let program = self.program.as_ref().ok_or_else(|| io::Error::other("there is no program for workers"))?;
        let waiting = loop {
            let waiting = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut worker) = waiting else { break None };
            // One that was killed while it waited has nothing to do with this document.
            if worker.is_alive() {
                break Some(worker);
            }
        };
        self.refill(program.clone());
        let worker = match waiting {
            Some(worker) => worker,
            None => Worker::start(program).await?,
        };
        if worker.protections() != &self.protections {
            return Err(io::Error::other("a worker is less confined than the first one was"));
        }
        Ok(worker)
    }

    fn refill(&self, program: PathBuf) {
        let idle = Arc::clone(&self.idle);
        tokio::spawn(async move {
            let count = || idle.lock().unwrap_or_else(PoisonError::into_inner).len();
            if count() >= IDLE_MAX {
                return;
            }
            match Worker::start(&program).await {
                Ok(worker) if count() < IDLE_MAX => {
                    idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
                }
                Ok(_) => {}
                // Whoever needs a worker next tries again and tells the client.
                Err(error) => tracing::warn!(%error, "a worker could not be started in advance"),
            }
        });
    }
}

const fn refused(fault: Fault) -> CageError {
    CageError::Refused(PrepareError::Unparseable(fault))
}
