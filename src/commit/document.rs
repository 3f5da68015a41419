//! Writes to documents: put, made anew, deleted, rejected, given another ACL.

use std::sync::Arc;

use ringfence_indexes::{
    Acl, Change, CollectionId, Document, DocumentChunk, DocumentId, DocumentInfo, TenantId, Timestamp, VectorSource,
};

use super::{
    CommitError, DocumentBody, DocumentWrite, Outcome, ReworkWrite,
    apply::{Applied, Apply, Refused},
    effect::Effect,
};
use crate::store::{Beside, CollectionRecord, Decision, DocumentRow, Placement, SourceChange, StoredContent};

impl Apply<'_> {
    pub(super) async fn put_document(&mut self, write: DocumentWrite) -> Result<Applied, Refused> {
        let DocumentWrite { tenant, collection, id, acl, body, .. } = &write;
        let settings = self.need_collection(tenant, collection).await?;
        let tenant = tenant.clone();
        if let DocumentBody::Active(chunks) = body {
            need_fitting_vectors(&settings.record, write.vectors, chunks)?;
        }
        let before = self.writer.document(&tenant, collection, id).await?;
        let acl = &self.placed_acl(&tenant, collection, write.placement.as_ref(), acl).await?;
        let version = match before.as_ref().filter(|before| before.is_active()) {
            // Who may read it has not changed: they know of the contents so far.
            Some(before) if before.acl()? == *acl => before.version()?.saturating_add(1),
            _ => 1,
        };
        let moves = self.moves(&write, before.is_some()).await?;
        let written = Written { ingested_at: self.now, version, decision: None, moves };
        let write = DocumentWrite { acl: acl.clone(), ..write };
        self.write_document(write, written, before).await
    }

    /// Whether a document changes its place. One that is new and lies nowhere is not looked for.
    async fn moves(&mut self, write: &DocumentWrite, exists: bool) -> Result<bool, Refused> {
        if !exists {
            return Ok(write.placement.is_some());
        }
        Ok(self.writer.placement(&write.tenant, &write.collection, &write.id).await? != write.placement)
    }

    /// The present ACL and origin stay: whoever reworks a document has read it some time ago.
    pub(super) async fn rework_document(&mut self, rework: ReworkWrite) -> Result<Applied, Refused> {
        let ReworkWrite { document: write, expected, decision, .. } = rework;
        let settings = self.need_collection(&write.tenant, &write.collection).await?;
        let before = self.need_document(&write.tenant, &write.collection, &write.id).await?;
        if before.is_active() != expected.is_active {
            return Err(CommitError::NoDocument.into());
        }
        let is_same = before.content_hash() == expected.content_hash
            && before.source_digest() == Some(expected.source_digest.as_slice());
        if !is_same {
            return Err(CommitError::Moved.into());
        }
        if let DocumentBody::Active(chunks) = &write.body {
            need_fitting_vectors(&settings.record, write.vectors, chunks)?;
        }
        let write = DocumentWrite { acl: before.acl()?, ingested_by: before.ingested_by().to_owned(), ..write };
        let written = Written { ingested_at: before.ingested_at(), version: before.version()?, decision, moves: false };
        self.write_document(write, written, Some(before)).await
    }

    async fn write_document(
        &mut self,
        write: DocumentWrite,
        written: Written,
        before: Option<DocumentRow>,
    ) -> Result<Applied, Refused> {
        let (tenant, placement) = (write.tenant.clone(), write.placement.clone());
        let (document, content, source) = prepared(write, &written);
        let beside = Beside { source, decision: written.decision };
        let (row, content_row) = DocumentRow::new(&tenant, &document, &content, &beside)?;
        let is_same = before.as_ref().is_some_and(|before| row.is_same_but_for_time(before));
        if is_same && !written.moves {
            return self.unchanged(&tenant).await;
        }
        if written.moves {
            self.writer.place(&tenant, &document.collection, &document.id, placement.as_ref()).await?;
        }
        let key = (tenant.clone(), document.collection.clone(), document.id.clone());
        let source = SourceChange::Becomes(beside.source.as_deref());
        self.writer.put_document(key, row, &content_row, source, before.as_ref()).await?;
        let outcome = if before.is_some() { Outcome::Changed } else { Outcome::Created };
        let change = match content {
            StoredContent::Active(chunks) => Change::PutDocument(Document { chunks, ..document }),
            StoredContent::Quarantined { .. } => {
                Change::DeleteDocument { collection: document.collection, document: document.id }
            }
        };
        self.changed(&tenant, outcome, Effect::Index(tenant.clone(), change)).await
    }

    pub(super) async fn reject_document(
        &mut self,
        tenant: TenantId,
        collection: CollectionId,
        document: DocumentId,
        content_hash: &str,
    ) -> Result<Applied, Refused> {
        let row = self.need_document(&tenant, &collection, &document).await?;
        if row.is_active() {
            return Err(CommitError::NoDocument.into());
        }
        if row.content_hash() != content_hash {
            return Err(CommitError::Moved.into());
        }
        self.drop_document(tenant, collection, document, &row).await
    }

    pub(super) async fn delete_document(
        &mut self,
        tenant: TenantId,
        collection: CollectionId,
        document: DocumentId,
        ingested_before: Option<Timestamp>,
    ) -> Result<Applied, Refused> {
        let row = self.need_document(&tenant, &collection, &document).await?;
        if ingested_before.is_some_and(|moment| row.ingested_at() >= moment) {
            return Err(CommitError::NoDocument.into());
        }
        self.drop_document(tenant, collection, document, &row).await
    }

    async fn drop_document(
        &mut self,
        tenant: TenantId,
        collection: CollectionId,
        document: DocumentId,
        row: &DocumentRow,
    ) -> Result<Applied, Refused> {
        self.writer.delete_document((tenant.clone(), collection.clone(), document.clone()), row).await?;
        let change = Change::DeleteDocument { collection, document };
        self.changed(&tenant, Outcome::Changed, Effect::Index(tenant.clone(), change)).await
    }

    pub(super) async fn set_acl(
        &mut self,
        tenant: TenantId,
        collection: CollectionId,
        document: DocumentId,
        acl: Acl,
    ) -> Result<Applied, Refused> {
        let before = self.need_document(&tenant, &collection, &document).await?;
        let placed = self.writer.placement(&tenant, &collection, &document).await?;
        let placed = placed.map(|placed| Placement { own: Some(acl.clone()), ..placed });
        let acl = self.placed_acl(&tenant, &collection, placed.as_ref(), &acl).await?;
        if let Some(placed) = &placed {
            self.writer.place(&tenant, &collection, &document, Some(placed)).await?;
        }
        if before.acl()? == acl {
            return match placed {
                // It may have an ACL of its own now that says what the folder's did.
                Some(_) => self.changed(&tenant, Outcome::Changed, Effect::None).await,
                None => self.unchanged(&tenant).await,
            };
        }
        let change = self.give_acl(&tenant, before, acl).await?;
        self.changed(&tenant, Outcome::Changed, Effect::Index(tenant.clone(), change)).await
    }

    /// Gives a document another ACL, and says what the index has to change.
    pub(super) async fn give_acl(
        &mut self,
        tenant: &TenantId,
        before: DocumentRow,
        acl: Acl,
    ) -> Result<Change, Refused> {
        let is_active = before.is_active();
        let (stored, content) = self.writer.load_document(tenant, before.clone()).await?;
        // Who is let in now must not learn how often it changed before.
        let info = Arc::new(DocumentInfo { version: 1, ..DocumentInfo::clone(&stored.info) });
        let stored = Document { acl: acl.clone(), info, ..stored };
        let (row, _) = DocumentRow::new(tenant, &stored, &content, &Beside::default())?;
        let row = row.with_beside_of(&before, tenant);
        let (collection, document) = (stored.collection, stored.id);
        let key = (tenant.clone(), collection.clone(), document.clone());
        self.writer.put_document_head(key, row, &before).await?;
        Ok(if is_active {
            Change::SetAcl { collection, document, acl, version: 1 }
        } else {
            Change::DeleteDocument { collection, document }
        })
    }

    pub(super) async fn need_document(
        &mut self,
        tenant: &TenantId,
        collection: &CollectionId,
        document: &DocumentId,
    ) -> Result<DocumentRow, Refused> {
        self.need_collection(tenant, collection).await?;
        Ok(self.writer.document(tenant, collection, document).await?.ok_or(CommitError::NoDocument)?)
    }
}

/// What a write says of a document beside what the client does.
struct Written {
    ingested_at: Timestamp,
    version: u32,
    decision: Option<Decision>,
    /// Whether it gets another place among folders.
    moves: bool,
}

/// The document of a write, its content and its sealed original. The passages stand in the document for its fingerprint, and in the content for the store.
fn prepared(write: DocumentWrite, written: &Written) -> (Document, StoredContent, Option<Vec<u8>>) {
    let (chunks, content) = match write.body {
        DocumentBody::Active(chunks) => (chunks.clone(), StoredContent::Active(chunks)),
        DocumentBody::Quarantined { reason } => (Vec::new(), StoredContent::Quarantined { reason, clear: Vec::new() }),
    };
    let info = DocumentInfo {
        title: write.title,
        uri: write.uri,
        metadata: write.metadata,
        content_hash: write.content_hash,
        ingested_at: written.ingested_at,
        ingested_by: write.ingested_by,
        version: written.version,
        findings: write.findings,
        removed: write.removed,
        sanitizer: Some(write.sanitizer),
    };
    let (collection, id, acl) = (write.collection, write.id, write.acl);
    (Document { collection, id, acl, info: Arc::new(info), chunks }, content, write.source)
}

fn need_fitting_vectors(
    collection: &CollectionRecord,
    source: VectorSource,
    chunks: &[DocumentChunk],
) -> Result<(), CommitError> {
    let dimensions = source.dimensions();
    let mut vectors = chunks.iter().filter_map(|chunk| chunk.vector.as_ref());
    let fit = source == collection.embedding && vectors.all(|vector| vector.dimensions() == dimensions);
    if fit { Ok(()) } else { Err(CommitError::VectorsDoNotFit) }
}
