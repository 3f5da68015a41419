//! Logs: one line an event on standard error, values as fields, never a query, passage or credential.

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

/// Starts logging; later calls change nothing, so that tests may call it too.
///
/// A filter that cannot be read falls back to `info`: a typing error must not silence the log.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that a subscriber is set already.
    let _already_started = match config.format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
}
