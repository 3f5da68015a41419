//! The tenant's own directory: groups and their direct members, groups among them.

use std::collections::BTreeSet;

use ringfence_indexes::Principal;

use super::{Administration, AdministrationError, Page};
use crate::{
    audit::Action,
    authz::{ManageGroups, Permit},
    commit::Write,
    retrieval::answer::Answer,
    store::GroupRecord,
};

/// The most direct members of a group.
pub const MEMBERS_MAX: usize = 10_000;

impl Administration {
    /// Makes or replaces a group; gives the sealed revision.
    ///
    /// # Errors
    /// [`AdministrationError`] where it cannot be written.
    pub async fn put_group(
        &self,
        permit: &Permit<ManageGroups>,
        (group, members): (Principal, BTreeSet<Principal>),
        request_id: &str,
    ) -> Result<Answer<String>, AdministrationError> {
        let write = Write::PutGroup { tenant: permit.tenant().clone(), group, members };
        let committed = self.commit(permit.caller(), write, 200, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    /// A group with its direct members.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none.
    pub async fn group(
        &self,
        permit: &Permit<ManageGroups>,
        group: &Principal,
        request_id: &str,
    ) -> Result<Answer<GroupRecord>, AdministrationError> {
        let record = self.store.group(permit.tenant(), group).await?.ok_or(AdministrationError::NotFound)?;
        let resource = Some(group.to_string());
        let count = record.members.len();
        self.recorded(permit.caller(), Action::ReadGroup, resource, count, record, request_id).await
    }

    /// The groups after one of them.
    ///
    /// # Errors
    /// [`AdministrationError`] where they cannot be read or recorded.
    pub async fn groups(
        &self,
        permit: &Permit<ManageGroups>,
        after: Option<&Principal>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<Page<GroupRecord>>, AdministrationError> {
        let page = Page::cut(self.store.groups(permit.tenant(), after, limit + 1).await?, limit);
        self.recorded(permit.caller(), Action::ListGroups, None, page.entries.len(), page, request_id).await
    }

    /// Adds a member to a group; gives the members as they are then, with the sealed revision.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is no such group.
    pub async fn add_member(
        &self,
        permit: &Permit<ManageGroups>,
        group: Principal,
        member: Principal,
        request_id: &str,
    ) -> Result<Answer<(BTreeSet<Principal>, String)>, AdministrationError> {
        let mut members = self.members(permit, &group).await?;
        if members.len() >= MEMBERS_MAX && !members.contains(&member) {
            return Err(AdministrationError::Field {
                pointer: "/member".to_owned(),
                detail: "the group has as many members as a group can have",
            });
        }
        members.insert(member.clone());
        let write = Write::AddMember { tenant: permit.tenant().clone(), group, member };
        let committed = self.commit(permit.caller(), write, 200, request_id).await?;
        Ok(Answer::new((members, committed.revision), committed.receipt))
    }

    /// Removes a member from a group; gives the sealed revision. One who is no member stays none.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is no such group.
    pub async fn remove_member(
        &self,
        permit: &Permit<ManageGroups>,
        group: Principal,
        member: Principal,
        request_id: &str,
    ) -> Result<Answer<String>, AdministrationError> {
        let write = Write::RemoveMember { tenant: permit.tenant().clone(), group, member };
        let committed = self.commit(permit.caller(), write, 204, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    /// Deletes a group; gives the sealed revision. It is known by its name alone here, so a later one of the name is the same.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none.
    pub async fn delete_group(
        &self,
        permit: &Permit<ManageGroups>,
        group: Principal,
        request_id: &str,
    ) -> Result<Answer<String>, AdministrationError> {
        self.members(permit, &group).await?;
        let write = Write::DeleteGroup { tenant: permit.tenant().clone(), group, gives_up_name: false, expected: None };
        let committed = self.commit(permit.caller(), write, 204, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    async fn members(
        &self,
        permit: &Permit<ManageGroups>,
        group: &Principal,
    ) -> Result<BTreeSet<Principal>, AdministrationError> {
        let record = self.store.group(permit.tenant(), group).await?.ok_or(AdministrationError::NotFound)?;
        Ok(record.members)
    }
}
