//! `ringfence tenant`: create, list, delete.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{admin::AdminOptions, client::Client, failure::Failure, options::Context, output};

#[derive(Debug, Args)]
pub(super) struct Tenant {
    #[command(subcommand)]
    command: TenantCommand,
}

#[derive(Debug, Subcommand)]
enum TenantCommand {
    /// Make a tenant
    Create {
        /// Its name in keys and logs, such as `acme`
        id: String,
        /// Its name for people [default: the id]
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        admin: AdminOptions,
    },
    /// List the tenants
    List {
        #[command(flatten)]
        admin: AdminOptions,
    },
    /// Delete a tenant with its documents, groups and keys
    Delete {
        /// The tenant
        id: String,
        /// Do not ask; without a terminal it is required
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        admin: AdminOptions,
    },
}

impl Tenant {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self.command {
            TenantCommand::Create { id, name, admin } => {
                admin.with(context, async |client| create(client, context, &id, name.as_deref()).await).await
            }
            TenantCommand::List { admin } => admin.with(context, async |client| list(client, context).await).await,
            TenantCommand::Delete { id, yes, admin } => {
                if !yes {
                    output::confirm(
                        &format!(
                            "Delete the tenant `{}` with everything it has? Type its name:",
                            output::printable(&id)
                        ),
                        &id,
                    )?;
                }
                admin.with(context, async |client| delete(client, context, &id).await).await
            }
        }
    }
}

async fn create(client: &Client, context: &Context, id: &str, name: Option<&str>) -> Result<(), Failure> {
    let body = json!({"id": id, "name": name.unwrap_or(id)});
    let tenant = client.send(client.request(Method::POST, &["v1", "tenants"]).json(&body)).await?;
    if context.json { output::say_json(&tenant) } else { output::say(&format!("created the tenant `{id}`")) }
}

async fn list(client: &Client, context: &Context) -> Result<(), Failure> {
    let tenants = client.list(&["v1", "tenants"], &[]).await?;
    if context.json {
        return output::say_json(&json!({"tenants": tenants}));
    }
    if tenants.is_empty() {
        return output::say("no tenants yet: `ringfence tenant create acme` makes one");
    }
    let mut table = output::table(&["tenant", "name", "created"]);
    for tenant in &tenants {
        table.add_row(
            ["id", "name", "created_at"].map(|field| output::printable(tenant[field].as_str().unwrap_or_default())),
        );
    }
    output::say(&table.to_string())
}

async fn delete(client: &Client, context: &Context, id: &str) -> Result<(), Failure> {
    let answer = client.send(client.request(Method::DELETE, &["v1", "tenants", id])).await?;
    match answer {
        Value::Null if context.json => output::say_json(&json!({"deleted": id})),
        answer if context.json => output::say_json(&answer),
        _ => {
            output::say(&format!("deleted the tenant `{}` with its documents, groups and keys", output::printable(id)))
        }
    }
}
