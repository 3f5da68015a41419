//! A server in a process of its own, so that memory and processor time are its alone: the built program, a random port, a temporary data directory, no rate limits. `--server PROGRAM` measures another build.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{client::Client, process::Process, report::argument};

/// What the benchmarks would run into, taken away.
const NO_LIMITS: [(&str, &str); 6] = [
    ("RINGFENCE_LIMITS__REQUESTS_PER_SECOND_KEY", "0"),
    ("RINGFENCE_LIMITS__REQUESTS_PER_SECOND_USER", "0"),
    ("RINGFENCE_LIMITS__REQUESTS_PER_SECOND_TENANT", "0"),
    ("RINGFENCE_LIMITS__FAILED_AUTHENTICATIONS_PER_SECOND_ADDRESS", "0"),
    ("RINGFENCE_LIMITS__CONNECTIONS_PER_ADDRESS", "4096"),
    ("RINGFENCE_LIMITS__CONNECTIONS", "4096"),
];

/// A running server; dropped, it stops and its data goes.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    operator_key: String,
    folder: tempfile::TempDir,
    child: Child,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&NO_LIMITS)
    }

    /// A server with the limits that it has by itself, but for the number of requests a second.
    pub(crate) fn start_with_own_limits() -> Self {
        Self::start_with(&NO_LIMITS[..4])
    }

    fn start_with(settings: &[(&str, &str)]) -> Self {
        // Beside the build, on a disk: a temporary directory may be in memory, where nothing is durable.
        let place = argument("--work-dir", env!("CARGO_TARGET_TMPDIR").to_owned());
        std::fs::create_dir_all(&place).expect("a folder for the data");
        let folder = tempfile::tempdir_in(place).expect("a temporary directory");
        let file = folder.path().join("ringfence.toml");
        let made = program(&file)
            .args(["init", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path().join("data"))
            .output()
            .expect("the program starts");
        assert!(made.status.success(), "init: {}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
        let operator_key = made["operator_key"].as_str().expect("a key").to_owned();

        let mut command = program(&file);
        command.arg("serve").envs(settings.iter().copied()).env("RINGFENCE_LOG__FILTER", "warn");
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout was asked to be piped");
        BufReader::new(stdout).read_line(&mut line).expect("the server says where it listens");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("`{line}`: {error}"));
        let address = ready["address"].as_str().and_then(|url| url.split("//").nth(1)).expect("an address");
        Self { address: address.parse().expect("an address"), operator_key, folder, child }
    }

    /// A new tenant and a service key of it.
    pub(crate) fn tenant_key(&self, tenant: &str, scopes: &[&str]) -> String {
        let mut operator = Client::new(self.address, &self.operator_key);
        operator.json("POST", "/v1/tenants", &json!({"id": tenant, "name": tenant}));
        let key = json!({
            "tenant": tenant, "kind": "service", "name": "bench", "subject": "service:bench", "scopes": scopes
        });
        operator.json("POST", "/v1/keys", &key)["key"].as_str().expect("a key").to_owned()
    }

    /// Its process.
    pub(crate) fn process(&self) -> Process {
        Process::new(self.child.id())
    }

    /// What lies in the data directory.
    pub(crate) fn disk_mib(&self) -> u64 {
        fn size(path: &Path) -> u64 {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries
                .map(|entry| match entry.metadata() {
                    Ok(meta) if meta.is_dir() => size(&entry.path()),
                    Ok(meta) => meta.len(),
                    Err(_) => 0,
                })
                .sum()
        }
        size(self.folder.path()) >> 20
    }
}

/// The program with nothing of this process's environment that would configure it.
fn program(file: &Path) -> Command {
    let mut command = Command::new(argument("--server", env!("CARGO_BIN_EXE_ringfence").to_owned()));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RINGFENCE_") {
            command.env_remove(&name);
        }
    }
    command.args(["--json", "--config"]).arg(file);
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // A server that died before was noticed by whoever asked it.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
