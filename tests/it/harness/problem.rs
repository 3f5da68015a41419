//! The one form of every refusal, checked to the last field.

use serde_json::Value;

use super::wire::Answer;

/// Checks that an answer is a whole problem document and nothing else.
#[track_caller]
pub(crate) fn assert_is_problem(answer: &Answer) {
    let text = answer.text();
    assert!(answer.status >= 400, "{} is no refusal: {text}", answer.status);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}: {text}", answer.status);
    let document = answer.json();
    assert_is_document(&document, answer.status);
    if answer.status == 401 {
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{text}");
    }
    if matches!(answer.status, 429 | 503) {
        assert!(answer.header("retry-after").is_some(), "{text}");
    }
}

/// Checks a problem document by itself, such as one inside a line of a batch.
#[track_caller]
pub(crate) fn assert_is_document(document: &Value, status: u16) {
    let fields = document.as_object().unwrap_or_else(|| panic!("not an object: {document}"));
    for name in ["type", "title", "code", "detail", "request_id"] {
        let text = fields.get(name).and_then(Value::as_str).unwrap_or_default();
        assert!(!text.is_empty(), "`{name}` is missing or empty: {document}");
    }
    assert_eq!(fields["status"], status, "{document}");
    // The last two stand together, where tokens are exchanged.
    let known = ["type", "title", "status", "code", "detail", "request_id", "errors", "error", "error_description"];
    assert_eq!(fields.contains_key("error"), fields.contains_key("error_description"), "{document}");
    assert!(fields.keys().all(|name| known.contains(&name.as_str())), "unknown fields: {document}");
    let Some(errors) = fields.get("errors") else {
        assert_ne!(fields["code"], "invalid_fields", "no `errors` of a 422: {document}");
        return;
    };
    let errors =
        errors.as_array().filter(|errors| !errors.is_empty()).expect("`errors` is a list with something in it");
    for error in errors {
        let error = error.as_object().expect("an error is an object");
        let pointer = error["pointer"].as_str().expect("a pointer is a text");
        assert!(pointer.is_empty() || pointer.starts_with(['/', '#']), "{document}");
        assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{document}");
        assert_eq!(error.len(), 2, "{document}");
    }
}

/// Checks the status and the code, and that the rest is a whole problem document.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "expected {code}: {}", answer.text());
    assert_is_problem(answer);
    assert_eq!(answer.json()["code"], code, "{}", answer.text());
}

/// Checks a 422 that points at this place first.
#[track_caller]
pub(crate) fn assert_points_at(answer: &Answer, pointer: &str) {
    assert_refused(answer, 422, "invalid_fields");
    let found = &answer.json()["errors"][0]["pointer"];
    assert_eq!(found, pointer, "{}", answer.text());
}
