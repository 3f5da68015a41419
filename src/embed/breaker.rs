//! A circuit breaker: a service that does not answer is left alone for a while, so that nobody waits for it in vain.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Failures in a row after which nothing more is tried.
const FAILURES_MAX: u32 = 5;
/// How long nothing is tried; then one call is.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    /// Whether the one call that is tried after a pause is on its way.
    is_tried: bool,
}

/// Leave for one call. Dropped without a verdict it says nothing of the service.
#[derive(Debug)]
pub(super) struct Leave<'a> {
    breaker: &'a Breaker,
    is_trial: bool,
}

impl Breaker {
    /// Leave to call, unless the service is being left alone.
    pub(super) fn enter(&self, now: Instant) -> Option<Leave<'_>> {
        let mut state = self.lock();
        let is_trial = state.open_until.is_some();
        if is_trial && (state.is_tried || state.open_until.is_some_and(|until| now < until)) {
            return None;
        }
        state.is_tried = is_trial;
        Some(Leave { breaker: self, is_trial })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// The service answered.
    pub(super) fn succeeded(self) {
        let mut state = self.breaker.lock();
        (state.failures, state.open_until) = (0, None);
    }

    /// The service failed.
    pub(super) fn failed(self, now: Instant) {
        let mut state = self.breaker.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES_MAX {
            state.open_until = Some(now + PAUSE);
        }
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.is_trial {
            self.breaker.lock().is_tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_alone_what_fails_and_tries_once_after_a_pause() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES_MAX - 1 {
            breaker.enter(start).unwrap().failed(start);
        }
        breaker.enter(start).unwrap().succeeded();
        for _ in 0..FAILURES_MAX {
            breaker.enter(start).unwrap().failed(start);
        }
        assert!(breaker.enter(start + PAUSE / 2).is_none());
        let trial = breaker.enter(start + PAUSE).unwrap();
        assert!(breaker.enter(start + PAUSE).is_none(), "one at a time");
        drop(trial);
        breaker.enter(start + PAUSE).unwrap().failed(start + PAUSE);
        assert!(breaker.enter(start + PAUSE).is_none());
        breaker.enter(start + PAUSE * 2).unwrap().succeeded();
        let (one, two) = (breaker.enter(start).unwrap(), breaker.enter(start).unwrap());
        one.succeeded();
        two.succeeded();
    }
}
