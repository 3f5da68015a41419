//! Failpoints: places where a test holds a read or a write still, and faults that it plants to see them found.
//!
//! They are in builds with debug assertions only. In a release build [`reached`] does nothing and [`has`] is `false`, both at compile time, and there is no way to arm either.
//! What is armed is armed for one tenant, so that tests beside each other do not meet; no file, variable or request can do it.

use crate::id::TenantId;

/// Whether this build has failpoints.
pub const IS_BUILT: bool = cfg!(debug_assertions);

/// A place where a read or a write can be held still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A read has taken the current snapshot and not yet looked at what it may read of it.
    SnapshotTaken,
    /// What a reader may read was worked out, and is about to be remembered.
    Remembering,
    /// What was found is ready to leave, and about to be looked at again.
    Released,
    /// It was looked at again; the credential comes next, then the record.
    Rechecked,
    /// A write is on disk, and nothing in memory knows of it.
    Durable,
    /// Everything in memory follows a write; it is not acknowledged.
    Published,
}

/// A fault that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What was found leaves without a second look.
    NoRecheck,
    /// What a reader may read is remembered beyond the snapshot that it follows from.
    LastingMemory,
    /// A write is acknowledged before it is published.
    EarlyAcknowledgement,
    /// A credential is not looked at again.
    NoCredentialCheck,
}

#[cfg(not(debug_assertions))]
mod switch {
    use super::{Fault, Place, TenantId};

    /// Does nothing.
    #[inline(always)]
    pub const fn reached(_place: Place, _tenant: &TenantId) {}

    /// Never.
    #[inline(always)]
    #[must_use]
    pub const fn has(_fault: Fault, _tenant: &TenantId) -> bool {
        false
    }
}

#[cfg(debug_assertions)]
mod switch {
    use std::{
        collections::BTreeMap,
        fmt,
        sync::{
            Arc, PoisonError, RwLock,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use super::{Fault, Place, TenantId};

    /// What is done where a read or a write of the tenant passes; it may wait.
    pub type Hook = Arc<dyn Fn(Place) + Send + Sync>;

    type Armings = BTreeMap<TenantId, (Option<Fault>, Hook)>;

    static ARMED: RwLock<Armings> = RwLock::new(BTreeMap::new());
    /// How many are armed, so that nobody waits for a lock where none is.
    static COUNT: AtomicUsize = AtomicUsize::new(0);

    /// As long as it is held, a tenant's failpoints are armed.
    pub struct Armed(TenantId);

    /// Arms the failpoints of a tenant, and plants a fault in what is done for it.
    #[must_use]
    pub fn arm(tenant: &TenantId, fault: Option<Fault>, hook: Hook) -> Armed {
        change(|armed| armed.insert(tenant.clone(), (fault, hook)));
        Armed(tenant.clone())
    }

    /// Passes a place.
    pub fn reached(place: Place, tenant: &TenantId) {
        if let Some((_, hook)) = armed(tenant) {
            hook(place);
        }
    }

    /// Whether a fault is planted.
    #[must_use]
    pub fn has(fault: Fault, tenant: &TenantId) -> bool {
        armed(tenant).is_some_and(|(planted, _)| planted == Some(fault))
    }

    fn armed(tenant: &TenantId) -> Option<(Option<Fault>, Hook)> {
        if COUNT.load(Ordering::SeqCst) == 0 {
            return None;
        }
        ARMED.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    fn change<T>(change: impl FnOnce(&mut Armings) -> T) {
        let mut armed = ARMED.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut armed);
        COUNT.store(armed.len(), Ordering::SeqCst);
    }

    impl Drop for Armed {
        fn drop(&mut self) {
            change(|armed| armed.remove(&self.0));
        }
    }

    impl fmt::Debug for Armed {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "Armed({})", self.0)
        }
    }
}

pub use switch::*;
