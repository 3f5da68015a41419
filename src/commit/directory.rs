//! Writes to the directory: users and the names they bear, groups, settings.
//!
//! A name that was given up is remembered: its next bearer is another person or group, who gets neither the memberships nor the keys of the one before, and whom no older ACL means.

use std::collections::BTreeSet;

use ringfence_indexes::{Change, Principal, PrincipalKind, TenantId};

use super::{
    CommitError, Outcome,
    apply::{Applied, Apply, Refused},
    effect::Effect,
};
use crate::{
    authn::KeyRecord,
    scim::folded,
    store::{GroupName, GroupRecord, NameRecord, Setting, UserKey, UserRecord},
};

/// What follows in memory from one write to the directory.
#[derive(Default)]
struct Consequences {
    changes: Vec<Change>,
    keys: Vec<String>,
    /// Keys that lost a group.
    narrowed: Vec<KeyRecord>,
}

impl Apply<'_> {
    pub(super) async fn create_user(&mut self, tenant: TenantId, record: UserRecord) -> Result<Applied, Refused> {
        self.need_tenant(&tenant).await?;
        if self.writer.user(&tenant, UserKey::Name(record.user_name())).await?.is_some() {
            return Err(CommitError::UserExists.into());
        }
        let mut consequences = Consequences::default();
        let name = self.take_name(&tenant, &record, &mut consequences).await?;
        self.writer.put_user(&tenant, &record).await?;
        consequences.put_standing(&name, Some(&record));
        self.directed(tenant, Outcome::Created, consequences).await
    }

    pub(super) async fn replace_user(
        &mut self,
        tenant: TenantId,
        record: UserRecord,
        before: [u8; 32],
    ) -> Result<Applied, Refused> {
        let current = self.need_user(&tenant, &record.id, Some(before)).await?;
        if (UserRecord { changed_at: current.changed_at, ..record.clone() }) == current {
            return self.unchanged(&tenant).await;
        }
        let mut consequences = Consequences::default();
        if record.principal == current.principal {
            let name = self.writer.name(&tenant, &record.principal).await?.ok_or(CommitError::NoUser)?;
            self.writer.put_user(&tenant, &record).await?;
            consequences.put_standing(&name, Some(&record));
        } else {
            self.rename_user(&tenant, &current, &record, &mut consequences).await?;
        }
        self.directed(tenant, Outcome::Changed, consequences).await
    }

    /// The memberships go along, for they are the person's; keys and ACLs are of the name, and stay behind.
    async fn rename_user(
        &mut self,
        tenant: &TenantId,
        current: &UserRecord,
        record: &UserRecord,
        consequences: &mut Consequences,
    ) -> Result<(), Refused> {
        let other = self.writer.user(tenant, UserKey::Name(record.user_name())).await?;
        if other.is_some_and(|(other, _)| other.id != record.id) {
            return Err(CommitError::UserExists.into());
        }
        let groups = self.writer.groups_of(tenant, &current.principal).await?;
        self.give_up_name(tenant, &current.principal, consequences).await?;
        let name = self.take_name(tenant, record, consequences).await?;
        for group in groups {
            self.exchange_member(tenant, &group, None, Some(&record.principal), consequences).await?;
        }
        self.writer.put_user(tenant, record).await?;
        consequences.put_standing(&name, Some(record));
        Ok(())
    }

    pub(super) async fn delete_user(
        &mut self,
        tenant: TenantId,
        id: &str,
        expected: Option<[u8; 32]>,
    ) -> Result<Applied, Refused> {
        let current = self.need_user(&tenant, id, expected).await?;
        let mut consequences = Consequences::default();
        self.give_up_name(&tenant, &current.principal, &mut consequences).await?;
        self.writer.delete_user(&tenant, id).await?;
        self.directed(tenant, Outcome::Changed, consequences).await
    }

    /// Gives a user the name: as its first bearer what is there already is theirs, as a later one nothing is.
    async fn take_name(
        &mut self,
        tenant: &TenantId,
        record: &UserRecord,
        consequences: &mut Consequences,
    ) -> Result<NameRecord, Refused> {
        let before = self.writer.name(tenant, &record.principal).await?;
        if before.is_some() {
            self.take_away(tenant, &record.principal, consequences).await?;
        }
        let name = NameRecord {
            name: record.principal.clone(),
            generation: before.map_or(0, |before| before.generation.saturating_add(1)),
            bearer: Some(record.id.clone()),
            since: self.now,
        };
        self.writer.put_name(tenant, &name).await?;
        Ok(name)
    }

    /// Leaves a name without a bearer: nobody may ask under it.
    async fn give_up_name(
        &mut self,
        tenant: &TenantId,
        name: &Principal,
        consequences: &mut Consequences,
    ) -> Result<(), Refused> {
        self.take_away(tenant, name, consequences).await?;
        let before = self.writer.name(tenant, name).await?;
        let generation = before.map_or(0, |before| before.generation);
        let name = NameRecord { name: name.clone(), generation, bearer: None, since: self.now };
        self.writer.put_name(tenant, &name).await?;
        consequences.put_standing(&name, None);
        Ok(())
    }

    /// Takes the memberships and keys of a name away.
    async fn take_away(
        &mut self,
        tenant: &TenantId,
        name: &Principal,
        consequences: &mut Consequences,
    ) -> Result<(), Refused> {
        for group in self.writer.groups_of(tenant, name).await? {
            self.exchange_member(tenant, &group, Some(name), None, consequences).await?;
        }
        for key in self.writer.keys_of(tenant, name).await? {
            self.writer.delete_key(Some(tenant), &key).await?;
            consequences.keys.push(key);
        }
        Ok(())
    }

    async fn exchange_member(
        &mut self,
        tenant: &TenantId,
        group: &Principal,
        gone: Option<&Principal>,
        new: Option<&Principal>,
        consequences: &mut Consequences,
    ) -> Result<(), Refused> {
        let before = self.writer.group(tenant, group).await?.ok_or(CommitError::NoGroup)?;
        let mut record = before.clone();
        if let Some(gone) = gone {
            record.members.remove(gone);
        }
        record.members.extend(new.cloned());
        record.changed_at = self.now;
        self.writer.put_group(tenant, &record, Some(&before)).await?;
        consequences.changes.push(Change::PutGroup { group: record.group, members: record.members });
        Ok(())
    }

    pub(super) async fn put_group(
        &mut self,
        tenant: TenantId,
        group: Principal,
        members: BTreeSet<Principal>,
    ) -> Result<Applied, Refused> {
        self.need_tenant(&tenant).await?;
        let before = self.writer.group(&tenant, &group).await?;
        if before.as_ref().is_some_and(|before| before.members == members) {
            return self.unchanged(&tenant).await;
        }
        let record = match &before {
            Some(before) => GroupRecord { members, changed_at: self.now, ..before.clone() },
            None => GroupRecord {
                group,
                members,
                id: self.entropy.id(),
                external_id: None,
                created_at: self.now,
                changed_at: self.now,
            },
        };
        self.write_group(tenant, record, before.as_ref()).await
    }

    pub(super) async fn create_group(&mut self, tenant: TenantId, record: GroupRecord) -> Result<Applied, Refused> {
        self.need_tenant(&tenant).await?;
        self.need_free_group(&tenant, &record.group, None).await?;
        self.write_group(tenant, record, None).await
    }

    pub(super) async fn replace_group(
        &mut self,
        tenant: TenantId,
        group: Principal,
        record: GroupRecord,
        before: [u8; 32],
    ) -> Result<Applied, Refused> {
        let current = self.need_group(&tenant, &group, Some(before)).await?;
        if (GroupRecord { changed_at: current.changed_at, ..record.clone() }) == current {
            return self.unchanged(&tenant).await;
        }
        if record.group == current.group {
            return self.write_group(tenant, record, Some(&current)).await;
        }
        self.need_free_group(&tenant, &record.group, Some(&current.group)).await?;
        let mut consequences = Consequences::default();
        let parents = self.writer.groups_of(&tenant, &current.group).await?;
        self.writer.delete_group(&tenant, &current).await?;
        self.writer.put_group(&tenant, &record, None).await?;
        consequences.changes.push(Change::DeleteGroup { group: current.group.clone() });
        self.give_up_group_name(&tenant, &current.group, &mut consequences).await?;
        consequences.changes.push(Change::PutGroup { group: record.group.clone(), members: record.members.clone() });
        for parent in parents {
            // A group may be its own member.
            let parent = if parent == current.group { record.group.clone() } else { parent };
            let (gone, new) = (Some(&current.group), Some(&record.group));
            self.exchange_member(&tenant, &parent, gone, new, &mut consequences).await?;
        }
        self.directed(tenant, Outcome::Changed, consequences).await
    }

    pub(super) async fn change_members(
        &mut self,
        tenant: TenantId,
        group: Principal,
        change: impl FnOnce(&mut BTreeSet<Principal>) -> bool,
    ) -> Result<Applied, Refused> {
        let before = self.need_group(&tenant, &group, None).await?;
        let mut record = GroupRecord { changed_at: self.now, ..before.clone() };
        if change(&mut record.members) {
            self.write_group(tenant, record, Some(&before)).await
        } else {
            self.unchanged(&tenant).await
        }
    }

    async fn write_group(
        &mut self,
        tenant: TenantId,
        record: GroupRecord,
        before: Option<&GroupRecord>,
    ) -> Result<Applied, Refused> {
        self.writer.put_group(&tenant, &record, before).await?;
        let outcome = if before.is_some() { Outcome::Changed } else { Outcome::Created };
        let change = Change::PutGroup { group: record.group, members: record.members };
        self.changed(&tenant, outcome, Effect::Index(tenant.clone(), change)).await
    }

    pub(super) async fn delete_group(
        &mut self,
        tenant: TenantId,
        group: Principal,
        gives_up_name: bool,
        expected: Option<[u8; 32]>,
    ) -> Result<Applied, Refused> {
        let current = self.need_group(&tenant, &group, expected).await?;
        let mut consequences = Consequences::default();
        self.writer.delete_group(&tenant, &current).await?;
        consequences.changes.push(Change::DeleteGroup { group: group.clone() });
        if gives_up_name {
            for parent in self.writer.groups_of(&tenant, &group).await? {
                self.exchange_member(&tenant, &parent, Some(&group), None, &mut consequences).await?;
            }
            self.give_up_group_name(&tenant, &group, &mut consequences).await?;
        }
        self.directed(tenant, Outcome::Changed, consequences).await
    }

    /// Whatever names the group means one that is gone from now on; keys lose it.
    async fn give_up_group_name(
        &mut self,
        tenant: &TenantId,
        name: &Principal,
        consequences: &mut Consequences,
    ) -> Result<(), Refused> {
        for mut key in self.writer.keys_in(tenant, name).await? {
            key.groups.remove(name);
            self.writer.put_key(&key).await?;
            consequences.narrowed.push(key);
        }
        let before = self.writer.group_name(tenant, name).await?;
        let generation = before.map_or(0, |before| before.generation).saturating_add(1);
        let name = GroupName { name: name.clone(), generation, since: self.now };
        self.writer.put_group_name(tenant, &name).await?;
        consequences.changes.push(name.to_change());
        Ok(())
    }

    pub(super) async fn put_setting(&mut self, tenant: TenantId, setting: Setting) -> Result<Applied, Refused> {
        self.need_tenant(&tenant).await?;
        if self.writer.settings(&tenant).await?.contains(&setting) {
            return self.unchanged(&tenant).await;
        }
        self.writer.put_setting(&tenant, &setting).await?;
        self.changed(&tenant, Outcome::Changed, Effect::Index(tenant.clone(), setting.to_change())).await
    }

    /// Refuses what would be given to a name that nobody bears: it would be the next bearer's.
    pub(super) async fn need_bearer(&mut self, tenant: &TenantId, name: &Principal) -> Result<(), Refused> {
        if name.kind() != PrincipalKind::User {
            return Ok(());
        }
        match self.writer.name(tenant, name).await? {
            Some(name) if name.bearer.is_none() => Err(CommitError::NoBearer.into()),
            _ => Ok(()),
        }
    }

    async fn need_user(
        &mut self,
        tenant: &TenantId,
        id: &str,
        expected: Option<[u8; 32]>,
    ) -> Result<UserRecord, Refused> {
        self.need_tenant(tenant).await?;
        let (record, digest) = self.writer.user(tenant, UserKey::Id(id)).await?.ok_or(CommitError::NoUser)?;
        if expected.is_some_and(|expected| expected != digest) {
            return Err(CommitError::Stale.into());
        }
        Ok(record)
    }

    async fn need_group(
        &mut self,
        tenant: &TenantId,
        group: &Principal,
        expected: Option<[u8; 32]>,
    ) -> Result<GroupRecord, Refused> {
        self.need_tenant(tenant).await?;
        let record = self.writer.group(tenant, group).await?.ok_or(CommitError::NoGroup)?;
        if expected.is_some_and(|expected| expected != record.digest(tenant)) {
            return Err(CommitError::Stale.into());
        }
        Ok(record)
    }

    /// Whether a group's name is free, one that differs by case alone included.
    async fn need_free_group(
        &mut self,
        tenant: &TenantId,
        group: &Principal,
        own: Option<&Principal>,
    ) -> Result<(), Refused> {
        let wanted = folded(group.as_str());
        let names = self.writer.group_names(tenant).await?;
        let is_taken = |name: &String| own.is_none_or(|own| own.as_str() != name) && folded(name) == wanted;
        if names.iter().any(is_taken) { Err(CommitError::GroupExists.into()) } else { Ok(()) }
    }

    async fn directed(
        &mut self,
        tenant: TenantId,
        outcome: Outcome,
        consequences: Consequences,
    ) -> Result<Applied, Refused> {
        let Consequences { changes, keys, narrowed } = consequences;
        self.changed(&tenant, outcome, Effect::Directory(tenant.clone(), changes, keys, narrowed)).await
    }
}

impl Consequences {
    fn put_standing(&mut self, name: &NameRecord, bearer: Option<&UserRecord>) {
        self.changes.push(Change::PutStanding { name: name.name.clone(), standing: name.standing(bearer) });
    }
}
