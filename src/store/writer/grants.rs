//! Emergency grants, written.

use ringfence_indexes::{GrantId, TenantId};

use super::Writer;
use crate::store::{
    StoreError,
    grant::{self, GrantRecord},
};

impl Writer {
    /// A tenant's emergency grants, those over included, in the order of their declaration.
    pub(crate) async fn grants(&mut self, tenant: &TenantId) -> Result<Vec<GrantRecord>, StoreError> {
        Ok(grant::all(&mut self.connection, tenant).await?.into_iter().map(|(record, _)| record).collect())
    }

    pub(crate) async fn grant(&mut self, tenant: &TenantId, id: &GrantId) -> Result<Option<GrantRecord>, StoreError> {
        Ok(grant::one(&mut self.connection, tenant, id).await?.map(|(record, _)| record))
    }

    pub(crate) async fn put_grant(&mut self, tenant: &TenantId, record: &GrantRecord) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = grant::one(&mut self.connection, tenant, &record.grant.id).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        let digest = grant::put(&mut self.connection, tenant, record).await?;
        self.toggle(tenant.as_str(), &digest).await
    }

    pub(crate) async fn forget_grant(&mut self, tenant: &TenantId, id: &GrantId) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = grant::one(&mut self.connection, tenant, id).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        grant::delete(&mut self.connection, tenant, id).await
    }
}
