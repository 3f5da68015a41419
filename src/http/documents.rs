//! `/v1/collections/{collection}/documents`: putting, reading, listing and deleting documents, and who may read them.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::{CollectionId, DocumentId};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    body::{Held, read_bounded, read_into},
    document_form::{self, DocumentForm},
    gate::Ask,
    json,
    names::{self, Names},
    page::{PageQuery, next_cursor},
    problem::{Code, Problem},
    refusals::invalid_acl,
    reply::{ProvenanceView, Redaction, Sanitization, Span, no_content, reply, reply_written},
    state::Server,
};
use crate::{
    acl_form,
    authz::{Ingest, Read, SetAcl},
    ingestion::service::Ingested,
    release::ReleasedChunk,
    retrieval::{answer::compute, documents::ReleasedDocument},
};

/// What became of a document that was put; of one shape whether it existed or not.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PutDocument, example = json!({
    "document_id": "security/keys", "collection": "handbook", "chunks": 4, "revision": "…", "content_hash": "blake3:2f0c…",
    "sanitization": {"removed": 1, "findings": [{"kind": "instruction-override", "action": "stripped", "at": 311}]}, "status": "active"
}))]
pub(super) struct PutView {
    /// Its name.
    document_id: String,
    /// Where it lies.
    collection: String,
    /// How many passages it has; none while it is quarantined.
    chunks: usize,
    /// The revision of the change.
    revision: String,
    /// The hash of its content under a key of the tenant.
    content_hash: String,
    /// What the sanitiser did.
    sanitization: Sanitization,
    /// `active`, or `quarantined` where it waits for a review and nothing of it can be found.
    status: &'static str,
}

/// A document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Document, example = json!({
    "document_id": "security/keys", "collection": "handbook", "title": "Rotating signing keys", "uri": null, "metadata": {"lang": "en"},
    "trust": "internal", "status": "active",
    "chunks": [{"chunk_id": "4b1c9e0f7a2d4c6e8f90123456789abc", "text": "Signing keys are rotated …", "heading": "Security › Keys",
        "span": {"start": 0, "end": 210}, "sanitization": {"removed": 0, "findings": []}, "redactions": []}],
    "sanitization": {"removed": 0, "findings": []},
    "provenance": {"content_hash": "blake3:2f0c…", "ingested_at": "2026-11-03T09:12:44.018Z", "ingested_by": "service:wiki-sync", "version": 1},
    "acl": {"allow": ["group:eng"], "deny": []}
}))]
struct DocumentView {
    #[serde(flatten)]
    entry: DocumentEntry,
    /// Its passages, in document order.
    chunks: Vec<ChunkView>,
}

/// A document in a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "document_id": "security/keys", "collection": "handbook", "title": "Rotating signing keys", "uri": null, "metadata": {"lang": "en"},
    "trust": "internal", "status": "active", "sanitization": {"removed": 0, "findings": []},
    "provenance": {"content_hash": "blake3:2f0c…", "ingested_at": "2026-11-03T09:12:44.018Z", "ingested_by": "service:wiki-sync", "version": 1}
}))]
struct DocumentEntry {
    /// Its name.
    document_id: String,
    /// Where it lies.
    collection: String,
    /// The title.
    title: Option<String>,
    /// Where the client said that it comes from.
    uri: Option<String>,
    /// The client's metadata.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// How far its collection is trusted.
    trust: &'static str,
    /// `active`: what is quarantined cannot be read.
    status: &'static str,
    /// What the sanitiser did.
    sanitization: Sanitization,
    /// Where it comes from.
    provenance: ProvenanceView,
    /// Who may read it; only for credentials with the scope `acl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    acl: Option<Value>,
}

/// A passage of a document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Chunk, example = json!({
    "chunk_id": "4b1c9e0f7a2d4c6e8f90123456789abc", "text": "Signing keys are rotated …", "heading": "Security › Keys",
    "span": {"start": 0, "end": 210}, "sanitization": {"removed": 0, "findings": []}, "redactions": []
}))]
struct ChunkView {
    /// Its name, which neither counts nor tells.
    chunk_id: String,
    /// The text, sanitised and redacted.
    text: String,
    /// The headings above it, outermost first.
    heading: String,
    /// Where it lies in the normalised source.
    span: Span,
    /// What the sanitiser did to it.
    sanitization: Sanitization,
    /// What was masked.
    redactions: Vec<Redaction>,
}

/// A page of documents.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"documents": [], "next_cursor": null}))]
pub(super) struct DocumentList {
    /// The readable documents, by id.
    documents: Vec<DocumentEntry>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

/// Who may read a document from now on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DocumentAcl, example = json!({"document_id": "security/keys", "acl": {"allow": ["group:eng"], "deny": []}, "revision": "…"}))]
struct AclView {
    /// The document.
    document_id: String,
    /// Its ACL.
    #[schema(value_type = Object)]
    acl: Value,
    /// The revision of the change.
    revision: String,
}

impl PutView {
    pub(super) fn new(ingested: &Ingested) -> Self {
        Self {
            document_id: ingested.place.document.to_string(),
            collection: ingested.place.collection.to_string(),
            chunks: ingested.chunk_count,
            revision: ingested.revision.clone(),
            content_hash: ingested.content_hash.clone(),
            sanitization: Sanitization::new(ingested.removed, &ingested.findings),
            status: if ingested.quarantined { "quarantined" } else { "active" },
        }
    }
}

impl DocumentEntry {
    fn new(document: &ReleasedDocument) -> Self {
        Self {
            document_id: document.id.to_string(),
            collection: document.collection.to_string(),
            title: document.labels.title().map(str::to_owned),
            uri: document.labels.uri().map(str::to_owned),
            metadata: document.labels.metadata().clone(),
            trust: document.trust,
            status: "active",
            sanitization: Sanitization::new(document.removed, &document.findings),
            provenance: ProvenanceView::new(&document.provenance),
            acl: document.acl.as_ref().map(acl_form::to_json),
        }
    }
}

impl ChunkView {
    fn new((chunk_id, chunk): &(String, ReleasedChunk)) -> Self {
        Self {
            chunk_id: chunk_id.clone(),
            text: chunk.text().to_owned(),
            heading: chunk.heading().to_owned(),
            span: Span::new(chunk.span()),
            sanitization: Sanitization::of(chunk.findings()),
            redactions: Redaction::list(chunk.redactions()),
        }
    }
}

/// Make or replace a document
///
/// Scope `ingest`, and the caller is one of the collection's `writers`. JSON, or the raw file under its `Content-Type` with metadata in `Ringfence-Meta` and ACL in `Ringfence-Acl`, both JSON in base64url. Idempotent; in effect for every request that begins after the answer.
#[utoipa::path(
    put, path = "/v1/collections/{collection}/documents/{document}", tag = "documents", operation_id = "put_document",
    params(
        ("collection" = String, Path, description = "The collection's name"),
        ("document" = String, Path, description = "The document's name, at most 512 bytes, percent-encoded; a `/` as `%2F`"),
        ("Ringfence-Meta" = Option<String>, Header, description = "Metadata of a raw file: a JSON object in base64url"),
        ("Ringfence-Acl" = Option<String>, Header, description = "ACL of a raw file: a JSON object in base64url")
    ),
    request_body(content((DocumentForm = "application/json"), (Vec<u8> = "text/plain"), (Vec<u8> = "text/markdown"), (Vec<u8> = "text/html"))),
    responses((status = 200, description = "What became of it", body = PutView))
)]
pub(super) async fn put(
    State(server): State<Server>,
    ask: Ask,
    Names((collection, document)): Names<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<Ingest>()?;
    let place = names::new_place(&collection, &document)?;
    server.ingestion.check_writable(&permit, &place.collection)?;
    let ((input, acl), _room) = read_document(&server, headers, body).await?;
    let answer = server.ingestion.put(&permit, place, input, acl, ask.id()).await?;
    let (ingested, receipt) = answer.into_parts();
    server.metrics.ingested(ingested.chunk_count);
    Ok(reply_written(StatusCode::OK, &PutView::new(&ingested), &ingested.revision, receipt))
}

/// The body in whichever form it comes. Parsing is for the blocking pool: a body may have megabytes.
async fn read_document(
    server: &Server,
    headers: HeaderMap,
    body: Body,
) -> Result<(document_form::Parsed, Held), Problem> {
    let bytes_max = server.settings.document_bytes_max;
    let is_json = json::is_media_type(&headers, "application/json");
    let limit = if is_json { server.settings.document_json_bytes_max() } else { bytes_max };
    if headers.get_all("content-type").iter().count() > 1 {
        return Err(Problem::new(Code::UnsupportedMediaType, "send one `Content-Type`"));
    }
    let (bytes, mut room) = read_into(&server.room, body, limit).await?;
    if is_json {
        room.take_parsed(&server.room, bytes.len()).await?;
    }
    let parse = move || {
        if is_json {
            json::parse::<DocumentForm>(&bytes)?.into_parsed(bytes_max)
        } else {
            document_form::raw(&headers, bytes)
        }
    };
    let parsed = compute(parse).await.unwrap_or_else(|| Err(Problem::unavailable("the server is stopping")))?;
    Ok((parsed, room))
}

/// Read a document
///
/// Scope `read`. Absent and unreadable are one: 404.
#[utoipa::path(
    get, path = "/v1/collections/{collection}/documents/{document}", tag = "documents", operation_id = "get_document",
    params(
        ("collection" = String, Path, description = "The collection's name"),
        ("document" = String, Path, description = "The document's name, percent-encoded")
    ),
    responses((status = 200, description = "The document with its passages", body = DocumentView))
)]
pub(super) async fn get(
    State(server): State<Server>,
    ask: Ask,
    Names(place): Names<(String, String)>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<Read>()?;
    let place = names::known_place(&place)?;
    let answer = server.documents.get(&permit, place.collection, place.document, ask.id()).await?;
    let (document, receipt) = answer.into_parts();
    let chunks = document.chunks.iter().map(ChunkView::new).collect();
    Ok(reply(StatusCode::OK, &DocumentView { entry: DocumentEntry::new(&document), chunks }, receipt))
}

/// List documents
///
/// Scope `read`. Only readable ones, by id.
#[utoipa::path(
    get, path = "/v1/collections/{collection}/documents", tag = "documents", operation_id = "list_documents",
    params(
        ("collection" = String, Path, description = "The collection's name"),
        ("limit" = Option<usize>, Query, description = "How many entries a page has, 1 to 500; 50 without it"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "The readable documents", body = DocumentList))
)]
pub(super) async fn list(
    State(server): State<Server>,
    ask: Ask,
    Names(collection): Names<String>,
    page: PageQuery,
) -> Result<Response, Problem> {
    let permit = ask.permit::<Read>()?;
    let collection = names::known(CollectionId::new(&collection))?;
    let page = page.without_tenant()?;
    let purpose = format!("documents {collection}");
    let sealer = ask.sealer(&server);
    let after = page.after(&sealer, &purpose)?.and_then(|name| DocumentId::new(&name).ok());
    let answer = server.documents.list(&permit, collection, after, page.limit, ask.id()).await?;
    let (found, receipt) = answer.into_parts();
    let last = found.documents.last().map(|document| document.id.as_str());
    let next_cursor = next_cursor(&sealer, &purpose, found.has_more, last);
    let documents = found.documents.iter().map(DocumentEntry::new).collect();
    Ok(reply(StatusCode::OK, &DocumentList { documents, next_cursor }, receipt))
}

/// Delete a document
///
/// Scope `ingest`, and the caller is one of the collection's `writers`. A person gets 404 for what they cannot read; a program that acts as itself gets 204 whether or not there was a document. The revision is in the header `Ringfence-Revision`.
#[utoipa::path(
    delete, path = "/v1/collections/{collection}/documents/{document}", tag = "documents", operation_id = "delete_document",
    params(
        ("collection" = String, Path, description = "The collection's name"),
        ("document" = String, Path, description = "The document's name, percent-encoded")
    ),
    responses((status = 204, description = "It is gone"))
)]
pub(super) async fn delete(
    State(server): State<Server>,
    ask: Ask,
    Names(place): Names<(String, String)>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<Ingest>()?;
    let place = names::known_place(&place)?;
    let (revision, receipt) = server.ingestion.delete(&permit, place, ask.id()).await?.into_parts();
    Ok(no_content(&revision, receipt))
}

/// Change who may read a document
///
/// Scope `acl`, and the caller is one of the collection's `writers`. Takes the ACL object itself; nothing is embedded anew. In effect for every request that begins after the answer.
#[utoipa::path(
    put, path = "/v1/collections/{collection}/documents/{document}/acl", tag = "documents", operation_id = "set_document_acl",
    params(
        ("collection" = String, Path, description = "The collection's name"),
        ("document" = String, Path, description = "The document's name, percent-encoded")
    ),
    request_body(content = Object, description = "The ACL", example = json!({
        "allow": ["group:eng", "user:bo"], "deny": ["group:contractors"],
        "require": [{"attribute": "clearance", "at_least": 2}, {"attribute": "region", "in": ["eu", "uk"]}],
        "not_before": "2026-12-01T08:00:00Z", "expires_at": "2027-01-01T00:00:00Z"
    })),
    responses((status = 200, description = "The ACL as it is now", body = AclView))
)]
pub(super) async fn set_acl(
    State(server): State<Server>,
    ask: Ask,
    Names(place): Names<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<SetAcl>()?;
    let place = names::known_place(&place)?;
    json::require_json(&headers)?;
    let value = json::parse_value(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let acl = acl_form::from_json(&value).map_err(|error| invalid_acl("", &error))?;
    let (document_id, shown) = (place.document.to_string(), acl_form::to_json(&acl));
    let (revision, receipt) = server.ingestion.set_acl(&permit, place, acl, ask.id()).await?.into_parts();
    let view = AclView { document_id, acl: shown, revision };
    Ok(reply_written(StatusCode::OK, &view, &view.revision, receipt))
}
