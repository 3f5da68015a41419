//! What the server refuses to run with.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::Config;
use crate::authn::Issuer;

/// An unsafe setting, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refusing to start: {reason}\nremedy: {remedy}")]
pub struct UnsafeConfig {
    /// Why it is unsafe.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

impl UnsafeConfig {
    pub(super) fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: remedy.into() }
    }
}

impl Config {
    /// Checks that the configuration is safe, and gives back the issuers with their keys.
    ///
    /// # Errors
    /// [`UnsafeConfig`] with the reason and the remedy.
    pub fn check(&self) -> Result<Vec<Issuer>, UnsafeConfig> {
        if !self.listen.ip().is_loopback() && self.tls.is_none() && !self.behind_proxy {
            return Err(UnsafeConfig::new(
                format!(
                    "`listen = \"{}\"` is reachable from other machines and credentials would travel unencrypted",
                    self.listen
                ),
                "listen on 127.0.0.1, configure [tls], or set `behind_proxy = true` where a proxy terminates TLS",
            ));
        }
        if self.development_issuer && (!self.listen.ip().is_loopback() || self.behind_proxy) {
            return Err(UnsafeConfig::new(
                "`development_issuer = true` accepts tokens that anybody with the data directory can mint, and others could reach this server",
                "set `development_issuer = false` and configure an [[issuer]], or listen on 127.0.0.1 without `behind_proxy`",
            ));
        }
        if let Some(tls) = &self.tls {
            check_private_file(&tls.key_file)?;
        }
        if self.cors.credentials && self.cors.origins.iter().any(|origin| origin.contains('*')) {
            return Err(UnsafeConfig::new(
                "any website could call with a visitor's credentials: `cors.origins` has a wildcard and `cors.credentials` is true",
                "name the origins, or set `cors.credentials = false`",
            ));
        }
        if let Some(listen) = self.metrics.listen.filter(|listen| !listen.ip().is_loopback() && !self.behind_proxy) {
            return Err(UnsafeConfig::new(
                format!("`metrics.listen = \"{listen}\"` shows metrics to other machines without a credential"),
                "listen on 127.0.0.1, or set `behind_proxy = true` where a proxy guards it",
            ));
        }
        self.certificates()?;
        self.embedder.check()?;
        self.check_data_dir()?;
        self.issuer.iter().map(super::IssuerConfig::load).collect()
    }

    /// The folder and the keys in it must be for the owner's eyes alone.
    fn check_data_dir(&self) -> Result<(), UnsafeConfig> {
        let entries = fs::read_dir(&self.data_dir).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.extension().is_some_and(|extension| extension == "key") {
                check_private_file(&path)?;
            }
        }
        Ok(())
    }
}

/// Refuses a secret file that others may read.
pub(super) fn check_private_file(path: &Path) -> Result<(), UnsafeConfig> {
    let shown = path.display();
    let metadata = fs::metadata(path)
        .map_err(|error| UnsafeConfig::new(format!("cannot read `{shown}`: {error}"), "correct the path"))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(UnsafeConfig::new(
            format!("the secret file `{shown}` is readable by other users"),
            format!("chmod 600 {shown}"),
        ));
    }
    Ok(())
}
