//! Tenant policies against the model in `model.rs`: what the engine reads, explains and expects is what the model says.

mod model;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ringfence_indexes::{
    Amendment, AnalyzerKind, AttributeValue, Change, Collection, CollectionId, Document, DocumentId, DocumentInfo,
    Engine, Expectation, PolicyName, Principal, RequestContext, Ruleset, Selection, Standing, Subject, Supposed,
    Target, TenantId, TenantPolicy, Timestamp, VectorSource,
};
use serde_json::Map;

use self::model::{COLLECTIONS, Matter, Request, Statement, may_read};
use crate::{
    is_deep,
    oracle::{self, Dice, NAMES, Person, Rule, World},
    policy::{acl, attributes},
};

const WORLDS: u64 = 120;
const RULES: usize = 12;
const PEOPLE: usize = 6;
const REQUESTS: usize = 4;

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn document(collection: &str, index: usize, rule: &Rule) -> Document {
    let info = DocumentInfo {
        title: None,
        uri: None,
        metadata: Map::new(),
        content_hash: String::new(),
        ingested_at: Timestamp(0),
        ingested_by: String::new(),
        version: 1,
        findings: Vec::new(),
        removed: 0,
        sanitizer: None,
    };
    let collection = CollectionId::new(collection).unwrap();
    Document { collection, id: id(index), acl: acl(rule), info: Arc::new(info), chunks: Vec::new() }
}

fn id(index: usize) -> DocumentId {
    DocumentId::new(&format!("d{index}")).unwrap()
}

/// An engine that holds every rule in every collection.
fn engine(world: &World) -> Engine {
    let engine = Engine::new();
    engine.create_tenant(&tenant(), [7; 32], 1);
    let everyone = BTreeSet::from([Principal::everyone()]);
    let mut changes: Vec<Change> = world
        .groups
        .iter()
        .map(|(group, members)| Change::PutGroup { group: principal(group), members: principals(members) })
        .collect();
    for (name, trust) in COLLECTIONS {
        changes.push(Change::PutCollection(Collection {
            id: CollectionId::new(name).unwrap(),
            readers: everyone.clone(),
            writers: everyone.clone(),
            vectors: VectorSource::Builtin { dimensions: 1 },
            trust,
            analyzer: AnalyzerKind::English,
        }));
        let documents = world.rules.iter().enumerate().map(|(index, rule)| document(name, index, rule));
        changes.extend(documents.map(Change::PutDocument));
    }
    engine.apply(&tenant(), 2, changes).unwrap();
    engine
}

fn principal(name: &str) -> Principal {
    Principal::new(name).unwrap()
}

fn principals(names: &[String]) -> BTreeSet<Principal> {
    names.iter().map(|name| principal(name)).collect()
}

/// Somebody with one name of their own, as every credential has it.
fn person(dice: &mut Dice) -> Person {
    let own = ["user:a", "user:A", "service:bot"][dice.roll(3)];
    let mut person = oracle::person(dice);
    person.names.retain(|name| name.starts_with("group:") || name.starts_with("role:"));
    person.names.push(own.to_owned());
    person
}

#[expect(clippy::disallowed_methods, reason = "a test is its own verifier")]
fn subject(supposed: &Supposed) -> Subject {
    let own = [supposed.name.clone(), Principal::everyone()];
    let principals = supposed.groups.iter().cloned().chain(own).collect();
    Subject::assert_verified(tenant(), principals, supposed.attributes.clone()).in_context(supposed.context.clone())
}

fn supposed(person: &Person, request: &Request) -> Supposed {
    let (groups, own): (Vec<_>, Vec<_>) =
        person.names.iter().partition(|name| name.starts_with("group:") || name.starts_with("role:"));
    let context = RequestContext {
        purpose: request.purpose.map(str::to_owned),
        network: request.network.map(|network| network.parse().unwrap()),
    };
    Supposed {
        name: principal(own[0]),
        groups: groups.into_iter().map(|name| principal(name)).collect(),
        attributes: attributes(person),
        context,
    }
}

/// Gives the engine the statements as policies, some of them with several.
fn put_policies(engine: &Engine, statements: &[Statement], dice: &mut Dice) {
    let mut changes = vec![Change::EnablePermit(statements.iter().any(|statement| statement.permits))];
    let mut rest = statements;
    while !rest.is_empty() {
        let (some, others) = rest.split_at(1 + dice.roll(rest.len()));
        let text: Vec<String> = some.iter().map(Statement::to_cedar).collect();
        let name = PolicyName::new(&format!("p{}", rest.len())).unwrap();
        let policy = TenantPolicy::check(name, &text.join("\n"));
        let policy = policy.unwrap_or_else(|fault| panic!("{fault}\n{}", text.join("\n")));
        changes.push(Change::PutPolicy(Arc::new(policy)));
        rest = others;
    }
    engine.apply(&tenant(), 3, changes).unwrap();
}

/// Explained and expected it is as it is read; without the policies that the explanation would lift, it is readable. Whether there were any.
fn check_told(
    engine: &Engine,
    supposed: &Supposed,
    (collection, index): (&CollectionId, usize),
    now: Timestamp,
    expected: bool,
    told: &dyn Fn() -> String,
) -> bool {
    let explained = engine.explain(&tenant(), collection, &id(index), supposed, now).unwrap();
    assert_eq!(explained.readable, expected, "explained, {}", told());
    let holds = |rules: Option<&Ruleset>, readable: bool| {
        let target = Target::Document(collection.clone(), id(index));
        let expectation = Expectation { supposed: supposed.clone(), at: Some(now), readable, target };
        engine.unmet(&tenant(), rules, &[expectation], now) == Some(Vec::new())
    };
    assert!(holds(None, expected) && !holds(None, !expected), "expected, {}", told());
    let rules = engine.rules(&tenant()).unwrap();
    let lift = |amendment: &Amendment| match amendment {
        // One that permits as well takes that with it.
        Amendment::LiftPolicy(name) => Some(name.clone()).filter(|name| !rules.policy(name).unwrap().permits()),
        _ => None,
    };
    let Some(lifted) = explained.flip.iter().map(lift).collect::<Option<Vec<_>>>() else { return false };
    let rules = lifted.iter().fold(rules.clone(), |rules, name| rules.without(name));
    assert!(holds(Some(&rules), true), "without {lifted:?}, {}", told());
    true
}

#[test]
fn policies_equal_the_model() {
    let worlds = if is_deep() { WORLDS * 40 } else { WORLDS };
    let (mut compared, mut granted, mut narrowed, mut widened, mut lifted) = (0, 0, 0, 0, 0);
    for seed in 0..worlds {
        let mut dice = Dice(seed ^ 0xCEDA);
        let world = oracle::world(&mut dice, RULES);
        let engine = engine(&world);
        let (may_permit, looks_at_request) = (dice.roll(2) == 0, dice.roll(2) == 0);
        let count = 1 + dice.roll(4);
        let statements: Vec<Statement> =
            (0..count).map(|_| model::statement(&mut dice, may_permit, looks_at_request)).collect();
        put_policies(&engine, &statements, &mut dice);
        for _ in 0..PEOPLE {
            let person = person(&mut dice);
            for _ in 0..REQUESTS {
                let mut request = model::request(&mut dice);
                let now = Timestamp(request.hour * 3_600_000_000);
                let supposed = supposed(&person, &request);
                let scope = engine.scope(&subject(&supposed), &Selection::All, now).unwrap();
                for (number, (collection, _)) in COLLECTIONS.iter().enumerate() {
                    request.collection = number;
                    let collection = CollectionId::new(collection).unwrap();
                    for (index, rule) in world.rules.iter().enumerate() {
                        let matter = Matter { world: &world, person: &person, rule, request: &request };
                        let expected = may_read(matter, &statements);
                        let actual = scope.has(&collection, &id(index));
                        let told = || {
                            let policies: Vec<_> = statements.iter().map(Statement::to_cedar).collect();
                            format!("seed {seed}: {person:?} in {request:?} on {rule:?}\n{}", policies.join("\n"))
                        };
                        assert_eq!(actual, expected, "{}", told());
                        let without = may_read(matter, &[]);
                        compared += 1;
                        granted += usize::from(actual);
                        narrowed += usize::from(without && !actual);
                        widened += usize::from(actual && !without);
                        // Taking it apart costs more than deciding, and has the same answer.
                        if (compared + index) % 7 == 0 {
                            lifted +=
                                usize::from(check_told(&engine, &supposed, (&collection, index), now, expected, &told));
                        }
                    }
                }
            }
        }
    }
    eprintln!("{compared} compared, {granted} granted, {narrowed} narrowed, {widened} widened, {lifted} lifted");
    // A generator whose policies never decide would compare nothing.
    assert!(granted * 20 > compared && narrowed * 20 > compared && widened * 200 > compared && lifted > 50);
}

/// A policy that is deleted, or is not enabled, leaves no trace; and a reader that was remembered is decided anew.
#[test]
fn policies_come_and_go_at_once() {
    let mut world = World::default();
    world.rules.push(Rule { allow: vec!["user:a".to_owned()], ..Rule::default() });
    let engine = engine(&world);
    let request = Request { collection: 0, purpose: None, network: None, hour: 0 };
    let reads = |name: &str| {
        let person = Person { names: vec![name.to_owned()], facts: Vec::new() };
        let subject = subject(&supposed(&person, &request));
        let scope = engine.scope(&subject, &Selection::All, Timestamp(0)).unwrap();
        scope.has(&CollectionId::new("hr").unwrap(), &id(0))
    };
    let policy = |name: &str, text: &str| {
        Change::PutPolicy(Arc::new(TenantPolicy::check(PolicyName::new(name).unwrap(), text).unwrap()))
    };
    let mut epoch = 3;
    let mut apply = |change: Change| {
        epoch += 1;
        engine.apply(&tenant(), epoch, vec![change]).unwrap();
    };
    assert!(reads("user:a") && !reads("user:b"));
    apply(policy("no", "forbid (principal == User::\"a\", action, resource);"));
    assert!(!reads("user:a"));
    apply(policy("no", "forbid (principal == User::\"c\", action, resource);"));
    assert!(reads("user:a"));
    apply(policy("yes", "permit (principal == User::\"b\", action, resource in Collection::\"hr\");"));
    assert!(!reads("user:b"), "permitting is not enabled");
    apply(Change::EnablePermit(true));
    assert!(reads("user:b") && reads("user:a"));
    apply(policy("no", "forbid (principal, action, resource) when { context.hour < 1 };"));
    assert!(!reads("user:a") && !reads("user:b"));
    apply(Change::DeletePolicy(PolicyName::new("no").unwrap()));
    assert!(reads("user:a") && reads("user:b"));
    apply(Change::EnablePermit(false));
    assert!(reads("user:a") && !reads("user:b"));
}

/// A name that is borne anew: what was forbidden by name holds for the next bearer as well, what was permitted by name does not.
#[test]
fn a_permit_by_name_is_not_inherited() {
    let mut world = World::default();
    world.rules.push(Rule { allow: vec!["user:boss".to_owned()], ..Rule::default() });
    world.rules.push(Rule { allow: vec!["everyone".to_owned()], ..Rule::default() });
    let engine = engine(&world);
    let policy = |name: &str, text: &str| {
        Change::PutPolicy(Arc::new(TenantPolicy::check(PolicyName::new(name).unwrap(), text).unwrap()))
    };
    let permits = [
        "permit (principal == User::\"a\", action, resource in Collection::\"hr\");",
        "permit (principal, action, resource in Collection::\"hr\") when { principal.name == \"a\" };",
        "permit (principal in Group::\"g\", action, resource in Collection::\"board\");",
        "forbid (principal == User::\"a\", action, resource in Collection::\"wiki\");",
    ];
    let mut changes: Vec<Change> =
        permits.iter().enumerate().map(|(index, text)| policy(&format!("p{index}"), text)).collect();
    changes.push(Change::EnablePermit(true));
    changes.push(Change::PutGroup { group: principal("group:g"), members: [principal("user:a")].into() });
    engine.apply(&tenant(), 3, changes).unwrap();
    let request = Request { collection: 0, purpose: None, network: None, hour: 0 };
    let supposed = supposed(&Person { names: vec!["user:a".to_owned()], facts: Vec::new() }, &request);
    let reads = || {
        let scope = engine.scope(&subject(&supposed), &Selection::All, Timestamp(0)).unwrap();
        let places = [("hr", 0), ("board", 0), ("hr", 1), ("wiki", 1)];
        places.map(|(collection, index)| {
            let collection = CollectionId::new(collection).unwrap();
            let read = scope.fetch(&collection, &id(index)).unwrap().is_some();
            let told = engine.explain(&tenant(), &collection, &id(index), &supposed, Timestamp(0)).unwrap();
            assert_eq!(told.readable, read, "{collection}/{index}");
            read
        })
    };
    assert_eq!(reads(), [true, true, true, false]);
    let standing = Standing { generation: 1, since: Timestamp(0), is_active: true, attributes: BTreeMap::new() };
    engine.apply(&tenant(), 4, vec![Change::PutStanding { name: principal("user:a"), standing }]).unwrap();
    assert_eq!(reads(), [false, true, true, false]);
}

/// What would cost more than its budget is not evaluated, and nothing is readable then.
#[test]
fn an_evaluation_beyond_its_budget_denies() {
    let mut world = World::default();
    for index in 0..700 {
        world.rules.push(Rule { allow: vec!["user:a".to_owned(), format!("user:x{index}")], ..Rule::default() });
    }
    let engine = engine(&world);
    let request = Request { collection: 0, purpose: None, network: None, hour: 0 };
    let supposed = supposed(&Person { names: vec!["user:a".to_owned()], facts: Vec::new() }, &request);
    let readable = || {
        let scope = engine.scope(&subject(&supposed), &Selection::All, Timestamp(0)).unwrap();
        scope.documents(&CollectionId::new("hr").unwrap(), None, 1_000).unwrap().len()
    };
    let mut epoch = 3;
    let mut put = |first: &str, statements: usize| {
        let costly = format!("{first}{}", " || resource.allow.contains(principal.name)".repeat(80));
        let text = format!("forbid (principal, action, resource in Collection::\"hr\") when {{ {costly} }};");
        let policy = TenantPolicy::check(PolicyName::new("p").unwrap(), &text.repeat(statements)[..]);
        epoch += 1;
        engine.apply(&tenant(), epoch, vec![Change::PutPolicy(Arc::new(policy.unwrap()))]).unwrap();
    };
    put("resource.trust == \"x\"", 4);
    assert_eq!(readable(), 700, "decided once for a reader, within the budget for that");
    put("context.hour == 99", 1);
    assert_eq!(readable(), 700);
    put("context.hour == 99", 4);
    assert_eq!(readable(), 0, "too much for each request");
}

/// Texts that are no policy, and texts that are made to break what reads them.
#[test]
fn hostile_texts_are_refused() {
    let refused = |text: &str| TenantPolicy::check(PolicyName::new("p").unwrap(), text).unwrap_err().to_string();
    let when = |condition: &str| format!("forbid (principal, action, resource) when {{ {condition} }};");
    let deep =
        |open: &str, close: &str, count: usize| when(&format!("{}true{}", open.repeat(count), close.repeat(count)));
    for text in [
        String::new(),
        "// nothing".to_owned(),
        "forbid".to_owned(),
        "allow (principal, action, resource);".to_owned(),
        "forbid (principal == ?principal, action, resource);".to_owned(),
        "forbid (principal in Tenant::\"other\", action, resource);".to_owned(),
        "forbid (principal, action == Action::\"write\", resource);".to_owned(),
        "forbid (principal, action, resource == Class::\"0\");".to_owned(),
        when("principal.secret == 1"),
        when("context.purpose == \"x\""),
        when("principal.numbers.getTag(\"clearance\") > 1"),
        when("resource.allow == 3"),
        when("resource in Class::\"0\""),
        when("unknown(\"x\")"),
        "x".repeat(20_000),
        "forbid (principal, action, resource);".repeat(30),
        deep("(", ")", 2_000),
        deep("[", "]", 2_000),
        deep("!", "", 5_000),
        deep("-", "", 5_000),
        deep("if true then true else ", "", 600),
        when(&"true && ".repeat(1_900)),
        when(&format!("true{}", " || true".repeat(1_900))),
        when(&format!("{}1 > 0", "1 + ".repeat(3_000))),
        when(&format!("resource{} == 1", ".allow".repeat(2_000))),
        "\u{202e}forbid".to_owned(),
        "forbid (principal, action, resource)\0;".to_owned(),
    ] {
        let told = refused(&text);
        assert!(told.len() < 700, "{told}");
    }
}

/// What is asked of a policy that looks at nothing of the request does not depend on the request.
#[test]
fn what_a_policy_looks_at_is_found_out() {
    let looks = |text: &str| {
        let policy = TenantPolicy::check(PolicyName::new("p").unwrap(), text).unwrap();
        (policy.depends_on_context(), policy.permits(), policy.forbids())
    };
    let head = "forbid (principal, action, resource)";
    assert_eq!(looks(&format!("{head};")), (false, false, true));
    assert_eq!(looks(&format!("{head} when {{ context.hour < 8 }};")), (true, false, true));
    assert_eq!(looks(&format!("{head} unless {{ context has purpose }};")), (true, false, true));
    assert_eq!(looks(&format!("{head} when {{ [1].contains(context.weekday) }};")), (true, false, true));
    assert_eq!(
        looks("permit (principal, action, resource) when { resource.collection like \"hr*\" };"),
        (false, true, false)
    );
    let device = "context.device.hasTag(\"managed\") && context.device.getTag(\"managed\") == \"true\"";
    assert_eq!(looks(&format!("{head} unless {{ {device} }};")), (true, false, true));
}

/// Attributes of the device come with the credential, under a prefix.
#[test]
fn a_policy_may_ask_for_a_managed_device() {
    let mut world = World::default();
    world.rules.push(Rule { allow: vec!["user:a".to_owned()], ..Rule::default() });
    let engine = engine(&world);
    let device = "context.device.hasTag(\"managed\") && context.device.getTag(\"managed\") == \"true\"";
    let text = format!("forbid (principal, action, resource) unless {{ {device} }};");
    let policy = TenantPolicy::check(PolicyName::new("device").unwrap(), &text).unwrap();
    engine.apply(&tenant(), 3, vec![Change::PutPolicy(Arc::new(policy))]).unwrap();
    let reads = |attributes: BTreeMap<String, AttributeValue>| {
        let (groups, context) = (BTreeSet::new(), RequestContext::default());
        let supposed = Supposed { name: principal("user:a"), groups, attributes, context };
        let scope = engine.scope(&subject(&supposed), &Selection::All, Timestamp(0)).unwrap();
        scope.has(&CollectionId::new("hr").unwrap(), &id(0))
    };
    let managed = |value| BTreeMap::from([("device.managed".to_owned(), value)]);
    assert!(reads(managed(AttributeValue::Boolean(true))) && reads(managed(AttributeValue::Text("true".into()))));
    assert!(!reads(managed(AttributeValue::Boolean(false))) && !reads(BTreeMap::new()));
    assert!(NAMES.contains(&"user:a"));
}
