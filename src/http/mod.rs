//! HTTP: the only place that knows axum. Handlers extract a permit and a parsed body, call one service and convert its answer.
//!
//! A resource is a file: its types, its handlers and their description. [`routes`] lists them; [`gate`] is what every request of `/v1` passes.

mod access;
mod batch;
mod body;
mod collection_form;
mod collections;
mod directory;
mod docs;
mod document_form;
mod documents;
mod emergency;
mod envelope_keys;
mod exchange;
mod explain;
mod folders;
mod gate;
mod groups;
mod health;
mod inspector;
mod json;
mod key_form;
mod keys;
mod limits;
mod lines;
mod metrics;
mod names;
mod openapi;
mod outside;
mod page;
mod policies;
mod policy_trials;
pub mod problem;
mod quarantine;
mod refusals;
mod reply;
mod reprocess;
pub mod request_id;
mod revocations;
mod routes;
mod scim;
mod search;
mod search_form;
mod server;
mod settings;
mod simulate;
mod state;
mod strict;
mod tenants;
mod tls;
mod turns;
mod upload;
mod wire;

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, sync::watch};

use self::state::Server;
pub use self::{
    server::{Peer, serve},
    settings::HttpSettings,
    tls::{TlsError, tls},
};
use crate::app::App;

/// How often what was measured is folded into the histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// Every route of a server.
pub fn router(app: Arc<App>) -> Router {
    routes::router(Server::new(app))
}

/// Serves a server on `listener`, and its metrics on a listener of their own where that is configured, and keeps the collections' retention and the keys of issuers, until `shutdown` resolves and open requests are done.
///
/// # Errors
/// [`io::Error`] where the listener for metrics cannot be opened.
pub async fn run(
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let server = Server::new(app);
    let settings = server.settings.clone();
    let metrics_listener = match server.app.config.metrics.listen {
        Some(address) => Some(TcpListener::bind(address).await?),
        None => None,
    };
    let (stop, stopping) = watch::channel(false);
    let main = serve(listener, routes::router(server.clone()), settings.clone(), tls, stopped(stopping.clone()));
    let metrics = async {
        if let Some(listener) = metrics_listener {
            serve(listener, health::metrics_router(server.clone()), settings, None, stopped(stopping.clone())).await;
        }
    };
    let wait = async {
        shutdown.await;
        server.stop();
        stop.send_replace(true);
    };
    let retention = until(server.app.clone().keep_retention(), stopped(stopping.clone()));
    let keys = until(server.app.authenticator.keep_keys(), stopped(stopping.clone()));
    let tenants = until(server.app.clone().keep_tenants(), stopped(stopping.clone()));
    let upkeep = until(upkeep(&server), stopped(stopping.clone()));
    tokio::join!(main, metrics, wait, upkeep, retention, keys, tenants);
    Ok(())
}

/// Works until it is told to stop.
async fn until(work: impl Future<Output = ()>, stopped: impl Future<Output = ()>) {
    tokio::select! {
        () = stopped => {}
        () = work => {}
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that nobody can say stop any more, which is a stop too.
    let _said = stopping.wait_for(|stopping| *stopping).await;
}

async fn upkeep(server: &Server) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        server.metrics.upkeep();
    }
}

#[cfg(test)]
mod router_tests;
