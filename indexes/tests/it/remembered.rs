//! What the engine remembers of a reader changes no answer: not after a write, not at another time, not for another reader.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use ringfence_indexes::{Change, CollectionId, Document, Engine, Principal, Selection, Subject, Timestamp};

use crate::support::{NAMES, Plan, collection, engine, picked, plans, put, settings, subject, tenant};

/// One thing that happens between two rounds of questions.
#[derive(Clone, Debug)]
enum Step {
    Put(u8),
    Delete(u8),
    Move(u8, u8),
    Readers(u8, u8),
    Group(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        any::<u8>().prop_map(Step::Put),
        any::<u8>().prop_map(Step::Delete),
        (any::<u8>(), any::<u8>()).prop_map(|(from, to)| Step::Move(from, to)),
        (0_u8..3, 0_u8..32).prop_map(|(index, readers)| Step::Readers(index, readers)),
        (0_u8..2, 0_u8..16).prop_map(|(group, members)| Step::Group(group, members)),
    ];
    prop::collection::vec(step, 1..12)
}

/// What the engine should hold, kept in the plainest way.
struct Model {
    live: BTreeMap<(u8, u8), Plan>,
    readers: [u8; 3],
    groups: BTreeMap<Principal, BTreeSet<Principal>>,
}

impl Model {
    /// Changes itself and says what the engine must be told.
    fn take(&mut self, step: &Step, plans: &[Plan]) -> Change {
        let plan = |index: &u8| plans[usize::from(*index) % plans.len()].clone();
        match step {
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
        }
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
            && is_live.is_some_and(|live| live.acl.permits(&all, subject.attributes(), now))
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
        who in prop::collection::vec((0_u8..32, 0_i64..3, prop_oneof![Just(None), (0_u8..3).prop_map(Some)]), 1..4),
    ) {
        let engine = engine(initial);
        put(&engine, &plans, 5);
        let live = plans.iter().map(|plan| ((plan.collection, plan.id), plan.clone())).collect();
        let mut model = Model { live, readers: initial, groups: BTreeMap::new() };
        let readers: Vec<(Subject, Selection)> = who
            .iter()
            .map(|(who, clearance, only)| {
                let only = only.map(|index| Selection::Only(BTreeSet::from([collection(index)])));
                (subject(*who, *clearance), only.unwrap_or_default())
            })
            .collect();
        check(&engine, &model, &plans, &readers);
        for step in &steps {
            let change = model.take(step, &plans);
            // All at one epoch: what is remembered must not lean on the number.
            engine.apply(&tenant(), 2, vec![change]).unwrap();
            check(&engine, &model, &plans, &readers);
        }
    }
}
