//! Reading the directory: users by id, name and page; groups by id; who is who among members.

use std::collections::HashMap;

use ringfence_indexes::{Principal, TenantId};

use super::{GroupRecord, Store, StoreError, UserRecord, group, user};
use crate::store::user::UserKey;

impl Store {
    /// A tenant's groups after one of them, in the order of their names.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn groups(
        &self,
        tenant: &TenantId,
        after: Option<&Principal>,
        limit: usize,
    ) -> Result<Vec<GroupRecord>, StoreError> {
        let mut connection = self.reader().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let page = group::page(&mut connection, tenant, after.map_or("", Principal::as_str), limit).await?;
        Ok(page.into_iter().map(|(record, _)| record).collect())
    }

    /// One group.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn group(&self, tenant: &TenantId, group: &Principal) -> Result<Option<GroupRecord>, StoreError> {
        let mut connection = self.reader().await?;
        Ok(group::one(&mut connection, tenant, group).await?.map(|(record, _)| record))
    }

    /// One user with the digest of its row.
    pub(crate) async fn user(
        &self,
        tenant: &TenantId,
        key: UserKey<'_>,
    ) -> Result<Option<(UserRecord, [u8; 32])>, StoreError> {
        let mut connection = self.reader().await?;
        user::one(&mut connection, tenant, key).await
    }

    /// The users with an external id, with the digests of their rows.
    pub(crate) async fn users_of_external_id(
        &self,
        tenant: &TenantId,
        external_id: &str,
    ) -> Result<Vec<(UserRecord, [u8; 32])>, StoreError> {
        let mut connection = self.reader().await?;
        user::of_external_id(&mut connection, tenant, external_id).await
    }

    /// Users after one of them, in the order of their ids, with the digests of their rows.
    pub(crate) async fn users(
        &self,
        tenant: &TenantId,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(UserRecord, [u8; 32])>, StoreError> {
        let mut connection = self.reader().await?;
        user::page(&mut connection, tenant, after, i64::try_from(limit).unwrap_or(i64::MAX)).await
    }

    /// The group of an id.
    pub(crate) async fn group_of_id(&self, tenant: &TenantId, id: &str) -> Result<Option<GroupRecord>, StoreError> {
        let mut connection = self.reader().await?;
        Ok(group::by_id(&mut connection, tenant, id).await?.map(|(record, _)| record))
    }

    /// The name of every group.
    pub(crate) async fn group_names(&self, tenant: &TenantId) -> Result<Vec<String>, StoreError> {
        let mut connection = self.reader().await?;
        group::names(&mut connection, tenant).await
    }

    /// The ids of those among these principals that have one: users and groups of the directory.
    pub(crate) async fn ids_of<'a>(
        &self,
        tenant: &TenantId,
        principals: impl Iterator<Item = &'a Principal>,
    ) -> Result<HashMap<Principal, String>, StoreError> {
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        for principal in principals.map(Principal::as_str) {
            match principal.strip_prefix("user:") {
                Some(name) => users.push(name),
                None if principal.starts_with("group:") => groups.push(principal),
                None => {}
            }
        }
        let mut connection = self.reader().await?;
        let users = user::ids(&mut connection, tenant, &users).await?.into_iter();
        let users = users.map(|(name, id)| (format!("user:{name}"), id));
        let all = users.chain(group::ids(&mut connection, tenant, &groups).await?);
        Ok(all.filter_map(|(name, id)| Some((Principal::new(&name).ok()?, id))).collect())
    }

    /// The principals of these ids, of users and of groups.
    pub(crate) async fn principals_of(
        &self,
        tenant: &TenantId,
        ids: &[&str],
    ) -> Result<HashMap<String, Principal>, StoreError> {
        let mut connection = self.reader().await?;
        let users = user::names_of(&mut connection, tenant, ids).await?.into_iter();
        let users = users.map(|(id, name)| (id, format!("user:{name}")));
        let all = users.chain(group::names_of(&mut connection, tenant, ids).await?);
        Ok(all.filter_map(|(id, name)| Some((id, Principal::new(&name).ok()?))).collect())
    }
}

impl UserRecord {
    /// The digest of the user's row: what its present form is recognised by.
    pub(crate) fn digest(&self, tenant: &TenantId) -> Result<[u8; 32], StoreError> {
        user::digest(tenant, self)
    }
}
