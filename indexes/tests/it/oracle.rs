//! Who may read what, a second time: a model of the contract that shares no type and no method with the product.
//!
//! Everything is strings and lists, and membership is looked up from the named principal down to the person, the opposite way of the product.
//! It is slow and obvious on purpose: where the two disagree, a person must see at once which one is wrong.

use std::collections::BTreeMap;

/// A tenant: its directory and its documents' rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    /// Group to direct members.
    pub(crate) groups: BTreeMap<String, Vec<String>>,
    pub(crate) rules: Vec<Rule>,
}

/// Who may read a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rule {
    pub(crate) allow: Vec<String>,
    pub(crate) deny: Vec<String>,
    pub(crate) require: Vec<(String, Demand)>,
    pub(crate) from: Option<i64>,
    pub(crate) until: Option<i64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Demand {
    AtLeast(i64),
    OneOf(Vec<String>),
}

/// Someone who asks: what their credential says, without the directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    pub(crate) names: Vec<String>,
    pub(crate) facts: Vec<(String, Fact)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Fact {
    Number(i64),
    Word(String),
    Words(Vec<String>),
    Flag(bool),
}

impl World {
    /// The contract, section 4, as far as the document goes: some allow, no deny, every demand, inside the window.
    pub(crate) fn rule_grants(&self, person: &Person, rule: &Rule, now: i64) -> bool {
        if !self.is_any(person, &rule.allow) || self.is_any(person, &rule.deny) {
            return false;
        }
        for (attribute, demand) in &rule.require {
            if !person.facts.iter().any(|(name, fact)| name == attribute && meets(fact, demand)) {
                return false;
            }
        }
        let has_begun = match rule.from {
            Some(from) => now >= from,
            None => true,
        };
        let has_ended = match rule.until {
            Some(until) => now >= until,
            None => false,
        };
        has_begun && !has_ended
    }

    /// Whether the person is what `name` names: itself, everyone, or a member at any depth.
    pub(crate) fn is(&self, person: &Person, name: &str) -> bool {
        self.is_on_the_way(person, name, &mut Vec::new())
    }

    fn is_any(&self, person: &Person, names: &[String]) -> bool {
        names.iter().any(|name| self.is(person, name))
    }

    fn is_on_the_way<'w>(&'w self, person: &Person, name: &'w str, visited: &mut Vec<&'w str>) -> bool {
        if person.names.is_empty() || visited.contains(&name) {
            return false;
        }
        if name == "everyone" || person.names.iter().any(|own| own == name) {
            return true;
        }
        visited.push(name);
        let Some(members) = self.groups.get(name) else { return false };
        members.iter().any(|member| self.is_on_the_way(person, member, visited))
    }
}

fn meets(fact: &Fact, demand: &Demand) -> bool {
    match demand {
        Demand::AtLeast(floor) => matches!(fact, Fact::Number(number) if number >= floor),
        Demand::OneOf(words) => match fact {
            Fact::Word(word) => words.contains(word),
            Fact::Words(own) => own.iter().any(|word| words.contains(word)),
            Fact::Number(_) | Fact::Flag(_) => false,
        },
    }
}

/// A small generator of numbers (SplitMix64), so that a seed gives the same world for ever.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let sides = u64::try_from(sides).expect("a die has few sides");
        usize::try_from((mixed ^ (mixed >> 31)) % sides).expect("smaller than its sides")
    }

    fn pick(&mut self, from: &[&str], most: usize) -> Vec<String> {
        (0..self.roll(most + 1)).map(|_| from[self.roll(from.len())].to_owned()).collect()
    }
}

const USERS: &[&str] = &["user:a", "user:b", "user:A", "service:bot", "role:lead"];
const GROUPS: &[&str] = &["group:g", "group:h", "group:i", "group:j", "group:k"];
/// Every name that a generated world mentions.
pub(crate) const NAMES: &[&str] = &[
    "user:a",
    "user:b",
    "user:A",
    "service:bot",
    "role:lead",
    "group:g",
    "group:h",
    "group:i",
    "group:j",
    "group:k",
    "everyone",
];
const ATTRIBUTES: &[&str] = &["clearance", "region"];
const WORDS: &[&str] = &["eu", "uk", "EU"];
/// Moments around the edges of the windows that are generated.
pub(crate) const MOMENTS: &[i64] = &[-1, 10, 19, 20, 21];

/// A world with nested groups (cycles among them), denials, demands and windows.
pub(crate) fn world(dice: &mut Dice, rules: usize) -> World {
    let mut world = World::default();
    for group in GROUPS {
        if dice.roll(4) > 0 {
            let from = if dice.roll(2) == 0 { USERS } else { &NAMES[..NAMES.len() - 1] };
            world.groups.insert((*group).to_owned(), dice.pick(from, 3));
        }
    }
    world.rules = (0..rules).map(|_| rule(dice)).collect();
    world
}

/// A rule; most have one thing that may refuse, so that refusals have many causes.
pub(crate) fn rule(dice: &mut Dice) -> Rule {
    let mut rule = Rule { allow: dice.pick(NAMES, 4), ..Rule::default() };
    match dice.roll(6) {
        0 | 1 => rule.deny = dice.pick(NAMES, 2),
        2 => rule.from = Some(MOMENTS[dice.roll(MOMENTS.len())]),
        3 => rule.until = Some(MOMENTS[dice.roll(MOMENTS.len())]),
        4 => {
            for _ in 0..=dice.roll(2) {
                let floor = i64::try_from(dice.roll(4)).expect("small") - 1;
                let demand =
                    if dice.roll(2) == 0 { Demand::AtLeast(floor) } else { Demand::OneOf(dice.pick(WORDS, 2)) };
                rule.require.push((ATTRIBUTES[dice.roll(ATTRIBUTES.len())].to_owned(), demand));
            }
        }
        _ => {}
    }
    rule
}

/// Someone, now and then without a name.
pub(crate) fn person(dice: &mut Dice) -> Person {
    let mut person = Person { names: dice.pick(&NAMES[..NAMES.len() - 1], 3), facts: Vec::new() };
    for attribute in ATTRIBUTES {
        let fact = match dice.roll(6) {
            0 | 1 => Fact::Number(i64::try_from(dice.roll(4)).expect("small") - 1),
            2 => Fact::Word(WORDS[dice.roll(WORDS.len())].to_owned()),
            3 => Fact::Words(dice.pick(WORDS, 2)),
            4 => Fact::Flag(dice.roll(2) == 0),
            _ => continue,
        };
        person.facts.push(((*attribute).to_owned(), fact));
    }
    person
}
