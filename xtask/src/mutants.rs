//! `cargo xtask deep mutants`: changes what decides, one place at a time, and sees whether a test notices.

use crate::process::{Failure, cargo, is_installed, run};

/// The tests that judge the server's part; its other tests need minutes and decide nothing of it.
const IDENTITY: &[&str] =
    &["authn", "authz", "release", "tokens", "keys", "exchange", "certificates", "revocation", "routes", "sanitising"];

/// Runs `cargo mutants` over the scope of `.cargo/mutants.toml`, the engine first; further arguments go to it, such as `--file` or `--shard`.
pub(crate) fn mutants(arguments: &[&str]) -> Result<(), Failure> {
    if !is_installed("cargo-mutants") {
        return Err("cargo-mutants is not installed: `cargo install --locked cargo-mutants`".to_owned());
    }
    let of = |package: &str| {
        let mut command = cargo(&["mutants", "--package", package]);
        command.args(arguments).args(["--", "--lib", "--test", "it"]);
        command
    };
    let engine = run(&mut of("ringfence-indexes"));
    let server = run(of("ringfence").arg("--").args(IDENTITY));
    engine.and(server)
}
