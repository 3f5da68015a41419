//! API keys: made by operators for any tenant, and by credentials with the scope `keys` for their own.
//!
//! A key is never wider than the one that makes or rotates it, in any direction: scopes, collections, networks, time, and above all whose eyes it reads with.
//! A maker may give a key its own name, its own groups and attributes or fewer. To give it another name or other groups it needs to be a program with the scope `assert`, which speaks for anybody already; attributes are never asserted, so no others are given. What it was lent (the person it acts for, the groups and attributes in a token) is not its own.
//! A service key without a name of its own gets `service:<key id>`, which no ACL can name before the key is made.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ringfence_indexes::{AttributeValue, CollectionId, Principal, PrincipalKind, Selection, TenantId, Timestamp};
use secrecy::SecretString;

use super::{Administration, AdministrationError, Page};
use crate::{
    audit::Action,
    authn::{Caller, Credential, KeyKind, KeyRecord, Network, NewKey, PreviousSecret},
    authz::{ManageKeys, OperatorPermit, Permit, Scope, Scopes},
    commit::{Committed, Write},
    retrieval::answer::Answer,
};

/// Who manages keys.
#[derive(Debug)]
pub enum KeyManager {
    /// An operator: keys of every tenant, and operators' keys.
    Operator(OperatorPermit),
    /// A credential with the scope `keys`: keys of its own tenant.
    Tenant(Permit<ManageKeys>),
}

/// A key as it is asked for.
#[derive(Clone, Debug)]
pub struct KeyRequest {
    /// Whose; the maker's own where it says nothing.
    pub tenant: Option<TenantId>,
    /// Who will hold it.
    pub kind: KeyKind,
    /// A name for people.
    pub name: String,
    /// Whose key it is.
    pub subject: Option<Principal>,
    /// What it may do.
    pub scopes: Scopes,
    /// The collections it is limited to.
    pub collections: Option<BTreeSet<CollectionId>>,
    /// Groups of its subject.
    pub groups: BTreeSet<Principal>,
    /// Attributes of its subject.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// Networks that it may be used from.
    pub networks: Option<Vec<String>>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// A key that was made or got a new secret, with the string that is shown this once.
#[derive(Debug)]
pub struct IssuedKey {
    /// What is known of it.
    pub record: KeyRecord,
    /// The key itself.
    pub key: SecretString,
    /// The sealed revision.
    pub revision: String,
}

impl Administration {
    /// Makes a key.
    ///
    /// # Errors
    /// [`AdministrationError::Wider`] for one that is wider than its maker, [`AdministrationError::Field`] for one that makes no sense.
    pub async fn create_key(
        &self,
        manager: &KeyManager,
        request: KeyRequest,
        request_id: &str,
    ) -> Result<Answer<IssuedKey>, AdministrationError> {
        let new = NewKey::generate(&self.entropy, self.authenticator.keyring().hasher());
        let record = self.record_of(manager, request, &new)?;
        if let KeyManager::Tenant(permit) = manager {
            self.check_no_wider(permit.caller(), &record, Name::Fresh)?;
        }
        let write = Write::CreateKey(Box::new(record.clone()));
        let committed = self.commit_for(manager, write, 201, request_id).await.map_err(|error| match error {
            AdministrationError::NotFound => field("/tenant", "there is no such tenant"),
            other => other,
        })?;
        let issued = IssuedKey { record, key: new.key, revision: committed.revision };
        Ok(Answer::new(issued, committed.receipt))
    }

    /// The keys of a tenant after one of them; of all tenants for an operator that names none.
    ///
    /// # Errors
    /// [`AdministrationError`] where the answer cannot be recorded.
    pub async fn keys(
        &self,
        manager: &KeyManager,
        tenant: Option<&TenantId>,
        after: Option<&str>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<Page<Arc<KeyRecord>>>, AdministrationError> {
        let shown = |key: &KeyRecord| {
            manages(manager, key)
                && tenant.is_none_or(|tenant| key.tenant.as_ref() == Some(tenant))
                && after.is_none_or(|after| key.id.as_str() > after)
        };
        let mut records = self.authenticator.keyring().records(shown);
        records.truncate(limit + 1);
        let page = Page::cut(records, limit);
        let count = page.entries.len();
        match manager {
            KeyManager::Tenant(permit) => {
                self.recorded(permit.caller(), Action::ListKeys, None, count, page, request_id).await
            }
            KeyManager::Operator(permit) => {
                self.check_operator(permit)?;
                let actor = permit.operator().actor();
                self.recorded_as(tenant.cloned(), actor, Action::ListKeys, None, count, page, request_id).await
            }
        }
    }

    /// Gives a key a new secret; the old one is refused from then on, or after so many seconds.
    ///
    /// # Errors
    /// [`AdministrationError::Wider`] where whoever rotates would get a wider key than their own.
    pub async fn rotate_key(
        &self,
        manager: &KeyManager,
        id: &str,
        overlap_seconds: u32,
        request_id: &str,
    ) -> Result<Answer<IssuedKey>, AdministrationError> {
        let keyring = self.authenticator.keyring();
        let record = self.managed(manager, id)?;
        if let KeyManager::Tenant(permit) = manager
            && permit.caller().key_id() != Some(id)
        {
            self.check_no_wider(permit.caller(), &record, Name::Known)?;
        }
        let new = NewKey::with_id(id.to_owned(), &self.entropy, keyring.hasher());
        let overlap_micros = i64::from(overlap_seconds) * 1_000_000;
        let overlap_until = (overlap_micros > 0).then(|| Timestamp(self.clock.now().0.saturating_add(overlap_micros)));
        let previous = overlap_until.map(|until| PreviousSecret { hash: record.secret_hash, until });
        let record = KeyRecord { secret_hash: new.secret_hash, previous, ..KeyRecord::clone(&record) };
        let (tenant, secret_hash) = (record.tenant.clone(), new.secret_hash);
        let write = Write::RotateKey { tenant, id: id.to_owned(), secret_hash, overlap_until };
        let committed = self.commit_for(manager, write, 200, request_id).await?;
        let issued = IssuedKey { record, key: new.key, revision: committed.revision };
        Ok(Answer::new(issued, committed.receipt))
    }

    /// Revokes a key; gives the sealed revision.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none that may be managed.
    pub async fn delete_key(
        &self,
        manager: &KeyManager,
        id: &str,
        request_id: &str,
    ) -> Result<Answer<String>, AdministrationError> {
        let record = self.managed(manager, id)?;
        let write = Write::DeleteKey { tenant: record.tenant.clone(), id: id.to_owned() };
        let committed = self.commit_for(manager, write, 204, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    fn managed(&self, manager: &KeyManager, id: &str) -> Result<Arc<KeyRecord>, AdministrationError> {
        let record = self.authenticator.keyring().get(id).filter(|record| manages(manager, record));
        record.ok_or(AdministrationError::NotFound)
    }

    async fn commit_for(
        &self,
        manager: &KeyManager,
        write: Write,
        status: u16,
        request_id: &str,
    ) -> Result<Committed, AdministrationError> {
        match manager {
            KeyManager::Tenant(permit) => self.commit(permit.caller(), write, status, request_id).await,
            KeyManager::Operator(permit) => self.commit_operator(permit, write, status, request_id).await,
        }
    }

    fn record_of(
        &self,
        manager: &KeyManager,
        request: KeyRequest,
        new: &NewKey,
    ) -> Result<KeyRecord, AdministrationError> {
        check_request(&request, self.clock.now())?;
        let is_program = matches!(request.kind, KeyKind::Service | KeyKind::Agent);
        let own_name = || Principal::new(&format!("service:{}", new.id)).ok().filter(|_| is_program);
        Ok(KeyRecord {
            tenant: tenant_of(manager, &request)?,
            subject: request.subject.or_else(own_name),
            id: new.id.clone(),
            kind: request.kind,
            name: request.name,
            scopes: request.scopes,
            collections: request.collections,
            groups: request.groups,
            attributes: request.attributes,
            networks: request.networks,
            expires_at: request.expires_at,
            created_at: self.clock.now(),
            secret_hash: new.secret_hash,
            previous: None,
        })
    }

    /// Refuses a key that could do, reach or read anything that its maker cannot.
    fn check_no_wider(&self, maker: &Caller, key: &KeyRecord, name: Name) -> Result<(), AdministrationError> {
        let wider = |detail| Err(AdministrationError::Wider(detail));
        if key.kind == KeyKind::Operator {
            return wider("only an operator makes operator keys");
        }
        if !key.scopes.is_subset(maker.scopes()) {
            return wider("`scopes` has scopes that this credential lacks");
        }
        let within = match (&key.collections, maker.ceiling()) {
            (_, Selection::All) => true,
            (None, Selection::Only(_)) => false,
            (Some(asked), Selection::Only(own)) => asked.is_subset(own),
        };
        if !within {
            return wider("`collections` goes beyond those of this credential");
        }
        let own = maker.key_id().and_then(|id| self.authenticator.keyring().get(id));
        if let Some(own) = &own {
            if own.expires_at.is_some_and(|end| key.expires_at.is_none_or(|asked| asked > end)) {
                return wider("`expires_at` is later than that of this credential");
            }
            if !networks_within(key.networks.as_deref(), own.networks.as_deref()) {
                return wider("`networks` goes beyond those of this credential");
            }
        }
        let is_program = own.as_ref().is_some_and(|own| matches!(own.kind, KeyKind::Service | KeyKind::Agent));
        let acts_for_others = [Scope::Act, Scope::Assert].into_iter().any(|scope| key.scopes.contains(scope));
        if acts_for_others && !is_program {
            // A person's key may carry these scopes, but cannot use them; a program's made with it could.
            return wider("`act` and `assert` are given on by programs alone");
        }
        let may_speak_for_all = is_program && maker.scopes().contains(Scope::Assert);
        check_eyes(maker, may_speak_for_all, key, name).map_err(AdministrationError::Wider)
    }
}

/// Whether the manager may know of a key.
fn manages(manager: &KeyManager, key: &KeyRecord) -> bool {
    match manager {
        KeyManager::Operator(_) => true,
        KeyManager::Tenant(permit) => key.tenant.as_ref() == Some(permit.tenant()),
    }
}

/// Whether `service:<key id>` can be in an ACL already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    /// The key is being made.
    Fresh,
    /// The key exists.
    Known,
}

/// What a maker may give on of itself.
struct Own {
    principals: BTreeSet<Principal>,
    attributes: BTreeMap<String, AttributeValue>,
}

impl Own {
    fn of(maker: &Caller) -> Self {
        let named = || maker.principal().cloned().into_iter().collect();
        match (maker.credential(), maker.acting_for()) {
            // Lent by the person for this request: nothing of it outlives the request.
            (_, Some(_)) => Self { principals: BTreeSet::new(), attributes: BTreeMap::new() },
            // An issuer vouches for groups and attributes as long as its token lives, and no longer; a certificate for a name.
            (Credential::Token(_) | Credential::Certificate(_) | Credential::Task { .. }, None) => {
                Self { principals: named(), attributes: BTreeMap::new() }
            }
            (Credential::Key { .. }, None) => {
                let own = maker.writer();
                Self { principals: own.principals().clone(), attributes: own.attributes().clone() }
            }
        }
    }
}

/// Whose eyes a key would read and write with: those of its maker, or of a name nobody else has.
fn check_eyes(maker: &Caller, may_speak_for_all: bool, key: &KeyRecord, name: Name) -> Result<(), &'static str> {
    let own = Own::of(maker);
    if !key.attributes.iter().all(|(name, value)| own.attributes.get(name) == Some(value)) {
        return Err("`attributes` has some that this credential does not have itself");
    }
    if may_speak_for_all {
        return Ok(());
    }
    let is_fresh = name == Name::Fresh
        && key.subject.as_ref().is_some_and(|subject| subject.as_str() == format!("service:{}", key.id));
    let is_own = key.subject.as_ref().is_some_and(|subject| own.principals.contains(subject));
    if !is_fresh && !is_own {
        return Err("`subject` is not the one of this credential: naming another needs the scope `assert`");
    }
    if !key.groups.is_subset(&own.principals) {
        return Err("`groups` has some that this credential is not in: naming others needs the scope `assert`");
    }
    Ok(())
}

fn networks_within(asked: Option<&[String]>, own: Option<&[String]>) -> bool {
    let Some(own) = own else { return true };
    let own: Vec<Network> = own.iter().filter_map(|network| Network::parse(network)).collect();
    let covered =
        |network: &String| Network::parse(network).is_some_and(|network| own.iter().any(|outer| outer.covers(network)));
    asked.is_some_and(|asked| asked.iter().all(covered))
}

fn tenant_of(manager: &KeyManager, request: &KeyRequest) -> Result<Option<TenantId>, AdministrationError> {
    match (manager, request.kind, &request.tenant) {
        (KeyManager::Operator(_), KeyKind::Operator, None) => Ok(None),
        (KeyManager::Operator(_), KeyKind::Operator, Some(_)) => {
            Err(field("/tenant", "an operator's key belongs to no tenant"))
        }
        (KeyManager::Operator(_), _, Some(tenant)) => Ok(Some(tenant.clone())),
        (KeyManager::Operator(_), _, None) => Err(field("/tenant", "name the tenant of the key")),
        (KeyManager::Tenant(permit), ..) => match &request.tenant {
            Some(tenant) if tenant != permit.tenant() => {
                Err(AdministrationError::Wider("`tenant` is not the one of this credential"))
            }
            _ => Ok(Some(permit.tenant().clone())),
        },
    }
}

fn check_request(request: &KeyRequest, now: Timestamp) -> Result<(), AdministrationError> {
    let subject = request.subject.as_ref().map(Principal::kind);
    match (request.kind, subject) {
        (KeyKind::User, Some(PrincipalKind::User))
        | (KeyKind::Service | KeyKind::Agent, None | Some(PrincipalKind::Service))
        | (KeyKind::Operator, None) => {}
        (KeyKind::User, _) => return Err(field("/subject", "the key of a user names the user, such as `user:alice`")),
        (KeyKind::Service | KeyKind::Agent, _) => {
            return Err(field(
                "/subject",
                "the key of a program names a service, such as `service:wiki-sync`, or nobody",
            ));
        }
        (KeyKind::Operator, _) => return Err(field("/subject", "an operator's key is nobody's in a tenant")),
    }
    let has_rights = request.scopes.iter().next().is_some()
        || request.collections.is_some()
        || !request.groups.is_empty()
        || !request.attributes.is_empty();
    if request.kind == KeyKind::Operator && has_rights {
        return Err(field("/kind", "an operator's key has no scopes, collections, groups or attributes"));
    }
    let is_group = |group: &Principal| matches!(group.kind(), PrincipalKind::Group | PrincipalKind::Role);
    if let Some(index) = request.groups.iter().position(|group| !is_group(group)) {
        return Err(field(&format!("/groups/{index}"), "must start with `group:` or `role:`"));
    }
    let networks = request.networks.iter().flatten();
    if let Some(index) = networks.into_iter().position(|network| Network::parse(network).is_none()) {
        return Err(field(&format!("/networks/{index}"), "must be an address or a network such as `10.0.0.0/8`"));
    }
    if request.expires_at.is_some_and(|end| end <= now) {
        return Err(field("/expires_at", "lies in the past"));
    }
    Ok(())
}

fn field(pointer: &str, detail: &'static str) -> AdministrationError {
    AdministrationError::Field { pointer: pointer.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_a_key_lie_within_those_of_its_maker() {
        let list = |networks: &[&str]| networks.iter().map(|network| (*network).to_owned()).collect::<Vec<_>>();
        let own = list(&["10.0.0.0/8", "192.0.2.7"]);
        for (asked, expected) in [
            (None, false),
            (Some(list(&[])), true),
            (Some(list(&["10.1.0.0/16"])), true),
            (Some(list(&["10.1.0.0/16", "192.0.2.7"])), true),
            (Some(list(&["10.1.0.0/16", "192.0.2.8"])), false),
            (Some(list(&["0.0.0.0/0"])), false),
        ] {
            assert_eq!(networks_within(asked.as_deref(), Some(&own)), expected, "{asked:?}");
            assert!(networks_within(asked.as_deref(), None));
        }
    }
}
