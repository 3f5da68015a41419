//! `POST /v1/acl:simulate`: what a change of a document's ACL would open and close, before it is made.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::Principal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    body::read_bounded, gate::Ask, json, key_form::entries, names, problem::Problem, refusals::invalid_acl,
    reply::reply, state::Server,
};
use crate::{acl_form, authz::SetAcl};

/// The most principals of one list of the answer; the counts are of all.
const LISTED_MAX: usize = 1_000;

/// A change that might be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SimulateForm {
    /// The collection.
    #[schema(example = "hr")]
    collection: String,
    /// The document.
    #[schema(example = "d1")]
    document_id: String,
    /// The ACL that the document might get.
    #[schema(value_type = Object, example = json!({"allow": ["group:eng"], "deny": []}))]
    acl: Value,
    /// Who is looked at. Without it: the directory, whoever both ACLs and the collection name, and, with scope `keys`, the owners of keys; at most 10,000.
    #[schema(example = json!(["user:alice", "group:eng"]), max_items = 1000)]
    principals: Option<Vec<String>>,
}

/// What the change would do.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Simulation, example = json!({
    "collection": "hr", "document_id": "d1", "opens": ["group:eng", "user:alice"], "closes": ["user:bo"], "depends_on_attributes": [],
    "counts": {"opens": 2, "closes": 1, "depends_on_attributes": 0, "examined": 14}, "chunks": 4, "revision": "…"
}))]
struct SimulationView {
    /// The collection.
    collection: String,
    /// The document.
    document_id: String,
    /// Who could read it then, and cannot now; a group stands for whoever is in it and in no other. At most 1,000 are listed.
    opens: Vec<String>,
    /// Who can read it now, and could not then. At most 1,000 are listed.
    closes: Vec<String>,
    /// For whom it hangs on attributes that are not known here. At most 1,000 are listed.
    depends_on_attributes: Vec<String>,
    /// How many there are.
    counts: CountsView,
    /// How many passages the document has.
    chunks: usize,
    /// The revision that was looked at; nothing was changed.
    revision: String,
}

/// How many principals.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SimulationCounts)]
struct CountsView {
    /// Could read then.
    opens: usize,
    /// Could not read then.
    closes: usize,
    /// Not known.
    depends_on_attributes: usize,
    /// Were looked at.
    examined: usize,
}

fn listed(principals: &BTreeSet<Principal>) -> Vec<String> {
    principals.iter().take(LISTED_MAX).map(ToString::to_string).collect()
}

/// See what another ACL would open and close
///
/// Scope `acl`, and the caller is one of the collection's `writers`, as for setting it. Nothing is changed.
#[utoipa::path(
    post, path = "/v1/acl:simulate", tag = "access", operation_id = "simulate_acl",
    request_body = SimulateForm,
    responses((status = 200, description = "What it would open and close", body = SimulationView))
)]
pub(super) async fn simulate(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<SetAcl>()?;
    json::require_json(&headers)?;
    let form = json::parse::<SimulateForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let acl = acl_form::from_json(&form.acl).map_err(|error| invalid_acl("/acl", &error))?;
    let parse = |name: &str| Principal::new(name).map_err(|error| format!("the principal {error}"));
    let asked = form.principals.map(|asked| entries("/principals", Some(asked), parse)).transpose();
    let asked = asked.map_err(|error| Problem::invalid_fields(vec![error]))?;
    let place = names::known_place(&(form.collection.clone(), form.document_id.clone()))?;
    server.ingestion.check_acl_change(&permit, &place)?;
    let place = (place.collection, place.document);
    let answer = server.administration.simulate(&permit, place, acl, asked, ask.id()).await?;
    let ((simulation, examined, revision), receipt) = answer.into_parts();
    let view = SimulationView {
        collection: form.collection,
        document_id: form.document_id,
        opens: listed(&simulation.opens),
        closes: listed(&simulation.closes),
        depends_on_attributes: listed(&simulation.depends_on_attributes),
        counts: CountsView {
            opens: simulation.opens.len(),
            closes: simulation.closes.len(),
            depends_on_attributes: simulation.depends_on_attributes.len(),
            examined,
        },
        chunks: simulation.chunk_count,
        revision,
    };
    Ok(reply(StatusCode::OK, &view, receipt))
}
