//! What is held back, and what becomes of it: listed, looked at, released or rejected by a reviewer.
//!
//! A reviewer is an administrator of review: a credential with the scope `review` sees what is held back in every collection within its own limits, whoever may read or write there, originals included.
//! A review is made in one's own name: a credential that acts for a person would show that person what they may not read. Reading originals takes somebody who reads, like every reading of content: a person, or a program with `read_as_service`.
//! Nothing is released past the sanitiser: what is released is made anew from the original, stripped or flagged, with the ACL that the document has when it is committed.

use std::sync::Arc;

use ringfence_indexes::{Acl, CollectionId, DocumentInfo, Names, TenantId};
use ringfence_ingest::{Content, Finding, PrepareOptions, QuarantineReason, SanitizePolicy, UntrustedText, normalized};

use super::{
    draft::{Draft, DraftError, Intake, prepare_content, redraft},
    original::Original,
    service::{IngestError, Ingested, Ingestion, Place, document_write},
};
use crate::{
    audit::{Action, AuditEvent},
    authn::Caller,
    authz::{Permit, ReviewQuarantine},
    commit::{Cause, CommitError, Committed, Expected, ReworkWrite, Write},
    release::{Labels, Passage, Provenance, ReleasePolicy, ReleasedChunk, ReleasedLabels, release, release_labels},
    retrieval::{
        answer::{Answer, record},
        policies::Policies,
    },
    seal::TenantKeys,
    store::{CollectionRecord, Decision, Kept, PlaceAfter, StoredContent},
};

/// A document that is held back.
#[derive(Debug)]
pub struct Held {
    /// Where it lies.
    pub place: Place,
    /// Title, URI and metadata, sanitised.
    pub labels: ReleasedLabels,
    /// Why it is held back.
    pub reason: QuarantineReason,
    /// Who will be able to read it once it is released.
    pub acl: Acl,
    /// What the sanitiser saw.
    pub findings: Vec<Finding>,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// A page of what is held back.
#[derive(Debug)]
pub struct HeldPage {
    /// The documents, by collection and id.
    pub held: Vec<Held>,
    /// Whether more follow.
    pub has_more: bool,
}

/// One document that is held back, with everything that a reviewer needs to decide.
pub struct Review {
    /// What is known of it.
    pub held: Held,
    /// The content as it was sent. It has not been sanitised.
    pub original: Content,
    /// The media type of that: the declared one, else the detected.
    pub media_type: String,
    /// What places count in: the text that a reader of the format would see. It has not been sanitised.
    pub normalized: String,
    /// What the present sanitiser finds, as a release would treat it.
    pub findings: Vec<Finding>,
    /// The passages that would be served if it were released stripped; `None` where the sanitiser fails on it.
    pub stripped: Option<Vec<ReleasedChunk>>,
    /// The passages that would be served if it were released flagged; `None` where the sanitiser fails on it.
    pub flagged: Option<Vec<ReleasedChunk>>,
}

impl Ingestion {
    /// Lists what is held back, after a place.
    ///
    /// # Errors
    /// [`IngestError`] where the list cannot be read or recorded.
    pub async fn quarantine(
        &self,
        permit: &Permit<ReviewQuarantine>,
        after: Option<&PlaceAfter>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<HeldPage>, IngestError> {
        let caller = in_own_name(permit)?;
        let found = self.store.quarantined(caller.tenant(), caller.ceiling(), after, limit + 1).await?;
        let has_more = found.len() > limit;
        let policies = Policies::for_caller(&self.catalog, caller);
        let names = self.engine.names(caller.tenant()).ok_or(IngestError::CredentialGone)?;
        let held = found.into_iter().take(limit).map(|quarantined| {
            let policy = policies.of(&quarantined.document.collection);
            Held::new(quarantined.document, quarantined.reason, &policy, &names)
        });
        let page = HeldPage { held: held.collect(), has_more };
        let mut event = event(caller, Action::ListQuarantine, None, request_id);
        event.count = page.held.len();
        self.told(caller, page, event).await
    }

    /// Shows one document that is held back.
    ///
    /// # Errors
    /// [`IngestError::NotFound`] where nothing is held back there within the credential's limits.
    pub async fn review(
        &self,
        permit: &Permit<ReviewQuarantine>,
        place: Place,
        request_id: &str,
    ) -> Result<Answer<Review>, IngestError> {
        let caller = in_own_name(permit)?;
        self.reviewable(caller, &place.collection)?;
        let (kept, original) = self.held(caller, &place).await?;
        let StoredContent::Quarantined { reason, .. } = kept.content else { return Err(IngestError::NotFound) };
        let policy = Policies::for_caller(&self.catalog, caller).of(&place.collection);
        let parsed = self.parse(&original.content, &[]).await?;
        let names = self.engine.names(caller.tenant()).ok_or(IngestError::CredentialGone)?;
        let document = kept.document;
        let review = self.prepare(move || {
            let info = Arc::clone(&document.info);
            let normalized = normalized(&original.content, parsed.as_ref())?;
            let prepared = |sanitize| {
                let options = PrepareOptions { policy: sanitize, accept: Vec::new() };
                prepare_content(title(&original), original.content.clone(), parsed.clone(), &options)
            };
            let (strip, flag) = (prepared(SanitizePolicy::Strip)?, prepared(SanitizePolicy::Flag)?);
            let served = |prepared: &ringfence_ingest::Prepared| {
                prepared.quarantine.is_none().then(|| released(prepared, &info, &policy))
            };
            Ok::<_, DraftError>(Review {
                media_type: media_type(&original.content, strip.media_type),
                normalized: shown(&normalized),
                stripped: served(&strip),
                flagged: served(&flag),
                findings: strip.findings,
                held: Held::new(document, reason, &policy, &names),
                original: original.content,
            })
        });
        let review = review.await??;
        let mut event = event(caller, Action::ReadQuarantined, Some(path(&place)), request_id);
        event.documents = vec![path(&place)];
        event.count = 1;
        self.told(caller, review, event).await
    }

    /// Releases a document that is held back: it is searchable, under its ACL, for every request that begins after the answer.
    ///
    /// # Errors
    /// [`CommitError::Moved`] where another content stands there than the one that was looked at; [`IngestError::NotFound`] where nothing is held back there any more.
    pub async fn release(
        &self,
        permit: &Permit<ReviewQuarantine>,
        place: Place,
        content_hash: &str,
        decision: Decision,
        request_id: &str,
    ) -> Result<Answer<Ingested>, IngestError> {
        let caller = in_own_name(permit)?;
        let collection = self.reviewable(caller, &place.collection)?;
        let (kept, original) = self.held(caller, &place).await?;
        if kept.document.info.content_hash != content_hash {
            return Err(CommitError::Moved.into());
        }
        let sanitize = match decision {
            Decision::Strip => SanitizePolicy::Strip,
            Decision::Flag => SanitizePolicy::Flag,
        };
        let draft = self.redraft(caller, &collection, &place, original, sanitize).await?;
        if draft.quarantine.is_some() {
            return Err(IngestError::Unreleasable);
        }
        let (chunk_count, removed, findings) = (draft.chunks.len(), draft.removed, draft.findings.clone());
        let rework = Rework { cause: Cause::Released, decision: Some(decision) };
        let committed = self.rework(caller, &collection, &place, &kept, draft, rework, request_id).await?;
        let ingested = Ingested {
            chunk_count,
            revision: committed.revision,
            content_hash: content_hash.to_owned(),
            removed,
            findings,
            quarantined: false,
            place,
        };
        Ok(Answer::new(ingested, committed.receipt))
    }

    /// Rejects a document that is held back: it is gone, with its original. Gives the sealed revision.
    ///
    /// # Errors
    /// [`CommitError::Moved`] where another content stands there than the one that was looked at; [`IngestError::NotFound`] where nothing is held back there any more.
    pub async fn reject(
        &self,
        permit: &Permit<ReviewQuarantine>,
        place: Place,
        content_hash: String,
        request_id: &str,
    ) -> Result<Answer<String>, IngestError> {
        let caller = in_own_name(permit)?;
        self.reviewable(caller, &place.collection)?;
        let Place { collection, document } = place;
        let write = Write::RejectDocument { tenant: caller.tenant().clone(), collection, document, content_hash };
        let committed = self.commit(caller, write, 200, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    /// The settings of a collection in which the caller reviews.
    pub(super) fn reviewable(
        &self,
        caller: &Caller,
        collection: &CollectionId,
    ) -> Result<Arc<CollectionRecord>, IngestError> {
        let settings = self.catalog.collections(caller.tenant()).get(collection).cloned();
        settings.filter(|_| caller.ceiling().contains(collection)).ok_or(IngestError::NotFound)
    }

    async fn held(&self, caller: &Caller, place: &Place) -> Result<(Kept, Original), IngestError> {
        let kept = self.store.kept(caller.tenant(), &place.collection, &place.document).await?;
        let kept = kept.filter(|kept| matches!(kept.content, StoredContent::Quarantined { .. }));
        let kept = kept.ok_or(IngestError::NotFound)?;
        let original = self.original(caller.tenant(), place, &kept)?.ok_or(IngestError::NotFound)?;
        Ok((kept, original))
    }

    /// The original of a document with all of its client's vectors; `None` where it is not kept.
    pub(super) fn original(
        &self,
        tenant: &TenantId,
        place: &Place,
        kept: &Kept,
    ) -> Result<Option<Original>, IngestError> {
        let Some(sealed) = &kept.source else { return Ok(None) };
        let vault = TenantKeys::derive(&self.master, tenant).vault();
        let keeping = super::original::Keeping::new(vault, &place.collection, &place.document);
        let mut original = keeping.open(sealed)?;
        if let StoredContent::Active(chunks) = &kept.content {
            let served = chunks.iter().filter_map(|chunk| Some((chunk.prepared.ordinal(), chunk.vector.clone()?)));
            original.vectors.extend(served);
        }
        Ok(Some(original))
    }

    /// Has an original judged anew.
    pub(super) async fn redraft(
        &self,
        caller: &Caller,
        collection: &CollectionRecord,
        place: &Place,
        original: Original,
        sanitize: SanitizePolicy,
    ) -> Result<Draft, IngestError> {
        let parsed = self.parse(&original.content, &[]).await?;
        let intake = Intake { sanitize, ..self.intake(caller, collection, place) };
        let content_key = TenantKeys::derive(&self.master, caller.tenant()).content_key();
        let embedder = Arc::clone(&self.embedder);
        self.draft_with(move || redraft(original, parsed, &intake, &embedder, &content_key)).await
    }

    /// Commits what was made anew from an original, unless the document was written since that was read.
    #[expect(clippy::too_many_arguments, reason = "whose, where, from what, what and why")]
    pub(super) async fn rework(
        &self,
        caller: &Caller,
        collection: &CollectionRecord,
        place: &Place,
        kept: &Kept,
        draft: Draft,
        rework: Rework,
        request_id: &str,
    ) -> Result<Committed, IngestError> {
        let info = &kept.document.info;
        let expected = Expected {
            content_hash: info.content_hash.clone(),
            source_digest: kept.source_digest.clone().ok_or(IngestError::NotFound)?,
            is_active: matches!(kept.content, StoredContent::Active(_)),
        };
        // It is the hash of what was sent, which is the same.
        let draft = Draft { content_hash: info.content_hash.clone(), ..draft };
        let document = document_write(caller, place, kept.document.acl.clone(), collection.embedding, draft);
        let Rework { cause, decision } = rework;
        let write = Write::ReworkDocument(Box::new(ReworkWrite { document, expected, cause, decision }));
        self.commit(caller, write, 200, request_id).await
    }

    /// Records what a reviewer is about to be told.
    pub(super) async fn told<T>(&self, caller: &Caller, body: T, event: AuditEvent) -> Result<Answer<T>, IngestError> {
        if !self.authenticator.still_valid(caller) {
            return Err(IngestError::CredentialGone);
        }
        let receipt = record(&self.audit, event).await?;
        Ok(Answer::new(body, receipt))
    }
}

impl std::fmt::Debug for Review {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Review({:?}, {:?})", self.held.place, self.original)
    }
}

/// Why a document is made anew, and what a reviewer said of it.
pub(super) struct Rework {
    pub(super) cause: Cause,
    pub(super) decision: Option<Decision>,
}

impl Held {
    fn new(
        document: ringfence_indexes::Document,
        reason: QuarantineReason,
        policy: &ReleasePolicy,
        names: &Names,
    ) -> Self {
        let info = &document.info;
        Self {
            labels: release_labels(&Labels::of(info), policy),
            reason,
            findings: info.findings.clone(),
            provenance: Provenance::of(info),
            place: Place { collection: document.collection, document: document.id },
            // With the names that it means now: who bore one before is nobody.
            acl: names.shown(&document.acl),
        }
    }
}

/// The caller, who must be the credential's own holder.
pub(super) fn in_own_name<A>(permit: &Permit<A>) -> Result<&Caller, IngestError> {
    let caller = permit.caller();
    if caller.acting_for().is_some() { Err(IngestError::OnBehalf) } else { Ok(caller) }
}

pub(super) fn event(caller: &Caller, action: Action, resource: Option<String>, request_id: &str) -> AuditEvent {
    let event = AuditEvent::new(Some(caller.tenant().clone()), caller.actor(), action, request_id);
    AuditEvent { resource, ..event }
}

fn path(place: &Place) -> String {
    format!("{}/{}", place.collection, place.document)
}

#[expect(clippy::disallowed_methods, reason = "the raw title goes into the sanitiser")]
fn title(original: &Original) -> Option<String> {
    original.title.as_ref().map(|title| title.expose_untrusted().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a reviewer looks at the text that places count in")]
fn shown(text: &UntrustedText) -> String {
    text.expose_untrusted().to_owned()
}

fn media_type(content: &Content, detected: &str) -> String {
    match content {
        Content::File { media_type: Some(declared), .. } => declared.clone(),
        Content::Chunks(_) => "application/json".to_owned(),
        Content::File { .. } | Content::Text(_) => detected.to_owned(),
    }
}

fn released(prepared: &ringfence_ingest::Prepared, info: &DocumentInfo, policy: &ReleasePolicy) -> Vec<ReleasedChunk> {
    prepared.chunks.iter().map(|chunk| release(&Passage::of(chunk, info), policy)).collect()
}
