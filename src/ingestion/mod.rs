//! Documents on their way in: who may write where, what is refused, what is prepared, embedded and committed.
//!
//! [`service`] is the one path in; [`labels`] holds the rules for what travels beside the text; [`draft`] makes what may be committed; [`folders`] hold what takes its ACL from them; [`original`] is what is kept beside it, which [`review`] shows to reviewers and [`reprocess`] judges anew.

pub mod draft;
pub mod folders;
pub mod labels;
pub mod original;
pub mod reprocess;
pub mod review;
pub mod service;
