//! From what a credential says to a caller: whose eyes, whose hand, which rights.

use std::{collections::BTreeMap, collections::BTreeSet, sync::Arc};

use ringfence_indexes::{AttributeSource, AttributeValue, Principal, Selection, Subject, TenantId, Timestamp};

use super::{
    caller::{Caller, Credential, Identity, Task, TokenFacts},
    certificate::{CertificateMapping, ClientCertificate},
    key_record::{KeyKind, KeyRecord},
    keyring::HeldKey,
    task_token::TaskToken,
    token::{Directory, Groups, VerifiedToken},
};
use crate::authz::{Scope, Scopes};

/// The person that a program acts for.
pub(super) struct Acting {
    pub(super) principal: Principal,
    pub(super) groups: Groups,
    pub(super) attributes: BTreeMap<String, AttributeValue>,
    pub(super) token: Option<TokenFacts>,
    /// What the person's token allows, where it says so: what is done for them is what person, program and token allow.
    pub(super) scopes: Option<Scopes>,
}

impl From<VerifiedToken> for Acting {
    fn from(token: VerifiedToken) -> Self {
        let VerifiedToken { principal, groups, attributes, facts, scopes, says_scopes, .. } = token;
        let scopes = says_scopes.then_some(scopes);
        Self { principal, groups, attributes, token: Some(facts), scopes }
    }
}

/// Whoever holds a key or a certificate, before it is known for whom it asks.
pub(super) struct Holder {
    pub(super) credential: Credential,
    pub(super) tenant: TenantId,
    pub(super) subject: Option<Principal>,
    groups: BTreeSet<Principal>,
    attributes: BTreeMap<String, AttributeValue>,
    pub(super) scopes: Scopes,
    collections: Option<BTreeSet<ringfence_indexes::CollectionId>>,
    key: Option<HeldKey>,
    expires_at: Option<Timestamp>,
    pub(super) is_program: bool,
    reads_as_itself: bool,
}

impl Holder {
    /// `None` for a key without a tenant, which only an operator's may be.
    pub(super) fn of_key(held: HeldKey) -> Option<Self> {
        let key: &KeyRecord = &held.record;
        Some(Self {
            credential: Credential::Key { id: key.id.clone(), on_behalf: None },
            tenant: key.tenant.clone()?,
            subject: key.subject.clone(),
            groups: key.groups.clone(),
            attributes: key.attributes.clone(),
            scopes: key.scopes.clone(),
            collections: key.collections.clone(),
            expires_at: key.expires_at,
            is_program: matches!(key.kind, KeyKind::Service | KeyKind::Agent),
            reads_as_itself: key.kind == KeyKind::User || key.scopes.contains(Scope::ReadAsService),
            key: Some(held),
        })
    }

    pub(super) fn of_certificate(certificate: &ClientCertificate, mapping: &CertificateMapping) -> Self {
        Self {
            credential: Credential::Certificate(mapping.name.words()),
            tenant: mapping.tenant.clone(),
            subject: Some(mapping.principal.clone()),
            groups: BTreeSet::new(),
            attributes: BTreeMap::new(),
            scopes: mapping.scopes.clone(),
            collections: mapping.collections.clone(),
            expires_at: Some(certificate.not_after),
            is_program: true,
            reads_as_itself: mapping.scopes.contains(Scope::ReadAsService),
            key: None,
        }
    }

    /// The caller, asking as itself or for a person.
    pub(super) fn caller(self, acting: Option<Acting>) -> Caller {
        let Self { tenant, mut credential, .. } = self;
        let own = self.subject.clone().map_or_else(
            || nobody(tenant.clone()),
            |own| {
                let groups = Groups { named: self.groups, directory: Directory::Adds };
                subject(tenant.clone(), own, groups, self.attributes).with_source(AttributeSource::Keys)
            },
        );
        let (mut directory, mut scopes) = (Directory::Adds, self.scopes);
        let (reader, writer, acting_for) = match acting {
            Some(person) => {
                directory = person.groups.directory;
                if let Some(allowed) = &person.scopes {
                    scopes = scopes.intersect(allowed);
                }
                if let Credential::Key { on_behalf, .. } = &mut credential {
                    on_behalf.clone_from(&person.token);
                }
                let subject = subject(tenant, person.principal.clone(), person.groups, person.attributes);
                (subject.clone(), subject, Some(person.principal))
            }
            None if self.reads_as_itself => (own.clone(), own, None),
            None => (nobody(tenant), own, None),
        };
        Caller::new(Identity {
            credential,
            principal: self.subject,
            acting_for,
            reader,
            writer,
            scopes,
            ceiling: self.collections.map_or(Selection::All, Selection::Only),
            key: self.key,
            expires_at: self.expires_at,
            directory,
            task: Task::default(),
        })
    }
}

/// The holder of a person's own token.
pub(super) fn token_caller(token: VerifiedToken) -> Caller {
    let directory = token.groups.directory;
    let subject = subject(token.tenant, token.principal.clone(), token.groups, token.attributes);
    Caller::new(Identity {
        expires_at: Some(token.facts.expires_at),
        credential: Credential::Token(token.facts),
        key: None,
        principal: Some(token.principal),
        acting_for: None,
        reader: subject.clone(),
        writer: subject,
        scopes: token.scopes,
        ceiling: Selection::All,
        directory,
        task: Task::default(),
    })
}

/// The holder of a token for a task: what person, application and token all allow. `None` where the application no longer has the key's tenant.
pub(super) fn task_caller(token: TaskToken, held: HeldKey) -> Option<Caller> {
    let TaskToken { root, limits, .. } = token;
    let key = Arc::clone(&held.record);
    if key.tenant.as_ref() != Some(&root.tenant) || !key.scopes.contains(Scope::Act) {
        return None;
    }
    let facts =
        TokenFacts { issuer: root.issuer, expires_at: limits.expires_at, jti: root.jti, issued_at: root.issued_at };
    let directory = root.groups.directory;
    let reader = subject(root.tenant, root.person.clone(), root.groups, root.attributes);
    let of_key = key.collections.clone().map_or(Selection::All, Selection::Only);
    Some(Caller::new(Identity {
        credential: Credential::Task { key: key.id.clone(), id: root.id, subject: facts },
        principal: key.subject.clone(),
        acting_for: Some(root.person),
        reader: reader.clone(),
        writer: reader,
        scopes: limits.scopes.intersect(&key.scopes),
        ceiling: limits.collections.intersect(&of_key),
        key: Some(held),
        expires_at: Some(limits.expires_at),
        directory,
        task: Task { purpose: root.purpose, results_max: limits.results_max },
    }))
}

/// The verified subject of a person or service: their name, their groups, and `everyone`.
fn subject(
    tenant: TenantId,
    principal: Principal,
    groups: Groups,
    attributes: BTreeMap<String, AttributeValue>,
) -> Subject {
    let mut principals = groups.named;
    principals.extend([principal, Principal::everyone()]);
    let subject = assert_verified(tenant, principals, attributes);
    if groups.directory == Directory::IsLeftOut { subject.closed() } else { subject }
}

/// Reads nothing.
fn nobody(tenant: TenantId) -> Subject {
    assert_verified(tenant, BTreeSet::new(), BTreeMap::new())
}

#[expect(clippy::disallowed_methods, reason = "authentication is what verifies a subject")]
fn assert_verified(
    tenant: TenantId,
    principals: BTreeSet<Principal>,
    attributes: BTreeMap<String, AttributeValue>,
) -> Subject {
    Subject::assert_verified(tenant, principals, attributes)
}
