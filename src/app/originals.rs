//! What an older server held back in the clear is sealed, once, before this one answers.
//!
//! That server kept the bytes alone. The keyed hash of the content, which it kept as well, tells what they were: text, a file of some type, or passages.

use ringfence_indexes::{DocumentId, TenantId};
use ringfence_ingest::Content;

use super::StartError;
use crate::{
    ingestion::{
        draft::content_hash,
        original::{Keeping, Original, Written},
    },
    seal::{MasterKey, TenantKeys},
    store::{Beside, DocumentRow, Kept, SourceChange, Store, StoredContent, Writer},
};

/// The types that a file may have been declared as.
const MEDIA_TYPES: [&str; 15] = [
    "text/plain",
    "text/plain; charset=utf-8",
    "text/markdown",
    "text/markdown; charset=utf-8",
    "text/html",
    "text/html; charset=utf-8",
    "application/pdf",
    "application/json",
    "text/csv",
    "message/rfc822",
    "application/rtf",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
];

/// Seals every source that lies in the clear.
pub(super) async fn seal_all(store: &Store, master: &MasterKey) -> Result<(), StartError> {
    for (tenant, _) in store.tenants().await? {
        let clear = store.in_the_clear(&tenant.id).await?;
        if clear.is_empty() {
            continue;
        }
        tracing::info!(tenant.id = %tenant.id, count = clear.len(), "sealing what is held back for review");
        let mut writer = store.writer().await?;
        for (collection, document) in clear {
            if let Some(kept) = store.kept(&tenant.id, &collection, &document).await? {
                seal_one(&mut writer, master, &tenant.id, &document, kept).await?;
            }
        }
        writer.close().await;
    }
    Ok(())
}

async fn seal_one(
    writer: &mut Writer,
    master: &MasterKey,
    tenant: &TenantId,
    id: &DocumentId,
    kept: Kept,
) -> Result<(), StartError> {
    let StoredContent::Quarantined { reason, clear } = kept.content else { return Ok(()) };
    let document = kept.document;
    let keys = TenantKeys::derive(master, tenant);
    let original = Original {
        title: document.info.title.clone(),
        uri: document.info.uri.clone(),
        metadata: document.info.metadata.clone(),
        content: content_of(&clear, &document.info.content_hash, &keys.content_key()),
        vectors: std::collections::BTreeMap::new(),
    };
    let keeping = Keeping::new(keys.vault(), &document.collection, id);
    let sealed = keeping.seal(Written::of_original(&original), std::iter::empty());
    let beside = Beside { source: Some(sealed), decision: None };
    let content = StoredContent::Quarantined { reason, clear: Vec::new() };
    writer.begin().await?;
    let Some(before) = writer.document(tenant, &document.collection, id).await? else {
        writer.rollback().await?;
        return Ok(());
    };
    let (row, content) = DocumentRow::new(tenant, &document, &content, &beside)?;
    let key = (tenant.clone(), document.collection.clone(), id.clone());
    let source = SourceChange::Becomes(beside.source.as_deref());
    writer.put_document(key, row, &content, source, Some(&before)).await?;
    writer.advance(tenant).await?;
    writer.commit().await?;
    Ok(())
}

/// What the bytes were; a file whose content tells its type where nothing fits the hash.
fn content_of(bytes: &[u8], hash: &str, key: &[u8; 32]) -> Content {
    let fits = |content: &Content| content_hash(key, content) == hash;
    let text = String::from_utf8(bytes.to_vec()).ok();
    let chunks = serde_json::from_slice::<Vec<String>>(bytes).ok();
    let known = text.map(Content::Text).into_iter().chain(chunks.map(Content::Chunks));
    if let Some(content) = known.into_iter().find(|content| fits(content)) {
        return content;
    }
    let declared = MEDIA_TYPES.into_iter().map(|name| Some(name.to_owned()));
    let file = |media_type| Content::File { bytes: bytes.to_vec(), media_type };
    declared.map(file).find(fits).unwrap_or_else(|| file(None))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use ringfence_indexes::{Acl, CollectionId, Document, DocumentInfo, Timestamp, VectorSource};
    use ringfence_ingest::{QuarantineReason, SanitizePolicy};

    use super::*;
    use crate::store::{CollectionRecord, StoredCollection, TenantRecord, Trust};

    /// A store as an older server left it: one document held back, its source in the clear.
    async fn left_by_an_older_server(store: &Store, tenant: &TenantId, document: &Document, clear: &[u8]) {
        let record = CollectionRecord {
            id: document.collection.clone(),
            description: String::new(),
            default_acl: None,
            readers: BTreeSet::new(),
            writers: BTreeSet::new(),
            trust: Trust::Untrusted,
            sanitize: SanitizePolicy::Quarantine,
            redact: BTreeSet::new(),
            retention_days: None,
            accept: Vec::new(),
            embedding: VectorSource::Client { dimensions: 2 },
            analyzer: ringfence_indexes::AnalyzerKind::English,
            created_at: Timestamp(0),
        };
        let mut writer = store.writer().await.unwrap();
        writer.begin().await.unwrap();
        let made = TenantRecord { id: tenant.clone(), name: String::new(), created_at: Timestamp(0) };
        writer.insert_tenant(&made).await.unwrap();
        writer.put_collection(tenant, &StoredCollection { record, embedder: None }).await.unwrap();
        let content = StoredContent::Quarantined { reason: QuarantineReason::Policy, clear: clear.to_vec() };
        let (row, content) = DocumentRow::new(tenant, document, &content, &Beside::default()).unwrap();
        let key = (tenant.clone(), document.collection.clone(), document.id.clone());
        writer.put_document(key, row, &content, SourceChange::Becomes(None), None).await.unwrap();
        writer.commit().await.unwrap();
        writer.close().await;
    }

    #[tokio::test]
    async fn what_an_older_server_held_back_is_sealed_and_can_be_opened() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let (master, tenant) = (MasterKey::new([7; 32]), TenantId::new("acme").unwrap());
        let keys = TenantKeys::derive(&master, &tenant);
        let sent = Content::Text("canary-5c1f held back".to_owned());
        let info = DocumentInfo {
            title: None,
            uri: None,
            metadata: serde_json::Map::new(),
            content_hash: content_hash(&keys.content_key(), &sent),
            ingested_at: Timestamp(5),
            ingested_by: "service:sync".to_owned(),
            version: 1,
            findings: Vec::new(),
            removed: 0,
            sanitizer: None,
        };
        let document = Document {
            collection: CollectionId::new("inbox").unwrap(),
            id: DocumentId::new("d").unwrap(),
            acl: Acl::default(),
            info: Arc::new(info),
            chunks: Vec::new(),
        };
        left_by_an_older_server(&store, &tenant, &document, b"canary-5c1f held back").await;
        assert_eq!(store.in_the_clear(&tenant).await.unwrap().len(), 1);
        seal_all(&store, &master).await.unwrap();
        assert!(store.in_the_clear(&tenant).await.unwrap().is_empty());
        store.check_ledger(Some(&tenant)).await.unwrap();
        let kept = store.kept(&tenant, &document.collection, &document.id).await.unwrap().unwrap();
        assert_eq!(kept.document.info.ingested_at, Timestamp(5));
        let keeping = Keeping::new(keys.vault(), &document.collection, &document.id);
        let original = keeping.open(kept.source.as_deref().unwrap()).unwrap();
        assert!(matches!(original.content, Content::Text(text) if text == "canary-5c1f held back"));
        store.close().await.unwrap();
        assert!(!crate::store::tests::files_contain(dir.path(), "canary-5c1f"));
    }

    #[test]
    fn the_hash_tells_what_the_bytes_were() {
        let key = [3; 32];
        let file = |media_type: Option<&str>| Content::File {
            bytes: b"[\"a\"]".to_vec(),
            media_type: media_type.map(str::to_owned),
        };
        let contents = [
            Content::Text("[\"a\"]".to_owned()),
            Content::Chunks(vec!["a".to_owned()]),
            file(Some("text/html; charset=utf-8")),
            file(None),
        ];
        for content in contents {
            let hash = content_hash(&key, &content);
            assert_eq!(content_hash(&key, &content_of(b"[\"a\"]", &hash, &key)), hash, "{content:?}");
        }
        let unknown = content_of(b"%PDF", "blake3:other", &key);
        assert!(matches!(unknown, Content::File { media_type: None, .. }));
    }
}
