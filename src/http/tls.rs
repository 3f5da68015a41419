//! TLS by the server itself: TLS 1.2 and 1.3 with one cryptography, certificates and key from files.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::config::TlsConfig;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("cannot use `{path}` for TLS: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Certificate and key do not fit each other.
    #[error("the certificate and the key do not fit: {0}")]
    Mismatch(#[from] rustls::Error),
}

/// Reads the certificate chain and its key.
///
/// # Errors
/// [`TlsError`] says which file is wrong.
pub fn tls(config: &TlsConfig) -> Result<Arc<ServerConfig>, TlsError> {
    let refuse = |path: &std::path::Path, reason: String| TlsError::File { path: path.display().to_string(), reason };
    let certificates = CertificateDer::pem_file_iter(&config.cert_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refuse(&config.cert_file, error.to_string()))?;
    if certificates.is_empty() {
        return Err(refuse(&config.cert_file, "it holds no certificate".to_owned()));
    }
    let key =
        PrivateKeyDer::from_pem_file(&config.key_file).map_err(|error| refuse(&config.key_file, error.to_string()))?;
    let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}
