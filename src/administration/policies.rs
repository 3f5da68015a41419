//! Tenant policies: made, replaced, deleted, and what a tenant says of all of them.
//!
//! A change is checked as a whole before it is written: the text against the schema, the number of policies, and the tenant's permission tests against the policies as they would be. Changes of one tenant go one after the other, so that what was checked is what is written.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use ringfence_indexes::{
    POLICIES_MAX, POLICY_SCHEMA, PolicyFault, PolicyName, Ruleset, Target, TenantId, TenantPolicy, Unmet,
};
use tokio::sync::OwnedMutexGuard;

use super::{
    Administration, AdministrationError, Page,
    expectations::{self, PermissionTest},
};
use crate::{
    audit::Action,
    authz::{ManagePolicies, Permit},
    commit::{PolicyWrite, Write},
    retrieval::answer::{Answer, compute},
    store::{PolicyRecord, PolicySettings},
};

/// The longest description in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 1_024;

/// A policy as it is asked for.
#[derive(Clone, Debug)]
pub struct PolicyRequest {
    /// The Cedar text.
    pub text: String,
    /// What it is for.
    pub description: String,
    /// Why it is made although permission tests fail with it. Only what can but narrow may be forced.
    pub force: Option<String>,
}

/// A policy that was made or replaced.
#[derive(Clone, Debug)]
pub struct PolicyMade {
    /// The policy.
    pub policy: CheckedPolicy,
    /// The permission tests that fail with it, in words; none unless it was forced.
    pub failing: Vec<String>,
    /// The sealed revision.
    pub revision: String,
}

/// Whose policies are being changed.
#[derive(Debug, Default)]
pub struct PolicyTurns(Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>>);

impl PolicyTurns {
    /// Waits until nobody else changes the tenant's policies.
    async fn take(&self, tenant: &TenantId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Only the turns that somebody has or waits for are kept.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(tenant.clone()).or_default())
        };
        turn.lock_owned().await
    }
}

/// A policy with what was found out of its text.
#[derive(Clone, Debug)]
pub struct CheckedPolicy {
    /// As it is stored.
    pub record: PolicyRecord,
    /// As it is evaluated; `None` for a version that is not the present one, or that deletes it.
    pub policy: Option<Arc<TenantPolicy>>,
}

/// What came of running permission tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// Every test.
    pub tests: Vec<PermissionTest>,
    /// Those that fail.
    pub unmet: Vec<Unmet>,
}

impl TestRun {
    /// How a test fails, in words.
    #[must_use]
    pub fn told(&self, unmet: &Unmet) -> String {
        let test = &self.tests[unmet.index];
        let verb = if test.expectation.readable { "cannot" } else { "can" };
        let what = match &unmet.document {
            Some(document) => format!("read the document `{document}`"),
            None => "read the collection".to_owned(),
        };
        format!("`{}` fails: {} {verb} {what}", test.text, test.expectation.supposed.name)
    }

    /// The failures as faults of a request.
    fn faults(&self) -> Vec<(String, String)> {
        let fault = |unmet: &Unmet| (format!("#/tests/{}", self.tests[unmet.index].line), self.told(unmet));
        self.unmet.iter().map(fault).collect()
    }
}

impl Administration {
    /// Makes or replaces a policy.
    ///
    /// # Errors
    /// [`AdministrationError::Fields`] where the text is no policy, or is forced and may widen; [`AdministrationError::TestsFail`] where permission tests would fail and it is not forced.
    pub async fn put_policy(
        &self,
        permit: &Permit<ManagePolicies>,
        name: PolicyName,
        request: PolicyRequest,
        request_id: &str,
    ) -> Result<Answer<PolicyMade>, AdministrationError> {
        let tenant = permit.tenant();
        let PolicyRequest { text, description, force } = request;
        let policy = Arc::new(check(name.clone(), text.clone()).await?);
        let _turn = self.policy_turns.take(tenant).await;
        let rules = self.rules(tenant)?;
        if policy.permits() && !rules.permit_enabled() {
            return Err(refused("/text", &PolicyFault::PermitDisabled));
        }
        if rules.policy(&name).is_none() && rules.len() >= POLICIES_MAX {
            let detail = format!("there are {POLICIES_MAX} policies already, and more are not evaluated");
            return Err(AdministrationError::Fields(vec![("#/path/name".to_owned(), detail)]));
        }
        if force.is_some() {
            check_narrows(&policy, rules.policy(&name).map(Arc::as_ref))?;
        }
        let run = self.tests_with(tenant, rules.with(Arc::clone(&policy))).await?;
        if force.is_none() && !run.unmet.is_empty() {
            return Err(AdministrationError::TestsFail(run.faults()));
        }
        let failing: Vec<String> = run.unmet.iter().map(|unmet| run.told(unmet)).collect();
        let before = self.store.policy_versions(tenant, &name, None, 1).await?.pop();
        let record = self.version(permit, before.as_ref(), name, Some(text), description);
        let forced = force.filter(|_| !failing.is_empty());
        let write = PolicyWrite { record: record.clone(), policy: Some(Arc::clone(&policy)), forced };
        let write = Write::WritePolicy(tenant.clone(), Box::new(write));
        let committed = self.commit(permit.caller(), write, 200, request_id).await?;
        // Where nothing changed, it stays the version that it was.
        let same = before.filter(|before| (&before.text, &before.description) == (&record.text, &record.description));
        let policy = CheckedPolicy { record: same.unwrap_or(record), policy: Some(policy) };
        Ok(Answer::new(PolicyMade { policy, failing, revision: committed.revision }, committed.receipt))
    }

    /// Deletes a policy; gives the sealed revision. Its versions can still be read.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none, [`AdministrationError::TestsFail`] where permission tests would fail.
    pub async fn delete_policy(
        &self,
        permit: &Permit<ManagePolicies>,
        name: PolicyName,
        request_id: &str,
    ) -> Result<Answer<String>, AdministrationError> {
        let tenant = permit.tenant();
        let _turn = self.policy_turns.take(tenant).await;
        let rules = self.rules(tenant)?;
        rules.policy(&name).ok_or(AdministrationError::NotFound)?;
        self.need_passing_tests(tenant, rules.without(&name)).await?;
        let before = self.store.policy_versions(tenant, &name, None, 1).await?.pop();
        let record = self.version(permit, before.as_ref(), name, None, String::new());
        let write = Write::WritePolicy(tenant.clone(), Box::new(PolicyWrite { record, policy: None, forced: None }));
        let committed = self.commit(permit.caller(), write, 204, request_id).await?;
        Ok(Answer::new(committed.revision, committed.receipt))
    }

    /// A policy that holds.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there is none.
    pub async fn policy(
        &self,
        permit: &Permit<ManagePolicies>,
        name: &PolicyName,
        request_id: &str,
    ) -> Result<Answer<CheckedPolicy>, AdministrationError> {
        let tenant = permit.tenant();
        let record = self.store.policy_versions(tenant, name, None, 1).await?.pop();
        let record = record.filter(|record| record.text.is_some()).ok_or(AdministrationError::NotFound)?;
        let checked = self.checked(&self.rules(tenant)?, record);
        self.recorded(permit.caller(), Action::ReadPolicy, Some(name.to_string()), 1, checked, request_id).await
    }

    /// The policies after one of them, with whether those that permit take part.
    ///
    /// # Errors
    /// [`AdministrationError`] where they cannot be read or recorded.
    pub async fn policies(
        &self,
        permit: &Permit<ManagePolicies>,
        after: Option<&PolicyName>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<Page<CheckedPolicy>>, AdministrationError> {
        let tenant = permit.tenant();
        let page = Page::cut(self.store.policies(tenant, after, limit + 1).await?, limit);
        let rules = self.rules(tenant)?;
        let entries: Vec<_> = page.entries.into_iter().map(|record| self.checked(&rules, record)).collect();
        let page = Page { entries, has_more: page.has_more };
        self.recorded(permit.caller(), Action::ListPolicies, None, page.entries.len(), page, request_id).await
    }

    /// The versions of a policy before one of them, the newest first; also of one that was deleted.
    ///
    /// # Errors
    /// [`AdministrationError::NotFound`] where there never was such a policy.
    pub async fn policy_versions(
        &self,
        permit: &Permit<ManagePolicies>,
        name: &PolicyName,
        before: Option<u32>,
        limit: usize,
        request_id: &str,
    ) -> Result<Answer<Page<PolicyRecord>>, AdministrationError> {
        let page = Page::cut(self.store.policy_versions(permit.tenant(), name, before, limit + 1).await?, limit);
        if page.entries.is_empty() && before.is_none() {
            return Err(AdministrationError::NotFound);
        }
        let resource = Some(format!("{name}/versions"));
        self.recorded(permit.caller(), Action::ReadPolicy, resource, page.entries.len(), page, request_id).await
    }

    /// The schema that policies hold to.
    ///
    /// # Errors
    /// [`AdministrationError`] where it cannot be recorded.
    pub async fn policy_schema(
        &self,
        permit: &Permit<ManagePolicies>,
        request_id: &str,
    ) -> Result<Answer<&'static str>, AdministrationError> {
        let resource = Some("schema".to_owned());
        self.recorded(permit.caller(), Action::ReadPolicy, resource, 1, POLICY_SCHEMA, request_id).await
    }

    /// What the tenant says of all its policies.
    ///
    /// # Errors
    /// [`AdministrationError`] where it cannot be read or recorded.
    pub async fn policy_settings(
        &self,
        permit: &Permit<ManagePolicies>,
        request_id: &str,
    ) -> Result<Answer<PolicySettings>, AdministrationError> {
        let settings = self.store.policy_settings(permit.tenant()).await?;
        let resource = Some("settings".to_owned());
        self.recorded(permit.caller(), Action::ReadPolicy, resource, 1, settings, request_id).await
    }

    /// Says whether policies that permit take part; gives the sealed revision.
    ///
    /// # Errors
    /// [`AdministrationError::TestsFail`] where permission tests would fail.
    pub async fn enable_permit(
        &self,
        permit: &Permit<ManagePolicies>,
        enabled: bool,
        request_id: &str,
    ) -> Result<Answer<(PolicySettings, String)>, AdministrationError> {
        let tenant = permit.tenant();
        let _turn = self.policy_turns.take(tenant).await;
        self.need_passing_tests(tenant, self.rules(tenant)?.permitting(enabled)).await?;
        let before = self.store.policy_settings(tenant).await?;
        self.put_policy_settings(permit, PolicySettings { permit: enabled, ..before }, request_id).await
    }

    /// Keeps permission tests, which every change of policies must pass from then on; gives what comes of them now, with the sealed revision.
    ///
    /// Tests that fail now are kept as well: they may be written before the policy that makes them pass.
    ///
    /// # Errors
    /// [`AdministrationError::Fields`] where the text is not understood.
    pub async fn put_policy_tests(
        &self,
        permit: &Permit<ManagePolicies>,
        text: String,
        request_id: &str,
    ) -> Result<Answer<(TestRun, String)>, AdministrationError> {
        let tenant = permit.tenant();
        let tests = parse_tests(&text)?;
        need_reach(permit, &tests)?;
        let _turn = self.policy_turns.take(tenant).await;
        let run = self.run_tests(tenant, None, tests).await?;
        let before = self.store.policy_settings(tenant).await?;
        let settings = PolicySettings { tests: text, ..before };
        let ((_, revision), receipt) = self.put_policy_settings(permit, settings, request_id).await?.into_parts();
        Ok(Answer::new((run, revision), receipt))
    }

    async fn put_policy_settings(
        &self,
        permit: &Permit<ManagePolicies>,
        settings: PolicySettings,
        request_id: &str,
    ) -> Result<Answer<(PolicySettings, String)>, AdministrationError> {
        let settings = PolicySettings { written: Some((self.clock.now(), author(permit))), ..settings };
        let write = Write::PutPolicySettings(permit.tenant().clone(), Box::new(settings.clone()));
        let committed = self.commit(permit.caller(), write, 200, request_id).await?;
        Ok(Answer::new((settings, committed.revision), committed.receipt))
    }

    /// The policies that hold now.
    pub(super) fn rules(&self, tenant: &TenantId) -> Result<Ruleset, AdministrationError> {
        // A tenant that is gone took its keys with it.
        self.engine.rules(tenant).ok_or(AdministrationError::CredentialGone)
    }

    fn checked(&self, rules: &Ruleset, record: PolicyRecord) -> CheckedPolicy {
        let policy = rules.policy(&record.name).filter(|policy| Some(policy.text()) == record.text.as_deref());
        CheckedPolicy { policy: policy.cloned(), record }
    }

    fn version(
        &self,
        permit: &Permit<ManagePolicies>,
        before: Option<&PolicyRecord>,
        name: PolicyName,
        text: Option<String>,
        description: String,
    ) -> PolicyRecord {
        let version = before.map_or(1, |before| before.version.saturating_add(1));
        PolicyRecord { name, version, text, description, written_at: self.clock.now(), written_by: author(permit) }
    }

    /// Refuses policies with which a permission test of the tenant would fail.
    async fn need_passing_tests(&self, tenant: &TenantId, rules: Ruleset) -> Result<(), AdministrationError> {
        let run = self.tests_with(tenant, rules).await?;
        if run.unmet.is_empty() { Ok(()) } else { Err(AdministrationError::TestsFail(run.faults())) }
    }

    /// Runs the permission tests of the tenant with other policies.
    async fn tests_with(&self, tenant: &TenantId, rules: Ruleset) -> Result<TestRun, AdministrationError> {
        let tests = parse_tests(&self.store.policy_settings(tenant).await?.tests)?;
        self.run_tests(tenant, Some(rules), tests).await
    }

    /// Holds tests against these policies, or those that hold now.
    pub(super) async fn run_tests(
        &self,
        tenant: &TenantId,
        rules: Option<Ruleset>,
        tests: Vec<PermissionTest>,
    ) -> Result<TestRun, AdministrationError> {
        if tests.is_empty() {
            return Ok(TestRun { tests, unmet: Vec::new() });
        }
        let expectations: Vec<_> = tests.iter().map(|test| test.expectation.clone()).collect();
        let (engine, tenant, now) = (Arc::clone(&self.engine), tenant.clone(), self.clock.now());
        let unmet = compute(move || engine.unmet(&tenant, rules.as_ref(), &expectations, now)).await.flatten();
        Ok(TestRun { tests, unmet: unmet.ok_or(AdministrationError::CredentialGone)? })
    }
}

/// Reads a text on the blocking pool: it computes.
pub(super) async fn check(name: PolicyName, text: String) -> Result<TenantPolicy, AdministrationError> {
    let checked = compute(move || TenantPolicy::check(name, &text)).await.unwrap_or(Err(PolicyFault::Unchecked));
    checked.map_err(|fault| refused("/text", &fault))
}

pub(super) fn parse_tests(text: &str) -> Result<Vec<PermissionTest>, AdministrationError> {
    let fault = |fault: expectations::ExpectationFault| vec![("/tests".to_owned(), fault.to_string())];
    expectations::parse(text).map_err(|error| AdministrationError::Fields(fault(error)))
}

/// A credential that is limited to collections must not ask about others.
pub(super) fn need_reach(permit: &Permit<ManagePolicies>, tests: &[PermissionTest]) -> Result<(), AdministrationError> {
    let ceiling = permit.caller().ceiling();
    let out_of_reach = |test: &&PermissionTest| {
        let (Target::Collection(collection) | Target::Document(collection, _) | Target::Documents(collection, _)) =
            &test.expectation.target;
        !ceiling.contains(collection)
    };
    let detail = |line: usize| format!("line {line}: the credential is limited to other collections");
    match tests.iter().find(out_of_reach) {
        Some(test) => Err(AdministrationError::Fields(vec![("/tests".to_owned(), detail(test.line))])),
        None => Ok(()),
    }
}

/// Refuses to force what may open something: a policy that permits, and one in the place of another that forbids, of which it may leave something out.
fn check_narrows(policy: &TenantPolicy, before: Option<&TenantPolicy>) -> Result<(), AdministrationError> {
    let refused = |detail: &str| Err(AdministrationError::Fields(vec![("/force".to_owned(), detail.to_owned())]));
    if policy.permits() {
        return refused("only a policy that forbids and permits nothing can be forced");
    }
    if before.is_some_and(TenantPolicy::forbids) {
        return refused("what replaces a policy that forbids may open something: force one of another name");
    }
    Ok(())
}

fn refused(pointer: &str, fault: &PolicyFault) -> AdministrationError {
    AdministrationError::Fields(vec![(pointer.to_owned(), fault.to_string())])
}

/// Who writes, as the versions tell it: the person acted for, else whose credential it is.
fn author(permit: &Permit<ManagePolicies>) -> String {
    let caller = permit.caller();
    let name = caller.acting_for().or_else(|| caller.principal());
    name.map_or_else(|| caller.actor().credential, ToString::to_string)
}
