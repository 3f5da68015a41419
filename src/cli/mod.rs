//! The command line: one file a command, one way to fail, one place that prints.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage. A failure is one line `error: …` and, where there is one, a line `remedy: …` on standard error.

mod admin;
mod audit;
pub mod client;
mod demo;
mod doctor;
mod duration;
mod emergency;
mod failure;
mod ingest;
mod init;
mod key;
mod local;
mod options;
mod output;
mod policy;
mod reprocess;
mod search;
mod serve;
mod task;
mod tenant;
mod token;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};

pub use self::failure::Failure;
use self::options::Context;
use crate::{
    cage::worker,
    retrieval::{answer::SPARE_THREADS, slots::places},
};

/// A search computes below the layers that took its request, and a tenant policy may be nested deep.
const STACK_BYTES: usize = 4 << 20;

/// A retrieval server for RAG: permission first, ranked inside the permission, labelled on the way out.
#[derive(Debug, Parser)]
#[command(name = "ringfence", version, arg_required_else_help = true)]
struct Arguments {
    /// The configuration file [default: ringfence.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE", env = "RINGFENCE_CONFIG", help_heading = "Everywhere")]
    config: Option<PathBuf>,
    /// Print JSON for programs instead of text for people
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a configuration, make the data directory and its keys, and print the first operator key
    Init(init::Init),
    /// Run the server
    Serve(serve::Serve),
    /// Run a server with two demo tenants and ask it the same questions as several people
    Demo(demo::Demo),
    /// Create, list and delete tenants
    Tenant(tenant::Tenant),
    /// Create, list, rotate and revoke API keys
    Key(key::Key),
    /// Exchange, narrow and revoke tokens; mint those of the development issuer
    Token(Box<token::Token>),
    /// Upload files and folders into a collection
    Ingest(ingest::Ingest),
    /// Search, as a table
    Search(search::Search),
    /// Check that a saved answer is the one that a server signed
    Verify(verify::Verify),
    /// Judge documents anew that an older sanitiser made
    Reprocess(reprocess::Reprocess),
    /// Make, list, delete, try out and test the tenant's policies
    Policy(policy::Policy),
    /// Let somebody in for a short time, see who is, and end it
    Emergency(emergency::Emergency),
    /// Check and read the audit log
    Audit(audit::Audit),
    /// Check a running server or a data directory
    Doctor(doctor::Doctor),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    // A worker has one thread and no configuration: it shuts itself in before anything else happens.
    if worker::is_asked_for() {
        return worker::run();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(places() + SPARE_THREADS).thread_stack_size(STACK_BYTES);
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(format!("cannot start: {error}")).report(),
    };
    let Arguments { config, json, command } = arguments;
    let outcome = runtime.block_on(run(command, Context { config, json }));
    // What still blocks, such as a read of a slow disk, is not waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(command: Command, context: Context) -> Result<(), Failure> {
    match command {
        Command::Init(init) => init.run(&context).await,
        Command::Serve(serve) => serve.run(&context).await,
        Command::Demo(demo) => demo.run(&context).await,
        Command::Tenant(tenant) => tenant.run(&context).await,
        Command::Key(key) => key.run(&context).await,
        Command::Token(token) => token.run(&context).await,
        Command::Ingest(ingest) => ingest.run(&context).await,
        Command::Search(search) => search.run(&context).await,
        Command::Verify(verify) => verify.run(&context).await,
        Command::Reprocess(reprocess) => reprocess.run(&context).await,
        Command::Policy(policy) => policy.run(&context).await,
        Command::Emergency(emergency) => emergency.run(&context).await,
        Command::Audit(audit) => audit.run(&context).await,
        Command::Doctor(doctor) => doctor.run(&context).await,
    }
}

/// Help and version are what was asked for; everything else is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion if printed.is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_holds() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_is_not_understood_is_wrong_usage() {
        for line in ["ringfence", "ringfence fly", "ringfence key create", "ringfence ingest", "ringfence search a b"] {
            let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(format!("{:?}", usage(&error)), format!("{:?}", ExitCode::from(2)), "{line}");
        }
    }
}
