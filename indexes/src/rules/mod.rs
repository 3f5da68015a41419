//! Tenant policies in Cedar: checked when they come, evaluated once for a reader and what they look at.
//!
//! A policy forbids what an ACL grants. Where the tenant has enabled it, a policy may also permit: it then stands in for the `allow` list of an ACL, and for nothing else. Whatever goes wrong in an evaluation forbids.
//!
//! Policies belong to the snapshot, as ACLs and groups do: a change of one publishes another snapshot, so it holds from its acknowledgement on and nothing that was decided before is looked at again.

mod context;
mod judge;
mod looks;
mod reader;
mod resource;
mod ruleset;
mod schema;
mod tenant_policy;

pub use self::{
    context::RequestContext,
    ruleset::{POLICIES_MAX, Ruleset},
    schema::POLICY_SCHEMA,
    tenant_policy::{Effect, POLICY_BYTES_MAX, PolicyFault, TenantPolicy},
};
pub(crate) use self::{
    judge::{Contextual, Question, Verdict},
    resource::Place,
    ruleset::Reason,
};
