//! What is refused, what fails, what is recorded, and what is gone.

use super::*;

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
        (
            Write::DeleteGroup { tenant: acme.clone(), group, gives_up_name: false, expected: None },
            CommitError::NoGroup,
        ),
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
async fn a_write_is_recorded_before_it_is_acknowledged() {
    let world = World::furnished().await;
    let write = Write::PutDocument(Box::new(written("a", &["secret words"], allow(&["everyone"]))));
    let request = WriteRequest { request_id: "the-request".to_owned(), ..request(write) };
    world.app.committer.commit(request).await.unwrap();
    let log = world.log(Some("acme"));
    assert!(log.contains("document.put") && log.contains("handbook/a") && log.contains("the-request"));
    assert!(!log.contains("secret"));
    assert!(world.log(None).contains("tenant.create"));
}

#[tokio::test]
async fn a_write_that_cannot_be_recorded_does_not_happen() {
    let world = World::furnished().await;
    world.done(Write::CreateTenant { id: tenant("globex"), name: String::new() }).await;
    let epoch = world.app.engine.epoch(&tenant("globex"));
    let in_the_way = world.app.audit.path(Some(&tenant("globex")));
    std::fs::create_dir(&in_the_way).unwrap();
    let put = || Write::PutCollection(tenant("globex"), Box::new(settings("x", 2)));
    assert_eq!(world.write(put()).await, Err(CommitError::Unavailable));
    assert!(world.app.store.collections(&tenant("globex")).await.unwrap().is_empty());
    assert_eq!(world.app.engine.epoch(&tenant("globex")), epoch);
    assert!(world.app.catalog.collections(&tenant("globex")).is_empty());
    std::fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(world.done(put()).await, Outcome::Created, "it goes on without a restart");
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_nothing_else() {
    let world = World::furnished().await;
    world.put(written("a", &["here"], allow(&["user:alice"]))).await;
    let committer = world.committer("PRAGMA max_page_count = 60").await;
    let commit = async |write: Write| committer.commit(request(write)).await.map(|committed| committed.outcome);
    let large = "many words ".repeat(100_000);
    let large = || Write::PutDocument(Box::new(written("large", &[&large], allow(&["everyone"]))));
    let revoke = |names: &[&str]| Write::SetAcl {
        tenant: tenant("acme"),
        collection: collection("handbook"),
        document: document("a"),
        acl: allow(names),
    };
    let (first, revoked, second) = futures_util::join!(commit(large()), commit(revoke(&["user:bob"])), commit(large()));
    assert_eq!((first, second), (Err(CommitError::StorageFull), Err(CommitError::StorageFull)));
    assert_eq!(revoked, Ok(Outcome::Changed), "a revocation beside it goes through");
    assert_eq!(world.inventory().await.len(), 1);
    assert_eq!(commit(revoke(&["user:carol"])).await, Ok(Outcome::Changed), "it goes on without a restart");
    committer.close().await;
    let inventory = world.inventory().await;
    assert_eq!(world.reopened().await.inventory().await, inventory);
}

#[tokio::test]
async fn after_a_commit_of_unknown_outcome_nothing_is_acknowledged() {
    let world = World::furnished().await;
    // A constraint that fails at the commit itself, as a broken disk would.
    crate::store::tests::tamper(
        &world.data_dir(),
        "CREATE TABLE breaker (id TEXT REFERENCES tenants (tenant_id) DEFERRABLE INITIALLY DEFERRED); \
         CREATE TRIGGER breaking AFTER INSERT ON groups BEGIN INSERT INTO breaker VALUES ('nobody'); END",
    )
    .await;
    let group = || Write::PutGroup { tenant: tenant("acme"), group: principal("group:g"), members: BTreeSet::new() };
    let epoch = world.app.engine.epoch(&tenant("acme"));
    assert_eq!(world.write(group()).await, Err(CommitError::Unavailable));
    assert!(!world.app.committer.is_open());
    let write = Write::PutDocument(Box::new(written("a", &["text"], allow(&["everyone"]))));
    assert_eq!(world.write(write).await, Err(CommitError::Unavailable));
    assert_eq!(world.app.engine.epoch(&tenant("acme")), epoch);
    assert!(world.app.catalog.tenant(&tenant("acme")).is_some(), "reads go on");
    crate::store::tests::tamper(&world.data_dir(), "DROP TRIGGER breaking; DROP TABLE breaker").await;
    let world = world.reopened().await;
    assert_eq!(world.done(group()).await, Outcome::Created);
}

#[tokio::test]
async fn what_is_deleted_is_in_no_file() {
    let world = World::furnished().await;
    let canary = "canary-7f3a9b ".repeat(600);
    for name in ["a", "b", "c"] {
        world.put(written(name, &[&canary], allow(&["everyone"]))).await;
    }
    let held = DocumentWrite {
        body: DocumentBody::Quarantined { reason: QuarantineReason::Policy },
        source: Some(canary.clone().into_bytes()),
        ..written("d", &["x"], allow(&["everyone"]))
    };
    world.put(held).await;
    let data_dir = world.data_dir();
    assert!(crate::store::tests::files_contain(&data_dir, "canary-7f3a9b"));
    world.put(written("a", &["other"], allow(&["everyone"]))).await;
    let delete = |name: &str| Write::DeleteDocument {
        tenant: tenant("acme"),
        collection: collection("handbook"),
        document: document(name),
    };
    world.done(delete("b")).await;
    world.done(delete("d")).await;
    world.done(Write::DeleteCollection(tenant("acme"), collection("handbook"))).await;
    // Closing does at once what the housekeeping does every twenty seconds.
    world.app.committer.close().await;
    assert!(!crate::store::tests::files_contain(&data_dir, "canary-7f3a9b"));
}
