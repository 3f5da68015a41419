//! The committer over a real store, audit log and engine: what is acknowledged, what is visible, what comes back.

mod failures;
mod restart;
mod writes;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ringfence_indexes::{
    Acl, AnalyzerKind, CollectionId, DocumentChunk, DocumentId, Principal, TenantId, Timestamp, Vector, VectorSource,
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
        analyzer: AnalyzerKind::English,
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
        placement: None,
        title: Some(UntrustedText::new("'; DROP TABLE documents; -- \u{202e}".to_owned())),
        uri: None,
        metadata: json!({"year": 2026, "rate": 0.1, "tags": ["ä", "\u{1f512}"]}).as_object().unwrap().clone(),
        content_hash: format!("blake3:{}", texts.join("|")),
        ingested_by: "service:sync".to_owned(),
        findings: vec![Finding { kind: FindingKind::Comment, action: Action::Stripped, range: 3..9 }],
        removed: 1,
        sanitizer: "rules-1".to_owned(),
        source: Some(b"sealed".to_vec()),
        vectors: VectorSource::Client { dimensions: 2 },
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
        previous: None,
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

    fn data_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// The records of a log, as they are written.
    fn log(&self, owner: Option<&str>) -> String {
        std::fs::read_to_string(self.app.audit.path(owner.map(tenant).as_ref())).unwrap()
    }

    /// A committer in place of the app's, over a connection that a test prepared.
    async fn committer(&self, prepare: &'static str) -> Committer {
        self.app.committer.close().await;
        let mut writer = self.app.store.writer().await.unwrap();
        writer.execute(prepare).await.unwrap();
        let app = &self.app;
        let parts = CommitterParts {
            store: app.store.clone(),
            audit: Arc::clone(&app.audit),
            master: Arc::clone(&app.master),
            engine: Arc::clone(&app.engine),
            catalog: Arc::clone(&app.catalog),
            keyring: Arc::clone(app.authenticator.keyring()),
            revocations: Arc::clone(app.authenticator.revocations()),
            clock: Arc::clone(&app.clock),
            entropy: Arc::clone(&app.entropy),
            embedder: app.embedder.fingerprint().to_owned(),
            lock: Arc::new(File::open(self.dir.path()).unwrap()),
        };
        Committer::start_with(writer, parts).unwrap()
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
