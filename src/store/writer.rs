//! The writing connection: a transaction for a group of writes, a savepoint for each, and the ledgers that follow them.
//!
//! There is one, and nothing else writes; so what it remembers of collections and ledgers holds until it changes them or rolls back.

mod directory;
mod folders;
mod grants;

use std::{collections::HashMap, sync::Arc};

use ringfence_indexes::{CollectionId, Document, DocumentId, TenantId, Timestamp, VectorSource};
use sqlx::{Sqlite, pool::PoolConnection};

use super::{
    StoreError, TenantRecord,
    collection::{self, StoredCollection},
    document::{self, ContentRow, DocumentKey, DocumentRow, SourceChange, StoredContent},
    key::{self, owner},
    ledger::{self, Ledger},
    revocation, tenant,
};
use crate::authn::{KeyRecord, Revocation};

/// The one connection that writes.
pub(crate) struct Writer {
    pub(super) connection: PoolConnection<Sqlite>,
    /// By the tenant's name; the empty name is the server.
    ledgers: HashMap<String, Ledger>,
    collections: HashMap<(TenantId, CollectionId), Arc<StoredCollection>>,
    /// What is known of documents in this transaction; `None` for those that are absent.
    documents: HashMap<DocumentKey, Option<DocumentRow>>,
    /// The ledgers that the transaction changed.
    changed: Vec<String>,
    saved: Option<Saved>,
}

/// What one write of the group would go back to.
struct Saved {
    ledgers: HashMap<String, Ledger>,
    changed: Vec<String>,
    /// How many savepoints were made, one in the other: a write that is refused before it changes anything needs none.
    made: u8,
}

impl Writer {
    pub(super) fn new(connection: PoolConnection<Sqlite>) -> Self {
        Self {
            connection,
            ledgers: HashMap::new(),
            collections: HashMap::new(),
            documents: HashMap::new(),
            changed: Vec::new(),
            saved: None,
        }
    }

    /// Closes the connection; another may be had then.
    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the writing connection ended with an error");
        }
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&mut self) -> Result<(), StoreError> {
        self.run("BEGIN IMMEDIATE").await
    }

    /// Makes the transaction durable: it returns after the disk has it.
    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        self.documents.clear();
        for name in std::mem::take(&mut self.changed) {
            if let Some(ledger) = self.ledgers.get(&name).copied() {
                ledger::write(&mut self.connection, &name, &ledger).await?;
            }
        }
        self.run("COMMIT").await
    }

    /// Gives up the transaction. SQLite may have given it up itself, as it does when the disk is full.
    pub(crate) async fn rollback(&mut self) -> Result<(), StoreError> {
        self.forget();
        let result = self.run("ROLLBACK").await;
        let is_over = || Ok::<_, StoreError>(());
        match result {
            Err(StoreError::Failed(error)) if error.to_string().contains("no transaction is active") => is_over(),
            other => other,
        }
    }

    /// Looks up documents that the group is about to write, in one call.
    pub(crate) async fn look_up(&mut self, keys: Vec<DocumentKey>) -> Result<(), StoreError> {
        let found = document::heads(&mut self.connection, &keys).await?;
        self.documents.extend(keys.into_iter().map(|key| (key, None)));
        self.documents.extend(found.into_iter().map(|(key, row)| (key, Some(row))));
        Ok(())
    }

    /// Begins one write of the group.
    pub(crate) fn save(&mut self) {
        self.saved = Some(Saved { ledgers: HashMap::new(), changed: self.changed.clone(), made: 0 });
    }

    /// Keeps the write.
    pub(crate) async fn release(&mut self) -> Result<(), StoreError> {
        match self.saved.take() {
            Some(saved) if saved.made > 0 => self.run("RELEASE one").await,
            _ => Ok(()),
        }
    }

    /// Takes the write back, and nothing else.
    pub(crate) async fn undo(&mut self) -> Result<(), StoreError> {
        let Some(saved) = self.saved.take() else { return Ok(()) };
        self.ledgers.extend(saved.ledgers);
        self.changed = saved.changed;
        for _ in 0..saved.made {
            self.collections.clear();
            self.documents.clear();
            self.run("ROLLBACK TO one; RELEASE one").await?;
        }
        Ok(())
    }

    /// Makes the savepoint, before the first change of a write.
    pub(super) async fn make_savepoint(&mut self) -> Result<(), StoreError> {
        if let Some(saved) = self.saved.as_mut().filter(|saved| saved.made == 0) {
            saved.made = 1;
            self.run("SAVEPOINT one").await?;
        }
        Ok(())
    }

    /// Moves what the log holds into the database and empties it, so that no file keeps what was deleted.
    pub(crate) async fn checkpoint(&mut self) -> Result<bool, StoreError> {
        super::checkpoint(&mut self.connection).await
    }

    /// The tenant's next revision: the number of the write that is being made.
    pub(crate) async fn advance(&mut self, tenant: &TenantId) -> Result<u64, StoreError> {
        let ledger = self.ledger(tenant.as_str()).await?;
        ledger.revision += 1;
        Ok(ledger.revision)
    }

    /// The tenant's revision.
    pub(crate) async fn revision(&mut self, tenant: &TenantId) -> Result<u64, StoreError> {
        Ok(self.ledger(tenant.as_str()).await?.revision)
    }

    pub(crate) async fn has_tenant(&mut self, tenant: &TenantId) -> Result<bool, StoreError> {
        Ok(tenant::one(&mut self.connection, tenant).await?.is_some())
    }

    pub(crate) async fn insert_tenant(&mut self, record: &TenantRecord) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        let digest = tenant::insert(&mut self.connection, record).await?;
        self.toggle("", &digest).await
    }

    /// Deletes a tenant with everything it has.
    pub(crate) async fn delete_tenant(&mut self, id: &TenantId) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = tenant::one(&mut self.connection, id).await? {
            self.toggle("", &digest).await?;
        }
        tenant::delete(&mut self.connection, id).await?;
        self.collections.retain(|(owner, _), _| owner != id);
        self.documents.clear();
        // The ledger's row is gone: what is remembered of it must not be written again.
        self.ledger(id.as_str()).await?;
        self.ledgers.remove(id.as_str());
        self.changed.retain(|name| name != id.as_str());
        Ok(())
    }

    pub(crate) async fn collection(
        &mut self,
        tenant: &TenantId,
        id: &CollectionId,
    ) -> Result<Option<Arc<StoredCollection>>, StoreError> {
        let key = (tenant.clone(), id.clone());
        if let Some(stored) = self.collections.get(&key) {
            return Ok(Some(Arc::clone(stored)));
        }
        let Some((stored, _)) = collection::one(&mut self.connection, tenant, id).await? else { return Ok(None) };
        let stored = Arc::new(stored);
        self.collections.insert(key, Arc::clone(&stored));
        Ok(Some(stored))
    }

    pub(crate) async fn put_collection(
        &mut self,
        tenant: &TenantId,
        stored: &StoredCollection,
    ) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        let id = &stored.record.id;
        if let Some((_, digest)) = collection::one(&mut self.connection, tenant, id).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        self.collections.remove(&(tenant.clone(), id.clone()));
        let digest = collection::put(&mut self.connection, tenant, stored).await?;
        self.toggle(tenant.as_str(), &digest).await
    }

    /// Deletes a collection with its documents.
    pub(crate) async fn delete_collection(&mut self, tenant: &TenantId, id: &CollectionId) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        self.documents.clear();
        self.clear_placements(tenant, id).await?;
        for digest in document::delete_all(&mut self.connection, tenant, id).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        if let Some((_, digest)) = collection::one(&mut self.connection, tenant, id).await? {
            self.toggle(tenant.as_str(), &digest).await?;
        }
        self.collections.remove(&(tenant.clone(), id.clone()));
        collection::delete(&mut self.connection, tenant, id).await
    }

    pub(crate) async fn has_documents(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
    ) -> Result<bool, StoreError> {
        document::exists(&mut self.connection, tenant, collection).await
    }

    pub(crate) async fn document(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        document: &DocumentId,
    ) -> Result<Option<DocumentRow>, StoreError> {
        let key = (tenant.clone(), collection.clone(), document.clone());
        match self.documents.get(&key) {
            Some(known) => Ok(known.clone()),
            None => document::head(&mut self.connection, tenant, collection, document).await,
        }
    }

    pub(crate) async fn load_document(
        &mut self,
        tenant: &TenantId,
        row: DocumentRow,
    ) -> Result<(Document, StoredContent), StoreError> {
        document::load(&mut self.connection, tenant, row).await
    }

    /// Writes a document, of which `before` is what was there.
    pub(crate) async fn put_document(
        &mut self,
        key: DocumentKey,
        row: DocumentRow,
        content: &ContentRow,
        source: SourceChange<'_>,
        before: Option<&DocumentRow>,
    ) -> Result<(), StoreError> {
        self.exchange(&key.0, before, Some(&row)).await?;
        if let Some(saved) = self.saved.as_mut() {
            // The statement makes a savepoint and releases it; one that fails between leaves it to be undone.
            saved.made += 1;
        }
        document::put(&mut self.connection, &key.0, &row, content, source).await?;
        if let Some(saved) = self.saved.as_mut() {
            saved.made -= 1;
        }
        self.documents.insert(key, Some(row));
        Ok(())
    }

    /// Writes what is known of a document and leaves its passages.
    pub(crate) async fn put_document_head(
        &mut self,
        key: DocumentKey,
        row: DocumentRow,
        before: &DocumentRow,
    ) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        self.exchange(&key.0, Some(before), Some(&row)).await?;
        document::put_head(&mut self.connection, &key.0, &row).await?;
        self.documents.insert(key, Some(row));
        Ok(())
    }

    pub(crate) async fn delete_document(&mut self, key: DocumentKey, row: &DocumentRow) -> Result<(), StoreError> {
        self.place(&key.0, &key.1, &key.2, None).await?;
        self.exchange(&key.0, Some(row), None).await?;
        document::delete(&mut self.connection, &key.0, row).await?;
        self.documents.insert(key, None);
        Ok(())
    }

    pub(crate) async fn key(&mut self, id: &str) -> Result<Option<KeyRecord>, StoreError> {
        Ok(key::one(&mut self.connection, id).await?.map(|(record, _)| record))
    }

    pub(crate) async fn put_key(&mut self, record: &KeyRecord) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        let name = owner(record.tenant.as_ref());
        if let Some((_, digest)) = key::one(&mut self.connection, &record.id).await? {
            self.toggle(name, &digest).await?;
        }
        let digest = key::put(&mut self.connection, record).await?;
        self.toggle(name, &digest).await
    }

    pub(crate) async fn delete_key(&mut self, tenant: Option<&TenantId>, id: &str) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        if let Some((_, digest)) = key::one(&mut self.connection, id).await? {
            self.toggle(owner(tenant), &digest).await?;
        }
        key::delete(&mut self.connection, tenant, id).await
    }

    /// Whether there is an operator's key, other than this one, that never expires.
    pub(crate) async fn has_other_lasting_operator(&mut self, id: &str) -> Result<bool, StoreError> {
        key::has_other_lasting_operator(&mut self.connection, id).await
    }

    pub(crate) async fn revocations(&mut self, tenant: &TenantId) -> Result<Vec<Revocation>, StoreError> {
        Ok(revocation::all(&mut self.connection, tenant).await?.into_iter().map(|(record, _)| record).collect())
    }

    /// Writes a revocation in the place of `before`, which is about the same.
    pub(crate) async fn put_revocation(
        &mut self,
        record: &Revocation,
        before: Option<&Revocation>,
    ) -> Result<(), StoreError> {
        if let Some(before) = before {
            self.delete_revocation(before).await?;
        }
        self.make_savepoint().await?;
        let digest = revocation::put(&mut self.connection, record).await?;
        self.toggle(record.tenant.as_str(), &digest).await
    }

    pub(crate) async fn delete_revocation(&mut self, record: &Revocation) -> Result<(), StoreError> {
        self.make_savepoint().await?;
        self.toggle(record.tenant.as_str(), &revocation::digest(record)).await?;
        revocation::delete(&mut self.connection, &record.tenant, &record.id()).await
    }

    /// Notes when keys were last used.
    pub(crate) async fn put_uses(&mut self, uses: &[(String, Timestamp)]) -> Result<(), StoreError> {
        self.begin().await?;
        for (id, at) in uses {
            key::put_use(&mut self.connection, id, *at).await?;
        }
        self.commit().await
    }

    /// Says which built-in embedder makes a collection's vectors from now on, and how long they are.
    pub(crate) async fn set_embedder(
        &mut self,
        tenant: &TenantId,
        id: &CollectionId,
        embedder: String,
        dimensions: usize,
    ) -> Result<(), StoreError> {
        let Some(before) = self.collection(tenant, id).await? else { return Ok(()) };
        let mut stored = StoredCollection::clone(&before);
        stored.embedder = Some(embedder);
        stored.record.embedding = VectorSource::Builtin { dimensions };
        self.put_collection(tenant, &stored).await
    }

    async fn exchange(
        &mut self,
        tenant: &TenantId,
        before: Option<&DocumentRow>,
        after: Option<&DocumentRow>,
    ) -> Result<(), StoreError> {
        for row in [before, after].into_iter().flatten() {
            let digest = row.digest()?;
            self.toggle(tenant.as_str(), &digest).await?;
        }
        Ok(())
    }

    pub(super) async fn toggle(&mut self, name: &str, digest: &[u8; 32]) -> Result<(), StoreError> {
        self.ledger(name).await?.toggle(digest);
        Ok(())
    }

    /// The ledger, about to be changed.
    async fn ledger(&mut self, name: &str) -> Result<&mut Ledger, StoreError> {
        if !self.ledgers.contains_key(name) {
            let ledger = ledger::read(&mut self.connection, name).await?.unwrap_or_default();
            self.ledgers.insert(name.to_owned(), ledger);
        }
        if !self.changed.iter().any(|changed| changed == name) {
            self.changed.push(name.to_owned());
        }
        let ledger = self.ledgers.get_mut(name).expect("the ledger was just put there");
        if let Some(saved) = &mut self.saved {
            saved.ledgers.entry(name.to_owned()).or_insert(*ledger);
        }
        Ok(ledger)
    }

    fn forget(&mut self) {
        self.ledgers.clear();
        self.collections.clear();
        self.documents.clear();
        self.changed.clear();
        self.saved = None;
    }

    /// Prepares the connection for a test.
    #[cfg(test)]
    pub(crate) async fn execute(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.run(sql).await
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), StoreError> {
        sqlx::query(sql).execute(&mut *self.connection).await?;
        Ok(())
    }
}
