//! The search service: permit in, recorded answer out.

use std::{collections::BTreeMap, sync::Arc};

use ringfence_indexes::{CollectionId, Engine, EngineError, Selection};
use tokio::sync::Semaphore;

use super::{
    answer::{Answer, SearchAnswer},
    query::Query,
    ranking::{Found, Reader, ReleasedHit, find, tokens},
};
use crate::{
    audit::{Action, Actor, AuditError, AuditEvent, AuditLog, QueryDigest},
    authn::{Authenticator, Caller, Credential},
    authz::{Permit, Search},
    clock::Clock,
    context::{Quoted, render},
    embed::Embedder,
    entropy::Entropy,
    release::ReleasePolicy,
    seal::{MasterKey, TenantKeys},
};

/// How often a search is made again because what it found was withdrawn meanwhile.
const ATTEMPTS_MAX: usize = 4;

/// The release policies of a tenant's collections. A collection that is not in it gets the strictest.
pub type Policies = Arc<BTreeMap<CollectionId, ReleasePolicy>>;

/// Searches, one straight path: scope, rank, release, look again, record.
pub struct Searcher {
    /// Who knows whether a credential still holds.
    pub authenticator: Arc<Authenticator>,
    /// The indexes.
    pub engine: Arc<Engine>,
    /// The built-in embedder.
    pub embedder: Arc<Embedder>,
    /// Where answers are recorded.
    pub audit: Arc<AuditLog>,
    /// The present.
    pub clock: Arc<Clock>,
    /// Where nonces come from.
    pub entropy: Arc<Entropy>,
    /// What the tenants' keys derive from.
    pub master: Arc<MasterKey>,
    /// How many searches compute at the same time.
    pub slots: Arc<Semaphore>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// 503: what was found was withdrawn again and again while it was being answered.
    #[error("what may be read is changing too fast: try again")]
    Unsettled,
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
        query: Query,
        policies: Policies,
        request_id: &str,
    ) -> Result<Answer<SearchAnswer>, SearchError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_closed| SearchError::Stopping)?;
        let event = self.event(permit.caller(), &query, request_id);
        let caller = permit.caller().clone();
        let searcher = Arc::clone(self);
        let compute = move || {
            let _slot = slot;
            searcher.answer(&caller, &query, &policies, event)
        };
        // A panic inside goes on here, where the catch-panic layer makes it a 500 without content.
        tokio::task::spawn_blocking(compute).await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_cancelled) => Err(SearchError::Stopping),
        })
    }

    fn answer(
        &self,
        caller: &Caller,
        query: &Query,
        policies: &BTreeMap<CollectionId, ReleasePolicy>,
        mut event: AuditEvent,
    ) -> Result<Answer<SearchAnswer>, SearchError> {
        let reader = &reader(caller, &query.collections);
        for _ in 0..ATTEMPTS_MAX {
            let found = find(&self.engine, &self.embedder, reader, query, self.clock.now())?;
            let hits = found.release(policies, query.max_tokens);
            if !found.still_permitted(&self.engine, reader, self.clock.now())? {
                continue;
            }
            if !self.authenticator.still_valid(caller) {
                return Err(SearchError::CredentialGone);
            }
            event.documents = documents(&hits);
            event.count = hits.len();
            let receipt = self.audit.record(&event)?;
            return Ok(Answer::new(self.body(reader, query, &found, hits), receipt));
        }
        Err(SearchError::Unsettled)
    }

    fn body(&self, reader: &Reader, query: &Query, found: &Found, hits: Vec<ReleasedHit>) -> SearchAnswer {
        let quoted: Vec<_> = hits.iter().map(|hit| Quoted { document: &hit.document_id, chunk: &hit.chunk }).collect();
        let context = render(query.format, &quoted, self.entropy.bytes());
        let sealer = TenantKeys::derive(&self.master, reader.subject.tenant()).sealer();
        let revision = sealer.seal_revision(found.epoch(), &self.entropy);
        SearchAnswer { tokens: tokens(&hits), context, revision, hits }
    }

    fn event(&self, caller: &Caller, query: &Query, request_id: &str) -> AuditEvent {
        let keys = TenantKeys::derive(&self.master, caller.tenant());
        AuditEvent {
            tenant: Some(caller.tenant().clone()),
            actor: actor(caller),
            action: Action::Search,
            resource: None,
            status: 200,
            request_id: request_id.to_owned(),
            query: Some(QueryDigest::new(&keys.query_key(), query.text.as_str())),
            documents: Vec::new(),
            count: 0,
        }
    }
}

/// The reader of a request: the credential's ceiling and the request's own limit together.
fn reader(caller: &Caller, asked: &Selection) -> Reader {
    Reader { subject: caller.subject().clone(), selection: caller.ceiling().intersect(asked) }
}

/// Who acts, as the audit log names them.
#[must_use]
pub fn actor(caller: &Caller) -> Actor {
    let credential = match caller.credential() {
        Credential::Key { id, .. } => id.clone(),
        Credential::Token(facts) => format!("{} {}", facts.issuer, facts.jti.as_deref().unwrap_or("-")),
    };
    Actor {
        credential,
        principal: caller.principal().map(|principal| principal.as_str().to_owned()),
        acting_for: caller.acting_for().map(|principal| principal.as_str().to_owned()),
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
