//! What one reading is about: a document, somebody who may or may not read it, and the registers that this hangs on. The rules themselves are the oracle's.

use super::history::{Register, Value};
use crate::oracle::{Person, World};

/// What a register means for a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Document,
    Group(&'static str),
    /// The readers of its collection.
    Readers,
    Policy,
    /// Whether the directory has the person as one who may come in.
    User,
    Clock,
}

/// A document and somebody who asks for it.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) person: Person,
    pub(super) parts: Vec<(Part, Register)>,
}

impl Topic {
    /// Which text of the document the person may read if the parts have these values.
    pub(super) fn seen(&self, values: &[&Value]) -> Option<u32> {
        let mut world = World::default();
        for ((part, _), value) in self.parts.iter().zip(values) {
            if let (Part::Group(name), Value::Members(members)) = (part, value) {
                world.groups.insert((*name).to_owned(), members.clone());
            }
        }
        let (mut document, mut now, mut is_shut) = (None, 0, false);
        for ((part, _), value) in self.parts.iter().zip(values) {
            match (part, value) {
                (Part::Document, Value::Document(version, rule)) => document = Some((*version, rule)),
                (Part::Readers, Value::Members(names)) => {
                    is_shut |= !names.iter().any(|name| world.is(&self.person, name));
                }
                (Part::User, Value::Holds(holds)) => is_shut |= !holds,
                (Part::Clock, Value::Now(time)) => now = *time,
                _ => {}
            }
        }
        let (version, rule) = document?;
        let closes = |(part, value): (&(Part, Register), &&Value)| match (&part.0, value) {
            (Part::Policy, Value::Closes(Some(name))) => rule.allow.iter().any(|allowed| allowed == name),
            _ => false,
        };
        is_shut |= self.parts.iter().zip(values).any(closes);
        (!is_shut && world.rule_grants(&self.person, rule, now)).then_some(version)
    }
}
