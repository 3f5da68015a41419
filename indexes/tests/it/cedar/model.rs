//! Tenant policies a second time: a small language of conditions whose meaning is worked out here, and written as Cedar for the product.
//!
//! It shares nothing with the product but the text that it writes. Like Cedar, a condition can fail: then it has no value, and a reading that asks for it is refused.

use crate::oracle::{Dice, Fact, Person, Rule, World};

/// Collections of a generated tenant, with how far they are trusted.
pub(super) const COLLECTIONS: [(&str, &str); 3] = [("hr", "internal"), ("wiki", "untrusted"), ("board", "curated")];
const PURPOSES: [&str; 2] = ["support", "audit"];
/// Addresses, each with the range that a policy may name.
const NETWORKS: [(&str, &str); 2] = [("10.1.2.3", "10.0.0.0/8"), ("2001:db8::7", "2001:db8::/32")];

/// A request: what a policy may look at beside the reader and the document.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) collection: usize,
    pub(super) purpose: Option<&'static str>,
    pub(super) network: Option<&'static str>,
    /// In hours since the epoch.
    pub(super) hour: i64,
}

/// A condition.
#[derive(Clone, Debug)]
enum Condition {
    IsIn(&'static str),
    IsUser,
    HasName(&'static str),
    NumberAtLeast(&'static str, i64),
    TextIs(&'static str, &'static str),
    FlagIs(&'static str, bool),
    CollectionIs(usize),
    TrustIs(&'static str),
    Allows(&'static str),
    /// The same in a form that looks at the whole list.
    AllowsAmong(&'static str),
    AllowsAnyOf(&'static str, &'static str),
    Denies(&'static str),
    Requires(&'static str),
    RequiresAtLeast(&'static str, i64),
    PurposeIs(&'static str),
    ComesFrom(usize),
    HourBefore(i64),
    /// Before so many hours since the epoch.
    MomentBefore(i64),
    IsWeekend,
    /// Fails for numbers of two and more.
    Overflows(&'static str),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

/// A statement of a policy.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) permits: bool,
    principal: Option<&'static str>,
    collection: Option<usize>,
    when: Option<Condition>,
    unless: Option<Condition>,
}

const GROUPS: [&str; 4] = ["group:g", "group:h", "group:i", "role:lead"];
const NUMBERS: [&str; 1] = ["clearance"];
const WORDS: [&str; 3] = ["eu", "uk", "EU"];
const NAMES: [&str; 5] = ["user:a", "user:A", "group:g", "group:i", "everyone"];

fn one<T: Copy>(dice: &mut Dice, from: &[T]) -> T {
    from[dice.roll(from.len())]
}

fn small(dice: &mut Dice, sides: usize) -> i64 {
    i64::try_from(dice.roll(sides)).expect("small")
}

pub(super) fn request(dice: &mut Dice) -> Request {
    Request {
        collection: dice.roll(COLLECTIONS.len()),
        purpose: [None, Some(PURPOSES[0]), Some(PURPOSES[1])][dice.roll(3)],
        network: [None, Some(NETWORKS[0].0), Some(NETWORKS[1].0)][dice.roll(3)],
        hour: small(dice, 24 * 14),
    }
}

pub(super) fn statement(dice: &mut Dice, may_permit: bool, looks_at_request: bool) -> Statement {
    let heads = ["group:g", "group:h", "role:lead", "user:a", "service:bot"];
    let part = |dice: &mut Dice| (dice.roll(2) == 0).then(|| condition(dice, 3, looks_at_request));
    Statement {
        permits: may_permit && dice.roll(3) == 0,
        principal: (dice.roll(3) == 0).then(|| one(dice, &heads)),
        collection: (dice.roll(3) == 0).then(|| dice.roll(COLLECTIONS.len())),
        when: part(dice),
        unless: part(dice),
    }
}

fn condition(dice: &mut Dice, depth: usize, looks_at_request: bool) -> Condition {
    let deeper = |dice: &mut Dice| Box::new(condition(dice, depth - 1, looks_at_request));
    match dice.roll(if depth == 0 { 13 } else { 20 }) {
        0 => Condition::IsUser,
        1 => Condition::HasName(one(dice, &["a", "A", "bot"])),
        2 => Condition::NumberAtLeast(one(dice, &NUMBERS), small(dice, 4)),
        3 => Condition::TextIs("region", one(dice, &WORDS)),
        4 => Condition::FlagIs("region", dice.roll(2) == 0),
        5 => Condition::CollectionIs(dice.roll(COLLECTIONS.len())),
        6 => Condition::TrustIs(one(dice, &["untrusted", "internal", "curated"])),
        7 => match dice.roll(3) {
            0 => Condition::Allows(one(dice, &NAMES)),
            1 => Condition::AllowsAmong(one(dice, &NAMES)),
            _ => Condition::AllowsAnyOf(one(dice, &NAMES), one(dice, &NAMES)),
        },
        8 => Condition::Denies(one(dice, &NAMES)),
        9 => Condition::Requires(one(dice, &["clearance", "region"])),
        10 => Condition::RequiresAtLeast("clearance", small(dice, 4)),
        11 if dice.roll(4) == 0 => Condition::Overflows("clearance"),
        12 if looks_at_request => match dice.roll(5) {
            0 => Condition::PurposeIs(one(dice, &PURPOSES)),
            1 => Condition::ComesFrom(dice.roll(NETWORKS.len())),
            2 => Condition::HourBefore(small(dice, 24)),
            3 => Condition::MomentBefore(small(dice, 24 * 14)),
            _ => Condition::IsWeekend,
        },
        13 | 14 => Condition::Not(deeper(dice)),
        15 | 16 => Condition::And(deeper(dice), deeper(dice)),
        17 | 18 => Condition::Or(deeper(dice), deeper(dice)),
        _ => Condition::IsIn(one(dice, &GROUPS)),
    }
}

/// Everything that a condition is about.
#[derive(Clone, Copy)]
pub(super) struct Matter<'a> {
    pub(super) world: &'a World,
    pub(super) person: &'a Person,
    pub(super) rule: &'a Rule,
    pub(super) request: &'a Request,
}

/// Whether somebody may read, by the contract: a policy forbids, or stands in for `allow`; one that fails forbids.
pub(super) fn may_read(matter: Matter<'_>, statements: &[Statement]) -> bool {
    let Matter { world, person, rule, request } = matter;
    let mut is_permitted = false;
    for statement in statements {
        match statement.applies(matter) {
            None => return false,
            Some(true) if !statement.permits => return false,
            Some(applies) => is_permitted |= applies,
        }
    }
    let moment = request.hour * 3_600_000_000;
    let mut bare = rule.clone();
    if is_permitted {
        bare.allow.push("everyone".to_owned());
    }
    world.rule_grants(person, &bare, moment)
}

impl Statement {
    /// Whether it applies; `None` where that cannot be worked out.
    fn applies(&self, matter: Matter<'_>) -> Option<bool> {
        if self.principal.is_some_and(|named| !matter.world.is(matter.person, named))
            || self.collection.is_some_and(|collection| collection != matter.request.collection)
        {
            return Some(false);
        }
        for (part, wanted) in [(&self.when, true), (&self.unless, false)] {
            if let Some(condition) = part
                && condition.holds(matter)? != wanted
            {
                return Some(false);
            }
        }
        Some(true)
    }

    pub(super) fn to_cedar(&self) -> String {
        let effect = if self.permits { "permit" } else { "forbid" };
        let principal = match self.principal {
            Some(name) if name.starts_with("user:") || name.starts_with("service:") => {
                format!("principal == {}", entity(name))
            }
            Some(name) => format!("principal in {}", entity(name)),
            None => "principal".to_owned(),
        };
        let resource = match self.collection {
            Some(collection) => format!("resource in Collection::\"{}\"", COLLECTIONS[collection].0),
            None => "resource".to_owned(),
        };
        let part = |word: &str, condition: &Option<Condition>| {
            condition.as_ref().map_or_else(String::new, |condition| format!(" {word} {{ {} }}", condition.to_cedar()))
        };
        format!(
            "{effect} ({principal}, action, {resource}){}{};",
            part("when", &self.when),
            part("unless", &self.unless)
        )
    }
}

fn entity(name: &str) -> String {
    let (kind, id) = name.split_once(':').expect("a principal has a kind");
    let kind = match kind {
        "user" => "User",
        "service" => "Service",
        "group" => "Group",
        _ => "Role",
    };
    format!("{kind}::\"{id}\"")
}

impl Condition {
    fn holds(&self, matter: Matter<'_>) -> Option<bool> {
        let Matter { world, person, rule, request } = matter;
        let own = person.names.iter().find(|name| name.starts_with("user:") || name.starts_with("service:"));
        let own = own.expect("a reader has a name");
        let fact = |wanted: &str| person.facts.iter().find(|(name, _)| name == wanted).map(|(_, fact)| fact);
        let floors = |wanted: &str| {
            let floor = |(name, demand): &(String, crate::oracle::Demand)| match demand {
                crate::oracle::Demand::AtLeast(floor) if name == wanted => Some(*floor),
                _ => None,
            };
            rule.require.iter().filter_map(floor).max()
        };
        Some(match self {
            Self::IsIn(group) => world.is(person, group),
            Self::IsUser => own.starts_with("user:"),
            Self::HasName(name) => own.split_once(':').is_some_and(|(_, own)| own == *name),
            Self::NumberAtLeast(name, floor) => matches!(fact(name), Some(Fact::Number(number)) if number >= floor),
            Self::TextIs(name, word) => match fact(name) {
                Some(Fact::Word(own)) => own == word,
                Some(Fact::Words(own)) => own.iter().any(|own| own == word),
                _ => false,
            },
            Self::FlagIs(name, wanted) => matches!(fact(name), Some(Fact::Flag(flag)) if flag == wanted),
            Self::CollectionIs(collection) => request.collection == *collection,
            Self::TrustIs(trust) => COLLECTIONS[request.collection].1 == *trust,
            Self::Allows(name) | Self::AllowsAmong(name) => rule.allow.iter().any(|own| own == name),
            Self::AllowsAnyOf(one, other) => rule.allow.iter().any(|own| own == one || own == other),
            Self::Denies(name) => rule.deny.iter().any(|own| own == name),
            Self::Requires(name) => rule.require.iter().any(|(own, _)| own == name),
            Self::RequiresAtLeast(name, least) => floors(name).is_some_and(|floor| floor >= *least),
            Self::PurposeIs(purpose) => request.purpose == Some(purpose),
            Self::ComesFrom(network) => request.network == Some(NETWORKS[*network].0),
            Self::HourBefore(hour) => request.hour % 24 < *hour,
            Self::MomentBefore(hour) => request.hour < *hour,
            // The epoch was a Thursday.
            Self::IsWeekend => matches!(request.hour / 24 % 7, 2 | 3),
            Self::Overflows(name) => match fact(name) {
                Some(Fact::Number(number)) => number.checked_mul(i64::MAX)? > 0,
                _ => false,
            },
            Self::Not(condition) => !condition.holds(matter)?,
            Self::And(left, right) => left.holds(matter)? && right.holds(matter)?,
            Self::Or(left, right) => left.holds(matter)? || right.holds(matter)?,
        })
    }

    fn to_cedar(&self) -> String {
        let tag = |holder: &str, name: &str, then: &str| {
            format!("({holder}.hasTag(\"{name}\") && {holder}.getTag(\"{name}\"){then})")
        };
        match self {
            Self::IsIn(group) => format!("principal in {}", entity(group)),
            Self::IsUser => "principal is User".to_owned(),
            Self::HasName(name) => format!("principal.name == \"{name}\""),
            Self::NumberAtLeast(name, floor) => tag("principal.numbers", name, &format!(" >= {floor}")),
            Self::TextIs(name, word) => tag("principal.texts", name, &format!(".contains(\"{word}\")")),
            Self::FlagIs(name, flag) => tag("principal.flags", name, &format!(" == {flag}")),
            Self::CollectionIs(collection) => format!("resource in Collection::\"{}\"", COLLECTIONS[*collection].0),
            Self::TrustIs(trust) => format!("resource.trust == \"{trust}\""),
            Self::Allows(name) => format!("resource.allow.contains(\"{name}\")"),
            Self::AllowsAmong(name) => format!("[\"{name}\"].containsAny(resource.allow)"),
            Self::AllowsAnyOf(one, other) => format!("resource.allow.containsAny([\"{one}\", \"{other}\"])"),
            Self::Denies(name) => format!("resource.deny.contains(\"{name}\")"),
            Self::Requires(name) => format!("resource.require.contains(\"{name}\")"),
            Self::RequiresAtLeast(name, least) => tag("resource", name, &format!(" >= {least}")),
            Self::PurposeIs(purpose) => format!("(context has purpose && context.purpose == \"{purpose}\")"),
            Self::ComesFrom(network) => {
                format!("(context has network && context.network.isInRange(ip(\"{}\")))", NETWORKS[*network].1)
            }
            Self::HourBefore(hour) => format!("context.hour < {hour}"),
            Self::MomentBefore(hour) => {
                format!("context.now < datetime(\"1970-01-{:02}T{:02}:00:00Z\")", hour / 24 + 1, hour % 24)
            }
            Self::IsWeekend => "context.weekday >= 6".to_owned(),
            Self::Overflows(name) => tag("principal.numbers", name, &format!(" * {} > 0", i64::MAX)),
            Self::Not(condition) => format!("!({})", condition.to_cedar()),
            Self::And(left, right) => format!("({} && {})", left.to_cedar(), right.to_cedar()),
            Self::Or(left, right) => format!("({} || {})", left.to_cedar(), right.to_cedar()),
        }
    }
}
