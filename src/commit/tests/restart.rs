//! What a server finds when it opens a data directory, and what it does by itself.

use super::*;

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
async fn damage_behind_the_stores_back_is_found_before_it_is_served() {
    let damages = [
        "UPDATE documents SET acl = '{\"allow\":[\"everyone\"],\"deny\":[]}'",
        "UPDATE documents SET version = version + 1",
        "UPDATE contents SET vectors = zeroblob(length(vectors))",
        "UPDATE contents SET chunks = replace(chunks, 'one', 'two')",
        "DELETE FROM contents; DELETE FROM sources; DELETE FROM documents",
        "UPDATE collections SET readers = '[\"user:mallory\"]'",
        "DELETE FROM members",
        "DELETE FROM members; DELETE FROM groups",
        "UPDATE keys SET scopes = '[\"search\",\"acl\"]' WHERE tenant_id = 'acme'",
        "DELETE FROM keys",
        "UPDATE ledgers SET revision = revision + 1",
        "DELETE FROM ledgers",
        "UPDATE tenants SET name = 'Mallory Ltd'",
    ];
    for damage in damages {
        let world = World::furnished().await;
        world.put(written("a", &["one passage"], allow(&["user:alice"]))).await;
        world.done(Write::CreateKey(Box::new(key("k1", Some("acme"))))).await;
        let members = principals(&["user:a"]);
        world.done(Write::PutGroup { tenant: tenant("acme"), group: principal("group:g"), members }).await;
        world.app.close().await.unwrap();
        let World { dir, app } = world;
        let (clock, entropy) = (Arc::clone(&app.clock), Arc::clone(&app.entropy));
        drop(app);
        crate::store::tests::tamper(&dir.path().join("data"), damage).await;
        let opened = App::open(config(&dir), clock, entropy).await;
        assert!(opened.is_err_and(|error| error.to_string().contains("damaged")), "{damage}");
    }
}

#[tokio::test]
async fn a_data_directory_has_one_process() {
    let world = World::new().await;
    let again = App::open(config(&world.dir), Arc::clone(&world.app.clock), Arc::new(Entropy::System)).await;
    assert!(matches!(again, Err(crate::app::StartError::InUse(_))));
    let again = App::init(config(&world.dir), Arc::clone(&world.app.clock), Arc::new(Entropy::System)).await;
    assert!(matches!(again, Err(crate::app::StartError::InUse(_))));
    world.app.close().await.unwrap();
    let World { dir, app } = world;
    let clock = Arc::clone(&app.clock);
    drop(app);
    let again = App::init(config(&dir), clock, Arc::new(Entropy::System)).await;
    assert!(matches!(again, Err(crate::app::StartError::Initialised(_))));
}

#[tokio::test]
async fn documents_past_their_retention_are_swept() {
    let day = 86_400_000_000;
    let world = World::furnished().await;
    world.put(written("old", &["text"], allow(&["everyone"]))).await;
    world.app.clock.set(Timestamp(20 * day));
    world.put(written("new", &["text"], allow(&["everyone"]))).await;
    assert_eq!(world.app.sweep_retention(Timestamp(30 * day)).await.unwrap(), 0);
    assert_eq!(world.app.sweep_retention(Timestamp(31 * day)).await.unwrap(), 1);
    let left: Vec<_> = world.inventory().await.into_iter().map(|(_, document, _)| document).collect();
    assert_eq!(left, [document("new")]);
    assert!(world.log(Some("acme")).contains("document.delete"));
    let late = Write::ExpireDocument {
        tenant: tenant("acme"),
        collection: collection("handbook"),
        document: document("new"),
        ingested_before: Timestamp(20 * day),
    };
    assert_eq!(world.write(late).await, Err(CommitError::NoDocument), "it was written anew since");
}

#[tokio::test]
async fn another_model_places_everything_anew() {
    let world = World::furnished().await;
    let builtin = VectorSource::Builtin { dimensions: world.app.embedder.dimensions() };
    let record = CollectionRecord { embedding: builtin, ..settings("wiki", 2) };
    world.done(Write::PutCollection(tenant("acme"), Box::new(record))).await;
    let write = DocumentWrite {
        collection: collection("wiki"),
        vectors: builtin,
        ..written("a", &["how to rotate keys"], allow(&["everyone"]))
    };
    let DocumentBody::Active(mut chunks) = write.body else { unreachable!() };
    let expected = world
        .app
        .embedder
        .embed_passages(write.title.as_ref(), std::iter::once(&chunks[0].prepared))
        .unwrap()
        .unwrap()
        .remove(0);
    chunks[0].vector = Some(Vector::new((0..world.app.embedder.dimensions()).map(|_| 1.0).collect()).unwrap());
    world.put(DocumentWrite { body: DocumentBody::Active(chunks), ..write }).await;
    world.app.committer.close().await;
    let mut writer = world.app.store.writer().await.unwrap();
    writer.begin().await.unwrap();
    writer.set_embedder(&tenant("acme"), &collection("wiki"), "another model".to_owned(), 3).await.unwrap();
    writer.commit().await.unwrap();
    drop(writer);
    let world = world.reopened().await;
    let stored = world.app.store.document(&tenant("acme"), &collection("wiki"), &document("a")).await.unwrap();
    assert_eq!(stored.unwrap().0.chunks[0].vector, expected);
    assert_eq!(world.app.catalog.collection(&tenant("acme"), &collection("wiki")).unwrap().embedding, builtin);
    assert_eq!(world.inventory().await.len(), 1);
}

#[tokio::test]
async fn the_last_use_of_a_key_outlives_the_server() {
    let world = World::new().await;
    let keyring = Arc::clone(world.app.authenticator.keyring());
    let secret = world.app.create_operator_key("second").await.unwrap();
    let id = crate::authn::key_id_of(&secret).unwrap();
    world.app.clock.set(Timestamp(77_000));
    let bearer = format!("Bearer {}", secrecy::ExposeSecret::expose_secret(&secret));
    let headers = crate::authn::CredentialHeaders { authorization: Some(&bearer), ..Default::default() };
    assert_eq!(keyring.uses().last(&id), None);
    world.app.authenticator.authenticate(&headers, std::net::IpAddr::from([127, 0, 0, 1])).await.unwrap();
    let world = world.reopened().await;
    assert_eq!(world.app.authenticator.keyring().uses().last(&id), Some(Timestamp(77_000)));
}
