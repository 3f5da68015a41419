//! `[[issuer]]`: who may issue tokens, and how they are read.

use std::{collections::BTreeMap, fs, path::PathBuf};

use ringfence_indexes::TenantId;
use serde::Deserialize;

use super::check::{UnsafeConfig, check_private_file};
use crate::{
    authn::{Algorithm, Issuer, IssuerKeys, TenantSource},
    authz::Scopes,
};

/// An issuer as it is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The `iss` claim.
    pub issuer: String,
    /// What the `aud` claim must be or contain.
    pub audience: String,
    /// The algorithms that are accepted.
    pub algorithms: Vec<String>,
    /// A file with the issuer's public keys.
    pub jwks_file: Option<PathBuf>,
    /// A file with a shared secret, for HS256.
    pub secret_file: Option<PathBuf>,
    /// The tenant of all its tokens.
    pub tenant: Option<String>,
    /// The claim that names the tenant.
    pub tenant_claim: Option<String>,
    /// The claim that names the user.
    #[serde(default = "subject_claim")]
    pub subject_claim: String,
    /// The claim with the user's groups.
    pub groups_claim: Option<String>,
    /// Whether a token without that claim has no groups, instead of being refused.
    #[serde(default)]
    pub groups_optional: bool,
    /// Attribute → claim.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// What its tokens may do at most.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that narrows the scopes.
    pub scope_claim: Option<String>,
    /// How far clocks may differ, at most five minutes.
    #[serde(default = "leeway")]
    pub leeway_seconds: u32,
    /// The longest time until a token expires.
    #[serde(default = "lifetime")]
    pub max_lifetime_seconds: u32,
}

fn subject_claim() -> String {
    "sub".to_owned()
}

fn scopes() -> Vec<String> {
    vec!["search".to_owned(), "read".to_owned()]
}

const fn leeway() -> u32 {
    30
}

const fn lifetime() -> u32 {
    86_400
}

impl IssuerConfig {
    /// Reads the keys and checks every setting.
    ///
    /// # Errors
    /// [`UnsafeConfig`] with the reason and the remedy.
    pub fn load(&self) -> Result<Issuer, UnsafeConfig> {
        let refuse =
            |reason: String, remedy: &str| UnsafeConfig::new(format!("issuer `{}`: {reason}", self.issuer), remedy);
        let parse = |name: &String| {
            name.parse::<Algorithm>().map_err(|_| {
                refuse(
                    format!("`{name}` is no algorithm that can be trusted"),
                    "use RS256, PS256, ES256, EdDSA or, with `secret_file`, HS256",
                )
            })
        };
        let algorithms = self.algorithms.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        if algorithms.is_empty() || self.issuer.is_empty() || self.audience.is_empty() {
            return Err(refuse("`issuer`, `audience` or `algorithms` is empty".into(), "name what its tokens carry"));
        }
        if self.leeway_seconds > 300 {
            return Err(refuse(
                "a leeway over 300 seconds keeps expired tokens alive".into(),
                "set the clocks right and lower `leeway_seconds`",
            ));
        }
        let tenant = match (&self.tenant, &self.tenant_claim) {
            (Some(tenant), None) => TenantSource::Fixed(
                TenantId::new(tenant)
                    .map_err(|error| refuse(format!("the tenant `{tenant}` {error}"), "correct `tenant`"))?,
            ),
            (None, Some(claim)) => TenantSource::Claim(claim.clone()),
            _ => return Err(refuse("the tenant is not said once".into(), "set either `tenant` or `tenant_claim`")),
        };
        let scopes = Scopes::from_names(self.scopes.iter().map(String::as_str))
            .map_err(|error| refuse(error.to_string(), "correct `scopes`"))?;
        Ok(Issuer {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithms,
            tenant,
            subject_claim: self.subject_claim.clone(),
            groups_claim: self.groups_claim.clone(),
            groups_optional: self.groups_optional,
            attributes: self.attributes.clone(),
            attributes_claim: None,
            scopes,
            scope_claim: self.scope_claim.clone(),
            leeway_seconds: i64::from(self.leeway_seconds),
            max_lifetime_seconds: i64::from(self.max_lifetime_seconds),
            keys: self.keys()?,
        })
    }

    fn keys(&self) -> Result<IssuerKeys, UnsafeConfig> {
        let refuse = |reason: String| {
            UnsafeConfig::new(
                format!("issuer `{}`: {reason}", self.issuer),
                "give its public keys in `jwks_file`, or a random secret of at least 32 bytes in `secret_file`",
            )
        };
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|error| refuse(format!("cannot read `{}`: {error}", path.display())))
        };
        let keys = match (&self.jwks_file, &self.secret_file) {
            (Some(path), None) => IssuerKeys::from_jwks(&read(path)?),
            (None, Some(path)) => {
                check_private_file(path)?;
                IssuerKeys::from_secret(&read(path)?)
            }
            _ => return Err(refuse("needs exactly one of `jwks_file` and `secret_file`".into())),
        };
        keys.map_err(|error| refuse(error.to_string()))
    }
}
