//! Holds one reading and one write still at a failpoint, and lets them go.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ringfence_indexes::failpoint::Place;

use super::history::{History, Moment};

/// Nothing takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where one side is to be held, and how far it is.
#[derive(Debug, Default)]
struct Side {
    /// The place, and how many times it is passed before.
    stop: Option<(Place, usize)>,
    is_held: bool,
    is_over: bool,
}

#[derive(Debug, Default)]
struct State {
    reading: Side,
    writing: Side,
    looked_again: Option<Moment>,
}

/// What a tenant's failpoints ask.
#[derive(Debug)]
pub(super) struct Gate {
    history: Arc<History>,
    state: Mutex<State>,
    changed: Condvar,
}

/// Whose side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Reading,
    Writing,
}

impl State {
    fn side(&mut self, who: Who) -> &mut Side {
        match who {
            Who::Reading => &mut self.reading,
            Who::Writing => &mut self.writing,
        }
    }
}

impl Gate {
    pub(super) fn new(history: Arc<History>) -> Self {
        Self { history, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Passes a place: what the server does there.
    pub(super) fn pass(&self, place: Place) {
        let who = if matches!(place, Place::Durable | Place::Published) { Who::Writing } else { Who::Reading };
        let mut state = self.state();
        let side = state.side(who);
        match side.stop {
            Some((stop, 0)) if stop == place => {
                side.stop = None;
                side.is_held = true;
                self.changed.notify_all();
                drop(self.wait_while(state, |state| state.side(who).is_held));
            }
            Some((stop, before)) if stop == place => {
                side.stop = Some((stop, before - 1));
                drop(state);
            }
            _ => drop(state),
        }
        if place == Place::Released {
            let moment = self.history.tick();
            self.state().looked_again = Some(moment);
        }
    }

    /// Begins one side anew, to be held at a place.
    pub(super) fn begin(&self, who: Who, stop: Option<(Place, usize)>) {
        let mut state = self.state();
        *state.side(who) = Side { stop, ..Side::default() };
        if who == Who::Reading {
            state.looked_again = None;
        }
    }

    /// Says that one side has its answer.
    pub(super) fn end(&self, who: Who) {
        let mut state = self.state();
        state.side(who).is_over = true;
        state.side(who).stop = None;
        self.changed.notify_all();
    }

    /// Waits until one side is held or has its answer.
    pub(super) fn wait(&self, who: Who) {
        let state = self.state();
        drop(self.wait_while(state, |state| !state.side(who).is_held && !state.side(who).is_over));
    }

    /// Lets one side go.
    pub(super) fn let_go(&self, who: Who) {
        self.state().side(who).is_held = false;
        self.changed.notify_all();
    }

    /// When the last reading was let go to its last second look.
    pub(super) fn looked_again(&self) -> Option<Moment> {
        self.state().looked_again
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'g>(
        &self,
        state: MutexGuard<'g, State>,
        condition: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'g, State> {
        let waited = self.changed.wait_timeout_while(state, PATIENCE, condition);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "nothing came: {state:?}");
        state
    }
}
