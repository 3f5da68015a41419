//! What the engine remembers of a reader changes no answer: not after a write, not at another time, not for another reader.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use ringfence_indexes::{
    Acl, Change, CollectionId, Document, Engine, PolicyName, Principal, RequestContext, Selection, Subject,
    TenantPolicy, Timestamp,
};

use crate::support::{NAMES, Plan, collection, engine, picked, plans, put, settings, subject, tenant};

/// One thing that happens between two rounds of questions.
#[derive(Clone, Debug)]
enum Step {
    Put(u8),
    Delete(u8),
    Move(u8, u8),
    Readers(u8, u8),
    Group(u8, u8),
    /// Whether tenant policies look at the purpose: one closes to `x` what allows a name, one opens to `y` what allows another.
    Policies(Option<(u8, u8)>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        any::<u8>().prop_map(Step::Put),
        any::<u8>().prop_map(Step::Delete),
        (any::<u8>(), any::<u8>()).prop_map(|(from, to)| Step::Move(from, to)),
        (0_u8..3, 0_u8..32).prop_map(|(index, readers)| Step::Readers(index, readers)),
        (0_u8..2, 0_u8..16).prop_map(|(group, members)| Step::Group(group, members)),
        prop::option::weighted(0.8, (0_u8..5, 0_u8..5)).prop_map(Step::Policies),
    ];
    prop::collection::vec(step, 1..12)
}

/// What the engine should hold, kept in the plainest way.
struct Model {
    live: BTreeMap<(u8, u8), Plan>,
    readers: [u8; 3],
    groups: BTreeMap<Principal, BTreeSet<Principal>>,
    policies: Option<(u8, u8)>,
}

/// The name that stands for this number.
fn name(number: u8) -> Principal {
    Principal::new(NAMES[usize::from(number)]).unwrap()
}

fn policies(names: Option<(u8, u8)>) -> Vec<Change> {
    let policy = |effect: &str, purpose: &str, name: Principal| {
        let text = format!(
            "{effect} (principal, action, resource) when {{ context has purpose && context.purpose == \"{purpose}\" && resource.allow.contains(\"{name}\") }};"
        );
        Change::PutPolicy(Arc::new(TenantPolicy::check(PolicyName::new(effect).unwrap(), &text).unwrap()))
    };
    match names {
        None => ["forbid", "permit"].map(|name| Change::DeletePolicy(PolicyName::new(name).unwrap())).into(),
        Some((closed, opened)) => {
            vec![Change::EnablePermit(true), policy("forbid", "x", name(closed)), policy("permit", "y", name(opened))]
        }
    }
}

impl Model {
    /// Changes itself and says what the engine must be told.
    fn take(&mut self, step: &Step, plans: &[Plan]) -> Vec<Change> {
        let plan = |index: &u8| plans[usize::from(*index) % plans.len()].clone();
        let change = match step {
            Step::Put(index) => {
                let plan = plan(index);
                self.live.insert((plan.collection, plan.id), plan.clone());
                Change::PutDocument(plan.document())
            }
            Step::Delete(index) => {
                let plan = plan(index);
                self.live.remove(&(plan.collection, plan.id));
                plan.delete()
            }
            Step::Move(from, to) => {
                let (plan, acl) = (plan(from), plan(to).acl);
                let Document { collection, id: document, .. } = plan.document();
                if let Some(live) = self.live.get_mut(&(plan.collection, plan.id)) {
                    live.acl = acl.clone();
                }
                Change::SetAcl { collection, document, acl, version: 2 }
            }
            Step::Readers(index, readers) => {
                self.readers[usize::from(*index)] = *readers;
                settings(*index, *readers)
            }
            Step::Group(index, members) => {
                let group = Principal::new(["group:x", "group:y"][usize::from(*index)]).unwrap();
                let members = picked(*members);
                self.groups.insert(group.clone(), members.clone());
                Change::PutGroup { group, members }
            }
            Step::Policies(names) => {
                self.policies = *names;
                return policies(*names);
            }
        };
        vec![change]
    }

    fn principals(&self, subject: &Subject) -> BTreeSet<Principal> {
        let mut all = subject.principals().clone();
        for _ in NAMES {
            let joined = self.groups.iter().filter(|(_, members)| !members.is_disjoint(&all));
            let joined: Vec<Principal> = joined.map(|(group, _)| group.clone()).collect();
            all.extend(joined);
        }
        all
    }

    fn readable(&self, plan: &Plan, subject: &Subject, selection: &Selection, now: Timestamp) -> bool {
        let all = self.principals(subject);
        let is_live = self.live.get(&(plan.collection, plan.id));
        let reader = !picked(self.readers[usize::from(plan.collection)]).is_disjoint(&all);
        reader
            && selection.contains(&collection(plan.collection))
            && is_live.is_some_and(|live| {
                let is_for = |purpose: &str| subject.context().purpose.as_deref() == Some(purpose);
                let (closed, opened) = self.policies.unzip();
                let allows = |number: Option<u8>| number.is_some_and(|number| live.acl.allow.contains(&name(number)));
                let mut acl = Acl::clone(&live.acl);
                if is_for("y") && allows(opened) {
                    acl.allow.extend(all.iter().cloned());
                }
                acl.permits(&all, subject.attributes(), now) && !(is_for("x") && allows(closed))
            })
    }
}

fn check(engine: &Engine, model: &Model, plans: &[Plan], readers: &[(Subject, Selection)]) {
    // Each reader twice at each time, so that what is remembered is used, in an order in which windows open and close.
    for now in [97, 98, 100, 102, 103, 100].map(Timestamp) {
        for (subject, selection) in readers {
            let scope = engine.scope(subject, selection, now).unwrap();
            let listed = |index: u8| scope.documents(&collection(index), None, usize::MAX).unwrap();
            let listed: BTreeSet<(CollectionId, String)> = (0..3)
                .flat_map(|index| {
                    listed(index).into_iter().map(move |document| (collection(index), document.id().to_string()))
                })
                .collect();
            let mut expected = BTreeSet::new();
            for plan in plans {
                let Document { collection, id, .. } = plan.document();
                let readable = model.readable(plan, subject, selection, now);
                assert_eq!(
                    scope.fetch(&collection, &id).unwrap().is_some(),
                    readable,
                    "{plan:?} for {subject:?} at {now:?}"
                );
                if readable {
                    expected.insert((collection, id.to_string()));
                }
            }
            assert_eq!(listed, expected);
            let may_write = |index| !picked(model.readers[index]).is_disjoint(&model.principals(subject));
            for index in 0..3_u8 {
                let selected = selection.contains(&collection(index));
                assert_eq!(scope.may_write_collection(&collection(index)), selected && may_write(usize::from(index)));
            }
        }
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_remembered_changes_no_answer(
        plans in plans(),
        steps in steps(),
        initial in [1_u8..32, 1_u8..32, 0_u8..32],
        who in prop::collection::vec((0_u8..32, 0_i64..3, prop_oneof![Just(None), (0_u8..3).prop_map(Some)], 0_usize..4), 1..4),
    ) {
        let engine = engine(initial);
        put(&engine, &plans, 5);
        let live = plans.iter().map(|plan| ((plan.collection, plan.id), plan.clone())).collect();
        let mut model = Model { live, readers: initial, groups: BTreeMap::new(), policies: None };
        let readers: Vec<(Subject, Selection)> = who
            .iter()
            .flat_map(|(who, clearance, only, first)| {
                let only = only.map(|index| Selection::Only(BTreeSet::from([collection(index)])));
                // The same reader for several purposes, each request different from the one before.
                let purposes = ["x", "y", "z", "x"].into_iter().cycle().skip(*first).take(4);
                purposes.map(move |purpose| {
                    let context = RequestContext { purpose: Some(purpose.to_owned()), network: None };
                    (subject(*who, *clearance).in_context(context), only.clone().unwrap_or_default())
                })
            })
            .collect();
        check(&engine, &model, &plans, &readers);
        for step in &steps {
            let changes = model.take(step, &plans);
            // All at one epoch: what is remembered must not lean on the number.
            engine.apply(&tenant(), 2, changes).unwrap();
            check(&engine, &model, &plans, &readers);
        }
    }
}
