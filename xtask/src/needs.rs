//! What the tests need beyond a Rust toolchain, and how a Debian machine gets it.

use std::process::Command;

use crate::process::{self, Failure, is_installed};

/// A program, and the Debian packages that bring it.
struct Need {
    program: &'static str,
    packages: &'static [&'static str],
    what_for: &'static str,
}

/// A new line comes with the test that needs it.
const NEEDS: &[Need] = &[
    Need { program: "cc", packages: &["gcc", "libc6-dev"], what_for: "aws-lc and SQLite are compiled from C" },
    Need { program: "curl", packages: &["curl"], what_for: "the README's quickstart asks with it" },
    Need { program: "python3", packages: &["python3", "python3-venv"], what_for: "an identity provider for tests" },
];

/// Installs whatever is missing; does nothing where all is there.
pub(crate) fn install_missing() -> Result<(), Failure> {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !is_installed(need.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        process::complain(&format!("`{}` is missing: {}", need.program, need.what_for));
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    install(&packages)
}

/// Installs Debian packages.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    if !is_installed("apt-get") {
        return Err(format!("no apt-get here; install by hand: {}", packages.join(" ")));
    }
    process::run(apt_get().arg("update"))?;
    process::run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

/// `apt-get` that asks nothing, through `sudo` for a person who is not root.
fn apt_get() -> Command {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let mut command = if is_root || !is_installed("sudo") {
        Command::new("apt-get")
    } else {
        let mut command = Command::new("sudo");
        command.arg("apt-get");
        command
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
