//! Groups as SCIM resources. They are those of `/v1/groups`: a member that the directory knows is named by its id, any other by its principal.

use std::collections::{BTreeSet, HashMap};

use ringfence_indexes::{Principal, TenantId};
use serde_json::{Value, json};

use super::{
    Administration, AdministrationError,
    scim_resource::{
        ATTEMPTS_MAX, AskedList, AskedParts, Frame, IfMatch, Listing, ResourcePage, SeenResource, WrittenResource,
        refused,
    },
};
use crate::{
    audit::Action,
    authz::{ManageDirectory, Permit},
    commit::Write,
    retrieval::answer::Answer,
    scim::{Fault, Resource, ScimError, folded, patch, resource, schema},
    store::GroupRecord,
};

/// Groups that are read at once.
const GROUPS: usize = 100;
/// The most members that one list answers: more would be hundreds of megabytes.
const LISTED_MEMBERS_MAX: usize = 100_000;

/// The ids of some principals.
type Ids = HashMap<Principal, String>;

impl Administration {
    /// Makes a group of a name that is not taken.
    ///
    /// # Errors
    /// [`AdministrationError::Scim`] for a body that is no group, a member that is not known, or a name that is taken.
    pub async fn create_scim_group(
        &self,
        permit: &Permit<ManageDirectory>,
        body: &Value,
        parts: &AskedParts,
        request_id: &str,
    ) -> Result<Answer<WrittenResource>, AdministrationError> {
        let tenant = permit.tenant();
        let attributes = resource::read(body, &schema::group())?;
        let now = self.clock.now();
        let record = GroupRecord {
            group: principal(&attributes)?,
            members: self.members_of(tenant, &attributes, &Ids::new()).await?,
            id: self.entropy.id(),
            external_id: external_id(&attributes),
            created_at: now,
            changed_at: now,
        };
        let write = Write::CreateGroup(tenant.clone(), Box::new(record.clone()));
        let committed = self.commit(permit.caller(), write, 201, request_id).await.map_err(refused)?;
        let seen = self.seen_group(tenant, &record, parts).await?;
        Ok(Answer::new(WrittenResource { seen, revision: committed.revision }, committed.receipt))
    }

    /// A group.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none.
    pub async fn scim_group(
        &self,
        permit: &Permit<ManageDirectory>,
        id: &str,
        parts: &AskedParts,
        request_id: &str,
    ) -> Result<Answer<SeenResource>, AdministrationError> {
        let record = self.found_group(permit.tenant(), id).await?;
        let seen = self.seen_group(permit.tenant(), &record, parts).await?;
        let resource = Some(record.group.to_string());
        self.recorded(permit.caller(), Action::ReadGroup, resource, record.members.len(), seen, request_id).await
    }

    /// The groups that fulfil a filter.
    ///
    /// # Errors
    /// [`AdministrationError::Scim`] for a filter or an order that cannot be understood, or a page with too many members.
    pub async fn scim_groups(
        &self,
        permit: &Permit<ManageDirectory>,
        asked: &AskedList,
        request_id: &str,
    ) -> Result<Answer<ResourcePage>, AdministrationError> {
        let tenant = permit.tenant();
        let mut listing = Listing::new(asked, &schema::group())?;
        let mut members = 0;
        if let Some(id) = listing.demands("id") {
            let found: Vec<_> = self.store.group_of_id(tenant, id).await?.into_iter().collect();
            self.see_groups(tenant, found, &mut listing, &mut members).await?;
        } else if let Some(name) = listing.demands("displayName") {
            let found = self.groups_named(tenant, name).await?;
            self.see_groups(tenant, found, &mut listing, &mut members).await?;
        } else {
            let mut after = None;
            loop {
                let page = self.store.groups(tenant, after.as_ref(), GROUPS).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.group.clone());
                self.see_groups(tenant, page, &mut listing, &mut members).await?;
            }
        }
        let page = listing.finish();
        let count = page.resources.len();
        self.recorded(permit.caller(), Action::ListGroups, None, count, page, request_id).await
    }

    async fn see_groups(
        &self,
        tenant: &TenantId,
        groups: Vec<GroupRecord>,
        listing: &mut Listing,
        members: &mut usize,
    ) -> Result<(), AdministrationError> {
        for mut record in groups {
            let digest = record.digest(tenant);
            if !listing.needs("members") {
                record.members.clear();
            }
            *members += record.members.len();
            if *members > LISTED_MEMBERS_MAX {
                let detail =
                    "the groups have too many members for one answer: leave `members` out with `excludedAttributes`";
                return Err(ScimError::new(Fault::TooMany, detail).into());
            }
            let ids = self.store.ids_of(tenant, record.members.iter()).await?;
            let of = schema::group();
            let version = self.entity_tag(tenant, &digest);
            listing.see(frame(&record, version, &of).around(attributes(&record, &ids)));
        }
        Ok(())
    }

    /// The groups whose names differ from this one by case at most.
    async fn groups_named(&self, tenant: &TenantId, name: &str) -> Result<Vec<GroupRecord>, AdministrationError> {
        let wanted = folded(&format!("group:{name}"));
        let mut found = Vec::new();
        for name in self.store.group_names(tenant).await? {
            if folded(&name) == wanted
                && let Ok(name) = Principal::new(&name)
            {
                found.extend(self.store.group(tenant, &name).await?);
            }
        }
        Ok(found)
    }

    /// Replaces a group.
    ///
    /// # Errors
    /// [`AdministrationError`] as for making one, and [`AdministrationError::Stale`] for another version.
    pub async fn replace_scim_group(
        &self,
        permit: &Permit<ManageDirectory>,
        (id, if_match): (&str, &IfMatch),
        body: &Value,
        parts: &AskedParts,
        request_id: &str,
    ) -> Result<Answer<WrittenResource>, AdministrationError> {
        let read = resource::read(body, &schema::group())?;
        let change = |_: Resource| Ok(read.clone());
        let (record, answer) = self.change_group(permit, (id, if_match), change, request_id).await?;
        let (revision, receipt) = answer.into_parts();
        let seen = self.seen_group(permit.tenant(), &record, parts).await?;
        Ok(Answer::new(WrittenResource { seen, revision }, receipt))
    }

    /// Patches a group; gives its new version and the sealed revision. The group itself may be large, so it is answered where it is asked for.
    ///
    /// # Errors
    /// [`AdministrationError::Scim`] for a patch that cannot be applied; then nothing of it is.
    pub async fn patch_scim_group(
        &self,
        permit: &Permit<ManageDirectory>,
        (id, if_match): (&str, &IfMatch),
        body: &Value,
        parts: Option<&AskedParts>,
        request_id: &str,
    ) -> Result<Answer<(Option<SeenResource>, String)>, AdministrationError> {
        let of = schema::group();
        let change = |before: Resource| patch::apply(body, &before, &of);
        let (record, answer) = self.change_group(permit, (id, if_match), change, request_id).await?;
        let (revision, receipt) = answer.into_parts();
        let seen = match parts {
            Some(parts) => Some(self.seen_group(permit.tenant(), &record, parts).await?),
            None => None,
        };
        Ok(Answer::new((seen, revision), receipt))
    }

    async fn change_group(
        &self,
        permit: &Permit<ManageDirectory>,
        (id, if_match): (&str, &IfMatch),
        change: impl Fn(Resource) -> Result<Resource, ScimError>,
        request_id: &str,
    ) -> Result<(GroupRecord, Answer<String>), AdministrationError> {
        let tenant = permit.tenant();
        for _ in 0..ATTEMPTS_MAX {
            let before = self.found_group(tenant, id).await?;
            let digest = before.digest(tenant);
            if_match.check(&self.entity_tag(tenant, &digest))?;
            let ids = self.store.ids_of(tenant, before.members.iter()).await?;
            let attributes = change(attributes(&before, &ids))?;
            let mut record = GroupRecord {
                group: principal(&attributes)?,
                members: self.members_of(tenant, &attributes, &ids).await?,
                external_id: external_id(&attributes),
                ..before.clone()
            };
            if record != before {
                record.changed_at = self.clock.now();
            }
            let write = Write::ReplaceGroup {
                tenant: tenant.clone(),
                group: before.group,
                record: Box::new(record.clone()),
                before: digest,
            };
            match self.commit(permit.caller(), write, 200, request_id).await.map_err(refused) {
                Ok(committed) => return Ok((record, Answer::new(committed.revision, committed.receipt))),
                Err(AdministrationError::Stale) if *if_match == IfMatch::Any => {}
                Err(error) => return Err(error),
            }
        }
        Err(AdministrationError::Stale)
    }

    /// Deletes a group; gives the sealed revision.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none, [`AdministrationError::Stale`] for another version.
    pub async fn delete_scim_group(
        &self,
        permit: &Permit<ManageDirectory>,
        (id, if_match): (&str, &IfMatch),
        request_id: &str,
    ) -> Result<Answer<String>, AdministrationError> {
        let tenant = permit.tenant();
        let before = self.found_group(tenant, id).await?;
        let digest = before.digest(tenant);
        if_match.check(&self.entity_tag(tenant, &digest))?;
        let expected = (*if_match != IfMatch::Any).then_some(digest);
        let write = Write::DeleteGroup { tenant: tenant.clone(), group: before.group, gives_up_name: true, expected };
        let committed = self.commit(permit.caller(), write, 204, request_id).await.map_err(refused)?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    /// The principals of the members that a body names; `ids` are those that are known already.
    async fn members_of(
        &self,
        tenant: &TenantId,
        attributes: &Resource,
        ids: &Ids,
    ) -> Result<BTreeSet<Principal>, AdministrationError> {
        let unknown = || ScimError::value("`members` names somebody whom the directory does not know");
        let named = attributes.get("members").and_then(Value::as_array).into_iter().flatten();
        let named = named.map(|member| member.get("value").and_then(Value::as_str).ok_or_else(unknown));
        let named = named.collect::<Result<Vec<&str>, _>>()?;
        let known: HashMap<&str, &Principal> = ids.iter().map(|(principal, id)| (id.as_str(), principal)).collect();
        let is_new = |value: &&str| !known.contains_key(value) && Principal::new(value).is_err();
        let new: Vec<&str> = named.iter().copied().filter(is_new).collect();
        let found = if new.is_empty() { HashMap::new() } else { self.store.principals_of(tenant, &new).await? };
        let principal = |value: &str| {
            let of_id = known.get(value).copied().cloned().or_else(|| found.get(value).cloned());
            of_id.or_else(|| Principal::new(value).ok()).ok_or_else(unknown)
        };
        Ok(named.into_iter().map(principal).collect::<Result<_, _>>()?)
    }

    async fn found_group(&self, tenant: &TenantId, id: &str) -> Result<GroupRecord, AdministrationError> {
        self.store.group_of_id(tenant, id).await?.ok_or(AdministrationError::NotFound)
    }

    async fn seen_group(
        &self,
        tenant: &TenantId,
        record: &GroupRecord,
        parts: &AskedParts,
    ) -> Result<SeenResource, AdministrationError> {
        let of = schema::group();
        let projection = parts.projection(&of)?;
        let frame = frame(record, self.entity_tag(tenant, &record.digest(tenant)), &of);
        let attributes = if projection.wants("members") {
            attributes(record, &self.store.ids_of(tenant, record.members.iter()).await?)
        } else {
            attributes(&GroupRecord { members: BTreeSet::new(), ..record.clone() }, &Ids::new())
        };
        let body = projection.of(frame.around(attributes));
        Ok(SeenResource { body, location: frame.location(), version: frame.version })
    }
}

fn frame<'a>(record: &'a GroupRecord, version: String, of: &'a schema::ResourceType) -> Frame<'a> {
    Frame { of, id: &record.id, created_at: record.created_at, changed_at: record.changed_at, version }
}

fn attributes(record: &GroupRecord, ids: &Ids) -> Resource {
    let name = record.group.as_str();
    let mut attributes = Resource::new();
    if let Some(external_id) = &record.external_id {
        attributes.insert("externalId".to_owned(), external_id.as_str().into());
    }
    attributes.insert("displayName".to_owned(), name.strip_prefix("group:").unwrap_or(name).into());
    if !record.members.is_empty() {
        let members: Vec<Value> = record.members.iter().map(|member| member_value(member, ids)).collect();
        attributes.insert("members".to_owned(), members.into());
    }
    attributes
}

fn member_value(member: &Principal, ids: &Ids) -> Value {
    let Some(id) = ids.get(member) else { return json!({"value": member.as_str()}) };
    let (kind, endpoint) = if member.as_str().starts_with("user:") { ("User", "Users") } else { ("Group", "Groups") };
    json!({"value": id, "$ref": format!("/scim/v2/{endpoint}/{id}"), "type": kind})
}

fn external_id(attributes: &Resource) -> Option<String> {
    attributes.get("externalId").and_then(Value::as_str).map(str::to_owned)
}

/// The group of a `displayName`, byte for byte.
fn principal(attributes: &Resource) -> Result<Principal, ScimError> {
    let name = attributes.get("displayName").and_then(Value::as_str).unwrap_or_default();
    if name.starts_with("group:") {
        return Err(ScimError::value("`displayName` stands without the prefix `group:`"));
    }
    Principal::group(name)
        .map_err(|error| ScimError::value(format_args!("`displayName` cannot be granted to in an ACL: it {error}")))
}
