//! One write inside a transaction: whether it can be made, what it changes in the store, and what follows in memory.

use std::sync::Arc;

use ringfence_indexes::{CollectionId, TenantId, Timestamp, VectorSource};

use super::{CommitError, Outcome, Write, effect::Effect};
use crate::{
    authn::{KeyRecord, PreviousSecret, Revocation},
    entropy::Entropy,
    store::{CollectionRecord, StoreError, StoredCollection, TenantRecord, Writer},
};

/// A write that was made inside the transaction.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) outcome: Outcome,
    /// The tenant's revision with it; 0 where no tenant was written to.
    pub(super) revision: u64,
    pub(super) effect: Effect,
}

/// Why a write was not made.
#[derive(Debug)]
pub(super) enum Refused {
    /// It cannot be made.
    Commit(CommitError),
    /// The store failed.
    Store(StoreError),
}

impl From<CommitError> for Refused {
    fn from(error: CommitError) -> Self {
        Self::Commit(error)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// One write being made.
pub(super) struct Apply<'a> {
    pub(super) writer: &'a mut Writer,
    /// The fingerprint of the built-in embedder.
    pub(super) embedder: &'a str,
    pub(super) entropy: &'a Entropy,
    pub(super) now: Timestamp,
}

impl Apply<'_> {
    /// Makes a write.
    pub(super) async fn write(mut self, write: Write) -> Result<Applied, Refused> {
        match write {
            Write::CreateTenant { id, name } => self.create_tenant(id, name).await,
            Write::DeleteTenant(tenant) => self.delete_tenant(tenant).await,
            Write::PutCollection(tenant, record) => self.put_collection(tenant, *record).await,
            Write::DeleteCollection(tenant, collection) => self.delete_collection(tenant, collection).await,
            Write::PutDocument(document) => self.put_document(*document).await,
            Write::ReworkDocument(rework) => self.rework_document(*rework).await,
            Write::RejectDocument { tenant, collection, document, content_hash } => {
                self.reject_document(tenant, collection, document, &content_hash).await
            }
            Write::DeleteDocument { tenant, collection, document } => {
                self.delete_document(tenant, collection, document, None).await
            }
            Write::ExpireDocument { tenant, collection, document, ingested_before } => {
                self.delete_document(tenant, collection, document, Some(ingested_before)).await
            }
            Write::SetAcl { tenant, collection, document, acl } => {
                self.set_acl(tenant, collection, document, acl).await
            }
            Write::PutFolder(tenant, record) => self.put_folder(tenant, *record).await,
            Write::DeleteFolder { tenant, collection, folder } => {
                self.delete_folder(tenant, &collection, &folder).await
            }
            Write::PutGroup { tenant, group, members } => self.put_group(tenant, group, members).await,
            Write::AddMember { tenant, group, member } => {
                self.change_members(tenant, group, |members| members.insert(member)).await
            }
            Write::RemoveMember { tenant, group, member } => {
                self.change_members(tenant, group, |members| members.remove(&member)).await
            }
            Write::WritePolicy(tenant, write) => self.write_policy(tenant, *write).await,
            Write::PutPolicySettings(tenant, settings) => self.write_policy_settings(tenant, *settings).await,
            Write::DeleteGroup { tenant, group, gives_up_name, expected } => {
                self.delete_group(tenant, group, gives_up_name, expected).await
            }
            Write::CreateGroup(tenant, record) => self.create_group(tenant, *record).await,
            Write::ReplaceGroup { tenant, group, record, before } => {
                self.replace_group(tenant, group, *record, before).await
            }
            Write::CreateUser(tenant, record) => self.create_user(tenant, *record).await,
            Write::ReplaceUser { tenant, record, before, .. } => self.replace_user(tenant, *record, before).await,
            Write::DeleteUser { tenant, id, expected, .. } => self.delete_user(tenant, &id, expected).await,
            Write::PutSetting(tenant, setting) => self.put_setting(tenant, setting).await,
            Write::CreateKey(record) => self.create_key(*record).await,
            Write::RotateKey { tenant, id, secret_hash, overlap_until } => {
                self.rotate_key(tenant, &id, secret_hash, overlap_until).await
            }
            Write::DeleteKey { tenant, id } => self.delete_key(tenant, id).await,
            Write::Revoke(revocation) => self.revoke(*revocation).await,
            Write::DeclareGrant(tenant, record) => self.declare_grant(tenant, *record).await,
            Write::EndGrant { tenant, id, by } => self.end_grant(tenant, id, by).await,
        }
    }

    async fn create_tenant(&mut self, id: TenantId, name: String) -> Result<Applied, Refused> {
        if self.writer.has_tenant(&id).await? {
            return Err(CommitError::TenantExists.into());
        }
        let record = TenantRecord { id, name, created_at: self.now };
        self.writer.insert_tenant(&record).await?;
        let revision = self.writer.advance(&record.id).await?;
        Ok(Applied { outcome: Outcome::Created, revision, effect: Effect::CreateTenant(record) })
    }

    async fn delete_tenant(&mut self, tenant: TenantId) -> Result<Applied, Refused> {
        self.need_tenant(&tenant).await?;
        let revision = self.writer.advance(&tenant).await?;
        self.writer.delete_tenant(&tenant).await?;
        Ok(Applied { outcome: Outcome::Changed, revision, effect: Effect::DropTenant(tenant) })
    }

    async fn put_collection(&mut self, tenant: TenantId, mut record: CollectionRecord) -> Result<Applied, Refused> {
        self.need_tenant(&tenant).await?;
        let before = self.writer.collection(&tenant, &record.id).await?;
        if let Some(before) = &before {
            record.created_at = before.record.created_at;
            if before.record == record {
                return self.unchanged(&tenant).await;
            }
            let moves = before.record.embedding != record.embedding;
            if moves && self.writer.has_documents(&tenant, &record.id).await? {
                return Err(CommitError::VectorsDoNotFit.into());
            }
        } else {
            record.created_at = self.now;
        }
        let embedder = match record.embedding {
            VectorSource::Builtin { .. } => Some(self.embedder.to_owned()),
            VectorSource::Client { .. } => None,
        };
        let stored = StoredCollection { record, embedder };
        self.writer.put_collection(&tenant, &stored).await?;
        let outcome = if before.is_some() { Outcome::Changed } else { Outcome::Created };
        self.changed(&tenant, outcome, Effect::PutCollection(tenant.clone(), stored.record)).await
    }

    async fn delete_collection(&mut self, tenant: TenantId, collection: CollectionId) -> Result<Applied, Refused> {
        self.need_collection(&tenant, &collection).await?;
        let grants = self.end_grants_in(&tenant, &collection).await?;
        self.writer.delete_collection(&tenant, &collection).await?;
        self.changed(&tenant, Outcome::Changed, Effect::DropCollection(tenant.clone(), collection, grants)).await
    }

    async fn create_key(&mut self, record: KeyRecord) -> Result<Applied, Refused> {
        if let Some(tenant) = &record.tenant {
            self.need_tenant(tenant).await?;
        }
        if self.writer.key(&record.id).await?.is_some() {
            return Err(CommitError::KeyExists.into());
        }
        if let (Some(tenant), Some(subject)) = (&record.tenant, &record.subject) {
            self.need_bearer(tenant, subject).await?;
        }
        self.write_key(record, Outcome::Created).await
    }

    async fn rotate_key(
        &mut self,
        tenant: Option<TenantId>,
        id: &str,
        secret_hash: [u8; 32],
        overlap_until: Option<Timestamp>,
    ) -> Result<Applied, Refused> {
        let record = self.need_key(tenant.as_ref(), id).await?;
        // One secret before the newest at most: rotating again ends an overlap.
        let previous = overlap_until.map(|until| PreviousSecret { hash: record.secret_hash, until });
        self.write_key(KeyRecord { secret_hash, previous, ..record }, Outcome::Changed).await
    }

    async fn revoke(&mut self, revocation: Revocation) -> Result<Applied, Refused> {
        let tenant = revocation.tenant.clone();
        self.need_tenant(&tenant).await?;
        let entries = self.writer.revocations(&tenant).await?;
        for over in entries.iter().filter(|entry| entry.is_over(self.now)) {
            self.writer.delete_revocation(over).await?;
        }
        let mut current = entries.iter().filter(|entry| !entry.is_over(self.now));
        let before = current.find(|entry| entry.id() == revocation.id());
        let revocation = match before {
            Some(before) => revocation.joined(before),
            None => revocation,
        };
        self.writer.put_revocation(&revocation, before).await?;
        let outcome = if before.is_some() { Outcome::Changed } else { Outcome::Created };
        self.changed(&tenant, outcome, Effect::Revoke(revocation, self.now)).await
    }

    async fn write_key(&mut self, record: KeyRecord, outcome: Outcome) -> Result<Applied, Refused> {
        self.writer.put_key(&record).await?;
        let revision = self.advance(record.tenant.as_ref()).await?;
        Ok(Applied { outcome, revision, effect: Effect::PutKey(record) })
    }

    async fn delete_key(&mut self, tenant: Option<TenantId>, id: String) -> Result<Applied, Refused> {
        let record = self.need_key(tenant.as_ref(), &id).await?;
        let is_lasting = tenant.is_none() && record.expires_at.is_none();
        if is_lasting && !self.writer.has_other_lasting_operator(&id).await? {
            return Err(CommitError::LastOperatorKey.into());
        }
        self.writer.delete_key(tenant.as_ref(), &id).await?;
        let revision = self.advance(tenant.as_ref()).await?;
        Ok(Applied { outcome: Outcome::Changed, revision, effect: Effect::DropKey(tenant, id) })
    }

    async fn advance(&mut self, tenant: Option<&TenantId>) -> Result<u64, Refused> {
        match tenant {
            Some(tenant) => Ok(self.writer.advance(tenant).await?),
            None => Ok(0),
        }
    }

    pub(super) async fn changed(
        &mut self,
        tenant: &TenantId,
        outcome: Outcome,
        effect: Effect,
    ) -> Result<Applied, Refused> {
        Ok(Applied { outcome, revision: self.writer.advance(tenant).await?, effect })
    }

    pub(super) async fn unchanged(&mut self, tenant: &TenantId) -> Result<Applied, Refused> {
        let revision = self.writer.revision(tenant).await?;
        Ok(Applied { outcome: Outcome::Unchanged, revision, effect: Effect::None })
    }

    pub(super) async fn need_tenant(&mut self, tenant: &TenantId) -> Result<(), Refused> {
        if self.writer.has_tenant(tenant).await? { Ok(()) } else { Err(CommitError::NoTenant.into()) }
    }

    pub(super) async fn need_collection(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
    ) -> Result<Arc<StoredCollection>, Refused> {
        if let Some(stored) = self.writer.collection(tenant, collection).await? {
            return Ok(stored);
        }
        self.need_tenant(tenant).await?;
        Err(CommitError::NoCollection.into())
    }

    /// A key of this tenant: another's is as good as absent.
    async fn need_key(&mut self, tenant: Option<&TenantId>, id: &str) -> Result<KeyRecord, Refused> {
        let record = self.writer.key(id).await?.filter(|record| record.tenant.as_ref() == tenant);
        Ok(record.ok_or(CommitError::NoKey)?)
    }
}
