//! What travels beside a document's text: title, URI and metadata, bounded and sanitised like the text itself.
//!
//! Metadata reaches a model as much as the text does, so its strings pass the same sanitiser.
//! Names of isolation fields are refused at every depth: a client that filters by `metadata.tenant` or copies metadata over its own fields must not be led to believe that the client's value isolates anything.

use ringfence_ingest::{UntrustedText, sanitize_label};
use serde_json::{Map, Value};

/// The longest title in bytes.
pub const TITLE_BYTES_MAX: usize = 1_024;
/// The longest URI in bytes.
pub const URI_BYTES_MAX: usize = 2_048;
/// The most metadata in bytes of compact JSON.
pub const METADATA_BYTES_MAX: usize = 16 * 1_024;
/// How deep metadata may nest.
const METADATA_DEPTH_MAX: usize = 8;
/// The longest name of a metadata field in bytes.
const FIELD_BYTES_MAX: usize = 256;

/// Names that say whose a document is or who may read it. Compared without case and without `_`, `-`, `.`, `$` and spaces, so that a spelling does not slip through.
const RESERVED: [&str; 13] = [
    "tenant",
    "tenantid",
    "tenants",
    "acl",
    "allowedprincipals",
    "principal",
    "principals",
    "collection",
    "collectionid",
    "documentid",
    "chunkid",
    "readers",
    "writers",
];

/// Sanitised labels.
#[derive(Clone, Debug, Default)]
pub struct CleanLabels {
    /// The title.
    pub title: Option<UntrustedText>,
    /// Where the client says that the document comes from.
    pub uri: Option<UntrustedText>,
    /// The metadata.
    pub metadata: Map<String, Value>,
}

/// Why labels are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct InvalidLabel {
    /// The JSON pointer of the fault, from the document object.
    pub pointer: String,
    /// What is wrong there.
    pub problem: LabelProblem,
}

/// What is wrong with a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelProblem {
    /// Too long.
    #[error("must have at most {0} bytes")]
    TooLong(usize),
    /// Nested too deep.
    #[error("must not nest deeper than {METADATA_DEPTH_MAX}")]
    TooDeep,
    /// An isolation field.
    #[error("the name is reserved: isolation cannot be set through metadata")]
    Reserved,
    /// A URI that runs code or carries its content in itself.
    #[error("the scheme is not allowed: use one that names a place, such as `https:`")]
    Scheme,
}

/// Checks and sanitises what travels beside a text.
///
/// # Errors
/// [`InvalidLabel`] names the first fault in the order title, URI, metadata.
pub fn clean(
    title: Option<&str>,
    uri: Option<&str>,
    metadata: &Map<String, Value>,
) -> Result<CleanLabels, InvalidLabel> {
    let title = title.map(|title| bounded("/title", title, TITLE_BYTES_MAX)).transpose()?;
    let uri = uri.map(|uri| bounded("/uri", uri, URI_BYTES_MAX)).transpose()?;
    check_metadata(metadata)?;
    // Sanitised first: an invisible character must not hide a scheme from the check.
    let uri = uri.map(sanitize_label);
    uri.as_deref().map_or(Ok(()), check_scheme)?;
    Ok(CleanLabels {
        title: title.map(|title| UntrustedText::new(sanitize_label(title))),
        uri: uri.map(UntrustedText::new),
        metadata: metadata.iter().map(|(name, value)| (sanitize_label(name), clean_value(value))).collect(),
    })
}

/// Checks the size, depth and names of metadata.
///
/// # Errors
/// [`InvalidLabel`] names the first fault.
pub fn check_metadata(metadata: &Map<String, Value>) -> Result<(), InvalidLabel> {
    check_fields(metadata, "/metadata", METADATA_DEPTH_MAX)?;
    // Not before the depth is known to be bounded: writing recurses.
    let bytes = serde_json::to_vec(metadata).map_or(usize::MAX, |json| json.len());
    if bytes > METADATA_BYTES_MAX {
        return Err(fault("/metadata", LabelProblem::TooLong(METADATA_BYTES_MAX)));
    }
    Ok(())
}

fn check_fields(fields: &Map<String, Value>, pointer: &str, depth_left: usize) -> Result<(), InvalidLabel> {
    for (name, value) in fields {
        let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        if name.len() > FIELD_BYTES_MAX {
            return Err(fault(&pointer, LabelProblem::TooLong(FIELD_BYTES_MAX)));
        }
        if is_reserved(name) {
            return Err(fault(&pointer, LabelProblem::Reserved));
        }
        check_value(value, &pointer, depth_left)?;
    }
    Ok(())
}

fn check_value(value: &Value, pointer: &str, depth_left: usize) -> Result<(), InvalidLabel> {
    if !value.is_array() && !value.is_object() {
        return Ok(());
    }
    let depth_left = depth_left.checked_sub(1).ok_or_else(|| fault(pointer, LabelProblem::TooDeep))?;
    match value {
        Value::Object(fields) => check_fields(fields, pointer, depth_left),
        Value::Array(values) => values
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| check_value(value, &format!("{pointer}/{index}"), depth_left)),
        _ => Ok(()),
    }
}

fn is_reserved(name: &str) -> bool {
    let plain: String =
        name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    RESERVED.contains(&plain.as_str())
}

/// `javascript:` and its kin do something when followed; `data:` and `file:` name no place that a reader could visit.
fn check_scheme(uri: &str) -> Result<(), InvalidLabel> {
    const REFUSED: [&str; 5] = ["javascript", "vbscript", "data", "file", "blob"];
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme.trim().to_ascii_lowercase());
    match scheme {
        Some(scheme) if REFUSED.contains(&scheme.as_str()) => Err(fault("/uri", LabelProblem::Scheme)),
        _ => Ok(()),
    }
}

fn clean_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(sanitize_label(text)),
        Value::Array(values) => Value::Array(values.iter().map(clean_value).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (sanitize_label(name), clean_value(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn bounded<'a>(pointer: &str, text: &'a str, max: usize) -> Result<&'a str, InvalidLabel> {
    if text.len() > max {
        return Err(fault(pointer, LabelProblem::TooLong(max)));
    }
    Ok(text)
}

fn fault(pointer: &str, problem: LabelProblem) -> InvalidLabel {
    InvalidLabel { pointer: pointer.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(metadata: &Value, expected: Result<(), (&str, LabelProblem)>) {
        let found = check_metadata(metadata.as_object().unwrap());
        let expected = expected.map_err(|(pointer, problem)| fault(pointer, problem));
        assert_eq!(found, expected);
    }

    #[test]
    fn takes_ordinary_metadata() {
        check(&json!({}), Ok(()));
        check(&json!({"lang": "en", "year": 2024, "tags": ["a", {"deep": [1]}], "subjects": null}), Ok(()));
    }

    #[test]
    fn refuses_isolation_fields_in_any_spelling_and_depth() {
        for name in ["tenant", "tenant_id", "Tenant-ID", "_acl", "ACL", "collection", "document_id", "principals"] {
            check(&json!({ name: 1 }), Err((&format!("/metadata/{name}"), LabelProblem::Reserved)));
        }
        check(&json!({"a": [{"b~/": {"acl": {}}}]}), Err(("/metadata/a/0/b~0~1/acl", LabelProblem::Reserved)));
    }

    #[test]
    fn bounds_size_names_and_depth() {
        let room = METADATA_BYTES_MAX - r#"{"a":""}"#.len();
        check(&json!({"a": "x".repeat(room)}), Ok(()));
        let too_long = LabelProblem::TooLong(METADATA_BYTES_MAX);
        check(&json!({"a": "x".repeat(room + 1)}), Err(("/metadata", too_long)));
        let name = "n".repeat(FIELD_BYTES_MAX + 1);
        let pointer = format!("/metadata/{name}");
        check(&json!({ name: 1 }), Err((&pointer, LabelProblem::TooLong(FIELD_BYTES_MAX))));
        let nest = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        check(&json!({"a": nest(METADATA_DEPTH_MAX)}), Ok(()));
        let pointer = format!("/metadata/a{}", "/0".repeat(METADATA_DEPTH_MAX));
        check(&json!({"a": nest(METADATA_DEPTH_MAX + 1)}), Err((&pointer, LabelProblem::TooDeep)));
    }

    #[test]
    fn refuses_a_uri_that_acts() {
        for uri in ["javascript:alert(1)", "JavaScript :x", "data:text/html,x", "file:///etc/passwd"] {
            assert_eq!(check_scheme(uri), Err(fault("/uri", LabelProblem::Scheme)), "{uri}");
        }
        for uri in ["https://wiki.example/a:b", "wiki/page", "s3://bucket/key", "urn:isbn:0"] {
            assert_eq!(check_scheme(uri), Ok(()), "{uri}");
        }
    }
}
