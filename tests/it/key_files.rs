//! An issuer's keys in a file: a new key is taken when a token needs it, a withdrawn one is refused, and a file that is not sound closes.

use std::{fs, path::PathBuf};

use ringfence_indexes::Timestamp;
use serde_json::json;

use crate::{
    harness::{NOW, SECOND, Server},
    hostile_tokens::signer::Ed,
};

/// A server with one issuer, whose keys stand in this file.
fn world(first: &Ed) -> (Server, PathBuf) {
    let mut path = PathBuf::new();
    let server = Server::start_with(|config, folder| {
        path = folder.join("keys.json");
        fs::write(&path, json!({"keys": [first.jwk("first")]}).to_string()).unwrap();
        let form = json!({
            "issuer": "https://ed.example", "audience": "rag-server", "algorithms": ["EdDSA"], "jwks_file": path,
            "tenant": "acme",
        });
        config.issuer = vec![serde_json::from_value(form).unwrap()];
    });
    server.tenant("acme");
    (server, path)
}

fn token(signer: &Ed, kid: &str) -> String {
    let now = NOW.0 / SECOND;
    let claims =
        json!({"iss": "https://ed.example", "aud": "rag-server", "sub": "ann", "iat": now, "exp": now + 7_200});
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": kid});
    signer.sign(header.to_string().as_bytes(), claims.to_string().as_bytes())
}

#[test]
fn keys_are_rotated_and_withdrawn_while_the_server_runs() {
    let (first, second, third) = (Ed::generate(), Ed::generate(), Ed::generate());
    let (server, path) = world(&first);
    let status = |token: &str| server.caller(token).get("/v1/collections").status;
    let (old, new) = (token(&first, "first"), token(&second, "second"));
    assert_eq!((status(&old), status(&new)), (200, 401));
    fs::write(&path, json!({"keys": [second.jwk("second")]}).to_string()).unwrap();
    server.clock.set(Timestamp(NOW.0 + 2 * SECOND));
    assert_eq!(status(&new), 200, "a token with a new key has the file read");
    assert_eq!(status(&old), 401, "what is not in the file any more is withdrawn");

    // A file that is not sound: for half a minute somebody may be writing it.
    fs::write(&path, "{").unwrap();
    server.clock.set(Timestamp(NOW.0 + 10 * SECOND));
    assert_eq!((status(&token(&third, "third")), status(&new)), (401, 200));
    server.clock.set(Timestamp(NOW.0 + 41 * SECOND));
    assert_eq!(status(&new), 401, "nobody vouches for the keys any more");
    fs::write(&path, json!({"keys": [second.jwk("second")]}).to_string()).unwrap();
    server.clock.set(Timestamp(NOW.0 + 43 * SECOND));
    assert_eq!(status(&new), 200, "sound again");
}
