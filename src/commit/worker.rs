//! The thread that writes: it takes what waits, has it written as a group, and answers.
//!
//! It is a thread of its own, because what it does blocks: on the disk for the audit log, on the processor for the indexes.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{
    CommitError, Job, Waiting,
    group::{GroupError, Groups},
};

/// The most writes of a group: an urgent write waits for one group at most.
const GROUP_WRITES_MAX: usize = 256;
/// A group takes no more once it has this many bytes.
const GROUP_BYTES: usize = 8 << 20;
/// How often what is deleted is taken out of the log as well, and what is noted in memory is written.
const HOUSEKEEPING: Duration = Duration::from_secs(20);
/// When that is tried again where a reader is in the way.
const RETRY: Duration = Duration::from_secs(2);

pub(super) struct Worker {
    /// What must take effect soon: everything but documents.
    pub(super) urgent: mpsc::Receiver<Job>,
    /// Documents.
    pub(super) bulk: mpsc::Receiver<Job>,
    pub(super) groups: Groups,
    pub(super) failed: Arc<AtomicBool>,
    pub(super) _lock: Arc<File>,
}

impl Worker {
    /// Writes until it is stopped, or nobody can send any more.
    pub(super) async fn run(mut self) {
        let mut due = Instant::now() + HOUSEKEEPING;
        loop {
            match timeout_at(due, self.next()).await {
                Ok(Some(Job::Write(first))) => self.take_group(*first).await,
                Ok(Some(Job::Stop)) => self.stop(),
                Ok(None) => break,
                Err(_) => {}
            }
            if due <= Instant::now() {
                let is_done = self.keep_house().await;
                due = Instant::now() + if is_done { HOUSEKEEPING } else { RETRY };
            }
        }
        self.keep_house().await;
        self.groups.close().await;
    }

    /// What is to be done next; nothing once both lanes are closed and empty.
    async fn next(&mut self) -> Option<Job> {
        tokio::select! {
            biased;
            Some(job) = self.urgent.recv() => Some(job),
            Some(job) = self.bulk.recv() => Some(job),
            else => None,
        }
    }

    /// Takes no more; what waits is still written.
    fn stop(&mut self) {
        self.urgent.close();
        self.bulk.close();
    }

    /// Whether everything is done until the next time.
    async fn keep_house(&mut self) -> bool {
        if self.failed.load(Ordering::SeqCst) {
            return true;
        }
        let result = self.groups.keep_house().await;
        self.note_failure(result.as_ref().err());
        result.unwrap_or(false)
    }

    fn note_failure(&self, error: Option<&GroupError>) {
        if error == Some(&GroupError::Failed) {
            self.failed.store(true, Ordering::SeqCst);
            tracing::error!("no more writes are taken until the data directory is opened anew");
        }
    }

    async fn take_group(&mut self, first: Waiting) {
        let mut bytes = first.request.size();
        let mut group = vec![first];
        while group.len() < GROUP_WRITES_MAX && bytes < GROUP_BYTES {
            match self.urgent.try_recv().or_else(|_| self.bulk.try_recv()) {
                Ok(Job::Write(next)) => {
                    bytes += next.request.size();
                    group.push(*next);
                }
                Ok(Job::Stop) => self.stop(),
                Err(_) => break,
            }
        }
        self.write_group(group).await;
    }

    /// A group that does not fit on the disk is tried again write by write: a revocation must not fail for a large document beside it.
    async fn write_group(&mut self, group: Vec<Waiting>) {
        match self.try_group(&group).await {
            Ok(answers) => answer(group, answers),
            Err(GroupError::Full) if group.len() > 1 => {
                for waiting in group {
                    let alone = [waiting];
                    let answers = self.try_group(&alone).await.unwrap_or_else(|error| vec![Err(error.into())]);
                    answer(alone, answers);
                }
            }
            Err(error) => {
                let answers = group.iter().map(|_| Err(error.into())).collect();
                answer(group, answers);
            }
        }
    }

    async fn try_group(&mut self, group: &[Waiting]) -> Result<Vec<Result<super::Committed, CommitError>>, GroupError> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(GroupError::Failed);
        }
        let requests: Vec<_> = group.iter().map(|waiting| &waiting.request).collect();
        let result = self.groups.write(&requests).await;
        self.note_failure(result.as_ref().err());
        result
    }
}

fn answer(group: impl IntoIterator<Item = Waiting>, answers: Vec<Result<super::Committed, CommitError>>) {
    for (waiting, result) in group.into_iter().zip(answers) {
        // Who asked may be gone; the write happened all the same.
        let _ = waiting.answer.send(result);
    }
}
