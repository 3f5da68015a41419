//! All policies of a tenant, in the form in which they are evaluated.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use cedar_policy::{Authorizer, Context, Entities, EntityUid, PolicyId, PolicySet, Request};

use super::{
    context::RequestContext,
    judge::{Contextual, Prepared, Question, STEPS_MAX, Verdict},
    looks::Looks,
    reader::{Reader, principal_of},
    resource::{Place, Shape},
    schema::{CLASS, COLLECTION, READ, uid},
    tenant_policy::{Effect, Statement, TenantPolicy},
};
use crate::{
    acl::{Acl, Timestamp},
    id::PolicyName,
    principal::{AttributeValue, Principal},
};

/// The most policies of a tenant.
pub const POLICIES_MAX: usize = 100;

/// The policies of a tenant. A change makes another one.
#[derive(Clone, Default)]
pub struct Ruleset {
    policies: BTreeMap<PolicyName, Arc<TenantPolicy>>,
    permit_enabled: bool,
    plan: Arc<Plan>,
}

/// What is evaluated, in the order of the policies' names.
#[derive(Default)]
struct Plan {
    /// Evaluated once for a reader.
    always: Vec<Arc<Statement>>,
    /// Evaluated for each request.
    contextual: Vec<Arc<Statement>>,
    /// The users, services, groups and roles that a policy names.
    mentioned: Vec<(Principal, EntityUid)>,
}

/// A policy that decided something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reason {
    pub(crate) policy: PolicyName,
    /// What it does; `Forbid` as well for one that could not be evaluated.
    pub(crate) effect: Effect,
}

impl Ruleset {
    /// These policies; `permit_enabled` says whether those that permit take part.
    #[must_use]
    pub fn new(policies: impl IntoIterator<Item = Arc<TenantPolicy>>, permit_enabled: bool) -> Self {
        let policies = policies.into_iter().map(|policy| (policy.name().clone(), policy)).collect();
        Self::planned(policies, permit_enabled)
    }

    /// The same with a policy made or replaced.
    #[must_use]
    pub fn with(&self, policy: Arc<TenantPolicy>) -> Self {
        let mut policies = self.policies.clone();
        policies.insert(policy.name().clone(), policy);
        Self::planned(policies, self.permit_enabled)
    }

    /// The same without a policy.
    #[must_use]
    pub fn without(&self, name: &PolicyName) -> Self {
        let mut policies = self.policies.clone();
        policies.remove(name);
        Self::planned(policies, self.permit_enabled)
    }

    /// The same with `permit` enabled or not.
    #[must_use]
    pub fn permitting(&self, permit_enabled: bool) -> Self {
        Self::planned(self.policies.clone(), permit_enabled)
    }

    /// Whether policies that permit take part.
    #[must_use]
    pub const fn permit_enabled(&self) -> bool {
        self.permit_enabled
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// One policy.
    #[must_use]
    pub fn policy(&self, name: &PolicyName) -> Option<&Arc<TenantPolicy>> {
        self.policies.get(name)
    }

    fn planned(policies: BTreeMap<PolicyName, Arc<TenantPolicy>>, permit_enabled: bool) -> Self {
        let takes_part = |statement: &&Arc<Statement>| statement.effect == Effect::Forbid || permit_enabled;
        let statements = policies.values().flat_map(|policy| &policy.statements).filter(takes_part).cloned();
        let (contextual, always): (Vec<_>, Vec<_>) = statements.partition(|statement| statement.looks.context.any());
        let names: BTreeSet<&EntityUid> =
            always.iter().chain(&contextual).flat_map(|statement| &statement.names).collect();
        let mentioned = names.into_iter().filter_map(|name| Some((principal_of(name)?, name.clone()))).collect();
        Self { policies, permit_enabled, plan: Arc::new(Plan { always, contextual, mentioned }) }
    }

    /// Whether nothing is evaluated.
    pub(crate) fn is_idle(&self) -> bool {
        self.plan.always.is_empty() && self.plan.contextual.is_empty()
    }

    /// Whether a policy looks at the attributes of who reads.
    pub(crate) fn look_at_attributes(&self) -> bool {
        let mut all = self.plan.always.iter().chain(&self.plan.contextual);
        all.any(|statement| statement.looks.attributes)
    }

    /// Whether something can be permitted.
    pub(crate) fn may_permit(&self) -> bool {
        let mut all = self.plan.always.iter().chain(&self.plan.contextual);
        all.any(|statement| statement.effect == Effect::Permit)
    }

    /// Somebody with these principals, groups included.
    pub(crate) fn reader(
        &self,
        principals: &BTreeSet<Principal>,
        attributes: &BTreeMap<String, AttributeValue>,
    ) -> Option<Reader> {
        Reader::new(principals, attributes, &self.plan.mentioned)
    }

    /// What the policies that do not look at the request say. Where they cannot be evaluated, everything that was asked about is forbidden.
    pub(crate) fn judge(&self, question: &Question<'_>) -> Verdict {
        let verdict = Prepared::new(&self.plan.always, question).judge(&Context::empty(), STEPS_MAX);
        verdict.unwrap_or_else(|| Verdict::forbidding(question.asked))
    }

    /// The policies that look at the request, prepared for a reader; `None` where none can concern them.
    pub(crate) fn contextual(&self, question: &Question<'_>) -> Option<Contextual> {
        Contextual::new(&self.plan.contextual, question)
    }

    /// The policies that forbid or permit one class to a reader, by name.
    pub(crate) fn reasons(
        &self,
        reader: Option<&Reader>,
        (place, acl): (Place<'_>, &Acl),
        context: &RequestContext,
        now: Timestamp,
    ) -> BTreeSet<Reason> {
        let all: Vec<&Arc<Statement>> = self.plan.always.iter().chain(&self.plan.contextual).collect();
        let everything = Looks::everything();
        let class = uid(CLASS, "");
        let forbidden_by_all = || {
            let forbid = |statement: &&Arc<Statement>| Reason::of(statement.policy.id(), Effect::Forbid);
            all.iter().filter_map(forbid).collect()
        };
        let shape = Shape::of(place, acl, &everything.class);
        let (Some(reader), Some(context), Some(resource)) =
            (reader, context.seen(now, everything.context).context(), shape.entity(class.clone()))
        else {
            return forbidden_by_all();
        };
        let entities = reader.entities.iter().cloned().chain([resource]);
        let Ok(entities) = Entities::from_entities(entities, None) else { return forbidden_by_all() };
        let mut reasons = BTreeSet::new();
        let collection = uid(COLLECTION, place.collection.as_str());
        let concerning = all.iter().filter(|statement| statement.may_concern(reader, &collection));
        for (statement, name) in concerning.flat_map(|statement| reader.names.iter().map(move |name| (statement, name)))
        {
            let id = statement.policy.id();
            let asked = PolicySet::from_policies([statement.policy.clone()]).ok().and_then(|policies| {
                let request = Request::new(name.clone(), READ.clone(), class.clone(), context.clone(), None).ok()?;
                Some(Authorizer::new().is_authorized(&request, &policies, &entities))
            });
            let failed = asked.as_ref().is_none_or(|response| response.diagnostics().errors().next().is_some());
            let applies = asked.is_some_and(|response| response.diagnostics().reason().next().is_some());
            if failed || applies {
                reasons.extend(Reason::of(id, if failed { Effect::Forbid } else { statement.effect }));
            }
        }
        reasons
    }
}

impl Reason {
    /// The policy of a statement: its id without its number.
    fn of(id: &PolicyId, effect: Effect) -> Option<Self> {
        let id: &str = id.as_ref();
        let (name, _number) = id.rsplit_once('#')?;
        Some(Self { policy: PolicyName::new(name).ok()?, effect })
    }
}

impl PartialEq for Ruleset {
    fn eq(&self, other: &Self) -> bool {
        self.policies == other.policies && self.permit_enabled == other.permit_enabled
    }
}

impl Eq for Ruleset {}

impl fmt::Debug for Ruleset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Ruleset({} policies)", self.policies.len())
    }
}
