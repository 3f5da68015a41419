//! When each key was last used: noted in memory by every request, written to the store now and then.

use std::{
    collections::HashMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use ringfence_indexes::Timestamp;

/// The last use of each key.
#[derive(Debug, Default)]
pub struct KeyUses(RwLock<HashMap<String, Use>>);

#[derive(Debug)]
struct Use {
    at: AtomicI64,
    is_written: AtomicBool,
}

impl KeyUses {
    /// When a key was last used; `None` if it never was.
    #[must_use]
    pub fn last(&self, id: &str) -> Option<Timestamp> {
        let uses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        uses.get(id).map(|used| Timestamp(used.at.load(Ordering::Relaxed)))
    }

    /// Takes up what the store knows.
    pub fn restore(&self, uses: impl IntoIterator<Item = (String, Timestamp)>) {
        let restored = uses.into_iter().map(|(id, at)| (id, Use::new(at, true)));
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(restored);
    }

    /// The uses since this was asked last: they are to be written.
    #[must_use]
    pub fn take_unwritten(&self) -> Vec<(String, Timestamp)> {
        let uses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let unwritten = uses.iter().filter(|(_, used)| !used.is_written.swap(true, Ordering::Relaxed));
        unwritten.map(|(id, used)| (id.clone(), Timestamp(used.at.load(Ordering::Relaxed)))).collect()
    }

    pub(super) fn note(&self, id: &str, now: Timestamp) {
        if let Some(used) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            used.at.fetch_max(now.0, Ordering::Relaxed);
            used.is_written.store(false, Ordering::Relaxed);
            return;
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), Use::new(now, false));
    }

    pub(super) fn forget(&self, id: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

impl Use {
    const fn new(at: Timestamp, is_written: bool) -> Self {
        Self { at: AtomicI64::new(at.0), is_written: AtomicBool::new(is_written) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_each_use_out_once() {
        let uses = KeyUses::default();
        uses.restore([("old".to_owned(), Timestamp(3))]);
        assert!(uses.take_unwritten().is_empty());
        uses.note("old", Timestamp(9));
        uses.note("new", Timestamp(4));
        uses.note("old", Timestamp(8));
        let mut unwritten = uses.take_unwritten();
        unwritten.sort();
        assert_eq!(unwritten, [("new".to_owned(), Timestamp(4)), ("old".to_owned(), Timestamp(9))]);
        assert!(uses.take_unwritten().is_empty());
        uses.forget("old");
        assert_eq!((uses.last("old"), uses.last("new")), (None, Some(Timestamp(4))));
    }
}
