//! Folders and what lies in them as rows.

use ringfence_indexes::{CollectionId, DocumentId, TenantId};
use sqlx::{FromRow, SqliteConnection};

use super::{
    FolderRecord, Placement, Store, StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
    form,
};

#[derive(FromRow)]
struct FolderRow {
    folder_id: String,
    parent_id: Option<String>,
    acl: String,
    digest: Vec<u8>,
}

#[derive(FromRow)]
struct PlacementRow {
    document_id: String,
    folder_id: String,
    acl: Option<String>,
    digest: Vec<u8>,
}

fn folder_digest(tenant: &TenantId, collection: &CollectionId, id: &str, parent: Option<&str>, acl: &str) -> [u8; 32] {
    let digest = RowDigest::of("folders").text(tenant.as_str()).text(collection.as_str());
    digest.text(id).maybe_text(parent).text(acl).finish()
}

fn placement_digest(
    tenant: &TenantId,
    collection: &CollectionId,
    document: &str,
    folder: &str,
    acl: Option<&str>,
) -> [u8; 32] {
    let digest = RowDigest::of("placements").text(tenant.as_str()).text(collection.as_str());
    digest.text(document).text(folder).maybe_text(acl).finish()
}

impl FolderRow {
    fn read(self, tenant: &TenantId, collection: &CollectionId) -> Result<(FolderRecord, [u8; 32]), StoreError> {
        let fault = || damaged(format!("folder `{}` of `{collection}`", self.folder_id));
        let digest = digest_of(&self.digest)?;
        if digest != folder_digest(tenant, collection, &self.folder_id, self.parent_id.as_deref(), &self.acl) {
            return Err(fault());
        }
        let name = |name: &str| DocumentId::new(name).map_err(|_| fault());
        let record = FolderRecord {
            collection: collection.clone(),
            id: name(&self.folder_id)?,
            parent: self.parent_id.as_deref().map(name).transpose()?,
            acl: form::read_acl(&self.acl)?,
        };
        Ok((record, digest))
    }
}

impl PlacementRow {
    fn read(
        self,
        tenant: &TenantId,
        collection: &CollectionId,
    ) -> Result<(DocumentId, Placement, [u8; 32]), StoreError> {
        let fault = || damaged(format!("the place of document `{}` of `{collection}`", self.document_id));
        let digest = digest_of(&self.digest)?;
        let acl = self.acl.as_deref();
        if digest != placement_digest(tenant, collection, &self.document_id, &self.folder_id, acl) {
            return Err(fault());
        }
        let name = |name: &str| DocumentId::new(name).map_err(|_| fault());
        let placement = Placement { folder: name(&self.folder_id)?, own: acl.map(form::read_acl).transpose()? };
        Ok((name(&self.document_id)?, placement, digest))
    }
}

impl Store {
    /// Folders of a collection after one of them, in the order of their names.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn folders(
        &self,
        tenant: &TenantId,
        collection: &CollectionId,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<FolderRecord>, StoreError> {
        let mut connection = self.reader().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        page(&mut connection, tenant, collection, after.map_or("", DocumentId::as_str), limit).await
    }

    /// One folder.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub async fn folder(
        &self,
        tenant: &TenantId,
        collection: &CollectionId,
        folder: &DocumentId,
    ) -> Result<Option<FolderRecord>, StoreError> {
        let mut connection = self.reader().await?;
        Ok(one(&mut connection, tenant, collection, folder).await?.map(|(record, _)| record))
    }
}

/// One folder with its digest.
pub(super) async fn one(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    folder: &DocumentId,
) -> Result<Option<(FolderRecord, [u8; 32])>, StoreError> {
    let row: Option<FolderRow> = sqlx::query_as(
        "SELECT folder_id, parent_id, acl, digest FROM folders \
         WHERE tenant_id = $1 AND collection_id = $2 AND folder_id = $3",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(folder.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.read(tenant, collection)).transpose()
}

/// Folders of a collection after one of them, in the order of their names.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    after: &str,
    limit: i64,
) -> Result<Vec<FolderRecord>, StoreError> {
    let rows: Vec<FolderRow> = sqlx::query_as(
        "SELECT folder_id, parent_id, acl, digest FROM folders \
         WHERE tenant_id = $1 AND collection_id = $2 AND folder_id > $3 ORDER BY folder_id LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| Ok(row.read(tenant, collection)?.0)).collect()
}

/// The folders that lie directly in one.
pub(super) async fn children(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    folder: &DocumentId,
) -> Result<Vec<FolderRecord>, StoreError> {
    let rows: Vec<FolderRow> = sqlx::query_as(
        "SELECT folder_id, parent_id, acl, digest FROM folders \
         WHERE tenant_id = $1 AND collection_id = $2 AND parent_id = $3 ORDER BY folder_id",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(folder.as_str())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| Ok(row.read(tenant, collection)?.0)).collect()
}

/// Writes a folder and gives back its digest.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    record: &FolderRecord,
) -> Result<[u8; 32], StoreError> {
    let (id, parent) = (record.id.as_str(), record.parent.as_ref().map(DocumentId::as_str));
    let acl = form::write_acl(&record.acl)?;
    let digest = folder_digest(tenant, &record.collection, id, parent, &acl);
    sqlx::query(
        "INSERT INTO folders (tenant_id, collection_id, folder_id, parent_id, acl, digest) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, collection_id, folder_id) DO UPDATE SET \
         parent_id = excluded.parent_id, acl = excluded.acl, digest = excluded.digest",
    )
    .bind(tenant.as_str())
    .bind(record.collection.as_str())
    .bind(id)
    .bind(parent)
    .bind(acl)
    .bind(digest.to_vec())
    .execute(connection)
    .await?;
    Ok(digest)
}

/// Deletes a folder in which nothing lies.
pub(super) async fn delete(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    folder: &DocumentId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM folders WHERE tenant_id = $1 AND collection_id = $2 AND folder_id = $3")
        .bind(tenant.as_str())
        .bind(collection.as_str())
        .bind(folder.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Where a document lies, with the digest of the row.
pub(super) async fn placement(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    document: &DocumentId,
) -> Result<Option<(Placement, [u8; 32])>, StoreError> {
    let row: Option<PlacementRow> = sqlx::query_as(
        "SELECT document_id, folder_id, acl, digest FROM placements \
         WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(document.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.read(tenant, collection).map(|(_, placement, digest)| (placement, digest))).transpose()
}

/// The documents that lie directly in a folder; `limit` below zero means all.
pub(super) async fn placed_in(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    folder: &DocumentId,
    limit: i64,
) -> Result<Vec<(DocumentId, Placement)>, StoreError> {
    let rows: Vec<PlacementRow> = sqlx::query_as(
        "SELECT document_id, folder_id, acl, digest FROM placements \
         WHERE tenant_id = $1 AND collection_id = $2 AND folder_id = $3 ORDER BY document_id LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(folder.as_str())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| row.read(tenant, collection).map(|(document, placement, _)| (document, placement)))
        .collect()
}

/// Writes where a document lies and gives back the digest of the row.
pub(super) async fn place(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    document: &DocumentId,
    placement: &Placement,
) -> Result<[u8; 32], StoreError> {
    let acl = placement.own.as_ref().map(form::write_acl).transpose()?;
    let folder = placement.folder.as_str();
    let digest = placement_digest(tenant, collection, document.as_str(), folder, acl.as_deref());
    sqlx::query(
        "INSERT INTO placements (tenant_id, collection_id, document_id, folder_id, acl, digest) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, collection_id, document_id) DO UPDATE SET \
         folder_id = excluded.folder_id, acl = excluded.acl, digest = excluded.digest",
    )
    .bind(tenant.as_str())
    .bind(collection.as_str())
    .bind(document.as_str())
    .bind(folder)
    .bind(acl)
    .bind(digest.to_vec())
    .execute(connection)
    .await?;
    Ok(digest)
}

/// Takes a document out of its folder.
pub(super) async fn displace(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
    document: &DocumentId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM placements WHERE tenant_id = $1 AND collection_id = $2 AND document_id = $3")
        .bind(tenant.as_str())
        .bind(collection.as_str())
        .bind(document.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes every placement of a collection and gives back the digests.
pub(super) async fn displace_all(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
) -> Result<Vec<[u8; 32]>, StoreError> {
    let gone: Vec<(Vec<u8>,)> =
        sqlx::query_as("DELETE FROM placements WHERE tenant_id = $1 AND collection_id = $2 RETURNING digest")
            .bind(tenant.as_str())
            .bind(collection.as_str())
            .fetch_all(connection)
            .await?;
    gone.iter().map(|(digest,)| digest_of(digest)).collect()
}

/// Deletes every folder of a collection, in which nothing lies any more, and gives back the digests.
pub(super) async fn delete_all(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    collection: &CollectionId,
) -> Result<Vec<[u8; 32]>, StoreError> {
    // Parents first would leave children without: all go in one statement, at whose end the references are checked.
    let gone: Vec<(Vec<u8>,)> =
        sqlx::query_as("DELETE FROM folders WHERE tenant_id = $1 AND collection_id = $2 RETURNING digest")
            .bind(tenant.as_str())
            .bind(collection.as_str())
            .fetch_all(connection)
            .await?;
    gone.iter().map(|(digest,)| digest_of(digest)).collect()
}
