//! The running server without its network: every part opened, caught up and joined.

mod adopt;
mod originals;
mod reembed;
mod replay;
mod retention;
mod tenants;

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use ringfence_indexes::{Engine, EngineError, EngineOptions, PolicyFault, PolicyName, Spill, TenantId};
use secrecy::SecretString;

use crate::{
    audit::{Actor, AuditError, AuditLog, SyncMode},
    authn::{
        Authenticator, AuthenticatorParts, DevelopmentIssuer, KeyHasher, KeyKind, KeyRecord, Keyring, NewKey,
        Revocations, TaskTokens,
    },
    authz::Scopes,
    cage::{Cage, Protection},
    catalog::Catalog,
    clock::Clock,
    commit::{CommitError, Committer, CommitterParts, Write, WriteRequest},
    config::{AuditSync, Config, ConfigError, Contents},
    embed::{Embedder, EmbedderError},
    entropy::Entropy,
    seal::{MasterKey, SealError},
    store::{Store, StoreError},
};

pub use self::tenants::{OpenError, Tenants};

/// The folder of the audit logs in the data directory.
pub const AUDIT_DIR: &str = "audit";
/// Whoever holds a lock on this file has the data directory.
const LOCK_FILE: &str = "lock";

/// Every part of a server.
#[derive(Debug)]
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
    /// Which tenants are open.
    pub tenants: Arc<Tenants>,
    /// What turns texts into vectors.
    pub embedder: Arc<Embedder>,
    /// What was asked and done.
    pub audit: Arc<AuditLog>,
    /// Who is asking.
    pub authenticator: Arc<Authenticator>,
    /// The one writer.
    pub committer: Arc<Committer>,
    /// Where documents are parsed.
    pub cage: Arc<Cage>,
    /// Held as long as the data directory is used.
    _lock: Arc<File>,
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
    /// The indexes refuse what the store holds.
    #[error("the database holds what the indexes refuse")]
    Engine(#[from] EngineError),
    /// A tenant policy that was accepted once is not any more; without it, what it forbids would be open.
    #[error("the policy `{policy}` of the tenant `{tenant}` {fault}")]
    Policy {
        /// Whose.
        tenant: TenantId,
        /// Which.
        policy: PolicyName,
        /// Why.
        fault: PolicyFault,
    },
    /// The first key could not be written.
    #[error("the operator key could not be written")]
    Commit(#[from] CommitError),
    /// Another process uses the data directory.
    #[error("the data directory `{}` is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The data directory cannot be used.
    #[error("cannot use the data directory `{}`", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The parser's worker cannot be started.
    #[error("the worker that parses documents cannot be started")]
    Worker(#[source] io::Error),
    /// `require_sandbox` demands more than this kernel gives.
    #[error("`require_sandbox` is set, but {0}")]
    Sandbox(String),
    /// There is no data directory.
    #[error("there is no data directory `{}`; run `ringfence init` first", .0.display())]
    NotInitialised(PathBuf),
    /// There is a data directory already.
    #[error("the data directory `{}` is initialised already; its operator key was shown then", .0.display())]
    Initialised(PathBuf),
}

impl App {
    /// Makes a data directory with its master key and database, and gives back the first operator key.
    ///
    /// # Errors
    /// [`StartError`] says what cannot be made; a directory that was in use before stays as it is.
    pub async fn init(config: Config, clock: Arc<Clock>, entropy: Arc<Entropy>) -> Result<SecretString, StartError> {
        let path = config.data_dir.clone();
        let fault = |source| StartError::DataDir { path: path.clone(), source };
        // One that was broken off before there was a key is finished.
        if !MasterKey::exists(&path) {
            DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(fault)?;
            MasterKey::create(&path, &entropy)?;
        }
        let app = Self::open(config, clock, entropy).await?;
        if !app.authenticator.keyring().records(|key| key.kind == KeyKind::Operator).is_empty() {
            app.close().await?;
            return Err(StartError::Initialised(path));
        }
        let key = app.create_operator_key("first operator key").await?;
        app.close().await?;
        Ok(key)
    }

    /// Opens a data directory. Small tenants are open then; others when they are needed.
    ///
    /// # Errors
    /// [`StartError`] says what cannot be opened.
    pub async fn open(config: Config, clock: Arc<Clock>, entropy: Arc<Entropy>) -> Result<Arc<Self>, StartError> {
        let mut issuers = config.check().map_err(ConfigError::from)?;
        let cage = Arc::new(open_cage(&config).await?);
        let data_dir = &config.data_dir;
        if !MasterKey::exists(data_dir) {
            return Err(StartError::NotInitialised(data_dir.clone()));
        }
        let lock = Arc::new(lock(data_dir)?);
        let master = Arc::new(MasterKey::load(data_dir)?);
        let mode = match config.audit.sync {
            AuditSync::Background => SyncMode::Background,
            AuditSync::Always => SyncMode::Always,
        };
        let audit = Arc::new(AuditLog::open(&data_dir.join(AUDIT_DIR), &master, mode, Arc::clone(&clock))?);
        let embedder = Arc::new(open_embedder(&config).await?);
        let store = Store::open(data_dir).await?;
        let keyring = Arc::new(Keyring::new(KeyHasher::new(master.derive("api key"))));
        originals::seal_all(&store, &master).await?;
        reembed::reembed(&store, &embedder).await?;
        adopt::adopt(&store, &entropy).await?;
        let revocations = Arc::new(Revocations::default());
        let spill = match config.engine.contents {
            Contents::Memory => None,
            Contents::Disk => {
                Some(Spill::create(data_dir).map_err(|source| StartError::DataDir { path: data_dir.clone(), source })?)
            }
        };
        let engine = Arc::new(Engine::with_spill(EngineOptions::default(), spill));
        let catalog = replay::replay(&store, &master, &keyring, &revocations, &engine).await?;
        let tenants = Arc::new(Tenants::new(Arc::clone(&engine), store.clone(), config.engine.clone()));
        tenants.open_at_start(&names(&catalog)).await?;
        let committer = Committer::start(CommitterParts {
            store: store.clone(),
            audit: Arc::clone(&audit),
            master: Arc::clone(&master),
            engine: Arc::clone(&engine),
            catalog: Arc::clone(&catalog),
            keyring: Arc::clone(&keyring),
            revocations: Arc::clone(&revocations),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            embedder: embedder.fingerprint().to_owned(),
            lock: Arc::clone(&lock),
        })
        .await?;
        if config.development_issuer {
            issuers.push(DevelopmentIssuer::derive(&master).issuer());
        }
        let authenticator = Arc::new(Authenticator::new(AuthenticatorParts {
            keyring,
            issuers,
            certificates: config.certificates().map_err(ConfigError::from)?,
            revocations,
            tasks: TaskTokens::new(&master, &entropy),
            engine: Arc::clone(&engine),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        }));
        let committer = Arc::new(committer);
        Ok(Arc::new(Self {
            config,
            clock,
            entropy,
            master,
            store,
            catalog,
            engine,
            tenants,
            embedder,
            audit,
            authenticator,
            committer,
            cage,
            _lock: lock,
        }))
    }

    /// Opens the tenants that are closed still, while there is room, and closes what is too much; to be polled beside the server.
    pub async fn keep_tenants(self: Arc<Self>) {
        Arc::clone(&self.tenants).keep(names(&self.catalog)).await;
    }

    /// Makes an operator key.
    ///
    /// # Errors
    /// [`CommitError`] where it could not be written.
    pub async fn create_operator_key(&self, name: &str) -> Result<SecretString, CommitError> {
        let key = NewKey::generate(&self.entropy, self.authenticator.keyring().hasher());
        let record = KeyRecord {
            id: key.id,
            tenant: None,
            kind: KeyKind::Operator,
            name: name.to_owned(),
            subject: None,
            scopes: Scopes::default(),
            collections: None,
            groups: std::collections::BTreeSet::new(),
            attributes: std::collections::BTreeMap::new(),
            networks: None,
            expires_at: None,
            created_at: self.clock.now(),
            secret_hash: key.secret_hash,
            previous: None,
        };
        let request = WriteRequest {
            write: Write::CreateKey(Box::new(record)),
            actor: Actor::server(),
            request_id: "init".to_owned(),
            status: 201,
        };
        self.committer.commit(request).await?;
        Ok(key.key)
    }

    /// Finishes what was begun, signs the audit logs and closes the database.
    ///
    /// # Errors
    /// [`AuditError`] where the logs could not be signed.
    pub async fn close(&self) -> Result<(), AuditError> {
        self.committer.close().await;
        if let Err(error) = self.store.close().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the log of the database could not be emptied; it is read at the next start"
            );
        }
        let audit = Arc::clone(&self.audit);
        tokio::task::spawn_blocking(move || audit.shutdown())
            .await
            .unwrap_or_else(|panic| Err(AuditError::Unavailable(io::Error::other(panic))))
    }
}

/// Every tenant's name.
fn names(catalog: &Catalog) -> Vec<TenantId> {
    catalog.tenants().iter().map(|record| record.id.clone()).collect()
}

/// Reads the configured model, which takes a while for a large one.
async fn open_embedder(config: &Config) -> Result<Embedder, StartError> {
    let config = config.embedder.clone();
    let opened = tokio::task::spawn_blocking(move || Embedder::open(&config)).await;
    opened
        .map_err(|panic| StartError::Embedder(EmbedderError::Builtin(panic.to_string())))?
        .map_err(StartError::Embedder)
}

/// Starts the first worker, and says what it cannot be kept from.
async fn open_cage(config: &Config) -> Result<Cage, StartError> {
    let cage = Cage::open(config.worker_program.clone()).await.map_err(StartError::Worker)?;
    let missing: Vec<&str> = cage.protections().missing().map(Protection::absence).collect();
    if config.require_sandbox && !missing.is_empty() {
        return Err(StartError::Sandbox(missing.join("; ")));
    }
    if config.worker_program.is_some() {
        for protection in missing {
            tracing::warn!(protection, "the worker that parses documents is less confined than it could be");
        }
    }
    Ok(cage)
}

/// Takes the data directory for this process; the operating system gives it back when the process ends, however it ends.
fn lock(data_dir: &Path) -> Result<File, StartError> {
    let fault = |source| StartError::DataDir { path: data_dir.to_owned(), source };
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(data_dir.join(LOCK_FILE));
    let file = file.map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(fault(source)),
    }
}

#[cfg(test)]
mod tests;
