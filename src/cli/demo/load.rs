//! Loading the two companies over HTTP, with the keys that a real deployment would use.
//!
//! Loading twice is the same as loading once: documents, groups and collections are put; the keys of an earlier run are revoked and made anew, because a key is shown only once.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use reqwest::{Method, header};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::data::{Collection, DemoTenant, Document, Person};
use crate::cli::{
    client::{Client, ClientError},
    failure::Failure,
};

/// The names of all keys that the demo makes begin so.
const KEY_NAME: &str = "demo: ";
/// The name of the operator's key of a run; the next one revokes it.
pub(super) const OPERATOR_NAME: &str = "demo operator";
/// What the loading key may do: fill and arrange its tenant, and read nothing.
const LOADER_SCOPES: [&str; 3] = ["collections", "ingest", "acl"];

/// A company that is loaded.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) id: String,
    pub(super) name: String,
    /// Who asks, each with a client that holds the person's own key.
    pub(super) people: Vec<Asker>,
    /// The client that loaded it.
    pub(super) loader: Client,
    pub(super) counts: Counts,
}

/// A person with a key.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) person: Person,
    pub(super) key: String,
    pub(super) client: Client,
}

/// What loading did.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) documents: u64,
    pub(super) chunks: u64,
    pub(super) quarantined: u64,
    /// How often each kind of thing was stripped or masked.
    pub(super) removed: BTreeMap<String, u64>,
}

/// Loads a company with an operator's client.
pub(super) async fn load(operator: &Client, tenant: &DemoTenant) -> Result<Loaded, Failure> {
    let about = &tenant.about;
    let made = operator.request(Method::POST, &["v1", "tenants"]).json(&json!({"id": about.id, "name": about.name}));
    match operator.send(made).await {
        Err(ClientError::Refused(refusal)) if refusal.status == 409 => revoke_old_keys(operator, &about.id).await?,
        other => drop(other?),
    }
    let loader = loader(operator, tenant).await?;
    for group in &about.groups {
        put(&loader, &["v1", "groups", &group.name], &json!({"members": group.members})).await?;
    }
    let mut counts = Counts::default();
    for Collection { name, writers, settings } in &about.collections {
        let mut settings = Value::Object(settings.clone());
        settings["writers"] = json!(writers);
        put(&loader, &["v1", "collections", name], &settings).await?;
        let documents = tenant.documents.iter().filter(|document| document.entry.collection == *name);
        ingest(&loader, name, documents.collect(), &mut counts).await?;
    }
    let mut people = Vec::new();
    for person in &about.people {
        people.push(asker(operator, &about.id, person).await?);
    }
    Ok(Loaded { id: about.id.clone(), name: about.name.clone(), people, loader, counts })
}

/// Revokes the operator keys of earlier runs.
pub(super) async fn revoke_old_operators(operator: &Client) -> Result<(), Failure> {
    let keys = operator.list(&["v1", "keys"], &[]).await?;
    let old = keys.iter().filter(|key| key["kind"] == "operator" && key["name"] == OPERATOR_NAME);
    for id in old.filter_map(|key| key["id"].as_str()).filter(|id| operator.key_id().is_none_or(|own| own != id)) {
        operator.send(operator.request(Method::DELETE, &["v1", "keys", id])).await?;
    }
    Ok(())
}

async fn revoke_old_keys(operator: &Client, tenant: &str) -> Result<(), Failure> {
    for key in operator.list(&["v1", "keys"], &[("tenant", tenant)]).await? {
        if let (Some(id), true) =
            (key["id"].as_str(), key["name"].as_str().is_some_and(|name| name.starts_with(KEY_NAME)))
        {
            operator.send(operator.request(Method::DELETE, &["v1", "keys", id])).await?;
        }
    }
    Ok(())
}

/// A service that is in every group that writes to a collection, as a wiki's exporter would be.
async fn loader(operator: &Client, tenant: &DemoTenant) -> Result<Client, Failure> {
    let groups: BTreeSet<&String> =
        tenant.about.collections.iter().flat_map(|collection| &collection.writers).collect();
    let body = json!({
        "tenant": tenant.about.id, "kind": "service", "name": format!("{KEY_NAME}loader"), "subject": "service:demo-loader",
        "scopes": LOADER_SCOPES, "groups": groups,
    });
    client(operator, &create_key(operator, &body).await?)
}

async fn asker(operator: &Client, tenant: &str, person: &Person) -> Result<Asker, Failure> {
    let body = json!({
        "tenant": tenant, "kind": "user", "name": format!("{KEY_NAME}{}", person.name), "subject": person.principal,
        "scopes": ["search", "read"], "attributes": person.attributes,
    });
    let key = create_key(operator, &body).await?;
    Ok(Asker { person: person.clone(), client: client(operator, &key)?, key })
}

async fn create_key(operator: &Client, body: &Value) -> Result<String, Failure> {
    let made = operator.send(operator.request(Method::POST, &["v1", "keys"]).json(body)).await?;
    made["key"].as_str().map(str::to_owned).ok_or_else(|| Failure::new("the server made a key and did not show it"))
}

fn client(operator: &Client, key: &str) -> Result<Client, Failure> {
    Ok(Client::new(operator.server().as_str(), &SecretString::from(key))?)
}

async fn put(client: &Client, path: &[&str], body: &Value) -> Result<Value, Failure> {
    Ok(client.send(client.request(Method::PUT, path).json(body)).await?)
}

async fn ingest(
    loader: &Client,
    collection: &str,
    documents: Vec<&Document>,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let body: String = documents.iter().map(|document| format!("{}\n", line(document))).collect();
    let path = ["v1", "collections", collection, "documents:batch"];
    let request = loader.request(Method::POST, &path).header(header::CONTENT_TYPE, "application/x-ndjson").body(body);
    let answers = loader.send_for_lines(request).await?;
    let answers: Vec<Value> = answers.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if answers.len() != documents.len() {
        return Err(Failure::new(format!(
            "{} of {} documents of `{collection}` were answered",
            answers.len(),
            documents.len()
        )));
    }
    for answer in &answers {
        let result = &answer["result"];
        if !result.is_object() {
            return Err(Failure::new(format!(
                "the server refused the demo's document {}: {}",
                answer["id"], answer["problem"]
            )));
        }
        counts.documents += 1;
        counts.chunks += result["chunks"].as_u64().unwrap_or(0);
        counts.quarantined += u64::from(result["status"] == "quarantined");
        for finding in result["sanitization"]["findings"].as_array().into_iter().flatten() {
            if matches!(finding["action"].as_str(), Some("stripped" | "masked")) {
                *counts.removed.entry(finding["kind"].as_str().unwrap_or("?").to_owned()).or_default() += 1;
            }
        }
    }
    Ok(())
}

fn line(document: &Document) -> Value {
    let entry = &document.entry;
    let mut line = json!({
        "id": entry.id, "title": entry.title, "uri": entry.uri, "metadata": entry.metadata,
        "content_base64": BASE64.encode(document.bytes), "media_type": entry.media_type,
    });
    if let Some(acl) = &entry.acl {
        line["acl"] = acl.clone();
    }
    line
}
