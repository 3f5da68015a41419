//! Checks of a running server, as a client sees it.

use reqwest::Method;
use secrecy::SecretString;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::Check;
use crate::{
    cli::{
        client::{Client, ClientError},
        failure::Failure,
        options::{Context, ServerOptions},
    },
    clock::Clock,
};

/// Tokens are refused beyond their leeway of 30 seconds, so clocks may not differ by more.
const SKEW_SECONDS_MAX: i64 = 30;
const REMEDY_LOG: &str = "the server's log says why";

/// Checks everything that can be seen from outside.
pub(super) async fn examine(context: &Context, options: &ServerOptions) -> Result<Vec<Check>, Failure> {
    // Health needs no credential; one that is no key at all is never verified.
    let client = Client::new(&options.url(context), &SecretString::from("none"))?;
    let mut checks = vec![encryption(&client)];
    let health = match client.send_raw(client.request(Method::GET, &["healthz"])).await {
        Ok(answer) => answer,
        Err(error) => {
            checks.push(Check::failed("server", error.to_string(), error.remedy().unwrap_or(REMEDY_LOG)));
            return Ok(checks);
        }
    };
    checks.push(Check::that(
        "server",
        health.status.is_success(),
        format!("{} answers {}", client.server().as_str().trim_end_matches('/'), health.status),
        REMEDY_LOG,
    ));
    let ready = client.send_raw(client.request(Method::GET, &["readyz"])).await;
    checks.push(match ready {
        Ok(answer) => {
            Check::that("ready", answer.status.is_success(), format!("answers {}", answer.status), REMEDY_LOG)
        }
        Err(error) => Check::failed("ready", error.to_string(), REMEDY_LOG),
    });
    checks.push(version(&client).await);
    checks.push(clock(health.date.as_deref(), Clock::System.now().0.div_euclid(1_000_000)));
    checks.push(match options.client(context) {
        Ok(client) => key(&client).await,
        Err(_) => Check::left("key", "no key was given: pass `--key` or set RINGFENCE_KEY"),
    });
    Ok(checks)
}

fn encryption(client: &Client) -> Check {
    let remedy = "serve with [tls] or behind a proxy that terminates TLS, and use https://";
    let what = if client.is_encrypted() { "TLS" } else { "none, on this machine" };
    if client.is_encrypted() || client.is_on_this_machine() {
        Check::well("encryption", what)
    } else {
        Check::failed("encryption", format!("keys travel in the clear to {}", client.server()), remedy)
    }
}

async fn version(client: &Client) -> Check {
    let own = env!("CARGO_PKG_VERSION");
    match client.send(client.request(Method::GET, &["openapi.json"])).await {
        Ok(description) => match description["info"]["version"].as_str() {
            Some(version) => Check::that(
                "version",
                version == own,
                format!("server {version}, this command {own}"),
                "use the command of the server's version",
            ),
            None => Check::failed(
                "version",
                "the server does not say its version",
                "check the address: is it a Ringfence server?",
            ),
        },
        Err(error) => Check::failed("version", error.to_string(), error.remedy().unwrap_or(REMEDY_LOG)),
    }
}

/// Compares the server's `Date` with the clock here, which has been read after it.
fn clock(date: Option<&str>, now_seconds: i64) -> Check {
    let Some(date) = date.and_then(|date| OffsetDateTime::parse(&date.replace("GMT", "+0000"), &Rfc2822).ok()) else {
        return Check::left("clock", "the server does not say its time");
    };
    let skew = now_seconds - date.unix_timestamp();
    Check::that(
        "clock",
        skew.abs() <= SKEW_SECONDS_MAX,
        format!("{} s apart from this machine", skew.abs()),
        "set the clocks of both machines, best by NTP: tokens and ACL windows depend on them",
    )
}

/// Whether the key is taken, and for what.
async fn key(client: &Client) -> Check {
    let refused = |error: &ClientError| Check::failed("key", error.to_string(), error.remedy().unwrap_or(REMEDY_LOG));
    match client.send(client.request(Method::GET, &["v1", "collections"])).await {
        Ok(answer) => Check::well("key", format!("taken; {} visible", collections(&answer))),
        Err(error) if error.code() == Some("no_content_for_operator") => {
            match client.send(client.request(Method::GET, &["v1", "tenants"])).await {
                Ok(_) => Check::well("key", "taken; an operator's, which reaches no content"),
                Err(error) => refused(&error),
            }
        }
        // Only a genuine key is told what it lacks.
        Err(ClientError::Refused(refusal)) if refusal.status == 403 => {
            Check::well("key", "taken; it may not list collections")
        }
        Err(error) => refused(&error),
    }
}

fn collections(answer: &Value) -> String {
    let count = answer.as_object().and_then(|page| page.values().find_map(Value::as_array)).map_or(0, Vec::len);
    crate::cli::output::counted(count as u64, "collection", "collections")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_a_little() {
        let date = Some("Wed, 25 Nov 2026 10:00:00 GMT");
        let at = 1_795_600_800;
        assert!(!clock(date, at).is_failed() && !clock(date, at + 30).is_failed());
        assert!(clock(date, at + 31).is_failed() && clock(date, at - 31).is_failed());
        assert!(!clock(None, at).is_failed() && !clock(Some("yesterday"), at).is_failed());
    }
}
