//! Documents that are past their collection's `retention_days` are deleted, like any other deletion: recorded, committed, gone from the indexes.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use ringfence_indexes::{CollectionId, DocumentId, TenantId, Timestamp};

use super::App;
use crate::{
    audit::Actor,
    commit::{CommitError, Write, WriteRequest},
    store::StoreError,
};

/// How often the server looks.
const EVERY: Duration = Duration::from_secs(600);
/// Documents that are looked up at once.
const PAGE: usize = 500;
/// Deletions that wait together, so that one commit takes many of them.
const AT_ONCE: usize = 64;
const DAY_MICROS: i64 = 86_400 * 1_000_000;

/// Why a sweep ended early; the next one goes on.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The documents could not be looked up.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A document could not be deleted.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl App {
    /// Sweeps now and then, for as long as it is polled.
    pub async fn keep_retention(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.sweep_retention(self.clock.now()).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "documents past their retention are deleted"),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "documents past their retention remain");
                }
            }
        }
    }

    /// Deletes every document that is past its collection's `retention_days`; how many there were.
    ///
    /// # Errors
    /// [`SweepError`] where one could not be deleted; those before it are.
    pub async fn sweep_retention(&self, now: Timestamp) -> Result<usize, SweepError> {
        let mut count = 0;
        for tenant in self.catalog.tenants() {
            for collection in self.catalog.collections(&tenant.id).values() {
                if let Some(days) = collection.retention_days {
                    let before = Timestamp(now.0.saturating_sub(i64::from(days).saturating_mul(DAY_MICROS)));
                    count += self.expire(&tenant.id, &collection.id, before).await?;
                }
            }
        }
        Ok(count)
    }

    async fn expire(
        &self,
        tenant: &TenantId,
        collection: &CollectionId,
        before: Timestamp,
    ) -> Result<usize, SweepError> {
        let mut count = 0;
        loop {
            let page = self.store.older_than(tenant, collection, before, PAGE).await?;
            let found = page.len();
            let mut answers = futures_util::stream::iter(page)
                .map(|document| self.committer.commit(expiry(tenant, collection, document, before)))
                .buffer_unordered(AT_ONCE);
            while let Some(answer) = answers.next().await {
                match answer {
                    Ok(_) => count += 1,
                    // Somebody else deleted it, or wrote it anew, since it was looked up.
                    Err(CommitError::NoDocument | CommitError::NoCollection | CommitError::NoTenant) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if found < PAGE {
                return Ok(count);
            }
        }
    }
}

fn expiry(tenant: &TenantId, collection: &CollectionId, document: DocumentId, before: Timestamp) -> WriteRequest {
    WriteRequest {
        write: Write::ExpireDocument {
            tenant: tenant.clone(),
            collection: collection.clone(),
            document,
            ingested_before: before,
        },
        actor: Actor::server(),
        request_id: "retention".to_owned(),
        status: 204,
    }
}
