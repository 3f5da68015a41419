//! The whole engine from outside.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod explained;
mod graphs;
mod large;
mod opening;
mod remembered;
mod slabs;
mod support;
mod words;
mod world;
