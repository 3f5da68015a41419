//! Collections: their settings, who may see them, and what a change may not do.

use std::{collections::BTreeSet, sync::Arc};

use ringfence_indexes::{Acl, AnalyzerKind, CollectionId, Names, Principal, VectorSource};
use ringfence_ingest::{RedactionKind, SanitizePolicy};

use super::{Administration, AdministrationError, Page};
use crate::{
    audit::{Action, AuditError, AuditEvent},
    authn::Caller,
    authz::{ManageCollections, Permit, ViewCollections},
    commit::{CommitError, Write},
    retrieval::{
        answer::{Answer, compute},
        emergency::GrantUses,
        visibility::Visibility,
    },
    store::{CollectionRecord, Trust},
};

/// The settings of a collection as they are asked for; the rest is the server's.
#[derive(Clone, Debug)]
pub struct CollectionSettings {
    /// What it is for.
    pub description: String,
    /// The ACL of documents that bring none.
    pub default_acl: Option<Acl>,
    /// Who may read.
    pub readers: BTreeSet<Principal>,
    /// Who may write.
    pub writers: BTreeSet<Principal>,
    /// How far its authors are trusted.
    pub trust: Trust,
    /// What is done with text that speaks to the machine.
    pub sanitize: SanitizePolicy,
    /// The personal data that is masked on the way out.
    pub redact: BTreeSet<RedactionKind>,
    /// How long documents are kept.
    pub retention_days: Option<u32>,
    /// Accepted media types.
    pub accept: Vec<String>,
    /// Where vectors come from; `None` leaves it as it is, and is built-in for a new collection.
    pub embedding: Option<Embedding>,
    /// How texts are cut into terms; `None` leaves it as it is, and is English for a new collection.
    pub analyzer: Option<AnalyzerKind>,
}

/// Where vectors come from, as a client says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embedding {
    /// The server's own embedder.
    Builtin,
    /// The client's, of this length.
    Client {
        /// How long each vector is.
        dimensions: usize,
    },
}

/// A collection as one caller sees it.
#[derive(Clone, Debug)]
pub struct SeenCollection {
    /// The settings.
    pub settings: Arc<CollectionRecord>,
    /// Whether the caller sees who reads and writes it, and its default ACL.
    pub whole: bool,
}

impl Administration {
    /// Makes a collection or changes its settings; gives them with the sealed revision.
    ///
    /// # Errors
    /// [`AdministrationError`]; a collection outside the credential's limits is absent.
    pub async fn put_collection(
        &self,
        permit: &Permit<ManageCollections>,
        id: CollectionId,
        settings: CollectionSettings,
        request_id: &str,
    ) -> Result<Answer<(CollectionRecord, String)>, AdministrationError> {
        let caller = permit.caller();
        if !caller.ceiling().contains(&id) {
            return Err(AdministrationError::NotFound);
        }
        // A tenant that is gone took its keys with it.
        let names = self.engine.names(caller.tenant()).ok_or(AdministrationError::CredentialGone)?;
        let before = self.catalog.collection(caller.tenant(), &id);
        let kept = before.as_ref().map(|before| before.embedding);
        let record = CollectionRecord {
            embedding: settings.embedding.map(|asked| self.vectors(asked)).or(kept).unwrap_or_else(|| self.builtin()),
            analyzer: settings.analyzer.or(before.as_ref().map(|before| before.analyzer)).unwrap_or_default(),
            created_at: before.map_or_else(|| self.clock.now(), |before| before.created_at),
            id,
            description: settings.description,
            default_acl: settings.default_acl.map(|acl| names.pin(acl)),
            readers: names.pin_all(settings.readers),
            writers: names.pin_all(settings.writers),
            trust: settings.trust,
            sanitize: settings.sanitize,
            redact: settings.redact,
            retention_days: settings.retention_days,
            accept: settings.accept,
        };
        let write = Write::PutCollection(caller.tenant().clone(), Box::new(record.clone()));
        let committed = self.commit(caller, write, 200, request_id).await.map_err(|error| match error {
            AdministrationError::Commit(CommitError::VectorsDoNotFit) => AdministrationError::Field {
                pointer: "/embedding".to_owned(),
                detail: "cannot change while the collection has documents: their vectors are of another kind",
            },
            other => other,
        })?;
        Ok(Answer::new((shown(&names, &record), committed.revision), committed.receipt))
    }

    /// A collection's settings.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where it does not exist for the caller.
    pub async fn collection(
        &self,
        permit: &Permit<ViewCollections>,
        id: CollectionId,
        request_id: &str,
    ) -> Result<Answer<SeenCollection>, AdministrationError> {
        let caller = permit.caller();
        let (visibility, names) = self.visibility(caller)?;
        let seen = seen(&visibility, &names, &id).ok_or(AdministrationError::NotFound)?;
        if !seen.whole {
            self.record_showing(caller, &visibility, [&id], Action::ReadCollection, request_id).await?;
        }
        self.recorded(caller, Action::ReadCollection, Some(id.to_string()), 1, seen, request_id).await
    }

    /// The collections that exist for the caller, after one of them.
    ///
    /// # Errors
    /// [`AdministrationError`] where the answer cannot be recorded.
    pub async fn collections(
        &self,
        permit: &Permit<ViewCollections>,
        after: Option<&CollectionId>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<Page<SeenCollection>>, AdministrationError> {
        let caller = permit.caller();
        let (visibility, names) = self.visibility(caller)?;
        let ids = visibility.collections().keys().filter(|id| after.is_none_or(|after| *id > after));
        let entries = ids.filter_map(|id| seen(&visibility, &names, id)).take(limit + 1).collect();
        let page: Page<SeenCollection> = Page::cut(entries, limit);
        let listed = page.entries.iter().filter(|seen| !seen.whole).map(|seen| &seen.settings.id);
        self.record_showing(caller, &visibility, listed, Action::ListCollections, request_id).await?;
        self.recorded(caller, Action::ListCollections, None, page.entries.len(), page, request_id).await
    }

    /// Deletes a collection with its documents; gives the sealed revision.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none within the credential's limits.
    pub async fn delete_collection(
        &self,
        permit: &Permit<ManageCollections>,
        id: CollectionId,
        request_id: &str,
    ) -> Result<Answer<String>, AdministrationError> {
        let caller = permit.caller();
        if !caller.ceiling().contains(&id) || self.catalog.collection(caller.tenant(), &id).is_none() {
            return Err(AdministrationError::NotFound);
        }
        let write = Write::DeleteCollection(caller.tenant().clone(), id);
        let committed = self.commit(caller, write, 204, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    /// Records the collections that are there for the caller through an emergency grant alone.
    async fn record_showing<'a>(
        &self,
        caller: &Caller,
        visibility: &Visibility,
        collections: impl IntoIterator<Item = &'a CollectionId>,
        action: Action,
        request_id: &str,
    ) -> Result<(), AdministrationError> {
        let collections: Vec<&CollectionId> = collections.into_iter().collect();
        let tenant = Some(caller.tenant().clone());
        let event = AuditEvent {
            documents: collections.iter().map(ToString::to_string).collect(),
            ..AuditEvent::new(tenant, caller.actor(), action, request_id)
        };
        let uses = GrantUses::showing(visibility.reading(), collections);
        if uses.is_empty() {
            return Ok(());
        }
        let audit = Arc::clone(&self.audit);
        compute(move || uses.record(&audit, &event)).await.unwrap_or(Err(AuditError::Failed))?;
        Ok(())
    }

    fn visibility(&self, caller: &Caller) -> Result<(Visibility, Names), AdministrationError> {
        let visibility = Visibility::of(&self.catalog, &self.engine, caller, self.clock.now());
        // A tenant that is gone took its keys with it.
        visibility.zip(self.engine.names(caller.tenant())).ok_or(AdministrationError::CredentialGone)
    }

    fn vectors(&self, asked: Embedding) -> VectorSource {
        match asked {
            Embedding::Builtin => self.builtin(),
            Embedding::Client { dimensions } => VectorSource::Client { dimensions },
        }
    }

    fn builtin(&self) -> VectorSource {
        VectorSource::Builtin { dimensions: self.embedder.dimensions() }
    }
}

fn seen(visibility: &Visibility, names: &Names, id: &CollectionId) -> Option<SeenCollection> {
    let settings = visibility.collections().get(id).filter(|_| visibility.exists(id))?;
    Some(SeenCollection { settings: Arc::new(shown(names, settings)), whole: visibility.administers(id) })
}

/// The settings with the names of those who bear them now.
fn shown(names: &Names, settings: &CollectionRecord) -> CollectionRecord {
    CollectionRecord {
        default_acl: settings.default_acl.as_ref().map(|acl| names.shown(acl)),
        readers: names.shown_all(&settings.readers),
        writers: names.shown_all(&settings.writers),
        ..settings.clone()
    }
}
