//! Someone with a credential who asks a server.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use super::wire::{Answer, Connection, request};

/// A credential and a connection. A clone has a connection of its own.
#[derive(Debug)]
pub(crate) struct Caller {
    address: SocketAddr,
    headers: Vec<(String, String)>,
    connection: Mutex<Connection>,
}

impl Clone for Caller {
    fn clone(&self) -> Self {
        Self::with_headers(self.address, self.headers.clone())
    }
}

impl Caller {
    /// Somebody without a credential.
    pub(crate) fn nobody(address: SocketAddr) -> Self {
        Self::with_headers(address, Vec::new())
    }

    /// Somebody who shows this credential.
    pub(crate) fn new(address: SocketAddr, credential: &str) -> Self {
        Self::nobody(address).with("authorization", &format!("Bearer {credential}"))
    }

    /// The same with one more header.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.push((name.to_owned(), value.to_owned()));
        Self::with_headers(self.address, headers)
    }

    /// The same on behalf of somebody.
    pub(crate) fn acting_as(&self, person: &str) -> Self {
        self.with("ringfence-as", person)
    }

    fn with_headers(address: SocketAddr, headers: Vec<(String, String)>) -> Self {
        Self { address, headers, connection: Mutex::new(Connection::new(address)) }
    }

    /// The credential that is shown.
    pub(crate) fn credential(&self) -> &str {
        let value = self.headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.as_str());
        value.and_then(|value| value.strip_prefix("Bearer ")).expect("has a credential")
    }

    /// Sends anything.
    #[track_caller]
    pub(crate) fn send(&self, method: &str, path: &str, media_type: Option<&str>, body: Option<&[u8]>) -> Answer {
        self.send_with(method, path, media_type, &[], body)
    }

    /// Sends anything with further headers.
    #[track_caller]
    pub(crate) fn send_with(
        &self,
        method: &str,
        path: &str,
        media_type: Option<&str>,
        further: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Answer {
        self.try_send(method, path, media_type, further, body)
            .unwrap_or_else(|error| panic!("{method} {path} was not answered: {error}"))
    }

    /// Sends anything to a server that may be gone.
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        media_type: Option<&str>,
        further: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> std::io::Result<Answer> {
        let mut headers = self.headers.clone();
        headers.extend(media_type.map(|media_type| ("content-type".to_owned(), media_type.to_owned())));
        headers.extend(further.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let request = request(method, path, &headers, body);
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).send(&request)
    }

    /// The same caller at another address, such as that of a server that was started again.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self::with_headers(address, self.headers.clone())
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, None)
    }

    #[track_caller]
    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, None)
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, Some("application/json"), Some(body.to_string().as_bytes()))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some("application/json"), Some(body.to_string().as_bytes()))
    }

    /// Searches, and expects an answer.
    #[track_caller]
    pub(crate) fn search(&self, body: &Value) -> Value {
        self.post("/v1/search", body).expect(200).json()
    }

    /// The ids of the documents that a search finds, best first, each once.
    #[track_caller]
    pub(crate) fn found(&self, query: &str) -> Vec<String> {
        let answer = self.search(&serde_json::json!({"query": query, "top_k": 100, "format": "none"}));
        let mut ids: Vec<String> = Vec::new();
        for hit in answer["results"].as_array().expect("results are a list") {
            let id = hit["document_id"].as_str().expect("a hit names its document");
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        ids
    }
}
