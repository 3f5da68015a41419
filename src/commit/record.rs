//! How a write stands in the audit log.

use ringfence_indexes::{CollectionId, DocumentId, Principal};

use super::{Cause, PolicyWrite, Write, WriteRequest};
use crate::{
    acl_form,
    audit::{Action, AuditEvent},
    authn::{Revocation, RevocationTarget},
    store::{GrantRecord, Setting},
};

/// The record of a write. What makes or ends a tenant is the server's; everything else is its tenant's.
pub(super) fn event(request: &WriteRequest) -> AuditEvent {
    let write = &request.write;
    let (action, resource) = describe(write);
    let tenant = match write {
        Write::CreateTenant { .. } | Write::DeleteTenant(_) => None,
        _ => write.tenant().cloned(),
    };
    AuditEvent {
        tenant,
        actor: request.actor.clone(),
        action,
        resource: Some(resource),
        status: request.status,
        request_id: request.request_id.clone(),
        query: None,
        documents: Vec::new(),
        count: 0,
    }
}

/// The record that the write of an earlier one did not happen.
pub(super) fn failed(event: &AuditEvent) -> AuditEvent {
    AuditEvent { action: Action::CommitFailed, status: 0, ..event.clone() }
}

fn describe(write: &Write) -> (Action, String) {
    match write {
        Write::CreateTenant { id, .. } => (Action::CreateTenant, id.to_string()),
        Write::DeleteTenant(id) => (Action::DeleteTenant, id.to_string()),
        Write::PutCollection(_, record) => (Action::PutCollection, record.id.to_string()),
        Write::DeleteCollection(_, collection) => (Action::DeleteCollection, collection.to_string()),
        Write::PutDocument(document) => (Action::PutDocument, path(&document.collection, &document.id)),
        Write::ReworkDocument(rework) => {
            let action = match rework.cause {
                Cause::Released => Action::ReleaseQuarantined,
                Cause::Reprocessed => Action::ReprocessDocument,
            };
            (action, path(&rework.document.collection, &rework.document.id))
        }
        Write::RejectDocument { collection, document, .. } => (Action::RejectQuarantined, path(collection, document)),
        Write::DeleteDocument { collection, document, .. } | Write::ExpireDocument { collection, document, .. } => {
            (Action::DeleteDocument, path(collection, document))
        }
        Write::SetAcl { collection, document, .. } => (Action::SetAcl, path(collection, document)),
        Write::PutFolder(_, folder) => (Action::PutFolder, path(&folder.collection, &folder.id)),
        Write::DeleteFolder { collection, folder, .. } => (Action::DeleteFolder, path(collection, folder)),
        Write::PutGroup { group, .. } => (Action::PutGroup, group.to_string()),
        Write::AddMember { group, member, .. } => (Action::AddMember, membership(group, member)),
        Write::RemoveMember { group, member, .. } => (Action::RemoveMember, membership(group, member)),
        Write::DeleteGroup { group, .. } => (Action::DeleteGroup, group.to_string()),
        Write::WritePolicy(_, write) if write.policy.is_none() => (Action::DeletePolicy, write.record.name.to_string()),
        Write::WritePolicy(_, write) => match &write.forced {
            Some(reason) => (Action::ForcePolicy, format!("{}: {reason}", version(write))),
            None => (Action::PutPolicy, version(write)),
        },
        Write::PutPolicySettings(..) => (Action::PutPolicySettings, "settings".to_owned()),
        Write::CreateGroup(_, record) => (Action::PutGroup, record.group.to_string()),
        Write::ReplaceGroup { group, record, .. } => (Action::PutGroup, renamed(group, &record.group)),
        Write::CreateUser(_, record) => (Action::PutUser, record.principal.to_string()),
        Write::ReplaceUser { name, record, .. } => (Action::PutUser, renamed(name, &record.principal)),
        Write::DeleteUser { name, .. } => (Action::DeleteUser, name.to_string()),
        Write::PutSetting(_, Setting::Attributes(_)) => (Action::PutAttributes, "attributes".to_owned()),
        Write::PutSetting(_, Setting::KnownUsersOnly(_)) => (Action::PutDirectory, "directory".to_owned()),
        Write::CreateKey(key) => (Action::CreateKey, key.id.clone()),
        Write::RotateKey { id, .. } => (Action::RotateKey, id.clone()),
        Write::DeleteKey { id, .. } => (Action::DeleteKey, id.clone()),
        Write::Revoke(revocation) => (Action::RevokeTokens, revoked(revocation)),
        Write::DeclareGrant(_, record) => (Action::DeclareGrant, declared(record)),
        Write::EndGrant { id, .. } => (Action::EndGrant, id.to_string()),
    }
}

/// Which tokens: a subject's from before a moment, or one by its issuer and id.
fn revoked(revocation: &Revocation) -> String {
    match &revocation.target {
        RevocationTarget::Token { issuer, jti } => format!("{issuer}#{jti}"),
        RevocationTarget::Subject { subject, .. } => subject.to_string(),
    }
}

/// The whole grant, its reason included: the log is where it is accounted for.
fn declared(record: &GrantRecord) -> String {
    let GrantRecord { grant, reason, .. } = record;
    let (holder, documents) = (grant.holder.name(), grant.documents.pattern());
    let until = acl_form::format_time(grant.expires_at);
    format!("{} for {holder} on {}/{documents} until {until}: {reason}", grant.id, grant.collection)
}

fn path(collection: &CollectionId, document: &DocumentId) -> String {
    format!("{collection}/{document}")
}

fn version(write: &PolicyWrite) -> String {
    format!("{}/{}", write.record.name, write.record.version)
}

/// The name before and after, where it changed.
fn renamed(before: &Principal, after: &Principal) -> String {
    if before == after { after.to_string() } else { format!("{before}/{after}") }
}

fn membership(group: &Principal, member: &Principal) -> String {
    format!("{group}/{member}")
}
