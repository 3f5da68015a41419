//! Reading: one straight path from a permit to an answer that is recorded.
//!
//! [`searcher`] is the service; [`query`] holds what a search may ask and its bounds; [`ranking`] runs it inside a scope and releases what it finds; [`answer`] is what may leave.

pub mod answer;
pub mod query;
pub mod ranking;
pub mod searcher;
