//! `attributes` and `excludedAttributes` (RFC 7644, 3.9): which part of a resource is answered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Fault, Resource, ScimError, path::AttributePath, schema::ResourceType};

/// The most names of one list.
const NAMES_MAX: usize = 100;
/// What is always answered.
const ALWAYS: [&str; 2] = ["schemas", "id"];

/// Which part of a resource is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Projection {
    /// All of it.
    #[default]
    Whole,
    /// These and what is always answered.
    Only(Parts),
    /// All but these.
    Without(Parts),
}

/// Attributes with the parts of each; an empty set means the whole attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Attributes of the core.
    core: BTreeMap<String, BTreeSet<String>>,
    /// Of extensions; an empty map means all of it.
    extensions: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Projection {
    /// Reads both parameters, each a list separated by commas. Names that are not known name nothing.
    ///
    /// # Errors
    /// [`ScimError`] where both are given, or too many names.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>, of: &ResourceType) -> Result<Self, ScimError> {
        match (attributes, excluded) {
            (None, None) => Ok(Self::Whole),
            (Some(_), Some(_)) => Err(ScimError::value("`attributes` and `excludedAttributes` do not go together")),
            (Some(names), None) => Ok(Self::Only(Parts::parse(names, of)?)),
            (None, Some(names)) => Ok(Self::Without(Parts::parse(names, of)?)),
        }
    }

    /// Whether an attribute of the core is answered at all: what is costly to make need not be made.
    #[must_use]
    pub fn wants(&self, attribute: &str) -> bool {
        match self {
            Self::Whole => true,
            Self::Only(parts) => parts.core.contains_key(attribute),
            Self::Without(parts) => !parts.core.get(attribute).is_some_and(BTreeSet::is_empty),
        }
    }

    /// The part of a resource that is wanted.
    #[must_use]
    pub fn of(&self, resource: Resource) -> Resource {
        match self {
            Self::Whole => resource,
            Self::Only(parts) => parts.kept(resource),
            Self::Without(parts) => parts.removed(resource),
        }
    }
}

impl Parts {
    fn parse(names: &str, of: &ResourceType) -> Result<Self, ScimError> {
        let mut parts = Self::default();
        for (count, name) in names.split(',').map(str::trim).filter(|name| !name.is_empty()).enumerate() {
            if count >= NAMES_MAX {
                return Err(ScimError::new(
                    Fault::TooMany,
                    format_args!("at most {NAMES_MAX} attributes can be named"),
                ));
            }
            if let Some(path) = AttributePath::known(name, of) {
                parts.note(path);
            }
        }
        Ok(parts)
    }

    fn note(&mut self, path: AttributePath) {
        let attributes = match path.extension {
            Some(urn) => self.extensions.entry(urn).or_default(),
            None => &mut self.core,
        };
        let Some(attribute) = path.attribute else { return };
        let is_new = !attributes.contains_key(&attribute);
        let held = attributes.entry(attribute).or_default();
        match path.part {
            // The whole attribute was named before: that says more.
            Some(part) if is_new || !held.is_empty() => drop(held.insert(part)),
            Some(_) => {}
            None => held.clear(),
        }
    }

    fn kept(&self, resource: Resource) -> Resource {
        let keep = |(name, value): (String, Value)| {
            if ALWAYS.contains(&name.as_str()) {
                return Some((name, value));
            }
            if let Some(wanted) = self.extensions.get(&name) {
                let parts = value.as_object()?.clone().into_iter();
                let parts: Map<_, _> = parts
                    .filter_map(|(part, value)| {
                        if wanted.is_empty() {
                            return Some((part, value));
                        }
                        let inner = wanted.get(&part)?;
                        Some((part, only(value, inner)))
                    })
                    .collect();
                return (!parts.is_empty()).then(|| (name, parts.into()));
            }
            let wanted = self.core.get(&name)?;
            Some((name, only(value, wanted)))
        };
        resource.into_iter().filter_map(keep).collect()
    }

    fn removed(&self, resource: Resource) -> Resource {
        let remove = |(name, value): (String, Value)| {
            if ALWAYS.contains(&name.as_str()) {
                return Some((name, value));
            }
            if let Some(unwanted) = self.extensions.get(&name) {
                if unwanted.is_empty() {
                    return None;
                }
                let Value::Object(parts) = value else { return Some((name, value)) };
                let parts: Map<_, _> = parts
                    .into_iter()
                    .filter_map(|(part, value)| without(value, unwanted.get(&part)).map(|value| (part, value)))
                    .collect();
                return Some((name, parts.into()));
            }
            let unwanted = self.core.get(&name);
            without(value, unwanted).map(|value| (name, value))
        };
        resource.into_iter().filter_map(remove).collect()
    }
}

/// The named parts of a value, of each element where there are several.
fn only(value: Value, parts: &BTreeSet<String>) -> Value {
    match value {
        value if parts.is_empty() => value,
        Value::Array(elements) => elements.into_iter().map(|element| only(element, parts)).collect(),
        Value::Object(held) => held.into_iter().filter(|(name, _)| parts.contains(name)).collect::<Map<_, _>>().into(),
        other => other,
    }
}

/// A value without the named parts; `None` where the whole is named.
fn without(value: Value, parts: Option<&BTreeSet<String>>) -> Option<Value> {
    let Some(parts) = parts else { return Some(value) };
    if parts.is_empty() {
        return None;
    }
    Some(match value {
        Value::Array(elements) => elements.into_iter().filter_map(|element| without(element, Some(parts))).collect(),
        Value::Object(held) => held.into_iter().filter(|(name, _)| !parts.contains(name)).collect::<Map<_, _>>().into(),
        other => other,
    })
}
