//! What was worked out for a reader, kept for the next time.
//!
//! A memory lives in the immutable thing that its contents follow from, so nothing in it can become wrong and nothing needs invalidating:
//! a changed thing is another one, with an empty memory. What depends on the time of day is never kept, unless by the part of it that it depends on.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{collection::Selection, principal::Subject};

/// For whom something was worked out: a keyed hash of the principals, the attributes with their source, and the selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReaderKey([u8; 32]);

impl ReaderKey {
    pub(crate) fn of(key: &[u8; 32], subject: &Subject, selection: &Selection) -> Self {
        let mut bytes = subject.digest().to_vec();
        match selection {
            Selection::All => bytes.push(0),
            Selection::Only(collections) => {
                bytes.push(1);
                for collection in collections {
                    bytes.extend_from_slice(&(collection.as_str().len() as u64).to_le_bytes());
                    bytes.extend_from_slice(collection.as_str().as_bytes());
                }
            }
        }
        Self(*blake3::keyed_hash(key, &bytes).as_bytes())
    }
}

/// Values by reader, the oldest forgotten first. A copy remembers nothing, because it is made to be changed.
pub(crate) struct Memory<T>(Mutex<Entries<T>>);

struct Entries<T> {
    values: HashMap<ReaderKey, (Arc<T>, usize)>,
    order: VecDeque<ReaderKey>,
    weight: usize,
}

impl<T> Memory<T> {
    /// What was kept for a reader.
    pub(crate) fn recall(&self, reader: &ReaderKey) -> Option<Arc<T>> {
        self.entries().values.get(reader).map(|(value, _)| value.clone())
    }

    /// Keeps a value; others go until all together weigh no more than the limit.
    pub(crate) fn keep(&self, reader: ReaderKey, value: Arc<T>, weight: usize, limit: usize) {
        let mut entries = self.entries();
        if weight > limit || entries.values.contains_key(&reader) {
            return;
        }
        while entries.weight + weight > limit {
            let Some(oldest) = entries.order.pop_front() else { break };
            let gone = entries.values.remove(&oldest);
            entries.weight -= gone.map_or(0, |(_, weight)| weight);
        }
        entries.values.insert(reader, (value, weight));
        entries.order.push_back(reader);
        entries.weight += weight;
    }

    /// A panic while the lock was held left entries that are whole or missing, never wrong.
    fn entries(&self) -> MutexGuard<'_, Entries<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Mutex::new(Entries { values: HashMap::new(), order: VecDeque::new(), weight: 0 }))
    }
}

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// A few values by what they were worked out from, the oldest forgotten first.
pub(crate) struct Recent<K, T> {
    values: Mutex<VecDeque<(K, Arc<T>)>>,
    count_max: usize,
}

impl<K, T> Recent<K, T> {
    pub(crate) fn new(count_max: usize) -> Self {
        Self { values: Mutex::new(VecDeque::with_capacity(count_max)), count_max }
    }

    /// What was kept for this key.
    pub(crate) fn recall(&self, is_it: impl Fn(&K) -> bool) -> Option<Arc<T>> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().find(|(key, _)| is_it(key)).map(|(_, value)| Arc::clone(value))
    }

    /// Keeps a value.
    pub(crate) fn keep(&self, key: K, value: Arc<T>) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= self.count_max {
            values.pop_front();
        }
        values.push_back((key, value));
    }
}

impl<T> fmt::Debug for Memory<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Memory({} values)", self.entries().values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest_and_what_is_too_heavy() {
        let memory = Memory::default();
        let reader = |number: u8| ReaderKey([number; 32]);
        for number in 0..5 {
            memory.keep(reader(number), Arc::new(number), 3, 10);
        }
        let kept: Vec<u8> = (0..5).filter_map(|number| memory.recall(&reader(number))).map(|value| *value).collect();
        assert_eq!(kept, [2, 3, 4]);
        memory.keep(reader(9), Arc::new(9), 11, 10);
        assert!(memory.recall(&reader(9)).is_none());
        assert!(memory.clone().recall(&reader(4)).is_none());
    }
}
