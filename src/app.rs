//! The running server without its network: every part opened, caught up and joined.

use std::sync::Arc;

use ringfence_indexes::Engine;

use crate::{
    audit::{AuditError, AuditLog},
    authn::Authenticator,
    catalog::Catalog,
    clock::Clock,
    commit::Committer,
    config::{Config, ConfigError},
    embed::{Embedder, EmbedderError},
    entropy::Entropy,
    seal::{MasterKey, SealError},
    store::{Store, StoreError},
};

/// Every part of a server.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// The present.
    pub clock: Arc<Clock>,
    /// Randomness.
    pub entropy: Arc<Entropy>,
    /// What all keys derive from.
    pub master: Arc<MasterKey>,
    /// What is true.
    pub store: Store,
    /// Tenants and collections.
    pub catalog: Arc<Catalog>,
    /// The indexes.
    pub engine: Arc<Engine>,
    /// The built-in embedder.
    pub embedder: Arc<Embedder>,
    /// What was asked and done.
    pub audit: Arc<AuditLog>,
    /// Who is asking.
    pub authenticator: Arc<Authenticator>,
    /// The one writer.
    pub committer: Arc<Committer>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The master key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The embedder.
    #[error(transparent)]
    Embedder(#[from] EmbedderError),
    /// Another process uses the data directory.
    #[error("the data directory `{0}` is in use by another process")]
    InUse(std::path::PathBuf),
}

impl App {
    /// Opens a data directory and catches the engine up from the store.
    ///
    /// # Errors
    /// [`StartError`] says what cannot be opened.
    pub async fn open(_config: Config, _clock: Arc<Clock>, _entropy: Arc<Entropy>) -> Result<Arc<Self>, StartError> {
        unimplemented!("app")
    }

    /// Finishes what was begun, signs the audit logs and closes the database.
    ///
    /// # Errors
    /// [`AuditError`] where the logs could not be signed.
    pub async fn close(&self) -> Result<(), AuditError> {
        unimplemented!("app")
    }
}
