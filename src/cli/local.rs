//! A server inside this process, for the time of one command: on the data directory itself, while no other server runs.
//!
//! The commands talk to it over HTTP like to any server. So there is one way of doing each thing, with the same checks and the same audit record, and nothing that only works locally.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::Arc,
};

use ringfence_indexes::Timestamp;
use secrecy::SecretString;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::{client::Client, failure::Failure};
use crate::{
    app::App,
    authn::{KeyKind, KeyRecord, NewKey},
    authz::Scopes,
    clock::Clock,
    config::Config,
    entropy::Entropy,
    http,
    seal::MASTER_KEY_FILE,
    telemetry,
};

/// The id of the key that lives as long as the command; the audit log shows it. As long as every id of a key.
pub(super) const KEY_ID: &str = "local-administration";

/// Opens the data directory of a configuration.
pub(super) async fn open(config: Config) -> Result<Arc<App>, Failure> {
    check_initialised(&config.data_dir)?;
    Ok(App::open(config, Arc::new(Clock::System), Arc::new(Entropy::System)).await?)
}

/// Opens a data directory with an operator's key; it gets its own keys first where it has none.
pub(super) async fn open_or_init(config: Config, key_name: &str) -> Result<(Arc<App>, SecretString), Failure> {
    let (clock, entropy) = (Arc::new(Clock::System), Arc::new(Entropy::System));
    if !config.data_dir.join(MASTER_KEY_FILE).exists() {
        let key = App::init(config.clone(), Arc::clone(&clock), Arc::clone(&entropy)).await?;
        return Ok((App::open(config, clock, entropy).await?, key));
    }
    let app = App::open(config, clock, entropy).await?;
    let key = app.create_operator_key(key_name).await;
    Ok((app, key.map_err(|error| Failure::caused("the operator key could not be stored", &error))?))
}

/// A data directory without its key was never made, or is not the one that was meant.
pub(super) fn check_initialised(data_dir: &Path) -> Result<(), Failure> {
    if data_dir.join(MASTER_KEY_FILE).exists() {
        return Ok(());
    }
    let what = if data_dir.exists() { "has no keys" } else { "is not there" };
    Err(Failure::new(format!("the data directory `{}` {what}", data_dir.display())).with_remedy(
        "`ringfence init` makes a configuration and a data directory; `--config` and `--data-dir` name those that exist",
    ))
}

/// Signs the audit logs and closes the database.
pub(super) async fn close(app: &App) -> Result<(), Failure> {
    app.close().await.map_err(|error| Failure::caused("the audit log could not be signed at the end", &error))
}

fn operator_record(id: String, name: &str, secret_hash: [u8; 32], created_at: Timestamp) -> KeyRecord {
    KeyRecord {
        id,
        tenant: None,
        kind: KeyKind::Operator,
        name: name.to_owned(),
        subject: None,
        scopes: Scopes::default(),
        collections: None,
        groups: BTreeSet::new(),
        attributes: BTreeMap::new(),
        networks: None,
        expires_at: None,
        created_at,
        secret_hash,
        previous: None,
    }
}

/// The server of one command.
pub(super) struct Local {
    app: Arc<App>,
    client: Client,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

impl Local {
    /// Opens the data directory and serves it on a port of its own, for an operator key that is in memory only.
    pub(super) async fn start(config: Config) -> Result<Self, Failure> {
        telemetry::start_quietly();
        let app = open(config).await?;
        let key = NewKey::with_id(KEY_ID.to_owned(), &app.entropy, app.authenticator.keyring().hasher());
        app.authenticator.keyring().insert(operator_record(key.id, KEY_ID, key.secret_hash, app.clock.now()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.map_err(|error| Failure::caused("cannot open a port on this machine", &error))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let served = Arc::clone(&app);
        let server =
            tokio::spawn(async move { http::run(served, listener, None, async { drop(stopped.await) }).await });
        Ok(Self { app, client: Client::new(&format!("http://{address}"), &key.key)?, stop, server })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Ends the server; what was acknowledged is on disk.
    pub(super) async fn close(self) -> Result<(), Failure> {
        // An error means that the server has ended by itself.
        let _ended = self.stop.send(());
        let served = self.server.await;
        close(&self.app).await?;
        let served = served.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        served.map_err(|error| Failure::caused("the server inside this command failed", &error))
    }
}
