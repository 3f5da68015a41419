//! Reading one document and listing them: scoped like a search, released like a search, looked at again before it leaves.

use std::sync::Arc;

use ringfence_indexes::{
    Acl, CollectionId, DocumentId, DocumentView, Engine, EngineError, Scope,
    failpoint::{self, Fault, Place},
};
use ringfence_ingest::Finding;

use super::{
    answer::{Answer, compute},
    emergency::GrantUses,
    policies::Policies,
    visibility::Visibility,
};
use crate::{
    audit::{Action, AuditError, AuditEvent, AuditLog},
    authn::{Authenticator, Caller},
    authz::{self, Permit, Read},
    catalog::Catalog,
    clock::Clock,
    release::{Labels, Passage, Provenance, ReleasedChunk, ReleasedLabels, release, release_labels},
};

/// How often a reading is made again because what it read was changed meanwhile.
const ATTEMPTS_MAX: usize = 4;

/// Reads documents, one straight path: scope, fetch, release, look again, record.
pub struct DocumentReader {
    /// Who knows whether a credential still holds.
    pub authenticator: Arc<Authenticator>,
    /// The indexes.
    pub engine: Arc<Engine>,
    /// How the collections are set.
    pub catalog: Arc<Catalog>,
    /// Where answers are recorded.
    pub audit: Arc<AuditLog>,
    /// The present.
    pub clock: Arc<Clock>,
}

/// A document that may leave.
#[derive(Debug)]
pub struct ReleasedDocument {
    /// Where it lies.
    pub collection: CollectionId,
    /// Its name.
    pub id: DocumentId,
    /// Title, URI and metadata.
    pub labels: ReleasedLabels,
    /// Its passages, each with its name, in document order; none in a list.
    pub chunks: Vec<(String, ReleasedChunk)>,
    /// How many passages it has.
    pub chunk_count: usize,
    /// Where it comes from.
    pub provenance: Provenance,
    /// What the sanitiser saw.
    pub findings: Vec<Finding>,
    /// How many findings were taken out.
    pub removed: usize,
    /// How far its collection is trusted.
    pub trust: &'static str,
    /// Who may read it, for those who may change that.
    pub acl: Option<Acl>,
}

/// A page of a list.
#[derive(Debug)]
pub struct DocumentPage {
    /// The documents, without their passages.
    pub documents: Vec<ReleasedDocument>,
    /// Whether readable ones follow.
    pub has_more: bool,
}

/// Why nothing is read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// 404: absent or unreadable, which is the same.
    #[error("there is no such document")]
    NotFound,
    /// 503: it was changed again and again while it was being read.
    #[error("what may be read is changing too fast: try again")]
    Unsettled,
    /// 401: the credential was revoked or ran out while the answer was made.
    #[error("the credential does not hold any more")]
    CredentialGone,
    /// 503: no record, no answer.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// 503: what was set aside does not come back.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// 503: the server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl DocumentReader {
    /// Reads a document with its passages.
    ///
    /// # Errors
    /// [`ReadError`]; absent and unreadable are one.
    pub async fn get(
        self: &Arc<Self>,
        permit: &Permit<Read>,
        collection: CollectionId,
        document: DocumentId,
        request_id: &str,
    ) -> Result<Answer<ReleasedDocument>, ReadError> {
        let caller = permit.caller().clone();
        let event = event(&caller, Action::ReadDocument, format!("{collection}/{document}"), request_id);
        let reader = Arc::clone(self);
        let read = move || reader.read(&caller, &collection, &document, event);
        compute(read).await.unwrap_or(Err(ReadError::Stopping))
    }

    /// Lists readable documents of a collection after one of them.
    ///
    /// # Errors
    /// [`ReadError`]; a collection that does not exist for the caller is absent.
    pub async fn list(
        self: &Arc<Self>,
        permit: &Permit<Read>,
        collection: CollectionId,
        after: Option<DocumentId>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<DocumentPage>, ReadError> {
        let caller = permit.caller().clone();
        let event = event(&caller, Action::ListDocuments, collection.to_string(), request_id);
        let reader = Arc::clone(self);
        let list = move || reader.page(&caller, &collection, after.as_ref(), limit, event);
        compute(list).await.unwrap_or(Err(ReadError::Stopping))
    }

    fn read(
        &self,
        caller: &Caller,
        collection: &CollectionId,
        document: &DocumentId,
        mut event: AuditEvent,
    ) -> Result<Answer<ReleasedDocument>, ReadError> {
        for _ in 0..ATTEMPTS_MAX {
            let scope = self.scope(caller)?;
            let view = scope.fetch(collection, document)?.ok_or(ReadError::NotFound)?;
            let policies = self.policies(caller);
            let released = self.release(caller, &view, &policies, true)?;
            failpoint::reached(Place::Released, caller.tenant());
            let is_settled = failpoint::has(Fault::NoRecheck, caller.tenant()) || {
                let now = self.scope(caller)?.fetch(collection, document)?.ok_or(ReadError::NotFound)?;
                view.is_same(&now) && policies.still_hold(&self.policies(caller), [collection])
            };
            if !is_settled {
                continue;
            }
            failpoint::reached(Place::Rechecked, caller.tenant());
            event.count = released.chunks.len();
            event.documents = vec![format!("{collection}/{document}")];
            GrantUses::of(&scope, [(collection, document)]).record(&self.audit, &event)?;
            return self.recorded(caller, released, &event);
        }
        Err(ReadError::Unsettled)
    }

    fn page(
        &self,
        caller: &Caller,
        collection: &CollectionId,
        after: Option<&DocumentId>,
        limit: usize,
        mut event: AuditEvent,
    ) -> Result<Answer<DocumentPage>, ReadError> {
        for _ in 0..ATTEMPTS_MAX {
            let (found, uses) = self.readable(caller, collection, after, limit + 1)?;
            let policies = self.policies(caller);
            let documents = found.iter().take(limit).map(|view| self.release(caller, view, &policies, false));
            let documents = documents.collect::<Result<Vec<_>, _>>()?;
            failpoint::reached(Place::Released, caller.tenant());
            let is_settled = failpoint::has(Fault::NoRecheck, caller.tenant())
                || (are_same(&found, &self.readable(caller, collection, after, limit + 1)?.0)
                    && policies.still_hold(&self.policies(caller), [collection]));
            if !is_settled {
                continue;
            }
            failpoint::reached(Place::Rechecked, caller.tenant());
            event.count = documents.len();
            event.documents = documents.iter().map(|document| format!("{collection}/{}", document.id)).collect();
            uses.record(&self.audit, &event)?;
            return self.recorded(caller, DocumentPage { documents, has_more: found.len() > limit }, &event);
        }
        Err(ReadError::Unsettled)
    }

    fn readable(
        &self,
        caller: &Caller,
        collection: &CollectionId,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<(Vec<DocumentView>, GrantUses), ReadError> {
        let visibility = Visibility::of(&self.catalog, &self.engine, caller, self.clock.now());
        // A tenant that is gone took its keys with it.
        let visibility = visibility.ok_or(ReadError::CredentialGone)?;
        if !visibility.exists(collection) {
            return Err(ReadError::NotFound);
        }
        let scope = visibility.reading();
        let found = scope.documents(collection, after, limit)?;
        let uses = GrantUses::of(scope, found.iter().map(|view| (view.collection(), view.id())));
        Ok((found, uses))
    }

    fn policies(&self, caller: &Caller) -> Policies {
        Policies::for_caller(&self.catalog, caller)
    }

    fn scope(&self, caller: &Caller) -> Result<Scope, ReadError> {
        let scope = self.engine.scope(caller.subject(), caller.ceiling(), self.clock.now());
        scope.map_err(|error| match error {
            // A tenant that is gone took its keys with it.
            EngineError::NoTenant(_) => ReadError::CredentialGone,
            error => ReadError::Engine(error),
        })
    }

    fn release(
        &self,
        caller: &Caller,
        view: &DocumentView,
        policies: &Policies,
        with_passages: bool,
    ) -> Result<ReleasedDocument, ReadError> {
        let policy = policies.of(view.collection());
        let info = view.info();
        let passages = if with_passages { view.read_chunks()? } else { Vec::new() };
        let chunks: Vec<_> = passages
            .iter()
            .map(|chunk| (chunk.id().to_string(), release(&Passage::of(chunk.prepared(), info), &policy)))
            .collect();
        Ok(ReleasedDocument {
            collection: view.collection().clone(),
            id: view.id().clone(),
            labels: release_labels(&Labels::of(info), &policy),
            chunks,
            chunk_count: view.chunk_count(),
            provenance: Provenance::of(info),
            findings: info.findings.clone(),
            removed: info.removed,
            trust: policy.trust(),
            acl: self.shown_acl(caller, view),
        })
    }

    /// Who may read it, for those who may change that; without what the names meant where the tenant is going.
    fn shown_acl(&self, caller: &Caller, view: &DocumentView) -> Option<Acl> {
        if !caller.scopes().contains(authz::Scope::Acl) {
            return None;
        }
        self.engine.names(caller.tenant()).map(|names| names.shown(view.acl()))
    }

    fn recorded<T>(&self, caller: &Caller, body: T, event: &AuditEvent) -> Result<Answer<T>, ReadError> {
        if !self.authenticator.still_valid(caller) {
            return Err(ReadError::CredentialGone);
        }
        let receipt = self.audit.record(event)?;
        Ok(Answer::new(body, receipt))
    }
}

fn are_same(found: &[DocumentView], now: &[DocumentView]) -> bool {
    found.len() == now.len() && found.iter().zip(now).all(|(was, is)| was.is_same(is))
}

fn event(caller: &Caller, action: Action, resource: String, request_id: &str) -> AuditEvent {
    AuditEvent {
        resource: Some(resource),
        ..AuditEvent::new(Some(caller.tenant().clone()), caller.actor(), action, request_id)
    }
}
