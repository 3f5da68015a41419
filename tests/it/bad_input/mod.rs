//! Bad input: every line of the contract's section 6 and every limit of its section 7, each with its status, code and place.
//!
//! Each refusal must be a whole problem document and leave nothing behind; nothing may be answered with a 5xx or not at all.

mod administration;
mod batch;
mod document;
mod framing;
mod hostile_text;
mod mutation;
mod search;

use serde_json::json;

use crate::harness::{Answer, Server, Tenant, assert_points_at, assert_refused, document_path};

/// A server with one tenant and a collection for each kind of refusal.
struct Fixture {
    server: Server,
    tenant: Tenant,
}

/// What a request is refused with: a code, or for 422 the pointer of the first wrong field.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    Code(u16, &'static str),
    At(&'static str),
}

use Refusal::{At, Code};

impl Fixture {
    fn new() -> Self {
        let server = Server::start();
        let tenant = server.tenant("acme");
        // No default ACL: a document has to bring one.
        tenant.collection("strict", &json!({}));
        tenant.collection("plain", &json!({"accept": ["text/plain"], "default_acl": {"allow": ["everyone"]}}));
        tenant.collection(
            "vectors",
            &json!({"embedding": {"source": "client", "dimensions": 4}, "default_acl": {"allow": ["everyone"]}}),
        );
        Self { server, tenant }
    }

    /// Puts a document as raw JSON.
    #[track_caller]
    fn put(&self, collection: &str, body: &[u8]) -> Answer {
        self.tenant.admin.send("PUT", &document_path(collection, "d"), Some("application/json"), Some(body))
    }

    /// Checks that nothing of what was refused is there, and that the server still serves.
    #[track_caller]
    fn assert_nothing_left(&self) {
        for collection in ["strict", "plain", "vectors"] {
            let list = self.tenant.admin.get(&format!("/v1/collections/{collection}/documents")).expect(200).json();
            let documents = list["documents"].as_array().unwrap_or_else(|| panic!("a list of documents: {list}"));
            assert!(documents.is_empty(), "left behind in `{collection}`: {list}");
        }
        self.server.nobody().get("/healthz").expect(200);
    }
}

impl Refusal {
    #[track_caller]
    fn check(self, answer: &Answer, what: &str) {
        let result = std::panic::catch_unwind(|| match self {
            Self::Code(status, code) => assert_refused(answer, status, code),
            Self::At(pointer) => assert_points_at(answer, pointer),
        });
        assert!(result.is_ok(), "{what}: expected {self:?}, got {} {}", answer.status, answer.text());
    }
}
