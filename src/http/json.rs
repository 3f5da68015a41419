//! JSON bodies: strict, with the position of a fault in 400 and the pointer to it in 422.
//!
//! Two members of one name are refused: `{"acl": …, "acl": …}` means different things to different parsers.

use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::problem::{Code, Problem};
use crate::authn::strict_json;

/// Parses a body into a request type.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    from_value(parse_value(bytes)?)
}

/// The same in one step, for bodies that are asked for often. The type must refuse a second member of one name by itself: what `serde` derives does, and a field that holds any JSON has to be read by [`strict_json::optional`].
///
/// What is wrong with a body is found out by [`parse`].
pub(super) fn parse_at_once<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).or_else(|_| parse(bytes))
}

/// Parses a body into JSON without looking at its fields.
pub(super) fn parse_value(bytes: &[u8]) -> Result<Value, Problem> {
    strict_json::parse(bytes).map_err(|error| {
        // serde's message repeats the position, and for data faults quotes the body: neither goes out twice.
        let detail = format!("not well-formed JSON at line {}, column {}", error.line(), error.column());
        Problem::new(Code::MalformedJson, detail)
    })
}

/// Reads a request type from parsed JSON.
pub(super) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer(error.path());
        let message = error.into_inner().to_string();
        match missing_field(&message) {
            Some(name) => Problem::invalid(format!("{pointer}/{name}"), "is required"),
            None => Problem::invalid(pointer, fault(&message)),
        }
    })
}

/// The field that serde misses. It points at the object around it; a person looks for the field's own place.
fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// What is wrong with a field, without the value: serde quotes it, and a value in the wrong place may be a passage or a secret.
fn fault(message: &str) -> String {
    // What is expected comes from this program, and stands last.
    match message.rsplit_once(", expected ") {
        Some((found, expected)) if found.starts_with("unknown field") => format!("unknown field: expected {expected}"),
        Some((_, expected)) => format!("must be {expected}"),
        None if message.starts_with("unknown field") => "unknown field".to_owned(),
        None => "is not valid".to_owned(),
    }
}

/// Requires `Content-Type: application/json`; a missing type is refused too, because it hides what was meant.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    if is_media_type(headers, "application/json") {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "send `Content-Type: application/json`"))
}

/// Whether the one `Content-Type` is this one, parameters aside.
pub(super) fn is_media_type(headers: &HeaderMap, expected: &str) -> bool {
    media_type(headers).is_some_and(|found| found == expected)
}

/// The one `Content-Type` in lower case, without its parameters; `None` without one, or with several.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (essence, parameters) = match value.to_str().ok()?.split_once(';') {
        Some((essence, parameters)) => (essence, parameters),
        None => (value.to_str().ok()?, ""),
    };
    // A charset other than UTF-8 would have to be decoded, and is a way to hide text from the sanitiser.
    let mut charsets = parameters.split(';').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    let plain = charsets.all(|charset| matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii"));
    plain.then(|| essence.trim().to_ascii_lowercase())
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        #[expect(dead_code, reason = "only parsed")]
        list: Vec<u8>,
    }

    #[track_caller]
    fn check(body: &str, code: Code, expected: &str) {
        let problem = parse::<Form>(body.as_bytes()).unwrap_err();
        let found = problem.errors.first().map_or(problem.detail.as_str(), |error| error.pointer.as_str());
        assert_eq!((problem.code, found), (code, expected), "{body}");
    }

    #[test]
    fn malformed_json_tells_its_position() {
        for (body, position) in [
            ("", "line 1, column 0"),
            ("{\"list\":\n[1,]}", "line 2, column 4"),
            ("{\"list\":[1e400]}", "line 1, column 14"),
            ("{\"list\":[],\"list\":[]}", "line 1, column 21"),
            ("\u{feff}{}", "line 1, column 1"),
            ("{\"a\":\"\\ud800\"}", "line 1, column 13"),
        ] {
            check(body, Code::MalformedJson, &format!("not well-formed JSON at {position}"));
        }
        check(&"[".repeat(100_000), Code::MalformedJson, "not well-formed JSON at line 1, column 128");
    }

    #[test]
    fn invalid_fields_have_pointers() {
        check("{\"list\":[1,256]}", Code::InvalidFields, "/list/1");
        check("{\"list\":[],\"acl/~\":1}", Code::InvalidFields, "/acl~1~0");
        check("[]", Code::InvalidFields, "");
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Quick {
        list: Option<Vec<f32>>,
        number: Option<u64>,
        text: Option<String>,
        #[serde(default, deserialize_with = "strict_json::optional")]
        any: Option<Value>,
    }

    #[test]
    fn a_body_means_the_same_however_it_is_parsed() {
        let deep = |depth: usize| format!("{{\"any\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let mut bodies: Vec<String> = [100, 126, 127, 128, 200].map(deep).into();
        let plain = [
            r#"{}"#,
            r#"{"list":[1,-2,0.1,1e-50,3.4028235e38,16777217,0.30000001192092896],"number":7,"text":"\u00e9\ud83d\ude00"}"#,
            r#"{"list":null,"any":null}"#,
            r#"{"any":{"a":[{"b":1.5}]}}"#,
            r#"[[1.5],7,"x",{"a":1}]"#,
            r#"{"any":{"a":1,"a":1}}"#,
            r#"{"any":[{"a":{"b":1,"\u0062":1}}]}"#,
            r#"{"number":1,"number":1}"#,
            r#"{"number":1,"\u006eumber":1}"#,
            r#"{"number":7.0}"#,
            r#"{"number":-1}"#,
            r#"{"list":[1e400]}"#,
            r#"{"list":[1e39]}"#,
            r#"{"text":"\ud800"}"#,
            r#"{"other":1}"#,
            r#"{"list":[1]} x"#,
            "",
        ];
        bodies.extend(plain.map(str::to_owned));
        for body in bodies {
            let (slow, quick) = (parse::<Quick>(body.as_bytes()), parse_at_once::<Quick>(body.as_bytes()));
            assert_eq!(format!("{slow:?}"), format!("{quick:?}"), "{body}");
        }
    }

    #[test]
    fn a_fault_does_not_quote_the_value() {
        for (body, detail) in [
            ("{\"list\":\"CANARY, expected CANARY\"}", "must be a sequence"),
            ("{\"list\":[\"CANARY\"]}", "must be u8"),
            ("{\"list\":[],\"x\":1}", "unknown field: expected `list`"),
            ("{}", "is required"),
        ] {
            let problem = parse::<Form>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.errors[0].detail, detail, "{body}");
        }
    }

    #[test]
    fn a_content_type_is_one_and_in_utf_8() {
        for (value, expected) in [
            ("application/json", Some("application/json")),
            ("Text/HTML; Charset=\"UTF-8\"", Some("text/html")),
            ("text/html; charset=utf-7", None),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(media_type(&headers).as_deref(), expected, "{value}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(media_type(&headers), None);
        headers.append(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        headers.append(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        assert_eq!(media_type(&headers), None);
    }
}
