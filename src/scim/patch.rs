//! Patches (RFC 7644, 3.5.2) as clients send them.
//!
//! Okta and Entra ID capitalise operations, leave the path out, name paths as the keys of a value, send booleans as texts and name the members to remove in `value`. All of it means what it says; an operation that would remove more than it names is refused.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{
    Fault, Filter, Resource, ScimError,
    lexer::{Token, tokens},
    path::{AttributePath, Named, shown},
    resource::{self, keep_one_primary, normal, one},
    schema::{Attribute, Kind, ResourceType},
};

/// The most operations of one patch.
const OPERATIONS_MAX: usize = 1_000;
/// So many new values are looked for one by one, because that is quicker than making a table of those there are.
const FEW: usize = 8;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Remove,
}

/// Applies a patch. The resource is whole before and after: the first operation that cannot be done undoes all.
///
/// # Errors
/// [`ScimError`] says which operation cannot be done, and why.
pub fn apply(patch: &Value, resource: &Resource, of: &ResourceType) -> Result<Resource, ScimError> {
    let syntax = |detail: &str| ScimError::new(Fault::InvalidSyntax, detail);
    let body = patch.as_object().ok_or_else(|| syntax("the body must be a JSON object"))?;
    let operations = field(body, "Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| syntax("`Operations` must be a list"))?;
    if operations.is_empty() {
        return Err(syntax("`Operations` is empty"));
    }
    if operations.len() > OPERATIONS_MAX {
        return Err(ScimError::new(Fault::TooMany, format_args!("a patch has at most {OPERATIONS_MAX} operations")));
    }
    let mut patched = resource.clone();
    let mut removals = Removals::default();
    for operation in operations {
        let operation = operation.as_object().ok_or_else(|| syntax("an operation must be an object"))?;
        if !removals.take(operation, of) {
            std::mem::take(&mut removals).apply(&mut patched, of);
            apply_one(operation, &mut patched, of)?;
        }
    }
    removals.apply(&mut patched, of);
    resource::check(&patched, of)?;
    Ok(patched)
}

/// Removals of single members, one operation each, that follow one another: done at once, because a thousand of them may meet ten thousand members.
#[derive(Default)]
struct Removals {
    path: Option<AttributePath>,
    values: HashSet<String>,
}

impl Removals {
    /// Takes an operation of this kind; false for any other, or one on something else.
    fn take(&mut self, operation: &Map<String, Value>, of: &ResourceType) -> bool {
        let is_remove =
            field(operation, "op").and_then(Value::as_str).is_some_and(|op| op.eq_ignore_ascii_case("remove"));
        let path = field(operation, "path").and_then(Value::as_str).filter(|path| is_remove && path.contains('['));
        let Some(Ok(Target::Attribute { path, filter: Some(filter) })) =
            path.map(|path| Target::parse(path.trim(), of))
        else {
            return false;
        };
        let Some(attribute) = path.attribute_of(of) else { return false };
        let is_same = self.path.as_ref().is_none_or(|own| *own == path);
        match exactly(attribute, &filter) {
            Some(value) if is_same && path.part.is_none() => {
                self.path = Some(path);
                self.values.insert(value);
                true
            }
            _ => false,
        }
    }

    fn apply(self, resource: &mut Resource, of: &ResourceType) {
        let Some((path, attribute)) = self.path.as_ref().and_then(|path| Some((path, path.attribute_of(of)?))) else {
            return;
        };
        let Some(Value::Array(mut elements)) = take(path, attribute, resource) else { return };
        let stays = |element: &Value| {
            element.get("value").and_then(Value::as_str).is_none_or(|value| !self.values.contains(value))
        };
        elements.retain(stays);
        put(path, attribute, if elements.is_empty() { Value::Null } else { elements.into() }, resource);
    }
}

fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn apply_one(operation: &Map<String, Value>, resource: &mut Resource, of: &ResourceType) -> Result<(), ScimError> {
    let syntax = |detail: &str| ScimError::new(Fault::InvalidSyntax, detail);
    let verb = match field(operation, "op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Verb::Add,
        Some("replace") => Verb::Replace,
        Some("remove") => Verb::Remove,
        _ => return Err(syntax("`op` must be `add`, `replace` or `remove`")),
    };
    let value = field(operation, "value").unwrap_or(&Value::Null);
    let path = match field(operation, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) if path.trim().is_empty() => None,
        Some(Value::String(path)) => Some(path.trim()),
        Some(_) => return Err(syntax("`path` must be a text")),
    };
    match (verb, path) {
        (Verb::Remove, None) => Err(ScimError::new(Fault::NoTarget, "`remove` needs a `path`")),
        (_, Some(path)) => Target::parse(path, of)?.change(verb, value, resource, of),
        (_, None) => {
            let object = value.as_object().ok_or_else(|| syntax("without a `path`, `value` must be an object"))?;
            for (name, value) in object {
                let target = Target::parse(name, of)?;
                // A client that sends the whole resource sends what it cannot change as well.
                if !target.is_read_only(of) {
                    target.change(verb, value, resource, of)?;
                }
            }
            Ok(())
        }
    }
}

/// What an operation changes.
enum Target {
    /// What is taken and dropped.
    Dropped,
    Attribute {
        path: AttributePath,
        /// Which elements of it.
        filter: Option<Box<Filter>>,
    },
}

impl Target {
    fn parse(text: &str, of: &ResourceType) -> Result<Self, ScimError> {
        let fault = || ScimError::new(Fault::InvalidPath, format_args!("`{}` is no path", shown(text)));
        let Some((name, rest)) = text.split_once('[') else {
            return Ok(match AttributePath::parse(text, of, Fault::InvalidPath)? {
                Named::Known(path) => Self::Attribute { path, filter: None },
                Named::Dropped => Self::Dropped,
            });
        };
        let mut path = match AttributePath::parse(name, of, Fault::InvalidPath)? {
            Named::Known(path) if path.part.is_none() => path,
            Named::Known(_) => return Err(fault()),
            Named::Dropped => return Ok(Self::Dropped),
        };
        let attribute = path.attribute_of(of).filter(|attribute| attribute.multi_valued).ok_or_else(fault)?;
        let mut tokens = tokens(rest, Fault::InvalidPath)?;
        if let Some(Token::Part(_)) = tokens.last()
            && let Some(Token::Part(name)) = tokens.pop()
        {
            path.part = Some(attribute.part(&name).ok_or_else(fault)?.name.to_string());
        }
        if tokens.pop() != Some(Token::CloseBracket) {
            return Err(fault());
        }
        let filter = Filter::of_elements(tokens, of, attribute);
        let filter = filter.map_err(|error| ScimError { kind: Fault::InvalidPath, ..error })?;
        Ok(Self::Attribute { path, filter: Some(Box::new(filter)) })
    }

    fn is_read_only(&self, of: &ResourceType) -> bool {
        match self {
            Self::Dropped => false,
            Self::Attribute { path, .. } => path.attribute_of(of).is_some_and(|attribute| attribute.read_only),
        }
    }

    fn change(&self, verb: Verb, value: &Value, resource: &mut Resource, of: &ResourceType) -> Result<(), ScimError> {
        let Self::Attribute { path, filter } = self else { return Ok(()) };
        if self.is_read_only(of) {
            return Err(ScimError::new(Fault::Mutability, "the attribute is changed by the server alone"));
        }
        let Some(attribute) = path.attribute_of(of) else { return change_extension(path, verb, value, resource, of) };
        if verb == Verb::Remove && attribute.required && path.part.is_none() {
            return Err(ScimError::new(Fault::Mutability, format_args!("`{}` is required", attribute.name)));
        }
        let before = take(path, attribute, resource);
        let changed = change_value(attribute, path.part.as_deref(), filter.as_deref(), verb, value, before)?;
        put(path, attribute, changed, resource);
        Ok(())
    }
}

/// Changes the attributes of an extension that is named as a whole.
fn change_extension(
    path: &AttributePath,
    verb: Verb,
    value: &Value,
    resource: &mut Resource,
    of: &ResourceType,
) -> Result<(), ScimError> {
    let schema = path.extension.as_deref().and_then(|urn| of.extension(urn));
    let Some(schema) = schema else { return Ok(()) };
    if verb == Verb::Remove {
        resource.remove(schema.id);
        return Ok(());
    }
    let Some(parts) = resource::extension_value(schema, value)? else { return Ok(()) };
    match resource.get_mut(schema.id).and_then(Value::as_object_mut) {
        Some(held) => held.extend(parts),
        None => drop(resource.insert(schema.id.to_owned(), parts.into())),
    }
    Ok(())
}

/// Takes a value out, to be changed and put back: a group may have ten thousand members, and a patch a thousand operations.
fn take(path: &AttributePath, attribute: &Attribute, resource: &mut Resource) -> Option<Value> {
    match &path.extension {
        None => resource.remove(attribute.name.as_ref()),
        Some(urn) => resource.get_mut(urn)?.as_object_mut()?.remove(attribute.name.as_ref()),
    }
}

fn put(path: &AttributePath, attribute: &Attribute, value: Value, resource: &mut Resource) {
    let name = attribute.name.as_ref();
    let Some(urn) = &path.extension else {
        match value {
            Value::Null => drop(resource.remove(name)),
            value => drop(resource.insert(name.to_owned(), value)),
        }
        return;
    };
    let mut parts = match resource.remove(urn) {
        Some(Value::Object(parts)) => parts,
        _ => Map::new(),
    };
    match value {
        Value::Null => drop(parts.remove(name)),
        value => drop(parts.insert(name.to_owned(), value)),
    }
    if !parts.is_empty() {
        resource.insert(urn.clone(), parts.into());
    }
}

/// The value of an attribute after an operation; `null` where nothing is left.
fn change_value(
    attribute: &Attribute,
    part: Option<&str>,
    filter: Option<&Filter>,
    verb: Verb,
    value: &Value,
    before: Option<Value>,
) -> Result<Value, ScimError> {
    if attribute.multi_valued {
        let elements = match before {
            Some(Value::Array(elements)) => elements,
            _ => Vec::new(),
        };
        let mut elements = change_elements(attribute, part, filter, verb, value, elements)?;
        resource::check_count(attribute, elements.len())?;
        keep_one_primary(&mut elements);
        return Ok(if elements.is_empty() { Value::Null } else { elements.into() });
    }
    match (part, verb) {
        (None, Verb::Remove) => Ok(Value::Null),
        (None, _) if attribute.kind == Kind::Complex => {
            let new = one(attribute, value)?;
            Ok(merged(before, new))
        }
        (None, _) => one(attribute, value),
        (Some(part), verb) => change_part(attribute, part, verb, value, before.unwrap_or_default()),
    }
}

/// The parts of both; those of the second win.
fn merged(before: Option<Value>, new: Value) -> Value {
    match (before, new) {
        (Some(Value::Object(mut parts)), Value::Object(new)) => {
            parts.extend(new);
            parts.into()
        }
        (before, Value::Null) => before.unwrap_or_default(),
        (_, new) => new,
    }
}

fn change_part(
    attribute: &Attribute,
    part: &str,
    verb: Verb,
    value: &Value,
    before: Value,
) -> Result<Value, ScimError> {
    let declared = attribute.part(part).ok_or_else(|| ScimError::new(Fault::InvalidPath, "there is no such part"))?;
    let mut parts = match before {
        Value::Object(parts) => parts,
        _ => Map::new(),
    };
    let value = if verb == Verb::Remove { Value::Null } else { normal(declared, value)? };
    match value {
        Value::Null => drop(parts.remove(part)),
        value => drop(parts.insert(part.to_owned(), value)),
    }
    Ok(if parts.is_empty() { Value::Null } else { parts.into() })
}

fn change_elements(
    attribute: &Attribute,
    part: Option<&str>,
    filter: Option<&Filter>,
    verb: Verb,
    value: &Value,
    mut elements: Vec<Value>,
) -> Result<Vec<Value>, ScimError> {
    match (filter, part, verb) {
        (None, None, Verb::Add) => {
            add(attribute, &mut elements, given(attribute, value)?);
            Ok(elements)
        }
        (None, None, Verb::Replace) => Ok(given(attribute, value)?),
        // Without a value all of them go, as RFC 7644 says; Entra ID names those that go in `value`.
        (None, None, Verb::Remove) if value.is_null() => Ok(Vec::new()),
        (None, None, Verb::Remove) => {
            let gone: HashSet<String> = given(attribute, value)?.iter().map(identity).collect();
            elements.retain(|element| !gone.contains(&identity(element)));
            Ok(elements)
        }
        (Some(filter), None, Verb::Remove) => {
            elements.retain(|element| !filter.matches_element(element));
            Ok(elements)
        }
        (filter, part, verb) => {
            let chosen = |element: &Value| filter.is_none_or(|filter| filter.matches_element(element));
            let mut found = false;
            for element in elements.iter_mut().filter(|element| chosen(element)) {
                found = true;
                let before = element.take();
                *element = match part {
                    Some(part) => change_part(attribute, part, verb, value, before)?,
                    None => merged(Some(before), one(attribute, value)?),
                };
            }
            if !found && verb != Verb::Remove {
                elements.push(new_element(attribute, part, filter, value)?);
            }
            elements.retain(|element| !element.is_null());
            Ok(elements)
        }
    }
}

/// `emails[type eq "work"].value` where there is none of that type yet: Entra ID means one to be made.
fn new_element(
    attribute: &Attribute,
    part: Option<&str>,
    filter: Option<&Filter>,
    value: &Value,
) -> Result<Value, ScimError> {
    let no_target = || ScimError::new(Fault::NoTarget, "the path matches no value");
    let template = match filter {
        Some(filter) => filter.template().ok_or_else(no_target)?,
        None => Vec::new(),
    };
    // A group has no member that is only described.
    if attribute.name == "members" {
        return Err(no_target());
    }
    let made: Value = Map::from_iter(template).into();
    match part {
        Some(part) => change_part(attribute, part, Verb::Add, value, made),
        None => Ok(merged(Some(made), one(attribute, value)?)),
    }
}

fn given(attribute: &Attribute, value: &Value) -> Result<Vec<Value>, ScimError> {
    match normal(attribute, value)? {
        Value::Array(elements) => Ok(elements),
        _ => Ok(Vec::new()),
    }
}

/// What tells an element from others: its `value` where it has one.
fn identity(element: &Value) -> String {
    element.get("value").unwrap_or(element).to_string()
}

/// Adds what is not there yet: a member by its `value`, whatever else is said of it. Of a new preferred value, the earlier one is preferred no more.
fn add(attribute: &Attribute, elements: &mut Vec<Value>, new: Vec<Value>) {
    let is_reference = attribute.part("$ref").is_some();
    if new.len() <= FEW {
        let same = |one: &Value, other: &Value| {
            if is_reference { one.get("value") == other.get("value") } else { one == other }
        };
        for element in new {
            if !elements.iter().any(|known| same(known, &element)) {
                elements.push(element);
            }
        }
        return;
    }
    let key = |element: &Value| if is_reference { identity(element) } else { element.to_string() };
    let mut known: HashSet<String> = elements.iter().map(key).collect();
    elements.extend(new.into_iter().filter(|element| known.insert(key(element))));
}

/// The `value` that an element must have, byte for byte, where the filter says no more than that.
fn exactly(attribute: &Attribute, filter: &Filter) -> Option<String> {
    let mut template = filter.template()?;
    let (part, value) = template.pop().filter(|_| template.is_empty())?;
    let is_exact = attribute.part(&part).is_some_and(|declared| declared.kind == Kind::String && declared.case_exact);
    if !is_exact || part != "value" {
        return None;
    }
    value.as_str().map(str::to_owned)
}
