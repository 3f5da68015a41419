//! Running the built command, and a server of it, in a folder of a test's own.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;

/// Longer than any command here takes on a busy machine; a command that hangs fails its test instead of the whole run.
const PATIENCE: Duration = Duration::from_secs(180);

/// A folder of its own, from which commands run.
pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
}

/// What a command did.
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl World {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The command with nothing of this process's environment, so that no `RINGFENCE_*` of the outside takes part.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    pub(super) fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let child = self.command(arguments).envs(environment.iter().copied()).spawn().unwrap();
        finish(child, arguments)
    }

    #[track_caller]
    pub(super) fn done(&self, arguments: &[&str], environment: &[(&str, &str)]) -> String {
        let ran = self.run_with(arguments, environment);
        assert_eq!(ran.code, Some(0), "{arguments:?}\n{}\n{}", ran.out, ran.err);
        ran.out
    }

    #[track_caller]
    pub(super) fn json(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Value {
        let arguments = [&["--json"], arguments].concat();
        serde_json::from_str(&self.done(&arguments, environment)).unwrap()
    }

    /// A failed command says why in one line, with a remedy, and nothing on standard output.
    #[track_caller]
    pub(super) fn refused(&self, arguments: &[&str], code: i32, reason: &str) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}\n{}\n{}", ran.out, ran.err);
        assert!(ran.err.contains(reason), "{arguments:?}: no `{reason}` in\n{}", ran.err);
        if code == 1 {
            let errors = ran.err.lines().filter(|line| line.starts_with("error: ")).count();
            assert!(errors == 1 && ran.err.contains("\nremedy: "), "{arguments:?}\n{}", ran.err);
        }
        ran
    }

    /// The first line that a command prints which goes on until Ctrl-C. `act` is done again until there is one: nobody knows when it listens.
    pub(super) fn first_line_of(&self, arguments: &[&str], act: impl Fn()) -> String {
        let mut child = self.command(arguments).spawn().unwrap();
        let (send, receive) = mpsc::channel();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            send.send(line)
        });
        let line = loop {
            act();
            match receive.recv_timeout(Duration::from_millis(500)) {
                Ok(line) => break line,
                Err(_) => assert_eq!(child.try_wait().unwrap(), None, "{arguments:?} has ended"),
            }
        };
        signal(child.id(), "-INT");
        assert_eq!(finish(child, arguments).code, Some(0));
        line
    }

    pub(super) fn init(&self) -> String {
        self.json(&["init", "--listen", "127.0.0.1:0"], &[])["operator_key"].as_str().unwrap().to_owned()
    }

    pub(super) fn serve(&self) -> Server {
        Server::start(self, &["--json", "serve"])
    }
}

fn finish(child: Child, arguments: &[&str]) -> Ran {
    let id = child.id();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    match receive.recv_timeout(PATIENCE) {
        Ok(output) => ran(&output.unwrap()),
        Err(_) => {
            signal(id, "-KILL");
            panic!("{arguments:?} does not end");
        }
    }
}

fn ran(output: &Output) -> Ran {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn signal(id: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &id.to_string()]).status().unwrap().success());
}

/// A server that runs until it is stopped.
pub(super) struct Server {
    child: Option<Child>,
    pub(super) url: String,
}

impl Server {
    pub(super) fn start(world: &World, arguments: &[&str]) -> Self {
        let mut child = world.command(arguments).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            let mut error = String::new();
            child.stderr.as_mut().unwrap().read_to_string(&mut error).unwrap();
            panic!("the server does not start: {error}");
        };
        Self { url: ready["address"].as_str().unwrap().to_owned(), child: Some(child) }
    }

    /// Ends it as a service manager would.
    pub(super) fn stop(mut self) -> Ran {
        let child = self.child.take().unwrap();
        signal(child.id(), "-TERM");
        finish(child, &["serve"])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
