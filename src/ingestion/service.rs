//! The one path in: who may write here, prepare and embed on the blocking pool, commit.
//!
//! Who writes administers: a writer of the collection with the scope `ingest` puts and replaces documents whoever may read them, and `PUT` answers alike whether there was one.
//! A person deletes, and changes the ACL of, only what they can read; a program that acts as itself, of any document in the collections it writes.

use std::sync::Arc;

use ringfence_indexes::{Acl, CollectionId, DocumentId, Engine, VectorSource};
use ringfence_ingest::{Content, Finding, ParsedDocument, check_declared, needs_parser};
use tokio::sync::Semaphore;

use super::{
    draft::{DocumentInput, Draft, DraftError, InputContent, Intake, draft},
    original::{Keeping, Unreadable},
};
use crate::{
    audit::{Action, AuditError, AuditEvent, AuditLog},
    authn::{Authenticator, Caller, KeyKind},
    authz::{Ingest, Permit, SetAcl},
    cage::{Cage, CageError},
    catalog::Catalog,
    clock::Clock,
    commit::{CommitError, Committed, Committer, DocumentBody, DocumentWrite, Write, WriteRequest},
    embed::{EmbedFailure, Embedder},
    entropy::Entropy,
    retrieval::{
        answer::{Answer, compute, record},
        visibility::Visibility,
    },
    seal::{MasterKey, TenantKeys},
    store::{CollectionRecord, Placement, Store, StoreError},
};

/// Takes documents in.
pub struct Ingestion {
    /// Who knows whether a credential still holds.
    pub authenticator: Arc<Authenticator>,
    /// The indexes.
    pub engine: Arc<Engine>,
    /// How the collections are set.
    pub catalog: Arc<Catalog>,
    /// What turns passages into vectors.
    pub embedder: Arc<Embedder>,
    /// The one writer.
    pub committer: Arc<Committer>,
    /// Where a deletion of nothing is recorded; what is written, the committer records.
    pub audit: Arc<AuditLog>,
    /// Where documents are parsed.
    pub cage: Arc<Cage>,
    /// The present.
    pub clock: Arc<Clock>,
    /// Where nonces come from.
    pub entropy: Arc<Entropy>,
    /// What the tenants' keys derive from.
    pub master: Arc<MasterKey>,
    /// How many documents are prepared at the same time.
    pub slots: Arc<Semaphore>,
    /// Where originals lie.
    pub store: Store,
    /// Whether the original is kept of documents that are not held back too.
    pub keeps_sources: bool,
    /// The version of the sanitiser.
    pub sanitizer: String,
}

/// A document's place.
#[derive(Clone, Debug)]
pub struct Place {
    /// The collection.
    pub collection: CollectionId,
    /// The document.
    pub document: DocumentId,
}

/// What became of a document that was put.
#[derive(Debug)]
pub struct Ingested {
    /// Its place.
    pub place: Place,
    /// How many passages it has; none while it is held back.
    pub chunk_count: usize,
    /// The sealed revision.
    pub revision: String,
    /// The keyed hash of its content.
    pub content_hash: String,
    /// How many findings were taken out.
    pub removed: usize,
    /// What the sanitiser saw.
    pub findings: Vec<Finding>,
    /// Whether it is held back.
    pub quarantined: bool,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// 404: the collection or the document is absent, or the caller may not know of it or not write there.
    #[error("there is no such place")]
    NotFound,
    /// 401: the credential was revoked or ran out meanwhile.
    #[error("the credential does not hold any more")]
    CredentialGone,
    /// 422: neither the document nor its collection says who may read it.
    #[error("the document brings no ACL and its collection has no default")]
    AclRequired,
    /// 415 or 422: the document itself.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// 503: the embedder gives no vectors.
    #[error(transparent)]
    Embedder(#[from] EmbedFailure),
    /// 503: nothing can be parsed.
    #[error("no worker can be started for the parser")]
    Cage(#[source] CageError),
    /// 503 or 507, or what the committer found.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// 503: no record, no answer.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// 503: the server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// 503: the database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// 500: what is kept of the document is damaged.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// 403: a reviewer decides in its own name.
    #[error("a review is made in one's own name: ask without naming a person")]
    OnBehalf,
    /// 422: the sanitiser fails on the document, so it cannot be released.
    #[error("the sanitiser fails on this document: it cannot be released, only rejected or put anew")]
    Unreleasable,
}

impl Ingestion {
    /// Makes or replaces a document.
    ///
    /// # Errors
    /// [`IngestError`]; nothing of the document is left behind.
    pub async fn put(
        &self,
        permit: &Permit<Ingest>,
        place: Place,
        mut input: DocumentInput,
        acl: Option<Acl>,
        request_id: &str,
    ) -> Result<Answer<Ingested>, IngestError> {
        let caller = permit.caller();
        let collection = self.writable(caller, &place.collection)?;
        // Pinned before the content is worked on: a default was pinned when it was written.
        let acl = acl.map(|acl| self.pinned(caller, acl)).transpose()?;
        let placement = input.parent.take().map(|folder| Placement { folder, own: acl.clone() });
        let acl = match placement {
            // The folder says who may read it, as it is when the document is written.
            Some(_) => Acl::default(),
            None => acl.or_else(|| collection.default_acl.clone()).ok_or(IngestError::AclRequired)?,
        };
        let draft = self.draft(caller, &collection, &place, input).await?;
        let (chunk_count, quarantined) = (draft.chunks.len(), draft.quarantine.is_some());
        let (content_hash, removed, findings) = (draft.content_hash.clone(), draft.removed, draft.findings.clone());
        let write = document_write(caller, &place, acl, collection.embedding, draft);
        let write = Write::PutDocument(Box::new(DocumentWrite { placement, ..write }));
        let committed = self.commit(caller, write, 200, request_id).await?;
        let revision = committed.revision;
        let ingested = Ingested { place, chunk_count, revision, content_hash, removed, findings, quarantined };
        Ok(Answer::new(ingested, committed.receipt))
    }

    /// Whether the caller may put documents into a collection.
    ///
    /// # Errors
    /// [`IngestError::NotFound`] where it may not.
    pub fn check_writable(&self, permit: &Permit<Ingest>, collection: &CollectionId) -> Result<(), IngestError> {
        self.writable(permit.caller(), collection).map(drop)
    }

    /// Deletes a document; gives the sealed revision.
    ///
    /// # Errors
    /// [`IngestError`]; for a person, absent and unreadable are one. A program that acts as itself is told nothing about what was there.
    pub async fn delete(
        &self,
        permit: &Permit<Ingest>,
        place: Place,
        request_id: &str,
    ) -> Result<Answer<String>, IngestError> {
        let caller = permit.caller();
        self.writable(caller, &place.collection)?;
        if !self.acts_as_itself(caller) {
            self.readable(caller, &place)?;
        }
        let resource = format!("{}/{}", place.collection, place.document);
        let Place { collection, document } = place;
        let write = Write::DeleteDocument { tenant: caller.tenant().clone(), collection, document };
        match self.commit(caller, write, 204, request_id).await {
            Ok(committed) => Ok(Answer::new(committed.revision, committed.receipt)),
            // Gone before it came to it: a program that acts as itself is told what it asked for holds.
            Err(IngestError::NotFound) if self.acts_as_itself(caller) => {
                self.nothing_deleted(caller, resource, request_id).await
            }
            Err(error) => Err(error),
        }
    }

    async fn nothing_deleted(
        &self,
        caller: &Caller,
        resource: String,
        request_id: &str,
    ) -> Result<Answer<String>, IngestError> {
        let event = AuditEvent {
            resource: Some(resource),
            status: 204,
            ..AuditEvent::new(Some(caller.tenant().clone()), caller.actor(), Action::DeleteDocument, request_id)
        };
        let receipt = record(&self.audit, event).await?;
        let epoch = self.engine.epoch(caller.tenant()).ok_or(IngestError::CredentialGone)?;
        let sealer = TenantKeys::derive(&self.master, caller.tenant()).sealer();
        Ok(Answer::new(sealer.seal_revision(epoch, &self.entropy), receipt))
    }

    /// Changes who may read a document; gives the sealed revision.
    ///
    /// # Errors
    /// [`IngestError`]; for a person, absent and unreadable are one.
    pub async fn set_acl(
        &self,
        permit: &Permit<SetAcl>,
        place: Place,
        acl: Acl,
        request_id: &str,
    ) -> Result<Answer<String>, IngestError> {
        let caller = permit.caller();
        self.check_acl_change(permit, &place)?;
        let acl = self.pinned(caller, acl)?;
        let Place { collection, document } = place;
        let write = Write::SetAcl { tenant: caller.tenant().clone(), collection, document, acl };
        let committed = self.commit(caller, write, 200, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    /// An ACL for those who bear its names now.
    pub(super) fn pinned(&self, caller: &Caller, acl: Acl) -> Result<Acl, IngestError> {
        // A tenant that is gone took its keys with it.
        Ok(self.engine.names(caller.tenant()).ok_or(IngestError::CredentialGone)?.pin(acl))
    }

    /// Whether the caller may say who reads a document, if there is one.
    ///
    /// # Errors
    /// [`IngestError::NotFound`] where it is not for the caller to know of.
    pub fn check_acl_change(&self, permit: &Permit<SetAcl>, place: &Place) -> Result<(), IngestError> {
        let caller = permit.caller();
        self.writable(caller, &place.collection)?;
        if self.acts_as_itself(caller) { Ok(()) } else { self.readable(caller, place) }
    }

    /// The settings of a collection that the caller may write to.
    pub(super) fn writable(
        &self,
        caller: &Caller,
        collection: &CollectionId,
    ) -> Result<Arc<CollectionRecord>, IngestError> {
        let visibility = Visibility::of(&self.catalog, &self.engine, caller, self.clock.now());
        // A tenant that is gone took its keys with it.
        let visibility = visibility.ok_or(IngestError::CredentialGone)?;
        let settings = visibility.collections().get(collection).filter(|_| visibility.may_write(collection));
        settings.cloned().ok_or(IngestError::NotFound)
    }

    fn readable(&self, caller: &Caller, place: &Place) -> Result<(), IngestError> {
        let scope = self.engine.scope(caller.subject(), caller.ceiling(), self.clock.now());
        let scope = scope.map_err(|_gone| IngestError::CredentialGone)?;
        // An emergency lets somebody read, and change nothing.
        let may_change = scope.has_of_right(&place.collection, &place.document);
        if may_change { Ok(()) } else { Err(IngestError::NotFound) }
    }

    /// Whether a program asks on behalf of nobody.
    pub(super) fn acts_as_itself(&self, caller: &Caller) -> bool {
        let record = caller.key_id().and_then(|id| self.authenticator.keyring().get(id));
        caller.acting_for().is_none() && record.is_some_and(|key| matches!(key.kind, KeyKind::Service | KeyKind::Agent))
    }

    async fn draft(
        &self,
        caller: &Caller,
        collection: &CollectionRecord,
        place: &Place,
        input: DocumentInput,
    ) -> Result<Draft, IngestError> {
        // Waiting for a worker holds no place that computes.
        let parsed = match &input.content {
            InputContent::Whole(content) => self.parse(content, &collection.accept).await?,
            InputContent::Chunks(_) => None,
        };
        let intake = Intake { accept: collection.accept.clone(), ..self.intake(caller, collection, place) };
        let content_key = TenantKeys::derive(&self.master, caller.tenant()).content_key();
        let embedder = Arc::clone(&self.embedder);
        self.draft_with(move || draft(input, parsed, &intake, &embedder, &content_key)).await
    }

    /// What a collection says about what enters it; of any type, for what lies in it has been accepted already.
    pub(super) fn intake(&self, caller: &Caller, collection: &CollectionRecord, place: &Place) -> Intake {
        let vault = TenantKeys::derive(&self.master, caller.tenant()).vault();
        Intake {
            sanitize: collection.sanitize,
            accept: Vec::new(),
            vectors: collection.embedding,
            keeping: Keeping::new(vault, &place.collection, &place.document),
            keeps_all: self.keeps_sources,
            sanitizer: self.sanitizer.clone(),
        }
    }

    /// Computes on the blocking pool, in one of the places for that.
    pub(super) async fn prepare<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, IngestError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_closed| IngestError::Stopping)?;
        let done = compute(move || {
            let _slot = slot;
            work()
        });
        done.await.ok_or(IngestError::Stopping)
    }

    /// Drafts on the blocking pool; a remote embedder is asked after that, holding no place that computes.
    pub(super) async fn draft_with(
        &self,
        work: impl FnOnce() -> Result<Draft, DraftError> + Send + 'static,
    ) -> Result<Draft, IngestError> {
        let mut draft = match self.prepare(work).await? {
            // No fault of the document: it must not be judged for it.
            Err(DraftError::Embedder(failure)) => return Err(failure.into()),
            judged => judged?,
        };
        if draft.awaits_vectors {
            let passages = draft.chunks.iter().map(|chunk| &chunk.prepared);
            let asked = self.embedder.ask_passages(draft.title.as_ref(), passages).await;
            let vectors = asked?.unwrap_or_default();
            draft.chunks.iter_mut().zip(vectors).for_each(|(chunk, vector)| chunk.vector = vector);
        }
        Ok(draft)
    }

    /// Has a file parsed in the cage; what is only decoded is not sent there.
    pub(super) async fn parse(
        &self,
        content: &Content,
        accept: &[String],
    ) -> Result<Option<ParsedDocument>, IngestError> {
        let Content::File { bytes, media_type } = content else { return Ok(None) };
        if !needs_parser(media_type.as_deref()) {
            return Ok(None);
        }
        check_declared(media_type.as_deref(), accept).map_err(DraftError::Prepare)?;
        match self.cage.parse(bytes, media_type.as_deref(), accept).await {
            Ok(parsed) => Ok(Some(parsed)),
            Err(CageError::Refused(refusal)) => Err(DraftError::Prepare(refusal).into()),
            Err(unavailable) => Err(IngestError::Cage(unavailable)),
        }
    }

    pub(super) async fn commit(
        &self,
        caller: &Caller,
        write: Write,
        status: u16,
        request_id: &str,
    ) -> Result<Committed, IngestError> {
        if !self.authenticator.still_valid(caller) {
            return Err(IngestError::CredentialGone);
        }
        let request = WriteRequest { write, actor: caller.actor(), request_id: request_id.to_owned(), status };
        self.committer.commit(request).await.map_err(|error| match error {
            CommitError::NoCollection | CommitError::NoDocument | CommitError::NoFolder => IngestError::NotFound,
            CommitError::NoTenant => IngestError::CredentialGone,
            other => IngestError::Commit(other),
        })
    }
}

/// The write of a draft.
pub(super) fn document_write(
    caller: &Caller,
    place: &Place,
    acl: Acl,
    vectors: VectorSource,
    draft: Draft,
) -> DocumentWrite {
    let ingested_by = caller.acting_for().or_else(|| caller.principal());
    DocumentWrite {
        tenant: caller.tenant().clone(),
        collection: place.collection.clone(),
        id: place.document.clone(),
        acl,
        placement: None,
        title: draft.title,
        uri: draft.uri,
        metadata: draft.metadata,
        content_hash: draft.content_hash,
        ingested_by: ingested_by.map_or_else(|| caller.actor().credential, |principal| principal.as_str().to_owned()),
        findings: draft.findings,
        removed: draft.removed,
        sanitizer: draft.sanitizer,
        source: draft.source,
        vectors,
        body: match draft.quarantine {
            None => DocumentBody::Active(draft.chunks),
            Some(reason) => DocumentBody::Quarantined { reason },
        },
    }
}
