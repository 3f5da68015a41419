//! What a tenant says of its directory, as rows: one for each setting.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_indexes::{AttributeSource, AttributeType, Declaration, Declarations, TenantId};
use serde_json::{Map, Value, json};
use sqlx::SqliteConnection;

use super::{
    StoreError,
    digest::{RowDigest, digest_of},
    error::damaged,
    records::Setting,
};

impl Setting {
    /// The name of the row.
    const fn name(&self) -> &'static str {
        match self {
            Self::Attributes(_) => "attributes",
            Self::KnownUsersOnly(_) => "known_users_only",
        }
    }

    fn content(&self) -> String {
        match self {
            Self::Attributes(declarations) => write_declarations(declarations).to_string(),
            Self::KnownUsersOnly(required) => required.to_string(),
        }
    }

    fn read(name: &str, content: &str) -> Option<Self> {
        let content: Value = serde_json::from_str(content).ok()?;
        match name {
            "attributes" => read_declarations(&content).map(Self::Attributes),
            "known_users_only" => content.as_bool().map(Self::KnownUsersOnly),
            _ => None,
        }
    }
}

/// The name of a source, in the store and on the wire.
#[must_use]
pub(crate) const fn source_name(source: AttributeSource) -> &'static str {
    match source {
        AttributeSource::Claims => "claims",
        AttributeSource::Directory => "directory",
        AttributeSource::Keys => "keys",
    }
}

/// The source of a name.
#[must_use]
pub(crate) fn source_from(name: &str) -> Option<AttributeSource> {
    let all = [AttributeSource::Claims, AttributeSource::Directory, AttributeSource::Keys];
    all.into_iter().find(|source| source_name(*source) == name)
}

fn write_declarations(declarations: &Declarations) -> Value {
    let one = |(name, declaration): (&String, &Declaration)| {
        let from: Vec<_> = declaration.from.iter().map(|source| source_name(*source)).collect();
        (name.clone(), json!({"type": declaration.kind.name(), "from": from}))
    };
    declarations.0.iter().map(one).collect::<Map<_, _>>().into()
}

fn read_declarations(content: &Value) -> Option<Declarations> {
    let one = |(name, declaration): (&String, &Value)| {
        let kind = declaration.get("type")?.as_str()?;
        let kind = AttributeType::ALL.into_iter().find(|own| own.name() == kind)?;
        let from = declaration.get("from")?.as_array()?.iter();
        let from: Option<BTreeSet<_>> = from.map(|source| source.as_str().and_then(source_from)).collect();
        Some((name.clone(), Declaration { kind, from: from? }))
    };
    content.as_object()?.iter().map(one).collect::<Option<BTreeMap<_, _>>>().map(Declarations)
}

fn compute_digest(tenant: &TenantId, name: &str, content: &str) -> [u8; 32] {
    RowDigest::of("directory_settings").text(tenant.as_str()).text(name).text(content).finish()
}

/// Every setting with its digest.
pub(super) async fn all(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
) -> Result<Vec<(Setting, [u8; 32])>, StoreError> {
    let rows: Vec<(String, String, Vec<u8>)> =
        sqlx::query_as("SELECT setting, content, digest FROM directory_settings WHERE tenant_id = $1 ORDER BY setting")
            .bind(tenant.as_str())
            .fetch_all(connection)
            .await?;
    let read = |(name, content, digest): (String, String, Vec<u8>)| {
        let fault = || damaged(format!("the setting `{name}` of `{tenant}`"));
        let digest = digest_of(&digest)?;
        if digest != compute_digest(tenant, &name, &content) {
            return Err(fault());
        }
        Ok((Setting::read(&name, &content).ok_or_else(fault)?, digest))
    };
    rows.into_iter().map(read).collect()
}

/// Writes a setting and gives back its digest.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    setting: &Setting,
) -> Result<[u8; 32], StoreError> {
    let (name, content) = (setting.name(), setting.content());
    let digest = compute_digest(tenant, name, &content);
    sqlx::query(
        "INSERT INTO directory_settings (tenant_id, setting, content, digest) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant_id, setting) DO UPDATE SET content = excluded.content, digest = excluded.digest",
    )
    .bind(tenant.as_str())
    .bind(name)
    .bind(content)
    .bind(digest.to_vec())
    .execute(connection)
    .await?;
    Ok(digest)
}
