//! Documents on their way in: who may write where, what is refused, what is prepared, embedded and committed.
//!
//! [`service`] is the one path in; [`labels`] holds the rules for what travels beside the text; [`draft`] makes what may be committed.

pub mod draft;
pub mod labels;
pub mod service;
