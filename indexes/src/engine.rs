//! The engine: every tenant's current snapshot, and the one way to each.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use rpds::HashTrieMapSync;

use crate::{
    acl::Timestamp,
    change::Change,
    collection::{Collection, Selection},
    error::EngineError,
    graph::Builder,
    id::{CollectionId, DocumentId, TenantId},
    lexical::analyzer::Analyzer,
    options::EngineOptions,
    principal::{Principal, Subject},
    scope::Scope,
    snapshot::Snapshot,
    writer,
};

/// How many analyzers are kept between writes; more writers at once make their own.
const ANALYZERS_MAX: usize = 4;

/// The indexes of all tenants, in memory, derived from the store.
///
/// A tenant has one writer at a time; searches hold a snapshot and never wait for it.
/// The engine itself cannot be searched: reading goes through a [`Scope`].
///
/// ```compile_fail
/// fn leak(engine: &ringfence_indexes::Engine, request: &ringfence_indexes::SearchRequest<'_>) {
///     engine.search(request); // no such method: first say for whom
/// }
/// ```
pub struct Engine {
    tenants: ArcSwap<HashTrieMapSync<TenantId, Arc<Tenant>>>,
    /// Held while the set of tenants changes.
    registry: Mutex<()>,
    /// Analyzers at rest. They remember words, so they serve what is written and never what is asked.
    analyzers: Mutex<Vec<Analyzer>>,
    options: EngineOptions,
    /// Builds graphs, if there may be any.
    builder: Option<Builder>,
}

struct Tenant {
    snapshot: ArcSwap<Snapshot>,
    writer: Mutex<()>,
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
        let builder = options.graph_rows_min.and_then(|_| Builder::start());
        Self {
            tenants: ArcSwap::from_pointee(HashTrieMapSync::new_sync()),
            registry: Mutex::new(()),
            analyzers: Mutex::new(Vec::new()),
            options,
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
        let snapshot = ArcSwap::from_pointee(Snapshot::empty(key, epoch));
        self.change_tenants(|tenants| {
            tenants.insert_mut(tenant.clone(), Arc::new(Tenant { snapshot, writer: Mutex::new(()) }));
        });
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
        let tenant = self.tenants.load().get(tenant).cloned().ok_or_else(|| EngineError::NoTenant(tenant.clone()))?;
        // A panic while the lock was held published nothing, so what it guards is whole.
        let _writer = tenant.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut analyzer = self.analyzers().pop().unwrap_or_default();
        let next = writer::apply(&tenant.snapshot.load(), epoch, changes, &mut analyzer, &self.options);
        let mut analyzers = self.analyzers();
        if analyzers.len() < ANALYZERS_MAX {
            analyzers.push(analyzer);
        }
        drop(analyzers);
        let (next, tasks) = next?;
        tenant.snapshot.store(Arc::new(next));
        if let Some(builder) = &self.builder {
            builder.build(tasks);
        }
        Ok(())
    }

    /// What a subject may read, now, of the current snapshot.
    ///
    /// # Errors
    /// [`EngineError::NoTenant`] if the subject's tenant does not exist.
    pub fn scope(&self, subject: &Subject, selection: &Selection, now: Timestamp) -> Result<Scope, EngineError> {
        let snapshot =
            self.snapshot(subject.tenant()).ok_or_else(|| EngineError::NoTenant(subject.tenant().clone()))?;
        Ok(Scope::resolve(snapshot, subject, selection, now))
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

    /// Every document's [fingerprint](crate::Document::fingerprint), to compare the index with the store.
    #[must_use]
    pub fn inventory(&self, tenant: &TenantId) -> Vec<(CollectionId, DocumentId, [u8; 32])> {
        let Some(snapshot) = self.snapshot(tenant) else { return Vec::new() };
        let documents = snapshot.documents.values().flat_map(|documents| documents.values());
        documents.map(|document| (document.collection.clone(), document.id.clone(), document.fingerprint())).collect()
    }

    fn analyzers(&self) -> MutexGuard<'_, Vec<Analyzer>> {
        self.analyzers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self, tenant: &TenantId) -> Option<Arc<Snapshot>> {
        Some(self.tenants.load().get(tenant)?.snapshot.load_full())
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
