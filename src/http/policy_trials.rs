//! `/v1/policies:tests`, `:test` and `:simulate`: what must hold, whether it does, and what a change would open and close.

use std::{collections::BTreeSet, net::IpAddr};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::{Difference, PolicyName, Principal, RequestContext};
use serde::{Deserialize, Serialize};

use super::{
    body::read_bounded,
    gate::Ask,
    json,
    key_form::entries,
    problem::Problem,
    reply::{reply, reply_written},
    state::Server,
};
use crate::{
    administration::{policies::TestRun, policy_trials::ProposedChange},
    authz::ManagePolicies,
};

/// Room for the longest text, escaped.
const BODY_BYTES_MAX: usize = 512 << 10;
/// The most principals of one list of an answer; the counts are of all.
const LISTED_MAX: usize = 100;
const PURPOSE_BYTES_MAX: usize = 256;

/// What is known of a request, for policies that look at it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RequestContext)]
pub(super) struct ContextForm {
    /// What it is for.
    #[schema(example = "support case")]
    purpose: Option<String>,
    /// The address that it comes from.
    #[schema(example = "203.0.113.7")]
    network: Option<String>,
}

impl ContextForm {
    /// The context; `pointer` is the place of the form.
    pub(super) fn context(&self, pointer: &str) -> Result<RequestContext, Problem> {
        let is_too_long = self.purpose.as_ref().is_some_and(|purpose| purpose.len() > PURPOSE_BYTES_MAX);
        if is_too_long {
            let detail = format!("must be a text of at most {PURPOSE_BYTES_MAX} bytes");
            return Err(Problem::invalid(format!("{pointer}/purpose"), detail));
        }
        let network = self.network.as_deref().map(str::parse::<IpAddr>).transpose();
        let network = network.map_err(|_| Problem::invalid(format!("{pointer}/network"), "must be an IP address"))?;
        Ok(RequestContext { purpose: self.purpose.clone(), network })
    }
}

/// Permission tests.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestsForm {
    /// One expectation a line, at most 1,000.
    #[schema(example = "expect user:bo !read collection/hr/*", max_length = 65536)]
    tests: String,
}

/// Permission tests to be run.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestForm {
    /// One expectation a line; without it, the tenant's own are run.
    #[schema(example = "expect user:bo !read collection/hr/*", max_length = 65536)]
    tests: Option<String>,
}

/// The permission tests.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicyTests, example = json!({"tests": "expect user:bo !read collection/hr/*\n"}))]
struct TestsView {
    /// As they were given.
    tests: String,
}

/// What came of permission tests.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicyTestRun, example = json!({
    "passed": 11, "failed": 1, "results": [
        {"line": 1, "test": "user:bo !read collection/hr/*", "passed": false, "detail": "`user:bo !read collection/hr/*` fails: user:bo can read the document `d1`"}
    ]
}))]
struct TestRunView {
    /// How many hold.
    passed: usize,
    /// How many do not.
    failed: usize,
    /// Each test, in the order of the text.
    results: Vec<TestView>,
    /// The revision of the change; only where the tests were kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
}

/// What came of one test.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicyTest)]
struct TestView {
    /// Where it stands.
    line: usize,
    /// The expectation.
    test: String,
    /// Whether it holds.
    passed: bool,
    /// How it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl TestRunView {
    fn new(run: &TestRun, revision: Option<String>) -> Self {
        let results = run.tests.iter().enumerate().map(|(index, test)| {
            let unmet = run.unmet.iter().find(|unmet| unmet.index == index);
            TestView {
                line: test.line,
                test: test.text.clone(),
                passed: unmet.is_none(),
                detail: unmet.map(|unmet| run.told(unmet)),
            }
        });
        let results: Vec<_> = results.collect();
        Self { passed: run.tests.len() - run.unmet.len(), failed: run.unmet.len(), results, revision }
    }
}

/// A change of policies that might be made: one of `text`, `delete` and `permit`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySimulateForm {
    /// The policy; not for `permit`.
    #[schema(example = "no-contractors")]
    name: Option<String>,
    /// The text that it would get. `policy` and `cedar` are understood as well.
    #[serde(alias = "policy", alias = "cedar")]
    #[schema(example = "forbid (principal in Group::\"contractors\", action, resource);")]
    text: Option<String>,
    /// Whether it would be deleted.
    delete: Option<bool>,
    /// Whether policies that permit would take part.
    permit: Option<bool>,
    /// Who is looked at. Without it: everybody whom the directory, the collections and the ACLs of the tenant name and, with scope `keys`, the owners of keys; people and services first, at most 2,000.
    #[schema(example = json!(["user:alice", "group:eng"]), max_items = 1000)]
    principals: Option<Vec<String>>,
    /// What would be known of a request, for policies that look at it.
    context: Option<ContextForm>,
}

impl PolicySimulateForm {
    fn change(&self) -> Result<ProposedChange, Problem> {
        let name = || {
            let name = self.name.as_deref().ok_or_else(|| Problem::invalid("/name", "is required"))?;
            PolicyName::new(name).map_err(|error| Problem::invalid("/name", error.to_string()))
        };
        match (&self.text, self.delete, self.permit) {
            (Some(text), None | Some(false), None) => Ok(ProposedChange::Put(name()?, text.clone())),
            (None, Some(true), None) => Ok(ProposedChange::Delete(name()?)),
            (None, None | Some(false), Some(permit)) if self.name.is_none() => Ok(ProposedChange::EnablePermit(permit)),
            _ => Err(Problem::invalid("", "must have a `name` with a `text` or with `delete`, or `permit` alone")),
        }
    }
}

/// What the change would do.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicySimulation, example = json!({
    "opens": [], "closes": [{"principal": "user:bo", "chunks": 312}],
    "counts": {"opens": {"principals": 0, "chunks": 0}, "closes": {"principals": 1, "chunks": 312}, "examined": 14, "unexamined": 0, "attributes_unknown": 3},
    "depends_on_context": false, "warnings": [], "tests": {"passed": 2, "failed": 0, "results": []}, "revision": "…"
}))]
struct PolicySimulationView {
    /// For whom something opens, those of most passages first; at most 100 are listed.
    opens: Vec<DifferenceView>,
    /// For whom something closes, those of most passages first; at most 100 are listed.
    closes: Vec<DifferenceView>,
    /// How many there are.
    counts: PolicyCountsView,
    /// Whether the policy looks at the request: then this is for the present and the context given.
    depends_on_context: bool,
    /// What the validator finds strange.
    warnings: Vec<String>,
    /// What would come of the tenant's permission tests; where one fails, the change would be refused.
    tests: TestRunView,
    /// The revision that was looked at; nothing was changed.
    revision: String,
}

/// How much opens or closes for somebody.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicyDifference)]
struct DifferenceView {
    /// Who; a group stands for whoever is in it and in no other.
    principal: String,
    /// How many passages.
    chunks: usize,
}

/// How many principals and passages.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicySimulationCounts)]
struct PolicyCountsView {
    /// What opens.
    opens: PolicyTotalView,
    /// What closes.
    closes: PolicyTotalView,
    /// How many principals were looked at.
    examined: usize,
    /// How many there was no time to look at.
    unexamined: usize,
    /// How many were looked at as if they had no attributes, because those are not known here.
    attributes_unknown: usize,
}

/// A total.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicyTotal)]
struct PolicyTotalView {
    /// For how many principals.
    principals: usize,
    /// How many passages, each once.
    chunks: usize,
}

fn listed(differences: &[Difference]) -> Vec<DifferenceView> {
    let view = |difference: &Difference| DifferenceView {
        principal: difference.principal.to_string(),
        chunks: difference.chunks,
    };
    differences.iter().take(LISTED_MAX).map(view).collect()
}

/// Read the permission tests
///
/// Scope `policy`.
#[utoipa::path(
    get, path = "/v1/policies:tests", tag = "policies", operation_id = "get_policy_tests",
    responses((status = 200, description = "The tests", body = TestsView))
)]
pub(super) async fn tests(State(server): State<Server>, ask: Ask) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    let (settings, receipt) = server.administration.policy_settings(&permit, ask.id()).await?.into_parts();
    Ok(reply(StatusCode::OK, &TestsView { tests: settings.tests }, receipt))
}

/// Keep permission tests
///
/// Scope `policy`. From then on a change of policies with which one of them fails is refused. They are run at once and kept also where some fail, so that a test may be written before its policy.
#[utoipa::path(
    put, path = "/v1/policies:tests", tag = "policies", operation_id = "put_policy_tests",
    request_body = TestsForm,
    responses((status = 200, description = "What comes of them now", body = TestRunView))
)]
pub(super) async fn put_tests(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    json::require_json(&headers)?;
    let form = json::parse::<TestsForm>(&read_bounded(body, BODY_BYTES_MAX).await?)?;
    let answer = server.administration.put_policy_tests(&permit, form.tests, ask.id()).await?;
    let ((run, revision), receipt) = answer.into_parts();
    Ok(reply_written(StatusCode::OK, &TestRunView::new(&run, Some(revision.clone())), &revision, receipt))
}

/// Run permission tests
///
/// Scope `policy`. Those of the body, or the tenant's own. Nothing is changed.
#[utoipa::path(
    post, path = "/v1/policies:test", tag = "policies", operation_id = "test_policies",
    request_body = TestForm,
    responses((status = 200, description = "What comes of them", body = TestRunView))
)]
pub(super) async fn test(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    json::require_json(&headers)?;
    let form = json::parse::<TestForm>(&read_bounded(body, BODY_BYTES_MAX).await?)?;
    let (run, receipt) = server.administration.test_policies(&permit, form.tests, ask.id()).await?.into_parts();
    Ok(reply(StatusCode::OK, &TestRunView::new(&run, None), receipt))
}

/// See what a change of policies would open and close
///
/// Scope `policy`, which sees the whole tenant, as far as the credential's collections go: the answer names principals that stand in ACLs, and counts passages whoever may read them. Nothing is changed.
#[utoipa::path(
    post, path = "/v1/policies:simulate", tag = "policies", operation_id = "simulate_policy",
    request_body = PolicySimulateForm,
    responses((status = 200, description = "What it would open and close", body = PolicySimulationView))
)]
pub(super) async fn simulate(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManagePolicies>()?;
    json::require_json(&headers)?;
    let form = json::parse::<PolicySimulateForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let change = form.change()?;
    let context = form.context.as_ref().map(|form| form.context("/context")).transpose()?.unwrap_or_default();
    let parse = |name: &str| Principal::new(name).map_err(|error| format!("the principal {error}"));
    let asked = form.principals.map(|asked| entries::<_, _, BTreeSet<_>>("/principals", Some(asked), parse));
    let asked = asked.transpose().map_err(|error| Problem::invalid_fields(vec![error]))?;
    let answer = server.administration.simulate_policy(&permit, change, asked, context, ask.id()).await?;
    let ((simulation, revision), receipt) = answer.into_parts();
    let run = &simulation.run;
    let total = |principals: &[Difference], chunks| PolicyTotalView { principals: principals.len(), chunks };
    let view = PolicySimulationView {
        opens: listed(&run.opens),
        closes: listed(&run.closes),
        counts: PolicyCountsView {
            opens: total(&run.opens, run.opened_chunks),
            closes: total(&run.closes, run.closed_chunks),
            examined: run.examined,
            unexamined: run.unexamined,
            attributes_unknown: run.attributes_unknown,
        },
        depends_on_context: simulation.depends_on_context,
        warnings: simulation.warnings,
        tests: TestRunView::new(&simulation.tests, None),
        revision,
    };
    Ok(reply(StatusCode::OK, &view, receipt))
}
