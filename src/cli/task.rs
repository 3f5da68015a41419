//! `ringfence token exchange`, `narrow`, `revoke` and `revocations`: a token for one task, made narrower by whoever holds it, and the end of tokens.

use clap::Args;
use reqwest::{Method, Url, header::CONTENT_TYPE};
use ringfence_indexes::{CollectionId, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    admin::AdminOptions,
    client::Client,
    duration,
    failure::Failure,
    options::{Context, ServerOptions},
    output,
};
use crate::{
    authn::{Caveat, is_purpose},
    authz::Scopes,
    clock::Clock,
};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// What narrows a token.
#[derive(Debug, Args)]
struct Limits {
    /// These scopes at most; several with commas
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// These collections at most; several with commas
    #[arg(long = "collection", value_name = "COLLECTION", value_delimiter = ',')]
    collections: Vec<String>,
    /// So many results of one answer at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_results: Option<u32>,
    /// For how long: `90s`, `10m`; at most 15 minutes
    #[arg(long, value_name = "TIME", value_parser = duration::seconds)]
    ttl: Option<u32>,
    /// So many requests at most
    #[arg(long, value_name = "N")]
    budget: Option<u32>,
    /// What for; it is recorded, and policies may look at it
    #[arg(long)]
    purpose: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The key is an application's with the scope `act`. The person's token is read from RINGFENCE_SUBJECT_TOKEN \
rather than from the command line, where other users of the machine would see it."
)]
pub(super) struct Exchange {
    /// The person's token, or an earlier token for a task
    #[arg(long, value_name = "TOKEN", env = "RINGFENCE_SUBJECT_TOKEN", hide_env_values = true)]
    subject_token: String,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Debug, Args)]
#[command(
    after_help = "No server is asked: whoever holds a token for a task can make it narrower before it goes to a tool."
)]
pub(super) struct Narrow {
    /// The token
    #[arg(long, value_name = "TOKEN", env = "RINGFENCE_TASK_TOKEN", hide_env_values = true)]
    token: String,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The user or service whose tokens are revoked: `user:alice`
    #[arg(long, value_name = "PRINCIPAL", required_unless_present = "jti", conflicts_with_all = ["jti", "issuer"])]
    subject: Option<String>,
    /// Those issued before this moment alone: `2026-12-01T08:00:00Z`; now without it
    #[arg(long, value_name = "WHEN", requires = "subject")]
    issued_before: Option<String>,
    /// The id of one token; the audit log has it
    #[arg(long, requires = "issuer")]
    jti: Option<String>,
    /// The issuer of the one token; `ringfence` for a token for a task
    #[arg(long, requires = "jti")]
    issuer: Option<String>,
    /// When the last of the tokens has expired by itself, `2d` or a moment: the entry is forgotten then
    #[arg(long, value_name = "WHEN")]
    forget: Option<String>,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Limits {
    fn caveat(&self) -> Result<Caveat, Failure> {
        let wrong = |what: &str, error: &dyn std::fmt::Display| Failure::usage(format!("`--{what}`: {error}"));
        let scopes = (!self.scopes.is_empty()).then(|| Scopes::from_names(self.scopes.iter().map(String::as_str)));
        let collections = self.collections.iter().map(|name| CollectionId::new(name)).collect::<Result<_, _>>();
        let collections = collections.map_err(|error| wrong("collection", &error))?;
        if self.purpose.as_deref().is_some_and(|purpose| !is_purpose(purpose)) {
            return Err(wrong("purpose", &"must be one short line"));
        }
        let now = Clock::System.now();
        Ok(Caveat {
            scopes: scopes.transpose().map_err(|error| wrong("scope", &error))?,
            collections: (!self.collections.is_empty()).then_some(collections),
            results_max: self.max_results.and_then(|most| usize::try_from(most).ok()),
            expires_at: self.ttl.map(|seconds| Timestamp(now.0 + i64::from(seconds) * 1_000_000)),
            budget: self.budget,
            purpose: self.purpose.clone(),
        })
    }
}

impl Exchange {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        self.limits.caveat()?;
        let Limits { scopes, collections, max_results, ttl, budget, purpose } = self.limits;
        let mut form = vec![
            ("grant_type", GRANT_TYPE.to_owned()),
            ("subject_token_type", JWT.to_owned()),
            ("subject_token", self.subject_token.trim().to_owned()),
        ];
        let joined = |words: &[String]| (!words.is_empty()).then(|| words.join(" "));
        let optional = [
            ("scope", joined(&scopes)),
            ("collections", joined(&collections)),
            ("max_results", max_results.map(|most| most.to_string())),
            ("ttl", ttl.map(|seconds| seconds.to_string())),
            ("budget", budget.map(|budget| budget.to_string())),
            ("purpose", purpose),
        ];
        form.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let media_type = "application/x-www-form-urlencoded";
        let client = self.server.client(context)?;
        let request = client.request(Method::POST, &["oauth", "token"]).header(CONTENT_TYPE, media_type);
        let made = client.send(request.body(written(&form))).await?;
        if context.json {
            return output::say_json(&made);
        }
        output::say(&output::printable(made["access_token"].as_str().unwrap_or_default()))
    }
}

/// A form as it is sent. It is written as a query is, and no query has to be sent for that.
fn written(form: &[(&str, String)]) -> String {
    let mut url = Url::parse("http://localhost").expect("this is an address");
    url.query_pairs_mut().extend_pairs(form);
    url.query().unwrap_or_default().to_owned()
}

impl Narrow {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let caveat = self.limits.caveat()?;
        if caveat == Caveat::default() {
            return Err(Failure::usage("nothing is said that narrows the token"));
        }
        let token = SecretString::from(self.token.trim().to_owned());
        let narrowed = caveat.append(token.expose_secret()).map(SecretString::from).ok_or_else(|| {
            Failure::new("this is no token for a task, or it has as many caveats as it can have")
                .with_remedy("make one with `ringfence token exchange`")
        })?;
        if context.json {
            output::say_json(&json!({"token": narrowed.expose_secret()}))
        } else {
            output::say(narrowed.expose_secret())
        }
    }
}

impl Revoke {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let body = self.body()?;
        self.admin.with(context, async |client| revoke(client, context, &body).await).await
    }

    fn body(&self) -> Result<Value, Failure> {
        let forget = self.forget.as_deref().map(|when| duration::moment(when, Clock::System.now()));
        let forget = forget.transpose().map_err(|error| Failure::usage(format!("`--forget`: {error}")))?;
        let fields = [
            ("subject", self.subject.clone()),
            ("issued_before", self.issued_before.clone()),
            ("jti", self.jti.clone()),
            ("issuer", self.issuer.clone()),
            ("expires_at", forget),
        ];
        let said = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))));
        Ok(Value::Object(said.collect()))
    }
}

async fn revoke(client: &Client, context: &Context, body: &Value) -> Result<(), Failure> {
    let made = client.send(client.request(Method::POST, &["v1", "revocations"]).json(body)).await?;
    if context.json {
        return output::say_json(&made);
    }
    let text = |field: &str| made[field].as_str().map(output::printable);
    output::say(&match (text("subject"), text("issued_before"), text("jti")) {
        (Some(subject), Some(before), _) => {
            format!("the tokens of {subject} that were issued before {before} are refused")
        }
        (_, _, Some(jti)) => format!("the token {jti} is refused"),
        _ => "revoked".to_owned(),
    })
}

/// Lists what is revoked.
pub(super) async fn revocations(client: &Client, context: &Context) -> Result<(), Failure> {
    let found = client.list(&["v1", "revocations"], &[]).await?;
    if context.json {
        return output::say_json(&json!({"revocations": found}));
    }
    if found.is_empty() {
        return output::say("no tokens are revoked");
    }
    let mut table = output::table(&["whose", "issued before", "issuer", "token", "made", "forgotten"]);
    for entry in &found {
        let text = |field: &str| output::printable(entry[field].as_str().unwrap_or("–"));
        table.add_row(["subject", "issued_before", "issuer", "jti", "created_at", "expires_at"].map(text));
    }
    output::say(&table.to_string())
}
