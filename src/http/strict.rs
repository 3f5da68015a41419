//! What a request must be before any route sees it: one meaning, plain encoding, bounded head.

use axum::http::{Method, Version, header, request::Parts};

use super::{
    inspector::Violation,
    problem::{Code, Problem},
    settings::HttpSettings,
};

/// Refuses what the server does not want to interpret; `violation` is what the connection's inspector found.
pub(super) fn check(parts: &Parts, violation: Option<Violation>, settings: &HttpSettings) -> Result<(), Problem> {
    if let Some(violation) = violation {
        return Err(Problem::new(Code::MalformedRequest, violation.detail()));
    }
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Err(Problem::new(Code::MethodNotAllowed, "no resource has this method"));
    }
    check_host(parts)?;
    check_size(parts, settings)?;
    check_encoding(parts)
}

fn check_host(parts: &Parts) -> Result<(), Problem> {
    let malformed = |detail: &str| Err(Problem::new(Code::MalformedRequest, detail));
    if parts.version != Version::HTTP_11 {
        return malformed("the server speaks HTTP/1.1");
    }
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return malformed(Violation::NotOneHost.detail());
    };
    if host.is_empty() {
        return malformed("`Host` is empty");
    }
    match parts.uri.authority() {
        Some(authority) if !authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) => {
            malformed("the address and `Host` name different hosts")
        }
        _ => Ok(()),
    }
}

fn check_size(parts: &Parts, settings: &HttpSettings) -> Result<(), Problem> {
    let limit = settings.head_bytes_max;
    let uri_bytes = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    if uri_bytes > limit / 2 {
        return Err(Problem::new(Code::UriTooLong, format!("the limit is {} bytes", limit / 2)));
    }
    // Four bytes a line for `: ` and CR LF.
    let header_bytes: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if uri_bytes + header_bytes > limit {
        return Err(Problem::new(Code::HeadersTooLarge, format!("the limit is {limit} bytes in all")));
    }
    Ok(())
}

/// A compressed body could be a bomb, and two readings of it a disguise: bodies come as they are.
fn check_encoding(parts: &Parts) -> Result<(), Problem> {
    let plain = |value: &[u8]| value.eq_ignore_ascii_case(b"identity");
    if parts.headers.get_all(header::CONTENT_ENCODING).iter().all(|value| plain(value.as_bytes())) {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "send the body without `Content-Encoding`"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn check_request(uri: &str, headers: &[(&str, &str)], expected: Option<Code>) {
        let mut builder = Request::get(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        let found = check(&parts, None, &HttpSettings::default()).err().map(|problem| problem.code);
        assert_eq!(found, expected, "{uri} {headers:?}");
    }

    #[test]
    fn requests_have_one_meaning() {
        let long = "a".repeat(17 << 10);
        for (uri, headers, expected) in [
            ("/", vec![("host", "x")], None),
            ("/", vec![], Some(Code::MalformedRequest)),
            ("/", vec![("host", "")], Some(Code::MalformedRequest)),
            ("/", vec![("host", "x"), ("host", "x")], Some(Code::MalformedRequest)),
            ("http://evil/", vec![("host", "x")], Some(Code::MalformedRequest)),
            ("http://x/", vec![("host", "X")], None),
            ("/", vec![("host", "x"), ("content-encoding", "gzip")], Some(Code::UnsupportedMediaType)),
            ("/", vec![("host", "x"), ("content-encoding", "identity")], None),
            ("/", vec![("host", "x"), ("x", long.as_str())], Some(Code::HeadersTooLarge)),
            (&format!("/{}", "a".repeat(9 << 10)), vec![("host", "x")], Some(Code::UriTooLong)),
        ] {
            check_request(uri, &headers, expected);
        }
    }
}
