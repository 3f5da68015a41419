//! `POST …/documents:batch`: NDJSON in and out, line for line.
//!
//! Lines are worked on side by side so that many share one commit, and answered in order. How much is on its way is bounded in bytes; a client that does not read its answers is not read from either.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use ringfence_indexes::DocumentId;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{
    document_form::{DocumentForm, Parsed},
    documents::PutView,
    gate::Ask,
    json,
    lines::{Line, Lines},
    names::{self, Names},
    problem::{Code, Problem, ProblemDocument},
    reply::Recorded,
    request_id::RequestId,
    state::Server,
    turns::{Turn, Turns},
};
use crate::{
    audit::{Action, AuditEvent},
    authz::{Ingest, Permit},
    ingestion::service::Place,
    retrieval::answer::{compute, record},
};

/// How many lines of one batch are worked on side by side.
const LINES_IN_FLIGHT: usize = 256;
/// How many KiB of lines of one batch are worked on side by side.
const KIBIBYTES_IN_FLIGHT: usize = 16 << 10;
/// How many answers wait for a client that sends everything before it reads anything.
const ANSWERS_WAITING: usize = 65_536;
/// Larger lines are parsed on the blocking pool.
const PARSED_HERE_BYTES_MAX: usize = 64 << 10;
const NDJSON: &str = "application/x-ndjson";
/// The form was never registered, so clients call it what they like.
const NDJSON_NAMES: [&str; 5] =
    [NDJSON, "application/ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines"];

/// The answer to one line: `result` or `problem`.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({"id": "security/keys", "status": 200, "result": {
    "document_id": "security/keys", "collection": "handbook", "chunks": 4, "revision": "…", "content_hash": "blake3:2f0c…",
    "sanitization": {"removed": 0, "findings": []}, "status": "active"
}}))]
pub(super) struct LineAnswer {
    /// The id that the line gave; `null` where it gave none that could be read.
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

/// Put many documents
///
/// Scope `ingest`. One JSON object a line: the body of `PUT` with `id` beside it, at most 1 MiB. The answers come line for line, in order, while the lines are still being sent; one bad line does not stop the rest. Each line is a write of its own, durable when its answer comes.
#[utoipa::path(
    post, path = "/v1/collections/{collection}/documents:batch", tag = "documents", operation_id = "put_documents",
    params(("collection" = String, Path, description = "The collection's name")),
    request_body(content = String, content_type = "application/x-ndjson", example = json!("{\"id\": \"a\", \"text\": \"…\", \"acl\": {\"allow\": [\"everyone\"]}}\n")),
    responses((status = 200, description = "An answer for each line", body = LineAnswer, content_type = "application/x-ndjson"))
)]
pub(super) async fn batch(
    State(server): State<Server>,
    ask: Ask,
    Names(collection): Names<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<Ingest>()?;
    let place = names::new_place(&collection, "any")?;
    if !NDJSON_NAMES.iter().any(|media_type| json::is_media_type(&headers, media_type)) {
        return Err(Problem::new(Code::UnsupportedMediaType, format!("send `Content-Type: {NDJSON}`")));
    }
    server.ingestion.check_writable(&permit, &place.collection)?;
    let lines = Lines::new(body, server.settings.batch_line_bytes_max);
    let batch = Batch { server, permit: Arc::new(permit), place, ask };
    Ok(stream_answers(batch.run(lines)))
}

/// What every line of a batch shares.
#[derive(Clone)]
struct Batch {
    server: Server,
    permit: Arc<Permit<Ingest>>,
    /// The collection; the document's name stands for none.
    place: Place,
    ask: Ask,
}

/// A line that was read: its document's name as far as it could be read, and what is to be put.
struct ReadLine {
    id: Option<String>,
    document: Result<(DocumentId, Parsed), Problem>,
}

/// A line on its way, with what it holds until it is answered.
struct Work {
    line: ReadLine,
    turn: Turn,
    _room: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Batch {
    /// The answers, in the order of the lines; at the end, a record of the batch itself where no line has left one.
    fn run(self, lines: Lines) -> BoxStream<'static, LineAnswer> {
        let (batch, ending) = (self.clone(), self.clone());
        let answers = self.read(lines).map(move |work| {
            let batch = batch.clone();
            // A task of its own, so that preparing the next line does not wait for this one's commit.
            let task = tokio::spawn(async move { batch.answer(work).await });
            async move { task.await.unwrap_or_else(|_panic| ending_answer(&Problem::internal())) }
        });
        let answers = answers.buffered(LINES_IN_FLIGHT).boxed();
        let recorded = stream::unfold((answers, Some(ending), false), |(mut answers, ending, recorded)| async move {
            if let Some(answer) = answers.next().await {
                let recorded = recorded || matches!(answer.status, 200 | 403 | 404);
                return Some((answer, (answers, ending, recorded)));
            }
            let problem = ending?.record_empty(recorded).await.err()?;
            Some((ending_answer(&problem), (answers, None, true)))
        });
        recorded.boxed()
    }

    /// The lines of a body, parsed in their order, each with room for it; the first fault of the body itself ends them.
    fn read(self, lines: Lines) -> impl Stream<Item = Work> + Send {
        let room = Arc::new(Semaphore::new(KIBIBYTES_IN_FLIGHT));
        stream::unfold((Some(lines), Turns::new(LINES_IN_FLIGHT)), move |(lines, mut turns)| {
            let (batch, room) = (self.clone(), Arc::clone(&room));
            async move {
                let mut lines = lines?;
                let line = lines.next().await.transpose()?;
                let bytes = if let Ok(Line::Whole(line)) = &line { line.len() } else { 0 };
                let kibibytes = u32::try_from((bytes / 1024 + 1).min(KIBIBYTES_IN_FLIGHT)).unwrap_or(u32::MAX);
                // A batch waits where others would be refused: what is not read yet, its client keeps.
                let room = room.acquire_many_owned(kibibytes).await.ok()?;
                let place = Arc::clone(&batch.server.batch_lines).acquire_owned().await.ok()?;
                let lines = line.is_ok().then_some(lines);
                let line = batch.parse(line).await;
                let turn = turns.join(line.id.as_deref());
                Some((Work { line, turn, _room: (room, place) }, (lines, turns)))
            }
        })
    }

    async fn parse(&self, line: Result<Line, Problem>) -> ReadLine {
        let line = match line {
            Ok(Line::Whole(line)) => line,
            Ok(Line::TooLong) => {
                let refused = super::body::too_large(self.server.settings.batch_line_bytes_max);
                return ReadLine { id: None, document: Err(refused) };
            }
            Err(problem) => return ReadLine { id: None, document: Err(problem) },
        };
        let bytes_max = self.server.settings.document_bytes_max;
        if line.len() <= PARSED_HERE_BYTES_MAX {
            return ReadLine::parse(&line, bytes_max);
        }
        let stopping = || ReadLine { id: None, document: Err(Problem::unavailable("the server is stopping")) };
        compute(move || ReadLine::parse(&line, bytes_max)).await.unwrap_or_else(stopping)
    }

    /// A batch without an accepted line is recorded as one request: nothing that was answered goes unrecorded.
    async fn record_empty(&self, recorded: bool) -> Result<(), Problem> {
        if recorded {
            return Ok(());
        }
        self.record(200, None).await
    }

    async fn record(&self, status: u16, document: Option<&str>) -> Result<(), Problem> {
        let caller = self.permit.caller();
        let collection = &self.place.collection;
        let resource = document.map_or_else(|| collection.to_string(), |document| format!("{collection}/{document}"));
        let tenant = Some(caller.tenant().clone());
        let event = AuditEvent {
            status,
            resource: Some(resource),
            ..AuditEvent::new(tenant, caller.actor(), Action::PutDocument, self.ask.id())
        };
        record(&self.server.app.audit, event).await.map(drop).map_err(|error| {
            self.server.metrics.audit_failed();
            Problem::from(error)
        })
    }

    async fn answer(&self, work: Work) -> LineAnswer {
        let Work { line: ReadLine { id, document }, turn, _room } = work;
        let mine = turn.wait().await;
        let outcome = match document {
            Ok((document, parsed)) => self.put(document, parsed).await,
            Err(problem) => Err(problem),
        };
        drop(mine);
        let problem = match outcome {
            Ok(result) => return LineAnswer { id, status: 200, result: Some(result), problem: None },
            Err(problem) => problem,
        };
        let is_recorded = matches!(problem.code.status(), 403 | 404);
        let problem = if is_recorded {
            let status = problem.code.status();
            self.record(status, id.as_deref()).await.err().unwrap_or(problem)
        } else {
            problem
        };
        let document = problem.document(&RequestId::known(self.ask.id()));
        LineAnswer { id, status: problem.code.status(), result: None, problem: Some(document) }
    }

    async fn put(&self, document: DocumentId, (input, acl): Parsed) -> Result<PutView, Problem> {
        let place = Place { document, ..self.place.clone() };
        let answer = self.server.ingestion.put(&self.permit, place, input, acl, self.ask.id()).await?;
        let (ingested, receipt) = answer.into_parts();
        // The line is answered against its own receipt.
        drop(receipt);
        self.server.metrics.ingested(ingested.chunk_count);
        Ok(PutView::new(&ingested))
    }
}

impl ReadLine {
    fn parse(line: &[u8], bytes_max: usize) -> Self {
        let mut id = None;
        let document = Self::document(line, bytes_max, &mut id);
        Self { id, document }
    }

    fn document(line: &[u8], bytes_max: usize, id: &mut Option<String>) -> Result<(DocumentId, Parsed), Problem> {
        let mut value = json::parse_value(line)?;
        let name = value.as_object_mut().and_then(|object| object.remove("id"));
        let Some(Value::String(name)) = name else {
            return Err(Problem::invalid("/id", "must be a text: the document's name"));
        };
        let document = DocumentId::new(&name).map_err(|error| Problem::invalid("/id", error.to_string()));
        *id = Some(name);
        let parsed = json::from_value::<DocumentForm>(value)?.into_parsed(bytes_max)?;
        Ok((document?, parsed))
    }
}

fn ending_answer(problem: &Problem) -> LineAnswer {
    let document = problem.document(&RequestId::random());
    LineAnswer { id: None, status: problem.code.status(), result: None, problem: Some(document) }
}

/// Sends answers as they come. They are made whether or not the client reads them yet, up to a bound, for many clients send everything first.
fn stream_answers(mut answers: BoxStream<'static, LineAnswer>) -> Response {
    let (sender, receiver) = mpsc::channel::<Bytes>(ANSWERS_WAITING);
    tokio::spawn(async move {
        while let Some(answer) = answers.next().await {
            let mut line = serde_json::to_vec(&answer).unwrap_or_default();
            line.push(b'\n');
            // A client that hung up stops the work: what it has not been told of may be repeated.
            if sender.send(line.into()).await.is_err() {
                break;
            }
        }
    });
    let lines = stream::unfold(receiver, |mut receiver| async move {
        Some((Ok::<_, std::convert::Infallible>(receiver.recv().await?), receiver))
    });
    let mut response = (StatusCode::OK, Body::from_stream(lines)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    response.extensions_mut().insert(Recorded::line_by_line());
    response
}
