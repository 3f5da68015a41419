//! `POST /v1/search`: passages that the caller may read, best first.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::TenantId;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    body::read_bounded,
    gate::Ask,
    json,
    problem::Problem,
    reply::{ProvenanceView, Redaction, Sanitization, Span, reply},
    search_form::SearchForm,
    state::Server,
};
use crate::{
    authz::Search,
    envelope::Envelope,
    retrieval::{answer::SearchAnswer, ranking::ReleasedHit},
};

/// What a search found.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "results": [{
        "chunk_id": "4b1c9e0f7a2d4c6e8f90123456789abc", "document_id": "security/keys", "collection": "handbook",
        "title": "Rotating signing keys", "uri": "https://wiki.example/security/keys", "metadata": {"lang": "en"},
        "rank": 1, "score": 0.91, "scores": {"keyword": 7.31, "vector": 0.83},
        "text": "Signing keys are rotated every ninety days …", "heading": "Security › Keys",
        "span": {"start": 1200, "end": 1984}, "trust": "untrusted",
        "sanitization": {"removed": 1, "findings": [{"kind": "instruction-override", "action": "stripped", "at": 1311}]},
        "redactions": [{"kind": "api-key", "count": 1}],
        "provenance": {"content_hash": "blake3:2f0c…", "ingested_at": "2026-11-03T09:12:44.018Z", "ingested_by": "service:wiki-sync", "version": 3}
    }],
    "context": "Between lines that carry the code …", "usage": {"tokens": 196, "chunks": 1},
    "revision": "…", "request_id": "5d1f6c0e9b7a4e2f8c3d2a1b0f9e8d7c", "took_ms": 3
}))]
pub(super) struct SearchResponse {
    /// The passages, best first.
    results: Vec<SearchResult>,
    /// The passages as one text for a prompt, in the form that was asked for; absent for `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    /// How much there is of them.
    usage: Usage,
    /// What was searched; opaque.
    revision: String,
    /// The id of this request.
    request_id: String,
    /// How long it took.
    took_ms: u64,
    /// What proves that this server gave this answer to this tenant for this query; only where `signed` was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<Envelope>,
}

/// A passage that was found.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "chunk_id": "4b1c9e0f7a2d4c6e8f90123456789abc", "document_id": "security/keys", "collection": "handbook",
    "title": "Rotating signing keys", "uri": null, "metadata": {}, "rank": 1, "score": 0.91,
    "scores": {"keyword": 7.31, "vector": 0.83}, "text": "Signing keys are rotated …", "heading": "",
    "span": {"start": 0, "end": 210}, "trust": "untrusted", "sanitization": {"removed": 0, "findings": []},
    "redactions": [], "provenance": {"content_hash": "blake3:2f0c…", "ingested_at": "2026-11-03T09:12:44.018Z", "ingested_by": "service:wiki-sync", "version": 1}
}))]
struct SearchResult {
    /// The passage's name, which neither counts nor tells.
    chunk_id: String,
    /// The document's name.
    document_id: String,
    /// Where the document lies.
    collection: String,
    /// The document's title.
    title: Option<String>,
    /// Where the client said that the document comes from.
    uri: Option<String>,
    /// The client's metadata.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// The place in the list, from 1.
    rank: usize,
    /// What orders the list.
    score: f32,
    /// The parts of the score.
    scores: Scores,
    /// The passage, sanitised and redacted.
    text: String,
    /// The headings above it, outermost first; empty where there are none.
    heading: String,
    /// Where it lies in the normalised source.
    span: Span,
    /// How far its collection is trusted; never a licence to follow what it says.
    #[schema(example = "untrusted")]
    trust: &'static str,
    /// What the sanitiser did to it.
    sanitization: Sanitization,
    /// What was masked in it and beside it.
    redactions: Vec<Redaction>,
    /// Where it comes from.
    provenance: ProvenanceView,
}

/// The parts of a score.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"keyword": 7.31, "vector": 0.83}))]
struct Scores {
    /// BM25 over what the caller may read; `null` where no word matched.
    keyword: Option<f32>,
    /// The cosine; `null` where there is nothing to compare.
    vector: Option<f32>,
}

/// How much an answer holds.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"tokens": 812, "chunks": 8}))]
struct Usage {
    /// The tokens of the passages together, estimated at four bytes a token.
    tokens: usize,
    /// How many passages.
    chunks: usize,
}

/// Search
///
/// Permission comes first: what is ranked, and what the scores are computed from, are the passages that the caller may read, and nothing else.
#[utoipa::path(
    post, path = "/v1/search", tag = "search", operation_id = "search",
    request_body = SearchForm,
    responses((status = 200, description = "The passages, best first", body = SearchResponse))
)]
pub(super) async fn search(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let started = Instant::now();
    let permit = ask.permit::<Search>()?;
    json::require_json(&headers)?;
    let bytes = read_bounded(body, server.settings.json_bytes_max).await?;
    let form = json::parse_at_once::<SearchForm>(&bytes)?;
    let to_sign = form.query_to_sign();
    let query = form.into_query()?;
    let answer = server.searcher.search(&permit, query, ask.id()).await?;
    server.metrics.searched();
    let (answer, receipt) = answer.into_parts();
    let mut response = SearchResponse::new(answer, ask.id(), started);
    if let Some(query) = to_sign {
        response.envelope = Some(sign(&server, &response, &query, permit.tenant())?);
    }
    Ok(reply(StatusCode::OK, &response, receipt))
}

/// Signs the answer as it is about to leave, byte for byte but for the envelope itself.
fn sign(server: &Server, response: &SearchResponse, query: &str, tenant: &TenantId) -> Result<Envelope, Problem> {
    let signed = serde_json::to_vec(response).map_err(|error| error.to_string()).and_then(|answer| {
        server.signer.sign(&answer, query, tenant, server.app.clock.now()).map_err(|error| error.to_string())
    });
    signed.map_err(|error| {
        tracing::error!(error, "an answer cannot be signed");
        Problem::internal()
    })
}

impl SearchResponse {
    fn new(answer: SearchAnswer, request_id: &str, started: Instant) -> Self {
        let usage = Usage { tokens: answer.tokens, chunks: answer.hits.len() };
        Self {
            results: (1..).zip(answer.hits).map(|(rank, hit)| SearchResult::new(rank, hit)).collect(),
            context: answer.context,
            usage,
            revision: answer.revision,
            request_id: request_id.to_owned(),
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            envelope: None,
        }
    }
}

impl SearchResult {
    fn new(rank: usize, hit: ReleasedHit) -> Self {
        let chunk = &hit.chunk;
        let labels = chunk.labels();
        Self {
            title: labels.title().map(str::to_owned),
            uri: labels.uri().map(str::to_owned),
            metadata: labels.metadata().clone(),
            rank,
            score: hit.score,
            scores: Scores { keyword: hit.keyword, vector: hit.vector },
            text: chunk.text().to_owned(),
            heading: chunk.heading().to_owned(),
            span: Span::new(chunk.span()),
            trust: chunk.trust(),
            sanitization: Sanitization::of(chunk.findings()),
            redactions: Redaction::list(chunk.redactions()),
            provenance: ProvenanceView::new(&hit.provenance),
            chunk_id: hit.chunk_id,
            document_id: hit.document_id,
            collection: hit.collection.to_string(),
        }
    }
}
