//! What each write makes of what was there.

use super::*;

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
        body: DocumentBody::Quarantined { reason: QuarantineReason::SanitizerFailed },
        source: Some(b"\x00sealed \xff".to_vec()),
        ..written("a", &["bad"], allow(&["everyone"]))
    };
    assert_eq!(world.put(held).await, Outcome::Changed);
    assert!(world.inventory().await.is_empty());
    let world = world.reopened().await;
    assert!(world.inventory().await.is_empty());
    let kept = world.app.store.kept(&tenant("acme"), &collection("handbook"), &document("a")).await.unwrap().unwrap();
    let StoredContent::Quarantined { reason, clear } = kept.content else { panic!("it is held back") };
    assert_eq!((clear.len(), reason), (0, QuarantineReason::SanitizerFailed));
    assert_eq!(kept.source.as_deref(), Some(&b"\x00sealed \xff"[..]));
    world.put(written("a", &["fine again"], allow(&["everyone"]))).await;
    assert_eq!(world.version("a").await, 1);
    assert_eq!(world.inventory().await.len(), 1);
}

#[tokio::test]
async fn keys_of_another_owner_are_out_of_reach() {
    let world = World::furnished().await;
    world.done(Write::CreateTenant { id: tenant("globex"), name: String::new() }).await;
    world.done(Write::CreateKey(Box::new(key("k1", Some("acme"))))).await;
    let keyring = world.app.authenticator.keyring();
    for owner in [None, Some(tenant("globex"))] {
        let rotate =
            Write::RotateKey { tenant: owner.clone(), id: "k1".to_owned(), secret_hash: [1; 32], overlap_until: None };
        assert_eq!(world.write(rotate).await, Err(CommitError::NoKey));
        let delete = Write::DeleteKey { tenant: owner, id: "k1".to_owned() };
        assert_eq!(world.write(delete).await, Err(CommitError::NoKey));
    }
    let again = Write::CreateKey(Box::new(key("k1", Some("globex"))));
    assert_eq!(world.write(again).await, Err(CommitError::KeyExists));
    let acme = || Some(tenant("acme"));
    world
        .done(Write::RotateKey { tenant: acme(), id: "k1".to_owned(), secret_hash: [9; 32], overlap_until: None })
        .await;
    assert_eq!(keyring.get("k1").unwrap().secret_hash, [9; 32]);
    world.done(Write::DeleteKey { tenant: acme(), id: "k1".to_owned() }).await;
    assert!(keyring.get("k1").is_none());
    let world = world.reopened().await;
    let of = |owner: Option<TenantId>| world.app.authenticator.keyring().records(move |key| key.tenant == owner).len();
    assert_eq!((of(acme()), of(None)), (0, 1), "the first operator key is left");
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
    let write = || written("a", &["text"], allow(&["everyone"]));
    let put = |write: DocumentWrite| world.write(Write::PutDocument(Box::new(write)));
    assert_eq!(put(write()).await, Err(CommitError::VectorsDoNotFit));
    let claimed = DocumentWrite { vectors: VectorSource::Client { dimensions: 3 }, ..write() };
    assert_eq!(put(claimed).await, Err(CommitError::VectorsDoNotFit));
    world.done(Write::PutCollection(tenant("acme"), Box::new(settings("handbook", 2)))).await;
    let of_the_model = DocumentWrite { vectors: VectorSource::Builtin { dimensions: 2 }, ..write() };
    assert_eq!(put(of_the_model).await, Err(CommitError::VectorsDoNotFit), "as long, but of another source");
    assert_eq!(put(write()).await, Ok(Outcome::Created));
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
