//! Words as a person types them: phrases, beginnings, analyzers, and what bounds or spreads an answer.

use std::sync::{Arc, LazyLock};

use ringfence_indexes::{
    Acl, AnalyzerKind, Change, Collection, Document, DocumentId, DocumentInfo, Engine, EngineOptions, Filter, Hit,
    Mode, SearchRequest, Selection, Vector, VectorSource,
};
use ringfence_ingest::UntrustedText;

use crate::support::{DIMENSIONS, NOW, chunk, collection, info, principals, subject, tenant};

fn settings(index: u8, analyzer: AnalyzerKind) -> Change {
    let everyone = principals(&["everyone"]);
    Change::PutCollection(Collection {
        id: collection(index),
        readers: everyone.clone(),
        writers: everyone,
        vectors: VectorSource::Builtin { dimensions: DIMENSIONS },
        trust: "untrusted",
        analyzer,
    })
}

/// A document of one passage, named by its number.
fn document(index: u8, number: usize, title: &str, text: &str, vector: Option<Vec<f32>>) -> Change {
    let title = Some(UntrustedText::new(title.to_owned()));
    Change::PutDocument(Document {
        collection: collection(index),
        id: DocumentId::new(&format!("d{number}")).unwrap(),
        acl: Acl { allow: principals(&["everyone"]), ..Acl::default() },
        info: Arc::new(DocumentInfo { title, ..DocumentInfo::clone(&info(1)) }),
        chunks: vec![chunk(0, text, vector)],
    })
}

fn engine(inverted_rows_min: usize, changes: Vec<Change>) -> Engine {
    let engine = Engine::with_options(EngineOptions { inverted_rows_min, ..EngineOptions::default() });
    engine.create_tenant(&tenant(), [7; 32], 0);
    engine.apply(&tenant(), 1, changes).unwrap();
    engine
}

static FILTER: LazyLock<Filter> = LazyLock::new(Filter::default);

fn request(query: &str) -> SearchRequest<'_> {
    SearchRequest {
        query,
        prefix: false,
        builtin_vector: None,
        client_vector: None,
        mode: Mode::Keyword,
        filter: &FILTER,
        top_k: 20,
        max_per_document: None,
        collapse_duplicates: false,
        min_score: None,
        diversity: None,
    }
}

fn search(engine: &Engine, request: &SearchRequest<'_>) -> Vec<Hit> {
    let scope = engine.scope(&subject(16, 0), &Selection::All, NOW).unwrap();
    scope.search(request).unwrap()
}

fn names(hits: &[Hit]) -> Vec<String> {
    let mut names: Vec<String> = hits.iter().map(|hit| hit.document.id().to_string()).collect();
    names.sort();
    names
}

/// What each query finds among these texts, in segments of both forms.
#[track_caller]
fn check(analyzer: AnalyzerKind, texts: &[(&str, &str)], expected: &[(&str, &[usize])]) {
    let put = |(number, (title, text)): (usize, &(&str, &str))| document(0, number, title, text, None);
    for inverted_rows_min in [0, usize::MAX] {
        let changes = [settings(0, analyzer)].into_iter().chain(texts.iter().enumerate().map(put)).collect();
        let engine = engine(inverted_rows_min, changes);
        for (query, numbers) in expected {
            let found = names(&search(&engine, &request(query)));
            let expected: Vec<String> = numbers.iter().map(|number| format!("d{number}")).collect();
            assert_eq!(found, expected, "{analyzer:?} {query}");
        }
    }
}

#[test]
fn quoted_words_stand_side_by_side() {
    let texts = [
        ("", "signing keys are rotated"),
        ("", "keys for signing"),
        ("Signing keys", "are kept in a vault"),
        ("Signing", "keys are kept"),
        ("", "we signed, key by key"),
    ];
    check(
        AnalyzerKind::English,
        &texts,
        &[
            ("\"signing keys\"", &[0, 2, 4]),
            ("\"keys signing\"", &[]),
            ("signing \"keys\" \"vault\"", &[2]),
            ("\"signing keys\" \"by key\"", &[4]),
            ("\"unknown\" keys", &[]),
            ("\"keys", &[0, 1, 2, 3, 4]),
        ],
    );
    check(AnalyzerKind::Plain, &texts, &[("\"signing keys\"", &[0, 2]), ("\"signed key\"", &[4])]);
}

#[test]
fn quoted_characters_stand_side_by_side() {
    let texts = [("", "API鍵の交換"), ("", "交換の鍵"), ("", "鍵"), ("", "ＡＰＩ 鍵")];
    for analyzer in [AnalyzerKind::English, AnalyzerKind::Cjk] {
        check(analyzer, &texts, &[("\"鍵の交換\"", &[0]), ("\"の鍵\"", &[1]), ("\"API鍵\"", &[0, 3])]);
    }
    check(AnalyzerKind::English, &texts, &[("鍵", &[2, 3])]);
    check(AnalyzerKind::Cjk, &texts, &[("鍵", &[0, 1, 2, 3]), ("\"鍵\"", &[0, 1, 2, 3])]);
}

#[test]
fn a_last_word_may_go_on() {
    let texts = [("", "rotation of keys"), ("", "a keyboard"), ("", "rotate"), ("", "the rotor")];
    check(
        AnalyzerKind::English,
        &texts,
        &[
            ("rotat", &[0, 2]),
            ("rotati*", &[0, 2]),
            ("key*", &[0, 1]),
            ("key", &[0]),
            ("rot*", &[0, 2, 3]),
            ("x*", &[]),
        ],
    );
    check(AnalyzerKind::Plain, &texts, &[("rotat", &[]), ("rotat*", &[0, 2]), ("rotati*", &[0])]);
    let engine = engine(usize::MAX, vec![settings(0, AnalyzerKind::Plain), document(0, 0, "", "rotation", None)]);
    assert_eq!(search(&engine, &SearchRequest { prefix: true, ..request("the rota") }).len(), 1);
    assert_eq!(search(&engine, &SearchRequest { prefix: true, ..request("the rota ") }).len(), 0);
}

/// A deleted passage had the only word that a beginning could become: its like is never seen again.
#[test]
fn what_is_gone_does_not_widen_a_beginning() {
    let rest = || (0..9).map(|number| document(0, number, "", "rotate the keys", None));
    let with = engine(
        usize::MAX,
        [settings(0, AnalyzerKind::English)]
            .into_iter()
            .chain(rest())
            .chain([document(0, 9, "", "rotorcraft", None)])
            .collect(),
    );
    let document = DocumentId::new("d9").unwrap();
    with.apply(&tenant(), 2, vec![Change::DeleteDocument { collection: collection(0), document }]).unwrap();
    let without = engine(usize::MAX, [settings(0, AnalyzerKind::English)].into_iter().chain(rest()).collect());
    let scores = |engine: &Engine| -> Vec<u32> {
        search(engine, &request("the roto* rot*")).iter().map(|hit| hit.score.to_bits()).collect()
    };
    assert_eq!(scores(&with), scores(&without));
}

#[test]
fn a_change_of_the_analyzer_cuts_anew_at_once() {
    let engine = engine(
        usize::MAX,
        [settings(0, AnalyzerKind::English)]
            .into_iter()
            .chain(
                (0..40)
                    .map(|number| document(0, number, "", if number % 2 == 0 { "rotation" } else { "rotating" }, None)),
            )
            .collect(),
    );
    let found = |query| search(&engine, &SearchRequest { top_k: 100, ..request(query) }).len();
    assert_eq!((found("rotate"), found("rotation")), (40, 40));
    engine.apply(&tenant(), 2, vec![settings(0, AnalyzerKind::Plain)]).unwrap();
    assert_eq!((found("rotate"), found("rotation")), (0, 20));
    let mixed =
        vec![document(0, 0, "", "rotated", None), settings(0, AnalyzerKind::English), document(0, 1, "", "key", None)];
    engine.apply(&tenant(), 3, mixed).unwrap();
    assert_eq!((found("rotate"), found("key")), (39, 1));
}

/// One word weighs the same in collections that are cut differently.
#[test]
fn rarity_is_counted_over_all_analyzers_together() {
    let both = |analyzers: [AnalyzerKind; 2]| {
        let mut changes = vec![settings(0, analyzers[0]), settings(1, analyzers[1])];
        changes.extend((0..12).map(|number| document(number % 2, usize::from(number), "", "key door", None)));
        changes.push(document(0, 20, "", "window door", None));
        let hits = search(&engine(usize::MAX, changes), &request("key window"));
        hits.iter().map(|hit| (hit.document.id().to_string(), hit.score.to_bits())).collect::<Vec<_>>()
    };
    assert_eq!(both([AnalyzerKind::Plain; 2]).len(), 13);
    assert_eq!(both([AnalyzerKind::Plain; 2]), both([AnalyzerKind::Plain, AnalyzerKind::Cjk]));
}

#[test]
fn an_answer_can_be_bounded_below() {
    let texts = ["key key key", "key door", "door key window wall roof floor"];
    let changes = texts.iter().enumerate().map(|(number, text)| document(0, number, "", text, None));
    let engine = engine(usize::MAX, [settings(0, AnalyzerKind::Plain)].into_iter().chain(changes).collect());
    let all = search(&engine, &request("key"));
    assert_eq!(all.len(), 3);
    for (kept, hit) in (1..).zip(&all) {
        let least = Some(hit.score);
        assert_eq!(search(&engine, &SearchRequest { min_score: least, ..request("key") }).len(), kept);
    }
    assert!(search(&engine, &SearchRequest { min_score: Some(1.1), ..request("key") }).is_empty());
}

#[test]
fn diversity_spreads_what_is_chosen_and_keeps_the_order() {
    let vectors =
        [[1.0, 0.1, 0.0, 0.0, 0.0], [1.0, 0.11, 0.0, 0.0, 0.0], [1.0, 0.12, 0.0, 0.0, 0.0], [0.9, 0.0, 0.9, 0.0, 0.0]];
    let put = |(number, vector): (usize, &[f32; 5])| document(0, number, "", "key", Some(vector.to_vec()));
    let changes = [settings(0, AnalyzerKind::Plain)].into_iter().chain(vectors.iter().enumerate().map(put));
    let engine = engine(usize::MAX, changes.collect());
    let query = Vector::new(vec![1.0, 0.1, 0.0, 0.0, 0.0]).unwrap();
    let ask = |diversity, top_k| {
        let form =
            SearchRequest { mode: Mode::Vector, builtin_vector: Some(&query), diversity, top_k, ..request("key") };
        search(&engine, &form)
    };
    assert_eq!(names(&ask(None, 2)), ["d0", "d1"]);
    assert_eq!(names(&ask(Some(0.0), 2)), ["d0", "d1"]);
    assert_eq!(names(&ask(Some(0.7), 2)), ["d0", "d3"]);
    let all = ask(Some(1.0), 4);
    assert_eq!(all.len(), 4);
    assert!(all.is_sorted_by(|left, right| left.score >= right.score));
}

/// More passages have the words of a phrase than are read for it.
#[test]
fn a_phrase_of_common_words_is_looked_for_in_the_best_of_the_scope() {
    const COMMON: usize = 4_300;
    // The rarer a text's other words, the better it ranks: every tenth is short, and 100 of these have the phrase.
    let text = |number: usize| match number {
        number if number.is_multiple_of(43) => "plan key".to_owned(),
        number if number.is_multiple_of(10) => "key plan".to_owned(),
        number => format!("key plan other words {number}"),
    };
    let put = |number: usize| document(0, number, "", &text(number), None);
    let hidden = |number: usize| {
        let Change::PutDocument(mut document) = put(number) else { unreachable!() };
        document.acl = Acl { allow: principals(&["user:b"]), ..Acl::default() };
        document.id = DocumentId::new(&format!("h{number}")).unwrap();
        Change::PutDocument(document)
    };
    let first = engine(2_048, vec![settings(0, AnalyzerKind::Plain)]);
    first.apply(&tenant(), 2, (0..COMMON).map(put).collect()).unwrap();
    let second = engine(usize::MAX, vec![settings(0, AnalyzerKind::Plain)]);
    for numbers in (0..COMMON).rev().collect::<Vec<_>>().chunks(700) {
        second.apply(&tenant(), 2, numbers.iter().copied().map(hidden).collect()).unwrap();
        second.apply(&tenant(), 2, numbers.iter().copied().map(put).collect()).unwrap();
    }
    let found = |engine: &Engine| {
        let request = SearchRequest { top_k: 200, ..request("\"plan key\"") };
        let hits = engine.scope(&subject(16, 0), &Selection::All, NOW).unwrap().search(&request).unwrap();
        let seen = |hit: &Hit| (hit.document.id().to_string(), hit.score.to_bits());
        hits.iter().map(seen).collect::<Vec<_>>()
    };
    assert_eq!(found(&first).len(), COMMON / 43, "the best are read");
    assert_eq!(found(&first), found(&second));
}
