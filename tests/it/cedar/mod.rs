//! Tenant policies against the model in `model.rs`: what the engine reads, explains and expects is what the model says.

mod model;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ringfence_indexes::{
    AnalyzerKind, AttributeValue, Change, Collection, CollectionId, Document, DocumentId, DocumentInfo, Engine,
    Expectation, PolicyName, Principal, RequestContext, Selection, Subject, Supposed, Target, TenantId, TenantPolicy,
    Timestamp, VectorSource,
};
use serde_json::Map;

use self::model::{COLLECTIONS, Matter, Request, Statement, may_read};
use crate::{
    harness::is_deep,
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

#[test]
fn policies_equal_the_model() {
    let worlds = if is_deep() { WORLDS * 40 } else { WORLDS };
    let (mut compared, mut granted, mut narrowed, mut widened) = (0, 0, 0, 0);
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
                            let explained = engine.explain(&tenant(), &collection, &id(index), &supposed, now).unwrap();
                            assert_eq!(explained.readable, expected, "explained, {}", told());
                            let target = Target::Document(collection.clone(), id(index));
                            let expectation =
                                Expectation { supposed: supposed.clone(), at: Some(now), readable: expected, target };
                            assert_eq!(engine.unmet(&tenant(), None, &[expectation], now), Some(vec![]), "{}", told());
                        }
                    }
                }
            }
        }
    }
    eprintln!("{compared} compared, {granted} granted, {narrowed} narrowed, {widened} widened");
    // A generator whose policies never decide would compare nothing.
    assert!(granted * 20 > compared && narrowed * 20 > compared && widened * 200 > compared);
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
