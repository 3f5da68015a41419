//! Reading: one straight path from a permit to an answer that is recorded.
//!
//! [`searcher`] searches, within [`slots`], and [`documents`] reads and lists; [`query`] holds what a search may ask and its bounds; [`ranking`] runs it inside a scope and releases what it finds; [`policies`] says how; [`visibility`] tells for whom a collection exists; [`answer`] is what may leave.

pub mod answer;
pub mod documents;
pub mod emergency;
pub mod policies;
pub mod query;
pub mod ranking;
pub mod searcher;
pub mod slots;
pub mod visibility;
