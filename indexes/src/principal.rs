//! Who reads: principals, attributes, and the subject that carries them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, OnceLock},
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    tenant: TenantId,
    /// Shared, because a request hands its subject on and nobody changes it.
    rights: Arc<Rights>,
    context: RequestContext,
}

/// What a subject may read by.
#[derive(Clone, Debug)]
struct Rights {
    principals: BTreeSet<Principal>,
    attributes: BTreeMap<String, AttributeValue>,
    /// Whether its principals are all it has.
    is_closed: bool,
    source: AttributeSource,
    /// The digest of all this, once somebody has asked for it. INVARIANT: whoever changes the rest begins a new one.
    digest: OnceLock<[u8; 32]>,
}

impl PartialEq for Rights {
    fn eq(&self, other: &Self) -> bool {
        let all = |rights: &Self| (rights.is_closed, rights.source);
        all(self) == all(other) && self.principals == other.principals && self.attributes == other.attributes
    }
}

impl Eq for Rights {}

impl Rights {
    fn digest(&self) -> [u8; 32] {
        let mut bytes = Vec::new();
        let part = |bytes: &mut Vec<u8>, text: &str| {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        };
        let count = |bytes: &mut Vec<u8>, count: usize| bytes.extend_from_slice(&(count as u64).to_le_bytes());
        count(&mut bytes, self.principals.len());
        self.principals.iter().for_each(|principal| part(&mut bytes, principal.as_str()));
        count(&mut bytes, self.attributes.len());
        for (name, value) in &self.attributes {
            part(&mut bytes, name);
            match value {
                AttributeValue::Integer(number) => {
                    bytes.push(0);
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
                AttributeValue::Text(text) => {
                    bytes.push(1);
                    part(&mut bytes, text);
                }
                AttributeValue::Texts(texts) => {
                    bytes.push(2);
                    count(&mut bytes, texts.len());
                    texts.iter().for_each(|text| part(&mut bytes, text));
                }
                AttributeValue::Boolean(value) => bytes.extend_from_slice(&[3, u8::from(*value)]),
            }
        }
        bytes.push(u8::from(self.is_closed));
        bytes.push(self.source as u8);
        *blake3::hash(&bytes).as_bytes()
    }
}

impl Subject {
    /// A subject whose principals and attributes the caller has verified; the attributes are an issuer's.
    #[must_use]
    pub fn assert_verified(
        tenant: TenantId,
        principals: BTreeSet<Principal>,
        attributes: BTreeMap<String, AttributeValue>,
    ) -> Self {
        let (source, digest) = (AttributeSource::Claims, OnceLock::new());
        let rights = Rights { principals, attributes, is_closed: false, source, digest };
        Self { tenant, rights: Arc::new(rights), context: RequestContext::default() }
    }

    /// The same subject, whose groups its issuer alone names: the directory adds none.
    #[must_use]
    pub fn closed(self) -> Self {
        let rights = Rights { is_closed: true, digest: OnceLock::new(), ..Rights::clone(&self.rights) };
        Self { rights: Arc::new(rights), ..self }
    }

    /// Whether the directory adds no groups.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.rights.is_closed
    }

    /// The same with attributes from elsewhere.
    #[must_use]
    pub fn with_source(self, source: AttributeSource) -> Self {
        let rights = Rights { source, digest: OnceLock::new(), ..Rights::clone(&self.rights) };
        Self { rights: Arc::new(rights), ..self }
    }

    /// Where the attributes come from.
    #[must_use]
    pub fn source(&self) -> AttributeSource {
        self.rights.source
    }

    /// What stands for the principals and attributes, and how they are meant; not for the tenant and the request.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        self.rights.digest.get_or_init(|| self.rights.digest())
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
    pub fn principals(&self) -> &BTreeSet<Principal> {
        &self.rights.principals
    }

    /// The verified attributes, without those that the directory adds and takes away.
    #[must_use]
    pub fn attributes(&self) -> &BTreeMap<String, AttributeValue> {
        &self.rights.attributes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test is its own verifier")]
    fn subject(principals: &[&str], attributes: &[(&str, AttributeValue)]) -> Subject {
        Subject::assert_verified(
            TenantId::new("acme").unwrap(),
            principals.iter().map(|name| Principal::new(name).unwrap()).collect(),
            attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        )
    }

    #[test]
    fn equal_digests_are_of_equal_rights() {
        let text = |text: &str| AttributeValue::Text(text.to_owned());
        let texts = |texts: &[&str]| AttributeValue::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
        let mut all = vec![
            subject(&[], &[]),
            subject(&["user:a"], &[]),
            subject(&["user:a", "user:b"], &[]),
            subject(&["user:auser:b"], &[]),
            subject(&["user:a"], &[("x", text("1"))]),
            subject(&["user:a"], &[("x", texts(&["1"]))]),
            subject(&["user:a"], &[("x", texts(&["1", "2"]))]),
            subject(&["user:a"], &[("x", text("1")), ("y", text("2"))]),
            subject(&["user:a"], &[("x", AttributeValue::Integer(1))]),
            subject(&["user:a"], &[("x", AttributeValue::Boolean(true))]),
        ];
        // Asked for before it is changed, so that one that is not begun anew would show.
        let again: Vec<Subject> = all
            .iter()
            .flat_map(|subject| {
                let _asked = subject.digest();
                [subject.clone().closed(), subject.clone().with_source(AttributeSource::Keys)]
            })
            .collect();
        all.extend(again);
        for (number, one) in all.iter().enumerate() {
            for (other_number, other) in all.iter().enumerate() {
                assert_eq!(one.digest() == other.digest(), number == other_number, "{one:?} {other:?}");
                assert_eq!(one == other, number == other_number, "{one:?} {other:?}");
            }
        }
    }
}
