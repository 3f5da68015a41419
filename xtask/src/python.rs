//! Python packages that tests and benchmarks talk to, in environments of their own below the target folder.
//!
//! Every version is pinned, those that others bring along too: a test must not depend on the day.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    needs,
    process::{self, Failure},
};

/// One line a package, with what it is for. A new line comes with the test that needs it.
const PACKAGES: &[&str] = &[
    // The identity provider of tests/it/provider.rs, and what it brings along.
    "oidc-provider-mock==0.3.4",
    "annotated-types==0.8.0",
    "anyio==4.16.0",
    "Authlib==1.9.10",
    "blinker==1.9.0",
    "certifi==2026.10.19.post1",
    "cffi==2.1.1",
    "click==8.5.1",
    "cryptography==50.0.2",
    "Flask==3.1.3",
    "h11==0.16.0",
    "htpy==26.5.1",
    "httpcore==1.0.9",
    "httpx==0.28.1",
    "idna==3.20",
    "itsdangerous==2.2.0",
    "Jinja2==3.1.6",
    "joserfc==1.8.0",
    "MarkupSafe==3.0.4",
    "pycparser==3.12",
    "pydantic==2.14.4",
    "pydantic_core==2.50.5",
    "typing-inspection==0.4.5",
    "typing_extensions==4.16.0",
    "uvicorn==0.54.0",
    "Werkzeug==3.1.9",
    // The checker of tests/it/scim/tester.rs, and what it brings along.
    "scim2-tester==0.5.2",
    "dnspython==2.9.2",
    "email-validator==2.4.0",
    "httpcore2==2.16.2",
    "httpx2==2.16.2",
    "lark==1.3.1",
    "scim2-client==0.13.2",
    "scim2-models==0.12.3",
    "truststore==0.10.5",
];

/// Makes the environment, or brings it up to the list; does nothing where it is.
pub(crate) fn install_packages() -> Result<(), Failure> {
    let folder = process::target().join("python");
    let (list, installed) = (PACKAGES.join("\n"), folder.join("packages.txt"));
    if fs::read_to_string(&installed).is_ok_and(|before| before == list) {
        return Ok(());
    }
    make_environment(&folder)?;
    let pip = |arguments: &[&str]| {
        let mut command = Command::new(python(&folder));
        command.args(["-m", "pip", "--disable-pip-version-check"]).args(arguments);
        command
    };
    process::run(pip(&["install", "--quiet", "--no-deps"]).args(PACKAGES))?;
    process::run(&mut pip(&["check"]))?;
    fs::write(&installed, list).map_err(|error| format!("`{}`: {error}", installed.display()))
}

/// Makes an empty environment in a folder.
pub(crate) fn make_environment(folder: &Path) -> Result<(), Failure> {
    let venv = || process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
    if venv().is_err() {
        // Debian keeps what `venv` needs in a package of its own.
        needs::install(&["python3", "python3-venv"])?;
        venv()?;
    }
    Ok(())
}

/// The interpreter of an environment.
pub(crate) fn python(folder: &Path) -> PathBuf {
    folder.join("bin").join("python")
}
