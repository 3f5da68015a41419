//! `POST …/documents`: several files as `multipart/form-data`, each one written on its own.

use axum::{
    body::Body,
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State, multipart::Field},
    http::StatusCode,
    response::Response,
};
use ringfence_indexes::{Acl, DocumentId};
use ringfence_ingest::Content;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    body::{Held, Room, too_large},
    documents::PutView,
    gate::Ask,
    json,
    names::{self, Names},
    problem::{Code, Problem, ProblemDocument},
    refusals::invalid_acl,
    reply::{Recorded, reply},
    request_id::RequestId,
    state::Server,
};
use crate::{
    acl_form,
    audit::{Action, AuditEvent},
    authz::{Ingest, Permit},
    ingestion::{
        draft::{DocumentInput, InputContent},
        service::Place,
    },
    retrieval::answer::record,
};

/// The most files of one upload.
const FILES_MAX: usize = 1_000;
/// The largest `metadata` or `acl` part.
const FIELD_BYTES_MAX: usize = 256 << 10;

/// What became of the files of an upload.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({"documents": [{"id": "keys.md", "status": 200, "result": {
    "document_id": "keys.md", "collection": "handbook", "chunks": 4, "revision": "…", "content_hash": "blake3:2f0c…",
    "sanitization": {"removed": 0, "findings": []}, "status": "active"
}}]}))]
pub(super) struct UploadView {
    /// An answer for each file, in order.
    documents: Vec<FileAnswer>,
}

/// The answer to one file: `result` or `problem`.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({"id": "notes.exe", "status": 415, "problem": {
    "type": "urn:ringfence:problem:unsupported_media_type", "title": "The media type is not accepted", "status": 415,
    "code": "unsupported_media_type", "detail": "…", "request_id": "…"
}}))]
struct FileAnswer {
    /// The file's name, which is the document's.
    id: Option<String>,
    /// The status that `PUT` would have had.
    status: u16,
    /// What became of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<PutView>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemDocument>,
}

/// The form of an upload, for its description.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes a form that is read part by part")]
pub(super) struct UploadForm {
    /// Metadata of every file, as JSON; stands before the files.
    #[schema(value_type = Option<Object>)]
    metadata: Option<String>,
    /// The ACL of every file, as JSON; stands before the files. The collection's `default_acl` without it.
    #[schema(value_type = Option<Object>)]
    acl: Option<String>,
    /// The files, at most 1,000. The file name is the document's name.
    #[schema(value_type = Vec<String>, format = Binary)]
    file: Vec<u8>,
}

/// Upload files
///
/// Scope `ingest`. `multipart/form-data`: parts with a file name are files, whose name is the document's; the parts `metadata` and `acl` before them hold JSON for all of them. Each file is a write of its own: one bad file does not stop the rest.
#[utoipa::path(
    post, path = "/v1/collections/{collection}/documents", tag = "documents", operation_id = "upload_documents",
    params(("collection" = String, Path, description = "The collection's name")),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "An answer for each file", body = UploadView))
)]
pub(super) async fn upload(
    State(server): State<Server>,
    ask: Ask,
    Names(collection): Names<String>,
    request: Request,
) -> Result<Response, Problem> {
    let permit = ask.permit::<Ingest>()?;
    let place = names::new_place(&collection, "any")?;
    if !json::is_media_type(request.headers(), "multipart/form-data") {
        return Err(Problem::new(Code::UnsupportedMediaType, "send `Content-Type: multipart/form-data`"));
    }
    server.ingestion.check_writable(&permit, &place.collection)?;
    let mut parts = multipart(request).await?;
    let mut upload =
        Upload { server: &server, permit: &permit, place, ask: &ask, shared: Shared::default(), answers: Vec::new() };
    if let Err(problem) = upload.take_all(&mut parts).await {
        // What was written before the fault is told all the same.
        if upload.answers.is_empty() {
            return Err(problem);
        }
        upload.answers.push(upload.refused(None, &problem));
    }
    upload.finish().await
}

/// Bounds are kept here, part by part: the whole may be larger than any one file.
async fn multipart(request: Request<Body>) -> Result<Multipart, Problem> {
    let mut request = request;
    DefaultBodyLimit::disable().apply(&mut request);
    Multipart::from_request(request, &()).await.map_err(|_| broken())
}

fn broken() -> Problem {
    Problem::new(Code::MalformedRequest, "the body is not well-formed `multipart/form-data`, or ended early")
}

/// What stands before the files and holds for all of them.
#[derive(Default)]
struct Shared {
    metadata: Map<String, Value>,
    acl: Option<Acl>,
}

struct Upload<'a> {
    server: &'a Server,
    permit: &'a Permit<Ingest>,
    /// The collection; the document's name stands for none.
    place: Place,
    ask: &'a Ask,
    shared: Shared,
    answers: Vec<FileAnswer>,
}

impl Upload<'_> {
    async fn take_all(&mut self, parts: &mut Multipart) -> Result<(), Problem> {
        while let Some(part) = parts.next_field().await.map_err(|_| broken())? {
            self.take(part).await?;
        }
        Ok(())
    }

    async fn take(&mut self, part: Field<'_>) -> Result<(), Problem> {
        if self.answers.len() == FILES_MAX {
            return Err(Problem::invalid("/file", format!("has more than {FILES_MAX} entries")));
        }
        if let Some(name) = part.file_name().map(str::to_owned) {
            let outcome = self.put(&name, part).await;
            self.answers.push(self.answer(name, outcome).await?);
            return Ok(());
        }
        if !self.answers.is_empty() {
            return Err(Problem::invalid("", "the parts `metadata` and `acl` stand before the files"));
        }
        let name = part.name().unwrap_or_default().to_owned();
        let (bytes, _room) = read_part(part, &self.server.room, FIELD_BYTES_MAX).await?;
        let value = json::parse_value(&bytes)?;
        match (name.as_str(), value) {
            ("metadata", Value::Object(metadata)) => self.shared.metadata = metadata,
            ("metadata", _) => return Err(Problem::invalid("/metadata", "must be a JSON object")),
            ("acl", value) => {
                let acl = acl_form::from_json(&value).map_err(|error| invalid_acl("/acl", &error))?;
                self.shared.acl = Some(acl);
            }
            _ => return Err(Problem::invalid(format!("/{name}"), "unknown part: files have a file name")),
        }
        Ok(())
    }

    async fn put(&self, name: &str, part: Field<'_>) -> Result<PutView, Problem> {
        let media_type = part.content_type().map(str::to_owned);
        let (bytes, _room) = read_part(part, &self.server.room, self.server.settings.document_bytes_max).await?;
        let document = DocumentId::new(name).map_err(|error| Problem::invalid("/file", error.to_string()))?;
        let place = Place { document, ..self.place.clone() };
        let input = DocumentInput {
            parent: None,
            title: None,
            uri: None,
            metadata: self.shared.metadata.clone(),
            content: InputContent::Whole(Content::File { bytes, media_type }),
        };
        let acl = self.shared.acl.clone();
        let answer = self.server.ingestion.put(self.permit, place, input, acl, self.ask.id()).await?;
        let (ingested, receipt) = answer.into_parts();
        // Each file is answered against its own receipt.
        drop(receipt);
        self.server.metrics.ingested(ingested.chunk_count);
        Ok(PutView::new(&ingested))
    }

    /// What is refused as absent is recorded, like a request of its own.
    async fn answer(&self, name: String, outcome: Result<PutView, Problem>) -> Result<FileAnswer, Problem> {
        let problem = match outcome {
            Ok(result) => return Ok(FileAnswer { id: Some(name), status: 200, result: Some(result), problem: None }),
            Err(problem) => problem,
        };
        let status = problem.code.status();
        // The rest of a body that broke off cannot be read.
        if matches!(problem.code, Code::MalformedRequest | Code::RequestTimeout) {
            return Err(problem);
        }
        if matches!(status, 403 | 404) {
            // Told within an answer that has a receipt of its own.
            drop(self.record(status, &format!("{}/{name}", self.place.collection)).await?);
        }
        Ok(self.refused(Some(name), &problem))
    }

    fn refused(&self, id: Option<String>, problem: &Problem) -> FileAnswer {
        let document = problem.document(&RequestId::known(self.ask.id()));
        FileAnswer { id, status: problem.code.status(), result: None, problem: Some(document) }
    }

    async fn record(&self, status: u16, resource: &str) -> Result<crate::audit::Receipt, Problem> {
        let caller = self.permit.caller();
        let event = AuditEvent {
            status,
            resource: Some(resource.to_owned()),
            ..AuditEvent::new(Some(caller.tenant().clone()), caller.actor(), Action::PutDocument, self.ask.id())
        };
        Ok(record(&self.server.app.audit, event).await?)
    }

    async fn finish(self) -> Result<Response, Problem> {
        let is_recorded = self.answers.iter().any(|answer| matches!(answer.status, 200 | 403 | 404));
        let collection = self.place.collection.to_string();
        if is_recorded {
            let view = UploadView { documents: self.answers };
            let mut response = axum::response::IntoResponse::into_response((StatusCode::OK, axum::Json(view)));
            response.extensions_mut().insert(Recorded::line_by_line());
            return Ok(response);
        }
        let receipt = self.record(200, &collection).await?;
        Ok(reply(StatusCode::OK, &UploadView { documents: self.answers }, receipt))
    }
}

/// Reads a part of at most `limit_bytes` into the room that all documents share; the rest of a larger one is skipped.
async fn read_part(mut part: Field<'_>, room: &Room, limit_bytes: usize) -> Result<(Vec<u8>, Held), Problem> {
    let (mut bytes, mut held, mut is_too_large) = (Vec::new(), Held::default(), false);
    while let Some(chunk) = part.chunk().await.map_err(|_| broken())? {
        is_too_large |= bytes.len() + chunk.len() > limit_bytes;
        if is_too_large {
            (bytes, held) = (Vec::new(), Held::default());
        } else {
            held.take(room, chunk.len()).await?;
            bytes.extend_from_slice(&chunk);
        }
    }
    if is_too_large { Err(too_large(limit_bytes)) } else { Ok((bytes, held)) }
}
