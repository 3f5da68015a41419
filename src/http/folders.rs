//! `/v1/collections/{c}/folders`: folders, whose ACL is that of what lies in them.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::{CollectionId, DocumentId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    body::read_bounded,
    gate::Ask,
    json,
    names::{self, Names},
    page::{PageQuery, next_cursor},
    problem::Problem,
    refusals::invalid_acl,
    reply::{no_content, reply, reply_written},
    state::Server,
};
use crate::{acl_form, authz::SetAcl, store::FolderRecord};

/// A folder to be made or changed.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FolderForm {
    /// The folder that it lies in; none without it. At most 32, one in the other.
    #[schema(example = "security")]
    parent: Option<String>,
    /// Who may read what lies in it. Without `allow` it grants what its parent does; `deny`, `require` and the window are added to the parent's.
    #[schema(value_type = Object, example = json!({"allow": ["group:security"], "deny": ["group:contractors"]}))]
    acl: Value,
}

/// A folder.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Folder, example = json!({
    "folder": "security/runbooks", "parent": "security", "acl": {"allow": [], "deny": ["group:contractors"]}, "revision": "…"
}))]
struct FolderView {
    /// Its name.
    folder: String,
    /// The folder that it lies in.
    parent: Option<String>,
    /// Its own ACL.
    #[schema(value_type = Object)]
    acl: Value,
    /// The revision of the change; only in the answer to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
}

/// A page of folders.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"folders": [{"folder": "security", "parent": null, "acl": {"allow": ["group:security"], "deny": []}}], "next_cursor": null}))]
pub(super) struct FolderList {
    /// The folders, by name.
    folders: Vec<FolderView>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

impl FolderView {
    fn new(folder: &FolderRecord, revision: Option<String>) -> Self {
        Self {
            folder: folder.id.to_string(),
            parent: folder.parent.as_ref().map(ToString::to_string),
            acl: acl_form::to_json(&folder.acl),
            revision,
        }
    }
}

/// Make, move or change a folder
///
/// Scope `acl`, and the caller is a program that acts as itself and one of the collection's `writers`. Everything that lies in it follows in the same transaction, in effect for every request that begins after the answer.
#[utoipa::path(
    put, path = "/v1/collections/{collection}/folders/{folder}", tag = "folders", operation_id = "put_folder",
    params(
        ("collection" = String, Path, description = "The collection's name"),
        ("folder" = String, Path, description = "The folder's name, percent-encoded")
    ),
    request_body = FolderForm,
    responses((status = 200, description = "The folder", body = FolderView))
)]
pub(super) async fn put(
    State(server): State<Server>,
    ask: Ask,
    Names((collection, folder)): Names<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<SetAcl>()?;
    let collection = names::known(CollectionId::new(&collection))?;
    let id = names::new(DocumentId::new(&folder), "folder")?;
    json::require_json(&headers)?;
    let form = json::parse::<FolderForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let parent = form.parent.map(|name| DocumentId::new(&name)).transpose();
    let parent = parent.map_err(|error| Problem::invalid("/parent", error.to_string()))?;
    let acl = acl_form::from_json(&form.acl).map_err(|error| invalid_acl("/acl", &error))?;
    let folder = FolderRecord { collection, id, parent, acl };
    let answer = server.ingestion.put_folder(&permit, folder.clone(), ask.id()).await?;
    let (revision, receipt) = answer.into_parts();
    Ok(reply_written(StatusCode::OK, &FolderView::new(&folder, Some(revision.clone())), &revision, receipt))
}

/// Read a folder
///
/// Scope `acl`, and the caller is a program that acts as itself and one of the collection's `writers`.
#[utoipa::path(
    get, path = "/v1/collections/{collection}/folders/{folder}", tag = "folders", operation_id = "get_folder",
    params(
        ("collection" = String, Path, description = "The collection's name"),
        ("folder" = String, Path, description = "The folder's name, percent-encoded")
    ),
    responses((status = 200, description = "The folder", body = FolderView))
)]
pub(super) async fn get(
    State(server): State<Server>,
    ask: Ask,
    Names(place): Names<(String, String)>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<SetAcl>()?;
    let place = names::known_place(&place)?;
    let answer = server.ingestion.folder(&permit, (&place.collection, &place.document), ask.id()).await?;
    let (folder, receipt) = answer.into_parts();
    Ok(reply(StatusCode::OK, &FolderView::new(&folder, None), receipt))
}

/// List folders
///
/// Scope `acl`, and the caller is a program that acts as itself and one of the collection's `writers`.
#[utoipa::path(
    get, path = "/v1/collections/{collection}/folders", tag = "folders", operation_id = "list_folders",
    params(
        ("collection" = String, Path, description = "The collection's name"),
        ("limit" = Option<usize>, Query, description = "How many entries a page has, 1 to 500; 50 without it"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "The folders", body = FolderList))
)]
pub(super) async fn list(
    State(server): State<Server>,
    ask: Ask,
    Names(collection): Names<String>,
    page: PageQuery,
) -> Result<Response, Problem> {
    let permit = ask.permit::<SetAcl>()?;
    let collection = names::known(CollectionId::new(&collection))?;
    let page = page.without_tenant()?;
    let sealer = ask.sealer(&server);
    let purpose = format!("folders {collection}");
    let after = page.after(&sealer, &purpose)?.and_then(|name| DocumentId::new(&name).ok());
    let answer = server.ingestion.folders(&permit, &collection, after.as_ref(), page.limit, ask.id()).await?;
    let ((folders, has_more), receipt) = answer.into_parts();
    let next_cursor = next_cursor(&sealer, &purpose, has_more, folders.last().map(|folder| folder.id.as_str()));
    let folders = folders.iter().map(|folder| FolderView::new(folder, None)).collect();
    Ok(reply(StatusCode::OK, &FolderList { folders, next_cursor }, receipt))
}

/// Delete a folder
///
/// Scope `acl`, and the caller is a program that acts as itself and one of the collection's `writers`. 409 while something lies in it. The revision is in the header `Ringfence-Revision`.
#[utoipa::path(
    delete, path = "/v1/collections/{collection}/folders/{folder}", tag = "folders", operation_id = "delete_folder",
    params(
        ("collection" = String, Path, description = "The collection's name"),
        ("folder" = String, Path, description = "The folder's name, percent-encoded")
    ),
    responses((status = 204, description = "It is gone"))
)]
pub(super) async fn delete(
    State(server): State<Server>,
    ask: Ask,
    Names(place): Names<(String, String)>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<SetAcl>()?;
    let place = names::known_place(&place)?;
    let answer = server.ingestion.delete_folder(&permit, place.collection, place.document, ask.id()).await?;
    let (revision, receipt) = answer.into_parts();
    Ok(no_content(&revision, receipt))
}
