//! A group of writes as one transaction: applied, recorded, committed, published.

use std::{collections::HashMap, io, sync::Arc};

use ringfence_indexes::{
    TenantId,
    failpoint::{self, Fault, Place},
};

use super::{
    CommitError, Committed, Write, WriteRequest,
    apply::{Applied, Apply, Refused},
    effect::{Derived, Effect},
    record,
};
use crate::{
    audit::{AuditError, AuditEvent, AuditLog, Receipt},
    clock::Clock,
    entropy::Entropy,
    seal::{Sealer, TenantKeys},
    store::{StoreError, Writer},
};

/// Why no write of a group happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupError {
    /// The disk is full.
    Full,
    /// It cannot be written now; nothing of it is in the store.
    Unavailable,
    /// Whether it is durable is not known, or memory could not follow it: nothing may be acknowledged any more.
    Failed,
}

impl From<GroupError> for CommitError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Full => Self::StorageFull,
            GroupError::Unavailable | GroupError::Failed => Self::Unavailable,
        }
    }
}

impl GroupError {
    /// Of a failure before the commit: nothing has happened.
    fn before_commit(error: &StoreError) -> Self {
        tracing::error!(error = error as &dyn std::error::Error, "the store refuses to write");
        if matches!(error, StoreError::Full) { Self::Full } else { Self::Unavailable }
    }

    fn of_audit(error: &AuditError) -> Self {
        tracing::error!(error = error as &dyn std::error::Error, "writes cannot be recorded and are refused");
        match error {
            AuditError::Unavailable(error) if error.kind() == io::ErrorKind::StorageFull => Self::Full,
            _ => Self::Unavailable,
        }
    }
}

/// Writes groups.
pub(super) struct Groups {
    writer: Writer,
    audit: Arc<AuditLog>,
    derived: Derived,
    clock: Arc<Clock>,
    entropy: Arc<Entropy>,
    embedder: String,
    sealers: HashMap<TenantId, Sealer>,
    /// Whether the log of the database may hold what was deleted; at the start, what was deleted before a crash.
    deleted: bool,
    /// Whether anything was written since the house was last kept.
    written: bool,
    /// Whether the log of the database may hold anything.
    logged: bool,
}

impl Groups {
    pub(super) fn new(
        writer: Writer,
        audit: Arc<AuditLog>,
        derived: Derived,
        clock: Arc<Clock>,
        entropy: Arc<Entropy>,
        embedder: String,
    ) -> Self {
        Self {
            writer,
            audit,
            derived,
            clock,
            entropy,
            embedder,
            sealers: HashMap::new(),
            deleted: true,
            written: false,
            logged: false,
        }
    }

    /// Gives the connection back.
    pub(super) async fn close(self) {
        self.writer.close().await;
    }

    /// Writes a group; an answer for each write, or the reason why none of them happened.
    pub(super) async fn write(
        &mut self,
        requests: &[&WriteRequest],
    ) -> Result<Vec<Result<Committed, CommitError>>, GroupError> {
        self.writer.begin().await.map_err(|error| GroupError::before_commit(&error))?;
        let applied = match self.apply_all(requests).await {
            Ok(applied) => applied,
            Err(error) => return Err(self.give_up(error).await),
        };
        let events: Vec<_> = requests
            .iter()
            .zip(&applied)
            .filter(|(_, applied)| applied.is_ok())
            .map(|(request, _)| record::event(request))
            .collect();
        if events.is_empty() {
            self.writer.rollback().await.map_err(|error| GroupError::before_commit(&error))?;
            return Ok(applied.into_iter().map(|refused| refused.map(|_| unreachable!("no write was made"))).collect());
        }
        let receipts = match self.audit.record_all_durable(&events.iter().collect::<Vec<_>>()) {
            Ok(receipts) => receipts,
            Err(error) => {
                let error = self.give_up(GroupError::of_audit(&error)).await;
                self.record_failed(&events);
                return Err(error);
            }
        };
        self.commit(&events).await?;
        self.publish(requests, applied, receipts)
    }

    /// Writes down when keys were used, and empties the log of the database where something was deleted, or once writing has paused; whether all is done that must be.
    pub(super) async fn keep_house(&mut self) -> Result<bool, GroupError> {
        let uses = self.derived.keyring.uses().take_unwritten();
        if !uses.is_empty()
            && let Err(error) = self.writer.put_uses(&uses).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last uses of keys are not written");
            let reason = match error {
                StoreError::Full => GroupError::Full,
                StoreError::Unwritable(_) => GroupError::Unavailable,
                _ => GroupError::Failed,
            };
            return Err(self.give_up(reason).await);
        }
        let is_pause = !std::mem::take(&mut self.written);
        self.logged |= !is_pause;
        if self.deleted || (self.logged && is_pause) {
            let emptied = self.writer.checkpoint().await;
            if let Err(error) = &emptied {
                tracing::warn!(error = error as &dyn std::error::Error, "the log of the database is not emptied");
            }
            self.logged = !emptied.unwrap_or(false);
            self.deleted &= self.logged;
        }
        Ok(!self.deleted)
    }

    async fn apply_all(&mut self, requests: &[&WriteRequest]) -> Result<Vec<Result<Applied, CommitError>>, GroupError> {
        let keys = requests.iter().filter_map(|request| request.write.document()).collect();
        self.writer.look_up(keys).await.map_err(|error| GroupError::before_commit(&error))?;
        let mut all = Vec::with_capacity(requests.len());
        for request in requests {
            all.push(self.apply(&request.write).await?);
        }
        Ok(all)
    }

    /// Applies one write; what fails is taken back alone.
    async fn apply(&mut self, write: &Write) -> Result<Result<Applied, CommitError>, GroupError> {
        let failed = |error: StoreError| GroupError::before_commit(&error);
        self.writer.save();
        let apply =
            Apply { writer: &mut self.writer, embedder: &self.embedder, entropy: &self.entropy, now: self.clock.now() };
        let refused = match apply.write(write.clone()).await {
            Ok(applied) => {
                self.writer.release().await.map_err(failed)?;
                return Ok(Ok(applied));
            }
            Err(Refused::Commit(refused)) => refused,
            Err(Refused::Store(StoreError::Full)) => return Err(GroupError::Full),
            Err(Refused::Store(error)) => GroupError::before_commit(&error).into(),
        };
        self.writer.undo().await.map_err(failed)?;
        Ok(Err(refused))
    }

    async fn give_up(&mut self, error: GroupError) -> GroupError {
        match self.writer.rollback().await {
            Ok(()) => error,
            Err(rollback) => {
                tracing::error!(error = &rollback as &dyn std::error::Error, "a transaction cannot be given up");
                GroupError::Failed
            }
        }
    }

    async fn commit(&mut self, events: &[AuditEvent]) -> Result<(), GroupError> {
        match self.writer.commit().await {
            Ok(()) => Ok(()),
            Err(error @ (StoreError::Full | StoreError::Unwritable(_))) => {
                let error = self.give_up(GroupError::before_commit(&error)).await;
                self.record_failed(events);
                Err(error)
            }
            Err(error) => {
                // The disk may have it or not: no record may claim either.
                tracing::error!(error = &error as &dyn std::error::Error, "a commit failed with unknown outcome");
                // So that nothing is locked; where the commit went through after all, there is nothing to give up.
                Err(self.give_up(GroupError::Failed).await)
            }
        }
    }

    /// Records that writes which were recorded did not happen. Where even that fails, the records stand without an acknowledgement.
    fn record_failed(&self, events: &[AuditEvent]) {
        for event in events {
            if let Err(error) = self.audit.record_durable(&record::failed(event)) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a failed write cannot be recorded as failed"
                );
            }
        }
    }

    fn publish(
        &mut self,
        requests: &[&WriteRequest],
        applied: Vec<Result<Applied, CommitError>>,
        receipts: Vec<Receipt>,
    ) -> Result<Vec<Result<Committed, CommitError>>, GroupError> {
        let mut receipts = receipts.into_iter();
        let (mut answers, mut effects) = (Vec::with_capacity(applied.len()), Vec::with_capacity(applied.len()));
        for (request, applied) in requests.iter().zip(applied) {
            answers.push(applied.map(|applied| {
                self.deleted |= applied.outcome == super::Outcome::Changed;
                self.written = true;
                let receipt = receipts.next().expect("there is a receipt for each write that was made");
                let revision = self.seal(request.write.tenant(), applied.revision);
                effects.push((applied.effect, applied.revision));
                Committed { revision, outcome: applied.outcome, receipt }
            }));
        }
        let tenants: Vec<TenantId> = requests.iter().filter_map(|request| request.write.tenant().cloned()).collect();
        if tenants.iter().any(|tenant| failpoint::has(Fault::EarlyAcknowledgement, tenant)) {
            let derived = self.derived.clone();
            std::thread::spawn(move || make_visible(&derived, &tenants, effects));
            return Ok(answers);
        }
        make_visible(&self.derived, &tenants, effects)?;
        Ok(answers)
    }

    fn seal(&mut self, tenant: Option<&TenantId>, revision: u64) -> String {
        let Some(tenant) = tenant else { return String::new() };
        if !self.sealers.contains_key(tenant) {
            let sealer = TenantKeys::derive(&self.derived.master, tenant).sealer();
            self.sealers.insert(tenant.clone(), sealer);
        }
        self.sealers[tenant].seal_revision(revision, &self.entropy)
    }
}

/// Has memory follow what is durable.
fn make_visible(derived: &Derived, tenants: &[TenantId], effects: Vec<(Effect, u64)>) -> Result<(), GroupError> {
    tenants.iter().for_each(|tenant| failpoint::reached(Place::Durable, tenant));
    derived.publish(effects).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the indexes cannot follow the store");
        GroupError::Failed
    })?;
    tenants.iter().for_each(|tenant| failpoint::reached(Place::Published, tenant));
    Ok(())
}
