//! Explanations: the policy's decision on one document taken apart.
//!
//! Nothing of a document but its ACL and its size is looked at, and whoever is asked about is only supposed: a supposition has no [`Subject`](crate::Subject) and so reads nothing. [`Acl::permits`] stays the one function that decides; the parts only say why.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    acl::{Acl, Requirement, Timestamp},
    case::Case,
    collection::Collection,
    directory::Directory,
    engine::Engine,
    id::{CollectionId, DocumentId, GrantId, PolicyName, TenantId},
    policy::Policy,
    principal::{AttributeValue, Principal},
    rules::{Effect, Reason, RequestContext},
};

/// Somebody as they are supposed to be; nobody vouches for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Supposed {
    /// Their name.
    pub name: Principal,
    /// Groups that their credential would bring, beside the directory's.
    pub groups: BTreeSet<Principal>,
    /// Attributes that their credential would bring.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// What would be known of their request.
    pub context: RequestContext,
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
    /// A tenant policy stands in for an entry of `allow`.
    Permit(PolicyName),
    /// A tenant policy must not forbid.
    Forbid(PolicyName),
    /// An emergency grant stands in for readers and for an entry of `allow`.
    EmergencyGrant(GrantId),
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
    /// To delete a tenant policy, or to change it so that it leaves this out.
    LiftPolicy(PolicyName),
    /// To end an emergency grant.
    EndGrant(GrantId),
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
        let settings = snapshot.policy.collections.get(collection)?;
        let supposed = supposed.as_known_to(&snapshot.policy.directory);
        let mut explanation = explain(&snapshot.policy, (settings, document), &record.acl, &supposed, now);
        explanation.epoch = snapshot.epoch;
        Some(explanation)
    }
}

impl Supposed {
    /// Name, groups and `everyone`, as a verified subject has them.
    pub(crate) fn principals(&self) -> BTreeSet<Principal> {
        let own = [self.name.clone(), Principal::everyone()];
        self.groups.iter().cloned().chain(own).collect()
    }

    /// The same with the attributes that count.
    pub(crate) fn as_known_to(&self, directory: &Directory) -> Self {
        let attributes = directory.attributes(&self.principals(), &self.attributes, None);
        Self { attributes, ..self.clone() }
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
    fn of(policy: &Policy, supposed: &Supposed) -> Self {
        let own = supposed.principals();
        Self {
            name: supposed.name.clone(),
            is_admitted: policy.directory.admits(&supposed.name),
            principals: policy.directory.closure_of_bearers(&own),
            from: policy.directory.ways(&own),
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

fn explain(
    policy: &Policy,
    (settings, document): (&Collection, &DocumentId),
    acl: &Acl,
    supposed: &Supposed,
    now: Timestamp,
) -> Explanation {
    let ways = Ways::of(policy, supposed);
    let Supposed { attributes, context, .. } = supposed;
    let document = Some(document);
    let case = Case { policy, settings, document, principals: &ways.principals, attributes, context, now };
    let reasons = case.reasons(acl);
    let mut checks = checks(&ways, settings, acl, &reasons, supposed, now);
    let (grants, of_right) = (case.grants(), case.has_of_right(acl, &reasons));
    if !of_right && !grants.is_empty() {
        // Told in the place of what they stand in for.
        checks.retain(|check| check.holds || !matches!(check.rule, Rule::Readers | Rule::Allow));
        let stands_in =
            |id: &GrantId| Check { rule: Rule::EmergencyGrant(id.clone()), holds: true, matches: Vec::new() };
        checks.extend(grants.iter().map(stands_in));
    }
    let readable = ways.is_admitted && case.permits_for(acl, &reasons);
    debug_assert_eq!(readable, checks.iter().all(|check| check.holds), "the parts decide as the policy does");
    let flip = if !readable {
        opening(&checks, &supposed.name)
    } else if of_right {
        // A grant opens what is taken out of `allow`, and nothing that is denied.
        vec![closing(acl, &ways, policy.rules.may_permit() || !grants.is_empty())]
    } else {
        grants.into_iter().map(Amendment::EndGrant).collect()
    };
    Explanation { readable, checks, flip, epoch: 0 }
}

fn checks(
    ways: &Ways,
    settings: &Collection,
    acl: &Acl,
    reasons: &BTreeSet<Reason>,
    supposed: &Supposed,
    now: Timestamp,
) -> Vec<Check> {
    let named = |rule: Rule, named: &BTreeSet<Principal>| {
        let matches = if rule == Rule::Deny { ways.matches_by_name(named) } else { ways.matches(named) };
        let holds = matches.is_empty() == (rule == Rule::Deny);
        Check { rule, holds, matches }
    };
    let plain = |rule: Rule, holds: bool| Check { rule, holds, matches: Vec::new() };
    let by = |effect: Effect| reasons.iter().filter(move |reason| reason.effect == effect);
    let mut checks = Vec::new();
    if !ways.is_admitted {
        checks.push(plain(Rule::Directory, false));
    }
    checks.extend([named(Rule::Readers, &settings.readers), named(Rule::Deny, &acl.deny)]);
    let allow = named(Rule::Allow, &acl.allow);
    match by(Effect::Permit).next().filter(|_| !allow.holds) {
        Some(permit) => checks.push(plain(Rule::Permit(permit.policy.clone()), true)),
        None => checks.push(allow),
    }
    for requirement in &acl.require {
        checks.push(plain(Rule::Require(requirement.clone()), requirement.holds(&supposed.attributes)));
    }
    checks.extend(acl.not_before.map(|start| plain(Rule::NotBefore(start), start <= now)));
    checks.extend(acl.expires_at.map(|end| plain(Rule::ExpiresAt(end), now < end)));
    checks.extend(by(Effect::Forbid).map(|forbid| plain(Rule::Forbid(forbid.policy.clone()), false)));
    checks
}

/// One change that closes a document to somebody, and to as few others as can be; `others_stand_in` says whether something may stand in for `allow`.
fn closing(acl: &Acl, ways: &Ways, others_stand_in: bool) -> Amendment {
    let matched = ways.matches(&acl.allow);
    let alone = matched.len() == 1 && matched[0].entry == ways.name && ways.name != Principal::everyone();
    // Only `deny` is sure to close then.
    if alone && !others_stand_in {
        Amendment::RemoveAllow(ways.name.clone())
    } else {
        Amendment::AddDeny(ways.name.clone())
    }
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
            Rule::Forbid(policy) => amendments.push(Amendment::LiftPolicy(policy.clone())),
            // They are told only where they hold.
            Rule::Permit(_) | Rule::EmergencyGrant(_) => {}
        }
    }
    amendments
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_assert_ne, proptest};

    use super::*;
    use crate::{acl::Condition, collection::VectorSource};

    const NAMES: [&str; 8] = ["user:a", "user:b", "group:x", "group:y", "group:z", "role:r", "service:s", "everyone"];
    pub(crate) const NOW: Timestamp = Timestamp(15);

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

    pub(crate) fn acls() -> impl Strategy<Value = Acl> {
        let edge = || prop::option::of((10..20_i64).prop_map(Timestamp));
        (names(), names(), requirements(), edge(), edge()).prop_map(|(allow, deny, require, not_before, expires_at)| {
            Acl { allow, deny, require, not_before, expires_at }
        })
    }

    pub(crate) fn supposed() -> impl Strategy<Value = Supposed> {
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
            context: RequestContext::default(),
        })
    }

    pub(crate) fn settings(readers: &BTreeSet<Principal>) -> Collection {
        Collection {
            id: CollectionId::new("c").unwrap(),
            readers: readers.clone(),
            writers: BTreeSet::new(),
            vectors: VectorSource::Builtin { dimensions: 1 },
            trust: "untrusted",
            analyzer: crate::lexical::kind::AnalyzerKind::English,
        }
    }

    fn document() -> DocumentId {
        DocumentId::new("d").unwrap()
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
                Amendment::LiftPolicy(_) | Amendment::EndGrant(_) => unreachable!("there is none"),
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
            let mut policy = Policy::empty();
            policy.directory = directory;
            let principals = policy.directory.closure(&supposed.principals());
            let permits = |readers: &BTreeSet<Principal>, acl: &Acl| {
                !readers.is_disjoint(&principals) && acl.permits(&principals, &supposed.attributes, NOW)
            };
            let explanation = explain(&policy, (&settings(&readers), &document()), &acl, &supposed, NOW);
            prop_assert_eq!(explanation.readable, permits(&readers, &acl));
            prop_assert_eq!(explanation.readable, explanation.checks.iter().all(|check| check.holds));
            for found in explanation.checks.iter().flat_map(|check| &check.matches) {
                prop_assert_eq!(found.path.first(), Some(&supposed.name));
                prop_assert_eq!(found.path.last(), Some(&found.entry));
                let mut steps = found.path.windows(2);
                prop_assert!(steps.all(|step| supposed.principals().contains(&step[1])
                    || policy.directory.closure(&[step[0].clone()].into()).contains(&step[1])));
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
    }
}
