//! One tenant of an engine, open or closed.
//!
//! Of a closed tenant only what decides is held: collections, groups, names. Whoever opens it reads the store and gives what it holds to an [`Opening`];
//! changes that are acknowledged meanwhile wait and follow. Open or closed, opened once or often: the answers are the same, because both come from the store.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;

use crate::{
    change::Change, error::EngineError, graph::Task, lexical::analyzer::Analyzer, options::Settings,
    snapshot::Snapshot, writer,
};

/// One tenant.
pub(crate) struct Tenant {
    /// Without documents while the tenant is closed.
    snapshot: ArcSwap<Snapshot>,
    /// Held by the one who writes.
    writer: Mutex<Waiting>,
    /// Held while somebody makes sure that the tenant stays open, or closes it.
    door: Mutex<()>,
    pins: Arc<()>,
    /// When it was last needed, as the engine counts.
    used: AtomicU64,
}

/// The changes that came since an opening began, each list with its revision; nothing where none is under way.
type Waiting = Option<Vec<(u64, Vec<Change>)>>;

/// As long as one is held, the tenant stays open.
#[derive(Clone, Debug)]
pub struct Pin {
    _pins: Arc<()>,
}

/// A tenant on its way from closed to open. Given up if it is dropped.
pub struct Opening {
    tenant: Arc<Tenant>,
    snapshot: Snapshot,
    analyzer: Analyzer,
    settings: Settings,
    tasks: Vec<Task>,
    is_done: bool,
}

impl Tenant {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            writer: Mutex::new(None),
            door: Mutex::new(()),
            pins: Arc::new(()),
            used: AtomicU64::new(0),
        }
    }

    /// The current state, open or closed.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Keeps it open; nothing if it is closed.
    pub(crate) fn pin(&self, now: u64) -> Option<Pin> {
        let _door = lock(&self.door);
        self.used.store(now, Ordering::Relaxed);
        self.snapshot.load().is_open.then(|| Pin { _pins: Arc::clone(&self.pins) })
    }

    /// When it was last needed, and about how many bytes it holds; nothing where it is closed.
    pub(crate) fn load(&self) -> Option<(u64, u64)> {
        let snapshot = self.snapshot.load();
        snapshot.is_open.then(|| (self.used.load(Ordering::Relaxed), snapshot.bytes))
    }

    /// Closes it unless it is pinned; whether it was closed.
    pub(crate) fn close(&self) -> bool {
        let waiting = self.writer();
        let _door = lock(&self.door);
        let snapshot = self.snapshot();
        let is_free = snapshot.is_open && waiting.is_none() && Arc::strong_count(&self.pins) == 1;
        if is_free {
            self.snapshot.store(Arc::new(snapshot.closed()));
        }
        is_free
    }

    /// Closes it whoever needs it: something of it does not come back as it was set aside.
    pub(crate) fn distrust(&self) {
        let _waiting = self.writer();
        self.snapshot.store(Arc::new(self.snapshot().closed()));
    }

    /// Makes changes, all or none. Those of a closed tenant are in the store already, and are read when it is opened.
    pub(crate) fn apply(
        &self,
        epoch: u64,
        changes: Vec<Change>,
        analyzer: &mut Analyzer,
        settings: &Settings,
    ) -> Result<Vec<Task>, EngineError> {
        let mut waiting = self.writer();
        let snapshot = self.snapshot();
        let deciding = changes.iter().filter(|change| !change.is_of_documents()).cloned();
        let (next, tasks) = if snapshot.is_open {
            let deciding: Vec<Change> = deciding.collect();
            match writer::apply(&snapshot, epoch, changes, analyzer, settings) {
                // What was set aside is needed for a change and does not come back. The store has the change, and is read anew.
                Err(EngineError::Damaged) => writer::apply(&snapshot.closed(), epoch, deciding, analyzer, settings)?,
                made => made?,
            }
        } else {
            let deciding = deciding.collect();
            if let Some(waiting) = waiting.as_mut() {
                waiting.push((epoch, changes));
            }
            writer::apply(&snapshot, epoch, deciding, analyzer, settings)?
        };
        self.snapshot.store(Arc::new(next));
        Ok(tasks)
    }

    /// A panic while the lock was held published nothing, so what it guards is whole.
    fn writer(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.writer)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Opening {
    /// Begins to open a closed tenant: from now on changes wait. Nothing if it is open, or somebody else opens it.
    pub(crate) fn begin(tenant: Arc<Tenant>, settings: Settings) -> Option<Self> {
        let mut waiting = tenant.writer();
        let key = tenant.snapshot.load().key;
        if tenant.snapshot.load().is_open || waiting.is_some() {
            return None;
        }
        *waiting = Some(Vec::new());
        drop(waiting);
        let snapshot = Snapshot::empty(key, 0);
        Some(Self { tenant, snapshot, analyzer: Analyzer::default(), settings, tasks: Vec::new(), is_done: false })
    }

    /// Takes what the store holds, in any order in which it can be made.
    ///
    /// # Errors
    /// [`EngineError`] where the store holds what cannot be.
    pub fn take(&mut self, changes: Vec<Change>) -> Result<(), EngineError> {
        let (next, tasks) = writer::apply(&self.snapshot, 0, changes, &mut self.analyzer, &self.settings)?;
        (self.snapshot, self.tasks) = (next, tasks);
        Ok(())
    }

    /// Publishes what was read of the store at `epoch`, and after it the changes that came meanwhile; gives the graphs worth building.
    pub(crate) fn finish(mut self, epoch: u64) -> Result<Vec<Task>, EngineError> {
        let tenant = Arc::clone(&self.tenant);
        let mut waiting = tenant.writer();
        self.snapshot.epoch = epoch;
        for (revision, changes) in waiting.take().unwrap_or_default() {
            // What was read may hold some of them already.
            if revision > self.snapshot.epoch {
                let applied = writer::apply(&self.snapshot, revision, changes, &mut self.analyzer, &self.settings);
                (self.snapshot, self.tasks) = applied.inspect_err(|_| self.is_done = true)?;
            }
        }
        self.is_done = true;
        tenant.snapshot.store(Arc::new(self.snapshot.clone()));
        Ok(std::mem::take(&mut self.tasks))
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if !self.is_done {
            *self.tenant.writer() = None;
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Opening")
    }
}
