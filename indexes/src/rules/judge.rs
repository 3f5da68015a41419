//! The evaluation: which classes some policies forbid to a reader, and which they permit.
//!
//! It is prepared once for a reader: the policies whose heads can concern them and a collection, those together that look at the same of a class, and the classes by what is looked at. Classes that look alike are one question.
//! What policies say of a request is kept by what they see of it.
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
    context::{RequestContext, Seen},
    looks::{ClassLooks, ContextLooks},
    reader::Reader,
    resource::{Place, Shape},
    schema::{CLASS, COLLECTION, READ, uid},
    tenant_policy::Statement,
};
use crate::{acl::Timestamp, class::ClassIndex, collection::Collection, id::CollectionId, memory::Recent};

/// What deciding for a reader may cost, in values and operations that are evaluated: some seconds at most.
pub(super) const STEPS_MAX: usize = 20_000_000;
/// What the policies that look at the request may cost for each request.
pub(super) const STEPS_PER_REQUEST_MAX: usize = 2_000_000;

/// How many requests that look different are remembered of a reader.
const REQUESTS_KEPT: usize = 8;

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
    /// All of these are forbidden.
    pub(super) fn forbidding(classes: &RoaringBitmap) -> Self {
        Self { forbidden: classes.clone(), permitted: RoaringBitmap::new() }
    }

    /// Whether everything is left to the ACL.
    pub(crate) fn is_empty(&self) -> bool {
        self.forbidden.is_empty() && self.permitted.is_empty()
    }
}

/// The policies that look at the request, prepared for a reader.
pub(crate) struct Contextual {
    prepared: Prepared,
    asked: RoaringBitmap,
    verdicts: Recent<Seen, Verdict>,
}

/// Questions that only wait for their context.
pub(super) struct Prepared {
    names: Vec<EntityUid>,
    batches: Vec<Batch>,
    steps: usize,
    /// What is looked at of the request.
    context: ContextLooks,
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
struct Draft<'a> {
    looks: &'a ClassLooks,
    nodes: usize,
    policies: PolicySet,
    shapes: HashMap<Shape<'a>, RoaringBitmap>,
}

impl Prepared {
    pub(super) fn new(statements: &[Arc<Statement>], question: &Question<'_>) -> Self {
        let names = question.reader.names.clone();
        let mut prepared =
            Self { names, batches: Vec::new(), steps: 0, context: ContextLooks::default(), is_broken: false };
        let mut drafts: HashMap<Vec<usize>, Draft<'_>> = HashMap::new();
        for (id, settings) in question.collections {
            let Some(asked) = question.classes.of(id).map(|classes| classes & question.asked) else { continue };
            if asked.is_empty() {
                continue;
            }
            for (looks, concerned) in concerned(statements, question.reader, id) {
                for statement in &concerned {
                    prepared.context = prepared.context.and(statements[*statement].looks.context);
                }
                let Some(fresh) = Draft::new(looks, concerned.iter().map(|index| &statements[*index])) else {
                    prepared.is_broken = true;
                    continue;
                };
                let draft = drafts.entry(concerned).or_insert(fresh);
                let place = Place { collection: id, trust: settings.trust };
                prepared.is_broken |= draft.add(place, &asked, question.classes).is_none();
            }
        }
        for draft in drafts.into_values() {
            prepared.take(draft, question.reader);
        }
        prepared
    }

    fn take(&mut self, draft: Draft<'_>, reader: &Reader) {
        self.steps += draft.nodes * draft.shapes.len() * self.names.len();
        match draft.finish(reader) {
            Some(batch) => self.batches.push(batch),
            None => self.is_broken = true,
        }
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
        let asked = question.asked.clone();
        (!prepared.is_empty()).then(|| Self { prepared, asked, verdicts: Recent::new(REQUESTS_KEPT) })
    }

    /// What the policies say of this request. Where they cannot be evaluated, everything that was asked about is forbidden.
    pub(crate) fn judge(&self, context: &RequestContext, now: Timestamp) -> Arc<Verdict> {
        let seen = context.seen(now, self.prepared.context);
        if let Some(verdict) = self.verdicts.recall(|other| *other == seen) {
            return verdict;
        }
        let verdict = seen.context().and_then(|context| self.prepared.judge(&context, STEPS_PER_REQUEST_MAX));
        let verdict = Arc::new(verdict.unwrap_or_else(|| Verdict::forbidding(&self.asked)));
        if seen.may_come_again() {
            self.verdicts.keep(seen, Arc::clone(&verdict));
        }
        verdict
    }

    /// How much memory it takes, in entries.
    pub(crate) fn weight(&self) -> usize {
        let classes = usize::try_from(self.asked.len()).unwrap_or(usize::MAX);
        4 * self.prepared.question_count() + REQUESTS_KEPT * classes / 16
    }
}

impl fmt::Debug for Contextual {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Contextual({} questions)", self.prepared.question_count())
    }
}

/// The policies whose heads can concern a reader and a collection, by what they look at of a class.
///
/// Each sort is asked for itself, so that one which looks at every class does not take the others along. Nothing is lost by that: what any of them forbids is forbidden.
fn concerned<'s>(
    statements: &'s [Arc<Statement>],
    reader: &Reader,
    collection: &CollectionId,
) -> BTreeMap<&'s ClassLooks, Vec<usize>> {
    let collection = uid(COLLECTION, collection.as_str());
    let mut sorts: BTreeMap<&ClassLooks, Vec<usize>> = BTreeMap::new();
    for (index, statement) in statements.iter().enumerate() {
        if statement.may_concern(reader, &collection) {
            sorts.entry(&statement.looks.class).or_default().push(index);
        }
    }
    sorts
}

impl<'a> Draft<'a> {
    fn new<'s>(looks: &'a ClassLooks, statements: impl Iterator<Item = &'s Arc<Statement>> + Clone) -> Option<Self> {
        let policies = PolicySet::from_policies(statements.clone().map(|statement| statement.policy.clone())).ok()?;
        let nodes = statements.map(|statement| statement.nodes).sum();
        Some(Self { looks, nodes, policies, shapes: HashMap::new() })
    }

    /// Adds the classes of a collection, those that look alike as one question.
    fn add(&mut self, place: Place<'a>, asked: &RoaringBitmap, classes: &'a ClassIndex) -> Option<()> {
        if !self.looks.at_acl() {
            *self.shapes.entry(Shape::of_place(place, self.looks)).or_default() |= asked;
            return Some(());
        }
        for class in asked {
            let shape = Shape::of(place, classes.acl(class)?, self.looks);
            self.shapes.entry(shape).or_default().insert(class);
        }
        Some(())
    }

    fn finish(self, reader: &Reader) -> Option<Batch> {
        let mut entities: Vec<Entity> = reader.entities.clone();
        let mut questions = Vec::with_capacity(self.shapes.len());
        for (number, (shape, classes)) in self.shapes.into_iter().enumerate() {
            let name = uid(CLASS, &number.to_string());
            entities.push(shape.entity(name.clone())?);
            questions.push((name, classes));
        }
        let entities = Entities::from_entities(entities, None).ok()?;
        Some(Batch { policies: self.policies, entities, questions })
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
