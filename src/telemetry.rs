//! Logs: one line an event on standard error, values as fields, never a query, passage or credential.

use std::{io::IsTerminal, panic};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

/// Starts logging; later calls change nothing, so that tests may call it too.
///
/// A filter that cannot be read falls back to `info`: a typing error must not silence the log.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let for_a_person = std::io::stderr().is_terminal();
    let subscriber = fmt().with_env_filter(filter).with_ansi(for_a_person).with_writer(std::io::stderr);
    // An error means that a subscriber is set already.
    let _already_started = match config.format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
}

/// Starts logging what went wrong, for a server inside a command: its output is what the command says.
pub fn start_quietly() {
    start(&LogConfig { format: LogFormat::Text, filter: "warn".to_owned() });
    log_panics();
}

/// Logs where a thread panicked, and not what it said: a message may quote the text that it stumbled over.
pub fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "a task panicked: its request fails, the server goes on");
    }));
}
