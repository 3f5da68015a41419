//! What it costs to know who asks: an API key, a token of each algorithm, a token for a task. Goal: 150 µs at the median.

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{self, KeyPair as _, RsaKeyPair},
};
use criterion::{Criterion, criterion_group, criterion_main};
use data_encoding::BASE64URL_NOPAD;
use futures_util::FutureExt as _;
use ringfence::{
    authn::{
        Algorithm, Authenticator, AuthenticatorParts, CredentialHeaders, DevelopmentClaims, DevelopmentIssuer,
        ExchangeRequest, GroupSource, Issuer, IssuerKeys, KeyHasher, KeyKind, KeyRecord, KeySource, Keyring, NewKey,
        TaskTokens, TenantSource,
    },
    authz::{self, Scopes},
    clock::Clock,
    entropy::Entropy,
    seal::MasterKey,
};
use ringfence_indexes::{Engine, Principal, TenantId, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

const NOW: i64 = 1_800_000_000;
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// A caller in as many groups as a large company's people are.
const GROUPS: usize = 50;

/// An RSA key of an issuer, and a token that it signed.
fn rsa() -> (IssuerKeys, String) {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der = key.public_key().as_ref();
    let modulus = BASE64URL_NOPAD.encode(&der[9..265]);
    let set = json!({"keys": [{"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig", "n": modulus, "e": "AQAB"}]});
    let groups: Vec<String> = (0..GROUPS).map(|number| format!("group-{number}")).collect();
    let claims = json!({
        "iss": "https://idp.example", "aud": "ringfence", "sub": "alice", "groups": groups, "jti": "j1",
        "iat": NOW - 10, "exp": NOW + 300,
    });
    let part = |text: String| BASE64URL_NOPAD.encode(text.as_bytes());
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "k"});
    let signed = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
    let mut bytes = vec![0; key.public_modulus_len()];
    key.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut bytes).expect("signs");
    let keys = IssuerKeys::from_jwks(set.to_string().as_bytes()).expect("a key set");
    (keys, format!("{signed}.{}", BASE64URL_NOPAD.encode(&bytes)))
}

fn issuer(keys: IssuerKeys) -> Issuer {
    Issuer {
        issuer: "https://idp.example".into(),
        audience: "ringfence".into(),
        algorithms: vec![Algorithm::RS256],
        tenant: TenantSource::Fixed(tenant()),
        subject_claim: "sub".into(),
        groups: GroupSource::Both { claim: "groups".into(), directory_for_unknown: false },
        groups_optional: false,
        attributes: BTreeMap::new(),
        attributes_claim: None,
        scopes: Scopes::from_names(["search", "read"]).expect("scopes"),
        scope_claim: None,
        leeway_seconds: 30,
        max_lifetime_seconds: 86_400,
        keys: KeySource::fixed(keys),
    }
}

fn tenant() -> TenantId {
    TenantId::new("acme").expect("a name")
}

/// A service's key that may act for people, and its string.
fn application(keyring: &Keyring, entropy: &Entropy) -> SecretString {
    let new = NewKey::generate(entropy, keyring.hasher());
    keyring.insert(KeyRecord {
        id: new.id,
        tenant: Some(tenant()),
        kind: KeyKind::Service,
        name: "bench".into(),
        subject: Principal::new("service:bench").ok(),
        scopes: Scopes::from_names(["search", "read", "act", "read_as_service"]).expect("scopes"),
        collections: None,
        groups: BTreeSet::new(),
        attributes: BTreeMap::new(),
        networks: None,
        expires_at: None,
        created_at: Timestamp(0),
        secret_hash: new.secret_hash,
        previous: None,
    });
    new.key
}

fn authentication(criterion: &mut Criterion) {
    let (master, entropy) = (MasterKey::new([1; 32]), Arc::new(Entropy::seeded([2; 32])));
    let clock = Arc::new(Clock::fixed(Timestamp(NOW * 1_000_000)));
    let keyring = Arc::new(Keyring::new(KeyHasher::new([7; 32])));
    let key = application(&keyring, &entropy);
    for _ in 0..10_000 {
        application(&keyring, &entropy);
    }
    let (keys, rs256) = rsa();
    let development = DevelopmentIssuer::derive(&master);
    let claims = DevelopmentClaims {
        tenant: tenant(),
        subject: Principal::new("user:alice").expect("a name"),
        groups: (0..GROUPS).map(|number| Principal::group(&format!("group-{number}")).expect("a name")).collect(),
        attributes: BTreeMap::new(),
        scopes: Scopes::from_names(["search", "read"]).expect("scopes"),
        ttl_seconds: 300,
    };
    let eddsa = development.mint(&claims, clock.now(), &entropy).expose_secret().to_owned();
    let authenticator = Authenticator::new(AuthenticatorParts {
        keyring,
        issuers: vec![issuer(keys), development.issuer()],
        certificates: Vec::new(),
        revocations: Arc::default(),
        tasks: TaskTokens::new(&master, &entropy),
        engine: Arc::new(Engine::new()),
        clock,
        entropy,
    });
    let authenticate = |credential: &str| {
        let authorization = format!("Bearer {credential}");
        let headers = CredentialHeaders { authorization: Some(&authorization), ..CredentialHeaders::default() };
        let found = authenticator.authenticate(&headers, PEER).now_or_never().expect("nothing is fetched");
        found.expect("a good credential").caller().expect("of a tenant").clone()
    };
    let permit = authz::permit::<authz::ExchangeToken>(&authenticate(key.expose_secret())).expect("has the scope");
    let request = ExchangeRequest {
        subject_token: SecretString::from(rs256.clone()),
        scopes: None,
        collections: None,
        results_max: None,
        ttl_seconds: None,
        purpose: None,
        budget: None,
    };
    let task = authenticator.exchange(&permit, &request).now_or_never().expect("nothing is fetched").expect("a token");
    let mut group = criterion.benchmark_group("authentication");
    for (name, credential) in
        [("key", key.expose_secret()), ("rs256", &rs256), ("eddsa", &eddsa), ("task", task.token.expose_secret())]
    {
        group.bench_function(name, |bencher| bencher.iter(|| black_box(authenticate(black_box(credential)))));
    }
    group.finish();
}

criterion_group!(benches, authentication);
criterion_main!(benches);
