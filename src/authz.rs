//! What a credential may do: scopes, and the permits that prove one was checked.
//!
//! A service method takes the permit of its action, so that an unchecked call does not compile.
//! Which documents are readable is another question, answered by the engine's scope for the permit's subject.

use std::{collections::BTreeSet, fmt, marker::PhantomData};

use ringfence_indexes::{Subject, TenantId};

use crate::authn::{Authenticated, Caller, Operator};

/// Proof that a caller may do `A`.
///
/// ```compile_fail
/// // Private fields: only `authz::permit` makes one.
/// let permit = ringfence::authz::Permit::<ringfence::authz::Search> { caller: todo!(), action: std::marker::PhantomData };
/// ```
pub struct Permit<A> {
    caller: Caller,
    action: PhantomData<fn() -> A>,
}

/// Proof that an operator asks: tenants and the keys of any tenant, never content.
///
/// ```compile_fail
/// let permit = ringfence::authz::OperatorPermit { operator: todo!() }; // private field
/// ```
#[derive(Clone, Debug)]
pub struct OperatorPermit {
    operator: Operator,
}

/// Checks that the caller's credential may do `A`.
///
/// # Errors
/// [`Denied`] names the missing right; it says nothing about what exists.
pub fn permit<A: Action>(caller: &Caller) -> Result<Permit<A>, Denied> {
    let held = |scope: &Scope| caller.scopes().contains(*scope);
    if !held(&A::SCOPE) && !A::OR_ONE_OF.iter().any(held) {
        return Err(Denied::MissingScope(A::SCOPE));
    }
    if A::READS && !caller.reads() {
        return Err(Denied::SubjectRequired);
    }
    Ok(Permit { caller: caller.clone(), action: PhantomData })
}

/// Checks that the credential is an operator's.
///
/// # Errors
/// [`Denied::OperatorOnly`] for every other credential.
pub fn operator_permit(authenticated: &Authenticated) -> Result<OperatorPermit, Denied> {
    match authenticated {
        Authenticated::Operator(operator) => Ok(OperatorPermit { operator: operator.clone() }),
        Authenticated::Caller(_) => Err(Denied::OperatorOnly),
    }
}

impl<A> Permit<A> {
    /// The caller that was checked.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// On whose behalf documents are read.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        self.caller.subject()
    }

    /// The caller's tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        self.caller.tenant()
    }
}

impl<A> fmt::Debug for Permit<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Permit").field("caller", &self.caller).finish()
    }
}

impl OperatorPermit {
    /// The operator that was checked.
    #[must_use]
    pub const fn operator(&self) -> &Operator {
        &self.operator
    }
}

/// Why a credential may not do something. All are 403; none depends on what exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The credential lacks this scope.
    #[error("the credential needs the scope `{0}`")]
    MissingScope(Scope),
    /// A service's credential that names nobody and may not read as itself.
    #[error(
        "this credential reads only on behalf of a person: name one, or use a key with the scope `read_as_service`"
    )]
    SubjectRequired,
    /// Only an operator's key may do this.
    #[error("only an operator key may do this")]
    OperatorOnly,
    /// Operator keys reach no content.
    #[error("an operator key reaches no content: use a key of the tenant")]
    NoContentForOperator,
}

/// Something a credential can be permitted to do.
pub trait Action {
    /// The name in logs and audit.
    const NAME: &'static str;
    /// The scope that permits it.
    const SCOPE: Scope;
    /// Scopes that permit it as well.
    const OR_ONE_OF: &'static [Scope] = &[];
    /// Whether document contents are read: then somebody must be reading.
    const READS: bool = false;
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal, $scope:ident $(, or $other:expr)? $(, reads $reads:literal)?;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub enum $action {}

            impl Action for $action {
                const NAME: &'static str = $name;
                const SCOPE: Scope = Scope::$scope;
                $(const OR_ONE_OF: &'static [Scope] = $other;)?
                $(const READS: bool = $reads;)?
            }
        )*
    };
}

actions! {
    /// To search.
    Search = "search", Search, reads true;
    /// To read and list documents.
    Read = "read", Read, reads true;
    /// To see which collections there are and how they are set.
    ViewCollections = "view-collections", Read, or &[Scope::Search, Scope::Ingest, Scope::Collections];
    /// To put and delete documents.
    Ingest = "ingest", Ingest;
    /// To change who may read a document.
    SetAcl = "set-acl", Acl;
    /// To create, change and delete collections.
    ManageCollections = "manage-collections", Collections;
    /// To change the directory of groups.
    ManageGroups = "manage-groups", Acl;
    /// To change the directory of users and what it says of itself.
    ManageDirectory = "manage-directory", Acl;
    /// To make, list, rotate and revoke keys of the own tenant.
    ManageKeys = "manage-keys", Keys;
    /// To exchange a person's token for one of a task.
    ExchangeToken = "exchange-token", Act;
    /// To change tenant policies.
    ManagePolicies = "manage-policies", Policy;
    /// To read the audit log of the own tenant.
    ReadAudit = "read-audit", Audit;
    /// To review quarantined documents, whose originals are read.
    ReviewQuarantine = "review-quarantine", Review, reads true;
    /// To have documents judged anew, which shows nothing of them.
    Reprocess = "reprocess", Review;
    /// To ask why somebody may read a document.
    Explain = "explain", Explain;
    /// To declare an emergency.
    DeclareEmergency = "declare-emergency", BreakGlass;
    /// To look at the emergency grants of the own tenant; all of them with the scopes `acl` and `audit`, else one's own.
    ViewEmergencies = "view-emergencies", BreakGlass, or &[Scope::Acl, Scope::Audit];
    /// To end an emergency grant; any with the scope `acl`, else one's own.
    EndEmergency = "end-emergency", BreakGlass, or &[Scope::Acl];
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $scope:ident = $name:literal,)*) => {
        /// A coarse right of a credential.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope {
            $($(#[$doc])* $scope,)*
        }

        impl Scope {
            /// Every scope.
            pub const ALL: &'static [Self] = &[$(Self::$scope),*];

            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$scope => $name,)*
                }
            }

            /// The scope of a name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$scope),)*
                    _ => None,
                }
            }
        }
    };
}

scopes! {
    /// Search.
    Search = "search",
    /// Read and list documents.
    Read = "read",
    /// Put and delete documents.
    Ingest = "ingest",
    /// Change ACLs and groups.
    Acl = "acl",
    /// Manage collections.
    Collections = "collections",
    /// Manage keys of the own tenant.
    Keys = "keys",
    /// Manage tenant policies.
    Policy = "policy",
    /// Read the audit log.
    Audit = "audit",
    /// Review quarantined documents.
    Review = "review",
    /// Act for a user whose own token is shown.
    Act = "act",
    /// Act for a user by naming them.
    Assert = "assert",
    /// Ask why somebody may read a document.
    Explain = "explain",
    /// See personal data unredacted.
    PiiRead = "pii:read",
    /// A service key that reads as its own principal.
    ReadAsService = "read_as_service",
    /// Declare an emergency, which lets somebody in for a short time.
    BreakGlass = "break_glass",
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A set of scopes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Parses names; the first unknown one is given back.
    ///
    /// # Errors
    /// [`UnknownScope`] names it.
    pub fn from_names<'name>(names: impl IntoIterator<Item = &'name str>) -> Result<Self, UnknownScope> {
        let parse = |name: &str| Scope::from_name(name).ok_or_else(|| UnknownScope(name.to_owned()));
        names.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the scope is in the set.
    #[must_use]
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether every scope of this set is in the other.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The scopes that are in both sets.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// The scopes, in the order of [`Scope::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }

    /// The names, in the order of [`Scope::ALL`].
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.iter().map(Scope::name).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

/// A name that no scope has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no scope `{0}`")]
pub struct UnknownScope(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_has_its_own_name() {
        let names: BTreeSet<_> = Scope::ALL.iter().map(|scope| scope.name()).collect();
        assert_eq!(names.len(), Scope::ALL.len());
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.name()), Some(*scope));
        }
        assert_eq!(Scope::from_name("Search"), None);
    }

    #[test]
    fn a_set_refuses_unknown_names_and_compares() {
        assert_eq!(Scopes::from_names(["search", "root"]), Err(UnknownScope("root".into())));
        let few = Scopes::from_names(["search"]).unwrap();
        let many = Scopes::from_names(["read", "search"]).unwrap();
        assert!(few.is_subset(&many) && !many.is_subset(&few));
        assert_eq!(many.intersect(&few), few);
        assert_eq!(many.names(), ["search", "read"]);
    }
}
