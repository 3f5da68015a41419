//! How often one key, one person and one tenant may ask, and how often one address may fail to say who asks.
//!
//! What is told about a limit concerns the asker alone: how much a tenant's other users ask is not said.

use std::{
    hash::Hash,
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

use axum::http::{HeaderName, HeaderValue};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use ringfence_indexes::{Principal, PrincipalKind, TenantId};

use super::problem::{Code, Problem};
use crate::{
    authn::{Authenticated, Caller, Credential},
    config::LimitsConfig,
};

/// The header that names a limit.
pub(super) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The header that says what is left of it.
pub(super) const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// A burst may be as large as this many seconds' worth.
const BURST_SECONDS: u32 = 2;
/// The same for failed authentications: a person with a mistyped key in a script should see 401, not 429.
const FAILURE_BURST_SECONDS: u32 = 10;
/// After how many requests the keys that have recovered are forgotten.
const FORGET_EVERY: u32 = 4_096;

/// The limits of a server.
pub(super) struct Limits {
    key: Limiter<String>,
    user: Limiter<(TenantId, Principal)>,
    tenant: Limiter<TenantId>,
    failures: Limiter<IpAddr>,
}

/// The refusal of a request that came too soon, with the headers that go beside it.
pub(super) struct TooSoon {
    pub(super) problem: Problem,
    pub(super) policy: HeaderValue,
    pub(super) state: HeaderValue,
}

impl Limits {
    pub(super) fn new(config: &LimitsConfig) -> Self {
        Self {
            key: Limiter::new("key", config.requests_per_second_key, BURST_SECONDS),
            user: Limiter::new("user", config.requests_per_second_user, BURST_SECONDS),
            tenant: Limiter::new("tenant", config.requests_per_second_tenant, BURST_SECONDS),
            failures: Limiter::new("failures", config.failed_authentications_per_second_address, FAILURE_BURST_SECONDS),
        }
    }

    /// Counts a request of somebody who is known.
    pub(super) fn check(&self, authenticated: &Authenticated) -> Result<(), Box<TooSoon>> {
        let caller = match authenticated {
            Authenticated::Operator(operator) => return self.key.check(&operator.key_id().to_owned()),
            Authenticated::Caller(caller) => caller,
        };
        self.key.check(&credential(caller))?;
        if let Some(person) = person(caller) {
            self.user.check(&(caller.tenant().clone(), person.clone()))?;
        }
        self.tenant.check(caller.tenant())
    }

    /// Counts a bad credential from an address. Secrets have 256 random bits, so this bounds noise and work rather than luck: a good credential from the same address is not held up.
    pub(super) fn check_failure(&self, address: IpAddr) -> Result<(), Box<TooSoon>> {
        self.failures.check(&address)
    }

    /// The limit of a key, for an answer that is 503 for another reason.
    pub(super) fn policy(&self) -> HeaderValue {
        self.key.policy()
    }
}

/// The credential as limits know it: its id, or whose token it is.
fn credential(caller: &Caller) -> String {
    match caller.credential() {
        Credential::Key { id, .. } => id.clone(),
        Credential::Task { key, .. } => key.clone(),
        Credential::Certificate(name) => format!("certificate\n{name}"),
        // A person with many tokens is one asker.
        Credential::Token(facts) => {
            let subject = caller.principal().map_or("", Principal::as_str);
            format!("{}\n{}\n{subject}", facts.issuer, caller.tenant())
        }
    }
}

/// The person who asks, or for whom is asked; a program that acts as itself has its key's limit alone.
fn person(caller: &Caller) -> Option<&Principal> {
    let named = caller.acting_for().or_else(|| caller.principal());
    named.filter(|principal| principal.kind() == PrincipalKind::User)
}

struct Limiter<K: Hash + Eq + Clone> {
    name: &'static str,
    per_second: u32,
    burst_seconds: u32,
    /// `None` for no limit.
    limiter: Option<DefaultKeyedRateLimiter<K>>,
    asked: AtomicU32,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(name: &'static str, per_second: u32, burst_seconds: u32) -> Self {
        let limiter = NonZeroU32::new(per_second).map(|rate| {
            let burst = rate.saturating_mul(NonZeroU32::new(burst_seconds).unwrap_or(NonZeroU32::MIN));
            RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))
        });
        Self { name, per_second, burst_seconds, limiter, asked: AtomicU32::new(0) }
    }

    fn check(&self, key: &K) -> Result<(), Box<TooSoon>> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if self.asked.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            limiter.retain_recent();
        }
        limiter.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            Box::new(self.too_soon(wait.as_secs() + 1))
        })
    }

    fn too_soon(&self, seconds: u64) -> TooSoon {
        let detail = match self.name {
            "failures" => "too many bad credentials came from this address: correct the credential, then try again",
            "user" => "this user asks faster than the limit allows",
            "tenant" => "this tenant asks faster than the limit allows",
            _ => "this credential asks faster than the limit allows",
        };
        let problem = Problem { retry_after_seconds: Some(seconds), ..Problem::new(Code::TooManyRequests, detail) };
        TooSoon { problem, policy: self.policy(), state: exhausted(self.name, seconds) }
    }

    fn policy(&self) -> HeaderValue {
        let quota = self.per_second.saturating_mul(self.burst_seconds);
        header(format!("\"{}\";q={quota};w={}", self.name, self.burst_seconds))
    }
}

/// The state of a limit that is used up.
pub(super) fn exhausted(name: &str, seconds: u64) -> HeaderValue {
    header(format!("\"{name}\";r=0;t={seconds}"))
}

fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("names and numbers are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_follows_waits() {
        let limiter = Limiter::new("key", 5, 2);
        for _ in 0..10 {
            assert!(limiter.check(&"a".to_owned()).is_ok());
        }
        let refused = limiter.check(&"a".to_owned()).unwrap_err();
        assert_eq!(refused.problem.code, Code::TooManyRequests);
        assert_eq!(refused.policy, "\"key\";q=10;w=2");
        assert_eq!(refused.state, "\"key\";r=0;t=1");
        assert!(limiter.check(&"b".to_owned()).is_ok(), "each key has its own");
    }

    #[test]
    fn zero_is_no_limit() {
        let limiter = Limiter::new("key", 0, 2);
        assert!((0..10_000).all(|_| limiter.check(&1).is_ok()));
    }
}
