//! One tenant of the shared workload, in the engine's own types.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ringfence_indexes::{
    Acl, AnalyzerKind, Change, Collection, CollectionId, Document, DocumentChunk, DocumentId, DocumentInfo, Engine,
    Principal, Subject, TenantId, Timestamp, Vector, VectorSource,
};
use ringfence_ingest::{PreparedChunk, UntrustedText};
use ringfence_workload::{Bucket, Options, Random};

pub(crate) const DIMENSIONS: usize = 384;

pub(crate) struct Chunk {
    pub(crate) class: usize,
    pub(crate) text: String,
    pub(crate) vector: Vector,
}

pub(crate) struct User {
    pub(crate) principals: BTreeSet<Principal>,
    pub(crate) classes: Vec<usize>,
}

pub(crate) struct Query {
    pub(crate) user: usize,
    pub(crate) text: String,
    pub(crate) vector: Vector,
}

pub(crate) struct Workload {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) acls: Vec<BTreeSet<Principal>>,
    pub(crate) users: Vec<User>,
    made: ringfence_workload::Workload,
    random: Random,
}

impl Workload {
    pub(crate) fn new(chunks: usize, seed: u64) -> Self {
        let options = Options { chunks, dimensions: DIMENSIONS, tenants: 1, queries_per_bucket: 0, seed };
        let made = ringfence_workload::Workload::new(options);
        let names = |names: &[String]| names.iter().map(|name| principal(name)).collect();
        let tenant = &made.tenants[0];
        let chunk = |(row, chunk): (usize, &ringfence_workload::Chunk)| Chunk {
            class: chunk.class,
            text: chunk.text.clone(),
            vector: vector(made.vector(row)),
        };
        Self {
            chunks: made.chunks.iter().enumerate().map(chunk).collect(),
            acls: tenant.classes.iter().map(|class| names(&class.principals)).collect(),
            users: tenant
                .users
                .iter()
                .map(|user| User { principals: names(&user.principals), classes: user.classes.clone() })
                .collect(),
            random: Random::new(seed),
            made,
        }
    }

    /// Queries of users whose share of the tenant lies within these bounds.
    pub(crate) fn queries(&mut self, count: usize, above: f64, up_to: f64) -> Vec<Query> {
        let drawn = self.made.draw(count, Bucket { above, up_to, label: "" }, &mut self.random);
        let query = |query: ringfence_workload::Query| Query {
            user: query.user,
            text: query.text,
            vector: vector(&query.vector),
        };
        drawn.into_iter().map(query).collect()
    }
}

pub(crate) fn vector(values: &[f32]) -> Vector {
    Vector::new(values.to_vec()).expect("a vector of the workload has a direction")
}

pub(crate) fn principal(name: &str) -> Principal {
    Principal::new(name).expect("a well-formed name")
}

pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").expect("a well-formed name")
}

pub(crate) fn collection() -> CollectionId {
    CollectionId::new("wiki").expect("a well-formed name")
}

/// An engine with one collection that everyone reads.
pub(crate) fn engine(engine: Engine) -> Engine {
    engine_for(&engine, &tenant());
    engine
}

/// A tenant with one collection that everyone reads.
pub(crate) fn engine_for(engine: &Engine, tenant: &TenantId) {
    engine.create_tenant(tenant, [7; 32], 0);
    let everyone = BTreeSet::from([Principal::everyone()]);
    let vectors = VectorSource::Client { dimensions: DIMENSIONS };
    let settings = Collection {
        id: collection(),
        readers: everyone.clone(),
        writers: everyone,
        vectors,
        trust: "untrusted",
        analyzer: AnalyzerKind::English,
    };
    engine.apply(tenant, 1, vec![Change::PutCollection(settings)]).expect("a collection can be put");
}

pub(crate) fn subject(principals: &BTreeSet<Principal>) -> Subject {
    subject_of(&tenant(), principals)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is its own verifier")]
pub(crate) fn subject_of(tenant: &TenantId, principals: &BTreeSet<Principal>) -> Subject {
    let mut principals = principals.clone();
    principals.insert(Principal::everyone());
    Subject::assert_verified(tenant.clone(), principals, BTreeMap::new())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark prepares its own passages")]
pub(crate) fn document(index: usize, text: &str, vector: Option<Vector>, allow: BTreeSet<Principal>) -> Document {
    let text_of = UntrustedText::new(text.to_owned());
    let prepared = PreparedChunk::assert_prepared(text_of, String::new(), 0..text.len(), 0, Vec::new(), Vec::new());
    Document {
        collection: collection(),
        id: DocumentId::new(&format!("d{index:07}")).expect("a well-formed name"),
        acl: Acl { allow, ..Acl::default() },
        info: Arc::new(DocumentInfo {
            title: None,
            uri: None,
            metadata: serde_json::Map::new(),
            content_hash: String::new(),
            ingested_at: Timestamp(0),
            ingested_by: String::new(),
            version: 1,
            findings: Vec::new(),
            removed: 0,
            sanitizer: None,
        }),
        chunks: vec![DocumentChunk { prepared, vector }],
    }
}
