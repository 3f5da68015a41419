//! Signed answers over HTTP, and `ringfence verify` with keys from a file and from the server.

use std::process::Command;

use ringfence::envelope::{Demand, EnvelopeError, PublicKeys, verify};
use serde_json::{Value, json};

use crate::harness::{Answer, NOW, Program, Server, Tenant};

const QUERY: &str = "how are signing keys rotated?";
const KEYS: &str = "/.well-known/ringfence-keys.json";

fn filled(tenant: &Tenant) {
    tenant.collection("handbook", &json!({}));
    for number in 0..5 {
        let text = format!("Signing keys are rotated every {number}0 days. Ключи меняются \u{1f511}.");
        let metadata = json!({"big": u64::MAX, "rate": 1e-7, "whole": 1.0, "name": format!("n{number}")});
        let form = json!({"text": text, "metadata": metadata, "acl": {"allow": ["everyone"]}});
        tenant.put("handbook", &format!("d{number}"), &form).expect(200);
    }
}

fn public_keys(answer: &Answer) -> PublicKeys {
    assert_eq!(answer.header("content-type"), Some("application/json"));
    PublicKeys::parse(&answer.body).expect("a set of keys")
}

#[test]
fn a_signed_answer_verifies_as_it_left() {
    let mut server = Server::start();
    let tenant = server.tenant("acme");
    filled(&tenant);
    let user = tenant.user("ann", &[]);
    let keys = public_keys(&server.nobody().get(KEYS).expect(200));
    let demand = Demand { query: QUERY, audience: Some("acme"), now: NOW };
    for format in ["none", "json", "delimited", "encoded"] {
        let answer = user.post("/v1/search", &json!({"query": QUERY, "format": format, "signed": true})).expect(200);
        let envelope = verify(&answer.body, &keys, &demand).unwrap();
        assert_eq!((envelope.results.len(), envelope.audience.as_str()), (5, "acme"));
    }
    let none = user.post("/v1/search", &json!({"query": QUERY, "collections": ["absent"], "signed": true})).expect(200);
    assert_eq!(verify(&none.body, &keys, &demand).unwrap().results, []);
    // Unasked, an answer is what it was.
    for body in [json!({"query": QUERY}), json!({"query": QUERY, "signed": false})] {
        assert_eq!(user.search(&body).get("envelope"), None);
    }
    let other = server.tenant("globex").user("bo", &[]);
    let answer = other.post("/v1/search", &json!({"query": QUERY, "signed": true})).expect(200);
    assert_eq!(verify(&answer.body, &keys, &demand).unwrap_err(), EnvelopeError::OtherAudience);
    server.restart();
    assert_eq!(public_keys(&server.nobody().get(KEYS).expect(200)), keys, "the keys outlive a restart");
}

fn run(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ringfence")).args(arguments).env_clear().output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_verifies_with_keys_from_a_file_and_from_the_server() {
    let program = Program::init();
    let serving = program.serve();
    let tenant = Tenant::create(serving.address, &program.operator(&serving), "acme");
    filled(&tenant);
    let answer = tenant.user("ann", &[]).post("/v1/search", &json!({"query": QUERY, "signed": true})).expect(200);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (file, keys, server) = (path("answer.json"), path("keys.json"), format!("http://{}", serving.address));
    std::fs::write(&file, &answer.body).unwrap();
    std::fs::write(&keys, crate::harness::Caller::nobody(serving.address).get(KEYS).expect(200).body).unwrap();
    for source in [["--keys", &keys], ["--server", &server]] {
        let (is_good, out, err) =
            run(&[&["verify", &file, "--query", QUERY, "--audience", "acme"], &source[..]].concat());
        assert!(is_good && out.contains("verified: 5 passages"), "{out}{err}");
    }
    let (is_good, out, _) = run(&["--json", "verify", &file, "--query", QUERY, "--keys", &keys]);
    assert!(is_good && serde_json::from_str::<Value>(&out).unwrap()["verified"] == true);
    let (is_good, _, err) = run(&["verify", &file, "--query", "another", "--keys", &keys]);
    assert!(!is_good && err.contains("another query"), "{err}");
    let changed = answer.text().replacen("rotated every", "rotated never", 1);
    std::fs::write(&file, changed).unwrap();
    let (is_good, _, err) = run(&["verify", &file, "--query", QUERY, "--keys", &keys]);
    assert!(!is_good && err.contains("not the one that was signed") && err.contains("remedy: "), "{err}");
}

/// The example for other languages in the repository: it knows nothing of this program.
#[test]
fn the_example_in_python_agrees() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    filled(&tenant);
    let answer = tenant.user("ann", &[]).post("/v1/search", &json!({"query": QUERY, "signed": true})).expect(200);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("answer.json"), &answer.body).unwrap();
    std::fs::write(path("keys.json"), server.nobody().get(KEYS).expect(200).body).unwrap();
    std::fs::write(path("changed.json"), answer.text().replacen("rotated every", "rotated never", 1)).unwrap();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/verify_envelope.py");
    let run = |answer: &str, query: &str| {
        // The clock of the server stands; the example looks at everything else.
        let output = Command::new("python3")
            .arg(&example)
            .args([path(answer), path("keys.json")])
            .args([query, "--digests-only"])
            .output()
            .expect("python3 is installed");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (is_good, err) = run("answer.json", QUERY);
    assert!(is_good, "{err}");
    for (answer, query) in [("changed.json", QUERY), ("answer.json", "another")] {
        assert!(!run(answer, query).0, "{answer} {query}");
    }
}
