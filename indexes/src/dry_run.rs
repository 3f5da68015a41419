//! Dry runs: what other tenant policies would open and close, before they are made.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use roaring::RoaringBitmap;

use crate::{
    acl::Timestamp,
    collection::Selection,
    engine::Engine,
    id::TenantId,
    policy::Policy,
    principal::{Principal, PrincipalKind},
    rules::Ruleset,
    simulate::Candidate,
    snapshot::Snapshot,
};

/// What other policies would open and close.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DryRun {
    /// For whom something opens, those of most passages first.
    pub opens: Vec<Difference>,
    /// For whom something closes, those of most passages first.
    pub closes: Vec<Difference>,
    /// How many passages open for somebody.
    pub opened_chunks: usize,
    /// How many passages close for somebody.
    pub closed_chunks: usize,
    /// How many principals were looked at.
    pub examined: usize,
    /// How many there was no time to look at.
    pub unexamined: usize,
    /// How many were looked at without their attributes, which are not known here.
    pub attributes_unknown: usize,
    /// The store's revision that was looked at.
    pub epoch: u64,
}

/// How much opens or closes for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Who.
    pub principal: Principal,
    /// How many passages.
    pub chunks: usize,
}

impl Engine {
    /// The tenant's policies.
    #[must_use]
    pub fn rules(&self, tenant: &TenantId) -> Option<Ruleset> {
        Some(self.snapshot(tenant)?.policy.rules.clone())
    }

    /// What other policies would change for some candidates and collections, until `is_over`; `None` where there is no such tenant.
    #[must_use]
    pub fn try_rules(
        &self,
        tenant: &TenantId,
        rules: &Ruleset,
        (candidates, within): (&[Candidate], &Selection),
        now: Timestamp,
        is_over: impl Fn() -> bool,
    ) -> Option<DryRun> {
        let snapshot = self.snapshot(tenant)?;
        let (before, after) = (&snapshot.policy, snapshot.policy.with_rules(Some(rules)));
        let mut by_name: BTreeMap<&Principal, Vec<&Candidate>> = BTreeMap::new();
        let mut order = Vec::new();
        for candidate in candidates {
            let theirs = by_name.entry(&candidate.supposed.name).or_default();
            if theirs.is_empty() {
                order.push(&candidate.supposed.name);
            }
            theirs.push(candidate);
        }
        let mut run = DryRun { epoch: snapshot.epoch, ..DryRun::default() };
        let (mut sizes, mut opened, mut closed) = (Sizes::of(&snapshot), RoaringBitmap::new(), RoaringBitmap::new());
        for (index, name) in order.iter().enumerate() {
            if is_over() {
                run.unexamined = order.len() - index;
                break;
            }
            let theirs = &by_name[name];
            run.examined += 1;
            run.attributes_unknown += usize::from(theirs.iter().any(|candidate| !candidate.attributes_known));
            let (was, will_be) = (readable(before, theirs, within, now), readable(&after, theirs, within, now));
            let (opens, closes) = (&will_be - &was, &was - &will_be);
            run.opens.extend(sizes.difference(name, &opens));
            run.closes.extend(sizes.difference(name, &closes));
            opened |= opens;
            closed |= closes;
        }
        (run.opened_chunks, run.closed_chunks) = (sizes.of_classes(&opened), sizes.of_classes(&closed));
        for differences in [&mut run.opens, &mut run.closes] {
            differences.sort_by_key(|difference| (Reverse(difference.chunks), difference.principal.clone()));
        }
        Some(run)
    }

    /// Everybody that the directory, the collections and the ACLs of a tenant name, people and services first, and at most so many.
    ///
    /// This is for those who see the whole tenant: a name can stand in one ACL alone.
    #[must_use]
    pub fn known_principals(&self, tenant: &TenantId, limit: usize) -> Vec<Principal> {
        let Some(snapshot) = self.snapshot(tenant) else { return Vec::new() };
        let policy = &snapshot.policy;
        let mut known = BTreeSet::from([Principal::everyone()]);
        known.extend(policy.directory.principals());
        // Who bore a name before is nobody now.
        let bearer = |principal: &Principal| policy.directory.named(principal);
        known.extend(policy.classes.principals().filter_map(bearer));
        for settings in policy.collections.values() {
            known.extend(settings.readers.iter().chain(&settings.writers).filter_map(bearer));
        }
        let rank = |principal: &Principal| match principal.kind() {
            PrincipalKind::User => 0,
            PrincipalKind::Service => 1,
            PrincipalKind::Group | PrincipalKind::Role | PrincipalKind::Everyone => 2,
        };
        let mut known: Vec<Principal> = known.into_iter().collect();
        known.sort_by_key(rank);
        known.truncate(limit);
        known
    }
}

/// What somebody reads, with one of their credentials or another.
fn readable(policy: &Policy, theirs: &[&Candidate], within: &Selection, now: Timestamp) -> RoaringBitmap {
    let one = |candidate: &&Candidate| {
        let supposed = &candidate.supposed;
        let decision = policy.suppose(supposed, within);
        policy.readable_at(&decision, &supposed.context, now)
    };
    theirs.iter().map(one).fold(RoaringBitmap::new(), |all, one| all | one)
}

/// How many passages each class has, counted when it is asked for.
struct Sizes<'a> {
    snapshot: &'a Snapshot,
    known: HashMap<u32, usize>,
}

impl<'a> Sizes<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, known: HashMap::new() }
    }

    fn of_classes(&mut self, classes: &RoaringBitmap) -> usize {
        let Self { snapshot, known } = self;
        let count = |class: u32| {
            let documents =
                snapshot.holdings.partitions.get(&class).into_iter().flat_map(|partition| partition.documents.values());
            documents.map(|document| document.chunks.len()).sum::<usize>()
        };
        classes.iter().map(|class| *known.entry(class).or_insert_with(|| count(class))).sum()
    }

    fn difference(&mut self, name: &Principal, classes: &RoaringBitmap) -> Option<Difference> {
        let has_some = !classes.is_empty();
        has_some.then(|| Difference { principal: name.clone(), chunks: self.of_classes(classes) })
    }
}
