//! The product's policy against the model in `oracle.rs`, and the properties that any policy of this kind has.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_indexes::{Acl, AttributeValue, Condition, Principal, Requirement, Timestamp};

use crate::oracle::{self, Demand, Dice, Fact, MOMENTS, NAMES, Person, Rule, World};

/// Comparisons in a regular run; ten times that in `cargo xtask deep policy`.
const COMPARISONS: usize = 10_000_000;

pub(crate) fn acl(rule: &Rule) -> Acl {
    Acl {
        allow: principals(&rule.allow),
        deny: principals(&rule.deny),
        require: rule.require.iter().map(requirement).collect(),
        not_before: rule.from.map(Timestamp),
        expires_at: rule.until.map(Timestamp),
    }
}

fn requirement((attribute, demand): &(String, Demand)) -> Requirement {
    let condition = match demand {
        Demand::AtLeast(floor) => Condition::AtLeast(*floor),
        Demand::OneOf(words) => Condition::In(words.iter().cloned().collect()),
    };
    Requirement { attribute: attribute.clone(), condition }
}

fn principals(names: &[String]) -> BTreeSet<Principal> {
    names.iter().map(|name| Principal::new(name).unwrap()).collect()
}

pub(crate) fn attributes(person: &Person) -> BTreeMap<String, AttributeValue> {
    let value = |fact: &Fact| match fact {
        Fact::Number(number) => AttributeValue::Integer(*number),
        Fact::Word(word) => AttributeValue::Text(word.clone()),
        Fact::Words(words) => AttributeValue::Texts(words.iter().cloned().collect()),
        Fact::Flag(flag) => AttributeValue::Boolean(*flag),
    };
    person.facts.iter().map(|(name, fact)| (name.clone(), value(fact))).collect()
}

/// Everything the person is, by the model: what the product's directory must come to as well.
fn everything_they_are(world: &World, person: &Person) -> BTreeSet<Principal> {
    NAMES.iter().filter(|name| world.is(person, name)).map(|name| Principal::new(name).unwrap()).collect()
}

#[test]
fn the_policy_equals_the_model_at_length() {
    let target = if crate::is_deep() { COMPARISONS * 10 } else { COMPARISONS };
    let (mut compared, mut granted, mut seed) = (0, 0, 0);
    while compared < target {
        seed += 1;
        let mut dice = Dice(seed);
        let world = oracle::world(&mut dice, 60);
        let acls: Vec<Acl> = world.rules.iter().map(acl).collect();
        for _ in 0..16 {
            let person = oracle::person(&mut dice);
            let (known, facts) = (everything_they_are(&world, &person), attributes(&person));
            for (rule, acl) in world.rules.iter().zip(&acls) {
                for now in MOMENTS {
                    let expected = world.rule_grants(&person, rule, *now);
                    let actual = acl.permits(&known, &facts, Timestamp(*now));
                    assert_eq!(actual, expected, "seed {seed}: {person:?} at {now} on {rule:?} in {:?}", world.groups);
                    compared += 1;
                    granted += usize::from(actual);
                }
            }
        }
    }
    // A generator that grants nearly nothing, or everything, would compare nothing.
    assert!(granted * 10 > compared && granted * 10 < compared * 9, "{granted} of {compared} granted");
}

/// Every world of one user, two groups that may contain each other, and everyone.
#[test]
fn the_policy_equals_the_model_in_every_small_world() {
    const SMALL: [&str; 4] = ["user:a", "group:g", "group:h", "everyone"];
    let subset = |names: &[&str], bits: usize| -> Vec<String> {
        names
            .iter()
            .enumerate()
            .filter(|(place, _)| bits >> place & 1 == 1)
            .map(|(_, name)| (*name).to_owned())
            .collect()
    };
    let rules: Vec<Rule> = (0..256)
        .flat_map(|bits| {
            let plain = Rule { allow: subset(&SMALL, bits & 15), deny: subset(&SMALL, bits >> 4), ..Rule::default() };
            let demanding = Rule { require: vec![("clearance".to_owned(), Demand::AtLeast(2))], ..plain.clone() };
            let windowed = Rule { from: Some(10), until: Some(20), ..plain.clone() };
            [plain, demanding, windowed]
        })
        .collect();
    let acls: Vec<Acl> = rules.iter().map(acl).collect();
    let mut compared = 0;
    for nesting in 0..16 {
        let mut world = World::default();
        world.groups.insert("group:g".to_owned(), subset(&["user:a", "group:h"], nesting & 3));
        world.groups.insert("group:h".to_owned(), subset(&["user:a", "group:g"], nesting >> 2));
        for (who, clearance) in (0..8).flat_map(|who| [None, Some(1), Some(2)].map(|clearance| (who, clearance))) {
            let facts = clearance.map(|level| ("clearance".to_owned(), Fact::Number(level))).into_iter().collect();
            let person = Person { names: subset(&SMALL[..3], who), facts };
            let (known, facts) = (everything_they_are(&world, &person), attributes(&person));
            for (rule, acl) in rules.iter().zip(&acls) {
                for now in [9, 10, 20] {
                    let actual = acl.permits(&known, &facts, Timestamp(now));
                    assert_eq!(actual, world.rule_grants(&person, rule, now), "{person:?} at {now} on {rule:?}");
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 16 * 24 * 768 * 3);
}

/// Checks a property of `Acl::permits` over many generated rules and people.
fn check(property: impl Fn(&mut Dice, &Rule, &dyn Fn(&Rule) -> bool) -> bool) {
    for seed in 0..20_000 {
        let mut dice = Dice(seed ^ 0xACE);
        let world = oracle::world(&mut dice, 0);
        let (rule, person) = (oracle::rule(&mut dice), oracle::person(&mut dice));
        let now = Timestamp(MOMENTS[dice.roll(MOMENTS.len())]);
        let (known, facts) = (everything_they_are(&world, &person), attributes(&person));
        let permits = |rule: &Rule| acl(rule).permits(&known, &facts, now);
        assert!(property(&mut dice, &rule, &permits), "seed {seed}: {rule:?} for {person:?}");
    }
}

#[test]
fn nothing_is_granted_by_default() {
    check(|_, rule, permits| !permits(&Rule { allow: Vec::new(), ..rule.clone() }));
}

#[test]
fn denying_beats_allowing() {
    check(|_, rule, permits| !permits(&Rule { deny: rule.allow.clone(), ..rule.clone() }));
}

#[test]
fn allowing_more_never_takes_away() {
    check(|dice, rule, permits| {
        let mut wider = rule.clone();
        wider.allow.push(NAMES[dice.roll(NAMES.len())].to_owned());
        !permits(rule) || permits(&wider)
    });
}

#[test]
fn denying_more_never_adds() {
    check(|dice, rule, permits| {
        let mut narrower = rule.clone();
        narrower.deny.push(NAMES[dice.roll(NAMES.len())].to_owned());
        permits(rule) || !permits(&narrower)
    });
}

#[test]
fn demanding_more_never_adds() {
    check(|dice, rule, permits| {
        let mut narrower = rule.clone();
        narrower.require.extend(oracle::rule(dice).require);
        permits(rule) || !permits(&narrower)
    });
}

#[test]
fn order_and_duplicates_do_not_matter() {
    check(|_, rule, permits| {
        let mut shuffled = rule.clone();
        shuffled.allow.reverse();
        shuffled.deny.extend(rule.deny.clone());
        shuffled.require.reverse();
        shuffled.require.extend(rule.require.clone());
        permits(rule) == permits(&shuffled) && acl(rule).canonical_bytes() == acl(&shuffled).canonical_bytes()
    });
}
