//! Client certificates: what one says, and which program of which tenant it is.
//!
//! The TLS layer has checked the chain against the configured authority; here the certificate is read, looked up, and its time looked at with every request, since a connection may outlive it.

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use ringfence_indexes::{CollectionId, Principal, TenantId, Timestamp};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::authz::Scopes;

/// A client certificate whose chain was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// The subject as RFC 4514 writes it.
    pub subject: String,
    /// The URIs among its alternative names.
    pub uris: Vec<String>,
    /// The DNS names among its alternative names.
    pub dns_names: Vec<String>,
    /// When it begins.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

/// Which program a certificate is.
#[derive(Clone, Debug)]
pub struct CertificateMapping {
    /// How it is recognised.
    pub name: CertificateName,
    /// The tenant.
    pub tenant: TenantId,
    /// The program.
    pub principal: Principal,
    /// What it may do.
    pub scopes: Scopes,
    /// The collections it is limited to; `None` means all.
    pub collections: Option<BTreeSet<CollectionId>>,
}

/// How a certificate is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateName {
    /// By a URI among its alternative names, such as a SPIFFE id.
    Uri(String),
    /// By a DNS name among its alternative names.
    Dns(String),
    /// By its whole subject.
    Subject(String),
    /// By its SHA-256.
    Fingerprint([u8; 32]),
}

impl ClientCertificate {
    /// Reads a certificate; `None` where it cannot be read whole.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let (mut uris, mut dns_names) = (Vec::new(), Vec::new());
        let names = certificate.subject_alternative_name().ok()?;
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::URI(uri) => uris.push((*uri).to_owned()),
                GeneralName::DNSName(dns) => dns_names.push((*dns).to_owned()),
                _ => {}
            }
        }
        let seconds = |time: i64| time.checked_mul(1_000_000).map(Timestamp);
        let validity = certificate.validity();
        Some(Self {
            fingerprint: digest::digest(&digest::SHA256, der).as_ref().try_into().ok()?,
            subject: certificate.subject().to_string(),
            uris,
            dns_names,
            not_before: seconds(validity.not_before.timestamp())?,
            // Valid up to and with its last second (RFC 5280, 4.1.2.5).
            not_after: seconds(validity.not_after.timestamp().checked_add(1)?)?,
        })
    }

    pub(super) fn is_current(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }
}

impl CertificateName {
    /// Whether a certificate has this name.
    #[must_use]
    pub fn fits(&self, certificate: &ClientCertificate) -> bool {
        match self {
            Self::Uri(uri) => certificate.uris.contains(uri),
            // DNS names know no case (RFC 4343).
            Self::Dns(dns) => certificate.dns_names.iter().any(|name| name.eq_ignore_ascii_case(dns)),
            Self::Subject(subject) => certificate.subject == *subject,
            Self::Fingerprint(fingerprint) => certificate.fingerprint == *fingerprint,
        }
    }

    /// The name as it stands in records.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Uri(uri) => format!("uri:{uri}"),
            Self::Dns(dns) => format!("dns:{dns}"),
            Self::Subject(subject) => format!("subject:{subject}"),
            Self::Fingerprint(fingerprint) => {
                format!("sha256:{}", data_encoding::HEXLOWER.encode(fingerprint))
            }
        }
    }
}
