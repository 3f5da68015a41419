//! The real binary in a process of its own, for what a process alone can show: being killed, and what it writes to its log.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread::JoinHandle,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::caller::Caller;

/// A configuration and a data directory that `ringfence init` made.
#[derive(Debug)]
pub(crate) struct Program {
    folder: TempDir,
    operator: String,
    environment: Vec<(String, String)>,
}

/// A server process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Option<JoinHandle<String>>,
    _stdout: BufReader<ChildStdout>,
}

impl Program {
    pub(crate) fn init() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut program = Self { folder, operator: String::new(), environment: Vec::new() };
        for limit in ["KEY", "USER", "TENANT"] {
            program.set(&format!("RINGFENCE_LIMITS__REQUESTS_PER_SECOND_{limit}"), "0");
        }
        let data_dir = program.data_dir();
        let init = ["--json", "init", "--listen", "127.0.0.1:0", "--data-dir"].map(OsStr::new);
        let output = program.command().args(init).arg(&data_dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).expect("`init --json` prints JSON");
        program.operator = told["operator_key"].as_str().expect("the operator key").to_owned();
        program
    }

    /// Sets an environment variable for every later command.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with the configuration, and with nothing of the environment that tests run in.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("--config").arg(self.folder.path().join("ringfence.toml")).current_dir(self.folder.path());
        command
    }

    fn spawn(&self) -> Child {
        let mut command = self.command();
        command.args(["--json", "serve", "--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts the server and waits until it says that it is ready.
    pub(crate) fn serve(&self) -> Serving {
        let mut child = self.spawn();
        let mut stderr = child.stderr.take().expect("piped");
        let log = std::thread::spawn(move || {
            let mut log = Vec::new();
            stderr.read_to_end(&mut log).unwrap();
            String::from_utf8_lossy(&log).into_owned()
        });
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            child.kill().unwrap();
            panic!("the server did not start: {line} {}", log.join().unwrap());
        };
        let url = ready["address"].as_str().expect("the address");
        let address = url.strip_prefix("http://").expect("without TLS").parse().expect("an address");
        Serving { child, address, log: Some(log), _stdout: stdout }
    }

    /// Starts the server and kills it after this time, ready or not.
    pub(crate) fn serve_and_kill(&self, after: Duration) {
        let mut child = self.spawn();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (ready, is_ready) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            // An error or an end means that the server was killed first.
            if stdout.read_line(&mut line).is_ok() {
                let _waiting = ready.send(());
            }
        });
        let _ready_in_time = is_ready.recv_timeout(after);
        child.kill().unwrap();
        child.wait().unwrap();
        reader.join().unwrap();
    }

    pub(crate) fn operator(&self, serving: &Serving) -> Caller {
        Caller::new(serving.address, &self.operator)
    }

    pub(crate) fn operator_key(&self) -> &str {
        &self.operator
    }
}

impl Serving {
    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process as the kernel would: nothing is finished, nothing is flushed.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end, and gives its exit status and its log.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        let told = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status().unwrap();
        assert!(told.success());
        let status = self.child.wait().unwrap();
        (status, self.log.take().expect("still there").join().unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Already ended processes cannot be killed again, and that is fine.
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}
