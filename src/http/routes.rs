//! Every route with its description, and what the audit log calls it.

use axum::{
    Router,
    http::Method,
    middleware::{from_fn, from_fn_with_state},
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    access, batch, collections, directory, docs, documents, emergency, envelope_keys, exchange, explain, folders, gate,
    groups, health, keys, openapi, outside, policies, policy_trials, problem, quarantine, reprocess, revocations, scim,
    search, simulate, state::Server, tenants, upload,
};
use crate::audit::Action;

/// What the audit log calls each operation that asks for a credential. A test compares the list with the routes.
const ACTIONS: &[(&str, &str, Action)] = &[
    ("POST", "/v1/search", Action::Search),
    ("GET", "/v1/collections", Action::ListCollections),
    ("GET", "/v1/collections/{collection}", Action::ReadCollection),
    ("PUT", "/v1/collections/{collection}", Action::PutCollection),
    ("DELETE", "/v1/collections/{collection}", Action::DeleteCollection),
    ("GET", "/v1/collections/{collection}/documents", Action::ListDocuments),
    ("POST", "/v1/collections/{collection}/documents", Action::PutDocument),
    ("POST", "/v1/collections/{collection}/documents:batch", Action::PutDocument),
    ("GET", "/v1/collections/{collection}/documents/{document}", Action::ReadDocument),
    ("PUT", "/v1/collections/{collection}/documents/{document}", Action::PutDocument),
    ("DELETE", "/v1/collections/{collection}/documents/{document}", Action::DeleteDocument),
    ("PUT", "/v1/collections/{collection}/documents/{document}/acl", Action::SetAcl),
    ("GET", "/v1/collections/{collection}/folders", Action::ListFolders),
    ("GET", "/v1/collections/{collection}/folders/{folder}", Action::ReadFolder),
    ("PUT", "/v1/collections/{collection}/folders/{folder}", Action::PutFolder),
    ("DELETE", "/v1/collections/{collection}/folders/{folder}", Action::DeleteFolder),
    ("GET", "/v1/quarantine", Action::ListQuarantine),
    ("GET", "/v1/quarantine/{collection}/{document}", Action::ReadQuarantined),
    ("POST", "/v1/quarantine/{collection}/{document}/release", Action::ReleaseQuarantined),
    ("POST", "/v1/quarantine/{collection}/{document}/reject", Action::RejectQuarantined),
    ("POST", "/v1/reprocess", Action::Reprocess),
    ("POST", "/v1/explain", Action::Explain),
    ("POST", "/v1/explain:readers", Action::ExplainReaders),
    ("POST", "/v1/explain:documents", Action::ExplainDocuments),
    ("POST", "/v1/acl:simulate", Action::SimulateAcl),
    ("GET", "/v1/emergency-grants", Action::ListGrants),
    ("POST", "/v1/emergency-grants", Action::DeclareGrant),
    ("GET", "/v1/emergency-grants/{grant}", Action::ListGrants),
    ("DELETE", "/v1/emergency-grants/{grant}", Action::EndGrant),
    ("GET", "/v1/groups", Action::ListGroups),
    ("GET", "/v1/groups/{name}", Action::ReadGroup),
    ("PUT", "/v1/groups/{name}", Action::PutGroup),
    ("DELETE", "/v1/groups/{name}", Action::DeleteGroup),
    ("POST", "/v1/groups/{name}/members", Action::AddMember),
    ("DELETE", "/v1/groups/{name}/members/{principal}", Action::RemoveMember),
    ("GET", "/v1/policies", Action::ListPolicies),
    ("GET", "/v1/policies/{name}", Action::ReadPolicy),
    ("PUT", "/v1/policies/{name}", Action::PutPolicy),
    ("DELETE", "/v1/policies/{name}", Action::DeletePolicy),
    ("GET", "/v1/policies/{name}/versions", Action::ReadPolicy),
    ("GET", "/v1/policies:schema", Action::ReadPolicy),
    ("GET", "/v1/policies:settings", Action::ReadPolicy),
    ("PUT", "/v1/policies:settings", Action::PutPolicySettings),
    ("GET", "/v1/policies:tests", Action::ReadPolicy),
    ("PUT", "/v1/policies:tests", Action::PutPolicySettings),
    ("POST", "/v1/policies:test", Action::TestPolicies),
    ("POST", "/v1/policies:simulate", Action::SimulatePolicy),
    ("GET", "/v1/attributes", Action::ReadDirectory),
    ("PUT", "/v1/attributes", Action::PutAttributes),
    ("GET", "/v1/directory", Action::ReadDirectory),
    ("PUT", "/v1/directory", Action::PutDirectory),
    ("GET", "/scim/v2/ServiceProviderConfig", Action::ReadDirectory),
    ("GET", "/scim/v2/Schemas", Action::ReadDirectory),
    ("GET", "/scim/v2/Schemas/{id}", Action::ReadDirectory),
    ("GET", "/scim/v2/ResourceTypes", Action::ReadDirectory),
    ("GET", "/scim/v2/ResourceTypes/{id}", Action::ReadDirectory),
    ("POST", "/scim/v2/.search", Action::ReadDirectory),
    ("POST", "/scim/v2/Bulk", Action::ReadDirectory),
    ("GET", "/scim/v2/Users", Action::ListUsers),
    ("POST", "/scim/v2/Users", Action::PutUser),
    ("POST", "/scim/v2/Users/.search", Action::ListUsers),
    ("GET", "/scim/v2/Users/{id}", Action::ReadUser),
    ("PUT", "/scim/v2/Users/{id}", Action::PutUser),
    ("PATCH", "/scim/v2/Users/{id}", Action::PutUser),
    ("DELETE", "/scim/v2/Users/{id}", Action::DeleteUser),
    ("GET", "/scim/v2/Groups", Action::ListGroups),
    ("POST", "/scim/v2/Groups", Action::PutGroup),
    ("POST", "/scim/v2/Groups/.search", Action::ListGroups),
    ("GET", "/scim/v2/Groups/{id}", Action::ReadGroup),
    ("PUT", "/scim/v2/Groups/{id}", Action::PutGroup),
    ("PATCH", "/scim/v2/Groups/{id}", Action::PutGroup),
    ("DELETE", "/scim/v2/Groups/{id}", Action::DeleteGroup),
    ("GET", "/v1/keys", Action::ListKeys),
    ("POST", "/v1/keys", Action::CreateKey),
    ("POST", "/v1/keys/{key}/rotate", Action::RotateKey),
    ("DELETE", "/v1/keys/{key}", Action::DeleteKey),
    ("GET", "/v1/revocations", Action::ListRevocations),
    ("POST", "/v1/revocations", Action::RevokeTokens),
    ("POST", "/oauth/token", Action::ExchangeToken),
    ("GET", "/v1/tenants", Action::ListTenants),
    ("POST", "/v1/tenants", Action::CreateTenant),
    ("GET", "/v1/tenants/{tenant}", Action::ListTenants),
    ("DELETE", "/v1/tenants/{tenant}", Action::DeleteTenant),
];

/// What the audit log calls a request to a route; `None` for what is not recorded.
pub(super) fn action(method: &Method, route: &str) -> Option<Action> {
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    let found = ACTIONS.iter().find(|(known, path, _)| *known == method && *path == route);
    found.map(|(.., action)| *action)
}

/// The routes that ask for a credential.
fn gated() -> OpenApiRouter<Server> {
    OpenApiRouter::new()
        .routes(routes!(search::search))
        .routes(routes!(collections::list))
        .routes(routes!(collections::put, collections::get, collections::delete))
        .routes(routes!(documents::list, upload::upload))
        .routes(routes!(batch::batch))
        .routes(routes!(documents::put, documents::get, documents::delete))
        .routes(routes!(documents::set_acl))
        .routes(routes!(folders::list))
        .routes(routes!(folders::put, folders::get, folders::delete))
        .routes(routes!(quarantine::list))
        .routes(routes!(quarantine::get))
        .routes(routes!(quarantine::release))
        .routes(routes!(quarantine::reject))
        .routes(routes!(reprocess::reprocess))
        .routes(routes!(explain::explain))
        .routes(routes!(access::readers))
        .routes(routes!(access::documents))
        .routes(routes!(simulate::simulate))
        .routes(routes!(emergency::list, emergency::declare))
        .routes(routes!(emergency::get, emergency::end))
        .routes(routes!(groups::list))
        .routes(routes!(groups::put, groups::get, groups::delete))
        .routes(routes!(groups::add_member))
        .routes(routes!(groups::remove_member))
        .routes(routes!(policies::list))
        .routes(routes!(policies::put, policies::get, policies::delete))
        .routes(routes!(policies::versions))
        .routes(routes!(policies::schema))
        .routes(routes!(policies::settings, policies::put_settings))
        .routes(routes!(policy_trials::tests, policy_trials::put_tests))
        .routes(routes!(policy_trials::test))
        .routes(routes!(policy_trials::simulate))
        .routes(routes!(directory::get_attributes, directory::put_attributes))
        .routes(routes!(directory::get, directory::put))
        .merge(scim::routes())
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::rotate))
        .routes(routes!(keys::delete))
        .routes(routes!(revocations::list, revocations::revoke))
        .routes(routes!(exchange::exchange))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::get, tenants::delete))
        .routes(routes!(health::metrics))
}

/// The routes that anybody may ask.
fn open() -> OpenApiRouter<Server> {
    OpenApiRouter::new()
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(envelope_keys::keys))
        .routes(routes!(openapi::document))
}

/// The description of every route.
pub(super) fn description() -> OpenApi {
    let (_, gated) = gated().split_for_parts();
    let (_, open) = open().split_for_parts();
    openapi::describe(gated, open)
}

/// The whole router.
pub(super) fn router(server: Server) -> Router {
    let (gated, _) = gated().split_for_parts();
    let (open, _) = open().split_for_parts();
    gated
        .route_layer(from_fn_with_state(server.clone(), gate::gate))
        .merge(open)
        .merge(docs::routes())
        .fallback(async || problem::Problem::not_found())
        .layer(CatchPanicLayer::custom(outside::panicked))
        .layer(from_fn(problem::render))
        .layer(from_fn_with_state(server.clone(), outside::cors))
        .layer(from_fn_with_state(server.clone(), outside::observe))
        .with_state(server)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A route that is missing here would answer without a record.
    #[test]
    fn every_operation_has_an_action() {
        let (_, gated) = gated().split_for_parts();
        let mut described = BTreeSet::new();
        for (path, item) in gated.paths.paths.iter().filter(|(path, _)| *path != "/metrics") {
            let methods = [
                ("GET", &item.get),
                ("PUT", &item.put),
                ("POST", &item.post),
                ("PATCH", &item.patch),
                ("DELETE", &item.delete),
            ];
            let methods = methods.into_iter().filter(|(_, operation)| operation.is_some());
            described.extend(methods.map(|(method, _)| (method.to_owned(), path.clone())));
        }
        let listed: BTreeSet<_> =
            ACTIONS.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
        assert_eq!(described, listed);
        assert_eq!(listed.len(), ACTIONS.len());
    }
}
