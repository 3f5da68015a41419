//! What happened: writes and readings, each with the moments at which it was sent and answered, and the revision that the server told.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::oracle::Rule;

/// A place in the order of what happened. It counts sendings and answers, not time.
pub(super) type Moment = u64;

/// One thing that is written by one writer, one write after the other.
pub(super) type Register = usize;

/// What a register holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Absent,
    /// A document's text and who may read it; or a folder, without a text of its own.
    Document(u32, Rule),
    /// The members of a group, or the readers of a collection.
    Members(Vec<String>),
    /// A tenant policy that closes what lists this name under `allow`.
    Closes(Option<&'static str>),
    /// Whether a credential or a user is in force.
    Holds(bool),
    /// The time.
    Now(i64),
}

/// One value of a register.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    /// From when on it may hold.
    pub(super) sent: Moment,
    /// From when on it must.
    pub(super) acknowledged: Moment,
    pub(super) revision: Option<u64>,
}

/// How something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Get,
    List,
    /// A page of a list, from the cursor of an earlier one on.
    Cursor,
    Keyword,
    Hybrid,
    /// A search that demands the revision of the last write that its sender saw acknowledged.
    Demand,
    Explain,
}

/// What an answer says about the document that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saw {
    Nothing,
    /// It is there; its text is not in this kind of answer.
    Something,
    Text(u32),
    /// 401.
    Refused,
    /// 503: it changed again and again. It shows nothing and claims nothing.
    Unsettled,
    /// The demanded revision is not there yet.
    NotReached,
}

/// One reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) topic: usize,
    pub(super) credential: Register,
    pub(super) way: Way,
    pub(super) sent: Moment,
    /// When it was let go to its second look, if that is known.
    pub(super) looked_again: Option<Moment>,
    pub(super) answered: Moment,
    pub(super) revision: Option<u64>,
    pub(super) saw: Saw,
}

impl Reading {
    /// Whether the document was seen.
    pub(super) fn shows(&self) -> bool {
        matches!(self.saw, Saw::Text(_) | Saw::Something)
    }
}

/// The record of everything.
#[derive(Debug)]
pub(super) struct History {
    moment: AtomicU64,
    registers: Mutex<Vec<Vec<Entry>>>,
    readings: Mutex<Vec<Reading>>,
}

impl History {
    pub(super) fn new() -> Self {
        Self { moment: AtomicU64::new(1), registers: Mutex::default(), readings: Mutex::default() }
    }

    /// The next moment.
    pub(super) fn tick(&self) -> Moment {
        self.moment.fetch_add(1, Ordering::SeqCst)
    }

    /// A register that holds this already.
    pub(super) fn register(&self, value: Value) -> Register {
        let mut registers = self.registers();
        registers.push(vec![Entry { value, sent: 0, acknowledged: 0, revision: None }]);
        registers.len() - 1
    }

    /// Writes, and keeps when it was sent and when it was acknowledged with which revision.
    pub(super) fn write(&self, register: Register, value: Value, act: impl FnOnce() -> Option<u64>) {
        let entry = Entry { value, sent: self.tick(), acknowledged: Moment::MAX, revision: None };
        let place = {
            let mut registers = self.registers();
            registers[register].push(entry);
            registers[register].len() - 1
        };
        let revision = act();
        let acknowledged = self.tick();
        let mut registers = self.registers();
        let entry = &mut registers[register][place];
        (entry.acknowledged, entry.revision) = (acknowledged, revision);
    }

    pub(super) fn read(&self, reading: Reading) {
        lock(&self.readings).push(reading);
    }

    pub(super) fn registers(&self) -> MutexGuard<'_, Vec<Vec<Entry>>> {
        lock(&self.registers)
    }

    /// Takes the readings out.
    pub(super) fn take_readings(&self) -> Vec<Reading> {
        std::mem::take(&mut lock(&self.readings))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
