//! Starting other programs in the checkout, and the only place that prints.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

/// Why a command did not do what it was asked. Shown as it is.
pub(crate) type Failure = String;

/// The folder of the workspace. `cargo run` says where this package is; its parent is the workspace.
pub(crate) fn root() -> PathBuf {
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), Path::to_path_buf)
}

/// Where cargo builds, and what tests need is kept.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |target| root().join(target))
}

/// The cargo that started us, in the workspace.
///
/// What `cargo run` told us about this package is taken out of the environment, because build scripts would see it and rebuild.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    announce(command);
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(command))) }
}

/// Runs a command, passing each line of its output on to `see` and to our own output.
pub(crate) fn run_watching(command: &mut Command, mut see: impl FnMut(&str)) -> Result<ExitStatus, Failure> {
    announce(command);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| not_started(command, &error))?;
    let stdout = child.stdout.take().expect("stdout was asked to be piped");
    for line in BufReader::new(stdout).split(b'\n') {
        // A test may print anything: bytes that are not UTF-8 are no reason to stop watching.
        let line = line.map_err(|error| format!("output of `{}` broke off: {error}", shown(command)))?;
        let line = String::from_utf8_lossy(&line);
        see(&line);
        say(&line);
    }
    child.wait().map_err(|error| not_started(command, &error))
}

/// Whether a program is on the path.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Prints to standard output.
#[expect(clippy::print_stdout, reason = "the output of a command-line tool, in one place")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Prints to standard error.
#[expect(clippy::print_stderr, reason = "the output of a command-line tool, in one place")]
pub(crate) fn complain(text: &str) {
    eprintln!("{text}");
}

fn announce(command: &Command) {
    complain(&format!("\n── {}", shown(command)));
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    format!("`{}` could not be run: {error}", shown(command))
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let words = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
}
