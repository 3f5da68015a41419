//! An issuer of tokens for tests: HS256 with a secret in a private file.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use jsonwebtoken::{EncodingKey, Header};
use ringfence::config::IssuerConfig;
use serde_json::{Value, json};

use super::{Caller, NOW, SECOND};

const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "ringfence-test";
const SECRET: &[u8] = b"a secret for tests that has more than 32 bytes";

/// The configuration of the issuer, whose tokens are of this tenant.
pub(crate) fn issuer(folder: &Path, tenant: &str) -> IssuerConfig {
    let secret = folder.join("issuer.secret");
    fs::write(&secret, SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let form = json!({
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "algorithms": ["HS256"],
        "secret_file": secret,
        "tenant": tenant,
        "groups_claim": "groups",
        "attributes": {"clearance": "clearance", "region": "region"},
    });
    serde_json::from_value(form).unwrap()
}

/// The claims of a good token of this person; a test changes what it wants to.
pub(crate) fn claims(person: &str, groups: &[&str]) -> Value {
    let now = NOW.0 / SECOND;
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": person, "groups": groups,
        "iat": now, "nbf": now, "exp": now + 3_600,
    })
}

/// Signs claims.
pub(crate) fn mint(claims: &Value) -> String {
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

/// A token for a task of the person whose token this is, narrowed by further parameters of the form.
#[track_caller]
pub(crate) fn task_token(application: &Caller, subject_token: &str, further: &str) -> String {
    let form = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange\
         &subject_token_type=urn:ietf:params:oauth:token-type:jwt&subject_token={subject_token}&{further}"
    );
    let media_type = Some("application/x-www-form-urlencoded");
    let answer = application.send("POST", "/oauth/token", media_type, Some(form.as_bytes())).expect(200).json();
    answer["access_token"].as_str().expect("a token").to_owned()
}
