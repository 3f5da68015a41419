//! Emergency grants: declared, listed, ended.
//!
//! A person declares an emergency for themselves; a program that acts as itself, and an operator, for any person or program of the tenant. A credential with the scope `break_glass` alone sees and ends its person's own grants; with `acl` it ends all, and with `acl` or `audit` it sees all.
//! Whether what is named exists plays no part in the answer: who declares an emergency may not know of it.

use ringfence_indexes::{
    CollectionId, Covered, EmergencyGrant, GrantId, Principal, PrincipalKind, TenantId, Timestamp,
};

use super::{Administration, AdministrationError, Page};
use crate::{
    audit::{Action, Actor},
    authn::{Caller, KeyKind},
    authz::{DeclareEmergency, EndEmergency, OperatorPermit, Permit, Scope, ViewEmergencies},
    commit::{Committed, Write},
    retrieval::answer::Answer,
    store::{GrantRecord, GrantsAsked},
};

/// The longest that a grant may last, in minutes.
pub const GRANT_MINUTES_MAX: i64 = 240;
const MICROS_PER_MINUTE: i64 = 60_000_000;

/// Who is at work on emergency grants.
#[derive(Debug)]
pub enum Emergency<A> {
    /// An operator, in the tenant that it names.
    Operator(OperatorPermit, TenantId),
    /// A credential of a tenant.
    Tenant(Permit<A>),
}

/// A grant as it is asked for.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// Who is let in; the person who asks where it says nothing.
    pub principal: Option<Principal>,
    /// Where.
    pub collection: CollectionId,
    /// To which documents.
    pub documents: Covered,
    /// Why.
    pub reason: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A grant as it is shown.
#[derive(Debug)]
pub struct GrantShown {
    /// What is known of it; its holder by the name that is shown.
    pub record: GrantRecord,
    /// The moment at which it was looked at.
    pub now: Timestamp,
}

impl<A> Emergency<A> {
    fn tenant(&self) -> &TenantId {
        match self {
            Self::Operator(_, tenant) => tenant,
            Self::Tenant(permit) => permit.tenant(),
        }
    }

    fn actor(&self) -> Actor {
        match self {
            Self::Operator(permit, _) => permit.operator().actor(),
            Self::Tenant(permit) => permit.caller().actor(),
        }
    }

    fn author(&self) -> String {
        let by = |caller: &Caller| caller.acting_for().or_else(|| caller.principal()).map(ToString::to_string);
        match self {
            Self::Operator(permit, _) => format!("operator {}", permit.operator().key_id()),
            Self::Tenant(permit) => by(permit.caller()).unwrap_or_else(|| self.actor().credential),
        }
    }
}

impl Administration {
    /// Lets somebody in for a time; gives the grant with the sealed revision.
    ///
    /// # Errors
    /// [`AdministrationError::Field`] for what may not be asked.
    pub async fn declare_emergency(
        &self,
        who: &Emergency<DeclareEmergency>,
        request: GrantRequest,
        request_id: &str,
    ) -> Result<Answer<(GrantShown, String)>, AdministrationError> {
        let now = self.clock.now();
        let holder = self.holder(who, request.principal)?;
        if let Emergency::Tenant(permit) = who
            && !permit.caller().ceiling().contains(&request.collection)
        {
            return Err(field("/collection", "the credential is limited to other collections"));
        }
        if request.expires_at <= now {
            return Err(field("/expires_at", "lies in the past"));
        }
        if request.expires_at.0 - now.0 > GRANT_MINUTES_MAX * MICROS_PER_MINUTE {
            return Err(field("/expires_at", "lies more than four hours ahead: declare another one then"));
        }
        // A tenant that is gone took its keys with it; an operator is told that it is absent.
        let names = self.engine.names(who.tenant()).ok_or(AdministrationError::NotFound)?;
        let bearer = names.pin_all([holder.clone()].into()).pop_first().unwrap_or(holder);
        // In the order of the declarations, so that the newest can be listed first.
        let id = format!("{:014x}-{}", now.0.max(0), data_encoding::HEXLOWER.encode(&self.entropy.bytes::<8>()));
        let id = GrantId::new(&id).map_err(|_| field("", "the clock stands before 1970"))?;
        let GrantRequest { collection, documents, reason, expires_at, .. } = request;
        let grant = EmergencyGrant { id, holder: bearer, collection, documents, expires_at };
        let record = GrantRecord { grant, reason, declared_at: now, declared_by: who.author(), ended: None };
        let write = Write::DeclareGrant(who.tenant().clone(), Box::new(record.clone()));
        let committed = self.commit_emergency(who, write, 201, request_id).await?;
        tracing::warn!(
            tenant.id = %who.tenant(), grant.id = %record.grant.id, grant.holder = %record.grant.holder.name(),
            "an emergency was declared: somebody reads what no ACL lets them read"
        );
        let record = self.shown_grant(who.tenant(), record)?;
        Ok(Answer::new((GrantShown { record, now }, committed.revision), committed.receipt))
    }

    /// Who is let in.
    fn holder(
        &self,
        who: &Emergency<DeclareEmergency>,
        asked: Option<Principal>,
    ) -> Result<Principal, AdministrationError> {
        let person = match who {
            Emergency::Operator(..) => None,
            Emergency::Tenant(permit) if self.is_program(permit.caller()) => None,
            Emergency::Tenant(permit) => Some(own_name(permit.caller()).ok_or_else(nobody)?),
        };
        let holder = match (asked, person) {
            (Some(asked), Some(person)) if asked != person => {
                return Err(field("/principal", "a person declares an emergency for themselves alone"));
            }
            (Some(asked), _) => asked,
            (None, person) => person.ok_or_else(nobody)?,
        };
        match holder.kind() {
            PrincipalKind::User | PrincipalKind::Service => Ok(holder),
            _ => Err(field("/principal", "must be one person or program, such as `user:alice`: a group can grow")),
        }
    }

    /// The grants that the asker may see, the newest first.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where an operator names no tenant that there is.
    pub async fn emergencies(
        &self,
        who: &Emergency<ViewEmergencies>,
        before: Option<GrantId>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<Page<GrantShown>>, AdministrationError> {
        let asked = GrantsAsked { holder: self.seen_alone(who)?, before };
        let found = self.store.grants(who.tenant(), &asked, limit + 1).await?;
        let now = self.clock.now();
        let show = |record| Ok(GrantShown { record: self.shown_grant(who.tenant(), record)?, now });
        let page = Page::cut(found.into_iter().map(show).collect::<Result<Vec<_>, AdministrationError>>()?, limit);
        let count = page.entries.len();
        self.recorded_emergency(who, None, count, page, request_id).await
    }

    /// One grant.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none that the asker may see.
    pub async fn emergency(
        &self,
        who: &Emergency<ViewEmergencies>,
        id: &GrantId,
        request_id: &str,
    ) -> Result<Answer<GrantShown>, AdministrationError> {
        let alone = self.seen_alone(who)?;
        let found = self.store.grant(who.tenant(), id).await?;
        let found = found.filter(|record| alone.is_none_or(|holder| record.grant.holder == holder));
        let record = self.shown_grant(who.tenant(), found.ok_or(AdministrationError::NotFound)?)?;
        let shown = GrantShown { record, now: self.clock.now() };
        self.recorded_emergency(who, Some(id.to_string()), 1, shown, request_id).await
    }

    /// Ends a grant before its time; gives the sealed revision. One that is over stays over.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none that the asker may end.
    pub async fn end_emergency(
        &self,
        who: &Emergency<EndEmergency>,
        id: GrantId,
        request_id: &str,
    ) -> Result<Answer<String>, AdministrationError> {
        if let Emergency::Tenant(permit) = who
            && !permit.caller().scopes().contains(Scope::Acl)
        {
            let own = self.bearer_of(permit.caller())?;
            let found = self.store.grant(who.tenant(), &id).await?;
            if found.is_none_or(|record| record.grant.holder != own) {
                return Err(AdministrationError::NotFound);
            }
        }
        let write = Write::EndGrant { tenant: who.tenant().clone(), id, by: who.author() };
        let committed = self.commit_emergency(who, write, 204, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    /// The one holder whose grants the asker may see; `None` for all.
    fn seen_alone(&self, who: &Emergency<ViewEmergencies>) -> Result<Option<Principal>, AdministrationError> {
        let Emergency::Tenant(permit) = who else {
            let is_there = self.catalog.tenant(who.tenant()).is_some();
            return if is_there { Ok(None) } else { Err(AdministrationError::NotFound) };
        };
        let sees_all = [Scope::Acl, Scope::Audit].iter().any(|scope| permit.caller().scopes().contains(*scope));
        if sees_all || self.is_program(permit.caller()) {
            return Ok(None);
        }
        self.bearer_of(permit.caller()).map(Some)
    }

    /// Who the asking person is in the directory.
    fn bearer_of(&self, caller: &Caller) -> Result<Principal, AdministrationError> {
        let name = own_name(caller).ok_or(AdministrationError::NotFound)?;
        let names = self.engine.names(caller.tenant()).ok_or(AdministrationError::CredentialGone)?;
        names.pin_all([name].into()).pop_first().ok_or(AdministrationError::NotFound)
    }

    /// Whether a program asks on behalf of nobody.
    fn is_program(&self, caller: &Caller) -> bool {
        let record = caller.key_id().and_then(|id| self.authenticator.keyring().get(id));
        caller.acting_for().is_none() && record.is_some_and(|key| matches!(key.kind, KeyKind::Service | KeyKind::Agent))
    }

    /// A grant with its holder's name, or that of a former bearer.
    fn shown_grant(&self, tenant: &TenantId, record: GrantRecord) -> Result<GrantRecord, AdministrationError> {
        let names = self.engine.names(tenant).ok_or(AdministrationError::NotFound)?;
        let holder = names.shown_all(&[record.grant.holder.clone()].into()).pop_first();
        let holder = holder.unwrap_or_else(|| record.grant.holder.name());
        Ok(GrantRecord { grant: EmergencyGrant { holder, ..record.grant }, ..record })
    }

    async fn commit_emergency<A>(
        &self,
        who: &Emergency<A>,
        write: Write,
        status: u16,
        request_id: &str,
    ) -> Result<Committed, AdministrationError> {
        match who {
            Emergency::Operator(permit, _) => self.commit_operator(permit, write, status, request_id).await,
            Emergency::Tenant(permit) => self.commit(permit.caller(), write, status, request_id).await,
        }
    }

    async fn recorded_emergency<T>(
        &self,
        who: &Emergency<ViewEmergencies>,
        resource: Option<String>,
        count: usize,
        body: T,
        request_id: &str,
    ) -> Result<Answer<T>, AdministrationError> {
        match who {
            Emergency::Operator(permit, tenant) => {
                self.check_operator(permit)?;
                let tenant = Some(tenant.clone());
                self.recorded_as(tenant, who.actor(), Action::ListGrants, resource, count, body, request_id).await
            }
            Emergency::Tenant(permit) => {
                self.recorded(permit.caller(), Action::ListGrants, resource, count, body, request_id).await
            }
        }
    }
}

/// The person or program that asks.
fn own_name(caller: &Caller) -> Option<Principal> {
    caller.acting_for().or_else(|| caller.principal()).cloned()
}

fn nobody() -> AdministrationError {
    field("/principal", "say who is to be let in")
}

fn field(pointer: &str, detail: &'static str) -> AdministrationError {
    AdministrationError::Field { pointer: pointer.to_owned(), detail }
}
