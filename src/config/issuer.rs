//! `[[issuer]]`: who may issue tokens, and how they are read.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, time::Duration};

use ringfence_indexes::TenantId;
use serde::Deserialize;

use super::check::{UnsafeConfig, check_private_file};
use crate::{
    authn::{Algorithm, GroupSource, Issuer, IssuerKeys, KeyFile, KeySource, RemoteKeys, TenantSource},
    authz::Scopes,
};

/// The shortest time between two fetches of an issuer's keys.
const REFRESH_SECONDS_MIN: u32 = 30;
/// The longest that keys may be trusted without being seen again: a week.
const STALE_SECONDS_MAX: u32 = 604_800;

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
    /// The address where the issuer publishes its public keys.
    pub jwks_url: Option<String>,
    /// How often they are fetched anew.
    #[serde(default = "refresh")]
    pub jwks_refresh_seconds: u32,
    /// How old they may be where they cannot be fetched; afterwards its tokens are refused.
    #[serde(default = "stale")]
    pub jwks_stale_seconds: u32,
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
    /// Where groups come from; both where `groups_claim` is set, else the directory.
    pub groups_from: Option<GroupsFrom>,
    /// What holds where the token does not say which groups its user is in.
    #[serde(default)]
    pub groups_unknown: GroupsUnknown,
    /// Whether a token without that claim has no groups, instead of unknown ones.
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

/// Where the groups of an issuer's users come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupsFrom {
    /// The token alone.
    Token,
    /// The server's directory alone.
    Directory,
    /// Both together.
    Both,
}

/// What holds where a token does not say which groups its user is in: Entra ID leaves them out beyond 200.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupsUnknown {
    /// 403 `groups_unresolved`.
    #[default]
    Refuse,
    /// The directory answers alone, if it knows the user.
    Directory,
}

const fn refresh() -> u32 {
    600
}

const fn stale() -> u32 {
    21_600
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
            groups: self.groups().map_err(|(reason, remedy)| refuse(reason.to_owned(), remedy))?,
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

    fn groups(&self) -> Result<GroupSource, (&'static str, &'static str)> {
        let default = if self.groups_claim.is_some() { GroupsFrom::Both } else { GroupsFrom::Directory };
        let from = self.groups_from.unwrap_or(default);
        let by_directory = self.groups_unknown == GroupsUnknown::Directory;
        if by_directory && from != GroupsFrom::Both {
            return Err(("`groups_unknown = \"directory\"` needs both sources", "set `groups_from = \"both\"`"));
        }
        match (from, self.groups_claim.clone()) {
            (GroupsFrom::Directory, _) => Ok(GroupSource::Directory),
            (GroupsFrom::Token, Some(claim)) => Ok(GroupSource::Token { claim }),
            (GroupsFrom::Both, Some(claim)) => Ok(GroupSource::Both { claim, directory_for_unknown: by_directory }),
            (_, None) => Err(("`groups_from` names the token, but no claim of it", "set `groups_claim`")),
        }
    }

    fn keys(&self) -> Result<KeySource, UnsafeConfig> {
        let refuse = |reason: String| {
            UnsafeConfig::new(
                format!("issuer `{}`: {reason}", self.issuer),
                "give its public keys by `jwks_url` or `jwks_file`, or a random secret of at least 32 bytes in `secret_file`",
            )
        };
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|error| refuse(format!("cannot read `{}`: {error}", path.display())))
        };
        let keys = match (&self.jwks_url, &self.jwks_file, &self.secret_file) {
            (Some(url), None, None) => return self.published(url),
            (None, Some(path), None) => {
                let file = KeyFile::open(path).map_err(|error| {
                    let cause = std::error::Error::source(&error);
                    let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
                    refuse(format!("`{}`: {error}{cause}", path.display()))
                })?;
                return Ok(KeySource::File(Arc::new(file)));
            }
            (None, None, Some(path)) => {
                check_private_file(path)?;
                IssuerKeys::from_secret(&read(path)?)
            }
            _ => return Err(refuse("needs exactly one of `jwks_url`, `jwks_file` and `secret_file`".into())),
        };
        keys.map(KeySource::fixed).map_err(|error| refuse(error.to_string()))
    }

    fn published(&self, url: &str) -> Result<KeySource, UnsafeConfig> {
        let (refresh, stale) = (self.jwks_refresh_seconds, self.jwks_stale_seconds);
        if refresh < REFRESH_SECONDS_MIN || stale < refresh || stale > STALE_SECONDS_MAX {
            return Err(UnsafeConfig::new(
                format!("issuer `{}`: keys would be fetched too often, or trusted too long", self.issuer),
                format!(
                    "set `jwks_refresh_seconds` to {REFRESH_SECONDS_MIN} or more, and `jwks_stale_seconds` between that and {STALE_SECONDS_MAX}"
                ),
            ));
        }
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        RemoteKeys::new(url, seconds(refresh), seconds(stale))
            .map(|keys| KeySource::Remote(Arc::new(keys)))
            .map_err(|error| UnsafeConfig::new(format!("issuer `{}`: {error}", self.issuer), "correct `jwks_url`"))
    }
}
