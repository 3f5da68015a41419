//! Tokens that must be refused (T17): each is answered like every other bad credential, and none makes the server ask anybody for anything.

pub(crate) mod signer;

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
};

use aws_lc_rs::{hmac, signature};
use serde_json::{Value, json};

use self::signer::{Ed, Rsa, part, sign_hmac, signed};
use crate::harness::{Answer, NOW, SECOND, Server};

/// Signed with a 1024-bit RSA key that stands in its header; made once, since no library here makes such keys. Its times fit the clock of the tests.
const EMBEDDED_WEAK_KEY: &str = include_str!("../data/tokens/embedded-1024-bit-key.jwt");
const NOW_SECONDS: i64 = NOW.0 / SECOND;
/// The header block has at most 16 KiB: a longer token does not reach whoever verifies.
const TOKEN_BYTES_MAX: usize = 15 * 1_024;

/// Two issuers, an attacker, and an address that nobody must ask.
struct World {
    rsa: Rsa,
    ed: Ed,
    attacker: Rsa,
    listener: TcpListener,
    server: Server,
}

impl World {
    fn start() -> Self {
        let (rsa, ed) = (Rsa::generate(), Ed::generate());
        let keys = json!({"keys": [rsa.jwk("rsa1")]}).to_string();
        let ed_keys = json!({"keys": [ed.jwk("ed1")]}).to_string();
        let server = Server::start_with(|config, folder| {
            for (issuer, algorithm, keys) in
                [("https://idp.example", "RS256", keys), ("https://ed.example", "EdDSA", ed_keys)]
            {
                let file = folder.join(format!("{algorithm}.json"));
                std::fs::write(&file, keys).unwrap();
                let form = json!({
                    "issuer": issuer, "audience": "rag-server", "algorithms": [algorithm], "jwks_file": file,
                    "tenant_claim": "tenant", "groups_claim": "groups", "leeway_seconds": 60,
                });
                config.issuer.push(serde_json::from_value(form).unwrap());
            }
        });
        server.tenant("t1");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { rsa, ed, attacker: Rsa::generate(), listener, server }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// A good token with other claims.
    fn claims(&self, changes: &Value) -> String {
        self.raw_claims(&changed(claims(), changes).to_string())
    }

    fn raw_claims(&self, claims: &str) -> String {
        self.rsa.sign(header().to_string().as_bytes(), claims.as_bytes())
    }

    /// A good token with another header.
    fn header(&self, changes: &Value) -> String {
        self.rsa.sign(changed(header(), changes).to_string().as_bytes(), claims().to_string().as_bytes())
    }

    /// The attacker's token with another header.
    fn forged(&self, changes: &Value) -> String {
        self.attacker.sign(changed(header(), changes).to_string().as_bytes(), claims().to_string().as_bytes())
    }

    fn show(&self, token: &str) -> Answer {
        self.server.caller(token).post("/v1/search", &json!({"query": "anything"}))
    }

    #[track_caller]
    fn check_refused(&self, tokens: &[(String, String)]) {
        let one = without_id(&self.server.caller("nonsense").post("/v1/search", &json!({"query": "x"})));
        for (name, token) in tokens {
            let answer = self.show(token);
            if token.len() > TOKEN_BYTES_MAX {
                assert!(matches!(answer.status, 401 | 431), "{name}: {}", answer.text());
                continue;
            }
            assert_eq!(answer.status, 401, "{name}: {}", answer.text());
            assert_eq!(without_id(&answer), one, "{name}: one body for all causes");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"ringfence\""), "{name}");
        }
        let asked = self.listener.accept().map_err(|error| error.kind());
        assert_eq!(asked.err(), Some(ErrorKind::WouldBlock), "somebody was asked for something");
    }
}

fn without_id(answer: &Answer) -> Value {
    let mut document = answer.json();
    document["request_id"] = Value::Null;
    document
}

fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "rsa1"})
}

fn claims() -> Value {
    json!({
        "iss": "https://idp.example", "aud": "rag-server", "sub": "user:alice", "tenant": "t1", "groups": ["g1"],
        "iat": NOW_SECONDS - 10, "nbf": NOW_SECONDS - 10, "exp": NOW_SECONDS + 300, "jti": "j1",
    })
}

/// The object with members replaced; the text `(absent)` takes one out.
fn changed(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value == "(absent)" {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}

fn named(name: impl Into<String>, token: impl Into<String>) -> (String, String) {
    (name.into(), token.into())
}

#[test]
fn good_tokens_are_taken() {
    let world = World::start();
    for changes in [json!({}), json!({"aud": ["x", "rag-server"]}), json!({"groups": []}), json!({"sub": "alice"})] {
        world.show(&world.claims(&changes)).expect(200);
    }
    // EdDSA, from the issuer that is pinned to it.
    let claims = changed(claims(), &json!({"iss": "https://ed.example"})).to_string();
    world.show(&world.ed.sign(ed_header().to_string().as_bytes(), claims.as_bytes())).expect(200);
}

fn ed_header() -> Value {
    json!({"alg": "EdDSA", "typ": "JWT", "kid": "ed1"})
}

#[test]
fn forged_ed25519_tokens_are_refused() {
    let world = World::start();
    let claims = changed(claims(), &json!({"iss": "https://ed.example"}));
    let text = claims.to_string();
    let good = world.ed.sign(ed_header().to_string().as_bytes(), text.as_bytes());
    let (start, signature) = good.rsplit_once('.').unwrap();
    let stranger = Ed::generate();
    let mut tokens = vec![
        named("another's key", stranger.sign(ed_header().to_string().as_bytes(), text.as_bytes())),
        named("no signature", format!("{start}.")),
        named("zero signature", format!("{start}.{}", part(&[0; 64]))),
        named("half a signature", format!("{start}.{}", &signature[..43])),
        named(
            "other claims",
            format!(
                "{}.{signature}",
                signed(
                    ed_header().to_string().as_bytes(),
                    changed(claims.clone(), &json!({"sub": "user:root"})).to_string().as_bytes()
                )
            ),
        ),
        named(
            "RSA under its id",
            world.rsa.sign(changed(header(), &json!({"kid": "ed1"})).to_string().as_bytes(), text.as_bytes()),
        ),
        named(
            "the other issuer's name",
            world.ed.sign(
                ed_header().to_string().as_bytes(),
                changed(claims.clone(), &json!({"iss": "https://idp.example"})).to_string().as_bytes(),
            ),
        ),
    ];
    for name in ["HS256", "none", "ES256", "eddsa", "Ed25519", "Ed448"] {
        let header = changed(ed_header(), &json!({"alg": name}));
        tokens.push(named(name, world.ed.sign(header.to_string().as_bytes(), text.as_bytes())));
    }
    let header = changed(ed_header(), &json!({"alg": "HS256"}));
    tokens.push(named("confusion", sign_hmac(hmac::HMAC_SHA256, world.ed.public_key(), &header, &claims)));
    world.check_refused(&tokens);
}

#[test]
fn other_algorithms_and_confused_keys_are_refused() {
    let world = World::start();
    let good = world.header(&json!({}));
    let (_, old_signature) = good.rsplit_once('.').unwrap();
    let mut tokens = Vec::new();
    for name in [json!("none"), json!("None"), json!("NONE"), json!("nOnE"), json!("none "), json!(""), json!(null)] {
        let unsigned =
            signed(json!({"alg": name, "typ": "JWT"}).to_string().as_bytes(), claims().to_string().as_bytes());
        for (what, token) in [
            ("empty", format!("{unsigned}.")),
            ("no dot", unsigned.clone()),
            ("old", format!("{unsigned}.{old_signature}")),
        ] {
            tokens.push(named(format!("alg {name} {what}"), token));
        }
    }
    let mut secrets = world.rsa.public_forms();
    secrets.extend([vec![], vec![0], b"secret".to_vec(), b"password".to_vec(), b"changeme".to_vec()]);
    secrets.push(b"your-256-bit-secret".to_vec());
    for (name, algorithm) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        for (number, secret) in secrets.iter().enumerate() {
            for kid in ["rsa1", "/dev/null"] {
                let header = changed(header(), &json!({"alg": name, "kid": kid}));
                tokens.push(named(format!("{name} {number} {kid}"), sign_hmac(algorithm, secret, &header, &claims())));
            }
        }
    }
    let lie = |name: &str| changed(header(), &json!({"alg": name})).to_string();
    let text = claims().to_string();
    tokens.extend([
        named("RS512", world.rsa.sign_as(&signature::RSA_PKCS1_SHA512, lie("RS512").as_bytes(), text.as_bytes())),
        named("PS256", world.rsa.sign_as(&signature::RSA_PSS_SHA256, lie("PS256").as_bytes(), text.as_bytes())),
        named("a lie", world.header(&json!({"alg": "RS384"}))),
        named("array", world.header(&json!({"alg": ["RS256"]}))),
        named("psychic", format!("{}.{}", signed(lie("ES256").as_bytes(), text.as_bytes()), part(&[0; 64]))),
        named("EdDSA", world.ed.sign(lie("EdDSA").as_bytes(), text.as_bytes())),
    ]);
    world.check_refused(&tokens);
}

#[test]
fn keys_that_a_token_brings_or_points_at_are_not_looked_at() {
    let world = World::start();
    let good = world.header(&json!({}));
    let (start, _) = good.rsplit_once('.').unwrap();
    let url = |path: &str| format!("http://{}/{path}", world.address());
    let mut tokens = vec![
        named("null signature", format!("{start}.")),
        named("zero signature", format!("{start}.{}", part(&[0; 256]))),
        named("wrong key", world.forged(&json!({}))),
        named("a 1024-bit key", EMBEDDED_WEAK_KEY.trim_end()),
        named("jwk", world.forged(&json!({"jwk": world.attacker.jwk("rsa1")}))),
        named("jwk of a new id", world.forged(&json!({"kid": "x", "jwk": world.attacker.jwk("x")}))),
        named("jku", world.forged(&json!({"jku": url("jwks.json")}))),
        named("jku of a new id", world.forged(&json!({"kid": "x", "jku": url("jwks.json")}))),
        named("x5u", world.forged(&json!({"x5u": url("c.pem")}))),
        named("x5c", world.forged(&json!({"x5c": ["MIIB"]}))),
        named("iss", world.forged(&json!({}))),
    ];
    let claims = changed(claims(), &json!({"iss": url("")})).to_string();
    tokens.push(named("iss elsewhere", world.attacker.sign(header().to_string().as_bytes(), claims.as_bytes())));
    let ids = [
        json!("../../../../dev/null"),
        json!("/dev/null"),
        json!("' OR 1=1--"),
        json!("x' UNION SELECT 'k'--"),
        json!("| id"),
        json!("\0rsa1"),
        json!("rsa1\n"),
        json!("RSA1"),
        json!("A".repeat(100_000)),
        json!(0),
        json!(null),
        json!([]),
        json!({"$ne": 1}),
        json!(url("key")),
    ];
    for id in ids {
        tokens.push(named(format!("kid {id:.40}"), world.forged(&json!({"kid": id}))));
    }
    world.check_refused(&tokens);
}

#[test]
fn bad_claims_are_refused_whoever_signed_them() {
    let world = World::start();
    let absent = json!("(absent)");
    let now = NOW_SECONDS;
    let cases: &[(&str, Vec<Value>)] = &[
        ("exp", vec![json!(now - 61), json!(1), json!(0), json!(-1), json!((now + 300).to_string()), json!("never")]),
        ("exp", vec![json!(true), json!(null), json!([now + 300]), json!({}), absent.clone()]),
        ("exp", vec![json!(18_446_744_073_709_551_615_u64), json!(now + 86_400 * 3_650)]),
        ("nbf", vec![json!(now + 3_600), json!((now + 9_999_999).to_string()), json!(null)]),
        ("iat", vec![json!(now + 3_600), json!("x")]),
        ("aud", vec![json!("other"), absent.clone(), json!([]), json!(1), json!(null), json!("rag-server.evil")]),
        ("aud", vec![json!("RAG-SERVER")]),
        (
            "iss",
            vec![json!("https://evil.example"), absent.clone(), json!(null), json!(1), json!("https://idp.example/")],
        ),
        ("iss", vec![json!(["https://evil.example", "https://idp.example"])]),
        ("sub", vec![absent.clone(), json!(""), json!(["user:alice", "user:bob"]), json!("user:alice\0"), json!("*")]),
        ("sub", vec![json!("public")]),
        ("tenant", vec![absent.clone(), json!(["t1", "t2"]), json!("*")]),
        ("groups", vec![json!("g1"), json!({"g1": 1}), json!([["g1"]])]),
        ("groups", vec![(0..10_000).map(|number| json!(format!("g{number}"))).collect()]),
        ("x", vec![json!("A".repeat(200_000))]),
    ];
    let mut tokens = Vec::new();
    for (claim, values) in cases {
        for value in values {
            tokens.push(named(format!("{claim} {value:.40}"), world.claims(&json!({ *claim: value }))));
        }
    }
    let text = claims().to_string();
    let body = text.strip_suffix('}').unwrap();
    for member in [
        r#""sub":"user:admin""#,
        r#""tenant":"t2""#,
        r#""groups":["admins"]"#,
        r#""ten\u0061nt":"t2""#,
        r#""exp":1"#,
        r#""x":1e400"#,
        r#""x":NaN"#,
    ] {
        tokens.push(named(member, world.raw_claims(&format!("{body},{member}}}"))));
    }
    let deep = format!("{body},\"x\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let invalid = [body.as_bytes(), b",\"x\":\"\xff\"}"].concat();
    tokens.extend([
        named("deep", world.raw_claims(&deep)),
        named("less deep", world.raw_claims(&format!("{body},\"x\":{}{}}}", "[".repeat(4_000), "]".repeat(4_000)))),
        named("utf-8", world.rsa.sign(header().to_string().as_bytes(), &invalid)),
        named("array", world.raw_claims("[]")),
        named("null", world.raw_claims("null")),
    ]);
    world.check_refused(&tokens);
}

#[test]
fn other_headers_shapes_and_encodings_are_refused() {
    let world = World::start();
    let good = world.header(&json!({}));
    let headers = [
        json!({"crit": ["exp2"], "exp2": 1}),
        json!({"crit": []}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"zip": "DEF"}),
        json!({"typ": "ID"}),
        json!({"typ": "logout+jwt"}),
        json!({"typ": null}),
        json!({"cty": "JWT"}),
    ];
    let mut tokens: Vec<_> = headers.iter().map(|changes| named(changes.to_string(), world.header(changes))).collect();
    let nested = world.rsa.sign(changed(header(), &json!({"cty": "JWT"})).to_string().as_bytes(), good.as_bytes());
    let twice = br#"{"alg":"none","alg":"RS256","kid":"rsa1"}"#;
    let parts: Vec<&str> = good.split('.').collect();
    let json_form = json!({"payload": parts[1], "protected": parts[0], "signature": parts[2]});
    let (start, last) = good.split_at(good.len() - 1);
    // 256 bytes end in four significant bits: the next letter of the alphabet differs in the two stray ones alone.
    let stray = char::from(last.as_bytes()[0] + 1);
    let other = if &good[good.len() - 6..good.len() - 5] == "A" { "B" } else { "A" };
    tokens.extend([
        named("nested", nested),
        named("alg twice", world.rsa.sign(twice, claims().to_string().as_bytes())),
        named("padding", format!("{good}==")),
        named("alphabet", format!("{}.{}", parts[..2].join("."), parts[2].replace(['-', '_'], "+"))),
        named("blank", good.replace('.', ". ")),
        named("four parts", format!("{good}.x")),
        named("jwe", "a.b.c.d.e"),
        named("two parts", parts[..2].join(".")),
        named("empty", ""),
        named("dots", ".."),
        named("json", json_form.to_string()),
        named("stray bits", format!("{start}{stray}")),
        named("flipped", format!("{}{other}{}", &good[..good.len() - 6], &good[good.len() - 5..])),
    ]);
    world.check_refused(&tokens);
}

/// Entra ID leaves groups out beyond 200: unknown, not none, and nobody goes and asks where the token says.
#[test]
fn groups_that_are_not_said_are_not_known() {
    let world = World::start();
    let source = json!({"src1": {"endpoint": format!("http://{}/graph", world.address())}});
    for changes in [
        json!({"groups": "(absent)", "_claim_names": {"groups": "src1"}, "_claim_sources": source}),
        json!({"groups": "(absent)", "hasgroups": true}),
        json!({"groups": "(absent)"}),
    ] {
        let answer = world.show(&world.claims(&changes)).expect(403);
        assert_eq!(answer.json()["code"], "groups_unresolved");
    }
    world.check_refused(&[]);
}
