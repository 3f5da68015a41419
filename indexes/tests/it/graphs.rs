//! Engines that may approximate: a graph finds nearly all, and neither what is gone nor what is another's.

use std::collections::BTreeSet;

use ringfence_indexes::{
    Acl, AnalyzerKind, Change, Collection, Document, DocumentId, Engine, EngineOptions, Filter, Mode, SearchRequest,
    Selection, Vector, VectorSource,
};

use crate::support::{NOW, chunk, collection, info, principals, subject, tenant};

const DIMENSIONS: usize = 24;
const TOP_K: usize = 10;
const ROWS: usize = 1_500;

/// Unit vectors around a few centres, from a plain generator.
struct Cloud(u64);

impl Cloud {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn vector(&mut self) -> Vec<f32> {
        let centre = self.next() % 12;
        let value = |dimension: u64, noise: u64| {
            let base = f32::from(u8::try_from((centre * 31 + dimension * 17) % 23).unwrap()) - 11.0;
            base + f32::from(u8::try_from(noise % 200).unwrap()) / 20.0 - 5.0
        };
        (0..DIMENSIONS as u64).map(|dimension| value(dimension, self.next())).collect()
    }
}

fn engine(graph_rows_min: Option<usize>) -> Engine {
    let engine = Engine::with_options(EngineOptions { graph_rows_min, ..EngineOptions::default() });
    engine.create_tenant(&tenant(), [7; 32], 0);
    let everyone = principals(&["everyone"]);
    let vectors = VectorSource::Builtin { dimensions: DIMENSIONS };
    let put = Collection {
        id: collection(0),
        readers: everyone.clone(),
        writers: everyone,
        vectors,
        trust: "untrusted",
        analyzer: AnalyzerKind::English,
    };
    engine.apply(&tenant(), 1, vec![Change::PutCollection(put)]).unwrap();
    engine
}

fn put(index: usize, vector: Vec<f32>, allow: &str) -> Change {
    Change::PutDocument(Document {
        collection: collection(0),
        id: DocumentId::new(&format!("d{index}")).unwrap(),
        acl: Acl { allow: principals(&[allow]), ..Acl::default() },
        info: info(1),
        chunks: vec![chunk(0, "word", Some(vector))],
    })
}

fn delete(index: usize) -> Change {
    Change::DeleteDocument { collection: collection(0), document: DocumentId::new(&format!("d{index}")).unwrap() }
}

fn nearest(engine: &Engine, query: &Vector, who: u8) -> Vec<(String, u32)> {
    let request = SearchRequest {
        query: "",
        builtin_vector: Some(query),
        client_vector: None,
        mode: Mode::Vector,
        filter: &Filter::default(),
        top_k: TOP_K,
        max_per_document: None,
        collapse_duplicates: false,
        min_score: None,
        diversity: None,
        prefix: false,
    };
    let hits = engine.scope(&subject(who, 0), &Selection::All, NOW).unwrap().search(&request).unwrap();
    hits.iter().map(|hit| (hit.document.id().to_string(), hit.score.to_bits())).collect()
}

/// How many of the nearest that the exact engine finds, the other finds too, with the same scores.
fn recall(exact: &Engine, graph: &Engine, queries: &[Vector]) -> f64 {
    let found = |query: &Vector| {
        let expected: BTreeSet<_> = nearest(exact, query, 16).into_iter().collect();
        let found: BTreeSet<_> = nearest(graph, query, 16).into_iter().collect();
        assert_eq!((expected.len(), found.len()), (TOP_K, TOP_K));
        expected.intersection(&found).count()
    };
    let found: usize = queries.iter().map(found).sum();
    f64::from(u32::try_from(found).unwrap()) / f64::from(u32::try_from(queries.len() * TOP_K).unwrap())
}

#[test]
fn a_graph_finds_nearly_all_and_nothing_that_is_gone() {
    let mut cloud = Cloud(11);
    let (exact, graph) = (engine(None), engine(Some(800)));
    let queries: Vec<Vector> = (0..40).map(|_| Vector::new(cloud.vector()).unwrap()).collect();
    let both = |changes: &[Change]| {
        for engine in [&exact, &graph] {
            engine.apply(&tenant(), 2, changes.to_vec()).unwrap();
        }
    };
    let check = || {
        // Before and after the graph is built.
        assert!(recall(&exact, &graph, &queries) >= 0.99);
        graph.settle_graphs();
        assert!(recall(&exact, &graph, &queries) >= 0.99);
    };
    both(&(0..ROWS).map(|index| put(index, cloud.vector(), "everyone")).collect::<Vec<_>>());
    check();
    // A third goes, a third moves, some become another's, new ones come.
    both(&(0..ROWS).step_by(3).map(delete).collect::<Vec<_>>());
    check();
    both(&(1..ROWS).step_by(3).map(|index| put(index, cloud.vector(), "everyone")).collect::<Vec<_>>());
    both(&(2..ROWS).step_by(30).map(|index| put(index, cloud.vector(), "user:a")).collect::<Vec<_>>());
    both(&(ROWS..ROWS + 50).map(|index| put(index, cloud.vector(), "everyone")).collect::<Vec<_>>());
    check();
    for query in &queries {
        for (document, _) in nearest(&graph, query, 16) {
            let index: usize = document[1..].parse().unwrap();
            assert!(index >= ROWS || (!index.is_multiple_of(3) && index % 30 != 2), "{document} is gone or another's");
        }
    }
}
