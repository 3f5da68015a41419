//! Checks of a data directory: who may read it, whether its database and logs are whole, and whether what is searched is what is stored.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ringfence_indexes::TenantId;

use super::{Check, originals};
use crate::{
    app::{App, StartError},
    audit::{self, PUBLIC_KEY_FILE},
    authn::KeySource,
    cage::Protection,
    cli::{audit::log_words, failure::Failure, local, output::counted},
    clock::Clock,
    config::Config,
    entropy::Entropy,
    seal::MASTER_KEY_FILE,
    store::{StoreError, StoredContent},
};

const REMEDY_BACKUP: &str = "keep a copy of the directory as it is, then restore the last good backup";

/// Checks everything that can be seen without a server.
pub(super) async fn examine(config: Config) -> Vec<Check> {
    let data_dir = config.data_dir.clone();
    if let Err(failure) = local::check_initialised(&data_dir) {
        return vec![Check::failed("directory", failure.message(), failure.remedy())];
    }
    let mut checks = vec![safety(&config), permissions(&data_dir), audit_chain(&data_dir)];
    checks.extend(published_keys(&config).await);
    // What is unsafe to serve can still be examined: only the checks above depend on the rest of the configuration.
    let (worker_program, require_sandbox) = (config.worker_program, config.require_sandbox);
    let config = Config { data_dir, audit: config.audit, worker_program, ..Config::default() };
    match App::open(config, Arc::new(Clock::System), Arc::new(Entropy::System)).await {
        Ok(app) => {
            checks.push(Check::well("keys", "the master key opens the directory"));
            checks.push(sandbox(&app, require_sandbox));
            checks.extend(opened(&app).await);
            checks.extend(app.close().await.err().map(|error| Check::failed("audit", error.to_string(), "make room on the disk")));
        }
        Err(StartError::InUse(_)) => checks.push(Check::left(
            "database",
            "a server is running on this directory: it was not opened; `ringfence doctor --server URL` checks the server",
        )),
        Err(error) => {
            let failure = Failure::from(error);
            checks.push(Check::failed("database", failure.message(), failure.remedy()));
        }
    }
    checks
}

/// What the worker that parses documents is kept from. What this kernel lacks is no fault of the directory; `require_sandbox` makes it one.
fn sandbox(app: &App, is_required: bool) -> Check {
    let missing: Vec<&str> = app.cage.protections().missing().map(Protection::absence).collect();
    if missing.is_empty() {
        return Check::well("sandbox", "documents are parsed behind landlock, seccomp and limits");
    }
    let words = format!("{}; `require_sandbox = true` refuses to serve without it", missing.join("; "));
    if is_required {
        return Check::failed("sandbox", words, "run on a kernel that has what is missing");
    }
    Check::left("sandbox", words)
}

/// Whether the keys can be had that issuers publish.
async fn published_keys(config: &Config) -> Vec<Check> {
    let mut checks = Vec::new();
    for issuer in config.check().unwrap_or_default() {
        let KeySource::Remote(keys) = &issuer.keys else { continue };
        checks.push(match keys.renew(&Clock::System).await {
            Ok(count) => {
                Check::well("issuer", format!("{}: {}", issuer.issuer, counted(count as u64, "key", "keys")))
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
                Check::failed(
                    "issuer",
                    format!("{}: {error}{cause}", issuer.issuer),
                    "correct `jwks_url`, or ask whoever runs the issuer: its tokens are refused until its keys can be fetched",
                )
            }
        });
    }
    checks
}

fn safety(config: &Config) -> Check {
    match config.check() {
        Ok(issuers) => {
            let development = if config.development_issuer { ", the development issuer" } else { "" };
            Check::well(
                "configuration",
                format!("safe; {}{development}", counted(issuers.len() as u64, "issuer", "issuers")),
            )
        }
        Err(refusal) => Check::failed("configuration", refusal.reason, refusal.remedy),
    }
}

/// Nothing in the directory may be open to others.
fn permissions(data_dir: &Path) -> Check {
    let mut open = Vec::new();
    // The directory closes what is in it; the key is closed by itself as well, for the day somebody opens the directory.
    for path in [data_dir.to_owned(), data_dir.join(MASTER_KEY_FILE)] {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.permissions().mode() & 0o077 == 0 => {}
            Ok(_) => open.push(path),
            Err(error) => {
                return Check::failed(
                    "permissions",
                    format!("`{}`: {error}", path.display()),
                    "run as the server's user",
                );
            }
        }
    }
    if open.is_empty() {
        return Check::well("permissions", format!("`{}` is the owner's alone", data_dir.display()));
    }
    let names = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ");
    Check::failed(
        "permissions",
        format!("open to other users: {}", names(&open)),
        format!("chmod go-rwx {}", names(&open)),
    )
}

fn audit_chain(data_dir: &Path) -> Check {
    let dir = data_dir.join("audit");
    if !dir.join(PUBLIC_KEY_FILE).exists() {
        return Check::failed("audit", format!("`{}` has no public key", dir.display()), REMEDY_BACKUP);
    }
    match audit::verify(&dir, None) {
        Ok(report) if report.is_sound() => {
            let records: u64 = report.logs.iter().map(|log| log.records).sum();
            Check::well(
                "audit",
                format!(
                    "{} in {}, sound",
                    counted(records, "record", "records"),
                    counted(report.logs.len() as u64, "log", "logs")
                ),
            )
        }
        Ok(report) => {
            let damaged: Vec<String> =
                report.logs.iter().filter(|log| !log.problems.is_empty()).map(log_words).collect();
            Check::failed(
                "audit",
                damaged.join(" "),
                "`ringfence audit verify` tells each problem; a torn last line is repaired at the next start",
            )
        }
        Err(error) => Check::failed("audit", error.to_string(), REMEDY_BACKUP),
    }
}

/// The database against itself, and the indexes against the database.
async fn opened(app: &App) -> Vec<Check> {
    let mut checks = vec![match app.store.integrity().await {
        Ok(faults) if faults.is_empty() => Check::well("database", "SQLite finds its file sound"),
        Ok(faults) => Check::failed("database", faults.join("; "), REMEDY_BACKUP),
        Err(error) => Check::failed("database", error.to_string(), REMEDY_BACKUP),
    }];
    checks.push(clock(app).await);
    let server = app.store.check_ledger(None).await;
    checks.extend(server.err().map(|error| Check::failed("ledger", error.to_string(), REMEDY_BACKUP)));
    let tenants = match app.store.tenants().await {
        Ok(tenants) => tenants,
        Err(error) => {
            checks.push(Check::failed("database", error.to_string(), REMEDY_BACKUP));
            return checks;
        }
    };
    let mut documents = 0;
    let before = checks.len();
    for (tenant, _) in &tenants {
        match compare(app, &tenant.id).await {
            Ok(count) => documents += count,
            Err(what) => checks.push(Check::failed("index", format!("tenant `{}`: {what}", tenant.id), REMEDY_BACKUP)),
        }
    }
    if checks.len() == before {
        let tenants = counted(tenants.len() as u64, "tenant", "tenants");
        checks.push(Check::well(
            "index",
            format!("{} of {tenants} are searched as they are stored", counted(documents, "document", "documents")),
        ));
    }
    checks.push(originals::examine(app, tenants.iter().map(|(tenant, _)| &tenant.id)).await);
    checks
}

/// Compares what a tenant's index holds with what its rows say, and the rows with their ledger.
async fn compare(app: &App, tenant: &TenantId) -> Result<u64, String> {
    app.store.check_ledger(Some(tenant)).await.map_err(|error| error.to_string())?;
    let _pin = app.tenants.pin(tenant).await.map_err(|error| error.to_string())?;
    let mut stored: BTreeSet<_> =
        app.store.fingerprints(tenant).await.map_err(|error| error.to_string())?.into_iter().collect();
    let indexed: BTreeSet<_> = app.engine.inventory(tenant).into_iter().collect();
    // What an earlier release wrote has vectors of more bits than are compared: what counts is what they are read as.
    let differing: Vec<_> = stored.difference(&indexed).cloned().collect();
    for entry in differing {
        let (collection, document, _) = &entry;
        let found = app.store.document(tenant, collection, document).await.map_err(|error| error.to_string())?;
        if let Some((read, _)) = found.filter(|(_, content)| matches!(content, StoredContent::Active(_))) {
            stored.insert((collection.clone(), document.clone(), read.fingerprint()));
            stored.remove(&entry);
        }
    }
    let (missing, stray) = (stored.difference(&indexed).count() as u64, indexed.difference(&stored).count() as u64);
    if missing + stray == 0 {
        return Ok(stored.len() as u64);
    }
    Err(format!(
        "{} stored but not searched as stored, {stray} searched but not stored so",
        counted(missing, "document is", "documents are")
    ))
}

/// What was made must not lie in the future: then the clock was, or is, wrong.
async fn clock(app: &App) -> Check {
    let now = app.clock.now();
    let newest: Result<_, StoreError> = app.store.keys().await.map(|keys| keys.iter().map(|key| key.created_at).max());
    match newest {
        Ok(Some(newest)) if newest > now => Check::failed(
            "clock",
            "the newest key was made in the future",
            "set this machine's clock, best by NTP: expiry and ACL windows depend on it",
        ),
        _ => Check::well("clock", "nothing was made in the future"),
    }
}
