//! Credentials: vendor tokens by their prefix, private keys, web tokens, passwords in URLs and assignments.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use crate::redact::{Match, RedactionKind};

/// Tokens that a vendor gives a recognisable form.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    let alternatives = [
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
        r"gh[pousr]_[A-Za-z0-9]{36,255}",
        r"github_pat_[A-Za-z0-9_]{36,255}",
        r"gl(?:pat|ptt|dt|rt|cbt|soat|ft)-[A-Za-z0-9_-]{20,128}",
        r"xox[abeoprs]-[A-Za-z0-9-]{10,250}",
        r"xapp-[0-9]-[A-Za-z0-9-]{20,250}",
        r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,128}",
        r"whsec_[A-Za-z0-9+/=]{24,128}",
        r"AIza[A-Za-z0-9_-]{35}",
        r"ya29\.[A-Za-z0-9_-]{20,512}",
        r"sk-ant-[A-Za-z0-9_-]{20,256}",
        r"sk-(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{20,256}",
        r"sk-[A-Za-z0-9]{32,128}",
        r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,128}",
        r"(?:SK|AC)[0-9a-f]{32}",
        r"npm_[A-Za-z0-9]{36}",
        r"pypi-[A-Za-z0-9_-]{50,512}",
        r"hf_[A-Za-z0-9]{30,64}",
        r"do[opr]_v1_[0-9a-f]{64}",
        r"dckr_pat_[A-Za-z0-9_-]{20,64}",
        r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
        r"lin_api_[A-Za-z0-9]{32,64}",
        r"glsa_[A-Za-z0-9_]{32,64}",
        r"hvs\.[A-Za-z0-9_-]{24,256}",
        r"rf_[A-Za-z0-9]{4,64}_[A-Za-z0-9]{16,128}_[A-Za-z0-9]{4,16}",
        r"key-[0-9a-f]{32}",
        r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    ];
    compile(&format!(r"\b(?:{})", alternatives.join("|")))
});

static PRIVATE_KEY: LazyLock<Regex> =
    LazyLock::new(|| compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"));

static WEB_TOKEN: LazyLock<Regex> =
    LazyLock::new(|| compile(r"\beyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{0,2048}"));

/// `scheme://user:password@host`; the password is the group.
static URL_PASSWORD: LazyLock<Regex> =
    LazyLock::new(|| compile(r"\b[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s:/@<>\x22'`]{0,128}:([^\s/@<>\x22'`]{1,256})@"));

/// `AccountKey=…` and its like in connection strings.
static CONNECTION: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"(?i)\b(?:AccountKey|SharedAccessKey|SharedAccessSignature|Password|Pwd)=([^\s;,\x22'<>`\[\]]{6,256})(?:;|$|\s|[\x22'])",
    )
});

/// An assignment to something that is named like a secret; the value is the group.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    compile(
        r"(?i)(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|client[_-]?secret|auth[_-]?key|private[_-]?key|encryption[_-]?key|credential)[a-z_-]{0,20}[\x22']?\s{0,4}(?:[:=]|=>|:=)\s{0,4}[\x22'`]?([A-Za-z0-9+/=_.~!@#$%^&*-]{8,256})",
    )
});

/// A bearer credential in a header.
static BEARER: LazyLock<Regex> =
    LazyLock::new(|| compile(r"(?i)\b(?:bearer|basic|token)\s{1,3}([A-Za-z0-9+/=_.~-]{20,1024})"));

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants and tested")
}

/// Finds credentials.
pub(super) fn find(text: &str, found: &mut Vec<Match>) {
    private_keys(text, found);
    let mut push = |kind, range: Range<usize>| found.push(Match { kind, range });
    for token in TOKENS.find_iter(text) {
        push(RedactionKind::ApiKey, token.range());
    }
    for token in WEB_TOKEN.find_iter(text) {
        push(RedactionKind::Jwt, token.range());
    }
    for (pattern, kind) in [(&URL_PASSWORD, RedactionKind::Password), (&CONNECTION, RedactionKind::Password)] {
        for captures in pattern.captures_iter(text) {
            if let Some(value) = captures.get(1).filter(|value| is_value(value.as_str())) {
                push(kind, value.range());
            }
        }
    }
    for captures in ASSIGNMENT.captures_iter(text) {
        let name = captures.get(0).map_or("", |whole| whole.as_str());
        if let Some(value) = captures.get(1).filter(|value| is_value(value.as_str()) && is_random(value.as_str())) {
            push(assigned_kind(name), value.range());
        }
    }
    for captures in BEARER.captures_iter(text) {
        if let Some(value) = captures.get(1).filter(|value| is_random(value.as_str())) {
            push(RedactionKind::ApiKey, value.range());
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
    for begin in PRIVATE_KEY.find_iter(text) {
        if begin.start() < done {
            continue;
        }
        let rest = &text[begin.end()..text.floor_char_boundary(begin.end() + 16_384)];
        let closed = rest.find("-----END ").and_then(|at| {
            let tail = &rest[at + 9..];
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
    !reference && !value.bytes().all(|byte| byte == b'x' || byte == b'X' || byte == b'*' || byte == b'.')
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
