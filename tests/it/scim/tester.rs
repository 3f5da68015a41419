//! `scim2-tester`, an independent checker of RFC 7643 and RFC 7644.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::harness::Server;

#[test]
fn the_independent_checker_finds_nothing_wrong() {
    let server = Server::start();
    let tenant = server.tenant("acme");
    // No attribute of several values: the checker adds to one that has some already, and does not expect those to stay.
    let declarations = json!({"attributes": {
        "clearance": {"type": "integer", "from": ["directory"]}, "cleared": {"type": "boolean", "from": ["directory"]},
        "badge": {"type": "string", "from": ["directory"]},
    }});
    tenant.admin.put("/v1/attributes", &declarations).expect(200);
    // Beside the build, where `cargo xtask test` puts it.
    let build = Path::new(env!("CARGO_BIN_EXE_ringfence")).ancestors().nth(2).unwrap();
    let python = build.join("python/bin/python");
    assert!(python.exists(), "scim2-tester is not installed: run `cargo xtask test`, which installs it");
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scim/tester.py"))
        .arg(format!("http://{}/scim/v2", server.address()))
        .arg(tenant.admin.credential())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let results: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let with = |status: &str| results.iter().filter(|result| result["status"] == status).collect::<Vec<_>>();
    let good = with("SUCCESS").len() + with("COMPLIANT").len() + with("ACCEPTABLE").len();
    let skipped = with("SKIPPED");
    // Searching users and groups at once is answered with 501.
    assert!(skipped.iter().all(|result| result["title"] == "search_with_attributes"), "{skipped:#?}");
    let bad: Vec<_> = results.iter().filter(|result| !is_good(result)).collect();
    assert!(bad.is_empty(), "{} of {} checks:\n{bad:#?}", bad.len(), results.len());
    assert!(good > 100, "only {good} checks were made");
}

fn is_good(result: &Value) -> bool {
    ["SUCCESS", "COMPLIANT", "ACCEPTABLE", "SKIPPED"].iter().any(|status| result["status"] == *status)
}
