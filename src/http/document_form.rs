//! A document as a client sends it: the JSON form, and the raw file with its headers.

use axum::http::HeaderMap;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use ringfence_indexes::{Acl, DocumentId};
use ringfence_ingest::{Content, UntrustedText};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    body::too_large,
    json,
    problem::{Code, Problem},
    refusals::invalid_acl,
};
use crate::{
    acl_form,
    ingestion::draft::{ClientChunk, DocumentInput, InputContent},
};

/// The most passages that a client may cut a document into.
const CHUNKS_MAX: usize = 20_000;

/// A document to be put.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentForm {
    /// The title; else the one in the content, if its format has one.
    #[schema(example = "Rotating signing keys", max_length = 1024)]
    title: Option<String>,
    /// Where it comes from.
    #[schema(example = "https://wiki.example/security/keys", max_length = 2048)]
    uri: Option<String>,
    /// The content as text: Markdown if it is any, else plain. Exactly one of `text`, `content_base64` and `chunks` is sent.
    #[schema(example = "# Keys\n\nSigning keys are rotated every ninety days.")]
    text: Option<String>,
    /// The content as a file, in base64.
    content_base64: Option<String>,
    /// The media type of that file; decided by its content without it.
    #[schema(example = "text/html")]
    media_type: Option<String>,
    /// The content, cut by the client, and embedded by it where the collection takes client vectors.
    #[schema(max_items = 20000)]
    chunks: Option<Vec<ChunkForm>>,
    /// What travels beside the text, at most 16 KiB; names of isolation fields are refused.
    #[schema(value_type = Option<Object>, example = json!({"lang": "en", "year": 2026}))]
    metadata: Option<Map<String, Value>>,
    /// Who may read it; the collection's `default_acl` without it.
    #[schema(value_type = Option<Object>, example = json!({"allow": ["group:eng"], "deny": ["group:contractors"]}))]
    acl: Option<Value>,
    /// The folder that it lies in. The folder's restrictions hold for it; without an `acl` of its own, or one without `allow`, the folder's grants do too.
    #[schema(example = "security/runbooks")]
    parent: Option<String>,
}

/// A passage that a client cut.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChunkForm {
    /// The text, which passes the sanitiser like any other.
    #[schema(example = "Signing keys are rotated every ninety days.")]
    text: String,
    /// Its vector.
    #[schema(example = json!([0.12, -0.03]))]
    vector: Option<Vec<f32>>,
}

/// A document and its ACL, as the service takes them.
pub(super) type Parsed = (DocumentInput, Option<Acl>);

impl DocumentForm {
    /// Checks what can be checked without the collection.
    pub(super) fn into_parsed(self, bytes_max: usize) -> Result<Parsed, Problem> {
        let acl = self.acl.filter(|acl| !acl.is_null()).map(|acl| acl_form::from_json(&acl)).transpose();
        let acl = acl.map_err(|error| invalid_acl("/acl", &error))?;
        if self.media_type.is_some() && self.content_base64.is_none() {
            return Err(Problem::invalid("/media_type", "goes with `content_base64` only"));
        }
        let content = match (self.text, self.content_base64, self.chunks) {
            (Some(text), None, None) => InputContent::Whole(Content::Text(bounded(text, bytes_max)?)),
            (None, Some(encoded), None) => InputContent::Whole(file(&encoded, self.media_type, bytes_max)?),
            (None, None, Some(chunks)) => InputContent::Chunks(cut(chunks, bytes_max)?),
            _ => return Err(Problem::invalid("", "send exactly one of `text`, `content_base64` and `chunks`")),
        };
        let parent = self.parent.map(|name| DocumentId::new(&name)).transpose();
        let parent = parent.map_err(|error| Problem::invalid("/parent", error.to_string()))?;
        let input = DocumentInput {
            parent,
            title: self.title.map(UntrustedText::new),
            uri: self.uri.map(UntrustedText::new),
            metadata: self.metadata.unwrap_or_default(),
            content,
        };
        Ok((input, acl))
    }
}

/// A raw file: its type in `Content-Type`, its metadata and ACL in headers.
pub(super) fn raw(headers: &HeaderMap, bytes: Vec<u8>) -> Result<Parsed, Problem> {
    let media_type = headers.get("content-type").and_then(|value| value.to_str().ok());
    let unsaid = || Problem::new(Code::UnsupportedMediaType, "send the file's `Content-Type`");
    let media_type = media_type.ok_or_else(unsaid)?.to_owned();
    let metadata = match header_json(headers, "ringfence-meta")? {
        None => Map::new(),
        Some(Value::Object(metadata)) => metadata,
        Some(_) => return Err(Problem::invalid("#/headers/Ringfence-Meta", "must be a JSON object")),
    };
    let acl = header_json(headers, "ringfence-acl")?.map(|acl| acl_form::from_json(&acl)).transpose();
    let acl = acl.map_err(|error| invalid_acl("#/headers/Ringfence-Acl", &error))?;
    let content = InputContent::Whole(Content::File { bytes, media_type: Some(media_type) });
    Ok((DocumentInput { title: None, uri: None, metadata, parent: None, content }, acl))
}

/// JSON in base64url in a header, with or without padding.
fn header_json(headers: &HeaderMap, name: &str) -> Result<Option<Value>, Problem> {
    let mut values = headers.get_all(name).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value,
        _ => return Err(Problem::new(Code::MalformedHeader, format!("`{name}` is sent more than once"))),
    };
    let malformed = || Problem::new(Code::MalformedHeader, format!("`{name}` is not JSON in base64url"));
    let unpadded = value.to_str().map_err(|_| malformed())?.trim_end_matches('=');
    let bytes = BASE64URL_NOPAD.decode(unpadded.as_bytes()).map_err(|_| malformed())?;
    json::parse_value(&bytes).map(Some).map_err(|_| malformed())
}

fn bounded(text: String, bytes_max: usize) -> Result<String, Problem> {
    if text.len() > bytes_max { Err(too_large(bytes_max)) } else { Ok(text) }
}

fn file(encoded: &str, media_type: Option<String>, bytes_max: usize) -> Result<Content, Problem> {
    let bytes = BASE64.decode(encoded.as_bytes());
    let bytes = bytes.map_err(|_| Problem::invalid("/content_base64", "is not base64 with padding"))?;
    if bytes.len() > bytes_max {
        return Err(too_large(bytes_max));
    }
    Ok(Content::File { bytes, media_type })
}

fn cut(chunks: Vec<ChunkForm>, bytes_max: usize) -> Result<Vec<ClientChunk>, Problem> {
    if chunks.is_empty() || chunks.len() > CHUNKS_MAX {
        return Err(Problem::invalid("/chunks", format!("must have 1 to {CHUNKS_MAX} entries")));
    }
    if chunks.iter().map(|chunk| chunk.text.len()).sum::<usize>() > bytes_max {
        return Err(too_large(bytes_max));
    }
    let chunk = |chunk: ChunkForm| ClientChunk { text: UntrustedText::new(chunk.text), vector: chunk.vector };
    Ok(chunks.into_iter().map(chunk).collect())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(body: &Value, expected: Result<(), (Code, &str)>) {
        let parsed = json::from_value::<DocumentForm>(body.clone()).and_then(|form| form.into_parsed(16));
        let found = parsed.map(drop).map_err(|problem| {
            let pointer = problem.errors.first().map(|error| error.pointer.clone()).unwrap_or_default();
            (problem.code, pointer)
        });
        assert_eq!(found, expected.map_err(|(code, pointer)| (code, pointer.to_owned())), "{body}");
    }

    #[test]
    fn takes_one_content_of_bounded_size() {
        check(&json!({"text": "x", "title": null, "uri": "https://x", "metadata": {}, "acl": null}), Ok(()));
        check(&json!({"content_base64": "eA==", "media_type": "text/plain"}), Ok(()));
        check(&json!({"chunks": [{"text": "x"}, {"text": "y", "vector": [1, 0.5]}]}), Ok(()));
        check(&json!({"text": "x".repeat(17)}), Err((Code::PayloadTooLarge, "")));
        check(&json!({"content_base64": BASE64.encode(&[0; 17])}), Err((Code::PayloadTooLarge, "")));
        check(&json!({"chunks": [{"text": "x".repeat(9)}, {"text": "x".repeat(8)}]}), Err((Code::PayloadTooLarge, "")));
    }

    #[test]
    fn refuses_what_it_cannot_mean() {
        check(&json!({}), Err((Code::InvalidFields, "")));
        check(&json!({"text": "x", "chunks": []}), Err((Code::InvalidFields, "")));
        check(&json!({"chunks": []}), Err((Code::InvalidFields, "/chunks")));
        check(&json!({"text": "x", "media_type": "text/html"}), Err((Code::InvalidFields, "/media_type")));
        check(&json!({"content_base64": "e A="}), Err((Code::InvalidFields, "/content_base64")));
        check(&json!({"text": "x", "tenant": "other"}), Err((Code::InvalidFields, "/tenant")));
        check(&json!({"text": "x", "acl": {"allow": ["bob"]}}), Err((Code::InvalidFields, "/acl/allow/0")));
        check(&json!({"chunks": [{"text": "x", "vector": ["a"]}]}), Err((Code::InvalidFields, "/chunks/0/vector/0")));
        check(&json!({"text": 1}), Err((Code::InvalidFields, "/text")));
    }

    #[test]
    fn reads_headers_of_a_raw_file() {
        let encode =
            |value: &Value| HeaderValue::try_from(BASE64URL_NOPAD.encode(value.to_string().as_bytes())).unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(raw(&headers, Vec::new()).unwrap_err().code, Code::UnsupportedMediaType);
        headers.insert("content-type", HeaderValue::from_static("text/markdown"));
        headers.insert("ringfence-meta", encode(&json!({"lang": "en"})));
        headers.insert("ringfence-acl", encode(&json!({"allow": ["user:a"]})));
        let (input, acl) = raw(&headers, b"x".to_vec()).unwrap();
        assert_eq!((input.metadata["lang"].as_str(), acl.unwrap().allow.len()), (Some("en"), 1));
        headers.insert("ringfence-acl", encode(&json!({"allow": ["a"]})));
        let refused = raw(&headers, Vec::new()).unwrap_err();
        assert_eq!(refused.errors[0].pointer, "#/headers/Ringfence-Acl/allow/0");
        headers.insert("ringfence-acl", HeaderValue::from_static("{}"));
        assert_eq!(raw(&headers, Vec::new()).unwrap_err().code, Code::MalformedHeader);
    }
}
