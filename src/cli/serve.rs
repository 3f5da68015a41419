//! `ringfence serve`: the server, from a checked configuration to a shutdown that loses nothing.

use std::{io, net::SocketAddr, path::PathBuf, pin::pin, sync::Arc};

use clap::Args;
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::{failure::Failure, local, options::Context, output};
use crate::{app::App, config::ConfigError, http, telemetry};

#[derive(Debug, Args)]
#[command(after_help = "SIGTERM or Ctrl-C ends it: open requests finish first. A second one does not wait for them.")]
pub(super) struct Serve {
    /// The address and port to listen on, over the configuration
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The data directory, over the configuration
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Serve {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = context.load(self.listen, self.data_dir)?;
        config.check().map_err(ConfigError::from)?;
        local::check_initialised(&config.data_dir)?;
        telemetry::start(&config.log);
        telemetry::log_panics();
        let tls = config.tls.as_ref().map(http::tls).transpose().map_err(|error| {
            Failure::new(error.to_string())
                .with_remedy("`tls.cert_file` holds the certificate chain and `tls.key_file` its private key, both PEM")
        })?;
        // Bound before the store is opened: what cannot be served is told at once, and early clients wait instead of failing.
        let listener = bind(config.listen, "listen").await?;
        let signals = Signals::new()?;
        let app = local::open(config).await?;
        let url = url(&listener, tls.is_some())?;
        tracing::info!(address = url, version = env!("CARGO_PKG_VERSION"), "ready");
        if context.json {
            output::say(&json!({"address": url}).to_string())?;
        }
        let served = run(Arc::clone(&app), listener, tls, signals).await;
        local::close(&app).await?;
        tracing::info!("stopped");
        served
    }
}

/// Serves until a signal; a second signal does not wait for open requests.
async fn run(
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    mut signals: Signals,
) -> Result<(), Failure> {
    let metrics = app.config.metrics.listen;
    // The listener for metrics is the one thing that can fail once the server's own is open.
    let failed = |error: io::Error| {
        let address = metrics.map_or_else(String::new, |address| format!(" on {address} (`metrics.listen`)"));
        Failure::caused(format!("cannot listen{address}"), &error)
            .with_remedy("choose another port for `metrics.listen`")
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serving = pin!(http::run(app, listener, tls, async { drop(stopped.await) }));
    tokio::select! {
        served = &mut serving => return served.map_err(failed),
        name = signals.next() => tracing::info!(signal = name, "stopping: open requests finish first"),
    }
    // An error means that the server has ended by itself.
    let _ended = stop.send(());
    tokio::select! {
        served = &mut serving => served.map_err(failed),
        name = signals.next() => {
            tracing::warn!(signal = name, "stopping without waiting for open requests");
            Ok(())
        }
    }
}

pub(super) async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let failure = Failure::caused(format!("cannot listen on {address} (`{setting}`)"), &error);
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                failure.with_remedy("another program, perhaps another Ringfence, has the port: stop it, or choose another with `--listen 127.0.0.1:PORT`")
            }
            io::ErrorKind::PermissionDenied => failure.with_remedy("ports below 1024 need a privilege: choose a higher one"),
            _ => failure.with_remedy("the address must be one of this machine's"),
        }
    })
}

/// The address that a listener really has.
pub(super) fn url(listener: &TcpListener, tls: bool) -> Result<String, Failure> {
    let scheme = if tls { "https" } else { "http" };
    Ok(format!("{scheme}://{}", listener.local_addr()?))
}

/// SIGTERM and SIGINT, listened to from the start, so that none is missed while the store opens.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::caused("cannot listen to signals", &error));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_comes_with_a_remedy() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let failure = bind(taken.local_addr().unwrap(), "listen").await.unwrap_err().to_string();
        assert!(failure.contains("remedy: another program"), "{failure}");
    }
}
