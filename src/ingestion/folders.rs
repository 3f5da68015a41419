//! Folders, as those see them who write: a program that acts as itself and says who reads in a collection.
//!
//! A folder opens and closes what lies in it, unread documents among it. A person changes only what they can read, and nobody reads a folder; so for them there are none.

use ringfence_indexes::{CollectionId, DocumentId};

use super::service::{IngestError, Ingestion};
use crate::{
    audit::{Action, AuditEvent},
    authn::Caller,
    authz::{Permit, SetAcl},
    commit::Write,
    retrieval::answer::Answer,
    store::FolderRecord,
};

impl Ingestion {
    /// Makes a folder, moves it, or changes who may read what lies in it; gives the sealed revision.
    ///
    /// # Errors
    /// [`IngestError`]; nothing has changed then.
    pub async fn put_folder(
        &self,
        permit: &Permit<SetAcl>,
        folder: FolderRecord,
        request_id: &str,
    ) -> Result<Answer<String>, IngestError> {
        let caller = permit.caller();
        self.need_folders(caller, &folder.collection)?;
        let folder = FolderRecord { acl: self.pinned(caller, folder.acl)?, ..folder };
        let write = Write::PutFolder(caller.tenant().clone(), Box::new(folder));
        let committed = self.commit(caller, write, 200, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    /// A folder.
    ///
    /// # Errors
    /// [`IngestError::NotFound`] where there is none, or none for the caller.
    pub async fn folder(
        &self,
        permit: &Permit<SetAcl>,
        (collection, folder): (&CollectionId, &DocumentId),
        request_id: &str,
    ) -> Result<Answer<FolderRecord>, IngestError> {
        let caller = permit.caller();
        self.need_folders(caller, collection)?;
        let found = self.store.folder(caller.tenant(), collection, folder).await?.ok_or(IngestError::NotFound)?;
        let found = self.shown(caller, found)?;
        let event = AuditEvent {
            resource: Some(format!("{collection}/{folder}")),
            count: 1,
            ..AuditEvent::new(Some(caller.tenant().clone()), caller.actor(), Action::ReadFolder, request_id)
        };
        self.told(caller, found, event).await
    }

    /// The folders of a collection after one of them, at most `limit`, and whether more follow.
    ///
    /// # Errors
    /// [`IngestError::NotFound`] where the collection is not for the caller to know of.
    pub async fn folders(
        &self,
        permit: &Permit<SetAcl>,
        collection: &CollectionId,
        after: Option<&DocumentId>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<(Vec<FolderRecord>, bool)>, IngestError> {
        let caller = permit.caller();
        self.need_folders(caller, collection)?;
        let mut found = self.store.folders(caller.tenant(), collection, after, limit + 1).await?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        let found = found.into_iter().map(|folder| self.shown(caller, folder)).collect::<Result<Vec<_>, _>>()?;
        let event = AuditEvent {
            resource: Some(collection.to_string()),
            count: found.len(),
            ..AuditEvent::new(Some(caller.tenant().clone()), caller.actor(), Action::ListFolders, request_id)
        };
        self.told(caller, (found, has_more), event).await
    }

    /// Deletes a folder in which nothing lies; gives the sealed revision.
    ///
    /// # Errors
    /// [`IngestError`]; 404 where there is none, 409 where something lies in it.
    pub async fn delete_folder(
        &self,
        permit: &Permit<SetAcl>,
        collection: CollectionId,
        folder: DocumentId,
        request_id: &str,
    ) -> Result<Answer<String>, IngestError> {
        let caller = permit.caller();
        self.need_folders(caller, &collection)?;
        let write = Write::DeleteFolder { tenant: caller.tenant().clone(), collection, folder };
        let committed = self.commit(caller, write, 204, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    /// A folder with the names that its ACL means now: who bore one before is nobody.
    fn shown(&self, caller: &Caller, folder: FolderRecord) -> Result<FolderRecord, IngestError> {
        let names = self.engine.names(caller.tenant()).ok_or(IngestError::CredentialGone)?;
        Ok(FolderRecord { acl: names.shown(&folder.acl), ..folder })
    }

    /// Whether the collection has folders for the caller.
    fn need_folders(&self, caller: &Caller, collection: &CollectionId) -> Result<(), IngestError> {
        self.writable(caller, collection)?;
        if self.acts_as_itself(caller) { Ok(()) } else { Err(IngestError::NotFound) }
    }
}
