//! Secrets, queries, texts and personal data do not reach logs at the most talkative level, metrics, the audit log or, for credentials, any file.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use crate::{
    harness::{Caller, Program, Serving, Tenant, document_path},
    oracle::Dice,
};

/// Words that stand for something secret, by where they were put.
struct Canaries {
    dice: Dice,
    planted: BTreeMap<String, String>,
}

impl Canaries {
    /// A new word that no text has by chance.
    fn plant(&mut self, place: &str) -> String {
        let letters: String = (0..14).map(|_| char::from(b"bcdfghjklmnpqrstvwxz"[self.dice.roll(20)])).collect();
        let word = format!("cnry{letters}");
        self.planted.insert(word.clone(), place.to_owned());
        word
    }

    /// Where one of the words, plain or in an encoding that people use, stands in these bytes.
    fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let contains = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        let is_found = |word: &&String| encodings(word).iter().any(|encoding| contains(encoding));
        self.planted.keys().filter(is_found).map(|word| self.planted[word].as_str()).collect()
    }
}

fn encodings(word: &str) -> Vec<Vec<u8>> {
    let utf16: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut encodings = vec![
        word.as_bytes().to_vec(),
        word.to_uppercase().into_bytes(),
        HEXLOWER.encode(word.as_bytes()).into_bytes(),
        HEXLOWER.encode(word.as_bytes()).to_uppercase().into_bytes(),
        utf16,
    ];
    // In base64 a word looks different at each of three places; its inner letters are the same whatever stands around it.
    for before in 0..3 {
        let padded = format!("{}{word}", "x".repeat(before));
        let encoded = BASE64.encode(padded.as_bytes());
        encodings.push(encoded.as_bytes()[4..encoded.len() - 4].to_vec());
    }
    encodings
}

#[test]
fn the_scanner_sees_every_encoding() {
    let mut canaries = Canaries { dice: Dice(1), planted: BTreeMap::new() };
    let word = canaries.plant("here");
    for text in [
        format!("a {word} b"),
        BASE64.encode(format!("{{\"q\":\"{word}\"}}").as_bytes()),
        BASE64.encode(format!("x{{\"q\":\"{word}\"}}").as_bytes()),
        BASE64.encode(format!("xx{{\"q\":\"{word}\"}}").as_bytes()),
        HEXLOWER.encode(word.as_bytes()),
    ] {
        assert_eq!(canaries.found_in(text.as_bytes()), ["here"], "{text}");
    }
    assert!(canaries.found_in(b"nothing of the kind").is_empty());
}

/// Sends secrets everywhere and gives back the credentials that were made.
fn sing(program: &Program, serving: &Serving, canaries: &mut Canaries) -> Vec<String> {
    let operator = program.operator(serving);
    let tenant = Tenant::create(serving.address, &operator, "acme");
    tenant.collection(
        "handbook",
        &json!({"description": canaries.plant("a collection's description"), "redact": ["email"]}),
    );
    let (admin, user) = (&tenant.admin, tenant.user("ann", &[]));
    let everyone = json!({"allow": ["everyone"]});
    let path = document_path("handbook", "d");
    let document = json!({
        "text": format!("the text {} and {}@example.com", canaries.plant("a text"), canaries.plant("an address")),
        "title": canaries.plant("a title"),
        "uri": format!("https://u:{}@wiki.example/?t={}", canaries.plant("a URI's password"), canaries.plant("a URI's query")),
        "metadata": {"note": canaries.plant("metadata")},
        "acl": everyone,
    });
    admin.put(&path, &document).expect(200);
    admin.send(
        "PUT",
        &document_path("handbook", "raw"),
        Some("text/plain"),
        Some(canaries.plant("a raw file").as_bytes()),
    );
    let line = json!({"id": "b", "text": canaries.plant("a line of a batch"), "acl": everyone}).to_string();
    let broken = format!("{line}\n{{\"id\": \"c\", \"text\": \"{}\n", canaries.plant("a broken line"));
    admin.send(
        "POST",
        "/v1/collections/handbook/documents:batch",
        Some("application/x-ndjson"),
        Some(broken.as_bytes()),
    );
    let part = format!(
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\n{}\r\n--b--\r\n",
        canaries.plant("an upload")
    );
    admin.send(
        "POST",
        "/v1/collections/handbook/documents",
        Some("multipart/form-data; boundary=b"),
        Some(part.as_bytes()),
    );
    for (what, form) in [
        ("a document with a wrong ACL", json!({"text": canaries.plant("a refused text"), "acl": {"allow": ["bob"]}})),
        (
            "a document with a wrong field",
            json!({"text": canaries.plant("another refused text"), "owner": canaries.plant("a wrong field")}),
        ),
    ] {
        assert_eq!(admin.put(&path, &form).status, 422, "{what}");
    }
    for mode in ["hybrid", "keyword", "vector"] {
        let query = format!("the text {}", canaries.plant("a query"));
        user.search(&json!({"query": query, "mode": mode, "filter": {"metadata.note": canaries.plant("a filter")}}));
    }
    user.post("/v1/search", &json!({"query": canaries.plant("a long query").repeat(1_000)})).expect(422);
    let malformed = format!("{{\"query\": \"{}", canaries.plant("a malformed query"));
    let answer = user.send("POST", "/v1/search", Some("application/json"), Some(malformed.as_bytes())).expect(400);
    assert!(canaries.found_in(&answer.body).is_empty(), "the refusal quotes the body: {}", answer.text());
    user.get(&format!("/v1/collections/handbook/documents?cursor={}", canaries.plant("a cursor"))).expect(400);
    user.get(&path).expect(200);
    bad_credentials(serving, canaries);
    vec![program.operator_key().to_owned(), admin.credential().to_owned(), user.credential().to_owned()]
}

fn bad_credentials(serving: &Serving, canaries: &mut Canaries) {
    let (header, claims) =
        (BASE64.encode(b"{\"alg\":\"HS256\"}"), BASE64.encode(canaries.plant("a token's claims").as_bytes()));
    for credential in [
        canaries.plant("no credential"),
        format!("rf_{}_{}_00000000", canaries.plant("a key's id"), canaries.plant("a key's secret")),
        format!("{header}.{claims}.{}", canaries.plant("a token's signature")),
    ] {
        let answer = Caller::new(serving.address, &credential).get("/v1/collections").expect(401);
        assert!(canaries.found_in(&answer.body).is_empty(), "{}", answer.text());
    }
    Caller::nobody(serving.address)
        .with("authorization", &format!("Basic {}", canaries.plant("a password")))
        .get("/v1/keys")
        .expect(401);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn nothing_secret_reaches_a_log() {
    let mut program = Program::init();
    program.set("RINGFENCE_LOG__FILTER", "trace");
    let serving = program.serve();
    let mut canaries = Canaries { dice: Dice(3), planted: BTreeMap::new() };
    let credentials = sing(&program, &serving, &mut canaries);
    assert!(canaries.planted.len() > 24);
    let metrics = Caller::new(serving.address, &credentials[0]).get("/metrics").expect(200);
    assert_eq!(canaries.found_in(&metrics.body), Vec::<&str>::new(), "metrics");
    let (status, log) = serving.stop();
    assert!(status.success(), "{status}: {log}");
    assert!(log.contains("a credential was refused"), "the log says what happened: {log}");
    assert_eq!(canaries.found_in(log.as_bytes()), Vec::<&str>::new(), "the log");
    for path in files(&program.data_dir().join("audit")) {
        let bytes = fs::read(&path).unwrap();
        assert_eq!(canaries.found_in(&bytes), Vec::<&str>::new(), "{}", path.display());
    }
    // The secret part of a key is nowhere: neither in the log nor in any file of the data directory.
    for credential in &credentials {
        let secret = credential.split('_').nth(2).expect("rf_<id>_<secret>_<checksum>");
        let contains = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!contains(log.as_bytes()), "a key's secret is in the log");
        for path in files(program.folder()) {
            assert!(!contains(&fs::read(&path).unwrap()), "a key's secret is in {}", path.display());
        }
    }
}

/// A search is recorded so that equal queries can be told, without the query.
#[test]
fn the_record_of_a_search_tells_equal_queries_apart_from_others() {
    let mut program = Program::init();
    program.set("RINGFENCE_LOG__FILTER", "off");
    let serving = program.serve();
    let tenant = Tenant::create(serving.address, &program.operator(&serving), "acme");
    let user = tenant.user("ann", &[]);
    for query in ["one", "two", "one"] {
        user.search(&json!({"query": query}));
    }
    let (status, log) = serving.stop();
    assert!(status.success(), "{status}: {log}");
    assert_eq!(log, "", "the filter of the test above is heeded");
    let text = fs::read_to_string(program.data_dir().join("audit/acme.log")).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let hashes: Vec<Value> =
        records.filter(|record| record["action"] == "search").map(|record| record["query"]["hash"].clone()).collect();
    assert_eq!(hashes.len(), 3);
    assert!(hashes[0] == hashes[2] && hashes[0] != hashes[1], "{hashes:?}");
}
