//! Whether every original that should be kept is there, is the one that its document was made from, and opens with this installation's key.

use ringfence_indexes::{Selection, TenantId};

use super::Check;
use crate::{app::App, cli::output::counted, ingestion::original::Keeping, seal::TenantKeys};

const NAME: &str = "originals";
/// Documents that are looked up at once.
const PAGE: usize = 1_000;
const REMEDY: &str = "keep a copy of the directory as it is, then write the document again or restore the last good backup: it is served, but can be neither reviewed nor judged anew";

/// Reads and opens the originals of all tenants; nothing of them is shown or kept.
pub(super) async fn examine(app: &App, tenants: impl Iterator<Item = &TenantId>) -> Check {
    let mut originals = 0;
    for tenant in tenants {
        match opened(app, tenant).await {
            Ok(count) => originals += count,
            Err(what) => return Check::failed(NAME, format!("tenant `{tenant}`: {what}"), REMEDY),
        }
    }
    Check::well(NAME, format!("{} can be opened", counted(originals, "original", "originals")))
}

/// How many originals of a tenant open; what is wrong with the first that does not.
async fn opened(app: &App, tenant: &TenantId) -> Result<u64, String> {
    let vault = TenantKeys::derive(&app.master, tenant).vault();
    let (mut after, mut count) = (None, 0);
    loop {
        // Every document was made by some version, so all of them are other than this one.
        let page = app.store.outdated(tenant, &Selection::All, "", after.as_ref(), PAGE).await;
        let page = page.map_err(|error| error.to_string())?;
        for own in &page {
            let place = || format!("`{}` in `{}`", own.document, own.collection);
            let kept = app.store.kept(tenant, &own.collection, &own.document).await;
            let kept = kept.map_err(|error| format!("{}: {error}", place()))?;
            // It may have no original, if an older release wrote it; whether it should is in its row, which the store compares.
            let Some(sealed) = kept.and_then(|kept| kept.source) else { continue };
            let keeping = Keeping::new(vault.clone(), &own.collection, &own.document);
            keeping.open(&sealed).map_err(|error| format!("{}: {error}", place()))?;
            count += 1;
        }
        match page.into_iter().last() {
            Some(last) => after = Some((last.collection, last.document)),
            None => return Ok(count),
        }
    }
}
