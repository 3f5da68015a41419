//! Flipped and cut files: what a server reads is what was written, or it does not start.

use std::{collections::BTreeSet, fs, sync::Arc};

use ringfence_indexes::{
    Acl, AnalyzerKind, CollectionId, DocumentChunk, DocumentId, Principal, TenantId, VectorSource,
};
use ringfence_ingest::{Content, PrepareOptions, Source, prepare};
use serde_json::Map;

use super::{
    replay::{open_tenant, replay},
    *,
};
use crate::{
    commit::{DocumentBody, DocumentWrite},
    store::{CollectionRecord, DATABASE_FILE, GroupRecord, Setting, Trust, UserRecord},
};

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn allow(name: &str) -> Acl {
    Acl { allow: [Principal::new(name).unwrap()].into(), ..Acl::default() }
}

fn document(app: &App, number: usize) -> DocumentWrite {
    let text = format!("passage {number} about the rotation of keys. ").repeat(number % 7 * 12 + 1);
    let prepared = prepare(Source { title: None, content: Content::Text(text) }, &PrepareOptions::default()).unwrap();
    let vectors = app.embedder.embed_passages(None, prepared.chunks.iter()).unwrap().unwrap();
    let chunks = prepared.chunks.into_iter().zip(vectors);
    let chunks = chunks.map(|(prepared, vector)| DocumentChunk { prepared, vector }).collect();
    DocumentWrite {
        tenant: tenant(),
        collection: CollectionId::new("wiki").unwrap(),
        id: DocumentId::new(&format!("document {number}")).unwrap(),
        acl: allow(&format!("user:u{}", number % 3)),
        placement: None,
        title: None,
        uri: None,
        metadata: Map::new(),
        content_hash: format!("blake3:{number}"),
        ingested_by: "service:sync".to_owned(),
        findings: Vec::new(),
        removed: 0,
        sanitizer: "rules-1".to_owned(),
        source: Some(b"sealed".to_vec()),
        vectors: VectorSource::Builtin { dimensions: app.embedder.dimensions() },
        body: DocumentBody::Active(chunks),
    }
}

fn user(name: &str) -> UserRecord {
    let resource = serde_json::json!({"userName": name, "title": "Engineer"});
    UserRecord {
        id: format!("id of {name}"),
        principal: Principal::new(&format!("user:{name}")).unwrap(),
        external_id: None,
        active: true,
        resource: resource.as_object().unwrap().clone(),
        created_at: ringfence_indexes::Timestamp(1),
        changed_at: ringfence_indexes::Timestamp(2),
    }
}

/// A closed data directory with something of everything in it.
async fn furnish(config: &Config) -> Arc<MasterKey> {
    let (clock, entropy) = (Arc::new(Clock::System), Arc::new(Entropy::seeded([1; 32])));
    App::init(config.clone(), Arc::clone(&clock), Arc::clone(&entropy)).await.unwrap();
    let app = App::open(config.clone(), clock, entropy).await.unwrap();
    let group = Principal::new("group:g").unwrap();
    let record = CollectionRecord {
        id: CollectionId::new("wiki").unwrap(),
        description: String::new(),
        default_acl: None,
        readers: [Principal::everyone()].into(),
        writers: BTreeSet::new(),
        trust: Trust::Untrusted,
        sanitize: ringfence_ingest::SanitizePolicy::Strip,
        redact: BTreeSet::new(),
        retention_days: None,
        accept: Vec::new(),
        embedding: VectorSource::Builtin { dimensions: app.embedder.dimensions() },
        analyzer: AnalyzerKind::English,
        created_at: ringfence_indexes::Timestamp(0),
    };
    let mut writes = vec![
        Write::CreateTenant { id: tenant(), name: "Acme".to_owned() },
        Write::PutCollection(tenant(), Box::new(record)),
        Write::PutGroup { tenant: tenant(), group: group.clone(), members: [Principal::everyone()].into() },
        Write::CreateUser(tenant(), Box::new(user("u0"))),
        Write::PutSetting(tenant(), Setting::KnownUsersOnly(true)),
    ];
    writes.extend((0..40).map(|number| Write::PutDocument(Box::new(document(&app, number)))));
    for write in writes {
        let request = WriteRequest { write, actor: Actor::server(), request_id: "request".to_owned(), status: 200 };
        app.committer.commit(request).await.unwrap();
    }
    app.close().await.unwrap();
    Arc::clone(&app.master)
}

/// Everything that a server would answer from; `None` where it does not start.
async fn contents(data_dir: &Path, master: &MasterKey) -> Option<String> {
    let store = Store::open(data_dir).await.ok()?;
    let keyring = Keyring::new(KeyHasher::new([0; 32]));
    let engine = Arc::new(Engine::new());
    let replayed = replay(&store, master, &keyring, &Revocations::default(), &engine).await;
    let is_there = replayed.is_ok() && engine.has_tenant(&tenant());
    let opened = if is_there { open_tenant(&store, &engine, &tenant()).await } else { Ok(()) };
    store.close().await.ok()?;
    let catalog = replayed.ok()?;
    opened.ok()?;
    let mut inventory = engine.inventory(&tenant());
    inventory.sort();
    let keys: Vec<_> = keyring.records(|_| true).iter().map(|key| (key.id.clone(), key.secret_hash)).collect();
    let collections = catalog.collections(&tenant());
    let names = engine.names(&tenant())?;
    let directory = (names.standing(&user("u0").principal), names.known_users_only());
    Some(format!(
        "{directory:?} {inventory:?} {:?} {collections:?} {keys:?} {:?}",
        catalog.tenants(),
        engine.epoch(&tenant())
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_or_a_cut_file_is_found_or_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { data_dir: dir.path().join("data"), ..Config::default() };
    let master = furnish(&config).await;
    let file = config.data_dir.join(DATABASE_FILE);
    let expected = contents(&config.data_dir, &master).await.expect("the directory is sound");
    let sound = fs::read(&file).unwrap();
    let entropy = Entropy::seeded([9; 32]);
    let mut found = 0;
    for round in 0..120 {
        let mut damaged = sound.clone();
        let place = usize::from_le_bytes(entropy.bytes()) % damaged.len();
        if round % 4 == 0 {
            damaged.truncate(place);
        } else {
            damaged[place] ^= 1 << (round % 8);
        }
        for rest in ["-wal", "-shm"] {
            let _ = fs::remove_file(config.data_dir.join(format!("{DATABASE_FILE}{rest}")));
        }
        fs::write(&file, &damaged).unwrap();
        match contents(&config.data_dir, &master).await {
            Some(served) => assert!(served == expected, "something else is served: round {round}, byte {place}"),
            None => found += 1,
        }
    }
    assert!(found > 30, "most damage lies where something is stored: {found}");
}

/// A group from before groups had ids keeps its members, gets an id, and is whole at every later start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_from_before_gets_an_id() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { data_dir: dir.path().join("data"), ..Config::default() };
    furnish(&config).await;
    let store = Store::open(&config.data_dir).await.unwrap();
    let old = GroupRecord {
        group: Principal::new("group:old").unwrap(),
        members: [Principal::new("user:u0").unwrap()].into(),
        id: String::new(),
        external_id: None,
        created_at: ringfence_indexes::Timestamp(0),
        changed_at: ringfence_indexes::Timestamp(0),
    };
    let mut writer = store.writer().await.unwrap();
    writer.begin().await.unwrap();
    writer.put_group(&tenant(), &old, None).await.unwrap();
    writer.commit().await.unwrap();
    writer.close().await;
    store.close().await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let app = App::open(config.clone(), Arc::new(Clock::System), Arc::new(Entropy::System)).await.unwrap();
        let group = app.store.group(&tenant(), &old.group).await.unwrap().unwrap();
        assert_eq!(group.members, old.members);
        app.store.check_ledger(Some(&tenant())).await.unwrap();
        ids.push(group.id);
        app.close().await.unwrap();
    }
    assert!(ids[0].len() == 32 && ids[0] == ids[1], "{ids:?}");
}
