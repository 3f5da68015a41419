//! One tenant policy: Cedar text that was checked once and is trusted from then on.

use std::{fmt, sync::Arc, thread};

use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet, PrincipalConstraint, ResourceConstraint, ValidationMode};

use super::{
    looks::{self, Looks},
    reader::Reader,
    schema::{COLLECTION, NAMEABLE, VALIDATOR},
};
use crate::id::PolicyName;

/// The longest text of a policy in bytes.
pub const POLICY_BYTES_MAX: usize = 16 << 10;
/// The most statements of one text.
const STATEMENTS_MAX: usize = 20;
/// The most values and operations of one statement: what one evaluation can cost.
const NODES_MAX: usize = 2_000;
/// How deep a statement may be nested. Reading and evaluating it needs stack for each level.
const DEPTH_MAX: usize = 200;
/// How deep brackets may be nested before a text is looked at any further.
const BRACKETS_MAX: usize = 32;
/// A parser and a validator that descend have room for the longest text.
const STACK_BYTES: usize = 64 << 20;

/// What a statement does where it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It forbids what an ACL grants.
    Forbid,
    /// It stands in for the `allow` list of an ACL.
    Permit,
}

/// A named policy of a tenant: one or several Cedar statements that hold to the schema.
pub struct TenantPolicy {
    name: PolicyName,
    text: String,
    warnings: Vec<String>,
    pub(super) statements: Vec<Arc<Statement>>,
}

/// One `forbid` or `permit`.
pub(super) struct Statement {
    pub(super) policy: Policy,
    pub(super) effect: Effect,
    pub(super) looks: Looks,
    /// How many values and operations it has.
    pub(super) nodes: usize,
    /// The users, services, groups and roles that it names.
    pub(super) names: Vec<EntityUid>,
}

/// Why a text is no policy. It is told to its author, so it may quote the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// Too long.
    #[error("is longer than {POLICY_BYTES_MAX} bytes")]
    TooLong,
    /// Not Cedar.
    #[error("is not Cedar: {0}")]
    Syntax(String),
    /// No statement.
    #[error("has no `forbid` or `permit`")]
    Empty,
    /// Too many statements.
    #[error("has more than {STATEMENTS_MAX} statements")]
    TooManyStatements,
    /// Slots of templates mean nothing here.
    #[error("has a template: `?principal` and `?resource` cannot be filled in")]
    Template,
    /// One statement is too large or nested too deep.
    #[error("has a statement of more than {NODES_MAX} values and operations, or of more than {DEPTH_MAX} levels")]
    TooComplex,
    /// An entity of a kind whose names are our own.
    #[error("names `{0}`: only users, services, groups, roles, collections and the action `read` can be named")]
    Unnameable(String),
    /// It does not hold to the schema.
    #[error("does not hold to the schema: {0}")]
    Schema(String),
    /// `permit` where the tenant has not enabled it.
    #[error("has a `permit`, which the tenant has not enabled: by default a policy can only forbid")]
    PermitDisabled,
    /// It could not be checked at all.
    #[error("could not be checked")]
    Unchecked,
}

impl TenantPolicy {
    /// Reads a text and checks it against the schema.
    ///
    /// # Errors
    /// [`PolicyFault`] says why it is refused.
    pub fn check(name: PolicyName, text: &str) -> Result<Self, PolicyFault> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyFault::TooLong);
        }
        if brackets(text) > BRACKETS_MAX {
            return Err(PolicyFault::TooComplex);
        }
        let text = text.to_owned();
        // What a text can nest without brackets, such as `a && a && …`, is bounded by its length, and so is the stack.
        let checking = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || check(name, text));
        let checked = checking.map_err(|_no_thread| PolicyFault::Unchecked)?.join();
        checked.unwrap_or(Err(PolicyFault::Unchecked))
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &PolicyName {
        &self.name
    }

    /// The text as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the validator finds strange, such as a statement that can never apply.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether a statement permits.
    #[must_use]
    pub fn permits(&self) -> bool {
        self.statements.iter().any(|statement| statement.effect == Effect::Permit)
    }

    /// Whether a statement forbids.
    #[must_use]
    pub fn forbids(&self) -> bool {
        self.statements.iter().any(|statement| statement.effect == Effect::Forbid)
    }

    /// Whether its answer depends on the time, the purpose, the network or the device: then it is evaluated for each request.
    #[must_use]
    pub fn depends_on_context(&self) -> bool {
        self.statements.iter().any(|statement| statement.looks.context.any())
    }
}

impl fmt::Debug for TenantPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TenantPolicy({}, {} statements)", self.name, self.statements.len())
    }
}

impl PartialEq for TenantPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.text == other.text
    }
}

impl Eq for TenantPolicy {}

impl Statement {
    /// Whether it can apply to a reader and a collection at all, by its head alone.
    ///
    /// What is permitted to somebody or to a group by name is permitted to the first bearer of the name. What is forbidden by name is forbidden to every bearer.
    pub(super) fn may_concern(&self, reader: &Reader, collection: &EntityUid) -> bool {
        let is_of_another =
            (reader.is_namesake && self.is_about_names()) || self.names.iter().any(|name| reader.has_namesake(name));
        if self.effect == Effect::Permit && is_of_another {
            return false;
        }
        let is_named = |name: &EntityUid| reader.is_named(name);
        let concerns_reader = match self.policy.principal_constraint() {
            PrincipalConstraint::Eq(named) | PrincipalConstraint::In(named) => is_named(&named),
            PrincipalConstraint::IsIn(_, named) => is_named(&named),
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => true,
        };
        concerns_reader
            && match self.policy.resource_constraint() {
                ResourceConstraint::In(named) if named.type_name().basename() == COLLECTION => named == *collection,
                _ => true,
            }
    }
}

impl Statement {
    fn is_about_names(&self) -> bool {
        self.looks.name || self.names.iter().any(|name| name.type_name().basename() == "User")
    }
}

fn check(name: PolicyName, text: String) -> Result<TenantPolicy, PolicyFault> {
    let parsed: PolicySet = text.parse().map_err(|error| PolicyFault::Syntax(told(&error)))?;
    if parsed.templates().next().is_some() {
        return Err(PolicyFault::Template);
    }
    let mut policies: Vec<&Policy> = parsed.policies().collect();
    if policies.is_empty() {
        return Err(PolicyFault::Empty);
    }
    if policies.len() > STATEMENTS_MAX {
        return Err(PolicyFault::TooManyStatements);
    }
    // The parser numbers statements in the order of the text: `policy0`, `policy1`, …
    policies.sort_by_key(|policy| policy.id().to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(0));
    let statements = policies.iter().enumerate().map(|(number, policy)| statement(&name, number, policy).map(Arc::new));
    let statements = statements.collect::<Result<Vec<_>, _>>()?;
    let all = PolicySet::from_policies(statements.iter().map(|statement| statement.policy.clone()));
    let all = all.map_err(|error| PolicyFault::Syntax(told(&error)))?;
    let outcome = VALIDATOR.validate(&all, ValidationMode::Strict);
    if let Some(error) = outcome.validation_errors().next() {
        return Err(PolicyFault::Schema(told(error)));
    }
    let warnings = outcome.validation_warnings().map(told).collect();
    Ok(TenantPolicy { name, text, warnings, statements })
}

fn statement(name: &PolicyName, number: usize, policy: &Policy) -> Result<Statement, PolicyFault> {
    let json = policy.to_json().map_err(|error| PolicyFault::Syntax(told(&error)))?;
    let (looks, size) = looks::of(&json);
    if size.nodes > NODES_MAX || size.depth > DEPTH_MAX {
        return Err(PolicyFault::TooComplex);
    }
    let literals = policy.entity_literals();
    if let Some(strange) = literals.iter().find(|literal| !NAMEABLE.contains(&literal.type_name().basename())) {
        return Err(PolicyFault::Unnameable(strange.to_string()));
    }
    let is_somebody =
        |literal: &EntityUid| ["User", "Service", "Group", "Role"].contains(&literal.type_name().basename());
    let effect = match policy.effect() {
        cedar_policy::Effect::Forbid => Effect::Forbid,
        cedar_policy::Effect::Permit => Effect::Permit,
    };
    let policy = policy.new_id(PolicyId::new(format!("{name}#{number}")));
    let names = literals.into_iter().filter(is_somebody).collect();
    Ok(Statement { policy, effect, looks, nodes: size.nodes, names })
}

/// How deep brackets are nested, whether or not they stand in a text or a comment.
fn brackets(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// An error in one line, with the place where Cedar tells one.
fn told(error: &(impl fmt::Display + ?Sized)) -> String {
    const CHARACTERS_MAX: usize = 500;
    let line = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(CHARACTERS_MAX).collect()
}
