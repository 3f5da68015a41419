//! The search service: permit in, recorded answer out.

use std::{collections::BTreeSet, sync::Arc};

use ringfence_indexes::{
    Engine, EngineError, Mode, Scope, TenantId, VectorSource,
    failpoint::{self, Fault, Place},
};

use super::{
    answer::{Answer, SearchAnswer, compute_in_place},
    policies::Policies,
    query::Query,
    ranking::{FindError, Found, Reader, ReleasedHit, find, tokens},
    slots::Slots,
};
use crate::{
    audit::{Action, AuditError, AuditEvent, AuditLog, QueryDigest},
    authn::{Authenticator, Caller},
    authz::{Permit, Search},
    catalog::Catalog,
    clock::Clock,
    context::{Quoted, render},
    embed::{EmbedFailure, Embedder, PlacedQuery},
    entropy::Entropy,
    seal::{MasterKey, TenantKeys},
};

/// How often a search is made again because what it found was withdrawn meanwhile.
const ATTEMPTS_MAX: usize = 4;

/// Searches, one straight path: scope, rank, release, look again, record.
pub struct Searcher {
    /// Who knows whether a credential still holds.
    pub authenticator: Arc<Authenticator>,
    /// The indexes.
    pub engine: Arc<Engine>,
    /// How the collections are set.
    pub catalog: Arc<Catalog>,
    /// What turns queries into vectors.
    pub embedder: Arc<Embedder>,
    /// Where answers are recorded.
    pub audit: Arc<AuditLog>,
    /// The present.
    pub clock: Arc<Clock>,
    /// Where nonces come from.
    pub entropy: Arc<Entropy>,
    /// What the tenants' keys derive from.
    pub master: Arc<MasterKey>,
    /// How many searches compute at the same time, and how many may wait.
    pub slots: Arc<Slots>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// 503: what was found was withdrawn again and again while it was being answered.
    #[error("what may be read is changing too fast: try again")]
    Unsettled,
    /// 503: more searches wait already than will soon be served.
    #[error("too many searches are waiting: try again")]
    Busy,
    /// 422: the query's vector has another length than those it would be compared with.
    #[error("has {found} numbers, but the vectors it would be compared with have {expected}")]
    VectorLength {
        /// The length of the query's vector.
        found: usize,
        /// A length that would fit.
        expected: usize,
    },
    /// 503: the embedder gives no vector for the query.
    #[error(transparent)]
    Embedder(#[from] EmbedFailure),
    /// 401: the credential was revoked or ran out while the answer was made.
    #[error("the credential does not hold any more")]
    CredentialGone,
    /// 503: no record, no answer.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// 503: an index failed, or the tenant is going.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// 503: the server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl Searcher {
    /// Searches on behalf of the permit's subject.
    ///
    /// # Errors
    /// [`SearchError`], none of which says what exists.
    pub async fn search(
        self: &Arc<Self>,
        permit: &Permit<Search>,
        mut query: Query,
        request_id: &str,
    ) -> Result<Answer<SearchAnswer>, SearchError> {
        query.top_k = query.top_k.min(permit.caller().results_max().unwrap_or(usize::MAX));
        // Asked before there is a place to compute in, so that waiting for a remote embedder keeps nobody from searching.
        let placed = self.place(permit.caller(), &query).await?;
        let slot = self.slots.take(permit.tenant()).await.ok_or(SearchError::Busy)?;
        let keys = TenantKeys::derive(&self.master, permit.tenant());
        let event = event(permit.caller(), &query, &keys, request_id);
        let caller = permit.caller().clone();
        let searcher = Arc::clone(self);
        let answer = move || {
            let _slot = slot;
            searcher.answer(&caller, &query, &placed, (event, &keys))
        };
        compute_in_place(self.slots.places(), answer).await.unwrap_or(Err(SearchError::Stopping))
    }

    fn answer(
        &self,
        caller: &Caller,
        query: &Query,
        placed: &PlacedQuery,
        (mut event, keys): (AuditEvent, &TenantKeys),
    ) -> Result<Answer<SearchAnswer>, SearchError> {
        for _ in 0..ATTEMPTS_MAX {
            let policies = self.policies(caller);
            let reader = reader(caller, query, &policies);
            let scope = reader.scope(&self.engine, self.clock.now())?;
            self.check_vector_length(&scope, caller.tenant(), query)?;
            let found = find(&self.embedder, placed, &scope, query)?;
            let hits = found.release(&policies, query.max_tokens);
            failpoint::reached(Place::Released, caller.tenant());
            let is_settled = failpoint::has(Fault::NoRecheck, caller.tenant())
                || (found.still_permitted(&self.engine, &reader, self.clock.now())?
                    && policies.still_hold(&self.policies(caller), hits.iter().map(|hit| &hit.collection)));
            if !is_settled {
                continue;
            }
            failpoint::reached(Place::Rechecked, caller.tenant());
            if !self.authenticator.still_valid(caller) {
                return Err(SearchError::CredentialGone);
            }
            event.documents = documents(&hits);
            event.count = hits.len();
            found.uses().record(&self.audit, &event)?;
            let receipt = self.audit.record(&event)?;
            return Ok(Answer::new(self.body(keys, query, &found, hits), receipt));
        }
        Err(SearchError::Unsettled)
    }

    fn policies(&self, caller: &Caller) -> Policies {
        Policies::for_caller(&self.catalog, caller)
    }

    /// The query's place, if a remote embedder has to be asked for it: where a collection that the caller may read is searched by its vectors.
    async fn place(&self, caller: &Caller, query: &Query) -> Result<PlacedQuery, SearchError> {
        if query.mode == Mode::Keyword || !self.embedder.is_remote() {
            return Ok(PlacedQuery::Here);
        }
        let policies = self.policies(caller);
        let scope = reader(caller, query, &policies).scope(&self.engine, self.clock.now())?;
        let settings = self.catalog.collections(caller.tenant());
        let mut readable = settings.values().filter(|settings| scope.may_read_collection(&settings.id));
        if !readable.any(|settings| matches!(settings.embedding, VectorSource::Builtin { .. })) {
            return Ok(PlacedQuery::Known(None));
        }
        Ok(self.embedder.ask_query(query.text.as_str()).await?)
    }

    /// Refuses a vector that fits none of the readable collections with client vectors; where there are none it has nothing to fit.
    ///
    /// What is not readable has no part in this: the answer must not tell that it exists.
    fn check_vector_length(&self, scope: &Scope, tenant: &TenantId, query: &Query) -> Result<(), SearchError> {
        let Some(vector) = &query.vector else { return Ok(()) };
        let found = vector.values().len();
        let settings = self.catalog.collections(tenant);
        let lengths = settings.values().filter(|settings| scope.may_read_collection(&settings.id));
        let lengths: BTreeSet<usize> = lengths
            .filter_map(|settings| match settings.embedding {
                VectorSource::Client { dimensions } => Some(dimensions),
                VectorSource::Builtin { .. } => None,
            })
            .collect();
        match lengths.first() {
            Some(expected) if !lengths.contains(&found) => {
                Err(SearchError::VectorLength { found, expected: *expected })
            }
            _ => Ok(()),
        }
    }

    fn body(&self, keys: &TenantKeys, query: &Query, found: &Found, hits: Vec<ReleasedHit>) -> SearchAnswer {
        let quoted: Vec<_> = hits.iter().map(|hit| Quoted { document: &hit.document_id, chunk: &hit.chunk }).collect();
        let context = render(query.format, &quoted, self.entropy.bytes());
        let revision = keys.sealer().seal_revision(found.epoch(), &self.entropy);
        SearchAnswer { tokens: tokens(&hits), context, revision, hits }
    }
}

fn event(caller: &Caller, query: &Query, keys: &TenantKeys, request_id: &str) -> AuditEvent {
    AuditEvent {
        query: Some(QueryDigest::new(&keys.query_key(), query.text.as_str())),
        ..AuditEvent::new(Some(caller.tenant().clone()), caller.actor(), Action::Search, request_id)
    }
}

/// The reader of a request: the credential's ceiling and the request's own limit together.
fn reader(caller: &Caller, query: &Query, policies: &Policies) -> Reader {
    let asked = policies.trusted(&query.collections, query.min_trust);
    Reader {
        subject: caller.subject().clone(),
        selection: caller.ceiling().intersect(&asked),
        audience: query.audience.clone(),
    }
}

/// Each document once, in the order of its best passage.
fn documents(hits: &[ReleasedHit]) -> Vec<String> {
    let mut documents: Vec<String> = Vec::new();
    for hit in hits {
        let name = format!("{}/{}", hit.collection, hit.document_id);
        if !documents.contains(&name) {
            documents.push(name);
        }
    }
    documents
}

impl From<FindError> for SearchError {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Engine(error) => Self::Engine(error),
            FindError::Embedder(failure) => Self::Embedder(failure),
        }
    }
}
