//! `ringfence token`: mint a token of the development issuer, to be a user without an identity provider; what is done with tokens for a task is beside.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ringfence_indexes::{Principal, PrincipalKind, TenantId};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{admin::AdminOptions, duration, failure::Failure, local, options, options::Context, output, task};
use crate::{
    app::StartError,
    authn::{DevelopmentClaims, DevelopmentIssuer, TTL_SECONDS_MAX},
    authz::Scopes,
    clock::Clock,
    config::ConfigError,
    entropy::Entropy,
    seal::MasterKey,
};

#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Sign a token with the key of the data directory; needs `development_issuer = true`
    Mint(Mint),
    /// Get a token for one task of a person, whose token is shown
    Exchange(task::Exchange),
    /// Make a token for a task narrower, without asking anybody
    Narrow(task::Narrow),
    /// Refuse tokens although their issuer stands by them
    Revoke(Box<task::Revoke>),
    /// List the tokens that are refused
    Revocations {
        #[command(flatten)]
        admin: AdminOptions,
    },
}

#[derive(Debug, Args)]
struct Mint {
    /// The tenant
    #[arg(long)]
    tenant: String,
    /// The user or service: `alice`, `user:alice` or `service:sync`
    #[arg(long, value_name = "PRINCIPAL")]
    subject: String,
    /// A group, beside the directory's; may be repeated
    #[arg(long = "group", value_name = "GROUP", value_delimiter = ',')]
    groups: Vec<String>,
    /// An attribute such as `clearance=2`; may be repeated
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = options::attribute)]
    attributes: Vec<(String, Value)>,
    /// How long it lives: `15m`, `8h`; at most a day
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration::seconds)]
    ttl: u32,
    /// What it may do; several with commas
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', default_value = "search,read")]
    scopes: Vec<String>,
    /// The data directory, over the configuration
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Token {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self.command {
            TokenCommand::Mint(mint) => mint.run(context),
            TokenCommand::Exchange(exchange) => exchange.run(context).await,
            TokenCommand::Narrow(narrow) => narrow.run(context),
            TokenCommand::Revoke(revoke) => revoke.run(context).await,
            TokenCommand::Revocations { admin } => {
                admin.with(context, async |client| task::revocations(client, context).await).await
            }
        }
    }
}

impl Mint {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let config = context.load(None, self.data_dir.clone())?;
        if !config.development_issuer {
            return Err(Failure::new("the development issuer is off, so that no server would accept the token")
                .with_remedy("set `development_issuer = true` in the configuration and restart the server"));
        }
        config.check().map_err(ConfigError::from)?;
        let claims = self.claims()?;
        local::check_initialised(&config.data_dir)?;
        let master = MasterKey::load(&config.data_dir).map_err(StartError::from)?;
        let now = Clock::System.now();
        let token = DevelopmentIssuer::derive(&master).mint(&claims, now, &Entropy::System);
        let expires_at =
            duration::shown(ringfence_indexes::Timestamp(now.0 + i64::from(claims.ttl_seconds) * 1_000_000));
        if context.json {
            output::say_json(&json!({"token": token.expose_secret(), "expires_at": expires_at}))
        } else {
            output::say(token.expose_secret())
        }
    }

    fn claims(self) -> Result<DevelopmentClaims, Failure> {
        let wrong = |what: &str, error: &dyn std::fmt::Display| Failure::usage(format!("`--{what}`: {error}"));
        let with_prefix =
            |name: &str, kind: &str| if name.contains(':') { name.to_owned() } else { format!("{kind}:{name}") };
        let tenant = TenantId::new(&self.tenant).map_err(|error| wrong("tenant", &error))?;
        let subject = Principal::new(&with_prefix(&self.subject, "user")).map_err(|error| wrong("subject", &error))?;
        if !matches!(subject.kind(), PrincipalKind::User | PrincipalKind::Service) {
            return Err(Failure::usage("`--subject` must be a user or a service"));
        }
        let groups = self.groups.iter().map(|group| Principal::new(&with_prefix(group, "group")));
        let groups = groups.collect::<Result<_, _>>().map_err(|error| wrong("group", &error))?;
        let scopes =
            Scopes::from_names(self.scopes.iter().map(String::as_str)).map_err(|error| wrong("scope", &error))?;
        if self.ttl > TTL_SECONDS_MAX {
            return Err(Failure::usage("`--ttl`: a development token lives at most a day"));
        }
        Ok(DevelopmentClaims {
            tenant,
            subject,
            groups,
            attributes: self.attributes.into_iter().collect(),
            scopes,
            ttl_seconds: self.ttl,
        })
    }
}
