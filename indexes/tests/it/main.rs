//! The whole engine from outside; and who may read what, against models that share no code with it.
//!
//! They stand beside the engine rather than with the tests of the server, so that a mutation of what decides is judged without building that.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod cedar;
mod explained;
mod graphs;
mod large;
mod opening;
mod oracle;
mod policy;
mod remembered;
mod slabs;
mod support;
mod words;
mod world;

/// Whether the long form of the tests was asked for with `cargo xtask deep`.
fn is_deep() -> bool {
    std::env::var_os("RINGFENCE_DEEP").is_some()
}
