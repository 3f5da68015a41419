//! From bytes and a declared media type to text of a known format.
//!
//! What the bytes are decides; what the client says only has to agree. A file in disguise is refused, because whoever disguises a file has a reason.

use crate::prepare::PrepareError;

/// A format with a parser. A further format is a further variant here and an arm in [`crate::parse::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    Plain,
    Markdown,
    Html,
}

impl MediaType {
    /// The canonical name, which the store and the API show.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "text/plain",
            Self::Markdown => "text/markdown",
            Self::Html => "text/html",
        }
    }

    fn from_declared(name: &str) -> Option<Self> {
        match name {
            "text/plain" => Some(Self::Plain),
            "text/markdown" | "text/x-markdown" => Some(Self::Markdown),
            "text/html" | "application/xhtml+xml" => Some(Self::Html),
            _ => None,
        }
    }
}

/// Decodes a file.
pub(crate) fn decode(
    bytes: &[u8],
    declared: Option<&str>,
    accept: &[String],
) -> Result<(MediaType, String), PrepareError> {
    let declared_name = declared.map(essence).filter(|name| !name.is_empty() && name != "application/octet-stream");
    let declared_type = match &declared_name {
        Some(name) => {
            Some(MediaType::from_declared(name).ok_or_else(|| PrepareError::UnsupportedMediaType(shorten(name)))?)
        }
        None => None,
    };
    if let Some(detected) = binary_type(bytes) {
        return Err(match declared_name {
            Some(name) => PrepareError::DisguisedMediaType { declared: shorten(&name), detected },
            None => PrepareError::UnsupportedMediaType(detected.to_owned()),
        });
    }
    let text = to_text(bytes, declared.and_then(charset))?;
    let media_type = declared_type.unwrap_or_else(|| detect(&text));
    check_accepted(media_type, accept)?;
    Ok((media_type, text))
}

/// Refuses a type that the collection does not take.
pub(crate) fn check_accepted(media_type: MediaType, accept: &[String]) -> Result<(), PrepareError> {
    let accepted = accept.is_empty()
        || accept.iter().any(|entry| {
            let entry = essence(entry);
            entry == "*/*" || entry == "text/*" || MediaType::from_declared(&entry) == Some(media_type)
        });
    if accepted { Ok(()) } else { Err(PrepareError::UnsupportedMediaType(media_type.name().to_owned())) }
}

/// Markdown if there is any sign of it, HTML if it opens like a page, else plain.
pub(crate) fn detect(text: &str) -> MediaType {
    let start: String = text.trim_start().chars().take(64).collect::<String>().to_ascii_lowercase();
    if ["<!doctype html", "<html", "<head", "<body"].iter().any(|opening| start.starts_with(opening)) {
        MediaType::Html
    } else {
        detect_text(text)
    }
}

/// Markdown if there is any sign of it, else plain.
pub(crate) fn detect_text(text: &str) -> MediaType {
    let marked = text.lines().any(|line| {
        let line = line.trim_start();
        let heading = line.trim_start_matches('#');
        (heading.len() < line.len() && line.len() - heading.len() <= 6 && heading.starts_with(' '))
            || ["```", "~~~", "- ", "* ", "> ", "|"].iter().any(|mark| line.starts_with(mark))
            || line.contains("](")
            || line.contains("**")
    });
    if marked { MediaType::Markdown } else { MediaType::Plain }
}

fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn charset(media_type: &str) -> Option<&str> {
    media_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// Keeps an echoed name short and printable.
fn shorten(name: &str) -> String {
    name.chars().filter(|character| character.is_ascii_graphic()).take(80).collect()
}

/// The name of a binary format by its first bytes.
fn binary_type(bytes: &[u8]) -> Option<&'static str> {
    const SIGNATURES: [(&[u8], &str); 16] = [
        (b"PK\x03\x04", "application/zip"),
        (b"PK\x05\x06", "application/zip"),
        (b"\x89PNG\r\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"\x7fELF", "application/x-elf"),
        (b"MZ\x90\x00", "application/x-msdownload"),
        (b"\x1f\x8b", "application/gzip"),
        (b"BZh9", "application/x-bzip2"),
        (b"\xfd7zXZ\x00", "application/x-xz"),
        (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
        (b"Rar!\x1a\x07", "application/vnd.rar"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
        (b"\x28\xb5\x2f\xfd", "application/zstd"),
        (b"\x00asm", "application/wasm"),
        (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    ];
    let head = &bytes[..bytes.len().min(1024)];
    if head.windows(5).any(|window| window == b"%PDF-") && !head.starts_with(b"<") && pdf_is_early(head) {
        return Some("application/pdf");
    }
    let found = SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)).map(|(_, name)| *name);
    found.or_else(|| {
        let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        let sample = &bytes[..bytes.len().min(8192)];
        let nuls = sample.iter().filter(|byte| **byte == 0).count();
        let dos_executable = bytes.starts_with(b"MZ") && nuls > 0;
        (dos_executable || (!utf16 && nuls * 10 > sample.len())).then_some("application/octet-stream")
    })
}

/// A PDF may have a few junk bytes before its header; a text that speaks of `%PDF-` has words there.
fn pdf_is_early(head: &[u8]) -> bool {
    let at = head.windows(5).position(|window| window == b"%PDF-").unwrap_or(usize::MAX);
    at == 0 || head[..at.min(head.len())].iter().all(|byte| !byte.is_ascii_alphanumeric())
}

/// Decodes text: byte order marks first, then UTF-8, then the declared character set, then a guess.
fn to_text(bytes: &[u8], charset: Option<&str>) -> Result<String, PrepareError> {
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        let (text, malformed) = encoding.decode_without_bom_handling(&bytes[mark..]);
        if malformed && encoding != encoding_rs::UTF_8 {
            return Err(PrepareError::Unparseable("malformed UTF-16"));
        }
        return Ok(text.into_owned());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text.to_owned());
    }
    let declared = charset.and_then(|name| encoding_rs::Encoding::for_label(name.as_bytes()));
    let encoding = match declared {
        Some(encoding) if encoding == encoding_rs::REPLACEMENT => {
            return Err(PrepareError::Unparseable("a character set that is not safe to decode"));
        }
        Some(encoding) => encoding,
        None => guess(bytes),
    };
    Ok(encoding.decode_without_bom_handling(bytes).0.into_owned())
}

fn guess(bytes: &[u8]) -> &'static encoding_rs::Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(None, chardetng::Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use super::{MediaType, decode};
    use crate::prepare::PrepareError;

    fn check(bytes: &[u8], declared: Option<&str>, expected: Result<(MediaType, &str), PrepareError>) {
        let decoded = decode(bytes, declared, &[]);
        assert_eq!(decoded, expected.map(|(media_type, text)| (media_type, text.to_owned())));
    }

    #[test]
    fn text_is_decoded_by_mark_then_utf8_then_guess() {
        check(b"\xef\xbb\xbfabc", Some("text/plain"), Ok((MediaType::Plain, "abc")));
        check(b"\xff\xfea\0b\0", Some("text/plain; charset=utf-16"), Ok((MediaType::Plain, "ab")));
        check(b"\xfe\xff\0a\0b", None, Ok((MediaType::Plain, "ab")));
        check(b"caf\xe9", Some("text/plain; charset=\"latin1\""), Ok((MediaType::Plain, "café")));
        check("naïve".as_bytes(), Some("Text/X-Markdown"), Ok((MediaType::Markdown, "naïve")));
        let guessed = decode(b"Gr\xfc\xdfe aus M\xfcnchen, sch\xf6ne Stra\xdfe", Some("text/plain"), &[]);
        assert_eq!(guessed.expect("decodes").1, "Grüße aus München, schöne Straße");
    }

    #[test]
    fn content_decides_where_nothing_is_declared() {
        check(b"<!DOCTYPE html><p>x", None, Ok((MediaType::Html, "<!DOCTYPE html><p>x")));
        check(b"# Title\n", Some("application/octet-stream"), Ok((MediaType::Markdown, "# Title\n")));
    }

    #[test]
    fn disguise_and_unknown_types_are_refused() {
        let disguised: [(&[u8], &str); 6] = [
            (b"%PDF-1.7\n", "application/pdf"),
            (b"PK\x03\x04rest", "application/zip"),
            (b"\x89PNG\r\n\x1a\n", "image/png"),
            (b"\x7fELF\x02", "application/x-elf"),
            (b"\x1f\x8b\x08\x00", "application/gzip"),
            (b"a\0b\0a\0b\0", "application/octet-stream"),
        ];
        for (bytes, detected) in disguised {
            check(
                bytes,
                Some("text/plain"),
                Err(PrepareError::DisguisedMediaType { declared: "text/plain".to_owned(), detected }),
            );
            check(bytes, None, Err(PrepareError::UnsupportedMediaType(detected.to_owned())));
        }
        check(
            b"%PDF-1.7",
            Some("application/pdf"),
            Err(PrepareError::UnsupportedMediaType("application/pdf".to_owned())),
        );
        assert!(decode(b"abc", Some("text/plain; charset=utf-7"), &[]).is_ok(), "ASCII is UTF-8 whatever is declared");
    }

    #[test]
    fn the_accept_list_is_honoured() {
        let accept = vec!["text/markdown".to_owned()];
        assert!(decode(b"# x", Some("text/markdown"), &accept).is_ok());
        assert_eq!(
            decode(b"x", Some("text/plain"), &accept),
            Err(PrepareError::UnsupportedMediaType("text/plain".to_owned()))
        );
    }
}
