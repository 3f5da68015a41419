//! `POST /v1/explain:readers` and `POST /v1/explain:documents`: who can read a document, and what somebody can read, as lists.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::{CollectionId, DocumentId, Principal};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    body::read_bounded,
    explain::supposed,
    gate::Ask,
    json, names,
    page::{PageQuery, next_cursor},
    policy_trials::ContextForm,
    problem::Problem,
    reply::reply,
    state::Server,
};
use crate::authz::Explain;

/// Which document.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadersForm {
    /// The collection.
    #[schema(example = "hr")]
    collection: String,
    /// The document.
    #[schema(example = "d1")]
    document_id: String,
    /// How many entries a page has, 1 to 500; 50 without it.
    #[schema(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Who can read a document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Readers, example = json!({
    "readers": [{"principal": "group:eng", "attributes_needed": false}, {"principal": "user:bo", "attributes_needed": true}],
    "next_cursor": null, "revision": "…"
}))]
struct ReadersView {
    /// Those who can, by name. A group or `everyone` stands for all who are in it and are not denied.
    readers: Vec<ReaderView>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
    /// The revision that was looked at.
    revision: String,
}

/// Somebody who can read a document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Reader)]
struct ReaderView {
    /// Who.
    principal: String,
    /// Whether they need attributes for it that are not known here, such as those of a token.
    attributes_needed: bool,
}

/// About whom is asked.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentsForm {
    /// The principal.
    #[schema(example = "user:bo")]
    principal: String,
    /// Groups that their credential would bring, beside the directory's.
    #[schema(example = json!(["group:eng"]), max_items = 1000)]
    groups: Option<Vec<String>>,
    /// Attributes that their credential would bring.
    #[schema(value_type = Option<Object>, example = json!({"clearance": 2}))]
    attributes: Option<Map<String, Value>>,
    /// What would be known of their request.
    context: Option<ContextForm>,
    /// The collection.
    #[schema(example = "hr")]
    collection: String,
    /// How many entries a page has, 1 to 500; 50 without it.
    #[schema(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What somebody can read.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReadableDocuments, example = json!({"documents": [{"collection": "hr", "document_id": "d1"}], "next_cursor": null, "revision": "…"}))]
struct DocumentsView {
    /// The documents, by name.
    documents: Vec<DocumentPlace>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
    /// The revision that was looked at.
    revision: String,
}

/// A document that somebody can read.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DocumentPlace {
    /// The collection.
    collection: String,
    /// The document.
    document_id: String,
}

/// Ask who can read a document
///
/// Scope `explain`, which is an administrator's. Looked at are the directory's users and groups, whom the document and its collection name, and, for those who manage keys, the owners of keys; whoever is known by a token alone stands behind their groups.
#[utoipa::path(
    post, path = "/v1/explain:readers", tag = "access", operation_id = "explain_readers",
    request_body = ReadersForm,
    responses((status = 200, description = "Who can read it", body = ReadersView))
)]
pub(super) async fn readers(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<Explain>()?;
    json::require_json(&headers)?;
    let form = json::parse::<ReadersForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let place = names::known_place(&(form.collection.clone(), form.document_id.clone()))?;
    let page = PageQuery::in_body(form.limit, form.cursor, &ask)?;
    let sealer = ask.sealer(&server);
    let purpose = format!("readers {} {}", place.collection, place.document);
    let after = page.after(&sealer, &purpose)?.and_then(|name| Principal::new(&name).ok());
    let place = (place.collection, place.document);
    let answer = server.administration.readers(&permit, place, after.as_ref(), page.limit, ask.id()).await?;
    let (found, receipt) = answer.into_parts();
    let last = found.entries.last().map(|(principal, _)| principal.as_str());
    let view = ReadersView {
        next_cursor: next_cursor(&sealer, &purpose, found.has_more, last),
        revision: found.revision,
        readers: found.entries.iter().map(ReaderView::new).collect(),
    };
    Ok(reply(StatusCode::OK, &view, receipt))
}

impl ReaderView {
    fn new((principal, attributes_needed): &(Principal, bool)) -> Self {
        Self { principal: principal.to_string(), attributes_needed: *attributes_needed }
    }
}

/// Ask what somebody can read
///
/// Scope `explain`, which is an administrator's. Their groups are those of the directory and those given; what a token would bring beside them is not known here.
#[utoipa::path(
    post, path = "/v1/explain:documents", tag = "access", operation_id = "explain_documents",
    request_body = DocumentsForm,
    responses((status = 200, description = "What they can read", body = DocumentsView))
)]
pub(super) async fn documents(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<Explain>()?;
    json::require_json(&headers)?;
    let form = json::parse::<DocumentsForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let collection = names::known(CollectionId::new(&form.collection))?;
    let supposed = supposed(&form.principal, form.groups, form.attributes, form.context.as_ref())?;
    let page = PageQuery::in_body(form.limit, form.cursor, &ask)?;
    let sealer = ask.sealer(&server);
    let purpose = format!("readable {collection}");
    let after = page.after(&sealer, &purpose)?.and_then(|name| DocumentId::new(&name).ok());
    let asked = (collection.clone(), supposed);
    let answer = server.administration.readable(&permit, asked, after, page.limit, ask.id()).await?;
    let (found, receipt) = answer.into_parts();
    let last = found.entries.last().map(DocumentId::as_str);
    let view = DocumentsView {
        next_cursor: next_cursor(&sealer, &purpose, found.has_more, last),
        revision: found.revision,
        documents: found.entries.iter().map(|document| DocumentPlace::new(&collection, document)).collect(),
    };
    Ok(reply(StatusCode::OK, &view, receipt))
}

impl DocumentPlace {
    fn new(collection: &CollectionId, document: &DocumentId) -> Self {
        Self { collection: collection.to_string(), document_id: document.to_string() }
    }
}
