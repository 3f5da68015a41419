//! Whom the directory lets ask: looked at when a credential is shown, and again before bytes leave.

use ringfence_indexes::{Principal, TenantId, Timestamp};

use super::{
    Authenticator, Unauthenticated,
    caller::{Authenticated, Caller, TokenFacts},
    token::Groups,
};

impl Authenticator {
    /// Refuses whom the directory does not let ask, in the words of every bad credential.
    pub(super) fn admitted(&self, authenticated: Authenticated) -> Result<Authenticated, Unauthenticated> {
        match &authenticated {
            Authenticated::Caller(caller) if !self.admits(caller) => Err(Unauthenticated::Invalid),
            _ => Ok(authenticated),
        }
    }

    /// The groups that a token of this moment means: not those that got a name since.
    pub(super) fn as_meant(&self, tenant: &TenantId, groups: Groups, issued_at: Option<Timestamp>) -> Groups {
        match self.parts.engine.names(tenant) {
            Some(names) => Groups { named: names.groups_at(groups.named, issued_at), ..groups },
            // A tenant that is gone is told of where something of it is asked for.
            None => groups,
        }
    }

    /// Whether the directory lets everybody ask whose credential it is and who is spoken for.
    pub(super) fn admits(&self, caller: &Caller) -> bool {
        let people = [caller.principal(), caller.acting_for()];
        people.into_iter().flatten().all(|name| self.admits_person(caller.tenant(), name, caller.token()))
    }

    /// Whether the directory lets somebody ask, and their token, if they have one, was made for who bears the name now.
    pub(super) fn admits_person(&self, tenant: &TenantId, name: &Principal, token: Option<&TokenFacts>) -> bool {
        // A tenant that is gone is told of where something of it is asked for.
        let Some(names) = self.parts.engine.names(tenant) else { return true };
        let is_theirs = match (names.borne_anew_since(name), token) {
            (Some(since), Some(token)) => token.issued_at.is_some_and(|issued_at| issued_at >= since),
            _ => true,
        };
        names.admits(name) && is_theirs
    }
}
