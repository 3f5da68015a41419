//! A condition on the metadata of documents.
//!
//! Only `metadata.…` can be named: collection, ACL, owner and the other fields that isolate cannot be reached.

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// The most clauses a filter may have.
const CLAUSES_MAX: usize = 32;
/// The most values a list in a clause may have.
const VALUES_MAX: usize = 256;
/// The prefix of every path.
const PREFIX: &str = "metadata.";

/// A parsed filter; the default lets every document pass.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Filter {
    clauses: Vec<Clause>,
}

/// Why a filter is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFilter {
    /// Not a JSON object.
    #[error("a filter is an object such as `{{\"metadata.lang\": \"en\"}}`")]
    NotAnObject,
    /// A path outside of the metadata.
    #[error("`{0}` cannot be filtered by: a path starts with `metadata.`")]
    Path(String),
    /// An operator that does not exist.
    #[error("`{0}` is no operator: use eq, ne, in, nin, gt, gte, lt, lte or exists")]
    Operator(String),
    /// An operand of the wrong type.
    #[error("`{operator}` takes {expected}")]
    Operand {
        /// The operator.
        operator: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// Too many clauses or values.
    #[error("a filter has at most {CLAUSES_MAX} clauses and {VALUES_MAX} values a list")]
    TooLarge,
}

#[derive(Clone, Debug, PartialEq)]
struct Clause {
    field: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equal(Value),
    NotEqual(Value),
    In(Vec<Value>),
    NotIn(Vec<Value>),
    /// The field compares with the value as one of the two orders says.
    Compare(Value, [Ordering; 2]),
    Exists(bool),
}

impl Filter {
    /// Reads a filter such as `{"metadata.lang": "en", "metadata.year": {"gte": 2024}}`. All clauses must hold.
    ///
    /// # Errors
    /// [`InvalidFilter`] says what is wrong.
    pub fn parse(value: &Value) -> Result<Self, InvalidFilter> {
        let fields = value.as_object().ok_or(InvalidFilter::NotAnObject)?;
        let mut clauses = Vec::new();
        for (path, condition) in fields {
            let field = path.strip_prefix(PREFIX).filter(|field| !field.is_empty());
            let field = field.ok_or_else(|| InvalidFilter::Path(path.clone()))?;
            match condition {
                Value::Object(operators) => {
                    for (operator, operand) in operators {
                        clauses.push(Clause { field: field.to_owned(), test: Test::parse(operator, operand)? });
                    }
                }
                operand => clauses.push(Clause { field: field.to_owned(), test: Test::parse("eq", operand)? }),
            }
        }
        if clauses.len() > CLAUSES_MAX { Err(InvalidFilter::TooLarge) } else { Ok(Self { clauses }) }
    }

    /// Whether every document passes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Whether a document with this metadata passes.
    #[must_use]
    pub fn matches(&self, metadata: &Map<String, Value>) -> bool {
        self.clauses.iter().all(|clause| clause.test.holds(lookup(metadata, &clause.field)))
    }
}

/// A field by its whole name, else by its path of names separated by dots.
fn lookup<'a>(metadata: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    metadata.get(field).or_else(|| {
        let (first, rest) = field.split_once('.')?;
        lookup(metadata.get(first)?.as_object()?, rest)
    })
}

impl Test {
    fn parse(operator: &str, operand: &Value) -> Result<Self, InvalidFilter> {
        use Ordering::{Equal, Greater, Less};
        Ok(match operator {
            "eq" => Self::Equal(scalar("eq", operand)?),
            "ne" => Self::NotEqual(scalar("ne", operand)?),
            "in" => Self::In(list("in", operand)?),
            "nin" => Self::NotIn(list("nin", operand)?),
            "gt" => Self::Compare(ordered("gt", operand)?, [Greater, Greater]),
            "gte" => Self::Compare(ordered("gte", operand)?, [Greater, Equal]),
            "lt" => Self::Compare(ordered("lt", operand)?, [Less, Less]),
            "lte" => Self::Compare(ordered("lte", operand)?, [Less, Equal]),
            "exists" => {
                let expected = InvalidFilter::Operand { operator: "exists", expected: "true or false" };
                Self::Exists(operand.as_bool().ok_or(expected)?)
            }
            other => return Err(InvalidFilter::Operator(other.to_owned())),
        })
    }

    /// A missing field fails everything but `exists: false`; of an array, any element may satisfy a test and none may contradict it.
    fn holds(&self, found: Option<&Value>) -> bool {
        let Some(found) = found.filter(|value| !value.is_null()) else {
            return *self == Self::Exists(false);
        };
        let values = found.as_array().map_or(std::slice::from_ref(found), Vec::as_slice);
        let any_of = |wanted: &[Value]| values.iter().any(|value| wanted.iter().any(|wanted| equal(value, wanted)));
        match self {
            Self::Equal(wanted) => any_of(std::slice::from_ref(wanted)),
            Self::NotEqual(unwanted) => !any_of(std::slice::from_ref(unwanted)),
            Self::In(wanted) => any_of(wanted),
            Self::NotIn(unwanted) => !any_of(unwanted),
            Self::Compare(bound, orders) => {
                values.iter().any(|value| compare(value, bound).is_some_and(|order| orders.contains(&order)))
            }
            Self::Exists(expected) => *expected,
        }
    }
}

fn scalar(operator: &'static str, operand: &Value) -> Result<Value, InvalidFilter> {
    match operand {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(operand.clone()),
        _ => Err(InvalidFilter::Operand { operator, expected: "a text, a number, true or false" }),
    }
}

fn ordered(operator: &'static str, operand: &Value) -> Result<Value, InvalidFilter> {
    match operand {
        Value::String(_) | Value::Number(_) => Ok(operand.clone()),
        _ => Err(InvalidFilter::Operand { operator, expected: "a text or a number" }),
    }
}

fn list(operator: &'static str, operand: &Value) -> Result<Vec<Value>, InvalidFilter> {
    let values = operand.as_array().ok_or(InvalidFilter::Operand { operator, expected: "a list" })?;
    if values.len() > VALUES_MAX {
        return Err(InvalidFilter::TooLarge);
    }
    values.iter().map(|value| scalar(operator, value)).collect()
}

fn equal(left: &Value, right: &Value) -> bool {
    left == right || compare(left, right) == Some(Ordering::Equal)
}

/// Numbers by value (whole numbers exactly), texts by bytes; nothing else has an order.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (whole(left), whole(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn whole(number: &serde_json::Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(filter: &Value, metadata: &Value, expected: bool) {
        let filter = Filter::parse(filter).unwrap();
        assert_eq!(filter.matches(metadata.as_object().unwrap()), expected, "{filter:?} on {metadata}");
    }

    #[test]
    fn compares_scalars() {
        let document = json!({"lang": "en", "year": 2024, "draft": false, "tags": ["a", "b"], "owner": {"team": "x"}});
        for (filter, expected) in [
            (json!({}), true),
            (json!({"metadata.lang": "en", "metadata.year": {"gte": 2024}}), true),
            (json!({"metadata.lang": "EN"}), false),
            (json!({"metadata.year": 2024.0}), true),
            (json!({"metadata.year": "2024"}), false),
            (json!({"metadata.year": {"gt": 2024}}), false),
            (json!({"metadata.year": {"gt": 2023, "lt": 2025}}), true),
            (json!({"metadata.year": {"lte": 2024.5}}), true),
            (json!({"metadata.draft": false}), true),
            (json!({"metadata.tags": "b"}), true),
            (json!({"metadata.tags": {"ne": "b"}}), false),
            (json!({"metadata.tags": {"nin": ["c"]}}), true),
            (json!({"metadata.lang": {"in": ["de", "en"]}}), true),
            (json!({"metadata.owner.team": "x"}), true),
        ] {
            check(&filter, &document, expected);
        }
    }

    #[test]
    fn fails_what_is_missing() {
        for operator in ["eq", "ne", "gt", "gte", "lt", "lte"] {
            check(&json!({"metadata.year": {operator: 1}}), &json!({}), false);
        }
        for operator in ["in", "nin"] {
            check(&json!({"metadata.year": {operator: [1]}}), &json!({}), false);
        }
        check(&json!({"metadata.year": {"exists": true}}), &json!({}), false);
        check(&json!({"metadata.year": {"exists": false}}), &json!({}), true);
        check(&json!({"metadata.year": {"exists": false}}), &json!({"year": 1}), false);
    }

    #[test]
    fn refuses_what_it_cannot_mean() {
        for filter in [
            json!([]),
            json!({"acl.allow": "everyone"}),
            json!({"collection": "x"}),
            json!({"metadata.": 1}),
            json!({"metadata.x": {"like": "a"}}),
            json!({"metadata.x": {"in": "a"}}),
            json!({"metadata.x": {"gt": true}}),
            json!({"metadata.x": null}),
            json!({"metadata.x": {"exists": 1}}),
        ] {
            assert!(Filter::parse(&filter).is_err(), "{filter}");
        }
        let many: Map<_, _> = (0..33).map(|index| (format!("metadata.f{index}"), json!(1))).collect();
        assert_eq!(Filter::parse(&Value::Object(many)), Err(InvalidFilter::TooLarge));
    }
}
