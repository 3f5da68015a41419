//! Policies tried out: permission tests, and what a change would open and close. Nothing is changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use ringfence_indexes::{Candidate, DryRun, PolicyName, Principal, RequestContext, Supposed};

use super::{
    Administration, AdministrationError,
    policies::{TestRun, check, need_reach, parse_tests},
};
use crate::{
    audit::Action,
    authn::Caller,
    authz::{self, ManagePolicies, Permit},
    retrieval::answer::{Answer, compute},
};

/// The most principals that a dry run looks at where none are named.
pub const CANDIDATES_MAX: usize = 2_000;
/// How long a dry run looks; whom it did not come to is counted.
const PATIENCE: Duration = Duration::from_secs(5);

/// A change of policies that might be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposedChange {
    /// A policy made or replaced.
    Put(PolicyName, String),
    /// A policy deleted.
    Delete(PolicyName),
    /// Policies that permit taking part, or not.
    EnablePermit(bool),
}

/// What a change would do.
#[derive(Clone, Debug)]
pub struct PolicySimulation {
    /// What opens and closes.
    pub run: DryRun,
    /// What comes of the tenant's permission tests.
    pub tests: TestRun,
    /// Whether the policy looks at the request: then it is as told for this moment and context.
    pub depends_on_context: bool,
    /// What the validator finds strange in the text.
    pub warnings: Vec<String>,
}

impl Administration {
    /// Runs permission tests: the tenant's own, or those of a text.
    ///
    /// # Errors
    /// [`AdministrationError::Fields`] where the text is not understood.
    pub async fn test_policies(
        &self,
        permit: &Permit<ManagePolicies>,
        text: Option<String>,
        request_id: &str,
    ) -> Result<Answer<TestRun>, AdministrationError> {
        let text = match text {
            Some(text) => text,
            None => self.store.policy_settings(permit.tenant()).await?.tests,
        };
        let tests = parse_tests(&text)?;
        need_reach(permit, &tests)?;
        let run = self.run_tests(permit.tenant(), None, tests).await?;
        let count = run.tests.len();
        self.recorded(permit.caller(), Action::TestPolicies, None, count, run, request_id).await
    }

    /// What a change of policies would open and close, with the sealed revision that was looked at.
    ///
    /// # Errors
    /// [`AdministrationError::Fields`] where the text is no policy, [`AdministrationError::NotFound`] where the policy to be deleted is not there.
    pub async fn simulate_policy(
        &self,
        permit: &Permit<ManagePolicies>,
        change: ProposedChange,
        asked: Option<BTreeSet<Principal>>,
        context: RequestContext,
        request_id: &str,
    ) -> Result<Answer<(PolicySimulation, String)>, AdministrationError> {
        let (caller, tenant) = (permit.caller(), permit.tenant());
        let rules = self.rules(tenant)?;
        let (proposed, resource) = match &change {
            ProposedChange::Put(name, text) => {
                let policy = Arc::new(check(name.clone(), text.clone()).await?);
                (rules.with(policy), name.to_string())
            }
            ProposedChange::Delete(name) => {
                rules.policy(name).ok_or(AdministrationError::NotFound)?;
                (rules.without(name), name.to_string())
            }
            ProposedChange::EnablePermit(enabled) => (rules.permitting(*enabled), "settings".to_owned()),
        };
        let looked_at = match &change {
            ProposedChange::Put(name, _) => proposed.policy(name).cloned(),
            ProposedChange::Delete(name) => rules.policy(name).cloned(),
            ProposedChange::EnablePermit(_) => None,
        };
        let tests = parse_tests(&self.store.policy_settings(tenant).await?.tests)?;
        let tests = self.run_tests(tenant, Some(proposed.clone()), tests).await?;
        let candidates = self.policy_candidates(caller, asked, &context);
        let (engine, of, now) = (Arc::clone(&self.engine), tenant.clone(), self.clock.now());
        let within = caller.ceiling().clone();
        let run = move || {
            let begun = tokio::time::Instant::now();
            engine.try_rules(&of, &proposed, (&candidates, &within), now, || begun.elapsed() > PATIENCE)
        };
        let run = compute(run).await.flatten();
        let run = run.ok_or(AdministrationError::CredentialGone)?;
        let (count, revision) = (run.opens.len() + run.closes.len(), self.seal(tenant, run.epoch));
        let simulation = PolicySimulation {
            run,
            tests,
            depends_on_context: looked_at.as_ref().is_some_and(|policy| policy.depends_on_context()),
            warnings: looked_at.map(|policy| policy.warnings().to_vec()).unwrap_or_default(),
        };
        let body = (simulation, revision);
        self.recorded(caller, Action::SimulatePolicy, Some(resource), count, body, request_id).await
    }

    /// Whoever is asked for, or everybody that the tenant knows of; as their keys have them for those who manage keys, else by name.
    fn policy_candidates(
        &self,
        caller: &Caller,
        asked: Option<BTreeSet<Principal>>,
        context: &RequestContext,
    ) -> Vec<Candidate> {
        let keyring = self.authenticator.keyring();
        let knows_keys = caller.scopes().contains(authz::Scope::Keys);
        let keys = keyring.records(|key| knows_keys && key.tenant.as_ref() == Some(caller.tenant()));
        let mut by_name: BTreeMap<&Principal, Vec<Candidate>> = BTreeMap::new();
        for key in &keys {
            let Some(name) = &key.subject else { continue };
            let (groups, attributes) = (key.groups.clone(), key.attributes.clone());
            let supposed = Supposed { name: name.clone(), groups, attributes, context: context.clone() };
            by_name.entry(name).or_default().push(Candidate { supposed, attributes_known: true });
        }
        let is_named = asked.is_some();
        let mut names: Vec<Principal> = match asked {
            Some(asked) => asked.into_iter().collect(),
            None => self.engine.known_principals(caller.tenant(), CANDIDATES_MAX),
        };
        if !is_named {
            let known: BTreeSet<Principal> = names.iter().cloned().collect();
            let others = by_name.keys().filter(|name| !known.contains(**name)).map(|name| (*name).clone());
            names.splice(0..0, others.collect::<Vec<_>>());
            names.truncate(CANDIDATES_MAX);
        }
        let candidates = names.into_iter().flat_map(|name| match by_name.get(&name) {
            Some(candidates) => candidates.clone(),
            None => {
                let (groups, attributes) = (BTreeSet::new(), BTreeMap::new());
                let supposed = Supposed { name, groups, attributes, context: context.clone() };
                vec![Candidate { supposed, attributes_known: false }]
            }
        });
        candidates.collect()
    }
}
