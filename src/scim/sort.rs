//! The order of a list (RFC 7644, 3.4.2.3).

use std::cmp::Ordering;

use serde_json::Value;

use super::{AttributePath, Fault, Resource, ScimError, folded, schema::ResourceType};

/// What a list is ordered by.
#[derive(Clone, Debug)]
pub struct Order {
    path: AttributePath,
    case_exact: bool,
    descending: bool,
}

impl Order {
    /// Reads both parameters; `None` where the server's own order will do.
    ///
    /// # Errors
    /// [`ScimError`] for an attribute that is not known, or another order than the two.
    pub fn parse(by: Option<&str>, order: Option<&str>, of: &ResourceType) -> Result<Option<Self>, ScimError> {
        let descending = match order.map(str::to_ascii_lowercase).as_deref() {
            None | Some("ascending") => false,
            Some("descending") => true,
            Some(_) => return Err(ScimError::value("`sortOrder` must be `ascending` or `descending`")),
        };
        let Some(by) = by else { return Ok(None) };
        let unknown = || ScimError::new(Fault::InvalidPath, "`sortBy` names no attribute");
        let path = AttributePath::known(by, of).ok_or_else(unknown)?;
        let case_exact = path.declaration(of).ok_or_else(unknown)?.case_exact;
        Ok(Some(Self { path, case_exact, descending }))
    }

    /// Compares two resources. What has no value comes last, or first in a descending order.
    #[must_use]
    pub fn compare(&self, left: &Resource, right: &Resource) -> Ordering {
        let ordering = match (self.key(left), self.key(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        if self.descending { ordering.reverse() } else { ordering }
    }

    fn key(&self, resource: &Resource) -> Option<Key> {
        let values = self.path.values(resource);
        let is_primary = |value: &&&Value| value.get("primary") == Some(&Value::Bool(true));
        let value = values.iter().find(is_primary).or_else(|| values.first())?;
        match value.get("value").unwrap_or(value) {
            Value::String(text) => Some(Key::Text(if self.case_exact { text.clone() } else { folded(text) })),
            Value::Number(number) => number.as_i64().map(Key::Number),
            Value::Bool(truth) => Some(Key::Number(i64::from(*truth))),
            _ => None,
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(String),
}
