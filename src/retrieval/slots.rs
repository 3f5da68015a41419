//! Places to compute in, and a short queue for each tenant.
//!
//! Places go round from tenant to tenant, so that one who asks much makes its own searches wait and not those of others. Who finds their queue full is refused at once rather than kept waiting.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use ringfence_indexes::TenantId;
use tokio::sync::oneshot;

/// How many searches compute at the same time: one a core, because searching computes and does not wait.
#[must_use]
pub fn places() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

/// The places of a server.
#[derive(Debug)]
pub struct Slots {
    state: Mutex<State>,
    running_max: usize,
    waiting_max: usize,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting: HashMap<TenantId, VecDeque<oneshot::Sender<Slot>>>,
    /// The tenants that wait, next first. INVARIANT: exactly the keys of `waiting`.
    turns: VecDeque<TenantId>,
}

/// A place; given back, or on to who waits for it, when dropped.
#[derive(Debug)]
pub struct Slot(Arc<Slots>);

impl Slots {
    /// So many at the same time, and so many of one tenant waiting.
    #[must_use]
    pub fn new(running_max: usize, waiting_max: usize) -> Arc<Self> {
        let state = State { free: running_max, waiting: HashMap::new(), turns: VecDeque::new() };
        Arc::new(Self { state: Mutex::new(state), running_max, waiting_max })
    }

    /// Takes a place, or waits for one; `None` where too many of the tenant wait already.
    pub async fn take(self: &Arc<Self>, tenant: &TenantId) -> Option<Slot> {
        let turn = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Slot(Arc::clone(self)));
            }
            state.queue(tenant, self.waiting_max)?
        };
        turn.await.ok()
    }

    /// How many places there are.
    #[must_use]
    pub const fn places(&self) -> usize {
        self.running_max
    }

    /// How many wait now, of all tenants.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().waiting.values().map(VecDeque::len).sum()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn queue(&mut self, tenant: &TenantId, waiting_max: usize) -> Option<oneshot::Receiver<Slot>> {
        let queue = self.waiting.entry(tenant.clone()).or_insert_with(|| {
            self.turns.push_back(tenant.clone());
            VecDeque::new()
        });
        if queue.len() >= waiting_max {
            // Those who hung up wait no longer.
            queue.retain(|waiting| !waiting.is_closed());
        }
        if queue.len() >= waiting_max {
            return None;
        }
        let (waiting, turn) = oneshot::channel();
        queue.push_back(waiting);
        Some(turn)
    }

    /// The next who waits, of the tenant whose turn it is.
    fn next(&mut self) -> Option<oneshot::Sender<Slot>> {
        while let Some(tenant) = self.turns.pop_front() {
            let queue = self.waiting.get_mut(&tenant);
            let next = queue.and_then(|queue| std::iter::from_fn(|| queue.pop_front()).find(|next| !next.is_closed()));
            if self.waiting.get(&tenant).is_none_or(VecDeque::is_empty) {
                self.waiting.remove(&tenant);
            } else {
                self.turns.push_back(tenant);
            }
            if next.is_some() {
                return next;
            }
        }
        None
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.lock();
            let next = state.next();
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        if let Some(next) = next {
            // One who hung up in this moment drops the place, which goes on from there.
            drop(next.send(Self(Arc::clone(&self.0))));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_gives_places_back() {
        let slots = Slots::new(1, 1);
        let acme = tenant("acme");
        let running = slots.take(&acme).await.unwrap();
        let mut first = Box::pin(slots.take(&acme));
        assert!(poll!(&mut first).is_pending());
        assert!(slots.take(&acme).await.is_none());
        drop(first);
        let mut second = Box::pin(slots.take(&acme));
        assert!(poll!(&mut second).is_pending(), "one who hung up waits no longer");
        drop(running);
        drop(second.await.unwrap());
        assert_eq!((slots.waiting(), slots.lock().free), (0, 1));
    }

    #[tokio::test]
    async fn places_go_round_from_tenant_to_tenant() {
        let slots = Slots::new(1, 8);
        let (busy, calm) = (tenant("busy"), tenant("calm"));
        let running = slots.take(&busy).await.unwrap();
        let mut crowd: Vec<_> = (0..8).map(|_| Box::pin(slots.take(&busy))).collect();
        for waiting in &mut crowd {
            assert!(poll!(waiting).is_pending());
        }
        let mut other = Box::pin(slots.take(&calm));
        assert!(poll!(&mut other).is_pending());
        drop(running);
        drop(crowd.remove(0).await.unwrap());
        drop(other.await.unwrap());
        for waiting in crowd {
            drop(waiting.await.unwrap());
        }
        let state = slots.lock();
        assert_eq!((state.free, state.waiting.len(), state.turns.len()), (1, 0, 0));
    }
}
