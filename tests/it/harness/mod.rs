//! A running server of a test's own: a temporary directory, a random port, a clock that stands, seeded randomness, no rate limits.
//!
//! Two servers of this kind have the same master key: given the same requests they give the same bytes.

mod caller;
mod problem;
mod program;
mod tenant;
mod token;
mod wire;

use std::{net::SocketAddr, path::Path, sync::Arc};

use ringfence::{
    app::{App, StartError},
    clock::Clock,
    config::Config,
    entropy::Entropy,
    seal::MasterKey,
};
use ringfence_indexes::Timestamp;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot, task::JoinHandle};

pub(crate) use self::{
    caller::Caller,
    problem::{assert_is_document, assert_is_problem, assert_points_at, assert_refused},
    program::{Program, Serving},
    tenant::{Tenant, batch, document_path, merged},
    token::{claims, issuer, mint, task_token},
    wire::{Answer, connect, exchange_raw, read_answer},
};

/// The moment at which every test server stands: 2026-11-02T09:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_793_610_000_000_000);
/// One second of a [`Timestamp`].
pub(crate) const SECOND: i64 = 1_000_000;

/// A running server.
pub(crate) struct Server {
    /// Goes away with the server.
    _folder: TempDir,
    config: Config,
    operator: String,
    pub(crate) clock: Arc<Clock>,
    starts: u8,
    running: Option<Running>,
}

struct Running {
    runtime: Runtime,
    app: Arc<App>,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// A server with nothing in it but an operator's key.
    pub(crate) fn start() -> Self {
        Self::start_with(|_, _| {})
    }

    /// A server whose configuration the test changes; it also gets the folder that will go away with the server.
    pub(crate) fn start_with(configure: impl FnOnce(&mut Config, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        std::fs::create_dir(&data_dir).unwrap();
        MasterKey::create(&data_dir, &Entropy::seeded([0; 32])).unwrap();
        let mut config =
            Config { data_dir, worker_program: Some(env!("CARGO_BIN_EXE_ringfence").into()), ..Config::default() };
        config.limits.requests_per_second_key = 0;
        config.limits.requests_per_second_user = 0;
        config.limits.requests_per_second_tenant = 0;
        configure(&mut config, folder.path());
        let clock = Arc::new(Clock::fixed(NOW));
        let mut server = Self { _folder: folder, config, operator: String::new(), clock, starts: 0, running: None };
        server.open();
        let Running { runtime, app, .. } = server.running();
        let operator = runtime.block_on(app.create_operator_key("test operator")).unwrap();
        server.operator = operator.expose_secret().to_owned();
        server
    }

    /// Stops the server in good order and starts it again on the same data.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.open();
    }

    /// The same, after the test has changed the configuration.
    pub(crate) fn restart_with(&mut self, configure: impl FnOnce(&mut Config)) {
        self.stop();
        configure(&mut self.config);
        self.open();
    }

    /// Opens a stopped server without serving.
    pub(crate) fn try_open(&self) -> Result<(), StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let opened = App::open(self.config.clone(), Arc::clone(&self.clock), Arc::new(Entropy::seeded([99; 32])));
            opened.await?.close().await.map_err(StartError::from)
        })
    }

    fn open(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        // Another stream after each start, or the same key ids would be drawn again.
        self.starts += 1;
        let entropy = Arc::new(Entropy::seeded([self.starts; 32]));
        let (app, listener) = runtime.block_on(async {
            let app = App::open(self.config.clone(), Arc::clone(&self.clock), entropy).await.unwrap();
            (app, TcpListener::bind("127.0.0.1:0").await.unwrap())
        });
        let address = listener.local_addr().unwrap();
        let tls = self.config.tls.as_ref().map(|tls| ringfence::http::tls(tls).unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = Arc::clone(&app);
        let task = runtime.spawn(async move {
            ringfence::http::run(serving, listener, tls, async { drop(stopped.await) }).await.unwrap();
        });
        self.running = Some(Running { runtime, app, address, stop, task });
    }

    /// Stops the server in good order.
    pub(crate) fn stop(&mut self) {
        let Some(Running { runtime, app, stop, task, .. }) = self.running.take() else { return };
        drop(stop);
        runtime.block_on(async {
            task.await.unwrap();
            app.close().await.unwrap();
        });
        drop(app);
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running().address
    }

    /// The parts of the server, for what has no route.
    pub(crate) fn app(&self) -> &Arc<App> {
        &self.running().app
    }

    /// Changes the configuration, which holds from the next start on.
    pub(crate) fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
    }

    pub(crate) fn operator(&self) -> Caller {
        Caller::new(self.address(), &self.operator)
    }

    pub(crate) fn nobody(&self) -> Caller {
        Caller::nobody(self.address())
    }

    pub(crate) fn caller(&self, credential: &str) -> Caller {
        Caller::new(self.address(), credential)
    }

    pub(crate) fn tenant(&self, id: &str) -> Tenant {
        Tenant::create(self.address(), &self.operator(), id)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed says why by itself; the runtime ends with the server.
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

/// Whether the long form of the tests was asked for with `cargo xtask deep`.
pub(crate) fn is_deep() -> bool {
    std::env::var_os("RINGFENCE_DEEP").is_some()
}
