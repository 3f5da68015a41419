//! A search from the scope to released passages: computing only, for the blocking pool.
//!
//! Nothing here can reach a document outside of the scope: the engine is asked for a [`Scope`] first, and only that is searched.

use std::collections::BTreeSet;

use ringfence_indexes::{
    CollectionId, Engine, EngineError, Hit, Mode, Principal, Scope, SearchRequest, Selection, Subject, Timestamp,
};

use super::{
    emergency::GrantUses,
    policies::Policies,
    query::{Query, estimated_tokens, fitting},
};
use crate::{
    embed::{EmbedFailure, Embedder, PlacedQuery},
    release::{Passage, Provenance, ReleasePolicy, ReleasedChunk, release},
};

/// Who asks, and of which collections: the limits of the credential and of the request together.
#[derive(Clone, Debug)]
pub struct Reader {
    /// On whose behalf documents are read.
    pub subject: Subject,
    /// The collections that both the credential and the request allow.
    pub selection: Selection,
    /// Who else must be allowed to read what is found.
    pub audience: Option<BTreeSet<Principal>>,
}

impl Reader {
    /// What may be found for this reader now.
    ///
    /// # Errors
    /// [`EngineError`] where the tenant is gone.
    pub fn scope(&self, engine: &Engine, now: Timestamp) -> Result<Scope, EngineError> {
        let scope = engine.scope(&self.subject, &self.selection, now)?;
        Ok(match &self.audience {
            Some(audience) => scope.shared_with(audience, now),
            None => scope,
        })
    }
}

/// What a scope gave, not yet released.
#[derive(Debug)]
pub struct Found {
    epoch: u64,
    hits: Vec<Hit>,
    uses: GrantUses,
}

/// One entry of an answer.
#[derive(Debug)]
pub struct ReleasedHit {
    /// The passage's name, which neither counts nor tells.
    pub chunk_id: String,
    /// The document's name, as the client gave it.
    pub document_id: String,
    /// Where the document lies.
    pub collection: CollectionId,
    /// What orders the list.
    pub score: f32,
    /// The BM25 score, if a word matched.
    pub keyword: Option<f32>,
    /// The cosine, if both sides have a vector of one space.
    pub vector: Option<f32>,
    /// The passage.
    pub chunk: ReleasedChunk,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The tenant is gone or an index fails.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The query has no vector.
    #[error(transparent)]
    Embedder(#[from] EmbedFailure),
}

/// Searches within a scope, with the query as [`Embedder::ask_query`] placed it.
///
/// # Errors
/// [`FindError`] where an index or the embedder fails.
pub fn find(embedder: &Embedder, placed: &PlacedQuery, scope: &Scope, query: &Query) -> Result<Found, FindError> {
    // Embedded whatever documents the scope holds: the work must not tell whether there is something to compare with.
    let embedded = match placed {
        _ if query.mode == Mode::Keyword || !scope.compares_builtin_vectors() => None,
        PlacedQuery::Known(vector) => vector.clone(),
        PlacedQuery::Here => embedder.embed_query(query.text.as_str())?,
    };
    let hits = scope.search(&SearchRequest {
        query: query.text.as_str(),
        builtin_vector: embedded.as_ref(),
        client_vector: query.vector.as_ref(),
        mode: query.mode,
        filter: &query.filter,
        top_k: query.top_k,
        max_per_document: query.max_per_document,
        collapse_duplicates: query.collapse_duplicates,
        prefix: query.prefix,
        min_score: query.min_score,
        diversity: query.diversity,
    })?;
    let uses = GrantUses::of(scope, hits.iter().map(|hit| (hit.document.collection(), hit.document.id())));
    Ok(Found { epoch: scope.epoch(), hits, uses })
}

impl Found {
    /// Whether every hit may still be read, by the newest snapshot and the present time.
    ///
    /// It looks at these hits alone. Comparing epochs instead would recompute after each write of others, and so let their doings show in the time of an answer.
    ///
    /// # Errors
    /// [`EngineError`] where the tenant is gone.
    pub fn still_permitted(&self, engine: &Engine, reader: &Reader, now: Timestamp) -> Result<bool, EngineError> {
        Ok(reader.scope(engine, now)?.still_permits(&self.hits))
    }

    /// What it owes to emergency grants.
    #[must_use]
    pub const fn uses(&self) -> &GrantUses {
        &self.uses
    }

    /// The snapshot that was searched. It leaves only sealed.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Redacts and labels the hits by their collections' policies, and keeps as many as fit.
    #[must_use]
    pub fn release(&self, policies: &Policies, max_tokens: Option<usize>) -> Vec<ReleasedHit> {
        let release = |hit: &Hit| release_hit(hit, &policies.of(hit.document.collection()));
        let mut released: Vec<_> = self.hits.iter().map(release).collect();
        released.truncate(fitting(released.iter().map(|hit| hit.chunk.text()), max_tokens));
        released
    }
}

/// The estimated tokens of the passages together.
#[must_use]
pub fn tokens(hits: &[ReleasedHit]) -> usize {
    hits.iter().map(|hit| estimated_tokens(hit.chunk.text())).sum()
}

fn release_hit(hit: &Hit, policy: &ReleasePolicy) -> ReleasedHit {
    let info = hit.document.info();
    ReleasedHit {
        chunk_id: hit.chunk.id().to_string(),
        document_id: hit.document.id().as_str().to_owned(),
        collection: hit.document.collection().clone(),
        score: hit.score,
        keyword: hit.keyword,
        vector: hit.vector,
        chunk: release(&Passage::of(hit.chunk.prepared(), info), policy),
        provenance: Provenance::of(info),
    }
}
