//! A real OpenID provider as issuer: its ID tokens are read, and go on being read when it changes its key.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use ringfence::clock::Clock;
use ringfence_indexes::Timestamp;
use serde_json::json;

use crate::harness::{SECOND, Server};

/// `tests/it/provider/provider.py`, running.
struct Provider {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: String,
}

impl Provider {
    fn start() -> Self {
        // Beside the build, where `cargo xtask test` puts it.
        let build = Path::new(env!("CARGO_BIN_EXE_ringfence")).ancestors().nth(2).unwrap();
        let python = build.join("python/bin/python");
        assert!(python.exists(), "the provider is not installed: run `cargo xtask test`, which installs it");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/provider/provider.py");
        let mut command = Command::new(python);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut provider = Self { child, input, output, port: String::new() };
        provider.port = provider.line();
        provider
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the provider ended early");
        line.trim_end().to_owned()
    }

    fn ask(&mut self, line: &str) -> String {
        self.input.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.line()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

#[test]
fn tokens_of_a_provider_hold_before_and_after_it_changes_its_key() {
    let mut provider = Provider::start();
    let issuer = format!("http://127.0.0.1:{}", provider.port);
    let form = json!({
        "issuer": issuer, "audience": "ringfence", "algorithms": ["RS256"], "jwks_url": format!("{issuer}/jwks"),
        "tenant": "acme", "groups_claim": "groups",
    });
    let server = Server::start_with(|config, _| config.issuer.push(serde_json::from_value(form).unwrap()));
    let now = Clock::System.now();
    server.clock.set(now);
    let tenant = server.tenant("acme");
    tenant.collection("handbook", &json!({}));
    tenant.text("handbook", "d", "keys are rotated every ninety days", &["group:eng"]);

    let [alice, bo] = ["token alice", "token bo"].map(|line| provider.ask(line));
    assert_eq!(server.caller(&alice).found("rotated keys"), ["d"]);
    assert!(server.caller(&bo).found("rotated keys").is_empty());

    assert_eq!(provider.ask("rotate"), "rotated");
    let new = provider.ask("token alice");
    // The first demand for keys came with the first token at the earliest: half a minute later there may be another.
    server.clock.set(Timestamp(now.0 + 31 * SECOND));
    assert_eq!(server.caller(&new).found("rotated keys"), ["d"]);
    server.caller(&alice).get("/v1/collections").expect(401);

    // Two changes within half a minute: the second waits its turn, and is then taken up.
    assert_eq!(provider.ask("rotate"), "rotated");
    let newest = provider.ask("token alice");
    server.caller(&newest).get("/v1/collections").expect(401);
    server.clock.set(Timestamp(now.0 + 62 * SECOND));
    server.caller(&newest).get("/v1/collections").expect(200);
}
