//! `POST /v1/explain`: why somebody may read a document or not, and the smallest change that would turn it round.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::{Amendment, Check, Explanation, Match, Principal, Rule, Supposed};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    body::read_bounded,
    gate::Ask,
    json,
    key_form::{self, entries, invalid},
    names,
    policy_trials::ContextForm,
    problem::Problem,
    reply::reply,
    state::Server,
};
use crate::{acl_form, administration::access::may_be_group, authz};

/// Who is asked about, and which document.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainForm {
    /// The principal.
    #[schema(example = "user:bo")]
    principal: String,
    /// Groups that their credential would bring, beside the directory's.
    #[schema(example = json!(["group:eng"]), max_items = 1000)]
    groups: Option<Vec<String>>,
    /// Attributes that their credential would bring.
    #[schema(value_type = Option<Object>, example = json!({"clearance": 2}))]
    attributes: Option<Map<String, Value>>,
    /// What would be known of their request, for policies that look at it; the time is the present.
    context: Option<ContextForm>,
    /// The collection.
    #[schema(example = "hr")]
    collection: String,
    /// The document.
    #[schema(example = "d1")]
    document_id: String,
}

/// Whether somebody may read a document, and why.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Explanation, example = json!({
    "readable": false, "principal": "user:bo", "collection": "hr", "document_id": "d1",
    "decision": {"rule": "deny", "holds": false, "principal": "group:contractors", "path": ["user:bo", "group:contractors"]},
    "checks": [
        {"rule": "readers", "holds": true, "matches": [{"principal": "everyone", "path": ["user:bo", "everyone"]}]},
        {"rule": "deny", "holds": false, "matches": [{"principal": "group:contractors", "path": ["user:bo", "group:contractors"]}]},
        {"rule": "allow", "holds": true, "matches": [{"principal": "user:bo", "path": ["user:bo"]}]}
    ],
    "flip": {"readable": true, "changes": [{"change": "remove", "list": "deny", "principal": "group:contractors"}]}, "revision": "…"
}))]
struct ExplanationView {
    /// Whether they may read it now.
    readable: bool,
    /// Who was asked about.
    principal: String,
    /// The collection.
    collection: String,
    /// The document.
    document_id: String,
    /// The rule that decided: the first that does not hold, else the entry that allows.
    decision: DecisionView,
    /// Every rule; all must hold.
    checks: Vec<CheckView>,
    /// The smallest change that would turn it round.
    flip: FlipView,
    /// The revision that was looked at.
    revision: String,
}

/// The rule that decided.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Decision)]
struct DecisionView {
    #[serde(flatten)]
    rule: RuleView,
    /// Whether it holds.
    holds: bool,
    /// The entry that names the person, or a group they belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    /// From the person over their groups to the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Vec<String>>,
}

/// One rule.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Check)]
struct CheckView {
    #[serde(flatten)]
    rule: RuleView,
    /// Whether it holds.
    holds: bool,
    /// The entries that name the person, or a group they belong to.
    matches: Vec<MatchView>,
}

/// Which rule.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Rule)]
struct RuleView {
    /// `readers`, `deny`, `allow`, `require`, `not_before` or `expires_at`; `forbid` for a tenant policy that forbids, and `permit` for one that stands in for `allow`; `emergency_grant` for one that stands in for `readers` and `allow`.
    rule: &'static str,
    /// The requirement, of `require`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    requirement: Option<Value>,
    /// The edge of the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    /// The tenant policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    /// The emergency grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
}

/// An entry that names the person.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Match)]
struct MatchView {
    /// The entry.
    principal: String,
    /// From the person over their groups to the entry.
    path: Vec<String>,
}

/// The smallest change that would turn it round.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Flip)]
struct FlipView {
    /// Whether they could read it then.
    readable: bool,
    /// What to change; each is needed.
    changes: Vec<ChangeView>,
}

/// One change.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
#[schema(as = Amendment)]
struct ChangeView {
    /// `add` or `remove` an entry, `satisfy` a requirement, `begin_now` or `end_later` for the window, `lift` a tenant policy: delete it, or except this from it; `end` an emergency grant.
    change: &'static str,
    /// `readers` of the collection, or `allow` or `deny` of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<&'static str>,
    /// The entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    /// What the person must be given, or the document must no longer ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    requirement: Option<Value>,
    /// The tenant policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    /// The emergency grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
}

/// Somebody as they are asked about.
pub(super) fn supposed(
    principal: &str,
    groups: Option<Vec<String>>,
    attributes: Option<Map<String, Value>>,
    context: Option<&ContextForm>,
) -> Result<Supposed, Problem> {
    let field = |error| Problem::invalid_fields(vec![error]);
    let name = Principal::new(principal);
    let name = name.map_err(|error| field(invalid("/principal", &format!("the principal {error}"))))?;
    let group = |name: &str| {
        let group = Principal::new(name).map_err(|error| format!("the principal {error}"))?;
        may_be_group(&group).then_some(group).ok_or_else(|| "must be a `group:` or `role:`".to_owned())
    };
    let groups: BTreeSet<_> = entries("/groups", groups, group).map_err(field)?;
    let attributes = key_form::attributes(attributes).map_err(field)?;
    let context = context.map(|form| form.context("/context")).transpose()?.unwrap_or_default();
    Ok(Supposed { name, groups, attributes, context })
}

impl RuleView {
    fn new(rule: &Rule) -> Self {
        let none = (None, None, None);
        let (name, (requirement, time, policy)) = match rule {
            Rule::Directory => ("directory", none),
            Rule::Readers => ("readers", none),
            Rule::Deny => ("deny", none),
            Rule::Allow => ("allow", none),
            Rule::Require(requirement) => ("require", (Some(acl_form::requirement_json(requirement)), None, None)),
            Rule::NotBefore(start) => ("not_before", (None, Some(acl_form::format_time(*start)), None)),
            Rule::ExpiresAt(end) => ("expires_at", (None, Some(acl_form::format_time(*end)), None)),
            Rule::Permit(policy) => ("permit", (None, None, Some(policy.to_string()))),
            Rule::Forbid(policy) => ("forbid", (None, None, Some(policy.to_string()))),
            Rule::EmergencyGrant(_) => ("emergency_grant", none),
        };
        let grant = if let Rule::EmergencyGrant(id) = rule { Some(id.to_string()) } else { None };
        Self { rule: name, requirement, time, policy, grant }
    }
}

fn path(found: &Match) -> Vec<String> {
    found.path.iter().map(ToString::to_string).collect()
}

impl CheckView {
    fn new(check: &Check) -> Self {
        let matches = check.matches.iter();
        let matches = matches.map(|found| MatchView { principal: found.entry.to_string(), path: path(found) });
        Self { rule: RuleView::new(&check.rule), holds: check.holds, matches: matches.collect() }
    }
}

impl DecisionView {
    fn new(explanation: &Explanation) -> Self {
        let grants = |check: &Check| matches!(check.rule, Rule::Allow | Rule::Permit(_));
        let decides = |check: &&Check| if explanation.readable { grants(check) } else { !check.holds };
        let by_grant = explanation.checks.iter().find(|check| matches!(check.rule, Rule::EmergencyGrant(_)));
        let by_grant = by_grant.filter(|_| explanation.readable);
        let check = by_grant.or_else(|| explanation.checks.iter().find(decides));
        let found = check.and_then(|check| check.matches.first());
        Self {
            rule: RuleView::new(check.map_or(&Rule::Allow, |check| &check.rule)),
            holds: check.is_some_and(|check| check.holds),
            principal: found.map(|found| found.entry.to_string()),
            path: found.map(path),
        }
    }
}

impl ChangeView {
    fn new(amendment: &Amendment) -> Self {
        let entry = |change, list, name: &Principal| Self {
            change,
            list: Some(list),
            principal: Some(name.to_string()),
            ..Self::default()
        };
        match amendment {
            Amendment::Activate(name) => {
                Self { change: "activate", principal: Some(name.to_string()), ..Self::default() }
            }
            Amendment::AddReader(name) => entry("add", "readers", name),
            Amendment::AddAllow(name) => entry("add", "allow", name),
            Amendment::RemoveAllow(name) => entry("remove", "allow", name),
            Amendment::AddDeny(name) => entry("add", "deny", name),
            Amendment::RemoveDeny(name) => entry("remove", "deny", name),
            Amendment::Satisfy(requirement) => Self {
                change: "satisfy",
                requirement: Some(acl_form::requirement_json(requirement)),
                ..Self::default()
            },
            Amendment::BeginNow => Self { change: "begin_now", ..Self::default() },
            Amendment::EndLater => Self { change: "end_later", ..Self::default() },
            Amendment::LiftPolicy(policy) => {
                Self { change: "lift", policy: Some(policy.to_string()), ..Self::default() }
            }
            Amendment::EndGrant(id) => Self { change: "end", grant: Some(id.to_string()), ..Self::default() },
        }
    }
}

/// Ask why somebody may read a document, or may not
///
/// Scope `explain`, which is an administrator's: the answer tells the document's ACL as far as it concerns the person, and does not depend on what the asker may read. Their groups are those of the directory and those given; what a token would bring beside them is not known here. A quarantined document is read by nobody, and is absent: 404.
#[utoipa::path(
    post, path = "/v1/explain", tag = "access", operation_id = "explain",
    request_body = ExplainForm,
    responses((status = 200, description = "Whether and why", body = ExplanationView))
)]
pub(super) async fn explain(
    State(server): State<Server>,
    ask: Ask,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<authz::Explain>()?;
    json::require_json(&headers)?;
    let form = json::parse::<ExplainForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let supposed = supposed(&form.principal, form.groups.clone(), form.attributes.clone(), form.context.as_ref())?;
    let place = names::known_place(&(form.collection.clone(), form.document_id.clone()))?;
    let place = (place.collection, place.document);
    let answer = server.administration.explain(&permit, place, supposed, ask.id()).await?;
    let ((explanation, revision), receipt) = answer.into_parts();
    let view = ExplanationView {
        readable: explanation.readable,
        principal: form.principal,
        collection: form.collection,
        document_id: form.document_id,
        decision: DecisionView::new(&explanation),
        checks: explanation.checks.iter().map(CheckView::new).collect(),
        flip: FlipView {
            readable: !explanation.readable,
            changes: explanation.flip.iter().map(ChangeView::new).collect(),
        },
        revision,
    };
    Ok(reply(StatusCode::OK, &view, receipt))
}
