//! How many credentials are masked, and how much that looks like one.
//!
//! Every value is put together at run time from a vendor's public form and random letters: nothing here is a credential, and no scanner of pushes sees one.

use std::{collections::BTreeSet, fmt::Write as _};

use ringfence_ingest::{
    redact,
    training::{Data, Random, ratio},
};

use crate::Outcome;

/// Letters of the random parts.
const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEXADECIMAL: &str = "0123456789abcdef";
const SMALL: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const DIGITS: &str = "0123456789";
const PASSWORD: &str = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789!#%+=_.";

/// A part of a value: fixed, or so many random letters.
enum Part {
    Fixed(&'static str),
    Random(&'static str, usize),
}
use Part::{Fixed, Random as Letters};

/// Forms by vendor. The openings are cut in two, so that this file has none of them.
const FORMS: &[(&str, &[Part])] = &[
    ("AWS access key", &[Fixed("AK"), Fixed("IA"), Letters(BASE32, 16)]),
    ("AWS session key", &[Fixed("AS"), Fixed("IA"), Letters(BASE32, 16)]),
    ("GitHub token", &[Fixed("gh"), Fixed("p_"), Letters(ALPHANUMERIC, 36)]),
    ("GitHub app token", &[Fixed("gh"), Fixed("s_"), Letters(ALPHANUMERIC, 36)]),
    (
        "GitHub fine-grained token",
        &[Fixed("github"), Fixed("_pat_"), Letters(ALPHANUMERIC, 22), Fixed("_"), Letters(ALPHANUMERIC, 59)],
    ),
    ("GitLab token", &[Fixed("gl"), Fixed("pat-"), Letters(ALPHANUMERIC, 20)]),
    (
        "Slack bot token",
        &[
            Fixed("xo"),
            Fixed("xb-"),
            Letters(DIGITS, 12),
            Fixed("-"),
            Letters(DIGITS, 12),
            Fixed("-"),
            Letters(ALPHANUMERIC, 24),
        ],
    ),
    (
        "Slack hook",
        &[
            Fixed("https://hooks.sla"),
            Fixed("ck.com/services/T"),
            Letters(BASE32, 8),
            Fixed("/B"),
            Letters(BASE32, 8),
            Fixed("/"),
            Letters(ALPHANUMERIC, 24),
        ],
    ),
    ("Stripe key", &[Fixed("sk_"), Fixed("live_"), Letters(ALPHANUMERIC, 24)]),
    ("Stripe restricted key", &[Fixed("rk_"), Fixed("live_"), Letters(ALPHANUMERIC, 24)]),
    ("Google key", &[Fixed("AI"), Fixed("za"), Letters(ALPHANUMERIC, 35)]),
    ("Google OAuth secret", &[Fixed("GOC"), Fixed("SPX-"), Letters(ALPHANUMERIC, 28)]),
    ("Anthropic key", &[Fixed("sk-"), Fixed("ant-api03-"), Letters(ALPHANUMERIC, 93), Fixed("AA")]),
    ("OpenAI project key", &[Fixed("sk-"), Fixed("proj-"), Letters(ALPHANUMERIC, 48)]),
    ("Hugging Face token", &[Fixed("h"), Fixed("f_"), Letters(ALPHANUMERIC, 34)]),
    ("npm token", &[Fixed("np"), Fixed("m_"), Letters(ALPHANUMERIC, 36)]),
    ("PyPI token", &[Fixed("py"), Fixed("pi-AgEIcHlwaS5vcmc"), Letters(ALPHANUMERIC, 70)]),
    ("SendGrid key", &[Fixed("S"), Fixed("G."), Letters(ALPHANUMERIC, 22), Fixed("."), Letters(ALPHANUMERIC, 43)]),
    ("Twilio key", &[Fixed("S"), Fixed("K"), Letters(HEXADECIMAL, 32)]),
    ("Mailgun key", &[Fixed("ke"), Fixed("y-"), Letters(HEXADECIMAL, 32)]),
    ("DigitalOcean token", &[Fixed("dop"), Fixed("_v1_"), Letters(HEXADECIMAL, 64)]),
    ("Shopify token", &[Fixed("shp"), Fixed("at_"), Letters(HEXADECIMAL, 32)]),
    ("Square token", &[Fixed("sq0"), Fixed("csp-"), Letters(ALPHANUMERIC, 43)]),
    ("Databricks token", &[Fixed("da"), Fixed("pi"), Letters(HEXADECIMAL, 32)]),
    ("Doppler token", &[Fixed("dp."), Fixed("pt."), Letters(ALPHANUMERIC, 43)]),
    ("Grafana token", &[Fixed("gl"), Fixed("sa_"), Letters(ALPHANUMERIC, 32), Fixed("_"), Letters(HEXADECIMAL, 8)]),
    ("Docker token", &[Fixed("dckr"), Fixed("_pat_"), Letters(ALPHANUMERIC, 27)]),
    ("Linear key", &[Fixed("lin_"), Fixed("api_"), Letters(ALPHANUMERIC, 40)]),
    ("Notion token", &[Fixed("nt"), Fixed("n_"), Letters(DIGITS, 11), Letters(ALPHANUMERIC, 35)]),
    ("Atlassian token", &[Fixed("ATA"), Fixed("TT3"), Letters(ALPHANUMERIC, 186)]),
    ("Telegram bot", &[Letters("123456789", 10), Fixed(":AA"), Letters(ALPHANUMERIC, 33)]),
    ("Vault token", &[Fixed("hv"), Fixed("s."), Letters(ALPHANUMERIC, 24)]),
    ("age key", &[Fixed("AGE-SECRET"), Fixed("-KEY-1"), Letters("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)]),
    (
        "web token",
        &[
            Fixed("ey"),
            Fixed("JhbGciOiJIUzI1NiJ9."),
            Fixed("ey"),
            Letters(ALPHANUMERIC, 60),
            Fixed("."),
            Letters(ALPHANUMERIC, 43),
        ],
    ),
    (
        "private key",
        &[
            Fixed("-----BEGIN "),
            Fixed("RSA PRIVATE KEY-----\n"),
            Letters(ALPHANUMERIC, 64),
            Fixed("\n"),
            Letters(ALPHANUMERIC, 64),
            Fixed("\n-----END "),
            Fixed("RSA PRIVATE KEY-----"),
        ],
    ),
];

/// Values without a form: a name or a place tells them.
const UNFORMED: &[(&str, &[Part], &[&str])] = &[
    (
        "password in an address",
        &[Letters(ALPHANUMERIC, 14)],
        &["postgres://app:{}@db.example.com:5432/app", "redis://:{}@cache:6379/0", "amqp://svc:{}@mq.example.com"],
    ),
    ("AWS secret", &[Letters(ALPHANUMERIC, 40)], &["aws_secret_access_key = {}", "AWS_SECRET_ACCESS_KEY={}"]),
    (
        "Azure storage key",
        &[Letters(ALPHANUMERIC, 86), Fixed("==")],
        &["DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={};EndpointSuffix=core.windows.net"],
    ),
    (
        "SQL password",
        &[Letters(PASSWORD, 16)],
        &["Server=db;Database=shop;User Id=app;Password={};", "Data Source=db;User ID=sa;Pwd={};"],
    ),
    (
        "password",
        &[Letters(PASSWORD, 18)],
        &["password = \"{}\"", "DB_PASSWORD={}", "\"password\": \"{}\"", "passwd: {}"],
    ),
    (
        "API key",
        &[Letters(SMALL, 32)],
        &["api_key: {}", "API_KEY=\"{}\"", "\"apiKey\": \"{}\"", "x-api-key: {}", "const apiKey = '{}';"],
    ),
    (
        "client secret",
        &[Letters(ALPHANUMERIC, 40)],
        &["client_secret={}", "\"client_secret\": \"{}\"", "CLIENT_SECRET: {}"],
    ),
    (
        "bearer token",
        &[Letters(ALPHANUMERIC, 40)],
        &["Authorization: Bearer {}", "curl -H \"Authorization: Bearer {}\" https://api.example.com/v1"],
    ),
    ("basic credentials", &[Letters(ALPHANUMERIC, 26), Fixed("==")], &["Authorization: Basic {}"]),
    ("access token", &[Letters(ALPHANUMERIC, 36)], &["access_token: \"{}\"", "ACCESS_TOKEN={}", "auth_token = '{}'"]),
];

/// Where a value with a form may stand.
const PLACES: [&str; 6] = [
    "export TOKEN={}",
    "{\"key\": \"{}\", \"region\": \"eu\"}",
    "Use {} to sign in to the console.",
    "curl -H \"Authorization: Bearer {}\" https://api.example.com/v1/items",
    "- name: deploy\n  value: {}",
    "# old value: {}",
];

/// What looks like a credential and is none; `{}` is filled from the part beside it.
const LOOK_ALIKES: &[(&str, &[Part])] = &[
    ("commit {} fixes the build", &[Letters(HEXADECIMAL, 40)]),
    ("sha256: {}", &[Letters(HEXADECIMAL, 64)]),
    ("image: registry.example.com/app@sha256:{}", &[Letters(HEXADECIMAL, 64)]),
    (
        "Request id {}",
        &[
            Letters(HEXADECIMAL, 8),
            Fixed("-"),
            Letters(HEXADECIMAL, 4),
            Fixed("-4"),
            Letters(HEXADECIMAL, 3),
            Fixed("-a"),
            Letters(HEXADECIMAL, 3),
            Fixed("-"),
            Letters(HEXADECIMAL, 12),
        ],
    ),
    ("ETag: \"{}\"", &[Letters(HEXADECIMAL, 32)]),
    ("integrity=\"sha384-{}\"", &[Letters(ALPHANUMERIC, 64)]),
    ("\"resolved\": \"https://registry.npmjs.org/a/-/a-1.2.3.tgz#{}\"", &[Letters(HEXADECIMAL, 40)]),
    ("fingerprint SHA256:{}", &[Letters(ALPHANUMERIC, 43)]),
    ("version = \"1.{}.0-rc.2\"", &[Letters(DIGITS, 2)]),
    ("ISBN 978-3-16-{}-0", &[Letters(DIGITS, 6)]),
    ("order_key: order-{}", &[Letters(DIGITS, 6)]),
    ("cache_key = f\"user:{user_id}:v{}\"", &[Letters(DIGITS, 1)]),
    ("trace_id={}", &[Letters(HEXADECIMAL, 32)]),
    ("<a href=\"#section-{}\">", &[Letters(SMALL, 8)]),
    ("api_key = os.environ[\"API_KEY_{}\"]", &[Letters(DIGITS, 1)]),
    ("password: ${DB_PASSWORD_{}}", &[Letters(DIGITS, 1)]),
    ("token: <your-token-{}>", &[Letters(DIGITS, 1)]),
    ("API_KEY=your-api-key-here # step {}", &[Letters(DIGITS, 1)]),
    ("secret: xxxxxxxxxxxxxxxx{}", &[Fixed("xx")]),
    ("\"password\": \"********{}\"", &[Fixed("**")]),
    ("access_key = AKIAIOSFODNN7EXAMPLE{}", &[Fixed("")]),
    ("export OPENAI_API_KEY=sk-...{}", &[Fixed("")]),
    ("password_hash_algorithm = \"argon2id-v{}\"", &[Letters(DIGITS, 1)]),
    ("primary_key: customer_number_{}", &[Letters(DIGITS, 1)]),
    ("const token = await getToken(scope{});", &[Letters(DIGITS, 1)]),
    ("token_endpoint: https://login.example.com/oauth2/v{}/token", &[Letters(DIGITS, 1)]),
    ("secretName: database-credentials-{}", &[Letters(DIGITS, 1)]),
    ("the password must have at least {} characters", &[Letters("123456789", 1)]),
    ("keyring: /usr/share/keyrings/debian-archive-{}.gpg", &[Letters(SMALL, 6)]),
    ("max_tokens: 40{}", &[Letters(DIGITS, 2)]),
    ("#{} is the colour of the button", &[Letters(HEXADECIMAL, 6)]),
    ("data:image/png;base64,iVBORw0KGgo{}", &[Letters(ALPHANUMERIC, 60)]),
    ("mac address 00:1a:2b:{}:4d:5e", &[Letters(HEXADECIMAL, 2)]),
    ("auth_token = request.headers.get(\"X-Auth-Token-{}\")", &[Letters(DIGITS, 1)]),
    ("client_id_issued_at: 17{}", &[Letters(DIGITS, 8)]),
    ("password = getpass.getpass(prompt_{})", &[Letters(DIGITS, 1)]),
];

/// So many values of each form.
const EACH: usize = 12;

/// Measures and writes down the shares.
pub(crate) fn write(data: &Data, page: &mut String) -> Outcome<()> {
    let mut random = Random::new(11);
    let (mut found, mut all, mut missed) = (0, 0, BTreeSet::new());
    let mut take = |name: &'static str, value: &str, place: &str| {
        all += 1;
        let text = format!("Some notes.\n{}\nMore notes.", place.replacen("{}", value, 1));
        let redacted = redact(&text, &BTreeSet::new()).text;
        if redacted.contains(value) || redacted == text {
            missed.insert(name);
        } else {
            found += 1;
        }
    };
    for (name, parts) in FORMS {
        for turn in 0..EACH {
            take(name, &made(parts, &mut random), PLACES[turn % PLACES.len()]);
        }
    }
    for (name, parts, places) in UNFORMED {
        for turn in 0..EACH {
            take(name, &made(parts, &mut random), places[turn % places.len()]);
        }
    }
    let (mut hit, mut look_alikes, mut wrong) = (0, 0, BTreeSet::new());
    for (place, parts) in LOOK_ALIKES {
        for _ in 0..EACH {
            look_alikes += 1;
            let text = place.replacen("{}", &made(parts, &mut random), 1);
            if redact(&text, &BTreeSet::new()).text != text {
                hit += 1;
                wrong.insert(*place);
            }
        }
    }
    let documents: Vec<_> = data.honest.iter().filter(|row| row.source == "proddocs").collect();
    let touched = documents.iter().filter(|row| redact(&row.text, &BTreeSet::new()).text != row.text).count();
    writeln!(
        page,
        "Credentials, made at run time: {found} of {all} masked ({:.3}; {} forms and kinds), {hit} of {look_alikes} look-alikes hit ({:.3}), {touched} of {} passages of product documentation hit ({:.4}).{}{}\n",
        ratio(found, all),
        FORMS.len() + UNFORMED.len(),
        ratio(hit, look_alikes),
        documents.len(),
        ratio(touched, documents.len()),
        list(" Missed at times: ", missed),
        list(" Hit at times: ", wrong),
    )?;
    Ok(())
}

fn list(title: &str, names: BTreeSet<&str>) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!("{title}{}.", names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
}

fn made(parts: &[Part], random: &mut Random) -> String {
    let mut value = String::new();
    for part in parts {
        match part {
            Fixed(own) => value.push_str(own),
            Letters(letters, count) => {
                let letters = letters.as_bytes();
                value.extend((0..*count).map(|_| char::from(*random.choose(letters))));
            }
        }
    }
    value
}
