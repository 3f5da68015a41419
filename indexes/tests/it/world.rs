//! Properties of the whole engine: what a reader may not see changes nothing, and what a write says holds at once.

use std::collections::BTreeSet;

use proptest::prelude::{prop, proptest};
use ringfence_indexes::{
    Acl, AnalyzerKind, Change, Collection, Document, DocumentId, Engine, EngineError, EngineOptions, Filter, Hit, Mode,
    Principal, SearchRequest, Selection, Subject, Vector, VectorSource,
};
use serde_json::json;

use crate::support::{
    NOW, Plan, WORDS, chunk, collection, engine, engine_on_disk, engine_with, info, options, plans, principals, put,
    readable, settings, subject, tenant, vectors,
};

/// Everything that a caller sees of an answer, scores by their bits.
fn seen(hits: &[Hit]) -> Vec<String> {
    let bits = |score: Option<f32>| score.map(f32::to_bits);
    let line = |hit: &Hit| {
        let place = (hit.document.collection().as_str(), hit.document.id().as_str(), hit.chunk.id());
        format!("{place:?} {:?} {:?} {:?}", hit.score.to_bits(), bits(hit.keyword), bits(hit.vector))
    };
    hits.iter().map(line).collect()
}

/// The answers to a set of searches, lists and fetches.
fn answers(engine: &Engine, subject: &Subject, plans: &[Plan], query: &str, vector: Option<&Vector>) -> Vec<String> {
    let scope = engine.scope(subject, &Selection::All, NOW).unwrap();
    let year = Filter::parse(&json!({"metadata.year": {"gte": 2023}})).unwrap();
    let mut out = vec![format!("{:?}", scope.readable_collections())];
    for mode in [Mode::Hybrid, Mode::Keyword, Mode::Vector] {
        let all = Filter::default();
        let plain = (&all, None, false, None, None);
        let forms = [plain, (&year, Some(1), true, None, None), (&all, None, false, Some(0.4), Some(0.3))];
        for (filter, max_per_document, collapse_duplicates, min_score, diversity) in forms {
            let request = SearchRequest {
                query,
                builtin_vector: vector,
                client_vector: vector,
                mode,
                filter,
                top_k: 7,
                max_per_document,
                collapse_duplicates,
                min_score,
                diversity,
                prefix: false,
            };
            out.extend(seen(&scope.search(&request).unwrap()));
            out.push("-".into());
        }
    }
    for index in 0..3 {
        let page = scope.documents(&collection(index), None, 5).unwrap();
        let rest =
            page.last().map_or(Vec::new(), |last| scope.documents(&collection(index), Some(last.id()), 100).unwrap());
        out.extend(page.iter().chain(&rest).map(|document| document.id().to_string()));
    }
    for plan in plans {
        let document = plan.document();
        out.push(scope.fetch(&document.collection, &document.id).unwrap().is_some().to_string());
    }
    out
}

/// A query as a person may type it: words, some of them quoted, begun or broken off.
fn typed(words: &[(usize, u8)]) -> String {
    let word = |(word, form): &(usize, u8)| match (WORDS[*word], form) {
        (word, 0) => format!("\"{word}\""),
        (word, 1) => format!("\"{word} {}\"", WORDS[0]),
        (word, 2) => format!("{}*", &word[..3]),
        (word, 3) => format!("\"{word}"),
        (word, _) => word.to_owned(),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_hidden_changes_nothing(
        plans in plans(),
        history in plans(),
        readers in [1_u8..32, 1_u8..32, 0_u8..32],
        who in 0_u8..32,
        clearance in 0_i64..3,
        words in prop::collection::vec((0..WORDS.len(), 0_u8..6), 0..4),
        vector in vectors(),
        batches in (1_usize..50, 1_usize..50),
        options in (options(), options(), options()),
    ) {
        let subject = subject(who, clearance);
        let (visible, _): (Vec<_>, Vec<_>) = plans.iter().cloned().partition(|plan| readable(plan, &subject, readers));
        let small = engine_with(options.0, readers);
        put(&small, &visible, batches.0);

        let full = engine_on_disk(options.1, readers);
        put(&full, &history, batches.1);
        for plan in &history {
            full.apply(&tenant(), 3, vec![plan.delete()]).unwrap();
        }
        // Every document is replaced once, some of them within the list of changes that brought them.
        let doubled: Vec<Plan> = plans.iter().flat_map(|plan| [plan.clone(), plan.clone()]).collect();
        put(&full, &doubled, batches.1);

        let query = typed(&words);
        let vector = vector.and_then(|values| Vector::new(values).ok());
        let ask = |engine: &Engine| answers(engine, &subject, &plans, &query, vector.as_ref());
        assert_eq!(ask(&small), ask(&full));

        // A restart replays the same documents in one batch and another order.
        let replayed = engine_with(options.2, readers);
        let reversed: Vec<Plan> = plans.iter().rev().cloned().collect();
        put(&replayed, &reversed, usize::MAX);
        assert_eq!(ask(&replayed), ask(&full));
        assert_eq!(replayed.inventory(&tenant()), full.inventory(&tenant()));
        let stored: BTreeSet<_> = plans.iter().map(|plan| plan.document().fingerprint()).collect();
        assert_eq!(full.inventory(&tenant()).into_iter().map(|(_, _, print)| print).collect::<BTreeSet<_>>(), stored);
    }

    #[test]
    fn classes_decide_as_the_policy_does(
        plans in plans(), moves in plans(), readers in [0_u8..32, 0_u8..32, 0_u8..32], who in 0_u8..32, clearance in 0_i64..3,
    ) {
        let subject = subject(who, clearance);
        let engine = engine(readers);
        put(&engine, &plans, 3);
        let mut plans = plans;
        for (plan, other) in plans.iter_mut().zip(&moves) {
            plan.acl = other.acl.clone();
            let Document { collection, id: document, acl, .. } = plan.document();
            engine.apply(&tenant(), 4, vec![Change::SetAcl { collection, document, acl, version: 2 }]).unwrap();
        }
        let scope = engine.scope(&subject, &Selection::All, NOW).unwrap();
        for plan in &plans {
            let document = plan.document();
            let found = scope.fetch(&document.collection, &document.id).unwrap().is_some();
            assert_eq!(found, readable(plan, &subject, readers), "{plan:?}");
        }
    }

    #[test]
    fn the_vector_search_equals_comparing_all(
        rows in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 40), 1..120),
        query in prop::collection::vec(-1.0_f32..1.0, 40),
        top_k in 1_usize..30,
        batch in 1_usize..60,
    ) {
        let engine = engine_on_disk(EngineOptions::default(), [0; 3]);
        let vectors = VectorSource::Builtin { dimensions: 40 };
        let everyone = principals(&["everyone"]);
        let id = collection(0);
        let put = Collection { id: id.clone(), readers: everyone.clone(), writers: everyone.clone(), vectors, trust: "untrusted", analyzer: AnalyzerKind::English };
        engine.apply(&tenant(), 1, vec![Change::PutCollection(put)]).unwrap();
        for (start, rows) in (0..).step_by(batch).zip(rows.chunks(batch)) {
            let changes = (start..).zip(rows).map(|(index, row)| Change::PutDocument(Document {
                collection: id.clone(),
                id: DocumentId::new(&format!("d{index}")).unwrap(),
                acl: Acl { allow: everyone.clone(), ..Acl::default() },
                info: info(1),
                chunks: vec![chunk(0, "word", Some(row.clone()))],
            }));
            engine.apply(&tenant(), 2, changes.collect()).unwrap();
        }
        let query = Vector::new(query).unwrap();
        let scope = engine.scope(&subject(16, 0), &Selection::All, NOW).unwrap();
        let filter = Filter::default();
        let request = |top_k| SearchRequest {
            query: "", builtin_vector: Some(&query), client_vector: None, mode: Mode::Vector,
            filter: &filter, top_k, max_per_document: None, collapse_duplicates: false, min_score: None, diversity: None, prefix: false,
        };
        let best = |vector: &Vector| vector.values().iter().zip(query.values()).map(|(x, q)| f64::from(*x) * f64::from(*q)).sum::<f64>();
        let mut expected: Vec<f64> = rows.iter().map(|row| best(&Vector::new(row.clone()).unwrap())).collect();
        expected.sort_by(|left, right| right.total_cmp(left));
        let all = scope.search(&request(rows.len())).unwrap();
        assert_eq!(all.len(), rows.len());
        let few = scope.search(&request(top_k)).unwrap();
        assert_eq!(seen(&few), seen(&all[..top_k.min(rows.len())]));
        for (hit, expected) in few.iter().zip(expected) {
            assert!((f64::from(hit.score) - expected).abs() < 1e-5);
        }
    }
}

#[test]
fn group_changes_and_deletions_hold_at_once() {
    let engine = engine([16, 16, 16]);
    let acl = Acl { allow: principals(&["group:y"]), ..Acl::default() };
    let plan = Plan { collection: 0, id: 1, acl, chunks: vec![(vec![0, 1], None)], year: 2024 };
    put(&engine, std::slice::from_ref(&plan), 1);
    let reader = subject(0b1_0001, 0);
    let group = |name: &str, members: &[&str]| Change::PutGroup {
        group: Principal::new(name).unwrap(),
        members: principals(members),
    };
    let request = SearchRequest {
        query: "rotated keys",
        builtin_vector: None,
        client_vector: None,
        mode: Mode::Hybrid,
        filter: &Filter::default(),
        top_k: 8,
        max_per_document: None,
        collapse_duplicates: false,
        min_score: None,
        diversity: None,
        prefix: false,
    };
    let found = || engine.scope(&reader, &Selection::All, NOW).unwrap().search(&request).unwrap();
    let check = |changes: Vec<Change>, expected: usize| {
        let before = found();
        engine.apply(&tenant(), 9, changes).unwrap();
        assert_eq!(found().len(), expected);
        let now = engine.scope(&reader, &Selection::All, NOW).unwrap();
        assert_eq!(now.still_permits(&before), before.len() <= expected);
    };
    check(vec![], 0);
    check(vec![group("group:x", &["user:a"]), group("group:y", &["group:x"])], 1);
    check(vec![Change::DeleteGroup { group: Principal::new("group:x").unwrap() }], 0);
    check(vec![group("group:x", &["user:a", "group:y"])], 1);
    check(vec![settings(0, 2)], 0);
    check(vec![settings(0, 16)], 1);
    check(vec![plan.delete()], 0);
    check(vec![Change::PutDocument(plan.document())], 1);
    check(vec![Change::DeleteCollection(collection(0))], 0);
    assert_eq!(engine.epoch(&tenant()), Some(9));
    assert!(matches!(
        engine.apply(&tenant(), 10, vec![Change::PutDocument(plan.document())]),
        Err(EngineError::NoCollection(_))
    ));
    assert_eq!(engine.epoch(&tenant()), Some(9));
}

#[test]
fn a_subject_without_principals_reads_nothing() {
    let engine = engine([16, 16, 16]);
    let acl = Acl { allow: principals(&["everyone"]), ..Acl::default() };
    put(&engine, &[Plan { collection: 0, id: 1, acl, chunks: vec![(vec![0], None)], year: 1 }], 1);
    let nobody = engine.scope(&subject(0, 9), &Selection::All, NOW).unwrap();
    assert!(nobody.readable_collections().is_empty() && nobody.documents(&collection(0), None, 9).unwrap().is_empty());
    let anybody = engine.scope(&subject(16, 0), &Selection::All, NOW).unwrap();
    assert_eq!(anybody.documents(&collection(0), None, 9).unwrap().len(), 1);
    let limited = Selection::Only(BTreeSet::from([collection(1)]));
    let limited = engine.scope(&subject(16, 0), &limited, NOW).unwrap();
    assert!(limited.fetch(&collection(0), &DocumentId::new("d1").unwrap()).unwrap().is_none());
    assert!(!limited.may_write_collection(&collection(0)) && limited.may_write_collection(&collection(1)));
}
