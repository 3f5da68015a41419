//! Folders, and the documents in them, through the writing connection.

use ringfence_indexes::{CollectionId, DocumentId, TenantId};

use super::Writer;
use crate::store::{FolderRecord, Placement, StoreError, folder};

impl Writer {
    pub(crate) async fn folder(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        folder: &DocumentId,
    ) -> Result<Option<FolderRecord>, StoreError> {
        Ok(folder::one(&mut self.connection, tenant, collection, folder).await?.map(|(record, _)| record))
    }

    /// The folders that lie directly in one.
    pub(crate) async fn folders_in(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        folder: &DocumentId,
    ) -> Result<Vec<FolderRecord>, StoreError> {
        folder::children(&mut self.connection, tenant, collection, folder).await
    }

    /// The documents that lie directly in a folder.
    pub(crate) async fn documents_in(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        folder: &DocumentId,
    ) -> Result<Vec<(DocumentId, Placement)>, StoreError> {
        folder::placed_in(&mut self.connection, tenant, collection, folder, -1).await
    }

    /// Whether anything lies in a folder.
    pub(crate) async fn is_in_use(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        folder: &DocumentId,
    ) -> Result<bool, StoreError> {
        let has_documents = !folder::placed_in(&mut self.connection, tenant, collection, folder, 1).await?.is_empty();
        Ok(has_documents || !self.folders_in(tenant, collection, folder).await?.is_empty())
    }

    pub(crate) async fn put_folder(&mut self, tenant: &TenantId, record: &FolderRecord) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = folder::one(&mut self.connection, tenant, &record.collection, &record.id).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        let digest = folder::put(&mut self.connection, tenant, record).await?;
        self.toggle(tenant.as_str(), &digest).await
    }

    pub(crate) async fn delete_folder(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        folder: &DocumentId,
    ) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = folder::one(&mut self.connection, tenant, collection, folder).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        folder::delete(&mut self.connection, tenant, collection, folder).await
    }

    pub(crate) async fn placement(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        document: &DocumentId,
    ) -> Result<Option<Placement>, StoreError> {
        let found = folder::placement(&mut self.connection, tenant, collection, document).await?;
        Ok(found.map(|(placement, _)| placement))
    }

    /// Puts a document into a folder, or out of any; before the document is written, so that one savepoint covers both.
    pub(crate) async fn place(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        document: &DocumentId,
        placement: Option<&Placement>,
    ) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = folder::placement(&mut self.connection, tenant, collection, document).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        match placement {
            None => folder::displace(&mut self.connection, tenant, collection, document).await,
            Some(placement) => {
                let digest = folder::place(&mut self.connection, tenant, collection, document, placement).await?;
                self.toggle(tenant.as_str(), &digest).await
            }
        }
    }

    /// Deletes every folder of a collection, and where its documents lay.
    pub(super) async fn clear_placements(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
    ) -> Result<(), StoreError> {
        for digest in folder::displace_all(&mut self.connection, tenant, collection).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        for digest in folder::delete_all(&mut self.connection, tenant, collection).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        Ok(())
    }
}
