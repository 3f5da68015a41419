//! The audit log: what was asked and done, in an append-only chain of its own beside the database.
//!
//! - One file a tenant, one JSON line a record; each record carries the hash of the one before it.
//! - An answer leaves only against a [`Receipt`], and a receipt is made only by a record that the operating system has taken (it survives `kill -9`); the disk has it within 100 ms, or first where `audit.sync = always`. Records of writes are on disk before the write is acknowledged.
//! - Every 1,000 records and at shutdown the head of the chain is signed: what lies before a checkpoint cannot be cut or rewritten without the signing key.
//! - A failed write gives no receipt, hence no answer. After a failed fsync a log takes no more records until it is reopened, for the kernel may have dropped what it could not write.

mod event;
mod format;
mod sync;
mod tenant_log;
mod verify;

pub use event::{Action, Actor, AuditEvent, QueryDigest};
pub use verify::{LogReport, Problem, VerifyReport, verify};

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use ringfence_indexes::TenantId;

use self::{sync::Syncer, tenant_log::TenantLog};
use crate::{clock::Clock, seal::MasterKey};

/// The file of the public key, in hex, beside the logs. Keep a copy elsewhere: who can replace it can forge the log.
pub const PUBLIC_KEY_FILE: &str = "checkpoint.pub";
/// The log of what concerns no tenant; not a tenant's name, which starts with a letter or digit.
const SERVER_LOG: &str = "_server";

/// Proof that an answer was recorded. Only the audit log makes one.
///
/// ```compile_fail
/// let receipt = ringfence::audit::Receipt { recorded: () }; // private field: nothing is answered unrecorded
/// ```
#[derive(Debug)]
#[must_use = "a receipt is what an answer is made with"]
pub struct Receipt {
    #[expect(dead_code, reason = "a private field keeps others from making one")]
    recorded: (),
}

impl Receipt {
    const fn new() -> Self {
        Self { recorded: () }
    }
}

/// When a record of a read is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SyncMode {
    /// Within 100 ms.
    #[default]
    Background,
    /// Before the answer.
    Always,
}

/// Why there is no receipt. The request is answered with 503 and no content.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The record could not be written.
    #[error("the audit log cannot be written")]
    Unavailable(#[source] io::Error),
    /// An earlier fsync failed.
    #[error("the audit log takes no records until it is reopened")]
    Failed,
    /// The log on disk is not the one that was written.
    #[error("the audit log `{log}` is damaged: {reason}")]
    Damaged {
        /// The log.
        log: String,
        /// What is wrong.
        reason: &'static str,
    },
}

/// The logs of a data directory. Cheap to share in an [`Arc`].
pub struct AuditLog {
    dir: PathBuf,
    mode: SyncMode,
    clock: Arc<Clock>,
    signer: Arc<Ed25519KeyPair>,
    logs: Mutex<BTreeMap<String, Arc<TenantLog>>>,
    syncer: Syncer,
}

impl AuditLog {
    /// Opens the logs under `dir`. The signing key derives from the master key; its public half is written beside the logs.
    ///
    /// # Errors
    /// [`AuditError::Unavailable`] where the directory or the key file cannot be written.
    ///
    /// # Panics
    /// Never: 32 bytes are a seed.
    pub fn open(dir: &Path, master: &MasterKey, mode: SyncMode, clock: Arc<Clock>) -> Result<Self, AuditError> {
        fs::create_dir_all(dir).map_err(AuditError::Unavailable)?;
        let seed = master.derive("audit checkpoint");
        let signer = Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes are a seed");
        let public = data_encoding::HEXLOWER.encode(signer.public_key().as_ref());
        let path = dir.join(PUBLIC_KEY_FILE);
        if fs::read_to_string(&path).is_ok_and(|existing| existing.trim() != public) {
            return Err(AuditError::Damaged {
                log: PUBLIC_KEY_FILE.to_owned(),
                reason: "made with another master key",
            });
        }
        fs::write(&path, format!("{public}\n")).map_err(AuditError::Unavailable)?;
        let syncer = Syncer::start().map_err(AuditError::Unavailable)?;
        Ok(Self { dir: dir.to_owned(), mode, clock, signer: Arc::new(signer), logs: Mutex::default(), syncer })
    }

    /// Records an event before its answer leaves. Blocks for one `write`, and for one fsync where the mode is [`SyncMode::Always`].
    ///
    /// # Errors
    /// [`AuditError`]: there must be no answer.
    pub fn record(&self, event: &AuditEvent) -> Result<Receipt, AuditError> {
        let log = self.log(event.tenant.as_ref())?;
        log.append(&[event], self.clock.now())?;
        match self.mode {
            SyncMode::Always => log.sync()?,
            SyncMode::Background => self.syncer.soon(&log),
        }
        Ok(Receipt::new())
    }

    /// Records an event and waits for the disk. Blocks.
    ///
    /// # Errors
    /// [`AuditError`]: what the event says must not be acknowledged.
    pub fn record_durable(&self, event: &AuditEvent) -> Result<Receipt, AuditError> {
        self.record_all_durable(&[event]).map(|mut receipts| receipts.remove(0))
    }

    /// Records events with one write and one fsync a log; a receipt for each. Blocks.
    ///
    /// # Errors
    /// [`AuditError`]: nothing of what the events say may be acknowledged.
    pub fn record_all_durable(&self, events: &[&AuditEvent]) -> Result<Vec<Receipt>, AuditError> {
        let mut groups: BTreeMap<Option<&TenantId>, Vec<&AuditEvent>> = BTreeMap::new();
        for event in events {
            groups.entry(event.tenant.as_ref()).or_default().push(event);
        }
        let logs = groups.keys().map(|tenant| self.log(*tenant)).collect::<Result<Vec<_>, _>>()?;
        for (log, group) in logs.iter().zip(groups.values()) {
            log.append(group, self.clock.now())?;
        }
        for log in &logs {
            log.sync()?;
        }
        Ok(events.iter().map(|_| Receipt::new()).collect())
    }

    /// Signs the head of every open log and waits for the disk.
    ///
    /// # Errors
    /// The first [`AuditError`]; the other logs are closed all the same.
    pub fn shutdown(&self) -> Result<(), AuditError> {
        let logs: Vec<_> = self.lock().values().cloned().collect();
        logs.iter().map(|log| log.sync().and_then(|()| log.checkpoint())).fold(Ok(()), Result::and)
    }

    /// The file of a tenant's log, or of the server's own.
    #[must_use]
    pub fn path(&self, tenant: Option<&TenantId>) -> PathBuf {
        self.dir.join(format!("{}.log", name(tenant)))
    }

    fn log(&self, tenant: Option<&TenantId>) -> Result<Arc<TenantLog>, AuditError> {
        let mut logs = self.lock();
        let name = name(tenant);
        if let Some(log) = logs.get(name) {
            return Ok(Arc::clone(log));
        }
        let log = TenantLog::open(&self.dir, name, Arc::clone(&self.signer))?;
        if log.cut() > 0 {
            let repaired = repaired(tenant, log.cut());
            log.append(&[&repaired], self.clock.now())?;
            log.sync()?;
        }
        let log = Arc::new(log);
        logs.insert(name.to_owned(), Arc::clone(&log));
        Ok(log)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<TenantLog>>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AuditLog").field("dir", &self.dir).field("mode", &self.mode).finish_non_exhaustive()
    }
}

fn name(tenant: Option<&TenantId>) -> &str {
    tenant.map_or(SERVER_LOG, TenantId::as_str)
}

fn repaired(tenant: Option<&TenantId>, cut: u64) -> AuditEvent {
    AuditEvent {
        tenant: tenant.cloned(),
        actor: Actor::server(),
        action: Action::LogRepaired,
        resource: None,
        status: 0,
        request_id: String::new(),
        query: None,
        documents: Vec::new(),
        count: usize::try_from(cut).unwrap_or(usize::MAX),
    }
}

#[cfg(test)]
mod tests;
