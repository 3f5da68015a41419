//! Which tenants are open: opened at first use, closed when others need the room.
//!
//! At the start only what authentication and lists need is read. A tenant's documents are read when somebody asks for them, once however many ask at the same time;
//! a request keeps its tenant open as long as it lasts. Whether a tenant was open changes the time of an answer and nothing else of it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ringfence_indexes::{Engine, EngineError, Pin, TenantId};
use tokio::{sync::Semaphore, time::Instant};

use super::{StartError, replay::open_tenant};
use crate::{config::EngineConfig, store::Store};

/// Tenants that are opened at the same time: each takes memory and a core.
const OPENINGS: usize = 2;
/// Documents that are read before the server is ready; what is more is opened when it is needed, or by and by.
const DOCUMENTS_AT_START: usize = 20_000;
/// How often what is open too much is looked for.
const EVERY: Duration = Duration::from_secs(5);
/// How long a tenant that cannot be opened is not tried again.
const REST: Duration = Duration::from_secs(5);

/// Opens tenants, and closes them.
#[derive(Debug)]
pub struct Tenants {
    engine: Arc<Engine>,
    store: Store,
    limits: EngineConfig,
    places: Semaphore,
    /// Those that are being opened, each with the time of the last failure.
    opening: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<Option<Instant>>>>>,
}

/// Why a tenant is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not there, any more or at all.
    #[error("there is no such tenant")]
    NoTenant,
    /// The store cannot be read, or holds what was not written; the log says what.
    #[error("the tenant's documents cannot be read")]
    Unreadable,
}

impl Tenants {
    pub(super) fn new(engine: Arc<Engine>, store: Store, limits: EngineConfig) -> Self {
        Self { engine, store, limits, places: Semaphore::new(OPENINGS), opening: Mutex::default() }
    }

    /// Makes sure that a tenant is open, and keeps it so as long as the pin is held.
    ///
    /// # Errors
    /// [`OpenError`] where it cannot be opened.
    pub async fn pin(self: &Arc<Self>, tenant: &TenantId) -> Result<Pin, OpenError> {
        if let Some(pin) = self.pinned(tenant)? {
            return Ok(pin);
        }
        // A task of its own: whoever asked may go, and others wait for the same opening.
        let (tenants, name) = (Arc::clone(self), tenant.clone());
        tokio::spawn(async move { tenants.open(&name).await }).await.unwrap_or(Err(OpenError::Unreadable))
    }

    fn pinned(&self, tenant: &TenantId) -> Result<Option<Pin>, OpenError> {
        self.engine.pin(tenant).map_err(|_| OpenError::NoTenant)
    }

    async fn open(&self, tenant: &TenantId) -> Result<Pin, OpenError> {
        let turn = Arc::clone(self.lock().entry(tenant.clone()).or_default());
        let mut failed = turn.lock().await;
        let pin = loop {
            if let Some(pin) = self.pinned(tenant)? {
                break pin;
            }
            if failed.is_some_and(|at| at.elapsed() < REST) {
                return Err(OpenError::Unreadable);
            }
            let _place = self.places.acquire().await;
            match open_tenant(&self.store, &self.engine, tenant).await {
                Ok(()) => {}
                Err(StartError::Engine(EngineError::NoTenant(_))) => return Err(OpenError::NoTenant),
                Err(error) => {
                    tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "a tenant cannot be opened");
                    *failed = Some(Instant::now());
                    return Err(OpenError::Unreadable);
                }
            }
        };
        self.close_least_needed().await;
        drop(failed);
        self.lock().remove(tenant);
        Ok(pin)
    }

    /// Opens what is small, tenant by tenant, so that a server with little in it starts as it always will answer.
    ///
    /// # Errors
    /// [`StartError`] where one of them cannot be opened.
    pub(super) async fn open_at_start(&self, tenants: &[TenantId]) -> Result<(), StartError> {
        let mut left = DOCUMENTS_AT_START;
        for tenant in tenants.iter().take(self.limits.open_tenants_max()) {
            let count = self.store.count_documents(tenant, left + 1).await?;
            let Some(rest) = left.checked_sub(count.max(DOCUMENTS_AT_START / 1_000)) else { return Ok(()) };
            left = rest;
            open_tenant(&self.store, &self.engine, tenant).await?;
        }
        Ok(())
    }

    /// Opens one tenant after the other while there is room, so that its first request need not wait; then keeps to what may be open.
    pub async fn keep(self: Arc<Self>, tenants: Vec<TenantId>) {
        for tenant in tenants {
            let (open, bytes) = self.engine.open_tenants();
            if open >= self.limits.open_tenants_max() || bytes >= self.limits.memory_bytes_max() {
                break;
            }
            // What cannot be opened is in the log, and its requests are told.
            let _ = self.pin(&tenant).await;
        }
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // New tenants are open, and those that were in use could not be closed.
            self.close_least_needed().await;
        }
    }

    /// Not on a thread that serves: to let go of a large tenant takes a while.
    async fn close_least_needed(&self) {
        let (engine, limits) = (Arc::clone(&self.engine), self.limits.clone());
        let close = move || engine.close_least_needed(limits.open_tenants_max(), limits.memory_bytes_max());
        // It fails only while the server is stopping.
        let _ = tokio::task::spawn_blocking(close).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, Arc<tokio::sync::Mutex<Option<Instant>>>>> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
