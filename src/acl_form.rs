//! The JSON form of an ACL, on the wire and in the store.
//!
//! An ACL that cannot be represented is refused with the place of the fault, never trimmed: a lost `deny` or `require` would open a document.

use std::collections::BTreeSet;

use ringfence_indexes::{Acl, Condition, InvalidName, Principal, Requirement, Timestamp};
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The most principals in `allow` and `deny` together.
pub const PRINCIPALS_MAX: usize = 1_000;
/// The most requirements.
const REQUIREMENTS_MAX: usize = 100;
/// The most texts of one `in`.
const TEXTS_MAX: usize = 1_000;
/// The longest attribute name or text in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// Why an ACL is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct AclFormError {
    /// The JSON pointer of the fault, from the ACL object.
    pub pointer: String,
    /// What is wrong there.
    pub problem: AclProblem,
}

/// What is wrong with an ACL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AclProblem {
    /// Another JSON type was expected.
    #[error("must be {0}")]
    Type(&'static str),
    /// A field that an ACL does not have.
    #[error("unknown field")]
    UnknownField,
    /// A principal's name is not one.
    #[error("the principal {0}")]
    Principal(#[from] InvalidName),
    /// Too many entries.
    #[error("has more than {0} entries")]
    TooMany(usize),
    /// A text that is empty, too long, or has control characters.
    #[error("must be a text of 1 to {TEXT_BYTES_MAX} bytes without control characters")]
    Text,
    /// A requirement needs exactly one condition.
    #[error("must have exactly one of `at_least` and `in`")]
    OneCondition,
    /// Not an RFC 3339 time that can be represented.
    #[error("must be an RFC 3339 time such as `2026-12-01T08:00:00Z`, to the microsecond at most")]
    Time,
    /// The window ends before it begins.
    #[error("must be later than `not_before`")]
    EmptyWindow,
}

/// Reads an ACL from its JSON form.
///
/// # Errors
/// [`AclFormError`] says what is wrong and where.
pub fn from_json(value: &Value) -> Result<Acl, AclFormError> {
    read(value, Principal::new)
}

/// Reads an ACL that the store wrote: its names say which bearer of each is meant.
///
/// # Errors
/// [`AclFormError`] says what is wrong and where.
pub fn from_stored(value: &Value) -> Result<Acl, AclFormError> {
    read(value, Principal::restore)
}

fn read(value: &Value, parse: fn(&str) -> Result<Principal, InvalidName>) -> Result<Acl, AclFormError> {
    let object = value.as_object().ok_or_else(|| fault("", AclProblem::Type("an object")))?;
    let mut acl = Acl::default();
    for (name, value) in object {
        let pointer = format!("/{}", escape(name));
        match name.as_str() {
            "allow" => acl.allow = principals(value, &pointer, parse)?,
            "deny" => acl.deny = principals(value, &pointer, parse)?,
            "require" => acl.require = requirements(value, &pointer)?,
            "not_before" => acl.not_before = optional_time(value, &pointer)?,
            "expires_at" => acl.expires_at = optional_time(value, &pointer)?,
            _ => return Err(fault(&pointer, AclProblem::UnknownField)),
        }
    }
    if !is_within_limits(&acl) {
        return Err(fault("", AclProblem::TooMany(PRINCIPALS_MAX)));
    }
    if acl.not_before.zip(acl.expires_at).is_some_and(|(start, end)| end <= start) {
        return Err(fault("/expires_at", AclProblem::EmptyWindow));
    }
    Ok(acl)
}

/// Whether an ACL has as few entries as one may have.
#[must_use]
pub fn is_within_limits(acl: &Acl) -> bool {
    acl.allow.len() + acl.deny.len() <= PRINCIPALS_MAX && acl.require.len() <= REQUIREMENTS_MAX
}

/// Writes an ACL in its JSON form; absent parts are left out, except `allow` and `deny`.
#[must_use]
pub fn to_json(acl: &Acl) -> Value {
    let names = |set: &BTreeSet<Principal>| set.iter().map(|name| Value::from(name.as_str())).collect::<Vec<_>>();
    let mut object = Map::new();
    object.insert("allow".into(), names(&acl.allow).into());
    object.insert("deny".into(), names(&acl.deny).into());
    if !acl.require.is_empty() {
        object.insert("require".into(), acl.require.iter().map(requirement_json).collect::<Vec<_>>().into());
    }
    for (name, edge) in [("not_before", acl.not_before), ("expires_at", acl.expires_at)] {
        if let Some(timestamp) = edge {
            object.insert(name.into(), format_time(timestamp).into());
        }
    }
    object.into()
}

/// Reads a JSON array of principals, such as a collection's `readers`; `pointer` is the array's place.
///
/// # Errors
/// [`AclFormError`] says what is wrong and where.
pub fn principals_at(value: &Value, pointer: &str) -> Result<BTreeSet<Principal>, AclFormError> {
    principals(value, pointer, Principal::new)
}

fn principals(
    value: &Value,
    pointer: &str,
    read: fn(&str) -> Result<Principal, InvalidName>,
) -> Result<BTreeSet<Principal>, AclFormError> {
    let entries = array(value, pointer, PRINCIPALS_MAX)?;
    let parse = |(index, entry): (usize, &Value)| {
        let place = || format!("{pointer}/{index}");
        let name = entry.as_str().ok_or_else(|| fault(&place(), AclProblem::Type("a text")))?;
        read(name).map_err(|invalid| fault(&place(), invalid.into()))
    };
    entries.iter().enumerate().map(parse).collect()
}

/// Writes a time as RFC 3339 in UTC.
#[must_use]
pub fn format_time(timestamp: Timestamp) -> String {
    // A time outside the years that RFC 3339 can write cannot come in through `parse_time`; it is shown as its edge.
    let nanos = i128::from(timestamp.0) * 1_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_else(|_| "9999-12-31T23:59:59.999999Z".to_owned())
}

/// Reads an RFC 3339 time; `None` where it cannot be represented exactly.
#[must_use]
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
    let micros = i64::try_from(nanos / 1_000).ok()?;
    (nanos % 1_000 == 0).then_some(Timestamp(micros))
}

fn requirements(value: &Value, pointer: &str) -> Result<BTreeSet<Requirement>, AclFormError> {
    let entries = array(value, pointer, REQUIREMENTS_MAX)?;
    entries.iter().enumerate().map(|(index, entry)| requirement(entry, &format!("{pointer}/{index}"))).collect()
}

fn requirement(value: &Value, pointer: &str) -> Result<Requirement, AclFormError> {
    let object = value.as_object().ok_or_else(|| fault(pointer, AclProblem::Type("an object")))?;
    if let Some(name) = object.keys().find(|name| !matches!(name.as_str(), "attribute" | "at_least" | "in")) {
        return Err(fault(&format!("{pointer}/{}", escape(name)), AclProblem::UnknownField));
    }
    let attribute = object.get("attribute").unwrap_or(&Value::Null);
    let attribute = text(attribute, &format!("{pointer}/attribute"))?;
    let condition = match (object.get("at_least"), object.get("in")) {
        (Some(floor), None) => {
            let whole = || fault(&format!("{pointer}/at_least"), AclProblem::Type("a whole number"));
            Condition::AtLeast(floor.as_i64().ok_or_else(whole)?)
        }
        (None, Some(texts)) => Condition::In(texts_at(texts, &format!("{pointer}/in"))?),
        _ => return Err(fault(pointer, AclProblem::OneCondition)),
    };
    Ok(Requirement { attribute, condition })
}

fn texts_at(value: &Value, pointer: &str) -> Result<BTreeSet<String>, AclFormError> {
    let entries = array(value, pointer, TEXTS_MAX)?;
    entries.iter().enumerate().map(|(index, entry)| text(entry, &format!("{pointer}/{index}"))).collect()
}

fn text(value: &Value, pointer: &str) -> Result<String, AclFormError> {
    let text = value.as_str().ok_or_else(|| fault(pointer, AclProblem::Type("a text")))?;
    if text.is_empty() || text.len() > TEXT_BYTES_MAX || text.contains(char::is_control) {
        return Err(fault(pointer, AclProblem::Text));
    }
    Ok(text.to_owned())
}

fn array<'value>(value: &'value Value, pointer: &str, most: usize) -> Result<&'value [Value], AclFormError> {
    let entries = value.as_array().ok_or_else(|| fault(pointer, AclProblem::Type("an array")))?;
    if entries.len() > most {
        return Err(fault(pointer, AclProblem::TooMany(most)));
    }
    Ok(entries)
}

fn optional_time(value: &Value, pointer: &str) -> Result<Option<Timestamp>, AclFormError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => parse_time(text).map(Some).ok_or_else(|| fault(pointer, AclProblem::Time)),
        _ => Err(fault(pointer, AclProblem::Type("a text or null"))),
    }
}

/// Writes one requirement in its JSON form.
#[must_use]
pub fn requirement_json(requirement: &Requirement) -> Value {
    let attribute = &requirement.attribute;
    match &requirement.condition {
        Condition::AtLeast(floor) => json!({"attribute": attribute, "at_least": floor}),
        Condition::In(texts) => json!({"attribute": attribute, "in": texts}),
    }
}

fn fault(pointer: &str, problem: AclProblem) -> AclFormError {
    AclFormError { pointer: pointer.to_owned(), problem }
}

/// A field name as one step of a JSON pointer.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};

    use super::*;

    #[track_caller]
    fn check_refused(value: &Value, pointer: &str, problem: &AclProblem) {
        let error = from_json(value).unwrap_err();
        assert_eq!((error.pointer.as_str(), &error.problem), (pointer, problem));
    }

    #[test]
    fn reads_the_documented_example() {
        let acl = from_json(&json!({
            "allow": ["group:eng", "user:bo"], "deny": ["group:contractors"],
            "require": [{"attribute": "clearance", "at_least": 2}, {"attribute": "region", "in": ["eu", "uk"]}],
            "not_before": "2026-12-01T08:00:00Z", "expires_at": "2027-01-01T00:00:00Z"
        }))
        .unwrap();
        assert_eq!((acl.allow.len(), acl.deny.len(), acl.require.len()), (2, 1, 2));
        assert_eq!(acl.not_before, Some(Timestamp(1_796_112_000_000_000)));
        assert_eq!(from_json(&to_json(&acl)), Ok(acl));
    }

    #[test]
    fn refuses_what_it_cannot_represent_and_says_where() {
        check_refused(&json!([]), "", &AclProblem::Type("an object"));
        check_refused(&json!({"alow": []}), "/alow", &AclProblem::UnknownField);
        check_refused(&json!({"a/b": []}), "/a~1b", &AclProblem::UnknownField);
        check_refused(&json!({"allow": "user:a"}), "/allow", &AclProblem::Type("an array"));
        check_refused(&json!({"allow": ["user:a", "bob"]}), "/allow/1", &InvalidName::Prefix.into());
        check_refused(&json!({"deny": ["group:*"]}), "/deny/0", &InvalidName::Characters.into());
        check_refused(&json!({"require": [{"attribute": "a"}]}), "/require/0", &AclProblem::OneCondition);
        let two = json!({"require": [{"attribute": "a", "at_least": 1, "in": []}]});
        check_refused(&two, "/require/0", &AclProblem::OneCondition);
        let half = json!({"require": [{"attribute": "a", "at_least": 1.5}]});
        check_refused(&half, "/require/0/at_least", &AclProblem::Type("a whole number"));
        check_refused(&json!({"require": [{"at_least": 1}]}), "/require/0/attribute", &AclProblem::Type("a text"));
        check_refused(&json!({"not_before": "tomorrow"}), "/not_before", &AclProblem::Time);
        check_refused(&json!({"not_before": "2026-01-01T00:00:00.0000001Z"}), "/not_before", &AclProblem::Time);
        let reversed = json!({"not_before": "2027-01-01T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"});
        check_refused(&reversed, "/expires_at", &AclProblem::EmptyWindow);
        let many: Vec<_> = (0..600).map(|number| format!("user:{number}")).collect();
        let others: Vec<_> = (600..1_100).map(|number| format!("user:{number}")).collect();
        check_refused(&json!({"allow": many, "deny": others}), "", &AclProblem::TooMany(PRINCIPALS_MAX));
    }

    fn any_acl() -> impl Strategy<Value = Acl> {
        let names = || proptest::collection::btree_set("(user|group|service|role):[a-zé0-9._ @-]{0,6}[a-z]", 0..5);
        let principals =
            |names: BTreeSet<String>| names.iter().map(|name| Principal::new(name).unwrap()).collect::<BTreeSet<_>>();
        let texts = proptest::collection::btree_set("[a-z]{1,4}", 0..3);
        let window = proptest::option::of(0..4_000_000_000_000_000_i64);
        (names(), names(), any::<i64>(), texts, window).prop_filter_map("valid", move |parts| {
            let (allow, deny, floor, texts, start) = parts;
            let spaced = |name: &String| Principal::new(name).is_ok();
            if !allow.iter().chain(&deny).all(spaced) {
                return None;
            }
            let require = [Condition::AtLeast(floor), Condition::In(texts)];
            let require = require.map(|condition| Requirement { attribute: "a".into(), condition });
            Some(Acl {
                allow: principals(allow),
                deny: principals(deny),
                require: require.into(),
                not_before: start.map(Timestamp),
                expires_at: start.map(|start| Timestamp(start + 1)),
            })
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(acl in any_acl()) {
            prop_assert_eq!(from_json(&to_json(&acl)), Ok(acl));
        }
    }
}
