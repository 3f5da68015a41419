//! What is explained and simulated is what a reading then finds.

use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
use ringfence_indexes::{AttributeValue, Candidate, Change, Principal, RequestContext, Selection, Supposed};

use crate::support::{NAMES, NOW, acls, engine, picked, plans, put, subject, tenant};

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn an_explanation_and_a_simulation_say_what_a_reading_finds(
        plans in plans(),
        readers in [1_u8..32, 1_u8..32, 0_u8..32],
        members in prop::collection::vec(0_u8..32, 2),
        who in 0_usize..2,
        groups in 0_u8..4,
        clearance in 0_i64..3,
        acl in acls(),
    ) {
        let engine = engine(readers);
        put(&engine, &plans, 10);
        let nested = [("group:x", members[0]), ("group:y", members[1])];
        let nested = nested.map(|(group, bits)| Change::PutGroup {
            group: Principal::new(group).unwrap(),
            members: picked(bits),
        });
        engine.apply(&tenant(), 3, nested.into()).unwrap();
        // Name, groups and `everyone`, in the order of `NAMES`.
        let subject = subject((1 << who) | (groups << 2) | (1 << 4), clearance);
        let supposed = Supposed {
            name: Principal::new(NAMES[who]).unwrap(),
            groups: picked(groups << 2),
            attributes: [("clearance".to_owned(), AttributeValue::Integer(clearance))].into(),
            context: RequestContext::default(),
        };
        let candidates = [Candidate { supposed: supposed.clone(), attributes_known: true }];
        for plan in &plans {
            let document = plan.document();
            let (collection, id) = (document.collection, document.id);
            let reads = || {
                let scope = engine.scope(&subject, &Selection::All, NOW).unwrap();
                scope.fetch(&collection, &id).unwrap().is_some()
            };
            let before = reads();
            let explained = engine.explain(&tenant(), &collection, &id, &supposed, NOW).unwrap();
            prop_assert_eq!(explained.readable, before);
            let simulated = engine.simulate(&tenant(), &collection, &id, &acl, &candidates, NOW).unwrap();
            prop_assert_eq!(simulated.chunk_count, plan.chunks.len());
            let change = Change::SetAcl {
                collection: collection.clone(), document: id.clone(), acl: acl.clone(), version: 1,
            };
            engine.apply(&tenant(), 4, vec![change]).unwrap();
            let after = reads();
            prop_assert_eq!(!simulated.opens.is_empty(), !before && after);
            prop_assert_eq!(!simulated.closes.is_empty(), before && !after);
            prop_assert!(simulated.depends_on_attributes.is_empty());
        }
    }
}
