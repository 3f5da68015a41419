//! `/v1/collections`: named sets of documents and how they are treated.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::{CollectionId, Principal, VectorSource};
use serde::Serialize;
use serde_json::Value;

use super::{
    body::read_bounded,
    collection_form::{CollectionForm, sanitize_name},
    gate::Ask,
    json,
    names::{self, Names},
    page::{PageQuery, next_cursor},
    problem::Problem,
    reply::{no_content, reply, reply_written},
    state::Server,
};
use crate::{
    acl_form,
    administration::collections::SeenCollection,
    authz::{ManageCollections, ViewCollections},
    store::CollectionRecord,
};

/// A collection's settings.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Collection, example = json!({
    "id": "handbook", "description": "How we work", "default_acl": {"allow": ["everyone"], "deny": []},
    "readers": ["everyone"], "writers": ["service:wiki-sync"], "trust": "internal", "sanitize": "strip",
    "redact": ["card", "iban", "ssn"], "retention_days": null, "accept": [], "embedding": {"source": "builtin", "dimensions": 256}, "analyzer": "english",
    "created_at": "2026-11-03T09:12:44Z", "revision": "…"
}))]
struct CollectionView {
    /// Its name.
    id: String,
    /// What it is for.
    description: String,
    /// The ACL of documents that bring none. Shown, like `readers` and `writers`, to those who write or manage the collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    default_acl: Option<Value>,
    /// Who may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    readers: Option<Vec<String>>,
    /// Who may write.
    #[serde(skip_serializing_if = "Option::is_none")]
    writers: Option<Vec<String>>,
    /// How far its authors are trusted.
    trust: &'static str,
    /// What is done with text that speaks to the machine.
    sanitize: &'static str,
    /// The personal data that is masked on the way out.
    redact: Vec<&'static str>,
    /// After how many days documents are deleted.
    retention_days: Option<u32>,
    /// Accepted media types; empty for every supported one.
    accept: Vec<String>,
    /// Where vectors come from.
    embedding: EmbeddingView,
    /// How texts are cut into terms.
    analyzer: &'static str,
    /// When it was made.
    created_at: String,
    /// The revision of the change; only in the answer to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
}

/// Where the vectors of a collection come from.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Embedding, example = json!({"source": "client", "dimensions": 384}))]
struct EmbeddingView {
    /// `builtin` or `client`.
    source: &'static str,
    /// How long each vector is.
    dimensions: usize,
}

/// A page of collections.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"collections": [], "next_cursor": null}))]
pub(super) struct CollectionList {
    /// The collections that exist for the caller, by name.
    collections: Vec<CollectionView>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

const PURPOSE: &str = "collections";

impl CollectionView {
    fn new(settings: &CollectionRecord, whole: bool, revision: Option<String>) -> Self {
        let names = |set: &std::collections::BTreeSet<Principal>| set.iter().map(ToString::to_string).collect();
        let embedding = match settings.embedding {
            VectorSource::Builtin { dimensions } => EmbeddingView { source: "builtin", dimensions },
            VectorSource::Client { dimensions } => EmbeddingView { source: "client", dimensions },
        };
        let default_acl = settings.default_acl.as_ref().map_or(Value::Null, acl_form::to_json);
        Self {
            id: settings.id.to_string(),
            description: settings.description.clone(),
            default_acl: whole.then_some(default_acl),
            readers: whole.then(|| names(&settings.readers)),
            writers: whole.then(|| names(&settings.writers)),
            trust: settings.trust.name(),
            sanitize: sanitize_name(settings.sanitize),
            redact: settings.redact.iter().map(|kind| kind.name()).collect(),
            retention_days: settings.retention_days,
            accept: settings.accept.clone(),
            embedding,
            analyzer: settings.analyzer.name(),
            created_at: acl_form::format_time(settings.created_at),
            revision,
        }
    }

    fn seen(collection: &SeenCollection) -> Self {
        Self::new(&collection.settings, collection.whole, None)
    }
}

/// Make a collection or change its settings
///
/// Scope `collections`. Settings that are left out take their defaults; `embedding` is kept.
#[utoipa::path(
    put, path = "/v1/collections/{collection}", tag = "collections", operation_id = "put_collection",
    params(("collection" = String, Path, description = "Letters, digits, `_`, `-` and `.`, at most 64")),
    request_body = CollectionForm,
    responses((status = 200, description = "The settings as they are now", body = CollectionView))
)]
pub(super) async fn put(
    State(server): State<Server>,
    ask: Ask,
    Names(collection): Names<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageCollections>()?;
    let collection = names::new(CollectionId::new(&collection), "collection")?;
    json::require_json(&headers)?;
    let bytes = read_bounded(body, server.settings.json_bytes_max).await?;
    let settings = json::parse::<CollectionForm>(&bytes)?.into_settings()?;
    let answer = server.administration.put_collection(&permit, collection, settings, ask.id()).await?;
    let ((record, revision), receipt) = answer.into_parts();
    let view = CollectionView::new(&record, true, Some(revision.clone()));
    Ok(reply_written(StatusCode::OK, &view, &revision, receipt))
}

/// Read a collection's settings
///
/// A collection exists for its readers, its writers and credentials with the scope `collections`; for others it is absent.
#[utoipa::path(
    get, path = "/v1/collections/{collection}", tag = "collections", operation_id = "get_collection",
    params(("collection" = String, Path, description = "The collection's name")),
    responses((status = 200, description = "The settings", body = CollectionView))
)]
pub(super) async fn get(
    State(server): State<Server>,
    ask: Ask,
    Names(collection): Names<String>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ViewCollections>()?;
    let collection = names::known(CollectionId::new(&collection))?;
    let (seen, receipt) = server.administration.collection(&permit, collection, ask.id()).await?.into_parts();
    Ok(reply(StatusCode::OK, &CollectionView::seen(&seen), receipt))
}

/// List collections
#[utoipa::path(
    get, path = "/v1/collections", tag = "collections", operation_id = "list_collections",
    params(
        ("limit" = Option<usize>, Query, description = "How many entries a page has, 1 to 500; 50 without it"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "The collections that exist for the caller", body = CollectionList))
)]
pub(super) async fn list(State(server): State<Server>, ask: Ask, page: PageQuery) -> Result<Response, Problem> {
    let permit = ask.permit::<ViewCollections>()?;
    let page = page.without_tenant()?;
    let sealer = ask.sealer(&server);
    let after = page.after(&sealer, PURPOSE)?.and_then(|name| CollectionId::new(&name).ok());
    let answer = server.administration.collections(&permit, after.as_ref(), page.limit, ask.id()).await?;
    let (found, receipt) = answer.into_parts();
    let collections: Vec<_> = found.entries.iter().map(CollectionView::seen).collect();
    let last = collections.last().map(|collection| collection.id.as_str());
    let next_cursor = next_cursor(&sealer, PURPOSE, found.has_more, last);
    Ok(reply(StatusCode::OK, &CollectionList { next_cursor, collections }, receipt))
}

/// Delete a collection with its documents
///
/// Scope `collections`. The revision of the deletion is in the header `Ringfence-Revision`.
#[utoipa::path(
    delete, path = "/v1/collections/{collection}", tag = "collections", operation_id = "delete_collection",
    params(("collection" = String, Path, description = "The collection's name")),
    responses((status = 204, description = "It is gone"))
)]
pub(super) async fn delete(
    State(server): State<Server>,
    ask: Ask,
    Names(collection): Names<String>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageCollections>()?;
    let collection = names::known(CollectionId::new(&collection))?;
    let (revision, receipt) =
        server.administration.delete_collection(&permit, collection, ask.id()).await?.into_parts();
    Ok(no_content(&revision, receipt))
}
