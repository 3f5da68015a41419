//! What decides about a tenant's documents: collections, groups, users, policies, emergency grants. An engine holds it of a closed tenant too.

use std::collections::HashMap;

use ringfence_indexes::{Change, TenantId};
use sqlx::SqliteConnection;

use super::{
    NameRecord, PolicyRecord, StoreError, UserRecord, collection, grant, group, group_name,
    ledger::Ledger,
    policy, setting,
    user::{self, USERS},
};

/// Groups that are read at once.
const GROUPS: i64 = 1_000;

/// What decides about a tenant's documents.
#[derive(Debug)]
pub struct TenantSettings {
    /// Collections, groups, users' names, what is said of the directory, and emergency grants.
    pub changes: Vec<Change>,
    /// The policies that hold.
    pub policies: Vec<PolicyRecord>,
    /// Whether policies that permit take part.
    pub permit: bool,
}

/// Reads it; the rows are counted into the ledger.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    rows_of: &mut Ledger,
) -> Result<TenantSettings, StoreError> {
    let collections = collection::all(connection, tenant).await?;
    collections.iter().for_each(|(_, digest)| rows_of.toggle(digest));
    let mut changes: Vec<Change> =
        collections.into_iter().map(|(stored, _)| Change::PutCollection(stored.record.to_engine())).collect();
    let mut after = String::new();
    loop {
        let page = group::page(connection, tenant, &after, GROUPS).await?;
        let Some((last, _)) = page.last() else { break };
        last.group.as_str().clone_into(&mut after);
        page.iter().for_each(|(_, digest)| rows_of.toggle(digest));
        changes
            .extend(page.into_iter().map(|(group, _)| Change::PutGroup { group: group.group, members: group.members }));
    }
    for (name, digest) in group_name::all(connection, tenant).await? {
        rows_of.toggle(&digest);
        changes.push(name.to_change());
    }
    changes.extend(standings(connection, tenant, rows_of).await?);
    for (setting, digest) in setting::all(connection, tenant).await? {
        rows_of.toggle(&digest);
        changes.push(setting.to_change());
    }
    for (record, digest) in grant::all(connection, tenant).await? {
        rows_of.toggle(&digest);
        // One that is over by itself lets nobody in.
        if record.ended.is_none() {
            changes.push(Change::PutGrant(record.grant.into()));
        }
    }
    let policies = policy::page(connection, tenant, "", i64::MAX).await?;
    let permit = policy::settings(connection, tenant).await?.is_some_and(|(settings, _)| settings.permit);
    Ok(TenantSettings { changes, policies, permit })
}

/// How every name stands that a user bears or bore.
async fn standings(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    rows_of: &mut Ledger,
) -> Result<Vec<Change>, StoreError> {
    let (mut users, mut after) = (HashMap::<String, UserRecord>::new(), String::new());
    loop {
        let page = user::page(connection, tenant, &after, USERS).await?;
        let Some((last, _)) = page.last() else { break };
        after.clone_from(&last.id);
        for (user, digest) in page {
            rows_of.toggle(&digest);
            users.insert(user.id.clone(), user);
        }
    }
    let names = user::all_names(connection, tenant).await?;
    let standing = |(name, digest): (NameRecord, [u8; 32])| {
        rows_of.toggle(&digest);
        let bearer = name.bearer.as_ref().and_then(|id| users.get(id));
        Change::PutStanding { standing: name.standing(bearer), name: name.name }
    };
    Ok(names.into_iter().map(standing).collect())
}
