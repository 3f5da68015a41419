//! Time as a parameter: the server reads the system's, tests hold theirs still.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use ringfence_indexes::Timestamp;

/// A source of the present.
#[derive(Debug)]
pub enum Clock {
    /// The system's wall clock.
    System,
    /// A clock that moves only when it is told to, in microseconds since the Unix epoch.
    Fixed(AtomicI64),
}

impl Clock {
    /// A clock that stands at `timestamp`.
    #[must_use]
    pub const fn fixed(timestamp: Timestamp) -> Self {
        Self::Fixed(AtomicI64::new(timestamp.0))
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Fixed(micros) => Timestamp(micros.load(Ordering::SeqCst)),
        }
    }

    /// Sets a fixed clock; the system's cannot be set.
    pub fn set(&self, timestamp: Timestamp) {
        if let Self::Fixed(micros) = self {
            micros.store(timestamp.0, Ordering::SeqCst);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
fn system_now() -> Timestamp {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros());
    Timestamp(i64::try_from(micros).unwrap_or(i64::MAX))
}
