//! `ringfence key`: create, list, rotate, revoke. A key is shown once, when it is made.

use clap::{Args, Subcommand};
use comfy_table::ColumnConstraint;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    admin::AdminOptions, client::Client, duration, failure::Failure, local, options, options::Context, output,
};
use crate::clock::Clock;

#[derive(Debug, Args)]
pub(super) struct Key {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key and show it once
    Create(Box<Create>),
    /// List keys, without their secrets
    List {
        /// Only those of this tenant, for an operator
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        admin: AdminOptions,
    },
    /// Give a key a new secret, shown once; the old one stops working at once, or after `--overlap`
    Rotate {
        /// The key's id: the part after `rf_`
        id: String,
        /// How long the old one works as well: 15m, 8h, at most 7d
        #[arg(long, value_name = "TIME", value_parser = duration::seconds)]
        overlap: Option<u32>,
        #[command(flatten)]
        admin: AdminOptions,
    },
    /// Revoke a key at once
    Revoke {
        /// The key's id: the part after `rf_`
        id: String,
        #[command(flatten)]
        admin: AdminOptions,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
A key of kind `user` is that person: `--subject user:alice`.
A `service` or `agent` key reads as the person it names with scope `assert` or `act`, or as itself with `read_as_service`.
An `operator` key manages tenants and keys and reaches no content.

scopes: search read ingest acl collections keys policy audit review act assert explain pii:read read_as_service break_glass")]
struct Create {
    /// The tenant, which an operator names; a tenant's own key makes keys of its tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Who holds it
    #[arg(long, value_parser = ["user", "service", "agent", "operator"])]
    kind: String,
    /// A name for people
    #[arg(long)]
    name: Option<String>,
    /// Whose key it is, such as `user:alice` or `service:wiki-sync`
    #[arg(long, value_name = "PRINCIPAL")]
    subject: Option<String>,
    /// What it may do; several with commas
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// Limit it to a collection; may be repeated
    #[arg(long = "collection", value_name = "COLLECTION", value_delimiter = ',')]
    collections: Vec<String>,
    /// A group of its subject, beside the directory's; may be repeated
    #[arg(long = "group", value_name = "GROUP", value_delimiter = ',')]
    groups: Vec<String>,
    /// An attribute of its subject, such as `clearance=2`; may be repeated
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = options::attribute)]
    attributes: Vec<(String, Value)>,
    /// A network it may be used from, such as `10.0.0.0/8`; may be repeated
    #[arg(long = "network", value_name = "CIDR", value_delimiter = ',')]
    networks: Vec<String>,
    /// When it ends: `30d`, or `2027-01-01T00:00:00Z`
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Key {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self.command {
            KeyCommand::Create(create) => {
                let body = create.body()?;
                create.admin.with(context, async |client| make(client, context, &body).await).await
            }
            KeyCommand::List { tenant, admin } => {
                admin.with(context, async |client| list(client, context, tenant.as_deref()).await).await
            }
            KeyCommand::Rotate { id, overlap, admin } => {
                let id = public_part(&id);
                admin.with(context, async |client| rotate(client, context, &id, overlap.unwrap_or(0)).await).await
            }
            KeyCommand::Revoke { id, admin } => {
                let id = public_part(&id);
                admin.with(context, async |client| revoke(client, context, &id).await).await
            }
        }
    }
}

impl Create {
    /// The request. What is not said is left to the server, except that a key needs a name.
    fn body(&self) -> Result<Value, Failure> {
        let expires = self.expires.as_deref().map(|when| duration::moment(when, Clock::System.now()));
        let expires = expires.transpose().map_err(|error| Failure::usage(format!("`--expires`: {error}")))?;
        let groups: Vec<String> = self.groups.iter().map(|group| with_prefix(group)).collect();
        let name = self.name.clone().or_else(|| self.subject.clone()).unwrap_or_else(|| self.kind.clone());
        let mut body = json!({
            "kind": self.kind, "name": name, "scopes": self.scopes, "groups": groups,
            "attributes": Map::from_iter(self.attributes.clone()),
        });
        let optional = [
            ("tenant", self.tenant.as_ref().map(|tenant| json!(tenant))),
            ("subject", self.subject.as_ref().map(|subject| json!(subject))),
            ("collections", (!self.collections.is_empty()).then(|| json!(self.collections))),
            ("networks", (!self.networks.is_empty()).then(|| json!(self.networks))),
            ("expires_at", expires.map(Value::from)),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        Ok(body)
    }
}

/// `eng` is `group:eng`.
fn with_prefix(group: &str) -> String {
    if group.contains(':') { group.to_owned() } else { format!("group:{group}") }
}

/// The id, also where somebody pastes a whole key: its secret must not go into a path.
fn public_part(id: &str) -> String {
    let id = id.trim().trim_start_matches("rf_");
    id.split('_').next().unwrap_or_default().to_owned()
}

async fn make(client: &Client, context: &Context, body: &Value) -> Result<(), Failure> {
    let key = client.send(client.request(Method::POST, &["v1", "keys"]).json(body)).await?;
    show(context, &key)
}

async fn rotate(client: &Client, context: &Context, id: &str, overlap_seconds: u32) -> Result<(), Failure> {
    let request = client.request(Method::POST, &["v1", "keys", id, "rotate"]);
    let key = client.send(request.json(&json!({"overlap_seconds": overlap_seconds}))).await?;
    show(context, &key)
}

fn show(context: &Context, key: &Value) -> Result<(), Failure> {
    if context.json {
        return output::say_json(key);
    }
    let text = |field: &str| output::printable(key[field].as_str().unwrap_or_default());
    output::say(&format!("id   {}\nkey  {}\n\nKeep the key: it is not shown again.", text("id"), text("key")))
}

async fn list(client: &Client, context: &Context, tenant: Option<&str>) -> Result<(), Failure> {
    let query: Vec<_> = tenant.map(|tenant| ("tenant", tenant)).into_iter().collect();
    let mut keys = client.list(&["v1", "keys"], &query).await?;
    // The key of this command itself, with `--local`: it ends with it.
    keys.retain(|key| key["id"] != local::KEY_ID);
    if context.json {
        return output::say_json(&json!({"keys": keys}));
    }
    if keys.is_empty() {
        return output::say("no keys");
    }
    let mut table = output::table(&["id", "kind", "tenant", "name", "subject", "scopes", "ends", "last used"]);
    for key in &keys {
        table.add_row(
            ["id", "kind", "tenant", "name", "subject", "scopes", "expires_at", "last_used_at"]
                .map(|field| cell(&key[field])),
        );
    }
    if let Some(id) = table.column_mut(0) {
        // To be copied into `rotate` and `revoke`, so never broken.
        id.set_constraint(ColumnConstraint::ContentWidth);
    }
    output::say(&table.to_string())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => output::printable(text),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

async fn revoke(client: &Client, context: &Context, id: &str) -> Result<(), Failure> {
    client.send(client.request(Method::DELETE, &["v1", "keys", id])).await?;
    if context.json {
        output::say_json(&json!({"revoked": id}))
    } else {
        output::say(&format!("revoked the key {}; no request with it is answered any more", output::printable(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_key_gives_its_id_and_no_secret() {
        for id in ["rf_0123_secret_sum", "0123", " rf_0123 ", "0123_secret"] {
            assert_eq!(public_part(id), "0123", "{id}");
        }
    }

    #[test]
    fn groups_may_be_named_short() {
        assert_eq!(with_prefix("eng"), "group:eng");
        assert_eq!(with_prefix("role:eng"), "role:eng");
    }
}
