//! Groups from before they had ids get one, before anything is answered.

use ringfence_indexes::{Principal, TenantId};

use super::StartError;
use crate::{
    entropy::Entropy,
    store::{GroupRecord, Store, StoreError},
};

/// Gives every group an id, in one transaction: a start that is broken off does it again.
pub(super) async fn adopt(store: &Store, entropy: &Entropy) -> Result<(), StartError> {
    let mut writer = store.writer().await?;
    let groups = writer.groups_without_id().await?;
    if !groups.is_empty() {
        writer.begin().await?;
        for (tenant, name) in &groups {
            let fault = || StoreError::Damaged(format!("the name of a group of `{tenant}`"));
            let tenant = TenantId::new(tenant).map_err(|_| fault())?;
            let name = Principal::new(name).map_err(|_| fault())?;
            let before = writer.group(&tenant, &name).await?.ok_or_else(fault)?;
            let record = GroupRecord { id: entropy.id(), ..before.clone() };
            writer.put_group(&tenant, &record, Some(&before)).await?;
        }
        writer.commit().await?;
        tracing::info!(groups = groups.len(), "groups from before have ids now");
    }
    writer.close().await;
    Ok(())
}
