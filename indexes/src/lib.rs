//! Permission-first indexes: ACL classes, snapshots, scopes, and ranking inside a scope.
//!
//! The engine accepts only what `ringfence-ingest` prepared, and is read only through a `Scope`.
//! No HTTP, tokens or SQL: the server owns those.

mod acl;
mod change;
mod class;
mod collection;
mod directory;
mod document;
mod engine;
mod error;
mod explain;
mod filter;
mod fusion;
mod graph;
mod id;
mod lexical;
mod memory;
mod options;
mod partition;
mod policy;
mod principal;
mod scope;
mod search;
mod segment;
mod sketch;
mod snapshot;
mod standing;
mod vector;
mod writer;

pub use acl::{Acl, Condition, Requirement, Timestamp};
pub use change::Change;
pub use collection::{Collection, Selection, VectorSource};
pub use document::{ChunkRecord, Document, DocumentChunk, DocumentInfo, DocumentRecord, DocumentView};
pub use engine::Engine;
pub use error::{EngineError, InvalidName};
pub use explain::{Amendment, Candidate, Check, Explanation, Match, Rule, Simulation, Supposed};
pub use filter::{Filter, InvalidFilter};
pub use id::{ChunkId, CollectionId, DocumentId, TenantId};
pub use options::EngineOptions;
pub use principal::{AttributeSource, AttributeValue, Principal, PrincipalKind, Subject};
pub use scope::Scope;
pub use search::{Hit, Mode, SearchRequest};
pub use standing::{AttributeType, Declaration, Declarations, Names, Standing};
pub use vector::{DIMENSIONS_MAX, Vector};
