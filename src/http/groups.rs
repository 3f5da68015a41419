//! `/v1/groups`: the tenant's own directory. Names stand without the prefix `group:`.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ringfence_indexes::Principal;
use serde::{Deserialize, Serialize};

use super::{
    body::read_bounded,
    gate::Ask,
    json,
    names::{self, Names},
    page::{PageQuery, next_cursor},
    problem::Problem,
    reply::{no_content, reply, reply_written},
    state::Server,
};
use crate::{administration::groups::MEMBERS_MAX, authz::ManageGroups, store::GroupRecord};

/// Room for ten thousand members of the longest names.
const BODY_BYTES_MAX: usize = 4 << 20;
const PURPOSE: &str = "groups";

/// Who is in a group.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupForm {
    /// The direct members, groups among them; at most 10,000.
    #[schema(example = json!(["user:alice", "group:interns"]), max_items = 10000)]
    members: Vec<String>,
}

/// One member of a group.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberForm {
    /// The member. `principal` is understood as well.
    #[serde(alias = "principal")]
    #[schema(example = "user:alice")]
    member: String,
}

/// A group.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Group, example = json!({"name": "eng", "members": ["group:interns", "user:alice"], "revision": "…"}))]
struct GroupView {
    /// Its name, without the prefix `group:`.
    name: String,
    /// The direct members.
    members: Vec<String>,
    /// The revision of the change; only in the answer to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
}

/// A page of groups.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"groups": [{"name": "eng", "members": ["user:alice"]}], "next_cursor": null}))]
pub(super) struct GroupList {
    /// The groups, by name.
    groups: Vec<GroupView>,
    /// Where the next page starts; `null` on the last.
    next_cursor: Option<String>,
}

impl GroupView {
    fn new(group: &Principal, members: &BTreeSet<Principal>, revision: Option<String>) -> Self {
        let name = group.as_str();
        Self {
            name: name.strip_prefix("group:").unwrap_or(name).to_owned(),
            members: members.iter().map(ToString::to_string).collect(),
            revision,
        }
    }

    fn of(record: &GroupRecord) -> Self {
        Self::new(&record.group, &record.members, None)
    }
}

fn member_at(pointer: &str, name: &str) -> Result<Principal, Problem> {
    Principal::new(name).map_err(|error| Problem::invalid(pointer, format!("the principal {error}")))
}

/// Make or replace a group
///
/// Scope `acl`. In effect for every request that begins after the answer.
#[utoipa::path(
    put, path = "/v1/groups/{name}", tag = "groups", operation_id = "put_group",
    params(("name" = String, Path, description = "The group, without the prefix `group:`")),
    request_body = GroupForm,
    responses((status = 200, description = "The group", body = GroupView))
)]
pub(super) async fn put(
    State(server): State<Server>,
    ask: Ask,
    Names(name): Names<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageGroups>()?;
    let group = names::new(names::group(&name), "name")?;
    json::require_json(&headers)?;
    let form = json::parse::<GroupForm>(&read_bounded(body, BODY_BYTES_MAX).await?)?;
    if form.members.len() > MEMBERS_MAX {
        return Err(Problem::invalid("/members", format!("has more than {MEMBERS_MAX} entries")));
    }
    let members = form.members.iter().enumerate();
    let members = members.map(|(index, name)| member_at(&format!("/members/{index}"), name));
    let members = members.collect::<Result<BTreeSet<_>, _>>()?;
    let written = (group.clone(), members.clone());
    let (revision, receipt) = server.administration.put_group(&permit, written, ask.id()).await?.into_parts();
    let view = GroupView::new(&group, &members, Some(revision.clone()));
    Ok(reply_written(StatusCode::OK, &view, &revision, receipt))
}

/// Read a group
///
/// Scope `acl`.
#[utoipa::path(
    get, path = "/v1/groups/{name}", tag = "groups", operation_id = "get_group",
    params(("name" = String, Path, description = "The group, without the prefix `group:`")),
    responses((status = 200, description = "The group", body = GroupView))
)]
pub(super) async fn get(
    State(server): State<Server>,
    ask: Ask,
    Names(name): Names<String>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageGroups>()?;
    let group = names::known(names::group(&name))?;
    let (group, receipt) = server.administration.group(&permit, &group, ask.id()).await?.into_parts();
    Ok(reply(StatusCode::OK, &GroupView::of(&group), receipt))
}

/// List groups
///
/// Scope `acl`.
#[utoipa::path(
    get, path = "/v1/groups", tag = "groups", operation_id = "list_groups",
    params(
        ("limit" = Option<usize>, Query, description = "How many entries a page has, 1 to 500; 50 without it"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "The groups", body = GroupList))
)]
pub(super) async fn list(State(server): State<Server>, ask: Ask, page: PageQuery) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageGroups>()?;
    let page = page.without_tenant()?;
    let sealer = ask.sealer(&server);
    let after = page.after(&sealer, PURPOSE)?.and_then(|name| Principal::new(&name).ok());
    let answer = server.administration.groups(&permit, after.as_ref(), page.limit, ask.id()).await?;
    let (found, receipt) = answer.into_parts();
    let last = found.entries.last().map(|group| group.group.as_str());
    let next_cursor = next_cursor(&sealer, PURPOSE, found.has_more, last);
    let groups = found.entries.iter().map(GroupView::of).collect();
    Ok(reply(StatusCode::OK, &GroupList { groups, next_cursor }, receipt))
}

/// Delete a group
///
/// Scope `acl`. The revision of the deletion is in the header `Ringfence-Revision`.
#[utoipa::path(
    delete, path = "/v1/groups/{name}", tag = "groups", operation_id = "delete_group",
    params(("name" = String, Path, description = "The group, without the prefix `group:`")),
    responses((status = 204, description = "It is gone"))
)]
pub(super) async fn delete(
    State(server): State<Server>,
    ask: Ask,
    Names(name): Names<String>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageGroups>()?;
    let group = names::known(names::group(&name))?;
    let (revision, receipt) = server.administration.delete_group(&permit, group, ask.id()).await?.into_parts();
    Ok(no_content(&revision, receipt))
}

/// Add a member to a group
///
/// Scope `acl`. One who is a member already stays one.
#[utoipa::path(
    post, path = "/v1/groups/{name}/members", tag = "groups", operation_id = "add_group_member",
    params(("name" = String, Path, description = "The group, without the prefix `group:`")),
    request_body = MemberForm,
    responses((status = 200, description = "The group", body = GroupView))
)]
pub(super) async fn add_member(
    State(server): State<Server>,
    ask: Ask,
    Names(name): Names<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageGroups>()?;
    let group = names::known(names::group(&name))?;
    json::require_json(&headers)?;
    let form = json::parse::<MemberForm>(&read_bounded(body, server.settings.json_bytes_max).await?)?;
    let member = member_at("/member", &form.member)?;
    let answer = server.administration.add_member(&permit, group.clone(), member, ask.id()).await?;
    let ((members, revision), receipt) = answer.into_parts();
    let view = GroupView::new(&group, &members, Some(revision.clone()));
    Ok(reply_written(StatusCode::OK, &view, &revision, receipt))
}

/// Remove a member from a group
///
/// Scope `acl`. One who is no member stays none.
#[utoipa::path(
    delete, path = "/v1/groups/{name}/members/{principal}", tag = "groups", operation_id = "remove_group_member",
    params(
        ("name" = String, Path, description = "The group, without the prefix `group:`"),
        ("principal" = String, Path, description = "The member, with its prefix")
    ),
    responses((status = 204, description = "It is no member"))
)]
pub(super) async fn remove_member(
    State(server): State<Server>,
    ask: Ask,
    Names((name, member)): Names<(String, String)>,
) -> Result<Response, Problem> {
    let permit = ask.permit::<ManageGroups>()?;
    let group = names::known(names::group(&name))?;
    let member = names::known(Principal::new(&member))?;
    let answer = server.administration.remove_member(&permit, group, member, ask.id()).await?;
    let (revision, receipt) = answer.into_parts();
    Ok(no_content(&revision, receipt))
}
