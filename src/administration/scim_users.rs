//! Users as SCIM resources.

use ringfence_indexes::{Principal, TenantId};
use serde_json::Value;

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
    scim::{Resource, ScimError, folded, patch, resource, schema::ResourceType},
    store::{UserKey, UserRecord},
};

/// Users that are read at once.
const USERS: usize = 500;
/// Names that a careless reader could take for everybody; no token has them either.
const RESERVED: [&str; 3] = ["everyone", "public", "anonymous"];

impl Administration {
    /// What a user of the permit's tenant consists of.
    ///
    /// # Errors
    /// [`AdministrationError::CredentialGone`] where the tenant is gone.
    pub fn user_type(&self, permit: &Permit<ManageDirectory>) -> Result<ResourceType, AdministrationError> {
        let names = self.engine.names(permit.tenant()).ok_or(AdministrationError::CredentialGone)?;
        Ok(crate::scim::schema::user(&names.declarations()))
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`AdministrationError::Scim`] for a body that is no user, or a name that is taken.
    pub async fn create_user(
        &self,
        permit: &Permit<ManageDirectory>,
        body: &Value,
        parts: &AskedParts,
        request_id: &str,
    ) -> Result<Answer<WrittenResource>, AdministrationError> {
        let of = self.user_type(permit)?;
        let mut attributes = resource::read(body, &of)?;
        attributes.entry("active").or_insert(Value::Bool(true));
        let now = self.clock.now();
        let record = UserRecord {
            id: self.entropy.id(),
            principal: principal(&attributes)?,
            external_id: external_id(&attributes),
            active: is_active(&attributes),
            resource: attributes,
            created_at: now,
            changed_at: now,
        };
        let write = Write::CreateUser(permit.tenant().clone(), Box::new(record.clone()));
        self.write_user(permit, write, 201, &record, (&of, parts), request_id).await
    }

    /// A user.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none.
    pub async fn user(
        &self,
        permit: &Permit<ManageDirectory>,
        id: &str,
        parts: &AskedParts,
        request_id: &str,
    ) -> Result<Answer<SeenResource>, AdministrationError> {
        let of = self.user_type(permit)?;
        let (record, digest) = self.found_user(permit.tenant(), id).await?;
        let seen = self.seen_user(permit.tenant(), &record, &digest, &of, parts)?;
        let resource = Some(record.principal.to_string());
        self.recorded(permit.caller(), Action::ReadUser, resource, 1, seen, request_id).await
    }

    /// The users that fulfil a filter.
    ///
    /// # Errors
    /// [`AdministrationError::Scim`] for a filter or an order that cannot be understood.
    pub async fn users(
        &self,
        permit: &Permit<ManageDirectory>,
        asked: &AskedList,
        request_id: &str,
    ) -> Result<Answer<ResourcePage>, AdministrationError> {
        let of = self.user_type(permit)?;
        let tenant = permit.tenant();
        let mut listing = Listing::new(asked, &of)?;
        let known = match (listing.demands("id"), listing.demands("userName"), listing.demands("externalId")) {
            (Some(id), ..) => Some(self.store.user(tenant, UserKey::Id(id)).await?.into_iter().collect()),
            (_, Some(name), _) => Some(self.store.user(tenant, UserKey::Name(name)).await?.into_iter().collect()),
            (.., Some(external_id)) => Some(self.store.users_of_external_id(tenant, external_id).await?),
            _ => None,
        };
        if let Some(users) = known {
            self.see_users(tenant, &users, &of, &mut listing);
        } else {
            let mut after = String::new();
            loop {
                let page = self.store.users(tenant, &after, USERS).await?;
                let Some((last, _)) = page.last() else { break };
                after.clone_from(&last.id);
                self.see_users(tenant, &page, &of, &mut listing);
            }
        }
        let page = listing.finish();
        let count = page.resources.len();
        self.recorded(permit.caller(), Action::ListUsers, None, count, page, request_id).await
    }

    fn see_users(&self, tenant: &TenantId, users: &[(UserRecord, [u8; 32])], of: &ResourceType, listing: &mut Listing) {
        for (record, digest) in users {
            let frame = self.user_frame(tenant, record, digest, of);
            listing.see(frame.around(resource::shown(&record.resource, of)));
        }
    }

    /// Replaces a user. Whether they are active stays as it is where the body does not say: leaving it out lets nobody in.
    ///
    /// # Errors
    /// [`AdministrationError`] as for making one, and [`AdministrationError::Stale`] for another version.
    pub async fn replace_user(
        &self,
        permit: &Permit<ManageDirectory>,
        (id, if_match): (&str, &IfMatch),
        body: &Value,
        parts: &AskedParts,
        request_id: &str,
    ) -> Result<Answer<WrittenResource>, AdministrationError> {
        let of = self.user_type(permit)?;
        let read = resource::read(body, &of)?;
        let change = |before: &UserRecord| {
            let mut attributes = read.clone();
            if let Some(active) = before.resource.get("active") {
                attributes.entry("active").or_insert_with(|| active.clone());
            }
            Ok(attributes)
        };
        self.change_user(permit, (id, if_match), change, (&of, parts), request_id).await
    }

    /// Patches a user.
    ///
    /// # Errors
    /// [`AdministrationError::Scim`] for a patch that cannot be applied; then nothing of it is.
    pub async fn patch_user(
        &self,
        permit: &Permit<ManageDirectory>,
        (id, if_match): (&str, &IfMatch),
        body: &Value,
        parts: &AskedParts,
        request_id: &str,
    ) -> Result<Answer<WrittenResource>, AdministrationError> {
        let of = self.user_type(permit)?;
        let change = |before: &UserRecord| patch::apply(body, &before.resource, &of);
        self.change_user(permit, (id, if_match), change, (&of, parts), request_id).await
    }

    async fn change_user(
        &self,
        permit: &Permit<ManageDirectory>,
        (id, if_match): (&str, &IfMatch),
        change: impl Fn(&UserRecord) -> Result<Resource, ScimError>,
        answer: (&ResourceType, &AskedParts),
        request_id: &str,
    ) -> Result<Answer<WrittenResource>, AdministrationError> {
        let tenant = permit.tenant();
        for _ in 0..ATTEMPTS_MAX {
            let (before, digest) = self.found_user(tenant, id).await?;
            if_match.check(&self.entity_tag(tenant, &digest))?;
            let attributes = change(&before)?;
            let is_same = attributes == before.resource;
            let record = UserRecord {
                principal: principal(&attributes)?,
                external_id: external_id(&attributes),
                active: is_active(&attributes),
                resource: attributes,
                changed_at: if is_same { before.changed_at } else { self.clock.now() },
                ..before.clone()
            };
            let write = Write::ReplaceUser {
                tenant: tenant.clone(),
                name: before.principal,
                record: Box::new(record.clone()),
                before: digest,
            };
            match self.write_user(permit, write, 200, &record, answer, request_id).await {
                Err(AdministrationError::Stale) if *if_match == IfMatch::Any => {}
                other => return other,
            }
        }
        Err(AdministrationError::Stale)
    }

    /// Deletes a user with their keys and memberships; gives the sealed revision. Nobody may ask under the name until it is given anew.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none, [`AdministrationError::Stale`] for another version.
    pub async fn delete_user(
        &self,
        permit: &Permit<ManageDirectory>,
        (id, if_match): (&str, &IfMatch),
        request_id: &str,
    ) -> Result<Answer<String>, AdministrationError> {
        let tenant = permit.tenant();
        let (before, digest) = self.found_user(tenant, id).await?;
        if_match.check(&self.entity_tag(tenant, &digest))?;
        let expected = (*if_match != IfMatch::Any).then_some(digest);
        let write = Write::DeleteUser { tenant: tenant.clone(), id: id.to_owned(), name: before.principal, expected };
        let committed = self.commit(permit.caller(), write, 204, request_id).await.map_err(refused)?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    async fn write_user(
        &self,
        permit: &Permit<ManageDirectory>,
        write: Write,
        status: u16,
        record: &UserRecord,
        (of, parts): (&ResourceType, &AskedParts),
        request_id: &str,
    ) -> Result<Answer<WrittenResource>, AdministrationError> {
        let digest = record.digest(permit.tenant())?;
        let seen = self.seen_user(permit.tenant(), record, &digest, of, parts)?;
        let committed = self.commit(permit.caller(), write, status, request_id).await.map_err(refused)?;
        Ok(Answer::new(WrittenResource { seen, revision: committed.revision }, committed.receipt))
    }

    async fn found_user(&self, tenant: &TenantId, id: &str) -> Result<(UserRecord, [u8; 32]), AdministrationError> {
        self.store.user(tenant, UserKey::Id(id)).await?.ok_or(AdministrationError::NotFound)
    }

    fn user_frame<'a>(
        &self,
        tenant: &TenantId,
        record: &'a UserRecord,
        digest: &[u8; 32],
        of: &'a ResourceType,
    ) -> Frame<'a> {
        let version = self.entity_tag(tenant, digest);
        Frame { of, id: &record.id, created_at: record.created_at, changed_at: record.changed_at, version }
    }

    fn seen_user(
        &self,
        tenant: &TenantId,
        record: &UserRecord,
        digest: &[u8; 32],
        of: &ResourceType,
        parts: &AskedParts,
    ) -> Result<SeenResource, AdministrationError> {
        let frame = self.user_frame(tenant, record, digest, of);
        let body = parts.projection(of)?.of(frame.around(resource::shown(&record.resource, of)));
        Ok(SeenResource { body, location: frame.location(), version: frame.version })
    }
}

fn is_active(attributes: &Resource) -> bool {
    attributes.get("active") == Some(&Value::Bool(true))
}

fn external_id(attributes: &Resource) -> Option<String> {
    attributes.get("externalId").and_then(Value::as_str).map(str::to_owned)
}

/// The principal of a `userName`, byte for byte.
fn principal(attributes: &Resource) -> Result<Principal, ScimError> {
    let name = attributes.get("userName").and_then(Value::as_str).unwrap_or_default();
    let kinds = ["user:", "group:", "service:", "role:"];
    if kinds.iter().any(|kind| name.starts_with(kind)) || RESERVED.contains(&folded(name).as_str()) {
        return Err(ScimError::value("`userName` is a name that means something else in an ACL"));
    }
    Principal::new(&format!("user:{name}"))
        .map_err(|error| ScimError::value(format_args!("`userName` cannot be granted to in an ACL: it {error}")))
}
