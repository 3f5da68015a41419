//! The thread that brings records of reads to the disk, well within 100 ms.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use super::tenant_log::TenantLog;

/// How long records gather before one fsync takes them all.
const GATHER: Duration = Duration::from_millis(40);

/// Brings logs to the disk in the background; the rest of the work is done when it is dropped.
pub(super) struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Arc<TenantLog>>,
    stopping: bool,
}

impl Syncer {
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("audit-sync".to_owned()).spawn(move || of_thread.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Has a log on disk within 100 ms. A failure closes the log to further records.
    pub(super) fn soon(&self, log: &Arc<TenantLog>) {
        if log.mark_waiting() {
            return;
        }
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).waiting.push(Arc::clone(log));
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn run(&self) {
        loop {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let idle = |queue: &mut Queue| queue.waiting.is_empty() && !queue.stopping;
            let queue = self.changed.wait_while(queue, idle).unwrap_or_else(PoisonError::into_inner);
            let gathering = |queue: &mut Queue| !queue.stopping;
            let gathered = self.changed.wait_timeout_while(queue, GATHER, gathering);
            let (mut queue, _) = gathered.unwrap_or_else(PoisonError::into_inner);
            let (logs, stopping) = (std::mem::take(&mut queue.waiting), queue.stopping);
            drop(queue);
            for log in logs {
                log.clear_waiting();
                if let Err(error) = log.sync() {
                    tracing::error!(%error, "audit records did not reach the disk");
                }
            }
            if stopping {
                return;
            }
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}
