//! What every handler shares: the running server's parts, joined into the services that handlers call.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;

use super::{body::Room, limits::Limits, metrics::Metrics, settings::HttpSettings};
use crate::{
    administration::{Administration, policies::PolicyTurns},
    app::App,
    envelope::AnswerSigner,
    ingestion::service::Ingestion,
    retrieval::{
        documents::DocumentReader,
        searcher::Searcher,
        slots::{self, Slots},
    },
};

/// How many searches of one tenant may wait for each that computes, before further ones are refused.
const WAITING_PER_SLOT: usize = 64;

/// How many bytes of documents are on their way in at the same time, over all requests.
const DOCUMENTS_BYTES_MAX: usize = 256 << 20;
/// How long a document waits for room before it is refused.
const DOCUMENTS_PATIENCE: Duration = Duration::from_secs(5);

/// How many lines of batches are on their way at the same time, over all requests. Fewer than the committer lets wait, so that a batch leaves room for others and never hears that there is none.
const BATCH_LINES_MAX: usize = 768;

/// The state of the router; cheap to clone.
#[derive(Clone)]
pub(super) struct Server(Arc<Parts>);

/// The parts of [`Server`].
pub(super) struct Parts {
    pub(super) app: Arc<App>,
    pub(super) settings: HttpSettings,
    pub(super) searcher: Arc<Searcher>,
    pub(super) documents: Arc<DocumentReader>,
    pub(super) ingestion: Arc<Ingestion>,
    pub(super) administration: Administration,
    /// What signs answers.
    pub(super) signer: AnswerSigner,
    pub(super) limits: Limits,
    pub(super) metrics: Metrics,
    /// What document bodies share.
    pub(super) room: Room,
    /// How many lines of batches are on their way, over all requests.
    pub(super) batch_lines: Arc<Semaphore>,
    stopping: AtomicBool,
}

impl Server {
    pub(super) fn new(app: Arc<App>) -> Self {
        let cores = slots::places();
        let searcher = Searcher {
            authenticator: app.authenticator.clone(),
            engine: app.engine.clone(),
            catalog: app.catalog.clone(),
            embedder: app.embedder.clone(),
            audit: app.audit.clone(),
            clock: app.clock.clone(),
            entropy: app.entropy.clone(),
            master: app.master.clone(),
            slots: Slots::new(cores, cores * WAITING_PER_SLOT),
        };
        let documents = DocumentReader {
            authenticator: app.authenticator.clone(),
            engine: app.engine.clone(),
            catalog: app.catalog.clone(),
            audit: app.audit.clone(),
            clock: app.clock.clone(),
        };
        let ingestion = Ingestion {
            authenticator: app.authenticator.clone(),
            engine: app.engine.clone(),
            catalog: app.catalog.clone(),
            embedder: app.embedder.clone(),
            committer: app.committer.clone(),
            audit: app.audit.clone(),
            cage: app.cage.clone(),
            clock: app.clock.clone(),
            entropy: app.entropy.clone(),
            master: app.master.clone(),
            slots: Arc::new(Semaphore::new(cores)),
            store: app.store.clone(),
            keeps_sources: app.config.keep_sources,
            sanitizer: app.config.sanitizer.clone(),
        };
        let administration = Administration {
            authenticator: app.authenticator.clone(),
            catalog: app.catalog.clone(),
            engine: app.engine.clone(),
            embedder: app.embedder.clone(),
            store: app.store.clone(),
            committer: app.committer.clone(),
            audit: app.audit.clone(),
            clock: app.clock.clone(),
            entropy: app.entropy.clone(),
            master: app.master.clone(),
            policy_turns: PolicyTurns::default(),
        };
        Self(Arc::new(Parts {
            settings: HttpSettings::of(&app.config.limits),
            signer: AnswerSigner::derive(&app.master),
            limits: Limits::new(&app.config.limits),
            metrics: Metrics::new(),
            searcher: Arc::new(searcher),
            documents: Arc::new(documents),
            ingestion: Arc::new(ingestion),
            administration,
            room: Room::new(DOCUMENTS_BYTES_MAX, DOCUMENTS_PATIENCE),
            batch_lines: Arc::new(Semaphore::new(BATCH_LINES_MAX)),
            stopping: AtomicBool::new(false),
            app,
        }))
    }

    /// Says that no further requests are welcome.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether no further requests are welcome.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

impl Deref for Server {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
