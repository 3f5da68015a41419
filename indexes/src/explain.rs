//! Explanations: the policy's decision on one document taken apart, and what another ACL would open and close.
//!
//! Nothing of a document but its ACL and its size is looked at, and whoever is asked about is only supposed: a supposition has no [`Subject`](crate::Subject) and so reads nothing. [`Acl::permits`] stays the one function that decides; the parts only say why.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    acl::{Acl, Requirement, Timestamp},
    directory::Directory,
    engine::Engine,
    id::{CollectionId, DocumentId, TenantId},
    principal::{AttributeValue, Principal},
    snapshot::Snapshot,
};

/// Somebody as they are supposed to be; nobody vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supposed {
    /// Their name.
    pub name: Principal,
    /// Groups that their credential would bring, beside the directory's.
    pub groups: BTreeSet<Principal>,
    /// Attributes that their credential would bring.
    pub attributes: BTreeMap<String, AttributeValue>,
}

/// Why somebody may read a document, or may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether they may.
    pub readable: bool,
    /// Every condition of the policy, in the order in which they are told.
    pub checks: Vec<Check>,
    /// The smallest change after which it is the other way round: each of them is needed.
    pub flip: Vec<Amendment>,
    /// The store's revision that was looked at. It counts others' doings, so it never leaves the server.
    pub epoch: u64,
}

/// One condition of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which.
    pub rule: Rule,
    /// Whether it holds.
    pub holds: bool,
    /// The entries that name the person, or a group they belong to.
    pub matches: Vec<Match>,
}

/// A part of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The directory must let the person ask; told only where it does not.
    Directory,
    /// One of the collection's readers must match.
    Readers,
    /// No entry of `deny` may match.
    Deny,
    /// An entry of `allow` must match.
    Allow,
    /// The requirement must hold.
    Require(Requirement),
    /// Readable from this moment on.
    NotBefore(Timestamp),
    /// Readable before this moment only.
    ExpiresAt(Timestamp),
}

/// An entry that names the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The entry.
    pub entry: Principal,
    /// From the person over the groups to the entry, the shortest way.
    pub path: Vec<Principal>,
}

/// One change of who may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amendment {
    /// To let the directory know the person as an active user.
    Activate(Principal),
    /// To name a principal among the collection's readers.
    AddReader(Principal),
    /// To name a principal in `allow`.
    AddAllow(Principal),
    /// To take a principal out of `allow`.
    RemoveAllow(Principal),
    /// To name a principal in `deny`.
    AddDeny(Principal),
    /// To take a principal out of `deny`.
    RemoveDeny(Principal),
    /// To give the person what a requirement asks for, or to take the requirement away.
    Satisfy(Requirement),
    /// To let the window begin by now.
    BeginNow,
    /// To let the window end later, or never.
    EndLater,
}

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
    /// Why somebody may read a document or not; `None` where there is no such document.
    #[must_use]
    pub fn explain(
        &self,
        tenant: &TenantId,
        collection: &CollectionId,
        document: &DocumentId,
        supposed: &Supposed,
        now: Timestamp,
    ) -> Option<Explanation> {
        let snapshot = self.snapshot(tenant)?;
        let record = snapshot.document(collection, document)?;
        let readers = &snapshot.policy.collections.get(collection)?.readers;
        let ways = Ways::of(&snapshot, supposed);
        let supposed = supposed.as_known_to(&snapshot.policy.directory);
        let mut explanation = explain(&ways, readers, &record.acl, &supposed, now);
        explanation.epoch = snapshot.epoch;
        Some(explanation)
    }

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
        let readers = &snapshot.policy.collections.get(collection)?.readers;
        let (before, after) = (Compared::new(&record.acl), Compared::new(acl));
        let mut outcome = Outcome::default();
        for candidate in candidates {
            let directory = &snapshot.policy.directory;
            let principals = directory.closure(&candidate.supposed.principals());
            let candidate = &Candidate { supposed: candidate.supposed.as_known_to(directory), ..candidate.clone() };
            if !readers.is_disjoint(&principals) {
                outcome.note(candidate, &principals, (&before, &after), now);
            }
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
        let bearer = |principal: &Principal| {
            let name = principal.name();
            (snapshot.policy.directory.bearer(&name) == *principal).then_some(name)
        };
        if let Some(record) = snapshot.document(collection, document) {
            named.extend(record.acl.allow.iter().filter_map(bearer));
            named.extend(record.acl.deny.iter().cloned());
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

impl Supposed {
    /// Name, groups and `everyone`, as a verified subject has them.
    fn principals(&self) -> BTreeSet<Principal> {
        let own = [self.name.clone(), Principal::everyone()];
        self.groups.iter().cloned().chain(own).collect()
    }

    /// The same with the attributes that count.
    fn as_known_to(&self, directory: &Directory) -> Self {
        let attributes = directory.attributes(&self.principals(), &self.attributes, None);
        Self { attributes, ..self.clone() }
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
    fn note(
        &mut self,
        candidate: &Candidate,
        principals: &BTreeSet<Principal>,
        (before, after): (&Compared, &Compared),
        now: Timestamp,
    ) {
        let Supposed { name, attributes, .. } = &candidate.supposed;
        if !candidate.attributes_known {
            let would = |compared: &Compared| compared.bare.permits(principals, attributes, now);
            let hangs = |compared: &Compared| would(compared) && !compared.acl.require.is_empty();
            // Where the same is required before and after, it makes no difference.
            if would(before) && would(after) && before.acl.require == after.acl.require {
                return;
            }
            if hangs(before) || hangs(after) {
                self.unknown.insert(name.clone());
                return;
            }
        }
        if before.acl.permits(principals, attributes, now) {
            self.before.insert(name.clone());
        }
        if after.acl.permits(principals, attributes, now) {
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

/// How somebody comes to each of their principals.
struct Ways {
    name: Principal,
    is_admitted: bool,
    principals: BTreeSet<Principal>,
    /// From each plain name to the one that it came from.
    from: BTreeMap<Principal, Option<Principal>>,
}

impl Ways {
    fn of(snapshot: &Snapshot, supposed: &Supposed) -> Self {
        let directory = &snapshot.policy.directory;
        let own = supposed.principals();
        Self {
            name: supposed.name.clone(),
            is_admitted: directory.admits(&supposed.name),
            principals: directory.closure_of_bearers(&own),
            from: directory.ways(&own),
        }
    }

    /// The entries that name the person as the present bearer of the name.
    fn matches(&self, named: &BTreeSet<Principal>) -> Vec<Match> {
        let matched = named.iter().filter(|entry| self.principals.contains(entry)).map(Principal::name);
        matched.map(|entry| Match { path: self.path(&entry), entry }).collect()
    }

    /// The entries that name the person, whoever bears the name.
    fn matches_by_name(&self, named: &BTreeSet<Principal>) -> Vec<Match> {
        let matched = named.iter().filter(|entry| self.from.contains_key(*entry)).cloned();
        matched.map(|entry| Match { path: self.path(&entry), entry }).collect()
    }

    fn path(&self, entry: &Principal) -> Vec<Principal> {
        let mut path = vec![entry.clone()];
        let mut last = entry;
        while let Some(Some(before)) = self.from.get(last) {
            path.push(before.clone());
            last = before;
        }
        // What the credential brings is the person's own.
        if *last != self.name {
            path.push(self.name.clone());
        }
        path.reverse();
        path
    }
}

fn explain(ways: &Ways, readers: &BTreeSet<Principal>, acl: &Acl, supposed: &Supposed, now: Timestamp) -> Explanation {
    let checks = checks(ways, readers, acl, supposed, now);
    let readable = ways.is_admitted
        && !readers.is_disjoint(&ways.principals)
        && acl.permits(&ways.principals, &supposed.attributes, now);
    debug_assert_eq!(readable, checks.iter().all(|check| check.holds), "the parts decide as the policy does");
    let flip = if readable { vec![closing(acl, ways)] } else { opening(&checks, &supposed.name) };
    Explanation { readable, checks, flip, epoch: 0 }
}

fn checks(ways: &Ways, readers: &BTreeSet<Principal>, acl: &Acl, supposed: &Supposed, now: Timestamp) -> Vec<Check> {
    let named = |rule: Rule, named: &BTreeSet<Principal>| {
        let matches = if rule == Rule::Deny { ways.matches_by_name(named) } else { ways.matches(named) };
        let holds = matches.is_empty() == (rule == Rule::Deny);
        Check { rule, holds, matches }
    };
    let plain = |rule: Rule, holds: bool| Check { rule, holds, matches: Vec::new() };
    let mut checks = Vec::new();
    if !ways.is_admitted {
        checks.push(plain(Rule::Directory, false));
    }
    checks.extend([named(Rule::Readers, readers), named(Rule::Deny, &acl.deny), named(Rule::Allow, &acl.allow)]);
    for requirement in &acl.require {
        checks.push(plain(Rule::Require(requirement.clone()), requirement.holds(&supposed.attributes)));
    }
    checks.extend(acl.not_before.map(|start| plain(Rule::NotBefore(start), start <= now)));
    checks.extend(acl.expires_at.map(|end| plain(Rule::ExpiresAt(end), now < end)));
    checks
}

/// One change that closes a document to somebody, and to as few others as can be.
fn closing(acl: &Acl, ways: &Ways) -> Amendment {
    let matched = ways.matches(&acl.allow);
    let alone = matched.len() == 1 && matched[0].entry == ways.name && ways.name != Principal::everyone();
    if alone { Amendment::RemoveAllow(ways.name.clone()) } else { Amendment::AddDeny(ways.name.clone()) }
}

/// The changes that open a document to somebody: one for each condition that fails, and for each entry that denies.
fn opening(checks: &[Check], name: &Principal) -> Vec<Amendment> {
    let mut amendments = Vec::new();
    for check in checks.iter().filter(|check| !check.holds) {
        match &check.rule {
            Rule::Directory => amendments.push(Amendment::Activate(name.clone())),
            Rule::Readers => amendments.push(Amendment::AddReader(name.clone())),
            Rule::Allow => amendments.push(Amendment::AddAllow(name.clone())),
            Rule::Deny => {
                amendments.extend(check.matches.iter().map(|denied| Amendment::RemoveDeny(denied.entry.clone())));
            }
            Rule::Require(requirement) => amendments.push(Amendment::Satisfy(requirement.clone())),
            Rule::NotBefore(_) => amendments.push(Amendment::BeginNow),
            Rule::ExpiresAt(_) => amendments.push(Amendment::EndLater),
        }
    }
    amendments
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_assert_ne, proptest};

    use super::*;
    use crate::acl::Condition;

    const NAMES: [&str; 8] = ["user:a", "user:b", "group:x", "group:y", "group:z", "role:r", "service:s", "everyone"];
    const NOW: Timestamp = Timestamp(15);

    fn principal(index: usize) -> Principal {
        Principal::new(NAMES[index]).unwrap()
    }

    fn names() -> impl Strategy<Value = BTreeSet<Principal>> {
        prop::collection::btree_set((0..NAMES.len()).prop_map(principal), 0..4)
    }

    fn requirements() -> impl Strategy<Value = BTreeSet<Requirement>> {
        let condition = (any::<bool>(), 0..3_i64).prop_map(|(number, bound)| {
            let words = ["eu", "uk"].into_iter().take(usize::try_from(bound).unwrap()).map(str::to_owned).collect();
            if number { Condition::AtLeast(bound) } else { Condition::In(words) }
        });
        let one = ("[pq]", condition).prop_map(|(attribute, condition)| Requirement { attribute, condition });
        prop::collection::btree_set(one, 0..3)
    }

    fn acls() -> impl Strategy<Value = Acl> {
        let edge = || prop::option::of((10..20_i64).prop_map(Timestamp));
        (names(), names(), requirements(), edge(), edge()).prop_map(|(allow, deny, require, not_before, expires_at)| {
            Acl { allow, deny, require, not_before, expires_at }
        })
    }

    fn supposed() -> impl Strategy<Value = Supposed> {
        let value = (0..3_u8, 0..3_i64).prop_map(|(kind, value)| match kind {
            0 => AttributeValue::Integer(value),
            1 => AttributeValue::Text("eu".to_owned()),
            _ => AttributeValue::Texts(BTreeSet::from(["uk".to_owned()])),
        });
        let attributes = prop::collection::btree_map("[pq]", value, 0..3);
        let groups = prop::collection::btree_set((2..6_usize).prop_map(principal), 0..3);
        (0..NAMES.len(), groups, attributes).prop_map(|(name, groups, attributes)| Supposed {
            name: principal(name),
            groups,
            attributes,
        })
    }

    fn directories() -> impl Strategy<Value = Directory> {
        prop::collection::vec((2..5_usize, names()), 0..5).prop_map(|groups| {
            let mut directory = Directory::default();
            groups.into_iter().for_each(|(group, members)| directory.put(&principal(group), members));
            directory
        })
    }

    /// The policy after some changes; a requirement is satisfied by taking it away.
    fn amended(readers: &BTreeSet<Principal>, acl: &Acl, amendments: &[Amendment]) -> (BTreeSet<Principal>, Acl) {
        let (mut readers, mut acl) = (readers.clone(), acl.clone());
        for amendment in amendments {
            match amendment.clone() {
                Amendment::Activate(_) => {}
                Amendment::AddReader(name) => drop(readers.insert(name)),
                Amendment::AddAllow(name) => drop(acl.allow.insert(name)),
                Amendment::RemoveAllow(name) => drop(acl.allow.remove(&name)),
                Amendment::AddDeny(name) => drop(acl.deny.insert(name)),
                Amendment::RemoveDeny(name) => drop(acl.deny.remove(&name)),
                Amendment::Satisfy(requirement) => drop(acl.require.remove(&requirement)),
                Amendment::BeginNow => acl.not_before = Some(NOW),
                Amendment::EndLater => acl.expires_at = None,
            }
        }
        (readers, acl)
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 2048, failure_persistence: None, ..Default::default() })]

        #[test]
        fn an_explanation_agrees_with_the_policy_and_its_change_flips_it(
            readers in names(), acl in acls(), supposed in supposed(), directory in directories(),
        ) {
            let mut snapshot = Snapshot::empty([0; 32], 0);
            let mut policy = (*snapshot.policy).clone();
            policy.directory = directory;
            snapshot.policy = policy.into();
            let ways = Ways::of(&snapshot, &supposed);
            let principals = snapshot.policy.directory.closure(&supposed.principals());
            let permits = |readers: &BTreeSet<Principal>, acl: &Acl| {
                !readers.is_disjoint(&principals) && acl.permits(&principals, &supposed.attributes, NOW)
            };
            let explanation = explain(&ways, &readers, &acl, &supposed, NOW);
            prop_assert_eq!(explanation.readable, permits(&readers, &acl));
            prop_assert_eq!(explanation.readable, explanation.checks.iter().all(|check| check.holds));
            for found in explanation.checks.iter().flat_map(|check| &check.matches) {
                prop_assert_eq!(found.path.first(), Some(&supposed.name));
                prop_assert_eq!(found.path.last(), Some(&found.entry));
                let mut steps = found.path.windows(2);
                prop_assert!(steps.all(|step| supposed.principals().contains(&step[1])
                    || snapshot.policy.directory.closure(&[step[0].clone()].into()).contains(&step[1])));
            }
            let (flipped_readers, flipped) = amended(&readers, &acl, &explanation.flip);
            prop_assert_ne!(permits(&flipped_readers, &flipped), explanation.readable, "{:?}", explanation.flip);
            for left_out in 0..explanation.flip.len() {
                let mut fewer = explanation.flip.clone();
                fewer.remove(left_out);
                let (some_readers, some) = amended(&readers, &acl, &fewer);
                prop_assert_eq!(permits(&some_readers, &some), explanation.readable, "without one it does not flip");
            }
        }

        #[test]
        fn a_simulation_compares_two_decisions(
            before in acls(), after in acls(), supposed in supposed(), known in any::<bool>(),
        ) {
            let principals = supposed.principals();
            let candidate = Candidate { supposed: supposed.clone(), attributes_known: known };
            let mut outcome = Outcome::default();
            outcome.note(&candidate, &principals, (&Compared::new(&before), &Compared::new(&after)), NOW);
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
