//! Writes of tenant policies inside the transaction. What is written was checked by whoever asks: the committer takes a text only beside the policy that was made of it.

use ringfence_indexes::{Change, TenantId};

use super::{
    CommitError, Outcome, PolicyWrite,
    apply::{Applied, Apply, Refused},
    effect::Effect,
};
use crate::store::PolicySettings;

/// How many versions of a policy are kept.
const VERSIONS_MAX: u32 = 50;

impl Apply<'_> {
    pub(super) async fn write_policy(&mut self, tenant: TenantId, write: PolicyWrite) -> Result<Applied, Refused> {
        self.need_tenant(&tenant).await?;
        let PolicyWrite { record, policy, forced: _ } = write;
        let before = self.writer.newest_policy(&tenant, &record.name).await?;
        let (was_there, newest) = before.as_ref().map_or((false, 0), |before| (before.text.is_some(), before.version));
        if policy.is_none() && !was_there {
            return Err(CommitError::NoPolicy.into());
        }
        let is_same = |before: &crate::store::PolicyRecord| {
            (&before.text, &before.description) == (&record.text, &record.description)
        };
        if before.as_ref().is_some_and(is_same) {
            return self.unchanged(&tenant).await;
        }
        // Whoever writes knows the newest version: the service lets one of them ask at a time.
        if record.version != newest + 1 {
            return Err(CommitError::Unavailable.into());
        }
        self.writer.insert_policy(&tenant, &record).await?;
        if let Some(old) = record.version.checked_sub(VERSIONS_MAX).filter(|old| *old > 0) {
            self.writer.forget_policy(&tenant, &record.name, old).await?;
        }
        let outcome = if was_there { Outcome::Changed } else { Outcome::Created };
        let change = policy.map_or(Change::DeletePolicy(record.name), Change::PutPolicy);
        self.changed(&tenant, outcome, Effect::Index(tenant.clone(), change)).await
    }

    pub(super) async fn write_policy_settings(
        &mut self,
        tenant: TenantId,
        settings: PolicySettings,
    ) -> Result<Applied, Refused> {
        self.need_tenant(&tenant).await?;
        let before = self.writer.policy_settings(&tenant).await?;
        if (before.permit, &before.tests) == (settings.permit, &settings.tests) {
            return self.unchanged(&tenant).await;
        }
        self.writer.put_policy_settings(&tenant, &settings).await?;
        // Also where only the tests changed: the revision has to become visible.
        let change = Change::EnablePermit(settings.permit);
        self.changed(&tenant, Outcome::Changed, Effect::Index(tenant.clone(), change)).await
    }
}
