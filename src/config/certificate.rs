//! `[[client_certificate]]`: which program of which tenant a client certificate is.

use data_encoding::HEXLOWER_PERMISSIVE;
use ringfence_indexes::{CollectionId, Principal, PrincipalKind, TenantId};
use serde::Deserialize;

use super::{Config, check::UnsafeConfig};
use crate::{
    authn::{CertificateMapping, CertificateName},
    authz::Scopes,
};

/// A client certificate as it is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateConfig {
    /// Recognised by a URI among its alternative names.
    pub uri: Option<String>,
    /// Recognised by a DNS name among its alternative names.
    pub dns: Option<String>,
    /// Recognised by its whole subject, as RFC 4514 writes it.
    pub subject: Option<String>,
    /// Recognised by its SHA-256, in hex.
    pub fingerprint: Option<String>,
    /// The tenant.
    pub tenant: String,
    /// The program.
    pub principal: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The collections it is limited to; all where it is left out.
    pub collections: Option<Vec<String>>,
}

impl Config {
    /// The client certificates that are taken, each checked.
    ///
    /// # Errors
    /// [`UnsafeConfig`] with the reason and the remedy.
    pub fn certificates(&self) -> Result<Vec<CertificateMapping>, UnsafeConfig> {
        let has_authority = self.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
        if !self.client_certificate.is_empty() && !has_authority {
            return Err(UnsafeConfig::new(
                "a [[client_certificate]] is configured, but no client is asked for one",
                "set `client_ca_file` in [tls] to the authority that signs them",
            ));
        }
        let mappings = self.client_certificate.iter().map(CertificateConfig::load).collect::<Result<Vec<_>, _>>()?;
        for (index, mapping) in mappings.iter().enumerate() {
            if mappings[..index].iter().any(|other| other.name == mapping.name) {
                return Err(UnsafeConfig::new(
                    format!("two [[client_certificate]] sections are for `{}`", mapping.name.words()),
                    "keep one of them: which counts would depend on their order",
                ));
            }
        }
        Ok(mappings)
    }
}

impl CertificateConfig {
    fn load(&self) -> Result<CertificateMapping, UnsafeConfig> {
        let refuse =
            |reason: String| UnsafeConfig::new(format!("[[client_certificate]]: {reason}"), "correct the section");
        let name = self.name().ok_or_else(|| {
            refuse("needs exactly one of `uri`, `dns`, `subject` and `fingerprint` (64 hex digits)".into())
        })?;
        let principal = Principal::new(&self.principal)
            .ok()
            .filter(|principal| principal.kind() == PrincipalKind::Service)
            .ok_or_else(|| {
                refuse(format!("the principal `{}` is not one such as `service:wiki-sync`", self.principal))
            })?;
        let tenant =
            TenantId::new(&self.tenant).map_err(|error| refuse(format!("the tenant `{}` {error}", self.tenant)))?;
        let scopes =
            Scopes::from_names(self.scopes.iter().map(String::as_str)).map_err(|error| refuse(error.to_string()))?;
        let collections =
            self.collections.as_ref().map(|names| names.iter().map(|name| CollectionId::new(name)).collect());
        let collections = collections.transpose().map_err(|error| refuse(format!("a collection's name {error}")))?;
        Ok(CertificateMapping { name, tenant, principal, scopes, collections })
    }

    /// `None` where it is not said once, or is empty.
    fn name(&self) -> Option<CertificateName> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match (filled(&self.uri), filled(&self.dns), filled(&self.subject), filled(&self.fingerprint)) {
            (Some(uri), None, None, None) => Some(CertificateName::Uri(uri)),
            (None, Some(dns), None, None) => Some(CertificateName::Dns(dns)),
            (None, None, Some(subject), None) => Some(CertificateName::Subject(subject)),
            (None, None, None, Some(fingerprint)) => {
                // Tools print it with colons between the bytes.
                let digits = fingerprint.replace(':', "");
                let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
                bytes.try_into().ok().map(CertificateName::Fingerprint)
            }
            _ => None,
        }
    }
}
