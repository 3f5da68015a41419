//! Credentials: vendor tokens by their prefix, private keys, web tokens, passwords in URLs and assignments.

mod tokens;

use std::sync::LazyLock;

use regex::Regex;

use self::tokens::TOKENS;
use crate::redact::{
    Match, RedactionKind,
    glance::{Glance, LONG_BYTES_MIN, TOKEN_BYTES_MIN},
};

#[cfg(test)]
pub(super) use self::tokens::FORMS;

static PRIVATE_KEY: LazyLock<Regex> =
    LazyLock::new(|| compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"));

static WEB_TOKEN: LazyLock<Regex> =
    LazyLock::new(|| compile(r"(?-u:\b)ey[JI][A-Za-z0-9_-]{8,}\.[A-Za-z0-9_/-]{8,}(?:\.[A-Za-z0-9_/-]*)?"));

/// `scheme://user:password@host`; the password is the group.
static URL_PASSWORD: LazyLock<Regex> = LazyLock::new(|| {
    compile(r"(?-u:\b)[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s:/@<>\x22'`]{0,128}:([^\s/@<>\x22'`]{1,256})@")
});

/// `AccountKey=…` and its like in connection strings.
static CONNECTION: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"(?i)(?-u:\b)(?:AccountKey|SharedAccessKey|SharedAccessSignature|Password|Pwd)=([^\s;,\x22'<>`\[\]]{6,256})(?:;|$|\s|[\x22'])",
    )
});

/// An assignment to something that is named like a secret; the value is the group.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"(?i)(?:password|passwd|passphrase|pwd|secret|token|api[_. -]?key|apikey|access[_. -]?key|auth[_. -]?key|private[_. -]?key|encryption[_. -]?key|signing[_. -]?key|account[_. -]?key|credential|creds|client[_. -]?id|app[_. -]?key|[a-z0-9]_key|-key|authorization)[a-z0-9_.-]{0,24}[\x22'`\]]{0,2}[ \t]{0,4}(?:[:=]|=>|:=|\|\||,)[ \t]{0,4}[\x22'`]{0,3}([A-Za-z0-9+/=_.~!@#$%^&*-]{8,})",
    )
});

/// A bearer credential in a header.
static BEARER: LazyLock<Regex> =
    LazyLock::new(|| compile(r"(?i)(?-u:\b)(?:bearer|basic|token)\s{1,3}([A-Za-z0-9+/=_.~-]{20,})"));

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants and tested")
}

/// Finds credentials.
pub(super) fn find(text: &str, glance: &Glance, found: &mut Vec<Match>) {
    private_keys(text, found);
    if glance.word_bytes >= TOKEN_BYTES_MIN {
        vendor_tokens(text, found);
    }
    if glance.word_bytes >= LONG_BYTES_MIN {
        let token = |range| Match { kind: RedactionKind::Jwt, range };
        found.extend(WEB_TOKEN.find_iter(text).map(|found| token(found.range())));
    }
    for (pattern, may_be) in [(&URL_PASSWORD, glance.colons >= 2), (&CONNECTION, glance.equals)] {
        if may_be {
            passwords(pattern, text, found);
        }
    }
    if glance.assigns {
        assignments(text, found);
    }
    if glance.word_bytes >= LONG_BYTES_MIN {
        let values = BEARER.captures_iter(text).filter_map(|captures| captures.get(1));
        let values = values.filter(|value| is_random(value.as_str()));
        found.extend(values.map(|value| Match { kind: RedactionKind::ApiKey, range: value.range() }));
    }
}

fn vendor_tokens(text: &str, found: &mut Vec<Match>) {
    let tokens = TOKENS.find_iter(text).filter(|token| !is_sample(token.as_str()));
    found.extend(tokens.map(|token| Match { kind: RedactionKind::ApiKey, range: token.range() }));
}

fn passwords(pattern: &Regex, text: &str, found: &mut Vec<Match>) {
    let values = pattern.captures_iter(text).filter_map(|captures| captures.get(1));
    let values = values.filter(|value| is_value(value.as_str()));
    found.extend(values.map(|value| Match { kind: RedactionKind::Password, range: value.range() }));
}

fn assignments(text: &str, found: &mut Vec<Match>) {
    for captures in ASSIGNMENT.captures_iter(text) {
        let (Some(whole), Some(value)) = (captures.get(0), captures.get(1)) else { continue };
        // A placeholder is named like a secret, and is none.
        let masked = text[..whole.start()].ends_with("[redacted:");
        if !masked && is_value(value.as_str()) && is_random(value.as_str()) {
            found.push(Match { kind: assigned_kind(whole.as_str()), range: value.range() });
        }
    }
}

fn assigned_kind(name: &str) -> RedactionKind {
    let name = name.get(..4).unwrap_or_default().to_ascii_lowercase();
    if name == "pass" { RedactionKind::Password } else { RedactionKind::ApiKey }
}

/// A key block up to its end line; without one, as far as lines look like a key.
fn private_keys(text: &str, found: &mut Vec<Match>) {
    let mut done = 0;
    let mut next_end = Some(0);
    for begin in PRIVATE_KEY.find_iter(text) {
        if begin.start() < done {
            continue;
        }
        // One search ahead serves every opening before what it finds.
        if next_end.is_some_and(|at| at < begin.end()) {
            next_end = text[begin.end()..].find("-----END ").map(|at| begin.end() + at);
        }
        let rest = &text[begin.end()..text.floor_char_boundary(begin.end() + 16_384)];
        let closed = next_end.map(|at| at - begin.end()).filter(|at| at + 9 <= rest.len()).and_then(|at| {
            let tail = &rest[at + 9..rest.floor_char_boundary(at + 80)];
            tail.find("-----").map(|end| at + 9 + end + 5)
        });
        let body =
            || rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=\r\n\\ ".contains(byte)).count();
        done = begin.end() + closed.unwrap_or_else(body);
        found.push(Match { kind: RedactionKind::PrivateKey, range: begin.start()..done });
    }
}

/// Neither a placeholder that is already there nor a reference to something else.
fn is_value(value: &str) -> bool {
    let reference = value.starts_with(['$', '%', '<', '{', '*']) || value.starts_with("redacted:");
    !reference && !is_sample(value)
}

/// What documentation writes where a secret would stand: one letter over and over, or words that say so.
fn is_sample(value: &str) -> bool {
    let body = value.rsplit(['_', '-', '.', '=']).next().unwrap_or(value);
    let body = if body.len() >= 8 { body } else { value };
    let distinct = body.bytes().collect::<std::collections::BTreeSet<u8>>().len();
    let lower = value.to_ascii_lowercase();
    let says_so = [
        "example",
        "your_",
        "your-",
        "yourtoken",
        "yourkey",
        "placeholder",
        "changeme",
        "change_me",
        "xxxxx",
        "dummy",
        "sample",
        "redacted",
    ]
    .iter()
    .any(|word| lower.contains(word));
    distinct <= 4 || says_so
}

/// Whether a value looks drawn at random: mixed classes and enough entropy for its length.
fn is_random(value: &str) -> bool {
    if value.len() < 8 {
        return false;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let marks = value.len() - digits - letters;
    let upper = value.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower = value.bytes().any(|byte| byte.is_ascii_lowercase());
    let code_like = value.contains("::") || value.contains('(') || value.matches('.').count() > 1 && digits == 0;
    let mixed = digits >= 2 && letters >= 2 || (marks >= 1 && digits >= 1 && upper && lower);
    // A word with a number behind it is a name: `order-123456`.
    let is_name = !upper
        && value.rsplit_once(['-', '_']).is_some_and(|(word, number)| {
            let digits = number.trim_start_matches('v');
            word.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b'2'))
                && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
    if is_name {
        return false;
    }
    let needed = if value.len() < 16 { 2.8 } else { 3.2 };
    mixed && !code_like && entropy(value) >= needed
}

/// Shannon entropy in bits a byte.
fn entropy(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let len = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX));
    let share = |count: u32| f64::from(count) / len;
    counts.iter().filter(|count| **count > 0).map(|count| -share(*count) * share(*count).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::Match;
    use crate::redact::glance::Glance;

    fn find(text: &str, found: &mut Vec<Match>) {
        super::find(text, &Glance::of(text), found);
    }

    /// A value that looks drawn at random, made here so that none stands in the repository.
    fn random(len: usize, alphabet: &str) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let mut state = 88_172_645_463_325_252_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % 1000).unwrap()
        };
        (0..len).map(|_| alphabet[next() % alphabet.len()]).collect()
    }

    fn letters(len: usize) -> String {
        random(len, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    }

    fn hex(len: usize) -> String {
        random(len, "0123456789abcdef")
    }

    fn upper(len: usize) -> String {
        random(len, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    }

    #[test]
    fn vendor_tokens_are_found() {
        let tokens = [
            format!("AKIA{}", upper(16)),
            format!("ghp_{}", letters(36)),
            format!("glpat-{}", letters(20)),
            format!("xoxb-{}-{}-{}", random(12, "0123456789"), random(12, "0123456789"), letters(24)),
            format!("sk_live_{}", letters(24)),
            format!("AIza{}", letters(35)),
            format!("sk-ant-api03-{}", letters(93)),
            format!("SG.{}.{}", letters(22), letters(43)),
            format!("npm_{}", letters(36)),
            format!("hf_{}", letters(34)),
            format!("dop_v1_{}", hex(64)),
            format!("shpat_{}", hex(32)),
            format!("dapi{}", hex(32)),
            format!("NRAK-{}", upper(27)),
            format!("PMAK-{}-{}", hex(24), hex(34)),
            format!("hvs.{}", letters(90)),
            format!("https://hooks.slack.com/services/T{}/B{}/{}", upper(8), upper(10), letters(24)),
            format!("eyJ{}.eyJ{}.{}", letters(20), letters(40), letters(43)),
            format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----", letters(64)),
        ];
        for token in tokens {
            let text = format!("the key is {token} and no other");
            let mut found = Vec::new();
            find(&text, &mut found);
            assert!(found.iter().any(|found| text[found.range.clone()] == token), "{token} {found:?}");
        }
    }

    #[test]
    fn assigned_secrets_are_found() {
        for (before, value, after) in [
            ("password = \"", format!("{}-x9", letters(14)), "\""),
            ("API_KEY=", hex(32), "\n"),
            ("\"client_secret\": \"", letters(40), "\","),
            ("postgres://app:", letters(16), "@db.internal/app"),
            ("Authorization: Bearer ", letters(40), "\n"),
        ] {
            let text = format!("{before}{value}{after}");
            let mut found = Vec::new();
            find(&text, &mut found);
            assert!(found.iter().any(|found| text[found.range.clone()].contains(&value)), "{text}");
        }
    }

    #[test]
    fn look_alikes_stay() {
        for text in [
            "AKIAIOSFODNN7EXAMPLE and ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
            format!("sha256 {} and commit {}", hex(64), hex(40)),
            "id 550e8400-e29b-41d4-a716-446655440000".to_owned(),
            "password = os.environ[\"DB_PASSWORD\"], token: ${TOKEN}, api_key: <your key>".to_owned(),
            "let token = tokens.next_token(); secret: Option<SecretString>".to_owned(),
            "The password must have at least 12 characters: letters, digits".to_owned(),
        ] {
            let mut found = Vec::new();
            find(&text, &mut found);
            assert!(
                found.is_empty(),
                "{text} {:?}",
                found.iter().map(|found| &text[found.range.clone()]).collect::<Vec<_>>()
            );
        }
    }
}
