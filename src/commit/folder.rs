//! Writes to folders. What lies in a folder gets its new ACL in the same transaction, so that no reader ever sees half of a change.

use ringfence_indexes::{Acl, Change, CollectionId, DocumentId, TenantId};

use super::{
    CommitError, FOLDER_DEPTH_MAX, Outcome,
    apply::{Applied, Apply, Refused},
    effect::Effect,
};
use crate::{
    acl_form,
    store::{FolderRecord, Placement},
};

impl Apply<'_> {
    /// The ACL that holds for a document: its own under its folder's, or `acl` where it lies nowhere.
    pub(super) async fn placed_acl(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        placement: Option<&Placement>,
        acl: &Acl,
    ) -> Result<Acl, Refused> {
        let Some(placement) = placement else { return Ok(acl.clone()) };
        let folder = self.folder_acl(tenant, collection, &placement.folder).await?;
        combined(placement.own.as_ref(), &folder)
    }

    /// What a folder grants with all that it lies in.
    async fn folder_acl(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        folder: &DocumentId,
    ) -> Result<Acl, Refused> {
        let mut chain = Vec::new();
        let mut next = Some(folder.clone());
        while let Some(id) = next {
            if chain.len() > FOLDER_DEPTH_MAX {
                return Err(CommitError::TooDeep.into());
            }
            let found = self.writer.folder(tenant, collection, &id).await?;
            let found: FolderRecord = found.ok_or(CommitError::NoParent)?;
            next = found.parent;
            chain.push(found.acl);
        }
        // From the outermost inwards.
        let mut acls = chain.into_iter().rev();
        let outermost = acls.next().unwrap_or_default();
        acls.try_fold(outermost, |outer, inner| combined(Some(&inner), &outer))
    }

    pub(super) async fn put_folder(&mut self, tenant: TenantId, record: FolderRecord) -> Result<Applied, Refused> {
        self.need_collection(&tenant, &record.collection).await?;
        let before = self.writer.folder(&tenant, &record.collection, &record.id).await?;
        if before.as_ref() == Some(&record) {
            return self.unchanged(&tenant).await;
        }
        self.need_place_for(&tenant, &record).await?;
        self.writer.put_folder(&tenant, &record).await?;
        let acl = self.folder_acl(&tenant, &record.collection, &record.id).await?;
        let outcome = if before.is_some() { Outcome::Changed } else { Outcome::Created };
        let changes = self.renew(&tenant, &record.collection, (record.id, acl)).await?;
        self.changed(&tenant, outcome, Effect::IndexAll(tenant.clone(), changes)).await
    }

    /// The way up from a folder must end, and not lead through the folder itself.
    async fn need_place_for(&mut self, tenant: &TenantId, record: &FolderRecord) -> Result<(), Refused> {
        let mut next = record.parent.clone();
        let mut depth = 0;
        while let Some(id) = next {
            depth += 1;
            if id == record.id || depth > FOLDER_DEPTH_MAX {
                return Err(CommitError::TooDeep.into());
            }
            let found = self.writer.folder(tenant, &record.collection, &id).await?;
            next = found.ok_or(CommitError::NoParent)?.parent;
        }
        Ok(())
    }

    /// Works out anew what holds for everything in a folder, and says what the index has to change.
    async fn renew(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        root: (DocumentId, Acl),
    ) -> Result<Vec<Change>, Refused> {
        let mut changes = Vec::new();
        let mut waiting = vec![(root, 0)];
        while let Some(((folder, acl), depth)) = waiting.pop() {
            if depth > FOLDER_DEPTH_MAX {
                return Err(CommitError::TooDeep.into());
            }
            for (document, placement) in self.writer.documents_in(tenant, collection, &folder).await? {
                let row = self.need_document(tenant, collection, &document).await?;
                let renewed = combined(placement.own.as_ref(), &acl)?;
                if row.acl()? != renewed {
                    changes.push(self.give_acl(tenant, row, renewed).await?);
                }
            }
            for inner in self.writer.folders_in(tenant, collection, &folder).await? {
                let renewed = combined(Some(&inner.acl), &acl)?;
                waiting.push(((inner.id, renewed), depth + 1));
            }
        }
        Ok(changes)
    }

    pub(super) async fn delete_folder(
        &mut self,
        tenant: TenantId,
        collection: &CollectionId,
        folder: &DocumentId,
    ) -> Result<Applied, Refused> {
        self.need_collection(&tenant, collection).await?;
        self.writer.folder(&tenant, collection, folder).await?.ok_or(CommitError::NoFolder)?;
        if self.writer.is_in_use(&tenant, collection, folder).await? {
            return Err(CommitError::FolderInUse.into());
        }
        self.writer.delete_folder(&tenant, collection, folder).await?;
        self.changed(&tenant, Outcome::Changed, Effect::None).await
    }
}

/// An ACL under a folder's; an error where the result could not be written down as a whole.
fn combined(own: Option<&Acl>, folder: &Acl) -> Result<Acl, Refused> {
    let combined = own.map_or_else(|| folder.clone(), |own| own.under(folder));
    if acl_form::is_within_limits(&combined) { Ok(combined) } else { Err(CommitError::AclTooLong.into()) }
}
