//! Tokens that are refused although their issuer still stands by them: one by its id, or all of a subject from before a moment.
//!
//! The committer changes the list before it acknowledges; requests in flight look again before their bytes leave.

use std::{
    collections::HashMap,
    fmt,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use data_encoding::HEXLOWER;
use ringfence_indexes::{Principal, TenantId, Timestamp};

use super::caller::TokenFacts;

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Whose tokens. Another tenant's are not touched, even of the same issuer.
    pub tenant: TenantId,
    /// Which.
    pub target: RevocationTarget,
    /// When the last token that it refuses has expired by itself: the entry is forgotten afterwards. `None` for never.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationTarget {
    /// One token.
    Token {
        /// The `iss` claim.
        issuer: String,
        /// The `jti` claim.
        jti: String,
    },
    /// Every token of a subject that was issued before a moment, or does not say when.
    Subject {
        /// The user or service.
        subject: Principal,
        /// The moment.
        issued_before: Timestamp,
    },
}

impl Revocation {
    /// A name for what is revoked: the same for the same token or subject.
    #[must_use]
    pub fn id(&self) -> String {
        let parts = match &self.target {
            RevocationTarget::Token { issuer, jti } => ["token", issuer, jti],
            RevocationTarget::Subject { subject, .. } => ["subject", subject.as_str(), ""],
        };
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        HEXLOWER.encode(&hasher.finalize().as_bytes()[..16])
    }

    /// Whether it has nothing left to refuse.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// One entry that refuses whatever one of both does. They are about the same token or subject.
    #[must_use]
    pub fn joined(self, before: &Self) -> Self {
        let target = match (self.target, &before.target) {
            (
                RevocationTarget::Subject { subject, issued_before },
                RevocationTarget::Subject { issued_before: earlier, .. },
            ) => RevocationTarget::Subject { subject, issued_before: issued_before.max(*earlier) },
            (target, _) => target,
        };
        // Without an end is later than any end.
        let expires_at = self.expires_at.zip(before.expires_at).map(|(one, other)| one.max(other));
        Self { target, expires_at, created_at: before.created_at, tenant: self.tenant }
    }
}

/// The list in memory.
#[derive(Default)]
pub struct Revocations(RwLock<HashMap<TenantId, HashMap<String, Revocation>>>);

impl Revocations {
    /// Adds or replaces an entry.
    pub fn insert(&self, revocation: Revocation) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(revocation.tenant.clone()).or_default().insert(revocation.id(), revocation);
    }

    /// Forgets the entries of a tenant that have nothing left to refuse.
    pub fn prune(&self, tenant: &TenantId, now: Timestamp) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entries) = all.get_mut(tenant) {
            entries.retain(|_, entry| !entry.is_over(now));
        }
    }

    /// Forgets a tenant.
    pub fn remove_tenant(&self, tenant: &TenantId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }

    /// One entry of a tenant.
    #[must_use]
    pub fn get(&self, tenant: &TenantId, id: &str) -> Option<Revocation> {
        self.read().get(tenant)?.get(id).cloned()
    }

    /// A tenant's entries after one of them, in the order of their ids.
    #[must_use]
    pub fn page(&self, tenant: &TenantId, after: Option<&str>, limit: usize) -> Vec<Revocation> {
        let all = self.read();
        let entries = all.get(tenant).into_iter().flatten();
        let mut entries: Vec<_> = entries.filter(|(id, _)| after.is_none_or(|after| id.as_str() > after)).collect();
        entries.sort_unstable_by(|left, right| left.0.cmp(right.0));
        entries.into_iter().take(limit).map(|(_, entry)| entry.clone()).collect()
    }

    /// Whether a token of this person is refused.
    pub(super) fn refuse(&self, tenant: &TenantId, person: &Principal, token: &TokenFacts) -> bool {
        let all = self.read();
        let Some(entries) = all.get(tenant).filter(|entries| !entries.is_empty()) else { return false };
        let named = |target: RevocationTarget| {
            let wanted = Revocation { tenant: tenant.clone(), target, expires_at: None, created_at: token.expires_at };
            entries.get(&wanted.id())
        };
        let by_id = token.jti.as_ref().is_some_and(|jti| {
            named(RevocationTarget::Token { issuer: token.issuer.clone(), jti: jti.clone() }).is_some()
        });
        let subject = RevocationTarget::Subject { subject: person.clone(), issued_before: token.expires_at };
        let by_subject = named(subject).is_some_and(|entry| match &entry.target {
            RevocationTarget::Subject { issued_before, .. } => {
                token.issued_at.is_none_or(|issued_at| issued_at < *issued_before)
            }
            RevocationTarget::Token { .. } => false,
        });
        by_id || by_subject
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<TenantId, HashMap<String, Revocation>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Revocations").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> TenantId {
        TenantId::new("acme").unwrap()
    }

    fn alice() -> Principal {
        Principal::new("user:alice").unwrap()
    }

    fn token(jti: Option<&str>, issued_at: Option<i64>) -> TokenFacts {
        TokenFacts {
            issuer: "https://idp.example".into(),
            expires_at: Timestamp(1_000),
            jti: jti.map(str::to_owned),
            issued_at: issued_at.map(Timestamp),
        }
    }

    fn entry(target: RevocationTarget, expires_at: Option<i64>) -> Revocation {
        Revocation { tenant: tenant(), target, expires_at: expires_at.map(Timestamp), created_at: Timestamp(5) }
    }

    fn before(moment: i64) -> RevocationTarget {
        RevocationTarget::Subject { subject: alice(), issued_before: Timestamp(moment) }
    }

    #[test]
    fn refuses_one_token_or_all_from_before_a_moment() {
        let list = Revocations::default();
        let refused = |jti, issued_at| list.refuse(&tenant(), &alice(), &token(jti, issued_at));
        assert!(!refused(Some("j1"), None));
        list.insert(entry(
            RevocationTarget::Token { issuer: "https://idp.example".into(), jti: "j1".into() },
            Some(1_000),
        ));
        assert!(refused(Some("j1"), Some(7)) && !refused(Some("j2"), Some(7)) && !refused(None, None));
        list.insert(entry(before(8), None));
        assert!(refused(None, Some(7)) && !refused(None, Some(8)));
        assert!(refused(Some("j2"), None), "a token that does not say when it was issued may be an old one");
        let other = Principal::new("user:bo").unwrap();
        assert!(!list.refuse(&tenant(), &other, &token(None, Some(7))));
        assert!(!list.refuse(&TenantId::new("globex").unwrap(), &alice(), &token(Some("j1"), Some(7))));
        list.prune(&tenant(), Timestamp(999));
        assert_eq!(list.page(&tenant(), None, 9).len(), 2);
        list.prune(&tenant(), Timestamp(1_000));
        assert_eq!(list.page(&tenant(), None, 9), [entry(before(8), None)]);
    }

    #[test]
    fn revoking_again_never_lets_back_in() {
        let joined = entry(before(3), Some(10)).joined(&entry(before(8), Some(20)));
        assert_eq!(joined, entry(before(8), Some(20)));
        assert_eq!(entry(before(9), Some(10)).joined(&entry(before(8), None)), entry(before(9), None));
    }
}
