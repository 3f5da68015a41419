//! Judging documents anew: what another version of the sanitiser made is made again from its original by the present one.
//!
//! Page by page, so that it can be broken off and resumed: what is of the present version is passed over. The ACL, the version, the time and the name of the one who ingested stay.
//!
//! - Nothing leaves quarantine without a reviewer: what is held back stays held back, with what the present version finds in it.
//! - What the present version refuses is held back.
//! - What a reviewer released stays released as it was decided; unless it was released flagged and the present version finds something that the reviewer did not see, or fails on it. Then the collection's policy decides as for a new document.

use std::time::Duration;

use futures_util::future::join_all;
use ringfence_indexes::{CollectionId, Selection};
use ringfence_ingest::{Action as Done, Finding, PreparedChunk, QuarantineReason, SanitizePolicy};
use tokio::time::Instant;

use super::{
    draft::{Draft, DraftError},
    original::Original,
    review::{Rework, event, in_own_name},
    service::{IngestError, Ingestion, Place},
};
use crate::{
    audit::Action,
    authn::Caller,
    authz::{self, Permit},
    commit::{Cause, CommitError},
    retrieval::answer::Answer,
    seal::TenantKeys,
    store::{CollectionRecord, Decision, Kept, Outdated, PlaceAfter, StoreError, StoredContent},
};

/// Documents that are judged at the same time.
const AT_ONCE: usize = 4;
/// A page ends early after so long, so that a request does not take for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which documents are judged anew.
#[derive(Clone, Debug)]
pub struct Reprocessing {
    /// In this collection alone.
    pub collection: Option<CollectionId>,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// After this place.
    pub after: Option<PlaceAfter>,
    /// How many at most.
    pub limit: usize,
}

/// What became of a page of documents.
#[derive(Debug)]
pub struct ReprocessedPage {
    /// The present version.
    pub sanitizer: String,
    /// The documents that were judged.
    pub documents: Vec<Reprocessed>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<PlaceAfter>,
    /// The sealed revision.
    pub revision: String,
}

/// What became of one document.
#[derive(Debug)]
pub struct Reprocessed {
    /// Its place.
    pub place: Place,
    /// What became of it.
    pub became: Became,
    /// How many findings had been taken out.
    pub removed_before: usize,
    /// How many are now.
    pub removed_after: usize,
}

/// What became of a document that was judged anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// What is served is the same.
    Unchanged,
    /// Other passages are served, or other findings told.
    Changed,
    /// It is held back now.
    Quarantined,
    /// It was held back, and is.
    StillQuarantined,
    /// Its original is not kept: it stays as it is.
    WithoutSource,
    /// What is kept of it cannot be read: it stays as it is.
    Unreadable,
    /// It was written or deleted meanwhile.
    Moved,
}

impl Became {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Quarantined => "quarantined",
            Self::StillQuarantined => "still-quarantined",
            Self::WithoutSource => "without-source",
            Self::Unreadable => "unreadable",
            Self::Moved => "moved",
        }
    }
}

impl Ingestion {
    /// Judges a page of documents anew.
    ///
    /// # Errors
    /// [`IngestError`] where it cannot go on; what was judged before is written.
    pub async fn reprocess(
        &self,
        permit: &Permit<authz::Reprocess>,
        asked: Reprocessing,
        request_id: &str,
    ) -> Result<Answer<ReprocessedPage>, IngestError> {
        let caller = in_own_name(permit)?;
        let selection = match &asked.collection {
            None => caller.ceiling().clone(),
            Some(collection) => {
                self.reviewable(caller, collection)?;
                Selection::Only([collection.clone()].into())
            }
        };
        let sanitizer = self.sanitizer.clone();
        let after = asked.after.as_ref();
        let mut found = self.store.outdated(caller.tenant(), &selection, &sanitizer, after, asked.limit + 1).await?;
        let mut has_more = found.len() > asked.limit;
        found.truncate(asked.limit);
        let (started, mut documents) = (Instant::now(), Vec::with_capacity(found.len()));
        for group in found.chunks(AT_ONCE) {
            if started.elapsed() > PATIENCE {
                has_more = true;
                break;
            }
            let judged = group.iter().map(|outdated| self.reprocess_one(caller, outdated, asked.dry_run, request_id));
            for reprocessed in join_all(judged).await {
                documents.push(reprocessed?);
            }
        }
        let last = documents.last().map(|last: &Reprocessed| &last.place).filter(|_| has_more);
        let next = last.map(|place| (place.collection.clone(), place.document.clone()));
        let epoch = self.engine.epoch(caller.tenant()).ok_or(IngestError::CredentialGone)?;
        let revision = TenantKeys::derive(&self.master, caller.tenant()).sealer().seal_revision(epoch, &self.entropy);
        let resource = asked.collection.as_ref().map(ToString::to_string);
        let mut event = event(caller, Action::Reprocess, resource, request_id);
        event.count = documents.len();
        self.told(caller, ReprocessedPage { sanitizer, documents, next, revision }, event).await
    }

    async fn reprocess_one(
        &self,
        caller: &Caller,
        outdated: &Outdated,
        dry_run: bool,
        request_id: &str,
    ) -> Result<Reprocessed, IngestError> {
        let place = Place { collection: outdated.collection.clone(), document: outdated.document.clone() };
        let stays =
            |place, became, removed| Ok(Reprocessed { place, became, removed_before: removed, removed_after: removed });
        let kept = match self.store.kept(caller.tenant(), &place.collection, &place.document).await {
            // One damaged row must not keep all others from being judged.
            Err(StoreError::Damaged(_)) => return stays(place, Became::Unreadable, 0),
            kept => kept?,
        };
        let collection = self.catalog.collections(caller.tenant()).get(&place.collection).cloned();
        let (Some(kept), Some(collection)) = (kept, collection) else {
            return stays(place, Became::Moved, 0);
        };
        let removed = kept.document.info.removed;
        if self.original(caller.tenant(), &place, &kept).is_err() {
            return stays(place, Became::Unreadable, removed);
        }
        let Some((draft, decision)) = self.judged(caller, &collection, &place, &kept).await? else {
            return stays(place, Became::WithoutSource, removed);
        };
        let (became, removed_after) = (became(&kept, &draft), draft.removed);
        if !dry_run {
            let rework = Rework { cause: Cause::Reprocessed, decision };
            match self.rework(caller, &collection, &place, &kept, draft, rework, request_id).await {
                Ok(_committed) => {}
                Err(IngestError::NotFound | IngestError::Commit(CommitError::Moved)) => {
                    return stays(place, Became::Moved, removed);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Reprocessed { place, became, removed_before: removed, removed_after })
    }

    /// What the present version makes of a document, and which decision of a reviewer still stands; `None` without an original.
    async fn judged(
        &self,
        caller: &Caller,
        collection: &CollectionRecord,
        place: &Place,
        kept: &Kept,
    ) -> Result<Option<(Draft, Option<Decision>)>, IngestError> {
        let judge = async |sanitize: SanitizePolicy| {
            let Some(original) = self.original(caller.tenant(), place, kept)? else { return Ok(None) };
            match self.redraft(caller, collection, place, original, sanitize).await {
                Ok(draft) => Ok(Some(draft)),
                Err(IngestError::Draft(refusal)) => self.refused(caller, collection, place, kept, &refusal).map(Some),
                Err(error) => Err(error),
            }
        };
        if let StoredContent::Quarantined { reason, .. } = kept.content {
            let Some(draft) = judge(SanitizePolicy::Quarantine).await? else { return Ok(None) };
            let Some(original) = self.original(caller.tenant(), place, kept)? else { return Ok(None) };
            // What is held back stays held back, whatever is found now; and its original with it, whole.
            let quarantine = Some(draft.quarantine.unwrap_or(reason));
            let source = Some(self.kept_again(caller, collection, place, &original));
            return Ok(Some((Draft { chunks: Vec::new(), quarantine, source, ..draft }, None)));
        }
        let decided = match kept.decision {
            Some(Decision::Strip) => judge(SanitizePolicy::Strip).await?,
            Some(Decision::Flag) => judge(SanitizePolicy::Flag).await?.filter(|draft| {
                draft.quarantine.is_none() && !finds_more(&draft.findings, &kept.document.info.findings)
            }),
            None => None,
        };
        if let Some(draft) = decided {
            let decision = kept.decision.filter(|_| draft.quarantine.is_none());
            return Ok(Some((draft, decision)));
        }
        let draft = judge(collection.sanitize).await?;
        Ok(draft.map(|draft| (draft, None)))
    }

    /// A document that the present version refuses: held back as it is.
    fn refused(
        &self,
        caller: &Caller,
        collection: &CollectionRecord,
        place: &Place,
        kept: &Kept,
        refusal: &DraftError,
    ) -> Result<Draft, IngestError> {
        tracing::warn!(collection.id = %place.collection, reason = %refusal, "the present version refuses a document: it is held back");
        let Some(original) = self.original(caller.tenant(), place, kept)? else { return Err(IngestError::NotFound) };
        let info = &kept.document.info;
        Ok(Draft {
            title: info.title.clone(),
            uri: info.uri.clone(),
            metadata: info.metadata.clone(),
            chunks: Vec::new(),
            awaits_vectors: false,
            content_hash: info.content_hash.clone(),
            findings: info.findings.clone(),
            removed: info.removed,
            quarantine: Some(QuarantineReason::Refused),
            source: Some(self.kept_again(caller, collection, place, &original)),
            sanitizer: self.sanitizer.clone(),
        })
    }

    fn kept_again(
        &self,
        caller: &Caller,
        collection: &CollectionRecord,
        place: &Place,
        original: &Original,
    ) -> Vec<u8> {
        let vectors = original.vectors.iter().map(|(index, vector)| (*index, vector));
        let written = super::original::Written::of_original(original);
        self.intake(caller, collection, place).keeping.seal(written, vectors)
    }
}

/// Whether something is left in place now that was not seen at its place before.
fn finds_more(now: &[Finding], before: &[Finding]) -> bool {
    let is_known = |finding: &Finding| {
        before.iter().any(|known| {
            known.kind == finding.kind
                && known.range.start <= finding.range.start
                && finding.range.end <= known.range.end
        })
    };
    now.iter().filter(|finding| finding.action == Done::Flagged).any(|finding| !is_known(finding))
}

fn became(kept: &Kept, draft: &Draft) -> Became {
    let served = match &kept.content {
        StoredContent::Quarantined { .. } => return Became::StillQuarantined,
        StoredContent::Active(chunks) => chunks,
    };
    if draft.quarantine.is_some() {
        return Became::Quarantined;
    }
    let passages = |chunks: &[ringfence_indexes::DocumentChunk]| -> Vec<PreparedChunk> {
        chunks.iter().map(|chunk| chunk.prepared.clone()).collect()
    };
    let info = &kept.document.info;
    let is_same = passages(served) == passages(&draft.chunks)
        && (&info.title, &info.uri, &info.metadata) == (&draft.title, &draft.uri, &draft.metadata)
        && (&info.findings, info.removed) == (&draft.findings, draft.removed);
    if is_same { Became::Unchanged } else { Became::Changed }
}
