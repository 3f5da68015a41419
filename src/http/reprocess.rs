//! `POST /v1/reprocess`: what an older sanitiser made is made anew by the present one, page by page.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::CollectionId;
use serde::{Deserialize, Serialize};

use super::{
    body::read_bounded,
    gate::Ask,
    json, names,
    problem::{Code, Problem},
    quarantine::place_after,
    reply::reply_written,
    state::Server,
};
use crate::{
    authz::Reprocess,
    ingestion::reprocess::{Reprocessed, Reprocessing},
};

const LIMIT_DEFAULT: u64 = 100;
const LIMIT_MAX: u64 = 1_000;

/// Which documents are judged anew.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReprocessForm {
    /// In this collection alone; in all within the credential's own limits without it.
    #[schema(example = "handbook")]
    collection: Option<String>,
    /// Whether nothing is written: what would become of them is told.
    #[schema(default = false)]
    dry_run: Option<bool>,
    /// How many documents at most; fewer are done where they take long.
    #[schema(default = 100, minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What became of a page of documents.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Reprocessing, example = json!({
    "sanitizer": "rules-2", "dry_run": false,
    "documents": [{"document_id": "security/keys", "collection": "handbook", "became": "changed", "removed_before": 0, "removed_after": 1}],
    "next_cursor": null, "revision": "…"
}))]
struct ReprocessView {
    /// The present version, which documents of other versions were judged by.
    sanitizer: String,
    /// Whether nothing was written.
    dry_run: bool,
    /// The documents of other versions, by collection and id.
    documents: Vec<ReprocessedView>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
    /// The revision after the changes.
    revision: String,
}

/// What became of a document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Reprocessed, example = json!({"document_id": "security/keys", "collection": "handbook", "became": "changed", "removed_before": 0, "removed_after": 1}))]
struct ReprocessedView {
    /// Its name.
    document_id: String,
    /// Where it lies.
    collection: String,
    /// `unchanged`; `changed`; `quarantined`: it is held back now; `still-quarantined`; `without-source`: its original is not kept; `unreadable`: what is kept of it is damaged; `moved`: it was written or deleted meanwhile.
    became: &'static str,
    /// How many findings had been taken out.
    removed_before: usize,
    /// How many are now.
    removed_after: usize,
}

impl ReprocessedView {
    fn new(reprocessed: &Reprocessed) -> Self {
        Self {
            document_id: reprocessed.place.document.to_string(),
            collection: reprocessed.place.collection.to_string(),
            became: reprocessed.became.name(),
            removed_before: reprocessed.removed_before,
            removed_after: reprocessed.removed_after,
        }
    }
}

/// Judge documents anew
///
/// Scope `review`. Documents that another version of the sanitiser made are made again from their originals by the present one; what is of the present version is passed over, so that it can be broken off and resumed. ACL, version, time and name of the one who ingested stay. Nothing leaves quarantine; what the present version refuses is held back.
#[utoipa::path(
    post, path = "/v1/reprocess", tag = "quarantine", operation_id = "reprocess",
    request_body = ReprocessForm,
    responses((status = 200, description = "What became of a page of documents", body = ReprocessView))
)]
pub(super) async fn reprocess(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<Reprocess>()?;
    json::require_json(&headers)?;
    let form = json::parse::<ReprocessForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let limit = form.limit.unwrap_or(LIMIT_DEFAULT);
    let bad_limit = || Problem::invalid("/limit", format!("must be from 1 to {LIMIT_MAX}"));
    let limit = usize::try_from(limit).ok().filter(|_| (1..=LIMIT_MAX).contains(&limit)).ok_or_else(bad_limit)?;
    let collection = form.collection.as_deref().map(|name| names::known(CollectionId::new(name))).transpose()?;
    let purpose = format!("reprocess {}", form.collection.as_deref().unwrap_or_default());
    let sealer = ask.sealer(&server);
    let invalid = || Problem::new(Code::InvalidCursor, "use the `next_cursor` of the page before, unchanged");
    let after = form.cursor.as_deref().map(|cursor| {
        let position = sealer.open_cursor(&purpose, cursor).and_then(|position| String::from_utf8(position).ok());
        position.and_then(|position| place_after(&position)).ok_or_else(invalid)
    });
    let dry_run = form.dry_run.unwrap_or(false);
    let asked = Reprocessing { collection, dry_run, after: after.transpose()?, limit };
    let (page, receipt) = server.ingestion.reprocess(&permit, asked, ask.id()).await?.into_parts();
    let next = page.next.map(|(collection, document)| format!("{collection}/{document}"));
    let view = ReprocessView {
        sanitizer: page.sanitizer,
        dry_run,
        documents: page.documents.iter().map(ReprocessedView::new).collect(),
        next_cursor: next.map(|position| sealer.seal_cursor(&purpose, position.as_bytes())),
        revision: page.revision,
    };
    Ok(reply_written(StatusCode::OK, &view, &view.revision, receipt))
}
