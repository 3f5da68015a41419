//! The evaluation: which classes some policies forbid to a reader, and which they permit.
//!
//! It is prepared once for a reader: the policies whose heads can concern them and a collection, and the classes by what those policies look at. Classes that look alike are one question.
//!
//! Its cost is counted before anything is evaluated. What would cost more than the budget is not evaluated at all, and everything that was asked about is forbidden: an answer that came from a part would depend on which part.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use cedar_policy::{Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request};
use roaring::RoaringBitmap;

use super::{
    context::RequestContext,
    looks::Looks,
    reader::Reader,
    resource::{Place, Shape},
    schema::{CLASS, COLLECTION, READ, uid},
    tenant_policy::Statement,
};
use crate::{acl::Timestamp, class::ClassIndex, collection::Collection, id::CollectionId};

/// What deciding for a reader may cost, in values and operations that are evaluated: some seconds at most.
pub(super) const STEPS_MAX: usize = 20_000_000;
/// What the policies that look at the request may cost for each request.
pub(super) const STEPS_PER_REQUEST_MAX: usize = 2_000_000;

/// What is asked: about whom, and about which classes of which collections.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) reader: &'a Reader,
    pub(crate) collections: &'a BTreeMap<CollectionId, Arc<Collection>>,
    pub(crate) classes: &'a ClassIndex,
    pub(crate) asked: &'a RoaringBitmap,
}

/// What some policies say of classes. What is in neither is left to the ACL.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Verdict {
    /// A policy forbids them, or could not be evaluated.
    pub(crate) forbidden: RoaringBitmap,
    /// A policy permits them.
    pub(crate) permitted: RoaringBitmap,
}

impl Verdict {
    /// Whether everything is left to the ACL.
    pub(crate) fn is_empty(&self) -> bool {
        self.forbidden.is_empty() && self.permitted.is_empty()
    }
}

/// The policies that look at the request, prepared for a reader.
pub(crate) struct Contextual {
    prepared: Prepared,
    asked: RoaringBitmap,
}

/// Questions that only wait for their context.
pub(super) struct Prepared {
    names: Vec<EntityUid>,
    batches: Vec<Batch>,
    steps: usize,
    /// Whether something could not be represented: then nothing is permitted.
    is_broken: bool,
}

/// The questions that concern the same policies.
struct Batch {
    policies: PolicySet,
    entities: Entities,
    questions: Vec<(EntityUid, RoaringBitmap)>,
}

/// A batch that is being put together.
struct Draft {
    looks: Looks,
    nodes: usize,
    policies: PolicySet,
    entities: Vec<Entity>,
    questions: Vec<(EntityUid, RoaringBitmap)>,
}

impl Prepared {
    pub(super) fn new(statements: &[Arc<Statement>], question: &Question<'_>) -> Self {
        let mut drafts: HashMap<Vec<usize>, Draft> = HashMap::new();
        let mut is_broken = false;
        for (id, settings) in question.collections {
            let Some(asked) = question.classes.of(id).map(|classes| classes & question.asked) else { continue };
            let concerned = if asked.is_empty() { Vec::new() } else { concerned(statements, question.reader, id) };
            if concerned.is_empty() {
                continue;
            }
            let Some(fresh) = Draft::new(concerned.iter().map(|index| &statements[*index])) else {
                is_broken = true;
                continue;
            };
            let draft = drafts.entry(concerned).or_insert(fresh);
            let place = Place { collection: id, trust: settings.trust };
            is_broken |= draft.add(place, &asked, question.classes).is_none();
        }
        let mut prepared = Self { names: question.reader.names.clone(), batches: Vec::new(), steps: 0, is_broken };
        for draft in drafts.into_values() {
            prepared.steps += draft.nodes * draft.questions.len() * prepared.names.len();
            let entities = question.reader.entities.iter().cloned().chain(draft.entities);
            match Entities::from_entities(entities, None) {
                Ok(entities) => {
                    prepared.batches.push(Batch { policies: draft.policies, entities, questions: draft.questions });
                }
                Err(_) => prepared.is_broken = true,
            }
        }
        prepared
    }

    /// What the policies say; `None` where that cannot be found out within the budget.
    pub(super) fn judge(&self, context: &Context, steps_max: usize) -> Option<Verdict> {
        if self.is_broken || self.steps > steps_max {
            tracing::warn!(steps = self.steps, "policies could not be evaluated, so nothing is readable");
            return None;
        }
        let mut verdict = Verdict::default();
        let authorizer = Authorizer::new();
        for batch in &self.batches {
            for (resource, classes) in &batch.questions {
                for name in &self.names {
                    match batch.ask(&authorizer, name, resource, context) {
                        Said::Forbidden => verdict.forbidden |= classes,
                        Said::Permitted => verdict.permitted |= classes,
                        Said::Nothing => {}
                    }
                }
            }
        }
        Some(verdict)
    }

    const fn is_empty(&self) -> bool {
        self.batches.is_empty() && !self.is_broken
    }

    fn question_count(&self) -> usize {
        self.batches.iter().map(|batch| batch.questions.len()).sum()
    }
}

impl Contextual {
    /// `None` where no such policy can concern the reader.
    pub(super) fn new(statements: &[Arc<Statement>], question: &Question<'_>) -> Option<Self> {
        let prepared = Prepared::new(statements, question);
        (!prepared.is_empty()).then(|| Self { prepared, asked: question.asked.clone() })
    }

    /// What the policies say of this request. Where they cannot be evaluated, everything that was asked about is forbidden.
    pub(crate) fn judge(&self, context: &RequestContext, now: Timestamp) -> Verdict {
        let verdict = context.at(now).and_then(|context| self.prepared.judge(&context, STEPS_PER_REQUEST_MAX));
        verdict.unwrap_or_else(|| Verdict { forbidden: self.asked.clone(), permitted: RoaringBitmap::new() })
    }

    /// How much memory it takes, in entries.
    pub(crate) fn weight(&self) -> usize {
        4 * self.prepared.question_count()
    }
}

impl fmt::Debug for Contextual {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Contextual({} questions)", self.prepared.question_count())
    }
}

/// The policies whose heads can concern a reader and a collection.
fn concerned(statements: &[Arc<Statement>], reader: &Reader, collection: &CollectionId) -> Vec<usize> {
    let collection = uid(COLLECTION, collection.as_str());
    let found = statements.iter().enumerate().filter(|(_, statement)| statement.may_concern(reader, &collection));
    found.map(|(index, _)| index).collect()
}

impl Draft {
    fn new<'s>(statements: impl Iterator<Item = &'s Arc<Statement>> + Clone) -> Option<Self> {
        let policies = PolicySet::from_policies(statements.clone().map(|statement| statement.policy.clone())).ok()?;
        let looks = statements.clone().fold(Looks::default(), |looks, statement| looks.and(statement.looks));
        let nodes = statements.map(|statement| statement.nodes).sum();
        Some(Self { looks, nodes, policies, entities: Vec::new(), questions: Vec::new() })
    }

    /// Adds the classes of a collection, those that look alike as one question.
    fn add(&mut self, place: Place<'_>, asked: &RoaringBitmap, classes: &ClassIndex) -> Option<()> {
        if !self.looks.at_acl() {
            return self.ask_about(&Shape::default(), place, asked.clone());
        }
        let mut shapes: HashMap<Shape<'_>, RoaringBitmap> = HashMap::new();
        for class in asked {
            let shape = Shape::of(classes.acl(class)?, self.looks);
            shapes.entry(shape).or_default().insert(class);
        }
        shapes.into_iter().try_for_each(|(shape, alike)| self.ask_about(&shape, place, alike))
    }

    fn ask_about(&mut self, shape: &Shape<'_>, place: Place<'_>, classes: RoaringBitmap) -> Option<()> {
        let name = uid(CLASS, &self.questions.len().to_string());
        self.entities.push(shape.entity(name.clone(), place)?);
        self.questions.push((name, classes));
        Some(())
    }
}

enum Said {
    Forbidden,
    Permitted,
    Nothing,
}

impl Batch {
    fn ask(&self, authorizer: &Authorizer, name: &EntityUid, resource: &EntityUid, context: &Context) -> Said {
        let request = Request::new(name.clone(), READ.clone(), resource.clone(), context.clone(), None);
        let Ok(request) = request else { return Said::Forbidden };
        let response = authorizer.is_authorized(&request, &self.policies, &self.entities);
        let diagnostics = response.diagnostics();
        // Cedar leaves out what it cannot evaluate. Left out, a `forbid` would open what it is there to close.
        if diagnostics.errors().next().is_some() {
            return Said::Forbidden;
        }
        match response.decision() {
            Decision::Allow => Said::Permitted,
            Decision::Deny if diagnostics.reason().next().is_some() => Said::Forbidden,
            Decision::Deny => Said::Nothing,
        }
    }
}
