//! How administration commands reach a server: over the network, or inside this process on the data directory.

use std::path::PathBuf;

use clap::Args;

use super::{
    client::Client,
    failure::Failure,
    local::Local,
    options::{Context, ServerOptions},
};

/// Which server, or which data directory.
#[derive(Clone, Debug, Args)]
pub(super) struct AdminOptions {
    #[command(flatten)]
    server: ServerOptions,
    /// Work on the data directory itself, with an operator's rights, while no server runs
    #[arg(long, help_heading = "Server")]
    local: bool,
    /// The data directory for `--local` [default: as configured]
    #[arg(long, value_name = "DIR", requires = "local", help_heading = "Server")]
    data_dir: Option<PathBuf>,
}

impl AdminOptions {
    /// Runs `act` with a client and closes what was opened for it, whatever came of it.
    pub(super) async fn with<T>(
        &self,
        context: &Context,
        act: impl AsyncFnOnce(&Client) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if !self.local {
            return act(&self.server.client(context)?).await;
        }
        let local = Local::start(context.load(None, self.data_dir.clone())?).await?;
        let outcome = act(local.client()).await;
        let closed = local.close().await;
        let outcome = outcome?;
        closed.map(|()| outcome)
    }
}
