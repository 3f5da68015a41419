//! The bounds of the HTTP side, with the defaults of the contract.

use std::time::Duration;

use crate::config::LimitsConfig;

/// Bounds on connections, requests and bodies.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Open connections in all; further ones are closed at once.
    pub connections_max: usize,
    /// Open connections of one address; several clients behind one proxy share it.
    pub connections_per_address_max: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a connection may wait for its next request's whole head, idle time included.
    pub head_timeout: Duration,
    /// How long a body may keep the server waiting, beyond what its size earns at `body_rate_bytes`.
    pub body_grace: Duration,
    /// The slowest a body may come, in bytes a second.
    pub body_rate_bytes: u64,
    /// How long a client may leave an answer unread.
    pub write_timeout: Duration,
    /// How long open requests may finish after the server was asked to stop.
    pub drain_timeout: Duration,
    /// The largest header block in bytes.
    pub head_bytes_max: usize,
    /// The largest JSON body of administration and search.
    pub json_bytes_max: usize,
    /// The largest document as it is sent raw.
    pub document_bytes_max: usize,
    /// The largest line of a batch.
    pub batch_line_bytes_max: usize,
}

impl HttpSettings {
    /// The settings with what is configured.
    #[must_use]
    pub fn of(limits: &LimitsConfig) -> Self {
        Self {
            connections_max: limits.connections,
            connections_per_address_max: limits.connections_per_address,
            document_bytes_max: limits.document_bytes,
            batch_line_bytes_max: limits.batch_line_bytes,
            ..Self::default()
        }
    }

    /// The largest JSON body that carries a document: base64 grows it by a third, escapes and the other fields need room.
    #[must_use]
    pub const fn document_json_bytes_max(&self) -> usize {
        self.document_bytes_max / 3 * 4 + (1 << 20)
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connections_max: 8192,
            connections_per_address_max: 4096,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(10),
            body_grace: Duration::from_secs(10),
            body_rate_bytes: 16 << 10,
            write_timeout: Duration::from_secs(20),
            drain_timeout: Duration::from_secs(30),
            head_bytes_max: 16 << 10,
            json_bytes_max: 256 << 10,
            document_bytes_max: 16 << 20,
            batch_line_bytes_max: 1 << 20,
        }
    }
}
