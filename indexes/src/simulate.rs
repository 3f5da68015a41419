//! Simulations: what another ACL of one document would open and close.
//!
//! Both ACLs are put before the same policy, for each candidate in turn; nobody is read for.

use std::collections::BTreeSet;

use crate::{
    acl::{Acl, Timestamp},
    case::Case,
    engine::Engine,
    explain::Supposed,
    id::{CollectionId, DocumentId, TenantId},
    principal::Principal,
};

/// What another ACL of a document would open and close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// Who could read then, and cannot now.
    pub opens: BTreeSet<Principal>,
    /// Who can read now, and could not then.
    pub closes: BTreeSet<Principal>,
    /// Those for whom it hangs on attributes that are not known.
    pub depends_on_attributes: BTreeSet<Principal>,
    /// How many passages the document has.
    pub chunk_count: usize,
    /// The store's revision that was looked at.
    pub epoch: u64,
}

/// Whom a simulation looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Somebody.
    pub supposed: Supposed,
    /// Whether these are all their attributes.
    pub attributes_known: bool,
}

impl Engine {
    /// What another ACL would open and close for some candidates; `None` where there is no such document.
    #[must_use]
    pub fn simulate(
        &self,
        tenant: &TenantId,
        collection: &CollectionId,
        document: &DocumentId,
        acl: &Acl,
        candidates: &[Candidate],
        now: Timestamp,
    ) -> Option<Simulation> {
        let snapshot = self.snapshot(tenant)?;
        let record = snapshot.document(collection, document)?;
        let settings = snapshot.policy.collections.get(collection)?;
        let (before, after) = (Compared::new(&record.acl), Compared::new(acl));
        let mut outcome = Outcome::default();
        for candidate in candidates {
            let directory = &snapshot.policy.directory;
            let principals = directory.closure(&candidate.supposed.principals());
            let candidate = &Candidate { supposed: candidate.supposed.as_known_to(directory), ..candidate.clone() };
            let Supposed { attributes, context, .. } = &candidate.supposed;
            let (policy, principals, document) = (&snapshot.policy, &principals, Some(document));
            let case = Case { policy, settings, document, principals, attributes, context, now };
            outcome.note(candidate, &case, (&before, &after));
        }
        Some(Simulation {
            opens: &outcome.after - &outcome.before,
            closes: &outcome.before - &outcome.after,
            depends_on_attributes: outcome.unknown,
            chunk_count: record.chunks.len(),
            epoch: snapshot.epoch,
        })
    }

    /// Everybody that the directory and one document's policy name, in order, and at most so many.
    ///
    /// Other documents' ACLs are left out: whoever asks may not know of those documents.
    #[must_use]
    pub fn named_principals(
        &self,
        tenant: &TenantId,
        collection: &CollectionId,
        document: &DocumentId,
        limit: usize,
    ) -> BTreeSet<Principal> {
        let Some(snapshot) = self.snapshot(tenant) else { return BTreeSet::new() };
        let mut named = BTreeSet::from([Principal::everyone()]);
        // Who bore a name before is nobody now.
        let bearer = |principal: &Principal| snapshot.policy.directory.named(principal);
        if let Some(record) = snapshot.document(collection, document) {
            named.extend(record.acl.allow.iter().filter_map(bearer));
            named.extend(record.acl.deny.iter().cloned());
            named.extend(snapshot.policy.grants.holders(collection, document).filter_map(bearer));
        }
        if let Some(settings) = snapshot.policy.collections.get(collection) {
            named.extend(settings.readers.iter().chain(&settings.writers).filter_map(bearer));
        }
        named.extend(snapshot.policy.directory.principals());
        while named.len() > limit {
            named.pop_last();
        }
        named
    }
}

/// Who can read before and after a change. Of somebody with several credentials, one is enough.
#[derive(Default)]
struct Outcome {
    before: BTreeSet<Principal>,
    after: BTreeSet<Principal>,
    unknown: BTreeSet<Principal>,
}

impl Outcome {
    fn note(&mut self, candidate: &Candidate, case: &Case<'_>, (before, after): (&Compared, &Compared)) {
        let name = &candidate.supposed.name;
        if !candidate.attributes_known {
            let would = |compared: &Compared| case.permits(&compared.bare);
            let policies_decide = case.policy.rules.look_at_attributes();
            let hangs = |compared: &Compared| would(compared) && !compared.acl.require.is_empty();
            // Where the same is required before and after, it makes no difference.
            if would(before) && would(after) && before.acl.require == after.acl.require && !policies_decide {
                return;
            }
            if hangs(before) || hangs(after) || (policies_decide && case.is_reader() && before.acl != after.acl) {
                self.unknown.insert(name.clone());
                return;
            }
        }
        if case.permits(before.acl) {
            self.before.insert(name.clone());
        }
        if case.permits(after.acl) {
            self.after.insert(name.clone());
        }
    }
}

/// An ACL, and the same without its requirements.
struct Compared<'a> {
    acl: &'a Acl,
    bare: Acl,
}

impl<'a> Compared<'a> {
    fn new(acl: &'a Acl) -> Self {
        Self { acl, bare: Acl { require: BTreeSet::new(), ..acl.clone() } }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::{
        explain::tests::{NOW, acls, settings, supposed},
        policy::Policy,
    };

    proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 2048, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_simulation_compares_two_decisions(
            before in acls(), after in acls(), supposed in supposed(), known in any::<bool>(),
        ) {
            let principals = supposed.principals();
            let candidate = Candidate { supposed: supposed.clone(), attributes_known: known };
            let (policy, settings) = (Policy::empty(), settings(&principals));
            let case = Case {
                policy: &policy,
                settings: &settings,
                document: None,
                principals: &principals,
                attributes: &supposed.attributes,
                context: &supposed.context,
                now: NOW,
            };
            let mut outcome = Outcome::default();
            outcome.note(&candidate, &case, (&Compared::new(&before), &Compared::new(&after)));
            let permits = |acl: &Acl| acl.permits(&principals, &supposed.attributes, NOW);
            let found = (!outcome.before.is_empty(), !outcome.after.is_empty());
            if known || (before.require.is_empty() && after.require.is_empty()) {
                prop_assert!(outcome.unknown.is_empty());
                let stays = permits(&before) && permits(&after);
                prop_assert!(found == (permits(&before), permits(&after)) || stays);
            } else if outcome.unknown.is_empty() && before.require != after.require {
                // What is told without knowing the attributes holds whatever they are.
                prop_assert_eq!(found, (permits(&before), permits(&after)));
            }
        }
    }
}
