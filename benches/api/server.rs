//! A real server in this process: its own runtime, a random port, a temporary data directory.

use std::{net::SocketAddr, path::Path, sync::Arc, thread::JoinHandle};

use ringfence::{app::App, clock::Clock, config::Config, entropy::Entropy, http};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::{net::TcpListener, sync::oneshot};

use crate::client::Client;

/// A running server; dropped, it stops and its data goes.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    operator_key: String,
    data: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let mut config = Config { data_dir: data.path().join("data"), ..Config::default() };
        config.limits.requests_per_second_key = 0;
        config.limits.requests_per_second_user = 0;
        config.limits.requests_per_second_tenant = 0;
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, started) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async move {
                let (clock, entropy) = (Arc::new(Clock::System), Arc::new(Entropy::System));
                let key = App::init(config.clone(), Arc::clone(&clock), Arc::clone(&entropy))
                    .await
                    .expect("a data directory");
                let app = App::open(config, clock, entropy).await.expect("an app");
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                let address = listener.local_addr().expect("an address");
                ready.send((address, key.expose_secret().to_owned())).expect("the benchmark waits");
                let stopped = http::run(app, listener, None, async { drop(stopped.await) }).await;
                stopped.expect("the server ran until it was stopped");
            });
        });
        let (address, operator_key) = started.recv().expect("the server starts");
        Self { address, operator_key, data, stop: Some(stop), thread: Some(thread) }
    }

    /// A new tenant and a service key of it.
    pub(crate) fn tenant_key(&self, tenant: &str, scopes: &[&str]) -> String {
        let mut operator = Client::new(self.address, &self.operator_key);
        operator.json("POST", "/v1/tenants", &json!({"id": tenant, "name": tenant}));
        let key = json!({
            "tenant": tenant, "kind": "service", "name": "bench", "subject": "service:bench", "scopes": scopes
        });
        operator.json("POST", "/v1/keys", &key)["key"].as_str().expect("a key").to_owned()
    }

    /// What lies in the data directory.
    pub(crate) fn disk_mib(&self) -> u64 {
        fn size(path: &Path) -> u64 {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries
                .map(|entry| match entry.metadata() {
                    Ok(meta) if meta.is_dir() => size(&entry.path()),
                    Ok(meta) => meta.len(),
                    Err(_) => 0,
                })
                .sum()
        }
        size(self.data.path()) >> 20
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server was printed where it happened.
            let _ = thread.join();
        }
    }
}
