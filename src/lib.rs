//! Ringfence: a secure retrieval server for RAG.
//!
//! Permission comes first: the caller's principals choose the partitions, ranking happens inside those partitions, and what leaves is sanitised, redacted and labelled.

pub mod acl_form;
pub mod administration;
pub mod app;
pub mod audit;
pub mod authn;
pub mod authz;
pub mod cage;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod commit;
pub mod config;
pub mod context;
pub mod embed;
pub mod entropy;
pub mod envelope;
pub mod http;
pub mod ingestion;
pub mod release;
pub mod retrieval;
pub mod scim;
pub mod seal;
pub mod store;
pub mod telemetry;
