//! Reads along on a connection and refuses request heads that two parsers could read differently.
//!
//! hyper forgives what RFC 9112 only allows to be forgiven: it drops `Content-Length` beside `Transfer-Encoding` before anyone sees it, accepts bare line feeds and merges equal lengths.
//! A proxy in front may decide otherwise, and the difference smuggles a request.
//! So the raw bytes are followed: heads are checked, bodies of known length are skipped, and after a chunked body nothing is followed because the connection is closed then.

/// What is wrong with a request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    LengthAndEncoding,
    SeveralLengths,
    NotOneHost,
    BareLineFeed,
    FoldedHeader,
}

impl Violation {
    /// The refusal in words.
    pub(super) const fn detail(self) -> &'static str {
        match self {
            Self::LengthAndEncoding => "a request has `Content-Length` or `Transfer-Encoding`, not both",
            Self::SeveralLengths => "a request has at most one `Content-Length` or `Transfer-Encoding`",
            Self::NotOneHost => "a request has exactly one `Host`",
            Self::BareLineFeed => "lines of a request head end with CR LF",
            Self::FoldedHeader => "header lines are not folded",
        }
    }
}

/// Follows the bytes of one connection.
#[derive(Debug)]
pub(super) struct Inspector {
    state: State,
    head_bytes_max: usize,
}

#[derive(Debug)]
enum State {
    Head(Vec<u8>),
    Body(u64),
    /// A chunked body, or a head that hyper refuses by itself: the connection ends with it.
    Opaque,
}

impl Inspector {
    /// Follows a new connection; longer heads than `head_bytes_max` are left to hyper, which refuses them.
    pub(super) const fn new(head_bytes_max: usize) -> Self {
        Self { state: State::Head(Vec::new()), head_bytes_max }
    }

    /// Takes the next bytes of the connection and tells what is wrong with a head that ends in them.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Option<Violation> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Opaque => return None,
                State::Body(left) => {
                    let skipped = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= skipped as u64;
                    bytes = &bytes[skipped..];
                    if *left == 0 {
                        self.state = State::Head(Vec::new());
                    }
                }
                State::Head(head) => {
                    let taken = take_head(head, bytes);
                    bytes = &bytes[taken..];
                    if is_whole(head) {
                        let head = std::mem::take(head);
                        match judge(&head) {
                            Ok(next) => self.state = next,
                            Err(violation) => {
                                self.state = State::Opaque;
                                return Some(violation);
                            }
                        }
                    } else if head.len() > self.head_bytes_max {
                        self.state = State::Opaque;
                    }
                }
            }
        }
        None
    }
}

/// Moves bytes into `head` up to and including its empty line; tells how many.
fn take_head(head: &mut Vec<u8>, bytes: &[u8]) -> usize {
    let mut taken = 0;
    while taken < bytes.len() {
        let end = bytes[taken..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| taken + at + 1);
        // Empty lines before the request line are skipped, as RFC 9112 2.2 asks.
        let line = &bytes[taken..end];
        taken = end;
        if head.is_empty() && matches!(line, b"\r\n" | b"\n") {
            continue;
        }
        head.extend_from_slice(line);
        if head == b"\r\n" {
            head.clear();
        }
        if is_whole(head) {
            break;
        }
    }
    taken
}

fn is_whole(head: &[u8]) -> bool {
    head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n")
}

fn judge(head: &[u8]) -> Result<State, Violation> {
    let (mut hosts, mut lengths, mut encodings, mut length) = (0, 0, 0, 0);
    for (number, line) in head.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some(line) = line.strip_suffix(b"\r\n") else { return Err(Violation::BareLineFeed) };
        if number == 0 || line.is_empty() {
            continue;
        }
        if matches!(line[0], b' ' | b'\t') {
            return Err(Violation::FoldedHeader);
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let name = line[..colon].trim_ascii().to_ascii_lowercase();
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        match name.as_slice() {
            b"host" => hosts += 1,
            b"transfer-encoding" => encodings += 1,
            b"content-length" => {
                lengths += 1;
                // What is not a number is refused by hyper, so its value here does not matter.
                length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            }
            _ => {}
        }
    }
    match (hosts, lengths, encodings) {
        (_, 1.., 1..) => Err(Violation::LengthAndEncoding),
        (_, 2.., _) | (_, _, 2..) => Err(Violation::SeveralLengths),
        (1, _, 1) => Ok(State::Opaque),
        (1, _, _) if length > 0 => Ok(State::Body(length)),
        (1, _, _) => Ok(State::Head(Vec::new())),
        _ => Err(Violation::NotOneHost),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(bytes: &[u8], expected: Option<Violation>) {
        assert_eq!(Inspector::new(1 << 14).feed(bytes), expected, "{}", String::from_utf8_lossy(bytes));
    }

    #[test]
    fn heads_of_two_meanings_are_refused() {
        use Violation::{BareLineFeed, FoldedHeader, LengthAndEncoding, NotOneHost, SeveralLengths};
        let request = |fields: &str| format!("POST / HTTP/1.1\r\n{fields}\r\n").into_bytes();
        for (fields, expected) in [
            ("Host: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n", Some(LengthAndEncoding)),
            ("Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n", Some(LengthAndEncoding)),
            ("Host: x\r\nTRANSFER-ENCODING : chunked\r\ncontent-length: 4\r\n", Some(LengthAndEncoding)),
            ("Host: x\r\nContent-Length: 4\r\nContent-Length: 4\r\n", Some(SeveralLengths)),
            ("Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", Some(SeveralLengths)),
            ("", Some(NotOneHost)),
            ("Host: a\r\nHost: b\r\n", Some(NotOneHost)),
            ("Host: a\r\nX: 1\n", Some(BareLineFeed)),
            ("Host: a\r\nX: 1\r\n more\r\n", Some(FoldedHeader)),
            ("Host: a\r\n", None),
            ("Host: a\r\nContent-Length: 4\r\n", None),
            ("Host: a\r\nTransfer-Encoding: chunked\r\n", None),
        ] {
            check(&request(fields), expected);
        }
    }

    #[test]
    fn the_second_request_of_a_connection_is_judged_too() {
        let good = b"\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\nTransfer-Encoding: a\r\n";
        let bad = b"GET / HTTP/1.1\r\n\r\n";
        check(good, None);
        check(&[good.as_slice(), good, bad].concat(), Some(Violation::NotOneHost));
    }

    proptest! {
        #[test]
        fn how_bytes_arrive_does_not_matter(cuts in proptest::collection::vec(1_usize..7, 1..60), count in 0_usize..4) {
            let good = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello".repeat(count);
            let bytes = [good.as_slice(), b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"].concat();
            let mut inspector = Inspector::new(1 << 14);
            let (mut at, mut found) = (0, None);
            for cut in cuts.iter().cycle() {
                if at >= bytes.len() {
                    break;
                }
                let end = (at + cut).min(bytes.len());
                found = found.or(inspector.feed(&bytes[at..end]));
                at = end;
            }
            prop_assert_eq!(found, Some(Violation::NotOneHost));
        }
    }
}
