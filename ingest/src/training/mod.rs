//! Training and measuring the model of the sanitiser. Behind the feature `training`: nothing of it is in the server.

mod corpus;
mod grammar;
mod learn;
mod measure;
mod random;
mod recipe;

pub use corpus::{Payload, Row, honest, insert, insert_all, overlap, payloads, rows};
pub use grammar::Grammar;
pub use learn::{Settings, train};
pub use measure::{Detector, REMOVED_SHARE, ratio, sentences};
pub use random::{Random, digest};
pub use recipe::{Data, SETTINGS, train_shipped};
