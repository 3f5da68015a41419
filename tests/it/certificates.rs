//! Client certificates: who a program is that shows one, over TLS to a real server.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use reqwest::{Certificate, Client, Identity, Method, tls::Version};
use ringfence::config::{Config, TlsConfig};
use ringfence_indexes::Timestamp;
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};
use tokio::runtime::Runtime;

use crate::harness::{NOW, SECOND, Server, claims, issuer, merged, mint};

/// The certificates are valid from a day before the tests' clock on.
const BEGIN: OffsetDateTime = datetime!(2026-11-01 09:00 UTC);
const END: OffsetDateTime = datetime!(2036-11-01 09:00 UTC);

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.not_before, params.not_after) = (BEGIN, END);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, as PEM, and the SHA-256 of the certificate.
struct Shown {
    pem: String,
    fingerprint: [u8; 32],
}

fn certificate(authority: &Authority, name: &str, names: Vec<SanType>, end: OffsetDateTime) -> Shown {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = names;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    (params.not_before, params.not_after) = (BEGIN, end);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der());
    Shown {
        pem: format!("{}{}", certificate.pem(), key.serialize_pem()),
        fingerprint: digest.as_ref().try_into().unwrap(),
    }
}

fn uri(text: &str) -> Vec<SanType> {
    vec![SanType::URI(text.try_into().unwrap())]
}

struct World {
    server: Server,
    runtime: Runtime,
    server_authority: String,
    clients: Authority,
    operator: String,
}

impl World {
    fn start(sections: &[Value]) -> Self {
        let (servers, clients) = (authority("servers"), authority("clients"));
        let own = certificate(&servers, "server", vec![SanType::IpAddress([127, 0, 0, 1].into())], END);
        let server = Server::start_with(|config, folder| {
            config.tls = Some(tls(folder, &own, &clients));
            config.issuer = vec![issuer(folder, "acme")];
            set(config, sections);
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let operator = server.operator().credential().to_owned();
        let world = Self { server, runtime, server_authority: servers.pem(), clients, operator };
        let nobody = world.client(None);
        let operator = world.operator.clone();
        let ask = |method, path: &str, credential: &str, body: &Value| {
            let answer = world.send(&nobody, method, path, &[("authorization", &format!("Bearer {credential}"))], body);
            assert!(matches!(answer.0, 200 | 201), "{answer:?}");
            answer.1
        };
        ask(Method::POST, "/v1/tenants", &operator, &json!({"id": "acme", "name": "Acme"}));
        let form = json!({
            "tenant": "acme", "kind": "service", "name": "admin", "scopes": ["collections", "ingest"],
        });
        let key = ask(Method::POST, "/v1/keys", &operator, &form)["key"].as_str().unwrap().to_owned();
        // Different texts: of near duplicates a search gives one.
        for (name, allow, text) in [
            ("open", "everyone", "keys are rotated every ninety days"),
            ("wiki", "service:wiki", "who holds rotated keys tells the program of the wiki"),
            ("alice", "user:alice", "a note to myself about keys and why they rotated last week"),
        ] {
            ask(Method::PUT, &format!("/v1/collections/{name}"), &key, &json!({}));
            let document = json!({"text": text, "acl": {"allow": [allow]}});
            ask(Method::PUT, &format!("/v1/collections/{name}/documents/d"), &key, &document);
        }
        world
    }

    fn client(&self, shown: Option<&Shown>) -> Client {
        self.client_of(shown, None)
    }

    fn client_of(&self, shown: Option<&Shown>, version: Option<Version>) -> Client {
        let trusted = Certificate::from_pem(self.server_authority.as_bytes()).unwrap();
        let mut builder = Client::builder().tls_certs_only([trusted]).no_proxy().timeout(Duration::from_secs(60));
        if let Some(shown) = shown {
            builder = builder.identity(Identity::from_pem(shown.pem.as_bytes()).unwrap());
        }
        if let Some(version) = version {
            builder = builder.tls_version_max(version);
        }
        builder.build().unwrap()
    }

    fn send(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (u16, Value) {
        let url = format!("https://{}{path}", self.server.address());
        let mut request = client.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json().await.unwrap_or_default())
        })
    }

    /// The collections that a search finds something in, sorted; or the status of its refusal.
    fn found(&self, client: &Client, headers: &[(&str, &str)]) -> Result<Vec<String>, u16> {
        let form = json!({"query": "rotated keys", "top_k": 100, "format": "none"});
        let (status, body) = self.send(client, Method::POST, "/v1/search", headers, &form);
        if status != 200 {
            return Err(status);
        }
        let hits = body["results"].as_array().unwrap().iter();
        let mut names: Vec<String> = hits.map(|hit| hit["collection"].as_str().unwrap().to_owned()).collect();
        names.sort();
        Ok(names)
    }
}

fn tls(folder: &Path, own: &Shown, clients: &Authority) -> TlsConfig {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    TlsConfig {
        cert_file: write("server.crt", &own.pem),
        key_file: write("server.key", &own.pem),
        client_ca_file: Some(write("clients.crt", &clients.pem())),
    }
}

fn set(config: &mut Config, sections: &[Value]) {
    config.client_certificate =
        sections.iter().map(|section| serde_json::from_value(section.clone()).unwrap()).collect();
}

fn section(name: &Value, scopes: &[&str]) -> Value {
    merged(name.clone(), &json!({"tenant": "acme", "principal": "service:wiki", "scopes": scopes}))
}

const WIKI: &str = "spiffe://acme.example/wiki";

#[test]
fn a_program_is_whom_its_certificate_is_mapped_to() {
    let world = World::start(&[
        section(&json!({"uri": WIKI}), &["search", "read_as_service"]),
        section(&json!({"dns": "gateway.acme.example"}), &["search", "assert", "act"]),
        section(&json!({"subject": "CN=limited", "collections": ["open"]}), &["search", "read_as_service"]),
    ]);
    let wiki = world.client(Some(&certificate(&world.clients, "wiki", uri(WIKI), END)));
    assert_eq!(world.found(&wiki, &[]), Ok(vec!["open".into(), "wiki".into()]));
    let (status, _) = world.send(&wiki, Method::PUT, "/v1/collections/x", &[], &json!({}));
    assert_eq!(status, 403, "a scope that the mapping does not give");

    let dns = vec![SanType::DnsName("Gateway.acme.example".try_into().unwrap())];
    let gateway = world.client(Some(&certificate(&world.clients, "gateway", dns, END)));
    assert_eq!(world.found(&gateway, &[]), Err(403), "it names nobody, and reads nothing as itself");
    assert_eq!(world.found(&gateway, &[("ringfence-as", "user:alice")]), Ok(vec!["alice".into(), "open".into()]));
    let token = mint(&claims("alice", &[]));
    let behalf = [("ringfence-on-behalf-of", token.as_str())];
    assert_eq!(world.found(&gateway, &behalf), Ok(vec!["alice".into(), "open".into()]));

    let limited = world.client(Some(&certificate(&world.clients, "limited", vec![], END)));
    assert_eq!(world.found(&limited, &[]), Ok(vec!["open".into()]));
    // TLS 1.2 as well as 1.3.
    let old = world.client_of(Some(&certificate(&world.clients, "wiki", uri(WIKI), END)), Some(Version::TLS_1_2));
    assert_eq!(world.found(&old, &[]), Ok(vec!["open".into(), "wiki".into()]));
}

#[test]
fn who_is_not_mapped_is_nobody() {
    let world = World::start(&[
        section(&json!({"uri": WIKI}), &["search", "read_as_service"]),
        section(&json!({"subject": "CN=twice"}), &["search", "read_as_service"]),
    ]);
    assert_eq!(world.found(&world.client(None), &[]), Err(401));
    for (name, names) in [("other", uri("spiffe://acme.example/other")), ("other", uri(&format!("{WIKI}/x")))] {
        assert_eq!(world.found(&world.client(Some(&certificate(&world.clients, name, names, END))), &[]), Err(401));
    }
    // Two sections fit: it is not said who asks.
    let twice = world.client(Some(&certificate(&world.clients, "twice", uri(WIKI), END)));
    assert_eq!(world.found(&twice, &[]), Err(401));
    // Signed by somebody else: there is no connection.
    let stranger = world.client(Some(&certificate(&authority("clients"), "wiki", uri(WIKI), END)));
    let url = format!("https://{}/readyz", world.server.address());
    assert!(world.runtime.block_on(async { stranger.get(url).send().await }).is_err());
}

/// A bearer credential counts; the certificate authenticates a request that shows none.
#[test]
fn a_bearer_credential_stands_over_the_certificate() {
    let world = World::start(&[section(&json!({"uri": WIKI}), &["search", "read_as_service"])]);
    let shown = certificate(&world.clients, "wiki", uri(WIKI), END);
    let wiki = world.client(Some(&shown));
    let bearer = |token: &str| format!("Bearer {token}");
    let alice = bearer(&mint(&claims("alice", &[])));
    assert_eq!(world.found(&wiki, &[("authorization", &alice)]), Ok(vec!["alice".into(), "open".into()]));
    assert_eq!(world.found(&wiki, &[("authorization", "Bearer nonsense")]), Err(401));
    assert_eq!(world.found(&wiki, &[("authorization", "")]), Err(401));

    // A token that is bound to a certificate holds beside that one alone (RFC 8705).
    let bound = |thumbprint: &[u8]| {
        let thumbprint = data_encoding::BASE64URL_NOPAD.encode(thumbprint);
        bearer(&mint(&merged(claims("alice", &[]), &json!({"cnf": {"x5t#S256": thumbprint}}))))
    };
    let own = bound(&shown.fingerprint);
    assert_eq!(world.found(&wiki, &[("authorization", &own)]), Ok(vec!["alice".into(), "open".into()]));
    assert_eq!(world.found(&world.client(None), &[("authorization", &own)]), Err(401));
    assert_eq!(world.found(&wiki, &[("authorization", &bound(&[7; 32]))]), Err(401));
    // A proof that is not understood here.
    let other = bearer(&mint(&merged(claims("alice", &[]), &json!({"cnf": {"jkt": "x"}}))));
    assert_eq!(world.found(&wiki, &[("authorization", &other)]), Err(401));
}

#[test]
fn a_certificate_ends_with_its_time_and_its_section() {
    let mut world = World::start(&[section(&json!({"uri": WIKI}), &["search", "read_as_service"])]);
    // The TLS layer goes by the machine's own time, the server by the clock of the test.
    let shown = certificate(&world.clients, "wiki", uri(WIKI), END);
    let wiki = world.client(Some(&shown));
    assert!(world.found(&wiki, &[]).is_ok());
    let end = END.unix_timestamp() * SECOND;
    world.server.clock.set(Timestamp(end + SECOND - 1));
    assert!(world.found(&wiki, &[]).is_ok(), "its last second");
    world.server.clock.set(Timestamp(end + SECOND));
    assert_eq!(world.found(&wiki, &[]), Err(401), "on a connection that outlives it");
    world.server.clock.set(NOW);
    world.server.configure(|config| set(config, &[]));
    world.server.restart();
    assert_eq!(world.found(&world.client(Some(&shown)), &[]), Err(401), "its section was taken out");
}

#[test]
fn a_fingerprint_fits_one_certificate() {
    let mut world = World::start(&[]);
    let (one, other) =
        (certificate(&world.clients, "wiki", uri(WIKI), END), certificate(&world.clients, "wiki", uri(WIKI), END));
    let fingerprint = data_encoding::HEXUPPER.encode(&one.fingerprint);
    let scopes = ["search", "read_as_service"];
    world.server.configure(|config| set(config, &[section(&json!({"fingerprint": fingerprint}), &scopes)]));
    world.server.restart();
    assert!(world.found(&world.client(Some(&one)), &[]).is_ok());
    assert_eq!(world.found(&world.client(Some(&other)), &[]), Err(401));
}

#[test]
fn sections_that_say_nothing_or_too_much_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let clients = authority("clients");
    let own = certificate(&clients, "server", vec![], END);
    let check = |sections: &[Value], has_authority: bool| {
        let mut config = Config { tls: Some(tls(folder.path(), &own, &clients)), ..Config::default() };
        if !has_authority {
            config.tls.as_mut().unwrap().client_ca_file = None;
        }
        set(&mut config, sections);
        config.certificates().map(|mappings| mappings.len()).map_err(|refused| refused.reason)
    };
    let good = section(&json!({"uri": WIKI}), &["search"]);
    assert_eq!(check(std::slice::from_ref(&good), true), Ok(1));
    assert!(check(std::slice::from_ref(&good), false).is_err());
    assert!(check(&[good.clone(), good.clone()], true).is_err());
    for bad in [
        section(&json!({}), &["search"]),
        section(&json!({"uri": ""}), &["search"]),
        section(&json!({"uri": WIKI, "dns": "a"}), &["search"]),
        section(&json!({"fingerprint": "abcd"}), &["search"]),
        section(&json!({"uri": WIKI}), &["root"]),
        merged(good.clone(), &json!({"principal": "user:alice"})),
        merged(good.clone(), &json!({"principal": "wiki"})),
        merged(good.clone(), &json!({"tenant": "no such name"})),
        merged(good, &json!({"collections": ["../x"]})),
    ] {
        assert!(check(std::slice::from_ref(&bad), true).is_err(), "{bad}");
    }
}
