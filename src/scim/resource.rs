//! Bodies brought into the one form that a schema describes.
//!
//! Clients differ in spelling: names in any case, booleans as the text `False`, a single value where several are possible. What is unknown is dropped, as RFC 7643 asks; what has another type is refused.

use serde_json::{Map, Value};

use super::{
    Fault, Resource, ScimError, folded,
    schema::{Attribute, Kind, ResourceType, Schema},
};

/// The longest text of an attribute in bytes.
const TEXT_BYTES_MAX: usize = 2_048;
/// The most values of an attribute, but for the members of a group.
const VALUES_MAX: usize = 100;
/// The most members of a group.
pub const MEMBERS_MAX: usize = 10_000;
/// The largest resource in bytes, without its members.
const RESOURCE_BYTES_MAX: usize = 64 << 10;

/// Reads the body of a new or replaced resource.
///
/// # Errors
/// [`ScimError`] says which attribute is missing or of another type.
pub fn read(body: &Value, of: &ResourceType) -> Result<Resource, ScimError> {
    let object =
        body.as_object().ok_or_else(|| ScimError::new(Fault::InvalidSyntax, "the body must be a JSON object"))?;
    check_schemas(object, of)?;
    let mut resource = Resource::new();
    for (name, value) in object {
        if let Some(extension) = of.extension(name) {
            if let Some(parts) = extension_value(extension, value)? {
                resource.insert(extension.id.to_owned(), parts.into());
            }
            continue;
        }
        let Some(attribute) = of.core.attribute(name).or_else(|| of.common(name)) else { continue };
        if attribute.read_only {
            continue;
        }
        let value = normal(attribute, value)?;
        if !value.is_null() && resource.insert(attribute.name.to_string(), value).is_some() {
            return Err(ScimError::new(Fault::InvalidSyntax, format_args!("`{}` is given twice", attribute.name)));
        }
    }
    check(&resource, of)?;
    Ok(resource)
}

/// Checks what no single attribute shows: that nothing required is missing, and that the whole is not too large.
///
/// # Errors
/// [`ScimError`] says what is missing.
pub(super) fn check(resource: &Resource, of: &ResourceType) -> Result<(), ScimError> {
    for attribute in of.core.attributes.iter().filter(|attribute| attribute.required) {
        let text = resource.get(attribute.name.as_ref()).and_then(Value::as_str);
        if text.is_none_or(|text| text.trim().is_empty()) {
            return Err(ScimError::value(format_args!("`{}` is required", attribute.name)));
        }
    }
    let parts = resource.iter().filter(|(name, _)| name.as_str() != "members");
    let bytes: usize = parts.map(|(name, value)| name.len() + value.to_string().len()).sum();
    if bytes > RESOURCE_BYTES_MAX {
        return Err(ScimError::value(format_args!("a resource has at most {RESOURCE_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// A kept resource as its type describes it now: attributes that were declared when it was written may not be any more, or have another type.
#[must_use]
pub fn shown(resource: &Resource, of: &ResourceType) -> Resource {
    let of_extension = |(name, value): (&String, &Value)| {
        if !name.starts_with("urn:") {
            return Some((name.clone(), value.clone()));
        }
        let schema = of.extension(name)?;
        let fits = |(name, value): &(&String, &Value)| {
            schema.attribute(name).is_some_and(|attribute| normal(attribute, value).as_ref() == Ok(*value))
        };
        let parts = value.as_object()?.iter().filter(fits);
        let parts: Resource = parts.map(|(name, value)| (name.clone(), value.clone())).collect();
        (!parts.is_empty()).then(|| (name.clone(), parts.into()))
    };
    resource.iter().filter_map(of_extension).collect()
}

/// A body may leave `schemas` out; one that names another resource is a mistake.
fn check_schemas(object: &Map<String, Value>, of: &ResourceType) -> Result<(), ScimError> {
    let Some((_, schemas)) = object.iter().find(|(name, _)| name.eq_ignore_ascii_case("schemas")) else {
        return Ok(());
    };
    let names_core = |schema: &Value| schema.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(of.core.id));
    if schemas.as_array().is_some_and(|schemas| schemas.iter().any(names_core)) {
        return Ok(());
    }
    Err(ScimError::value(format_args!("`schemas` must name `{}`", of.core.id)))
}

/// The attributes of an extension; `None` where it has none.
pub(super) fn extension_value(schema: &Schema, value: &Value) -> Result<Option<Resource>, ScimError> {
    if value.is_null() {
        return Ok(None);
    }
    let fault = || ScimError::value(format_args!("`{}` must be an object", schema.id));
    let mut parts = Resource::new();
    for (name, value) in value.as_object().ok_or_else(fault)? {
        let Some(attribute) = schema.attribute(name) else { continue };
        let value = normal(attribute, value)?;
        if !value.is_null() {
            parts.insert(attribute.name.to_string(), value);
        }
    }
    Ok((!parts.is_empty()).then_some(parts))
}

/// A value in the form of its attribute; `null` for one that is as good as none.
///
/// # Errors
/// [`ScimError`] for a value of another type.
pub(super) fn normal(attribute: &Attribute, value: &Value) -> Result<Value, ScimError> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    if !attribute.multi_valued {
        return one(attribute, value);
    }
    let elements: &[Value] = match value {
        Value::Array(elements) => elements,
        single => std::slice::from_ref(single),
    };
    check_count(attribute, elements.len())?;
    let mut normals = Vec::with_capacity(elements.len());
    for element in elements {
        let normal = one(attribute, element)?;
        if !normal.is_null() {
            normals.push(normal);
        }
    }
    keep_one_primary(&mut normals);
    Ok(if normals.is_empty() { Value::Null } else { normals.into() })
}

/// Refuses more values than an attribute may have.
pub(super) fn check_count(attribute: &Attribute, count: usize) -> Result<(), ScimError> {
    let most = if attribute.name == "members" { MEMBERS_MAX } else { VALUES_MAX };
    if count <= most {
        return Ok(());
    }
    Err(ScimError::value(format_args!("`{}` has at most {most} values", attribute.name)))
}

/// One value of an attribute.
pub(super) fn one(attribute: &Attribute, value: &Value) -> Result<Value, ScimError> {
    let fault = |what: &str| ScimError::value(format_args!("`{}` must be {what}", attribute.name));
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Kind::String | Kind::Reference | Kind::DateTime, Value::String(text)) => {
            let is_clean = !text.contains(|character: char| character.is_control());
            if text.len() > TEXT_BYTES_MAX || !is_clean {
                return Err(fault("a text without control characters, and not too long"));
            }
            Ok(value.clone())
        }
        (Kind::String | Kind::Reference | Kind::DateTime, _) => Err(fault("a text")),
        (Kind::Boolean, Value::Bool(_)) => Ok(value.clone()),
        // Entra ID sends `"False"`.
        (Kind::Boolean, Value::String(text)) => match folded(text).as_str() {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err(fault("true or false")),
        },
        (Kind::Boolean, _) => Err(fault("true or false")),
        (Kind::Integer, Value::Number(number)) if number.is_i64() => Ok(value.clone()),
        (Kind::Integer, Value::String(text)) => {
            text.parse::<i64>().map(Value::from).map_err(|_| fault("a whole number"))
        }
        (Kind::Integer, _) => Err(fault("a whole number")),
        (Kind::Complex, Value::Object(parts)) => complex(attribute, parts),
        // Entra ID sends the manager's id alone.
        (Kind::Complex, Value::String(_)) => match attribute.part("value") {
            Some(part) => Ok(Map::from_iter([("value".to_owned(), one(part, value)?)]).into()),
            None => Err(fault("an object")),
        },
        (Kind::Complex, _) => Err(fault("an object")),
    }
}

fn complex(attribute: &Attribute, parts: &Map<String, Value>) -> Result<Value, ScimError> {
    let mut normals = Map::new();
    for (name, value) in parts {
        let Some(part) = attribute.part(name) else { continue };
        let value = normal(part, value)?;
        if !value.is_null() {
            normals.insert(part.name.to_string(), value);
        }
    }
    Ok(if normals.is_empty() { Value::Null } else { normals.into() })
}

/// At most one value is the preferred one: the last that says so.
pub(super) fn keep_one_primary(elements: &mut [Value]) {
    let is_primary = |element: &Value| element.get("primary") == Some(&Value::Bool(true));
    let last = elements.iter().rposition(is_primary);
    for (index, element) in elements.iter_mut().enumerate() {
        if Some(index) != last && is_primary(element) {
            element["primary"] = false.into();
        }
    }
}
