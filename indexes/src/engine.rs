//! The engine: every tenant's current snapshot, and the one way to each.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use rpds::HashTrieMapSync;

use crate::{
    acl::Timestamp,
    change::Change,
    collection::{Collection, Selection},
    document::DocumentEntry,
    error::EngineError,
    failpoint::{self, Place},
    graph::{Builder, Task},
    id::{CollectionId, DocumentId, TenantId},
    lexical::analyzer::Analyzer,
    options::{EngineOptions, Settings},
    principal::{Principal, Subject},
    scope::Scope,
    snapshot::Snapshot,
    spill::Spill,
    tenant::{Opening, Pin, Tenant},
};

/// How many analyzers are kept between writes; more writers at once make their own.
const ANALYZERS_MAX: usize = 4;

/// The indexes of all tenants, in memory, derived from the store.
///
/// A tenant has one writer at a time; searches hold a snapshot and never wait for it. A tenant may be closed: then only what decides is here: collections, groups and names.
/// The engine itself cannot be searched: reading goes through a [`Scope`].
///
/// ```compile_fail
/// fn leak(engine: &ringfence_indexes::Engine, request: &ringfence_indexes::SearchRequest<'_>) {
///     engine.search(request); // no such method: first say for whom
/// }
/// ```
pub struct Engine {
    tenants: ArcSwap<HashTrieMapSync<TenantId, Arc<Tenant>>>,
    /// Counts the needs of tenants, so that the one least needed is known.
    needs: AtomicU64,
    /// Held while the set of tenants changes.
    registry: Mutex<()>,
    /// Analyzers at rest. They remember words, so they serve what is written and never what is asked.
    analyzers: Mutex<Vec<Analyzer>>,
    settings: Settings,
    /// Builds graphs, if there may be any.
    builder: Option<Builder>,
}

impl Engine {
    /// An engine without tenants.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(EngineOptions::default())
    }

    /// An engine without tenants, with these settings.
    #[must_use]
    pub fn with_options(options: EngineOptions) -> Self {
        Self::with_spill(options, None)
    }

    /// An engine without tenants, with these settings, that sets passages and exact vectors aside in a file.
    #[must_use]
    pub fn with_spill(options: EngineOptions, spill: Option<Arc<Spill>>) -> Self {
        let builder = options.graph_rows_min.and_then(|_| Builder::start());
        Self {
            tenants: ArcSwap::from_pointee(HashTrieMapSync::new_sync()),
            needs: AtomicU64::new(0),
            registry: Mutex::new(()),
            analyzers: Mutex::new(Vec::new()),
            settings: Settings { options, spill },
            builder,
        }
    }

    /// Waits until every graph that was asked for is built. Searches do not need it.
    pub fn settle_graphs(&self) {
        if let Some(builder) = &self.builder {
            builder.settle();
        }
    }

    /// Begins a tenant without documents; one of the same name is forgotten.
    pub fn create_tenant(&self, tenant: &TenantId, key: [u8; 32], epoch: u64) {
        self.put_tenant(tenant, Tenant::new(Snapshot::empty(key, epoch)));
    }

    /// Makes a tenant known whose documents are in the store at this revision, with what decides about them. It is closed, and one of the same name is forgotten.
    ///
    /// # Errors
    /// [`EngineError`] if one of the changes cannot be made.
    pub fn add_closed_tenant(
        &self,
        tenant: &TenantId,
        key: [u8; 32],
        epoch: u64,
        changes: Vec<Change>,
    ) -> Result<(), EngineError> {
        let closed = Tenant::new(Snapshot::empty(key, epoch).closed());
        closed.apply(epoch, changes, &mut Analyzer::default(), &self.settings)?;
        self.put_tenant(tenant, closed);
        Ok(())
    }

    fn put_tenant(&self, name: &TenantId, tenant: Tenant) {
        let tenant = Arc::new(tenant);
        self.change_tenants(|tenants| {
            tenants.insert_mut(name.clone(), tenant);
        });
    }

    /// Keeps a tenant open as long as the pin is held; nothing where it is closed.
    ///
    /// # Errors
    /// [`EngineError::NoTenant`] if it does not exist.
    pub fn pin(&self, tenant: &TenantId) -> Result<Option<Pin>, EngineError> {
        Ok(self.tenant(tenant)?.pin(self.needs.fetch_add(1, Ordering::Relaxed)))
    }

    /// Begins to open a closed tenant; nothing where it is open, or is being opened. What the store holds is to be read after this call.
    ///
    /// # Errors
    /// [`EngineError::NoTenant`] if it does not exist.
    pub fn begin_opening(&self, tenant: &TenantId) -> Result<Option<Opening>, EngineError> {
        Ok(Opening::begin(self.tenant(tenant)?, self.settings.clone()))
    }

    /// Publishes a tenant that was read from the store as it was at this revision.
    ///
    /// # Errors
    /// [`EngineError`] where a change that came meanwhile cannot be made; then the tenant stays closed.
    pub fn finish_opening(&self, opening: Opening, epoch: u64) -> Result<(), EngineError> {
        self.build_graphs(opening.finish(epoch)?);
        Ok(())
    }

    /// Closes the tenants that were needed least lately, until no more than `open_max` are open and they hold no more than about `bytes_max`.
    /// Those that are pinned stay.
    pub fn close_least_needed(&self, open_max: usize, bytes_max: u64) {
        let tenants = self.tenants.load();
        let mut open: Vec<_> =
            tenants.values().filter_map(|tenant| tenant.load().map(|(used, bytes)| (used, bytes, tenant))).collect();
        let mut bytes: u64 = open.iter().map(|(_, bytes, _)| bytes).sum();
        let mut count = open.len();
        if count <= open_max && bytes <= bytes_max {
            return;
        }
        open.sort_unstable_by_key(|(used, ..)| *used);
        for (_, held, tenant) in open {
            if count <= open_max && bytes <= bytes_max {
                return;
            }
            if tenant.close() {
                count -= 1;
                bytes -= held;
            }
        }
    }

    /// How many tenants are open, and about how many bytes they hold.
    #[must_use]
    pub fn open_tenants(&self) -> (usize, u64) {
        let tenants = self.tenants.load();
        let loads = tenants.values().filter_map(|tenant| tenant.load());
        loads.fold((0, 0), |(count, sum), (_, bytes)| (count + 1, sum + bytes))
    }

    /// Forgets a tenant.
    pub fn drop_tenant(&self, tenant: &TenantId) {
        self.change_tenants(|tenants| {
            tenants.remove_mut(tenant);
        });
    }

    /// Whether a tenant exists.
    #[must_use]
    pub fn has_tenant(&self, tenant: &TenantId) -> bool {
        self.tenants.load().contains_key(tenant)
    }

    /// The store's revision that the tenant's snapshot shows.
    #[must_use]
    pub fn epoch(&self, tenant: &TenantId) -> Option<u64> {
        Some(self.snapshot(tenant)?.epoch)
    }

    /// Builds and publishes the tenant's next snapshot: all changes or none.
    ///
    /// # Errors
    /// [`EngineError`] if a change cannot be made; then none is.
    pub fn apply(&self, tenant: &TenantId, epoch: u64, changes: Vec<Change>) -> Result<(), EngineError> {
        let tenant = self.tenant(tenant)?;
        let mut analyzer = self.analyzers().pop().unwrap_or_default();
        let tasks = tenant.apply(epoch, changes, &mut analyzer, &self.settings);
        let mut analyzers = self.analyzers();
        if analyzers.len() < ANALYZERS_MAX {
            analyzers.push(analyzer);
        }
        drop(analyzers);
        self.build_graphs(tasks?);
        Ok(())
    }

    fn build_graphs(&self, tasks: Vec<Task>) {
        if let Some(builder) = &self.builder {
            builder.build(tasks);
        }
    }

    /// What a subject may read, now, of the current snapshot.
    ///
    /// # Errors
    /// [`EngineError::NoTenant`] if the subject's tenant does not exist, [`EngineError::Closed`] if it is closed.
    pub fn scope(&self, subject: &Subject, selection: &Selection, now: Timestamp) -> Result<Scope, EngineError> {
        let tenant = self.tenant(subject.tenant())?;
        let snapshot = tenant.snapshot();
        failpoint::reached(Place::SnapshotTaken, subject.tenant());
        if !snapshot.is_open {
            return Err(EngineError::Closed(subject.tenant().clone()));
        }
        Ok(Scope::resolve(tenant, snapshot, subject, selection, now))
    }

    /// Whether the tenant's directory has this principal as a direct member of some group.
    #[must_use]
    pub fn is_member(&self, tenant: &TenantId, principal: &Principal) -> bool {
        self.snapshot(tenant).is_some_and(|snapshot| snapshot.policy.directory.knows(principal))
    }

    /// A collection's settings, for the path that writes; readers ask their [`Scope`].
    #[must_use]
    pub fn collection(&self, tenant: &TenantId, collection: &CollectionId) -> Option<Arc<Collection>> {
        self.snapshot(tenant)?.policy.collections.get(collection).cloned()
    }

    /// Every document's [fingerprint](crate::Document::fingerprint), to compare the index with the store. Nothing of a closed tenant.
    #[must_use]
    pub fn inventory(&self, tenant: &TenantId) -> Vec<(CollectionId, DocumentId, [u8; 32])> {
        let Some(snapshot) = self.snapshot(tenant) else { return Vec::new() };
        let documents = snapshot.documents.values().flat_map(|documents| documents.values());
        let line = |document: &Arc<DocumentEntry>| {
            let vector = |chunk, place| snapshot.holdings.vector(document.class, chunk, place);
            // One that does not come back has no fingerprint, which no document has.
            let print = document.fingerprint(vector).unwrap_or_default();
            (document.collection.clone(), document.id.clone(), print)
        };
        documents.map(line).collect()
    }

    fn analyzers(&self) -> MutexGuard<'_, Vec<Analyzer>> {
        self.analyzers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self, tenant: &TenantId) -> Option<Arc<Snapshot>> {
        Some(self.tenants.load().get(tenant)?.snapshot())
    }

    fn tenant(&self, tenant: &TenantId) -> Result<Arc<Tenant>, EngineError> {
        self.tenants.load().get(tenant).cloned().ok_or_else(|| EngineError::NoTenant(tenant.clone()))
    }

    fn change_tenants(&self, change: impl FnOnce(&mut HashTrieMapSync<TenantId, Arc<Tenant>>)) {
        let _registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tenants = HashTrieMapSync::clone(&self.tenants.load());
        change(&mut tenants);
        self.tenants.store(Arc::new(tenants));
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Engine({} tenants)", self.tenants.load().size())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ringfence_ingest::{PreparedChunk, UntrustedText};

    use super::*;
    use crate::{
        acl::Acl,
        collection::VectorSource,
        document::{Document, DocumentChunk, DocumentInfo},
        filter::Filter,
        principal::Principal,
        search::{Mode, SearchRequest},
        vector::Vector,
    };

    const NOW: Timestamp = Timestamp(0);

    #[expect(clippy::disallowed_methods, reason = "a test prepares its own passage and is its own verifier")]
    fn world() -> (Engine, Arc<Spill>, TenantId, Subject, Vec<Change>) {
        let folder = std::env::temp_dir().join(format!("ringfence-damage-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let spill = Spill::create(&folder).unwrap();
        let engine = Engine::with_spill(EngineOptions::default(), Some(Arc::clone(&spill)));
        let (tenant, id) = (TenantId::new("acme").unwrap(), CollectionId::new("wiki").unwrap());
        let everyone = BTreeSet::from([Principal::everyone()]);
        let subject = Subject::assert_verified(tenant.clone(), everyone.clone(), BTreeMap::new());
        let vectors = VectorSource::Client { dimensions: 2 };
        let (readers, writers) = (everyone.clone(), everyone.clone());
        let mut changes = vec![Change::PutCollection(Collection {
            id: id.clone(),
            readers,
            writers,
            vectors,
            trust: "untrusted",
            analyzer: crate::lexical::kind::AnalyzerKind::English,
        })];
        changes.extend((0..20_u8).map(|number| {
            let text = UntrustedText::new(format!("passage {number}"));
            let prepared = PreparedChunk::assert_prepared(text, String::new(), 0..9, 0, Vec::new(), Vec::new());
            let info = DocumentInfo {
                title: None,
                uri: None,
                metadata: serde_json::Map::new(),
                content_hash: String::new(),
                ingested_at: NOW,
                ingested_by: String::new(),
                version: 1,
                findings: Vec::new(),
                removed: 0,
                sanitizer: None,
            };
            Change::PutDocument(Document {
                collection: id.clone(),
                id: DocumentId::new(&format!("d{number}")).unwrap(),
                acl: Acl { allow: everyone.clone(), ..Acl::default() },
                info: Arc::new(info),
                chunks: vec![DocumentChunk { prepared, vector: Vector::new(vec![1.0, f32::from(number)]).ok() }],
            })
        }));
        (engine, spill, tenant, subject, changes)
    }

    fn found(engine: &Engine, subject: &Subject) -> Result<usize, EngineError> {
        let query = Vector::new(vec![1.0, 0.0]).unwrap();
        let request = SearchRequest {
            query: "passage",
            builtin_vector: None,
            client_vector: Some(&query),
            mode: Mode::Hybrid,
            filter: &Filter::default(),
            top_k: 50,
            max_per_document: None,
            collapse_duplicates: false,
            min_score: None,
            diversity: None,
            prefix: false,
        };
        Ok(engine.scope(subject, &Selection::All, NOW)?.search(&request)?.len())
    }

    #[test]
    fn what_is_damaged_is_never_served_and_is_read_anew() {
        let (engine, spill, tenant, subject, changes) = world();
        engine.create_tenant(&tenant, [7; 32], 0);
        engine.apply(&tenant, 1, changes.clone()).unwrap();
        assert_eq!(found(&engine, &subject).unwrap(), 20);
        spill.spoil();
        assert!(matches!(found(&engine, &subject), Err(EngineError::Damaged)));
        assert!(matches!(found(&engine, &subject), Err(EngineError::Closed(_))), "it was closed");
        let reopen = |epoch: u64| {
            let mut opening = engine.begin_opening(&tenant).unwrap().unwrap();
            opening.take(changes.clone()).unwrap();
            engine.finish_opening(opening, epoch).unwrap();
        };
        reopen(1);
        assert_eq!(found(&engine, &subject).unwrap(), 20);
        // A change that needs what is damaged is made in the store, and the tenant is read anew with it; what decides holds at once.
        spill.spoil();
        let Some(Change::PutDocument(first)) = changes.get(1).cloned() else { unreachable!() };
        let acl = Acl { allow: BTreeSet::from([Principal::new("user:a").unwrap()]), ..Acl::default() };
        let group = Principal::new("group:g").unwrap();
        let member = Principal::new("user:a").unwrap();
        let list = vec![
            Change::SetAcl { collection: first.collection, document: first.id, acl, version: 2 },
            Change::PutGroup { group: group.clone(), members: BTreeSet::from([member]) },
        ];
        engine.apply(&tenant, 2, list).unwrap();
        assert_eq!(engine.epoch(&tenant), Some(2));
        assert!(engine.pin(&tenant).unwrap().is_none());
        assert!(engine.is_member(&tenant, &Principal::new("user:a").unwrap()));
        reopen(2);
        assert_eq!(found(&engine, &subject).unwrap(), 20);
    }
}
