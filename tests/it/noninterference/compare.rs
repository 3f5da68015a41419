//! Two answers, byte for byte, but for what the contract leaves out: request id, time taken, revision, date and the nonce of `context`.

use crate::harness::Answer;

/// Where two answers differ, or nothing.
pub(crate) fn difference(left: &Answer, right: &Answer) -> Option<String> {
    if left.status != right.status {
        return Some(format!("status {} against {}", left.status, right.status));
    }
    let (left_head, right_head) = (head(left), head(right));
    if left_head != right_head {
        return Some(format!("headers {left_head:?} against {right_head:?}"));
    }
    let (left, right) = (masked(&left.text()), masked(&right.text()));
    if left == right {
        return None;
    }
    let common = left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count();
    let around = |text: &str| {
        let start = (0..=common.saturating_sub(80)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text[start..].chars().take(240).collect::<String>()
    };
    Some(format!("from byte {common} on\n  A …{}…\n  B …{}…", around(&left), around(&right)))
}

/// Headers in their order, without those that may differ. The length follows from the body, which is compared.
fn head(answer: &Answer) -> Vec<(&str, String)> {
    let outside = ["date", "content-length", "transfer-encoding"];
    let inside = answer.headers.iter().filter(|(name, _)| !outside.contains(&name.as_str()));
    let shown = |(name, value): &'_ (String, String)| match name.as_str() {
        "ringfence-revision" => format!("#{}", value.len()),
        _ => value.clone(),
    };
    inside.map(|header| (header.0.as_str(), shown(header))).collect()
}

/// A body without what may differ. A revision keeps its length, which must not differ.
pub(crate) fn masked(body: &str) -> String {
    let mut body = without_nonce(body);
    // The digest of the whole answer and the signature follow from what may differ; the digests of results do not.
    for (name, keeps_length) in
        [("request_id", true), ("revision", true), ("took_ms", false), ("answer_digest", true), ("signature", true)]
    {
        body = mask(&body, &format!("\"{name}\":"), keeps_length);
    }
    body
}

/// Replaces what follows a field's name. Inside a JSON text the name's quotes would be escaped, so no document can hide behind this.
fn mask(body: &str, field: &str, keeps_length: bool) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find(field) {
        let (before, after) = rest.split_at(at + field.len());
        out.push_str(before);
        let length = match after.strip_prefix('"') {
            Some(text) => text.find('"').map_or(after.len(), |end| end + 2),
            None => after.find(|character: char| !character.is_ascii_digit()).unwrap_or(after.len()),
        };
        let shown = if keeps_length { format!("#{length}") } else { "#".to_owned() };
        out.push_str(&shown);
        rest = &after[length..];
    }
    out.push_str(rest);
    out
}

/// Takes the nonce of `context` out, and the marker that follows from it.
fn without_nonce(body: &str) -> String {
    const FIELD: &str = "\"context\":\"";
    const NOTICE_BYTES_MAX: usize = 200;
    let Some(at) = body.find(FIELD).map(|at| at + FIELD.len()) else { return body.to_owned() };
    // The notice that opens every fenced form is the server's own, and names the nonce.
    let is_nonce =
        |at: &usize| body.as_bytes()[*at..].iter().take(32).filter(|byte| byte.is_ascii_hexdigit()).count() == 32;
    let Some(at) = (at..body.len().min(at + NOTICE_BYTES_MAX)).find(is_nonce) else { return body.to_owned() };
    let nonce = &body[at..at + 32];
    let byte = |at: usize| u32::from_str_radix(&nonce[at..at + 2], 16).unwrap_or(0);
    let mark = char::from_u32(0xe000 + ((byte(0) | byte(2) << 8) & 0x0fff)).expect("a private-use character");
    body.replace(nonce, "NONCE").replace(mark, "MARK")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        Answer { status: 200, headers: vec![("date".to_owned(), body.len().to_string())], body: body.into() }
    }

    #[track_caller]
    fn check(left: &str, right: &str, is_same: bool) {
        let found = difference(&answer(left), &answer(right));
        assert_eq!(found.is_none(), is_same, "{left} {right}: {found:?}");
    }

    #[test]
    fn only_what_may_differ_is_left_out() {
        check(
            r#"{"request_id":"a1","took_ms":3,"revision":"xy"}"#,
            r#"{"request_id":"b2","took_ms":14,"revision":"zw"}"#,
            true,
        );
        check(r#"{"revision":"xy"}"#, r#"{"revision":"xyz"}"#, false);
        check(r#"{"score":0.5}"#, r#"{"score":0.50001}"#, false);
        check(r#"{"text":"\"revision\":\"x\""}"#, r#"{"text":"\"revision\":\"y\""}"#, false);
        check(r#"{"usage":{"chunks":1},"took_ms":1}"#, r#"{"usage":{"chunks":2},"took_ms":1}"#, false);
    }

    #[test]
    fn the_nonce_and_its_marker_are_left_out() {
        let context = |nonce: &str, mark: char, text: &str| {
            format!("{{\"context\":\"Between lines that carry the code {nonce} stand a{mark}b [{nonce}] {text}\"}}")
        };
        let (one, other) = ("01".repeat(16), "02".repeat(16));
        check(&context(&one, '\u{e101}', "x"), &context(&other, '\u{e202}', "x"), true);
        check(&context(&one, '\u{e101}', "x"), &context(&other, '\u{e202}', "y"), false);
        check(&context(&one, '\u{e101}', "x"), &context(&other, '\u{e203}', "x"), false);
    }

    #[test]
    fn statuses_and_headers_count() {
        let plain = answer("x");
        let mut other = plain.clone();
        other.status = 404;
        assert!(difference(&plain, &other).is_some());
        let mut other = plain.clone();
        other.headers.push(("etag".to_owned(), "1".to_owned()));
        assert!(difference(&plain, &other).is_some());
    }
}
