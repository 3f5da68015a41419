//! The committer over a real store, audit log and engine: what is acknowledged, what is visible, what comes back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ringfence_indexes::{
    Acl, CollectionId, DocumentChunk, DocumentId, Principal, TenantId, Timestamp, Vector, VectorSource,
};
use ringfence_ingest::{
    Action, Content, Finding, FindingKind, PrepareOptions, QuarantineReason, RedactionKind, SanitizePolicy, Source,
    UntrustedText, prepare,
};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{
    app::App,
    audit::Actor,
    authn::{KeyKind, KeyRecord},
    authz::{Scope, Scopes},
    config::Config,
    store::{CollectionRecord, StoredContent, Trust},
};

/// A server in a directory of its own, with a clock that stands still.
struct World {
    dir: TempDir,
    app: Arc<App>,
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

fn collection(name: &str) -> CollectionId {
    CollectionId::new(name).unwrap()
}

fn document(name: &str) -> DocumentId {
    DocumentId::new(name).unwrap()
}

fn principal(name: &str) -> Principal {
    Principal::new(name).unwrap()
}

fn principals(names: &[&str]) -> BTreeSet<Principal> {
    names.iter().map(|name| principal(name)).collect()
}

fn allow(names: &[&str]) -> Acl {
    Acl { allow: principals(names), ..Acl::default() }
}

fn settings(name: &str, dimensions: usize) -> CollectionRecord {
    CollectionRecord {
        id: collection(name),
        description: "what \"it\" is for\n\u{0}".to_owned(),
        default_acl: Some(allow(&["everyone"])),
        readers: principals(&["everyone"]),
        writers: principals(&["group:writers"]),
        trust: Trust::Internal,
        sanitize: SanitizePolicy::Flag,
        redact: [RedactionKind::Email, RedactionKind::Iban].into(),
        retention_days: Some(30),
        accept: vec!["text/markdown".to_owned()],
        embedding: VectorSource::Client { dimensions },
        created_at: Timestamp(0),
    }
}

/// A document of passages that were prepared in earnest, each with a vector of two dimensions.
fn written(name: &str, texts: &[&str], acl: Acl) -> DocumentWrite {
    let content = Content::Chunks(texts.iter().map(|text| (*text).to_owned()).collect());
    let prepared = prepare(Source { title: None, content }, &PrepareOptions::default()).unwrap();
    let vector = |index: u32| Vector::new(vec![1.0, f32::from(u16::try_from(index).unwrap()) + 0.1]).unwrap();
    let chunks = prepared.chunks.into_iter().map(|prepared| {
        let vector = vector(prepared.ordinal());
        DocumentChunk { prepared, vector: Some(vector) }
    });
    DocumentWrite {
        tenant: tenant("acme"),
        collection: collection("handbook"),
        id: document(name),
        acl,
        title: Some(UntrustedText::new("'; DROP TABLE documents; -- \u{202e}".to_owned())),
        uri: None,
        metadata: json!({"year": 2026, "rate": 0.1, "tags": ["ä", "\u{1f512}"]}).as_object().unwrap().clone(),
        content_hash: format!("blake3:{}", texts.join("|")),
        ingested_by: "service:sync".to_owned(),
        findings: vec![Finding { kind: FindingKind::Comment, action: Action::Stripped, range: 3..9 }],
        removed: 1,
        body: DocumentBody::Active(chunks.collect()),
    }
}

fn key(id: &str, tenant_id: Option<&str>) -> KeyRecord {
    KeyRecord {
        id: id.to_owned(),
        tenant: tenant_id.map(tenant),
        kind: KeyKind::Service,
        name: "wiki sync".to_owned(),
        subject: Some(principal("service:sync")),
        scopes: Scopes::from_iter([Scope::Ingest, Scope::PiiRead]),
        collections: Some([collection("handbook")].into()),
        groups: principals(&["group:writers"]),
        attributes: BTreeMap::from([("clearance".to_owned(), ringfence_indexes::AttributeValue::Integer(2))]),
        networks: Some(vec!["10.0.0.0/8".to_owned()]),
        expires_at: Some(Timestamp(i64::MAX)),
        created_at: Timestamp(5),
        secret_hash: [7; 32],
    }
}

fn request(write: Write) -> WriteRequest {
    WriteRequest { write, actor: Actor::server(), request_id: "request".to_owned(), status: 200 }
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = config(&dir);
        let (clock, entropy) = (Arc::new(Clock::fixed(Timestamp(1_000))), Arc::new(Entropy::seeded([3; 32])));
        App::init(world, Arc::clone(&clock), Arc::clone(&entropy)).await.unwrap();
        let app = App::open(config(&dir), clock, entropy).await.unwrap();
        Self { dir, app }
    }

    /// With a tenant and a collection.
    async fn furnished() -> Self {
        let world = Self::new().await;
        world.done(Write::CreateTenant { id: tenant("acme"), name: "Acme Ltd".to_owned() }).await;
        world.done(Write::PutCollection(tenant("acme"), Box::new(settings("handbook", 2)))).await;
        world
    }

    async fn reopened(self) -> Self {
        self.app.close().await.unwrap();
        let Self { dir, app } = self;
        let (clock, entropy) = (Arc::clone(&app.clock), Arc::clone(&app.entropy));
        drop(app);
        let app = App::open(config(&dir), clock, entropy).await.unwrap();
        Self { dir, app }
    }

    async fn write(&self, write: Write) -> Result<Outcome, CommitError> {
        self.app.committer.commit(request(write)).await.map(|committed| committed.outcome)
    }

    #[track_caller]
    fn done(&self, write: Write) -> impl Future<Output = Outcome> {
        let caller = std::panic::Location::caller();
        async move { self.write(write).await.unwrap_or_else(|error| panic!("{error} at {caller}")) }
    }

    async fn put(&self, document: DocumentWrite) -> Outcome {
        self.done(Write::PutDocument(Box::new(document))).await
    }

    async fn version(&self, name: &str) -> u32 {
        let stored = self.app.store.document(&tenant("acme"), &collection("handbook"), &document(name)).await;
        stored.unwrap().unwrap().0.info.version
    }

    /// What the engine holds, which must be what the store holds.
    async fn inventory(&self) -> Vec<(CollectionId, DocumentId, [u8; 32])> {
        let mut inventory = self.app.engine.inventory(&tenant("acme"));
        inventory.sort();
        let mut stored = self.app.store.fingerprints(&tenant("acme")).await.unwrap();
        stored.sort();
        assert_eq!(inventory, stored);
        self.app.store.check_ledger(Some(&tenant("acme"))).await.unwrap();
        self.app.store.check_ledger(None).await.unwrap();
        inventory
    }
}

fn config(dir: &TempDir) -> Config {
    Config { data_dir: dir.path().join("data"), ..Config::default() }
}

#[tokio::test]
async fn every_write_comes_back_after_a_restart() {
    let world = World::furnished().await;
    world.put(written("a", &["one passage", "another"], allow(&["user:alice"]))).await;
    world.put(written("a/b c", &["a path"], Acl { deny: principals(&["group:x"]), ..allow(&["everyone"]) })).await;
    let group = principal("group:eng");
    let members = principals(&["user:alice", "group:interns"]);
    world.done(Write::PutGroup { tenant: tenant("acme"), group: group.clone(), members: members.clone() }).await;
    world.done(Write::CreateKey(Box::new(key("k1", Some("acme"))))).await;
    let before = world.inventory().await;
    assert_eq!(before.len(), 2);
    let epoch = world.app.engine.epoch(&tenant("acme"));
    let settings_before = world.app.catalog.collection(&tenant("acme"), &collection("handbook")).unwrap();
    let world = world.reopened().await;
    assert_eq!(world.inventory().await, before);
    assert_eq!(world.app.engine.epoch(&tenant("acme")), epoch);
    let settings_after = world.app.catalog.collection(&tenant("acme"), &collection("handbook")).unwrap();
    assert_eq!(settings_after, settings_before);
    assert_eq!(*settings_after, CollectionRecord { created_at: Timestamp(1_000), ..settings("handbook", 2) });
    assert_eq!(world.app.catalog.tenant(&tenant("acme")).unwrap().name, "Acme Ltd");
    assert_eq!(*world.app.authenticator.keyring().get("k1").unwrap(), key("k1", Some("acme")));
    assert_eq!(world.app.store.group(&tenant("acme"), &group).await.unwrap().unwrap().members, members);
    let (stored, _) =
        world.app.store.document(&tenant("acme"), &collection("handbook"), &document("a")).await.unwrap().unwrap();
    let expected = written("a", &["one passage", "another"], allow(&["user:alice"]));
    assert_eq!((&stored.info.title, &stored.info.metadata), (&expected.title, &expected.metadata));
    assert_eq!((&stored.info.findings, stored.info.removed), (&expected.findings, 1));
    let DocumentBody::Active(chunks) = expected.body else { unreachable!() };
    for (stored, expected) in stored.chunks.iter().zip(&chunks) {
        assert_eq!((&stored.prepared, &stored.vector), (&expected.prepared, &expected.vector));
    }
}

#[tokio::test]
async fn a_version_counts_the_contents_since_the_acl() {
    let world = World::furnished().await;
    let (alice, bob) = (allow(&["user:alice"]), allow(&["user:bob"]));
    assert_eq!(world.put(written("a", &["v1"], alice.clone())).await, Outcome::Created);
    assert_eq!(world.put(written("a", &["v1"], alice.clone())).await, Outcome::Unchanged);
    assert_eq!(world.version("a").await, 1);
    world.app.clock.set(Timestamp(2_000));
    assert_eq!(world.put(written("a", &["v2"], alice.clone())).await, Outcome::Changed);
    assert_eq!(world.version("a").await, 2);
    let set = |acl: &Acl| Write::SetAcl {
        tenant: tenant("acme"),
        collection: collection("handbook"),
        document: document("a"),
        acl: acl.clone(),
    };
    assert_eq!(world.done(set(&alice)).await, Outcome::Unchanged);
    assert_eq!(world.version("a").await, 2);
    assert_eq!(world.done(set(&bob)).await, Outcome::Changed);
    assert_eq!(world.version("a").await, 1);
    assert_eq!(world.put(written("a", &["v3"], bob)).await, Outcome::Changed);
    assert_eq!(world.version("a").await, 2);
    assert_eq!(world.put(written("a", &["v3"], alice.clone())).await, Outcome::Changed);
    assert_eq!(world.version("a").await, 1);
    let inventory = world.inventory().await;
    assert_eq!(world.reopened().await.inventory().await, inventory);
}

#[tokio::test]
async fn a_quarantined_document_withdraws_what_stood_under_its_name() {
    let world = World::furnished().await;
    world.put(written("a", &["fine"], allow(&["everyone"]))).await;
    let held = DocumentWrite {
        body: DocumentBody::Quarantined { source: b"\x00raw \xff".to_vec(), reason: QuarantineReason::SanitizerFailed },
        ..written("a", &["bad"], allow(&["everyone"]))
    };
    assert_eq!(world.put(held).await, Outcome::Changed);
    assert!(world.inventory().await.is_empty());
    let world = world.reopened().await;
    assert!(world.inventory().await.is_empty());
    let stored = world.app.store.document(&tenant("acme"), &collection("handbook"), &document("a")).await;
    let Some((_, StoredContent::Quarantined { source, reason })) = stored.unwrap() else { panic!("it is held back") };
    assert_eq!((source.as_slice(), reason), (&b"\x00raw \xff"[..], QuarantineReason::SanitizerFailed));
    world.put(written("a", &["fine again"], allow(&["everyone"]))).await;
    assert_eq!(world.version("a").await, 1);
    assert_eq!(world.inventory().await.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_and_leaves_nothing() {
    let world = World::furnished().await;
    let (acme, handbook) = (tenant("acme"), collection("handbook"));
    let put = |write: DocumentWrite| Write::PutDocument(Box::new(write));
    let base = || written("a", &["text"], allow(&["everyone"]));
    let group = principal("group:eng");
    let cases = [
        (Write::CreateTenant { id: acme.clone(), name: String::new() }, CommitError::TenantExists),
        (Write::DeleteTenant(tenant("globex")), CommitError::NoTenant),
        (Write::PutCollection(tenant("globex"), Box::new(settings("x", 2))), CommitError::NoTenant),
        (Write::DeleteCollection(acme.clone(), collection("other")), CommitError::NoCollection),
        (put(DocumentWrite { tenant: tenant("globex"), ..base() }), CommitError::NoTenant),
        (put(DocumentWrite { collection: collection("other"), ..base() }), CommitError::NoCollection),
        (
            Write::DeleteDocument { tenant: acme.clone(), collection: handbook.clone(), document: document("none") },
            CommitError::NoDocument,
        ),
        (
            Write::AddMember { tenant: acme.clone(), group: group.clone(), member: principal("user:a") },
            CommitError::NoGroup,
        ),
        (Write::DeleteGroup { tenant: acme.clone(), group }, CommitError::NoGroup),
        (Write::DeleteKey { tenant: Some(acme.clone()), id: "none".to_owned() }, CommitError::NoKey),
        (Write::CreateKey(Box::new(key("k", Some("globex")))), CommitError::NoTenant),
    ];
    let epoch = world.app.engine.epoch(&acme);
    for (write, expected) in cases {
        let shown = format!("{write:?}");
        assert_eq!(world.write(write).await, Err(expected), "{shown}");
    }
    assert_eq!(world.app.engine.epoch(&acme), epoch);
    assert!(world.inventory().await.is_empty());
}

#[tokio::test]
async fn keys_of_another_owner_are_out_of_reach() {
    let world = World::furnished().await;
    world.done(Write::CreateTenant { id: tenant("globex"), name: String::new() }).await;
    world.done(Write::CreateKey(Box::new(key("k1", Some("acme"))))).await;
    let keyring = world.app.authenticator.keyring();
    for owner in [None, Some(tenant("globex"))] {
        let rotate = Write::RotateKey { tenant: owner.clone(), id: "k1".to_owned(), secret_hash: [1; 32] };
        assert_eq!(world.write(rotate).await, Err(CommitError::NoKey));
        let delete = Write::DeleteKey { tenant: owner, id: "k1".to_owned() };
        assert_eq!(world.write(delete).await, Err(CommitError::NoKey));
    }
    let again = Write::CreateKey(Box::new(key("k1", Some("globex"))));
    assert_eq!(world.write(again).await, Err(CommitError::KeyExists));
    let acme = || Some(tenant("acme"));
    world.done(Write::RotateKey { tenant: acme(), id: "k1".to_owned(), secret_hash: [9; 32] }).await;
    assert_eq!(keyring.get("k1").unwrap().secret_hash, [9; 32]);
    world.done(Write::DeleteKey { tenant: acme(), id: "k1".to_owned() }).await;
    assert!(keyring.get("k1").is_none());
    let world = world.reopened().await;
    assert!(world.app.authenticator.keyring().list(acme().as_ref()).is_empty());
    assert_eq!(world.app.authenticator.keyring().list(None).len(), 1, "the first operator key");
}

#[tokio::test]
async fn a_deleted_tenant_is_gone_with_everything() {
    let world = World::furnished().await;
    world.put(written("a", &["text"], allow(&["everyone"]))).await;
    world.done(Write::CreateKey(Box::new(key("k1", Some("acme"))))).await;
    let members = principals(&["user:a"]);
    world.done(Write::PutGroup { tenant: tenant("acme"), group: principal("group:g"), members }).await;
    world.done(Write::DeleteTenant(tenant("acme"))).await;
    let check = |world: &World| {
        assert!(world.app.catalog.tenants().is_empty());
        assert!(!world.app.engine.has_tenant(&tenant("acme")));
        assert!(world.app.authenticator.keyring().get("k1").is_none());
    };
    check(&world);
    let world = world.reopened().await;
    check(&world);
    world.done(Write::CreateTenant { id: tenant("acme"), name: "new".to_owned() }).await;
    assert!(world.inventory().await.is_empty());
    assert!(world.app.catalog.collections(&tenant("acme")).is_empty());
}

#[tokio::test]
async fn a_collection_keeps_its_vectors_while_it_has_documents() {
    let world = World::furnished().await;
    world.put(written("a", &["text"], allow(&["everyone"]))).await;
    let put = |dimensions| Write::PutCollection(tenant("acme"), Box::new(settings("handbook", dimensions)));
    assert_eq!(world.done(put(2)).await, Outcome::Unchanged);
    assert_eq!(world.write(put(3)).await, Err(CommitError::VectorsDoNotFit));
    world.done(Write::DeleteCollection(tenant("acme"), collection("handbook"))).await;
    assert!(world.inventory().await.is_empty());
    assert_eq!(world.done(put(3)).await, Outcome::Created);
    let write = Write::PutDocument(Box::new(written("a", &["text"], allow(&["everyone"]))));
    assert_eq!(world.write(write).await, Err(CommitError::VectorsDoNotFit));
}

#[tokio::test]
async fn writes_that_wait_together_are_each_answered_for_themselves() {
    let world = World::furnished().await;
    let mut writes: Vec<Write> = (0..40)
        .map(|number| Write::PutDocument(Box::new(written(&format!("d{number}"), &["text"], allow(&["everyone"])))))
        .collect();
    writes.insert(20, Write::DeleteKey { tenant: None, id: "none".to_owned() });
    let results = futures_util::future::join_all(writes.into_iter().map(|write| world.write(write))).await;
    let refused: Vec<usize> = (0..results.len()).filter(|index| results[*index].is_err()).collect();
    assert_eq!((refused, results[20]), (vec![20], Err(CommitError::NoKey)));
    assert_eq!(world.inventory().await.len(), 40);
    let inventory = world.inventory().await;
    assert_eq!(world.reopened().await.inventory().await, inventory);
}
