//! The workload that every benchmark is measured on: companies as they are, a few large and many small, and people who may read from a thousandth to most of theirs.
//!
//! Twenty tenants of Zipfian sizes, the largest with 40 % of all chunks. Vectors are a mixture of 500 Gaussians with a decaying spectrum, as real embeddings are. Texts are 30 to 72 Zipfian words, 35 % of them their topic's own. A tenant has up to 300 ACL classes of Zipfian sizes and 200 users, each with up to 20 of 60 groups and a log-uniform share of 0.1 % to 60 %. Queries come in four buckets by the share that their user may read, with the exact ten nearest permitted chunks.
//!
//! Everything follows from the seed. Benchmarks are programs of several crates, so the workload is a crate of its own: compiled once, and the same for all of them.

mod export;
mod random;
mod tenant;
mod topics;
mod truth;
mod workload;

pub use random::Random;
pub use tenant::{Class, Tenant, User};
pub use truth::{Judgement, TOP_K, Truth};
pub use workload::{BUCKETS, Bucket, Chunk, Options, Query, Workload};
