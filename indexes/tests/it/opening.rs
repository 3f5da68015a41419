//! Tenants that are closed and opened again: what was read from the store and what came meanwhile give the answers of a tenant that was always open.

use proptest::prelude::{prop, proptest};
use ringfence_indexes::{Change, Engine, EngineError, Filter, Mode, Opening, SearchRequest, Selection};

use crate::support::{NOW, Plan, WORDS, engine, plans, put, settings, subject, tenant};

fn found(engine: &Engine, who: u8, query: &str) -> Vec<String> {
    let scope = engine.scope(&subject(who, 2), &Selection::All, NOW).unwrap();
    let request = SearchRequest {
        query,
        builtin_vector: None,
        client_vector: None,
        mode: Mode::Hybrid,
        filter: &Filter::default(),
        top_k: 50,
        max_per_document: None,
        collapse_duplicates: true,
        min_score: None,
        diversity: None,
        prefix: false,
    };
    let hits = scope.search(&request).unwrap();
    hits.iter().map(|hit| format!("{} {:?}", hit.chunk.id(), hit.score.to_bits())).collect()
}

fn take(opening: &mut Opening, readers: [u8; 3], plans: &[Plan]) {
    opening.take((0..).zip(readers).map(|(index, readers)| settings(index, readers)).collect()).unwrap();
    for plans in plans.chunks(7) {
        opening.take(plans.iter().map(|plan| Change::PutDocument(plan.document())).collect()).unwrap();
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn opened_again_it_answers_as_if_it_had_stayed_open(
        plans in plans(),
        late in plans(),
        readers in [1_u8..32, 1_u8..32, 1_u8..32],
        who in 0_u8..32,
        words in prop::collection::vec(0..WORDS.len(), 1..4),
        read_at in 0_u64..40,
    ) {
        let query = words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ");
        let open = engine(readers);
        put(&open, &plans, 4);
        let closed = Engine::new();
        let settings = (0..).zip(readers).map(|(index, readers)| settings(index, readers)).collect();
        closed.add_closed_tenant(&tenant(), [7; 32], 2, settings).unwrap();
        assert!(matches!(closed.scope(&subject(who, 2), &Selection::All, NOW), Err(EngineError::Closed(_))));
        let mut opening = closed.begin_opening(&tenant()).unwrap().unwrap();
        assert!(closed.begin_opening(&tenant()).unwrap().is_none(), "it is being opened");
        assert!(closed.collection(&tenant(), &crate::support::collection(0)).is_some(), "what decides is there");
        // What is written meanwhile: the first of it is in what is read, the rest comes after.
        let mut stored = plans.clone();
        for (revision, plan) in (3..).zip(&late) {
            let change = if revision % 3 == 0 { plan.delete() } else { Change::PutDocument(plan.document()) };
            open.apply(&tenant(), revision, vec![change.clone()]).unwrap();
            closed.apply(&tenant(), revision, vec![change]).unwrap();
            if revision <= read_at {
                stored.retain(|other| (other.collection, other.id) != (plan.collection, plan.id));
                stored.extend((revision % 3 != 0).then(|| plan.clone()));
            }
        }
        take(&mut opening, readers, &stored);
        let last = 2 + late.len() as u64;
        closed.finish_opening(opening, read_at.clamp(2, last)).unwrap();
        assert_eq!(closed.epoch(&tenant()), Some(last));
        assert_eq!(found(&closed, who, &query), found(&open, who, &query));
        let (mut left, mut right) = (closed.inventory(&tenant()), open.inventory(&tenant()));
        left.sort();
        right.sort();
        assert_eq!(left, right);
    }
}

#[test]
fn what_is_pinned_stays_and_the_least_needed_goes() {
    let engine = engine([16; 3]);
    let names: Vec<_> = ["b", "c"].map(|name| ringfence_indexes::TenantId::new(name).unwrap()).into();
    names.iter().for_each(|name| engine.create_tenant(name, [1; 32], 5));
    let pin = engine.pin(&tenant()).unwrap().unwrap();
    engine.pin(&names[0]).unwrap().unwrap();
    engine.pin(&names[1]).unwrap().unwrap();
    engine.close_least_needed(2, u64::MAX);
    assert!(engine.pin(&names[0]).unwrap().is_none(), "it was needed before the other, and the oldest is pinned");
    assert_eq!((engine.open_tenants().0, engine.epoch(&names[0])), (2, Some(5)));
    engine.close_least_needed(0, 0);
    assert_eq!(engine.open_tenants().0, 1);
    assert!(engine.begin_opening(&tenant()).unwrap().is_none());
    drop(pin);
    engine.close_least_needed(0, 0);
    assert_eq!(engine.open_tenants(), (0, 0));
    // An opening that is given up can be begun again.
    drop(engine.begin_opening(&tenant()).unwrap().unwrap());
    engine.apply(&tenant(), 9, vec![]).unwrap();
    let opening = engine.begin_opening(&tenant()).unwrap().unwrap();
    engine.finish_opening(opening, 9).unwrap();
    assert_eq!(engine.epoch(&tenant()), Some(9));
    assert!(matches!(engine.pin(&ringfence_indexes::TenantId::new("d").unwrap()), Err(EngineError::NoTenant(_))));
}
