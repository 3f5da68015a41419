//! Tokens that must be refused, keys, and acting for a person.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{self, KeyPair as _, RsaKeyPair},
};
use data_encoding::BASE64URL_NOPAD;
use futures_util::FutureExt as _;
use ringfence_indexes::{AttributeValue, Timestamp};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;
use crate::{authz, authz::Scopes, seal::MasterKey};

const NOW: i64 = 1_700_000_000;
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An issuer's key and one of a stranger.
struct World {
    key: RsaKeyPair,
    stranger: RsaKeyPair,
    authenticator: Authenticator,
    engine: Arc<Engine>,
    clock: Arc<Clock>,
}

impl World {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Issuer)) -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let keys = IssuerKeys::from_jwks(json!({"keys": [jwk(&key, "rsa1")]}).to_string().as_bytes()).unwrap();
        let mut issuer = Issuer {
            issuer: "https://idp.example".into(),
            audience: "rag-server".into(),
            algorithms: vec![Algorithm::RS256],
            tenant: TenantSource::Claim("tenant".into()),
            subject_claim: "sub".into(),
            groups: GroupSource::Both { claim: "groups".into(), directory_for_unknown: false },
            groups_optional: false,
            attributes: BTreeMap::from([("clearance".into(), "clearance".into())]),
            attributes_claim: None,
            scopes: Scopes::from_names(["search", "read"]).unwrap(),
            scope_claim: None,
            leeway_seconds: 60,
            max_lifetime_seconds: 86_400,
            keys: KeySource::fixed(keys),
        };
        change(&mut issuer);
        let clock = Arc::new(Clock::fixed(Timestamp(NOW * 1_000_000)));
        let engine = Arc::new(Engine::new());
        let keyring = Arc::new(Keyring::new(KeyHasher::new([7; 32])));
        let entropy = Arc::new(Entropy::seeded([3; 32]));
        let authenticator = Authenticator::new(AuthenticatorParts {
            keyring,
            issuers: vec![issuer],
            certificates: Vec::new(),
            revocations: Arc::default(),
            tasks: TaskTokens::new(&MasterKey::new([1; 32]), &entropy),
            engine: Arc::clone(&engine),
            clock: Arc::clone(&clock),
            entropy,
        });
        let stranger = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { key, stranger, authenticator, engine, clock }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        sign(&self.key, header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    fn with_claims(&self, changes: &Value) -> String {
        self.sign(&header(), &changed(claims(), changes))
    }

    fn with_header(&self, changes: &Value) -> String {
        self.sign(&changed(header(), changes), &claims())
    }

    fn raw_claims(&self, claims: &str) -> String {
        sign(&self.key, header().to_string().as_bytes(), claims.as_bytes())
    }

    /// None of these issuers publishes keys at an address, so nothing is waited for.
    fn authenticate(&self, headers: &CredentialHeaders<'_>) -> Result<Authenticated, Unauthenticated> {
        self.authenticator.authenticate(headers, PEER).now_or_never().unwrap()
    }

    fn show(&self, token: &str) -> Result<Authenticated, Unauthenticated> {
        let authorization = format!("Bearer {token}");
        let headers = CredentialHeaders { authorization: Some(&authorization), ..CredentialHeaders::default() };
        self.authenticate(&headers)
    }

    fn caller(&self, token: &str) -> Caller {
        self.show(token).unwrap().caller().unwrap().clone()
    }

    #[track_caller]
    fn check_refused(&self, name: &str, token: &str) {
        assert_eq!(self.show(token).err(), Some(Unauthenticated::Invalid), "{name}");
    }

    /// A key of `t1` and its string.
    fn key(&self, kind: KeyKind, scopes: &[&str]) -> (KeyRecord, String) {
        let keyring = self.authenticator.keyring();
        let new = NewKey::generate(&Entropy::System, keyring.hasher());
        let record = KeyRecord {
            id: new.id,
            tenant: (kind != KeyKind::Operator).then(|| TenantId::new("t1").unwrap()),
            kind,
            name: "test".into(),
            subject: (kind != KeyKind::Operator)
                .then(|| Principal::new(if kind == KeyKind::User { "user:kim" } else { "service:bot" }).unwrap()),
            scopes: Scopes::from_names(scopes.iter().copied()).unwrap(),
            collections: None,
            groups: BTreeSet::new(),
            attributes: BTreeMap::new(),
            networks: None,
            expires_at: None,
            created_at: Timestamp(0),
            secret_hash: new.secret_hash,
            previous: None,
        };
        keyring.insert(record.clone());
        (record, new.key.expose_secret().to_owned())
    }

    fn act(&self, key: &str, act_as: Option<&str>, on_behalf_of: Option<&str>) -> Result<Caller, Unauthenticated> {
        let authorization = format!("Bearer {key}");
        let authorization = Some(authorization.as_str());
        let headers = CredentialHeaders { authorization, act_as, on_behalf_of, certificate: None };
        self.authenticate(&headers).map(|found| found.caller().unwrap().clone())
    }
}

fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "rsa1"})
}

fn claims() -> Value {
    json!({
        "iss": "https://idp.example", "aud": "rag-server", "sub": "user:alice", "tenant": "t1",
        "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 300, "groups": ["g1"], "jti": "j1"
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

fn jwk(key: &RsaKeyPair, id: &str) -> Value {
    // PKCS#1: a sequence of a 257-byte integer, whose first byte is the sign, and the exponent 65537.
    let der = key.public_key().as_ref();
    let modulus = BASE64URL_NOPAD.encode(&der[9..265]);
    json!({"kty": "RSA", "kid": id, "alg": "RS256", "use": "sig", "n": modulus, "e": "AQAB"})
}

fn encode(part: &[u8]) -> String {
    BASE64URL_NOPAD.encode(part)
}

fn sign(key: &RsaKeyPair, header: &[u8], claims: &[u8]) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let mut bytes = vec![0; key.public_modulus_len()];
    key.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut bytes).unwrap();
    format!("{signed}.{}", encode(&bytes))
}

fn sign_hmac(header: &Value, secret: &[u8]) -> String {
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims().to_string().as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", encode(tag.as_ref()))
}

#[test]
fn a_genuine_token_is_its_user() {
    let world = World::new();
    let caller = world.caller(&world.with_claims(&json!({"clearance": 3})));
    let names: Vec<_> = caller.subject().principals().iter().map(Principal::as_str).collect();
    assert_eq!(names, ["everyone", "group:g1", "user:alice"]);
    assert_eq!(caller.subject().attributes()["clearance"], AttributeValue::Integer(3));
    assert_eq!((caller.tenant().as_str(), caller.scopes().names()), ("t1", vec!["search", "read"]));
    assert!(authz::permit::<authz::Search>(&caller).is_ok());
    assert!(authz::permit::<authz::Ingest>(&caller).is_err());
    for fine in [json!({"aud": ["x", "rag-server"]}), json!({"sub": "alice"}), json!({"nbf": "(absent)"})] {
        assert_eq!(world.caller(&world.with_claims(&fine)).principal().unwrap().as_str(), "user:alice");
    }
}

#[test]
fn every_algorithm_but_the_pinned_one_is_refused() {
    let world = World::new();
    let good = world.with_header(&json!({}));
    let old_signature = good.rsplit_once('.').unwrap().1;
    let body = encode(claims().to_string().as_bytes());
    for algorithm in [json!("none"), json!("None"), json!("nOnE"), json!("none "), json!(""), json!(null)] {
        let unsigned = format!("{}.{body}", encode(json!({"alg": algorithm}).to_string().as_bytes()));
        for token in [format!("{unsigned}."), unsigned.clone(), format!("{unsigned}.{old_signature}")] {
            world.check_refused(&algorithm.to_string(), &token);
        }
    }
    for algorithm in [json!("RS384"), json!("RS512"), json!("PS256"), json!("EdDSA"), json!("ES256"), json!(["RS256"])]
    {
        world.check_refused(&algorithm.to_string(), &world.with_header(&json!({"alg": algorithm})));
    }
    let public = world.key.public_key().as_ref();
    let modulus = jwk(&world.key, "rsa1")["n"].to_string();
    for secret in [public, modulus.as_bytes(), b"", b"\0", b"secret", b"your-256-bit-secret"] {
        for kid in ["rsa1", "/dev/null"] {
            world.check_refused("confusion", &sign_hmac(&json!({"alg": "HS256", "typ": "JWT", "kid": kid}), secret));
        }
    }
}

#[test]
fn forged_signatures_and_embedded_keys_are_refused() {
    let world = World::new();
    let good = world.with_header(&json!({}));
    let (signed, _) = good.rsplit_once('.').unwrap();
    world.check_refused("empty", &format!("{signed}."));
    world.check_refused("zero", &format!("{signed}.{}", encode(&[0; 256])));
    world.check_refused("psychic", &format!("{signed}.{}", encode(&[0; 64])));
    let forged = |changes: &Value| {
        sign(&world.stranger, changed(header(), changes).to_string().as_bytes(), claims().to_string().as_bytes())
    };
    world.check_refused("wrong key", &forged(&json!({})));
    for id in ["rsa1", "x"] {
        world.check_refused("jwk", &forged(&json!({"kid": id, "jwk": jwk(&world.stranger, id)})));
    }
    for (name, value) in [
        ("jku", json!("http://127.0.0.1:9/jwks.json")),
        ("x5u", json!("http://127.0.0.1:9/c.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        world.check_refused(name, &forged(&json!({ name: value })));
    }
    let long = "A".repeat(100_000);
    for id in [
        json!("../../../../dev/null"),
        json!("' OR 1=1--"),
        json!("\0rsa1"),
        json!("rsa1\n"),
        json!("RSA1"),
        json!(long),
    ] {
        world.check_refused("kid", &forged(&json!({"kid": id})));
    }
    for id in [json!(0), json!(null), json!([]), json!({"$ne": 1})] {
        world.check_refused("kid type", &world.with_header(&json!({"kid": id})));
    }
}

#[test]
fn bad_claims_of_a_valid_signature_are_refused() {
    let world = World::new();
    let absent = json!("(absent)");
    let cases: &[(&str, &[Value])] = &[
        ("exp", &[json!(NOW - 61), json!(1), json!(0), json!(-1), json!((NOW + 300).to_string()), json!("never")]),
        ("exp", &[json!(true), json!(null), json!([NOW + 300]), json!({}), json!(u64::MAX), json!(1.7e9 + 300.5)]),
        ("exp", &[absent.clone(), json!(NOW + 86_400 * 3_650)]),
        ("nbf", &[json!(NOW + 3_600), json!((NOW + 9_999).to_string()), json!(null)]),
        ("iat", &[json!(NOW + 3_600), json!("x")]),
        ("aud", &[json!("other"), absent.clone(), json!([]), json!(1), json!(null), json!("rag-server.evil")]),
        ("aud", &[json!("RAG-SERVER"), json!(["rag-server", 1])]),
        ("iss", &[json!("https://evil.example"), absent.clone(), json!(null), json!(1), json!("https://idp.example/")]),
        ("iss", &[json!(["https://evil.example", "https://idp.example"])]),
        (
            "sub",
            &[absent.clone(), json!(""), json!(["user:alice"]), json!("user:alice\0"), json!("*"), json!("public")],
        ),
        ("sub", &[json!("everyone"), json!("user:Everyone"), json!("group:eng"), json!("role:x"), json!("urn:x:y")]),
        ("tenant", &[absent.clone(), json!(["t1", "t2"]), json!("*"), json!("")]),
        ("groups", &[json!("g1"), json!({"g1": 1}), json!([["g1"]]), json!(null), json!([1]), json!(["user:admin\n"])]),
        ("jti", &[json!(1), json!(null)]),
        ("clearance", &[json!({}), json!(null), json!(1.5)]),
    ];
    for (claim, values) in cases {
        for value in *values {
            world.check_refused(&format!("{claim} {value}"), &world.with_claims(&json!({ *claim: value })));
        }
    }
    let many: Vec<_> = (0..10_000).map(|number| format!("g{number}")).collect();
    world.check_refused("size", &world.with_claims(&json!({"groups": many})));
    world.check_refused("size", &world.with_claims(&json!({"x": "A".repeat(200_000)})));
}

#[test]
fn claims_that_two_parsers_read_differently_are_refused() {
    let world = World::new();
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
        r#""x":{"a":1,"a":2}"#,
    ] {
        world.check_refused(member, &world.raw_claims(&format!("{body},{member}}}")));
    }
    world.check_refused(
        "deep",
        &world.raw_claims(&format!("{body},\"x\":{}{}}}", "[".repeat(4_000), "]".repeat(4_000))),
    );
    world.check_refused("array", &world.raw_claims("[]"));
    world.check_refused("null", &world.raw_claims("null"));
    let invalid = [body.as_bytes(), b",\"x\":\"\xff\"}"].concat();
    world.check_refused("utf-8", &sign(&world.key, header().to_string().as_bytes(), &invalid));
    let twice = br#"{"alg":"none","alg":"RS256","kid":"rsa1"}"#;
    world.check_refused("alg twice", &sign(&world.key, twice, text.as_bytes()));
}

#[test]
fn headers_that_change_the_reading_are_refused() {
    let world = World::new();
    for changes in [
        json!({"crit": ["exp2"], "exp2": 1}),
        json!({"crit": []}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"zip": "DEF"}),
        json!({"typ": "ID"}),
        json!({"typ": "logout+jwt"}),
        json!({"typ": null}),
        json!({"cty": "JWT"}),
    ] {
        world.check_refused(&changes.to_string(), &world.with_header(&changes));
    }
}

#[test]
fn other_shapes_and_encodings_are_refused() {
    let world = World::new();
    let good = world.with_header(&json!({}));
    let (start, last) = good.split_at(good.len() - 1);
    // 256 bytes end in four significant bits: the next letter of the alphabet differs in the two stray ones alone.
    let stray = char::from(last.as_bytes()[0] + 1);
    let two_parts = good.rsplit_once('.').unwrap().0;
    let json_form = json!({"payload": "x", "protected": "y", "signature": "z"}).to_string();
    for token in [
        &format!("{good}=="),
        &good.replacen('.', ". ", 1),
        &format!("{good}\n"),
        &format!("{good}.x"),
        &format!(" {good}"),
        &format!("{start}{stray}"),
        "a.b.c.d.e",
        two_parts,
        "",
        "..",
        &json_form,
    ] {
        world.check_refused(token, token);
    }
}

#[test]
fn unknown_groups_are_not_no_groups() {
    let world = World::new();
    let elsewhere = json!({"groups": "(absent)", "_claim_names": {"groups": "src1"}});
    for changes in [elsewhere, json!({"groups": "(absent)", "hasgroups": true}), json!({"groups": "(absent)"})] {
        let found = world.show(&world.with_claims(&changes)).err();
        assert_eq!(found, Some(Unauthenticated::GroupsUnresolved), "{changes}");
    }
    let lenient = World::with(|issuer| issuer.groups_optional = true);
    assert_eq!(lenient.caller(&lenient.with_claims(&json!({"groups": "(absent)"}))).subject().principals().len(), 2);
    assert!(lenient.show(&lenient.with_claims(&json!({"groups": "(absent)", "hasgroups": true}))).is_err());
}

#[test]
fn groups_come_from_where_the_issuer_says() {
    let claim = || "groups".to_owned();
    let [token, directory, both] = [
        GroupSource::Token { claim: claim() },
        GroupSource::Directory,
        GroupSource::Both { claim: claim(), directory_for_unknown: true },
    ]
    .map(|source| World::with(|issuer| issuer.groups = source));
    let plain = json!({});
    assert!(token.caller(&token.with_claims(&plain)).subject().is_closed());
    assert!(!both.caller(&both.with_claims(&plain)).subject().is_closed());
    let names = |world: &World, changes: &Value| {
        let caller = world.caller(&world.with_claims(changes));
        caller.subject().principals().iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&both, &plain), ["everyone", "group:g1", "user:alice"]);
    // What the token says, or does not say, of groups is nothing to an issuer whose groups are the directory's.
    for changes in [plain, json!({"groups": 7}), json!({"hasgroups": true})] {
        assert_eq!(names(&directory, &changes), ["everyone", "user:alice"]);
    }
    let unknown = json!({"groups": "(absent)", "_claim_names": {"groups": "src1"}});
    for world in [&token, &both] {
        let found = world.show(&world.with_claims(&unknown)).err();
        assert_eq!(found, Some(Unauthenticated::GroupsUnresolved), "nor does the directory know the user");
    }
    let tenant = TenantId::new("t1").unwrap();
    both.engine.create_tenant(&tenant, [1; 32], 0);
    let members = BTreeSet::from([Principal::new("user:alice").unwrap()]);
    let group = ringfence_indexes::Change::PutGroup { group: Principal::new("group:eng").unwrap(), members };
    both.engine.apply(&tenant, 1, vec![group]).unwrap();
    assert_eq!(names(&both, &unknown), ["everyone", "user:alice"], "the directory adds group:eng when it is read");
}

#[test]
fn a_scope_claim_narrows() {
    let world = World::with(|issuer| issuer.scope_claim = Some("scope".into()));
    for (scope, expected) in
        [(json!("openid read keys"), vec!["read"]), (json!(["search"]), vec!["search"]), (json!("(absent)"), vec![])]
    {
        assert_eq!(world.caller(&world.with_claims(&json!({"scope": scope}))).scopes().names(), expected);
    }
}

#[test]
fn a_token_stops_holding_when_it_expires() {
    let world = World::new();
    let caller = world.caller(&world.with_claims(&json!({})));
    assert!(world.authenticator.still_valid(&caller));
    world.clock.set(Timestamp((NOW + 360) * 1_000_000));
    assert!(!world.authenticator.still_valid(&caller));
}

/// What a request in flight would find when it looks again.
#[test]
fn a_revoked_token_stops_holding_in_flight() {
    let world = World::new();
    let (_, acting) = world.key(KeyKind::Service, &["search", "act"]);
    let token = world.with_claims(&json!({}));
    let own = world.caller(&token);
    let behalf = world.act(&acting, None, Some(&token)).unwrap();
    let permit = authz::permit::<authz::ExchangeToken>(&world.caller(&acting)).unwrap();
    let request = ExchangeRequest {
        subject_token: token.clone().into(),
        scopes: None,
        collections: None,
        results_max: None,
        ttl_seconds: None,
        purpose: None,
        budget: None,
    };
    let exchanged = world.authenticator.exchange(&permit, &request).now_or_never().unwrap().unwrap();
    let task = world.caller(exchanged.token.expose_secret());
    let callers = [own, behalf, task];
    assert!(callers.iter().all(|caller| world.authenticator.still_valid(caller)));
    let revoke = |target: RevocationTarget| {
        let tenant = TenantId::new("t1").unwrap();
        let revocation = Revocation { tenant, target, expires_at: None, created_at: Timestamp(0) };
        world.authenticator.revocations().insert(revocation);
    };
    let holding = || callers.iter().map(|caller| world.authenticator.still_valid(caller)).collect::<Vec<_>>();
    revoke(RevocationTarget::Token { issuer: TASK_ISSUER.into(), jti: exchanged.id });
    assert_eq!(holding(), [true, true, false]);
    revoke(RevocationTarget::Token { issuer: "https://idp.example".into(), jti: "j1".into() });
    assert_eq!(holding(), [false, false, false]);
    world.check_refused("revoked", &token);
}

#[test]
fn a_rotated_key_holds_in_flight_as_long_as_its_old_secret() {
    let world = World::new();
    let (record, key) = world.key(KeyKind::User, &["search"]);
    let caller = world.caller(&key);
    let rotated = |until: Option<i64>| KeyRecord {
        secret_hash: [9; 32],
        previous: until.map(|until| PreviousSecret { hash: record.secret_hash, until: Timestamp(until) }),
        ..record.clone()
    };
    world.authenticator.keyring().insert(rotated(Some((NOW + 60) * 1_000_000)));
    assert!(world.authenticator.still_valid(&caller));
    world.clock.set(Timestamp((NOW + 60) * 1_000_000));
    assert!(!world.authenticator.still_valid(&caller));
    world.clock.set(Timestamp(NOW * 1_000_000));
    world.authenticator.keyring().insert(rotated(None));
    assert!(!world.authenticator.still_valid(&caller));
    // The old secret, but other rights.
    world.authenticator.keyring().insert(KeyRecord { scopes: Scopes::default(), ..record.clone() });
    assert!(!world.authenticator.still_valid(&caller));
    world.authenticator.keyring().insert(record);
    assert!(world.authenticator.still_valid(&caller));
}

/// A user whom the directory alone knows, and then no longer.
#[test]
fn a_user_whom_the_directory_forgets_stops_holding() {
    let world = World::with(|issuer| {
        issuer.groups = GroupSource::Both { claim: "groups".into(), directory_for_unknown: true };
    });
    let tenant = TenantId::new("t1").unwrap();
    let group = Principal::new("group:eng").unwrap();
    let put = |members: BTreeSet<Principal>, epoch: u64| {
        let change = ringfence_indexes::Change::PutGroup { group: group.clone(), members };
        world.engine.apply(&tenant, epoch, vec![change]).unwrap();
    };
    world.engine.create_tenant(&tenant, [1; 32], 0);
    put(BTreeSet::from([Principal::new("user:alice").unwrap()]), 1);
    let caller = world.caller(&world.with_claims(&json!({"groups": "(absent)", "hasgroups": true})));
    assert!(world.authenticator.still_valid(&caller));
    put(BTreeSet::from([Principal::new("user:bo").unwrap()]), 2);
    assert!(!world.authenticator.still_valid(&caller));
}

#[test]
fn only_the_genuine_key_string_is_taken() {
    let world = World::new();
    let (mut record, key) = world.key(KeyKind::User, &["search"]);
    assert!(world.caller(&key).reads());
    let (body, _) = key.rsplit_once('_').unwrap();
    for (index, _) in key.char_indices() {
        let other = if &key[index..=index] == "0" { "1" } else { "0" };
        world.check_refused("altered", &format!("{}{other}{}", &key[..index], &key[index + 1..]));
    }
    for bad in [body, "rf_", "rf___", &key.to_uppercase(), &format!("{key} "), &format!("{key}_")] {
        world.check_refused(bad, bad);
    }
    let caller = world.caller(&key);
    record.networks = Some(vec!["10.0.0.0/8".into()]);
    world.authenticator.keyring().insert(record.clone());
    assert!(!world.authenticator.still_valid(&caller), "a changed key is looked up anew");
    world.check_refused("network", &key);
    record.networks = None;
    record.expires_at = Some(Timestamp(NOW * 1_000_000));
    world.authenticator.keyring().insert(record.clone());
    world.check_refused("expired", &key);
    world.authenticator.keyring().remove(&record.id);
    world.check_refused("revoked", &key);
}

#[test]
fn a_service_reads_as_whom_it_names() {
    let world = World::new();
    let (_, plain) = world.key(KeyKind::Service, &["search", "ingest"]);
    let caller = world.caller(&plain);
    assert_eq!(authz::permit::<authz::Search>(&caller).err(), Some(authz::Denied::SubjectRequired));
    assert!(authz::permit::<authz::Ingest>(&caller).is_ok() && !caller.writer().principals().is_empty());
    let (_, itself) = world.key(KeyKind::Service, &["search", "read_as_service"]);
    assert!(world.caller(&itself).subject().principals().contains(&Principal::new("service:bot").unwrap()));

    let (_, asserting) = world.key(KeyKind::Service, &["search", "assert"]);
    let caller = world.act(&asserting, Some("user:alice; group:eng"), None).unwrap();
    let names: Vec<_> = caller.subject().principals().iter().map(Principal::as_str).collect();
    assert_eq!(names, ["everyone", "group:eng", "user:alice"]);
    assert_eq!(caller.acting_for().unwrap().as_str(), "user:alice");
    assert_eq!(caller.principal().unwrap().as_str(), "service:bot");
    assert_eq!(world.act(&asserting, Some("alice"), None).err(), Some(Unauthenticated::MalformedActing));
    let missing = Some(Unauthenticated::MissingScope(Scope::Assert));
    assert_eq!(world.act(&plain, Some("user:alice"), None).err(), missing);
    let (_, user) = world.key(KeyKind::User, &["search", "assert"]);
    assert_eq!(world.act(&user, Some("user:alice"), None).err(), missing);
}

#[test]
fn a_service_acts_for_who_shows_a_token_of_the_same_tenant() {
    let world = World::new();
    let (_, acting) = world.key(KeyKind::Service, &["search", "act"]);
    let caller = world.act(&acting, None, Some(&world.with_claims(&json!({})))).unwrap();
    assert_eq!(caller.acting_for().unwrap().as_str(), "user:alice");
    world.clock.set(Timestamp((NOW + 360) * 1_000_000));
    assert!(!world.authenticator.still_valid(&caller));
    world.clock.set(Timestamp(NOW * 1_000_000));
    let other = world.with_claims(&json!({"tenant": "t2"}));
    assert_eq!(world.act(&acting, None, Some(&other)).err(), Some(Unauthenticated::Invalid));
    let expired = world.with_claims(&json!({"exp": NOW - 61}));
    assert_eq!(world.act(&acting, None, Some(&expired)).err(), Some(Unauthenticated::Invalid));
}

#[test]
fn an_operator_reaches_tenants_and_no_content() {
    let world = World::new();
    let (record, key) = world.key(KeyKind::Operator, &["search"]);
    let found = world.show(&key).unwrap();
    assert_eq!(found.caller().err(), Some(authz::Denied::NoContentForOperator));
    assert_eq!(authz::operator_permit(&found).unwrap().operator().key_id(), record.id);
    let (_, user) = world.key(KeyKind::User, &["keys"]);
    assert_eq!(authz::operator_permit(&world.show(&user).unwrap()).err(), Some(authz::Denied::OperatorOnly));
}

#[test]
fn unsafe_key_sets_are_refused() {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let weak = changed(jwk(&key, "w"), &json!({"n": encode(&[0xff; 128])}));
    let cases = [
        (json!({"keys": []}), KeySetError::Empty),
        (json!({"keys": [weak]}), KeySetError::WeakRsa),
        (json!({"keys": [jwk(&key, "a"), jwk(&key, "a")]}), KeySetError::DuplicateKeyId),
        (json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "s"}]}), KeySetError::Symmetric),
        (json!([]), KeySetError::Malformed),
    ];
    for (document, expected) in cases {
        assert_eq!(IssuerKeys::from_jwks(document.to_string().as_bytes()).err(), Some(expected), "{document}");
    }
    assert_eq!(IssuerKeys::from_secret(&[1; 31]).err(), Some(KeySetError::ShortSecret));
}
