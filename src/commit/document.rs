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
use crate::store::{Beside, CollectionRecord, Decision, DocumentRow, SourceChange, StoredContent};

impl Apply<'_> {
    pub(super) async fn put_document(&mut self, write: DocumentWrite) -> Result<Applied, Refused> {
        let DocumentWrite { tenant, collection, id, acl, body, .. } = &write;
        let settings = self.need_collection(tenant, collection).await?;
        let tenant = tenant.clone();
        if let DocumentBody::Active(chunks) = body {
            need_fitting_vectors(&settings.record, write.vectors, chunks)?;
        }
        let before = self.writer.document(&tenant, collection, id).await?;
        let version = match before.as_ref().filter(|before| before.is_active()) {
            // Who may read it has not changed: they know of the contents so far.
            Some(before) if before.acl()? == *acl => before.version()?.saturating_add(1),
            _ => 1,
        };
        let written = Written { ingested_at: self.now, version, decision: None };
        self.write_document(write, written, before).await
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
        let written = Written { ingested_at: before.ingested_at(), version: before.version()?, decision };
        self.write_document(write, written, Some(before)).await
    }

    async fn write_document(
        &mut self,
        write: DocumentWrite,
        written: Written,
        before: Option<DocumentRow>,
    ) -> Result<Applied, Refused> {
        let tenant = write.tenant.clone();
        let (document, content, source) = prepared(write, &written);
        let beside = Beside { source, decision: written.decision };
        let (row, content_row) = DocumentRow::new(&tenant, &document, &content, &beside)?;
        if before.as_ref().is_some_and(|before| row.is_same_but_for_time(before)) {
            return self.unchanged(&tenant).await;
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
        if before.acl()? == acl {
            return self.unchanged(&tenant).await;
        }
        let is_active = before.is_active();
        let (stored, content) = self.writer.load_document(&tenant, before.clone()).await?;
        // Who is let in now must not learn how often it changed before.
        let info = Arc::new(DocumentInfo { version: 1, ..DocumentInfo::clone(&stored.info) });
        let stored = Document { acl: acl.clone(), info, ..stored };
        let (row, _) = DocumentRow::new(&tenant, &stored, &content, &Beside::default())?;
        let row = row.with_beside_of(&before, &tenant);
        let key = (tenant.clone(), collection.clone(), document.clone());
        self.writer.put_document_head(key, row, &before).await?;
        let effect = if is_active {
            Effect::Index(tenant.clone(), Change::SetAcl { collection, document, acl, version: 1 })
        } else {
            Effect::Index(tenant.clone(), Change::DeleteDocument { collection, document })
        };
        self.changed(&tenant, Outcome::Changed, effect).await
    }

    async fn need_document(
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
