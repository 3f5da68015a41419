//! Writes of emergency grants inside the transaction.
//!
//! A grant that is over stays as a row for a time, so that it can be accounted for; the engine forgets it with the next one that is declared.

use ringfence_indexes::{Change, CollectionId, GrantId, TenantId, Timestamp};

use super::{
    CommitError, Outcome,
    apply::{Applied, Apply, Refused},
    effect::Effect,
};
use crate::store::GrantRecord;

/// The most grants of a tenant that are in force at the same time.
const GRANTS_MAX: usize = 100;
/// The most grants of a tenant that are kept after they are over, and for how long. The audit log has them all.
const KEPT_MAX: usize = 1_000;
const KEPT_MICROS: i64 = 90 * 24 * 3_600 * 1_000_000;

impl Apply<'_> {
    pub(super) async fn declare_grant(&mut self, tenant: TenantId, record: GrantRecord) -> Result<Applied, Refused> {
        self.need_tenant(&tenant).await?;
        let known = self.writer.grants(&tenant).await?;
        if known.iter().filter(|grant| grant.is_in_force(self.now)).count() >= GRANTS_MAX {
            return Err(CommitError::TooManyGrants.into());
        }
        let mut changes = self.forget_grants(&tenant, &known).await?;
        self.writer.put_grant(&tenant, &record).await?;
        changes.push(Change::PutGrant(record.grant.into()));
        self.changed(&tenant, Outcome::Created, Effect::IndexAll(tenant.clone(), changes)).await
    }

    /// Ends a grant before its time; one that is over stays as it is.
    pub(super) async fn end_grant(&mut self, tenant: TenantId, id: GrantId, by: String) -> Result<Applied, Refused> {
        self.need_tenant(&tenant).await?;
        let record = self.writer.grant(&tenant, &id).await?.ok_or(CommitError::NoGrant)?;
        if !record.is_in_force(self.now) {
            return self.unchanged(&tenant).await;
        }
        self.writer.put_grant(&tenant, &GrantRecord { ended: Some((self.now, by)), ..record }).await?;
        self.changed(&tenant, Outcome::Changed, Effect::Index(tenant.clone(), Change::EndGrant(id))).await
    }

    /// Ends the grants in a collection that is deleted: another one of the name is not what was meant.
    pub(super) async fn end_grants_in(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
    ) -> Result<Vec<Change>, Refused> {
        let mut changes = Vec::new();
        for record in self.writer.grants(tenant).await? {
            if record.grant.collection == *collection && record.is_in_force(self.now) {
                let ended = Some((self.now, "the collection was deleted".to_owned()));
                changes.push(Change::EndGrant(record.grant.id.clone()));
                self.writer.put_grant(tenant, &GrantRecord { ended, ..record }).await?;
            }
        }
        Ok(changes)
    }

    /// Forgets what was over long ago, and has the engine forget what is over.
    async fn forget_grants(&mut self, tenant: &TenantId, known: &[GrantRecord]) -> Result<Vec<Change>, Refused> {
        let over: Vec<(&GrantRecord, Timestamp)> =
            known.iter().filter_map(|record| Some((record, record.over_since(self.now)?))).collect();
        let surplus = over.len().saturating_sub(KEPT_MAX);
        for (index, (record, since)) in over.iter().enumerate() {
            if index < surplus || self.now.0 - since.0 > KEPT_MICROS {
                self.writer.forget_grant(tenant, &record.grant.id).await?;
            }
        }
        let expired = over.iter().filter(|(record, _)| record.ended.is_none());
        Ok(expired.map(|(record, _)| Change::EndGrant(record.grant.id.clone())).collect())
    }
}
