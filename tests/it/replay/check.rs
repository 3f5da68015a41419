//! Whether a history is one that the promise allows, looked at when everything is over.
//!
//! An answer is allowed if some state explains it that the server may have been in: no older than the last write that was acknowledged before the reading was sent, and no newer than the last that was sent before the answer came. What an answer shows must be allowed by a state no older than the last write that was acknowledged before the reading looked again. An answer that tells its revision must be what that revision holds, and must not be older than what was acknowledged before it was asked for.
//!
//! Each register has one writer, so that the values it may have had are a run of its entries; what must be found is a choice of one of each.

use super::{
    history::{Entry, Moment, Reading, Register, Saw, Value, Way},
    topic::{Part, Topic},
};

/// A reading that no state explains.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) reading: Reading,
    pub(super) reason: &'static str,
}

/// What is checked against.
pub(super) struct Checker<'h> {
    topics: &'h [Topic],
    registers: &'h [Vec<Entry>],
    /// When each revision was acknowledged, with the newest until then; rising.
    acknowledged: Vec<(Moment, u64)>,
}

/// The states that may explain an answer.
#[derive(Clone, Copy)]
struct Window {
    from: Moment,
    until: Moment,
    /// The revision of everything that has revisions.
    at: Option<u64>,
}

impl<'h> Checker<'h> {
    pub(super) fn new(topics: &'h [Topic], registers: &'h [Vec<Entry>]) -> Self {
        let entries = registers.iter().flatten();
        let mut acknowledged: Vec<(Moment, u64)> =
            entries.filter_map(|entry| Some((entry.acknowledged, entry.revision?))).collect();
        acknowledged.sort_unstable();
        let mut newest = 0;
        for (_, revision) in &mut acknowledged {
            newest = newest.max(*revision);
            *revision = newest;
        }
        Self { topics, registers, acknowledged }
    }

    /// The readings that nothing explains.
    pub(super) fn violations(&self, readings: &[Reading]) -> Vec<Violation> {
        let violation =
            |reading: &Reading| self.judge(reading).err().map(|reason| Violation { reading: *reading, reason });
        readings.iter().filter_map(violation).collect()
    }

    /// A violation, with what the topic's registers held around it.
    pub(super) fn tell(&self, violation: &Violation) -> String {
        let Violation { reading, reason } = violation;
        let mut told = format!("{reason}: {reading:?}");
        let window = Window { from: reading.sent, until: reading.answered, at: None };
        let parts = self.topics[reading.topic].parts.iter().map(|(part, register)| (format!("{part:?}"), *register));
        for (part, register) in parts.chain([("credential".to_owned(), reading.credential)]) {
            told += &format!("\n  {part}: {:?}", self.possible(register, window));
        }
        told
    }

    fn judge(&self, reading: &Reading) -> Result<(), &'static str> {
        let topic = &self.topics[reading.topic];
        let asked = Window { from: reading.sent, until: reading.answered, at: None };
        let looked = Window { from: reading.looked_again.unwrap_or(0).max(reading.sent), ..asked };
        let held = |window, holds| self.may_hold(reading.credential, window, &Value::Holds(holds));
        if let Some(revision) = reading.revision
            && revision < self.newest_before(reading.sent)
        {
            return Err("older than what was acknowledged before it was asked for");
        }
        match reading.saw {
            Saw::Unsettled => return Ok(()),
            Saw::NotReached => return Err("a revision that was acknowledged is not reached"),
            Saw::Refused if held(asked, false) || self.may_be_shut_out(topic, asked) => return Ok(()),
            Saw::Refused => return Err("a credential that holds is refused"),
            Saw::Nothing | Saw::Something | Saw::Text(_) => {}
        }
        if !held(looked, true) {
            return Err("answered to a credential that does not hold");
        }
        let fits = |seen: Option<u32>| match reading.saw {
            Saw::Text(version) => seen == Some(version),
            Saw::Something => seen.is_some(),
            _ => seen.is_none(),
        };
        // One page of a list may end before the document; what it shows counts all the same.
        if reading.way == Way::Cursor && reading.saw == Saw::Nothing {
            return Ok(());
        }
        if !self.is_explained(topic, Window { at: reading.revision, ..asked }, &fits) {
            return Err("no state explains it");
        }
        if reading.shows() && reading.way != Way::Explain && !self.is_explained(topic, looked, &fits) {
            return Err("shown although it was taken away before it was looked at again");
        }
        Ok(())
    }

    /// The newest revision that was acknowledged before a moment.
    fn newest_before(&self, moment: Moment) -> u64 {
        let count = self.acknowledged.partition_point(|(acknowledged, _)| *acknowledged < moment);
        count.checked_sub(1).map_or(0, |last| self.acknowledged[last].1)
    }

    /// The values that a register may have had.
    fn possible(&self, register: Register, window: Window) -> &'h [Entry] {
        let entries = &self.registers[register];
        let end = entries.partition_point(|entry| entry.sent < window.until);
        let has_revisions = entries.len() > 1 && entries[1].revision.is_some();
        if let Some(at) = window.at.filter(|_| has_revisions) {
            let is_in = |entry: &Entry| entry.sent == 0 || entry.revision.is_some_and(|revision| revision <= at);
            let count = entries[..end].partition_point(is_in);
            return &entries[count - 1..count];
        }
        let acknowledged = entries[..end].partition_point(|entry| entry.acknowledged < window.from);
        &entries[acknowledged.saturating_sub(1)..end]
    }

    fn may_hold(&self, register: Register, window: Window, value: &Value) -> bool {
        self.possible(register, window).iter().any(|entry| entry.value == *value)
    }

    fn may_be_shut_out(&self, topic: &Topic, window: Window) -> bool {
        let mut users = topic.parts.iter().filter(|(part, _)| *part == Part::User);
        users.any(|(_, register)| self.may_hold(*register, window, &Value::Holds(false)))
    }

    /// Whether some choice of possible values gives what was seen.
    fn is_explained(&self, topic: &Topic, window: Window, fits: &dyn Fn(Option<u32>) -> bool) -> bool {
        let possible: Vec<&[Entry]> =
            topic.parts.iter().map(|(_, register)| self.possible(*register, window)).collect();
        let mut chosen = Vec::with_capacity(possible.len());
        choose(&possible, &mut chosen, &|values| fits(topic.seen(values)))
    }
}

fn choose<'e>(possible: &[&'e [Entry]], chosen: &mut Vec<&'e Value>, fits: &dyn Fn(&[&Value]) -> bool) -> bool {
    let Some(entries) = possible.get(chosen.len()) else { return fits(chosen) };
    entries.iter().any(|entry| {
        chosen.push(&entry.value);
        let found = choose(possible, chosen, fits);
        chosen.pop();
        found
    })
}

/// Histories that are written down by hand, some of them impossible: a checker that finds nothing proves nothing.
mod tests {
    use super::*;
    use crate::oracle::{Person, Rule};

    const DOCUMENT: Register = 0;
    const CREDENTIAL: Register = 1;

    fn rule(name: &str) -> Value {
        Value::Document(7, Rule { allow: vec![name.to_owned()], ..Rule::default() })
    }

    fn entry(value: Value, sent: Moment, acknowledged: Moment, revision: u64) -> Entry {
        Entry { value, sent, acknowledged, revision: Some(revision) }
    }

    /// A document that bo may read from 10 to 20 (acknowledged at 25) on, and a key that is revoked from 30 to 40 on.
    fn judged(reading: Reading) -> Result<(), &'static str> {
        let first = |value| Entry { value, sent: 0, acknowledged: 0, revision: None };
        let registers = [
            vec![first(Value::Absent), entry(rule("user:bo"), 5, 10, 3), entry(rule("user:cy"), 20, 25, 4)],
            vec![first(Value::Holds(true)), entry(Value::Holds(false), 30, 40, 5)],
        ];
        let person = Person { names: vec!["user:bo".to_owned()], facts: Vec::new() };
        let topics = [Topic { person, parts: vec![(Part::Document, DOCUMENT)] }];
        Checker::new(&topics, &registers).judge(&reading)
    }

    fn reading(sent: Moment, answered: Moment, saw: Saw) -> Reading {
        let (topic, credential, way) = (0, CREDENTIAL, Way::Keyword);
        Reading { topic, credential, way, sent, looked_again: None, answered, revision: None, saw }
    }

    #[test]
    fn what_may_have_been_is_allowed() {
        for (sent, answered, saw) in [
            (1, 4, Saw::Nothing),
            (6, 8, Saw::Nothing),
            (6, 8, Saw::Text(7)),
            (11, 19, Saw::Something),
            (11, 22, Saw::Nothing),
            (21, 24, Saw::Text(7)),
            (26, 29, Saw::Nothing),
            (31, 35, Saw::Refused),
            (41, 45, Saw::Refused),
            (41, 45, Saw::Unsettled),
        ] {
            assert_eq!(judged(reading(sent, answered, saw)), Ok(()), "{sent} to {answered}: {saw:?}");
        }
    }

    #[test]
    fn what_cannot_have_been_is_found() {
        for (sent, answered, saw) in [
            (1, 4, Saw::Text(7)),
            (11, 19, Saw::Nothing),
            (11, 19, Saw::Text(6)),
            (11, 19, Saw::Refused),
            (26, 29, Saw::Text(7)),
            (26, 29, Saw::Something),
            (11, 19, Saw::NotReached),
            (41, 45, Saw::Nothing),
        ] {
            assert!(judged(reading(sent, answered, saw)).is_err(), "{sent} to {answered}: {saw:?}");
        }
    }

    #[test]
    fn a_second_look_must_see_what_was_acknowledged_before_it() {
        let looking = |looked_again, saw| Reading { looked_again: Some(looked_again), ..reading(11, 29, saw) };
        assert_eq!(judged(looking(24, Saw::Text(7))), Ok(()));
        assert!(judged(looking(26, Saw::Text(7))).is_err());
        assert_eq!(judged(looking(26, Saw::Nothing)), Ok(()));
        let late = Reading { looked_again: Some(41), ..reading(29, 45, Saw::Nothing) };
        assert!(judged(late).is_err(), "the key was revoked before the second look");
    }

    #[test]
    fn a_revision_is_what_it_holds_and_not_an_old_one() {
        let at = |sent, revision, saw| Reading { revision: Some(revision), ..reading(sent, 24, saw) };
        assert_eq!(judged(at(21, 3, Saw::Text(7))), Ok(()));
        assert_eq!(judged(at(21, 4, Saw::Nothing)), Ok(()));
        assert!(judged(at(21, 4, Saw::Text(7))).is_err());
        assert!(judged(at(21, 3, Saw::Nothing)).is_err());
        assert!(judged(at(11, 2, Saw::Nothing)).is_err(), "revision 3 was acknowledged");
    }
}
