//! Tenant policies through the writing connection, with the ledger that follows them.

use ringfence_indexes::{PolicyName, TenantId};

use super::{
    StoreError,
    policy::{self, PolicyRecord, PolicySettings},
    writer::Writer,
};

impl Writer {
    /// The newest version of a policy, which may be its deletion.
    pub(crate) async fn newest_policy(
        &mut self,
        tenant: &TenantId,
        name: &PolicyName,
    ) -> Result<Option<PolicyRecord>, StoreError> {
        Ok(policy::versions(&mut self.connection, tenant, name, None, 1).await?.pop())
    }

    pub(crate) async fn insert_policy(&mut self, tenant: &TenantId, record: &PolicyRecord) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        let digest = policy::insert(&mut self.connection, tenant, record).await?;
        self.toggle(tenant.as_str(), &digest).await
    }

    /// Forgets the versions of a policy up to one of them.
    pub(crate) async fn forget_policy(
        &mut self,
        tenant: &TenantId,
        name: &PolicyName,
        up_to: u32,
    ) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        for digest in policy::forget(&mut self.connection, tenant, name, up_to).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        Ok(())
    }

    pub(crate) async fn policy_settings(&mut self, tenant: &TenantId) -> Result<PolicySettings, StoreError> {
        let settings = policy::settings(&mut self.connection, tenant).await?;
        Ok(settings.map(|(settings, _)| settings).unwrap_or_default())
    }

    pub(crate) async fn put_policy_settings(
        &mut self,
        tenant: &TenantId,
        settings: &PolicySettings,
    ) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = policy::settings(&mut self.connection, tenant).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        let digest = policy::put_settings(&mut self.connection, tenant, settings).await?;
        self.toggle(tenant.as_str(), &digest).await
    }
}
