//! An issuer of tokens for tests: HS256 with a secret in a private file.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use jsonwebtoken::{EncodingKey, Header};
use ringfence::config::IssuerConfig;
use serde_json::{Value, json};

use super::{NOW, SECOND};

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
