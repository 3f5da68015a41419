//! What the one writer does to the directory: users, the names they bear, groups, settings.

use ringfence_indexes::{Principal, TenantId};

use super::Writer;
use crate::authn::KeyRecord;
use crate::store::{
    GroupName, GroupRecord, NameRecord, Setting, StoreError, UserRecord, group, group_name, key, setting,
    user::{self, UserKey},
};

impl Writer {
    pub(crate) async fn group(
        &mut self,
        tenant: &TenantId,
        group: &Principal,
    ) -> Result<Option<GroupRecord>, StoreError> {
        Ok(group::one(&mut self.connection, tenant, group).await?.map(|(record, _)| record))
    }

    /// The name of every group.
    pub(crate) async fn group_names(&mut self, tenant: &TenantId) -> Result<Vec<String>, StoreError> {
        group::names(&mut self.connection, tenant).await
    }

    /// The groups that have a direct member.
    pub(crate) async fn groups_of(
        &mut self,
        tenant: &TenantId,
        member: &Principal,
    ) -> Result<Vec<Principal>, StoreError> {
        group::of_member(&mut self.connection, tenant, member).await
    }

    /// Writes a group, of which `before` is what was there.
    pub(crate) async fn put_group(
        &mut self,
        tenant: &TenantId,
        record: &GroupRecord,
        before: Option<&GroupRecord>,
    ) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some(before) = before {
            self.toggle(tenant.as_str(), &before.digest(tenant)).await?;
        }
        let none = std::collections::BTreeSet::new();
        let members = before.map_or(&none, |before| &before.members);
        let digest = group::put(&mut self.connection, tenant, record, members).await?;
        self.toggle(tenant.as_str(), &digest).await
    }

    pub(crate) async fn delete_group(&mut self, tenant: &TenantId, record: &GroupRecord) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        self.toggle(tenant.as_str(), &record.digest(tenant)).await?;
        group::delete(&mut self.connection, tenant, &record.group).await
    }

    /// The groups of all tenants that have no id yet.
    pub(crate) async fn groups_without_id(&mut self) -> Result<Vec<(String, String)>, StoreError> {
        group::without_id(&mut self.connection).await
    }

    /// A user with the digest of its row.
    pub(crate) async fn user(
        &mut self,
        tenant: &TenantId,
        key: UserKey<'_>,
    ) -> Result<Option<(UserRecord, [u8; 32])>, StoreError> {
        user::one(&mut self.connection, tenant, key).await
    }

    /// Writes a user.
    pub(crate) async fn put_user(&mut self, tenant: &TenantId, record: &UserRecord) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = user::one(&mut self.connection, tenant, UserKey::Id(&record.id)).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        let digest = user::put(&mut self.connection, tenant, record).await?;
        self.toggle(tenant.as_str(), &digest).await
    }

    pub(crate) async fn delete_user(&mut self, tenant: &TenantId, id: &str) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = user::one(&mut self.connection, tenant, UserKey::Id(id)).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        user::delete(&mut self.connection, tenant, id).await
    }

    /// Who bears a name, if the directory knows it or knew it.
    pub(crate) async fn name(&mut self, tenant: &TenantId, name: &Principal) -> Result<Option<NameRecord>, StoreError> {
        Ok(user::name(&mut self.connection, tenant, name).await?.map(|(record, _)| record))
    }

    pub(crate) async fn put_name(&mut self, tenant: &TenantId, record: &NameRecord) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = user::name(&mut self.connection, tenant, &record.name).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        let digest = user::put_name(&mut self.connection, tenant, record).await?;
        self.toggle(tenant.as_str(), &digest).await
    }

    /// What is known of a group's name that was given up.
    pub(crate) async fn group_name(
        &mut self,
        tenant: &TenantId,
        name: &Principal,
    ) -> Result<Option<GroupName>, StoreError> {
        Ok(group_name::one(&mut self.connection, tenant, name).await?.map(|(record, _)| record))
    }

    pub(crate) async fn put_group_name(&mut self, tenant: &TenantId, record: &GroupName) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = group_name::one(&mut self.connection, tenant, &record.name).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        let digest = group_name::put(&mut self.connection, tenant, record).await?;
        self.toggle(tenant.as_str(), &digest).await
    }

    /// The keys that bring a group.
    pub(crate) async fn keys_in(&mut self, tenant: &TenantId, group: &Principal) -> Result<Vec<KeyRecord>, StoreError> {
        key::of_group(&mut self.connection, tenant, group).await
    }

    /// The ids of a principal's keys.
    pub(crate) async fn keys_of(&mut self, tenant: &TenantId, subject: &Principal) -> Result<Vec<String>, StoreError> {
        key::of_subject(&mut self.connection, tenant, subject).await
    }

    pub(crate) async fn settings(&mut self, tenant: &TenantId) -> Result<Vec<Setting>, StoreError> {
        let all = setting::all(&mut self.connection, tenant).await?;
        Ok(all.into_iter().map(|(setting, _)| setting).collect())
    }

    pub(crate) async fn put_setting(&mut self, tenant: &TenantId, setting: &Setting) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        let before = setting::all(&mut self.connection, tenant).await?;
        let is_same = |other: &Setting| std::mem::discriminant(other) == std::mem::discriminant(setting);
        if let Some((_, digest)) = before.into_iter().find(|(other, _)| is_same(other)) {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        let digest = setting::put(&mut self.connection, tenant, setting).await?;
        self.toggle(tenant.as_str(), &digest).await
    }
}
