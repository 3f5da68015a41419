//! Names of attributes: `userName`, `name.familyName`, `urn:…:User:department`.

use serde_json::Value;

use super::{
    Fault, Resource, ScimError,
    schema::{Attribute, ResourceType},
};

/// An attribute of a resource type, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributePath {
    /// The extension it belongs to; `None` for the core.
    pub(super) extension: Option<String>,
    /// Its name as it is declared; `None` for the extension as a whole.
    pub(super) attribute: Option<String>,
    /// A part of its value.
    pub(super) part: Option<String>,
}

/// What a name may mean.
#[derive(Clone, Debug)]
pub(super) enum Named {
    /// An attribute that is kept.
    Known(AttributePath),
    /// One that is taken and dropped.
    Dropped,
}

impl AttributePath {
    /// The attribute that a name means, if there is one.
    #[must_use]
    pub fn known(name: &str, of: &ResourceType) -> Option<Self> {
        match Self::parse(name, of, Fault::InvalidPath) {
            Ok(Named::Known(path)) => Some(path),
            _ => None,
        }
    }

    /// What a name means.
    pub(super) fn parse(name: &str, of: &ResourceType, kind: Fault) -> Result<Named, ScimError> {
        let unknown = || ScimError::new(kind, format_args!("there is no attribute `{}`", shown(name)));
        if name.len() > 512 {
            return Err(unknown());
        }
        if !name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")) {
            return Self::inside(None, name, of).ok_or_else(unknown);
        }
        if of.extension(name).is_some() {
            let extension = of.extension(name).map(|schema| schema.id.to_owned());
            return Ok(Named::Known(Self { extension, attribute: None, part: None }));
        }
        let schemas = std::iter::once(&of.core).chain(&of.extensions);
        for schema in schemas {
            let rest = name.get(..schema.id.len()).filter(|start| start.eq_ignore_ascii_case(schema.id));
            let rest = rest.and_then(|_| name[schema.id.len()..].strip_prefix(':'));
            if let Some(rest) = rest {
                let extension = (schema.id != of.core.id).then(|| schema.id.to_owned());
                return Self::inside(extension, rest, of).ok_or_else(unknown);
            }
        }
        // Another extension, with which a client tells what it knows and we do not ask for.
        Ok(Named::Dropped)
    }

    fn inside(extension: Option<String>, name: &str, of: &ResourceType) -> Option<Named> {
        let (name, part) = match name.split_once('.') {
            Some((name, part)) => (name, Some(part)),
            None => (name, None),
        };
        let found = match &extension {
            Some(urn) => of.extension(urn)?.attribute(name),
            None => of.core.attribute(name).or_else(|| of.common(name)),
        };
        let Some(attribute) = found else {
            return (extension.is_none() && of.drops(name)).then_some(Named::Dropped);
        };
        let part = match part {
            Some(part) => Some(attribute.part(part)?.name.to_string()),
            None => None,
        };
        Some(Named::Known(Self { extension, attribute: Some(attribute.name.to_string()), part }))
    }

    /// The declaration of the attribute, not of its part.
    pub(super) fn attribute_of<'a>(&self, of: &'a ResourceType) -> Option<&'a Attribute> {
        let name = self.attribute.as_deref()?;
        match &self.extension {
            Some(urn) => of.extension(urn)?.attribute(name),
            None => of.core.attribute(name).or_else(|| of.common(name)),
        }
    }

    /// The declaration of what is named: the part where there is one.
    pub(super) fn declaration<'a>(&self, of: &'a ResourceType) -> Option<&'a Attribute> {
        let attribute = self.attribute_of(of)?;
        match &self.part {
            Some(part) => attribute.part(part),
            None => Some(attribute),
        }
    }

    /// The object that holds the attribute.
    pub(super) fn holder<'a>(&self, resource: &'a Resource) -> Option<&'a Resource> {
        match &self.extension {
            Some(urn) => resource.get(urn).and_then(Value::as_object),
            None => Some(resource),
        }
    }

    /// The value of the attribute, not of its part.
    pub(super) fn value<'a>(&self, resource: &'a Resource) -> Option<&'a Value> {
        self.holder(resource)?.get(self.attribute.as_deref()?)
    }

    /// Every value that is named: of each element where there are several.
    pub(super) fn values<'a>(&self, resource: &'a Resource) -> Vec<&'a Value> {
        let Some(value) = self.value(resource) else { return Vec::new() };
        let elements: Vec<&Value> = match value {
            Value::Array(elements) => elements.iter().collect(),
            one => vec![one],
        };
        match &self.part {
            Some(part) => elements.into_iter().filter_map(|element| element.get(part)).collect(),
            None => elements,
        }
    }
}

/// A name from outside, short enough for a message.
pub(super) fn shown(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(100).collect()
}
