//! Permission-first indexes: ACL classes, snapshots, scopes, and ranking inside a scope.
//!
//! The engine accepts only what `ringfence-ingest` prepared, and is read only through a `Scope`.
//! No HTTP, tokens or SQL: the server owns those.

mod access;
mod acl;
mod body;
mod case;
mod change;
mod choice;
mod class;
mod collection;
mod directory;
mod document;
mod dry_run;
mod emergency;
mod engine;
mod error;
mod expectation;
mod explain;
pub mod failpoint;
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
mod rules;
mod scope;
mod search;
mod segment;
mod simulate;
mod sketch;
mod slab;
mod snapshot;
mod spill;
mod standing;
mod tenant;
mod tiers;
mod vector;
mod writer;

pub use access::{ReadableDocuments, ReadersOfDocument};
pub use acl::{Acl, Condition, Requirement, Timestamp};
pub use change::Change;
pub use collection::{Collection, Selection, VectorSource};
pub use document::{ChunkRecord, Document, DocumentChunk, DocumentInfo, DocumentRecord, DocumentView};
pub use dry_run::{Difference, DryRun};
pub use emergency::{Covered, EmergencyGrant};
pub use engine::Engine;
pub use error::{EngineError, InvalidName};
pub use expectation::{Expectation, Target, Unmet};
pub use explain::{Amendment, Check, Explanation, Match, Rule, Supposed};
pub use filter::{Filter, InvalidFilter};
pub use id::{ChunkId, CollectionId, DocumentId, GrantId, PolicyName, TenantId};
pub use lexical::kind::AnalyzerKind;
pub use options::EngineOptions;
pub use principal::{AttributeSource, AttributeValue, Principal, PrincipalKind, Subject};
pub use rules::{
    Effect, POLICIES_MAX, POLICY_BYTES_MAX, POLICY_SCHEMA, PolicyFault, RequestContext, Ruleset, TenantPolicy,
};
pub use scope::Scope;
pub use search::{Hit, Mode, SearchRequest};
pub use simulate::{Candidate, Simulation};
pub use spill::Spill;
pub use standing::{AttributeType, Declaration, Declarations, Names, Standing};
pub use tenant::{Opening, Pin};
pub use vector::{DIMENSIONS_MAX, Vector};
