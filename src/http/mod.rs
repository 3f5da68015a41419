//! HTTP: the only place that knows axum. Handlers extract a permit and a parsed body, call one service and convert its answer.

mod body;
mod docs;
mod inspector;
mod json;
pub mod problem;
pub mod request_id;
mod search_form;
mod server;
mod settings;
mod strict;
mod wire;

pub use self::{
    server::{Peer, serve},
    settings::HttpSettings,
};
