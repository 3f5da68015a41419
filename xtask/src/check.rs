//! `cargo xtask check`: everything a change must pass, cheapest first.

use crate::{
    process::{Failure, cargo, complain, is_installed, run},
    test,
};

/// Runs every step; the first that fails ends it.
pub(crate) fn check() -> Result<(), Failure> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let training = ["clippy", "--locked", "--package", "ringfence-ingest", "--features", "training", "--all-targets"];
    run(cargo(&training).args(["--", "-D", "warnings"]))?;
    run(cargo(&["doc", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    deny()?;
    test::test(None)
}

/// Licences, banned crates and sources. What matters most of it is in `tests/it/tidy.rs` too, which needs no tool.
fn deny() -> Result<(), Failure> {
    if !is_installed("cargo-deny") {
        complain("\n── cargo deny: not installed, left out (tests/it/tidy.rs checks bans and sources)");
        return Ok(());
    }
    // The advisory database is not fetched: a check must not depend on the network or on the day.
    run(&mut cargo(&["deny", "--locked", "check", "--disable-fetch", "bans", "licenses", "sources"]))
}
