//! Who reads: principals, attributes, and the subject that carries them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use crate::{error::InvalidName, id::TenantId, rules::RequestContext};

/// The longest principal in bytes, prefix included.
const PRINCIPAL_BYTES_MAX: usize = 256;
/// Stands between a user's or group's name and the generation of its bearer. No name from outside may have it.
const GENERATION: char = ';';

/// A name that an ACL can grant to: `user:…`, `group:…`, `service:…`, `role:…` or `everyone`.
///
/// Names are compared byte for byte: no case folding, no Unicode normalisation, so that no two spellings meet by accident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal(Arc<str>);

/// The kind of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A set of principals, kept in the directory or asserted by an issuer.
    Group,
    /// A program.
    Service,
    /// A role asserted by an issuer.
    Role,
    /// Every authenticated principal of the tenant.
    Everyone,
}

impl Principal {
    /// Checks and wraps a name such as `user:alice`.
    ///
    /// # Errors
    /// [`InvalidName`] says which rule the name breaks.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        if name == "everyone" {
            return Ok(Self::everyone());
        }
        let (_, rest) = split(name).ok_or(InvalidName::Prefix)?;
        if rest.is_empty() || name.len() > PRINCIPAL_BYTES_MAX {
            return Err(InvalidName::Length { max: PRINCIPAL_BYTES_MAX });
        }
        let forbidden = |character: char| character.is_control() || matches!(character, '*' | ',' | ';');
        if rest.contains(forbidden) || rest.trim() != rest {
            return Err(InvalidName::Characters);
        }
        Ok(Self(name.into()))
    }

    /// All authenticated principals of the tenant.
    #[must_use]
    pub fn everyone() -> Self {
        Self("everyone".into())
    }

    /// The group of a name without prefix.
    ///
    /// # Errors
    /// [`InvalidName`] as for [`Principal::new`].
    pub fn group(name: &str) -> Result<Self, InvalidName> {
        Self::new(&format!("group:{name}"))
    }

    /// Reads a name that the store wrote, which may say which bearer of it is meant.
    ///
    /// # Errors
    /// [`InvalidName`] as for [`Principal::new`].
    pub fn restore(name: &str) -> Result<Self, InvalidName> {
        let Some((plain, generation)) = name.rsplit_once(GENERATION) else { return Self::new(name) };
        let plain = Self::new(plain)?;
        let generation = generation.parse().map_err(|_| InvalidName::Characters)?;
        let restored = plain.of_generation(generation);
        // One form for each, so that what is equal is equal.
        let is_borne = matches!(plain.kind(), PrincipalKind::User | PrincipalKind::Group);
        if is_borne && restored.as_str() == name { Ok(restored) } else { Err(InvalidName::Characters) }
    }

    /// The bearer of a user's or group's name after so many others. The first bears the plain name.
    pub(crate) fn of_generation(&self, generation: u32) -> Self {
        if generation == 0 { self.clone() } else { Self(format!("{}{GENERATION}{generation}", self.0).into()) }
    }

    /// A former bearer of a name, as it is shown. It is no name, so that nobody grants to it by accident.
    pub(crate) fn former(&self) -> Self {
        Self(format!("{}{GENERATION}former", self.name().0).into())
    }

    /// Whether it says which bearer of the name is meant.
    pub(crate) fn has_generation(&self) -> bool {
        self.0.contains(GENERATION)
    }

    /// The name alone, whoever bears it.
    #[must_use]
    pub fn name(&self) -> Self {
        if self.has_generation() { Self(self.plain().into()) } else { self.clone() }
    }

    /// The same as a text.
    pub(crate) fn plain(&self) -> &str {
        self.0.rsplit_once(GENERATION).map_or(&self.0, |(name, _)| name)
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        split(&self.0).map_or(PrincipalKind::Everyone, |(kind, _)| kind)
    }

    /// The whole name, prefix included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn split(name: &str) -> Option<(PrincipalKind, &str)> {
    let (prefix, rest) = name.split_once(':')?;
    let kind = match prefix {
        "user" => PrincipalKind::User,
        "group" => PrincipalKind::Group,
        "service" => PrincipalKind::Service,
        "role" => PrincipalKind::Role,
        _ => return None,
    };
    Some((kind, rest))
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What an issuer or a key says about a principal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttributeValue {
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Several texts; a requirement holds if it holds for one of them.
    Texts(BTreeSet<String>),
    /// True or false.
    Boolean(bool),
}

/// Where a subject's attributes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttributeSource {
    /// An issuer's token.
    Claims,
    /// The directory.
    Directory,
    /// An API key.
    Keys,
}

/// A tenant and the verified principals and attributes on whose behalf a read is made.
///
/// The principals are as verified by credential or assertion; the directory of the snapshot adds nested groups when the scope is made, unless the subject is closed.
/// A subject without principals reads nothing.
///
/// ```compile_fail
/// let subject = ringfence_indexes::Subject { principals: Default::default() }; // private fields: only a verifier makes one
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    tenant: TenantId,
    principals: BTreeSet<Principal>,
    attributes: BTreeMap<String, AttributeValue>,
    /// Whether its principals are all it has.
    is_closed: bool,
    source: AttributeSource,
    context: RequestContext,
}

impl Subject {
    /// A subject whose principals and attributes the caller has verified; the attributes are an issuer's.
    #[must_use]
    pub const fn assert_verified(
        tenant: TenantId,
        principals: BTreeSet<Principal>,
        attributes: BTreeMap<String, AttributeValue>,
    ) -> Self {
        let context = RequestContext { purpose: None, network: None };
        Self { tenant, principals, attributes, is_closed: false, source: AttributeSource::Claims, context }
    }

    /// The same subject, whose groups its issuer alone names: the directory adds none.
    #[must_use]
    pub fn closed(self) -> Self {
        Self { is_closed: true, ..self }
    }

    /// Whether the directory adds no groups.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The same with attributes from elsewhere.
    #[must_use]
    pub fn with_source(self, source: AttributeSource) -> Self {
        Self { source, ..self }
    }

    /// Where the attributes come from.
    #[must_use]
    pub const fn source(&self) -> AttributeSource {
        self.source
    }

    /// The same subject in a request of this purpose, from this address.
    #[must_use]
    pub fn in_context(self, context: RequestContext) -> Self {
        Self { context, ..self }
    }

    /// What is known of the request: tenant policies may look at it.
    #[must_use]
    pub const fn context(&self) -> &RequestContext {
        &self.context
    }

    /// The tenant.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The verified principals, without those that the directory adds.
    #[must_use]
    pub const fn principals(&self) -> &BTreeSet<Principal> {
        &self.principals
    }

    /// The verified attributes, without those that the directory adds and takes away.
    #[must_use]
    pub const fn attributes(&self) -> &BTreeMap<String, AttributeValue> {
        &self.attributes
    }
}
