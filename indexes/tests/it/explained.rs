//! What is explained and simulated is what a reading then finds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
use ringfence_indexes::{
    Acl, AttributeValue, Candidate, Change, CollectionId, DocumentId, Engine, Principal, RequestContext, Selection,
    Subject, Supposed,
};

use crate::support::{NAMES, NOW, acls, collection, engine, picked, plans, put, subject, tenant};

/// Who is listed as a reader of a document is who reads it; where the attributes are not known, they may decide.
fn assert_listed(engine: &Engine, acl: &Acl, place: (&CollectionId, &DocumentId), supposed: &Supposed, reads: bool) {
    let asked = |supposed: &Supposed, attributes_known| {
        let candidate = Candidate { supposed: supposed.clone(), attributes_known };
        engine.readers_of(&tenant(), place, &[candidate], NOW).unwrap()
    };
    let own = BTreeSet::from([supposed.name.clone()]);
    let listed = asked(supposed, true);
    assert_eq!(Some(listed.epoch), engine.epoch(&tenant()));
    assert_eq!((listed.readers == own, listed.depends_on_attributes.is_empty()), (reads, true));
    let bare = Supposed { attributes: BTreeMap::new(), ..supposed.clone() };
    let listed = asked(&bare, false);
    assert!(listed.readers.is_disjoint(&listed.depends_on_attributes));
    if acl.require.is_empty() {
        assert_eq!((listed.readers == own, listed.depends_on_attributes.is_empty()), (reads, true));
    } else {
        // Without attributes nothing that is asked for is met.
        assert!(listed.readers.is_empty());
        assert!(!reads || listed.depends_on_attributes == own);
    }
}

/// What somebody is said to read of a collection is what they read, on pages of any length.
fn assert_reachable(engine: &Engine, subject: &Subject, supposed: &Supposed, collection: &CollectionId) {
    let scope = engine.scope(subject, &Selection::All, NOW).unwrap();
    let read: Vec<DocumentId> =
        scope.documents(collection, None, 1_000).unwrap().iter().map(|view| view.id().clone()).collect();
    let page = |after: Option<&DocumentId>, limit| {
        engine.readable_by(&tenant(), collection, supposed, (after, limit), NOW).unwrap()
    };
    let all = page(None, 1_000);
    assert_eq!(Some(all.epoch), engine.epoch(&tenant()));
    assert_eq!(all.documents, read);
    if let Some((first, rest)) = read.split_first() {
        assert_eq!(page(None, 1).documents.as_slice(), std::slice::from_ref(first));
        assert_eq!(page(Some(first), 1_000).documents, rest);
    }
}

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
        let places = plans.iter().map(|plan| plan.document());
        let mut current: BTreeMap<_, Acl> = places.map(|put| ((put.collection, put.id), put.acl)).collect();
        for collection in [0, 1, 2].map(collection) {
            assert_reachable(&engine, &subject, &supposed, &collection);
        }
        for plan in &plans {
            let document = plan.document();
            let (collection, id) = (document.collection, document.id);
            let reads = || {
                let scope = engine.scope(&subject, &Selection::All, NOW).unwrap();
                scope.fetch(&collection, &id).unwrap().is_some()
            };
            let before = reads();
            assert_listed(&engine, &current[&(collection.clone(), id.clone())], (&collection, &id), &supposed, before);
            let explained = engine.explain(&tenant(), &collection, &id, &supposed, NOW).unwrap();
            prop_assert_eq!(explained.readable, before);
            let simulated = engine.simulate(&tenant(), &collection, &id, &acl, &candidates, NOW).unwrap();
            prop_assert_eq!(simulated.chunk_count, plan.chunks.len());
            let change = Change::SetAcl {
                collection: collection.clone(), document: id.clone(), acl: acl.clone(), version: 1,
            };
            engine.apply(&tenant(), 4, vec![change]).unwrap();
            current.insert((collection.clone(), id.clone()), acl.clone());
            let after = reads();
            prop_assert_eq!(!simulated.opens.is_empty(), !before && after);
            prop_assert_eq!(!simulated.closes.is_empty(), before && !after);
            prop_assert!(simulated.depends_on_attributes.is_empty());
        }
    }
}
