//! `ringfence emergency`: declare, list, end. What an operator needs at three in the morning: one line that lets somebody in for a while, one that tells who is in, one that ends it.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{admin::AdminOptions, client::Client, duration, failure::Failure, options::Context, output};
use crate::clock::Clock;

#[derive(Debug, Args)]
pub(super) struct Emergency {
    #[command(subcommand)]
    command: EmergencyCommand,
}

#[derive(Debug, Subcommand)]
enum EmergencyCommand {
    /// Let somebody read for a short time what no ACL lets them read
    Declare(Declare),
    /// List emergency grants, the newest first
    List {
        /// Those that are over as well
        #[arg(long)]
        all: bool,
        /// Whose, for an operator
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        admin: AdminOptions,
    },
    /// End a grant at once
    End {
        /// The grant's id
        id: String,
        /// Whose, for an operator
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        admin: AdminOptions,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
It stands in for `readers` and `allow`, and for nothing else: denials, requirements, policies that forbid and redaction hold.
The declaration is recorded with its reason, and so is every reading that needs it.

    ringfence emergency declare payroll/run-* --principal user:alice --for 1h --reason 'INC-4711: payroll fails'")]
struct Declare {
    /// What: a collection, `COLLECTION/DOCUMENT`, or `COLLECTION/BEGINNING*`
    target: String,
    /// Who: a user or service; yourself where it is left out
    #[arg(long, value_name = "PRINCIPAL")]
    principal: Option<String>,
    /// Why; it is recorded
    #[arg(long)]
    reason: String,
    /// For how long: `30m`, `1h`; at most four hours
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = duration::seconds)]
    seconds: u32,
    /// Whose tenant, for an operator
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Emergency {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self.command {
            EmergencyCommand::Declare(form) => {
                let body = form.body()?;
                form.admin.with(context, async |client| declare(client, context, &body).await).await
            }
            EmergencyCommand::List { all, tenant, admin } => {
                admin.with(context, async |client| list(client, context, tenant.as_deref(), all).await).await
            }
            EmergencyCommand::End { id, tenant, admin } => {
                admin.with(context, async |client| end(client, context, &id, tenant.as_deref()).await).await
            }
        }
    }
}

impl Declare {
    fn body(&self) -> Result<Value, Failure> {
        let expires_at = duration::moment(&format!("{}s", self.seconds), Clock::System.now());
        let expires_at = expires_at.map_err(|error| Failure::usage(format!("`--for`: {error}")))?;
        let (collection, documents) = self.target.split_once('/').unwrap_or((&self.target, "*"));
        let mut body = json!({
            "collection": collection, "documents": documents, "reason": self.reason, "expires_at": expires_at,
        });
        let named = self.principal.as_ref().map(|name| with_prefix(name));
        for (field, value) in [("principal", named), ("tenant", self.tenant.clone())] {
            if let Some(value) = value {
                body[field] = value.into();
            }
        }
        Ok(body)
    }
}

/// `alice` is `user:alice`.
fn with_prefix(name: &str) -> String {
    if name.contains(':') { name.to_owned() } else { format!("user:{name}") }
}

async fn declare(client: &Client, context: &Context, body: &Value) -> Result<(), Failure> {
    let grant = client.send(client.request(Method::POST, &["v1", "emergency-grants"]).json(body)).await?;
    if context.json {
        return output::say_json(&grant);
    }
    let text = |field: &str| output::printable(grant[field].as_str().unwrap_or_default());
    let tenant = body["tenant"].as_str().map_or_else(String::new, |tenant| format!(" --tenant {tenant}"));
    output::say(&format!(
        "{} reads {}/{} until {}\nend it with: ringfence emergency end {}{tenant}",
        text("principal"),
        text("collection"),
        text("documents"),
        text("expires_at"),
        text("id")
    ))
}

async fn list(client: &Client, context: &Context, tenant: Option<&str>, all: bool) -> Result<(), Failure> {
    let query: Vec<_> = tenant.map(|tenant| ("tenant", tenant)).into_iter().collect();
    let mut grants = client.list(&["v1", "emergency-grants"], &query).await?;
    grants.retain(|grant| all || grant["state"] == "in_force");
    if context.json {
        return output::say_json(&json!({"grants": grants}));
    }
    if grants.is_empty() {
        return output::say(if all { "no emergency grants" } else { "no emergency grant is in force" });
    }
    // Not a table: ids, times and reasons are to be read and copied whole, on any terminal.
    let blocks: Vec<String> = grants.iter().map(told).collect();
    output::say(&blocks.join("\n"))
}

fn told(grant: &Value) -> String {
    let text = |field: &str| output::printable(grant[field].as_str().unwrap_or_default());
    let over = match grant["ended_at"].is_null() {
        true => format!("until {}", text("expires_at")),
        false => format!("until {}, when {} ended it", text("ended_at"), text("ended_by")),
    };
    format!(
        "{}  {}\n  {} reads {}/{} {over}; declared by {}\n  {}",
        text("id"),
        text("state"),
        text("principal"),
        text("collection"),
        text("documents"),
        text("declared_by"),
        text("reason")
    )
}

async fn end(client: &Client, context: &Context, id: &str, tenant: Option<&str>) -> Result<(), Failure> {
    let tenant = tenant.map(|tenant| ("tenant", tenant));
    client.send(client.request_with(Method::DELETE, &["v1", "emergency-grants", id], tenant)).await?;
    if context.json {
        output::say_json(&json!({"ended": id}))
    } else {
        output::say(&format!("ended the grant {}; nothing is read through it any more", output::printable(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_may_be_named_short() {
        assert_eq!(with_prefix("alice"), "user:alice");
        assert_eq!(with_prefix("service:bot"), "service:bot");
    }
}
