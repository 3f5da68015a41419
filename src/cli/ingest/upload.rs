//! Sending files: small ones many at a time, large ones alone, and an answer for each.

use std::{future::pending, time::Duration};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::cli::client::{Client, ClientError};

/// A file of at most this size fits a line of a batch as base64 (1 MiB).
const BATCH_FILE_BYTES_MAX: usize = 700 << 10;
/// A batch is sent when it has this many bytes …
const BATCH_BYTES: usize = 1 << 20;
/// … or this many files: few enough that a break loses little.
const BATCH_FILES: usize = 64;
/// How often files that the server was too busy for are sent again.
const ATTEMPTS_MAX: u32 = 5;

/// A file as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) fingerprint: String,
    /// Whether an earlier version was uploaded before.
    pub(super) is_change: bool,
}

/// What became of a file.
#[derive(Debug)]
pub(super) struct Uploaded {
    pub(super) upload: Upload,
    /// The server's answer, or its refusal.
    pub(super) outcome: Result<Value, Refused>,
}

/// Why a file was not taken.
#[derive(Debug, PartialEq)]
pub(super) enum Refused {
    /// The server does not read its format, or the collection does not take it.
    Format,
    /// Anything else, in words.
    Other(String),
}

/// Files that are sent together.
#[derive(Debug, Default)]
pub(super) struct Batch(Vec<Upload>);

impl Batch {
    /// Adds a file; gives back what is to be sent now, if anything.
    pub(super) fn push(&mut self, upload: Upload) -> Option<Batch> {
        if upload.bytes.len() > BATCH_FILE_BYTES_MAX {
            return Some(Self(vec![upload]));
        }
        self.0.push(upload);
        let bytes: usize = self.0.iter().map(|upload| upload.bytes.len()).sum();
        (bytes >= BATCH_BYTES || self.0.len() >= BATCH_FILES).then(|| std::mem::take(self))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where and with which ACL files go.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) client: Client,
    pub(super) collection: String,
    pub(super) acl: Option<Value>,
}

impl Target {
    /// Sends a batch. An error is one that every further request would meet.
    pub(super) async fn send(self, batch: Batch) -> Result<Vec<Uploaded>, ClientError> {
        match <[Upload; 1]>::try_from(batch.0) {
            Ok([upload]) if upload.bytes.len() > BATCH_FILE_BYTES_MAX => Ok(vec![self.send_alone(upload).await?]),
            Ok([upload]) => self.send_together(vec![upload]).await,
            Err(uploads) => self.send_together(uploads).await,
        }
    }

    async fn send_alone(&self, upload: Upload) -> Result<Uploaded, ClientError> {
        let path = ["v1", "collections", &self.collection, "documents", &upload.id];
        let mut request = self.client.request(Method::PUT, &path).header(header::CONTENT_TYPE, upload.media_type);
        if let Some(acl) = &self.acl {
            request = request.header("Ringfence-Acl", BASE64URL_NOPAD.encode(acl.to_string().as_bytes()));
        }
        let outcome = match self.client.send(request.body(upload.bytes.clone())).await {
            Ok(result) => Ok(result),
            Err(error) if error.is_of_the_connection() => return Err(error),
            Err(ClientError::Refused(refusal)) if refusal.status == 415 => Err(Refused::Format),
            Err(error) => Err(Refused::Other(error.to_string())),
        };
        Ok(Uploaded { upload, outcome })
    }

    async fn send_together(&self, mut waiting: Vec<Upload>) -> Result<Vec<Uploaded>, ClientError> {
        let mut done = Vec::with_capacity(waiting.len());
        for attempt in 1.. {
            let answers = self.send_lines(&waiting).await?;
            let mut again = Vec::new();
            for (upload, answer) in waiting.into_iter().zip(answers) {
                match answer {
                    Answer::Busy(_) if attempt < ATTEMPTS_MAX => again.push(upload),
                    Answer::Busy(why) => done.push(Uploaded { upload, outcome: Err(Refused::Other(why)) }),
                    Answer::Refused(refused) => done.push(Uploaded { upload, outcome: Err(refused) }),
                    Answer::Taken(result) => done.push(Uploaded { upload, outcome: Ok(result) }),
                }
            }
            if again.is_empty() {
                break;
            }
            // Nothing announces that a busy server has room again.
            timeout(Duration::from_millis(250 << attempt), pending::<()>()).await.unwrap_or_default();
            waiting = again;
        }
        Ok(done)
    }

    async fn send_lines(&self, uploads: &[Upload]) -> Result<Vec<Answer>, ClientError> {
        let body: String = uploads.iter().map(|upload| format!("{}\n", self.line(upload))).collect();
        let path = ["v1", "collections", &self.collection, "documents:batch"];
        let request = self.client.request(Method::POST, &path).header(header::CONTENT_TYPE, "application/x-ndjson");
        let text = self.client.send_for_lines(request.body(body)).await?;
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let missing = || Answer::Busy("the server's answer broke off".to_owned());
        Ok(uploads
            .iter()
            .enumerate()
            .map(|(index, upload)| lines.get(index).map_or_else(missing, |line| read(line, &upload.id)))
            .collect())
    }

    fn line(&self, upload: &Upload) -> Value {
        let mut line =
            json!({"id": upload.id, "content_base64": BASE64.encode(&upload.bytes), "media_type": upload.media_type});
        if let Some(acl) = &self.acl {
            line["acl"] = acl.clone();
        }
        line
    }
}

/// What the server says of one line.
#[derive(Debug, PartialEq)]
enum Answer {
    Taken(Value),
    Refused(Refused),
    /// Worth another attempt.
    Busy(String),
}

fn read(line: &str, id: &str) -> Answer {
    let refused = |why: &str| Answer::Refused(Refused::Other(why.to_owned()));
    let Ok(answer) = serde_json::from_str::<Value>(line) else {
        return refused("the server's answer is not understood");
    };
    if answer["id"].as_str().is_some_and(|answered| answered != id) {
        return refused("the server answered for another document");
    }
    let status = answer["status"].as_u64().unwrap_or(0);
    if (200..300).contains(&status) && answer["result"].is_object() {
        return Answer::Taken(answer["result"].clone());
    }
    let problem = &answer["problem"];
    let mut words = format!("{} ({status})", problem["title"].as_str().unwrap_or("refused"));
    let errors = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    for error in errors {
        let part = |field: &str| error[field].as_str().unwrap_or_default();
        words.push_str(&format!("; `{}` {}", part("pointer"), part("detail")));
    }
    if let Some(detail) = problem["detail"].as_str().filter(|detail| errors.is_empty() && !detail.is_empty()) {
        words.push_str(&format!(": {detail}"));
    }
    match status {
        415 => Answer::Refused(Refused::Format),
        429 | 503 => Answer::Busy(words),
        _ => Answer::Refused(Refused::Other(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(bytes: usize) -> Upload {
        Upload {
            id: "a".to_owned(),
            media_type: "text/plain",
            bytes: vec![b'x'; bytes],
            fingerprint: String::new(),
            is_change: false,
        }
    }

    #[test]
    fn a_batch_is_full_by_size_or_by_number_and_large_files_go_alone() {
        let mut batch = Batch::default();
        assert!((1..BATCH_FILES).all(|_| batch.push(upload(1)).is_none()));
        assert_eq!(batch.push(upload(1)).unwrap().0.len(), BATCH_FILES);
        assert!(batch.is_empty());
        assert!(batch.push(upload(600 << 10)).is_none());
        assert_eq!(batch.push(upload(BATCH_FILE_BYTES_MAX + 1)).unwrap().0.len(), 1);
        assert_eq!(batch.push(upload(600 << 10)).unwrap().0.len(), 2);
    }

    #[test]
    fn a_line_of_the_answer_is_taken_refused_or_tried_again() {
        let taken = r#"{"id": "a", "status": 200, "result": {"chunks": 3}}"#;
        assert_eq!(read(taken, "a"), Answer::Taken(json!({"chunks": 3})));
        let refused = r#"{"id": "a", "status": 422, "problem": {"title": "Fields are invalid", "detail": "see", "errors": [{"pointer": "/acl", "detail": "is missing"}]}}"#;
        assert_eq!(
            read(refused, "a"),
            Answer::Refused(Refused::Other("Fields are invalid (422); `/acl` is missing".to_owned()))
        );
        let busy = r#"{"id": "a", "status": 503, "problem": {"title": "Unavailable", "detail": "later"}}"#;
        assert_eq!(read(busy, "a"), Answer::Busy("Unavailable (503): later".to_owned()));
        let format = r#"{"id": "a", "status": 415, "problem": {"title": "The media type is not accepted"}}"#;
        assert_eq!(read(format, "a"), Answer::Refused(Refused::Format));
        assert!(matches!(read(taken, "b"), Answer::Refused(_)));
        assert!(matches!(read("<html>", "a"), Answer::Refused(_)));
    }
}
