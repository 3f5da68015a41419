//! From bytes and a declared media type to text of a known format.
//!
//! What the bytes are decides; what the client says only has to agree. A file in disguise is refused, because whoever disguises a file has a reason.

use crate::{
    fault::Fault,
    media_type::{Container, MediaType},
    parse::{archive::Archive, json, mail},
    prepare::PrepareError,
};

/// A file of a known format.
pub(crate) struct Opened<'a> {
    pub(crate) media_type: MediaType,
    pub(crate) body: Body<'a>,
}

/// The content of a file, as its parser takes it.
pub(crate) enum Body<'a> {
    Text(String),
    Bytes(&'a [u8]),
    Archive(Archive<'a>),
}

/// Decides what a file is, and opens it so far.
pub(crate) fn open<'a>(bytes: &'a [u8], declared: Option<&str>) -> Result<Opened<'a>, PrepareError> {
    let name = declared.and_then(declared_name);
    let format = name.as_deref().map(known_format).transpose()?;
    if bytes.is_empty() {
        return Err(PrepareError::Empty);
    }
    let disguised = |detected: &'static str| match &name {
        Some(name) => PrepareError::DisguisedMediaType { declared: shorten(name), detected },
        None => PrepareError::UnsupportedMediaType(detected.to_owned()),
    };
    let agree = |detected: MediaType| match format {
        Some(format) if format != detected => Err(disguised(detected.name())),
        _ => Ok(detected),
    };
    match signature(bytes) {
        Some("application/zip") => {
            if format.is_some_and(|format| format.container() != Container::Archive) {
                return Err(disguised("application/zip"));
            }
            let archive = Archive::open(bytes)?;
            let media_type = agree(archive.media_type()?.ok_or_else(|| disguised("application/zip"))?)?;
            Ok(Opened { media_type, body: Body::Archive(archive) })
        }
        Some(signature) => {
            let detected = MediaType::from_name(signature).ok_or_else(|| disguised(signature))?;
            Ok(Opened { media_type: agree(detected)?, body: Body::Bytes(bytes) })
        }
        None if format.is_some_and(|format| format.container() != Container::Text) => Err(disguised("text/plain")),
        None if format == Some(MediaType::Mail) => Ok(Opened { media_type: MediaType::Mail, body: Body::Bytes(bytes) }),
        None => {
            let text = to_text(bytes, declared.and_then(charset))?;
            let media_type = format.unwrap_or_else(|| detect(&text));
            let body = if media_type == MediaType::Mail { Body::Bytes(bytes) } else { Body::Text(text) };
            Ok(Opened { media_type, body })
        }
    }
}

/// The declared name of a format; `None` where nothing is declared.
pub(crate) fn declared_name(declared: &str) -> Option<String> {
    Some(essence(declared)).filter(|name| !name.is_empty() && name != BINARY)
}

/// The format of a declared name.
pub(crate) fn known_format(name: &str) -> Result<MediaType, PrepareError> {
    MediaType::from_name(name).ok_or_else(|| PrepareError::UnsupportedMediaType(shorten(name)))
}

/// Refuses a type that the collection does not take.
pub(crate) fn check_accepted(media_type: MediaType, accept: &[String]) -> Result<(), PrepareError> {
    let accepts = |entry: &String| {
        let entry = essence(entry);
        let family = entry.strip_suffix('*').filter(|family| family.ends_with('/'));
        entry == "*/*"
            || family.is_some_and(|family| media_type.name().starts_with(family))
            || MediaType::from_name(&entry) == Some(media_type)
    };
    let accepted = accept.is_empty() || accept.iter().any(accepts);
    if accepted { Ok(()) } else { Err(PrepareError::UnsupportedMediaType(media_type.name().to_owned())) }
}

/// A page, a message or JSON if it opens like one, else Markdown if there is any sign of it, else plain.
fn detect(text: &str) -> MediaType {
    let start: String = text.trim_start().chars().take(64).collect::<String>().to_ascii_lowercase();
    if ["<!doctype html", "<html", "<head", "<body"].iter().any(|opening| start.starts_with(opening)) {
        MediaType::Html
    } else if mail::opens_like_a_message(text) {
        MediaType::Mail
    } else if start.starts_with(['{', '[']) && json::parse(text).is_ok() {
        MediaType::Json
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

/// A media type without its parameters, in lower case.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn charset(media_type: &str) -> Option<&str> {
    media_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// Keeps an echoed name short and printable.
pub(crate) fn shorten(name: &str) -> String {
    name.chars().filter(|character| character.is_ascii_graphic()).take(80).collect()
}

/// The name of a format among those that this server can name: what crosses the border of the cage is from here.
pub(crate) fn known_name(name: &str) -> Option<&'static str> {
    let signed = SIGNATURES.iter().map(|(_, known)| *known).chain([BINARY]).find(|known| *known == name);
    signed.or_else(|| MediaType::from_name(name).map(MediaType::name))
}

const BINARY: &str = "application/octet-stream";
const SIGNATURES: [(&[u8], &str); 17] = [
    (b"{\\rtf", "application/rtf"),
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

/// The name of a format by its first bytes; `None` is text.
fn signature(bytes: &[u8]) -> Option<&'static str> {
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
        (dos_executable || (!utf16 && nuls * 10 > sample.len())).then_some(BINARY)
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
            return Err(PrepareError::Unparseable(Fault::MalformedText));
        }
        return Ok(text.into_owned());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text.to_owned());
    }
    let declared = charset.and_then(|name| encoding_rs::Encoding::for_label(name.as_bytes()));
    let encoding = match declared {
        Some(encoding) if encoding == encoding_rs::REPLACEMENT => {
            return Err(PrepareError::Unparseable(Fault::UnsafeCharset));
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
    use super::{Body, check_accepted, open};
    use crate::{media_type::MediaType, prepare::PrepareError};

    fn text(bytes: &[u8], declared: Option<&str>) -> Result<(MediaType, String), PrepareError> {
        open(bytes, declared).map(|opened| match opened.body {
            Body::Text(text) => (opened.media_type, text),
            _ => (opened.media_type, String::new()),
        })
    }

    fn check(bytes: &[u8], declared: Option<&str>, expected: Result<(MediaType, &str), PrepareError>) {
        assert_eq!(text(bytes, declared), expected.map(|(media_type, text)| (media_type, text.to_owned())));
    }

    #[test]
    fn text_is_decoded_by_mark_then_utf8_then_guess() {
        check(b"\xef\xbb\xbfabc", Some("text/plain"), Ok((MediaType::Plain, "abc")));
        check(b"\xff\xfea\0b\0", Some("text/plain; charset=utf-16"), Ok((MediaType::Plain, "ab")));
        check(b"\xfe\xff\0a\0b", None, Ok((MediaType::Plain, "ab")));
        check(b"caf\xe9", Some("text/plain; charset=\"latin1\""), Ok((MediaType::Plain, "café")));
        check("naïve".as_bytes(), Some("Text/X-Markdown"), Ok((MediaType::Markdown, "naïve")));
        let guessed = text(b"Gr\xfc\xdfe aus M\xfcnchen, sch\xf6ne Stra\xdfe", Some("text/plain"));
        assert_eq!(guessed.expect("decodes").1, "Grüße aus München, schöne Straße");
    }

    #[test]
    fn content_decides_where_nothing_is_declared() {
        check(b"<!DOCTYPE html><p>x", None, Ok((MediaType::Html, "<!DOCTYPE html><p>x")));
        check(b"# Title\n", Some("application/octet-stream"), Ok((MediaType::Markdown, "# Title\n")));
        check(b"{\"a\": 1}", None, Ok((MediaType::Json, "{\"a\": 1}")));
        check(b"[link](x) {", None, Ok((MediaType::Markdown, "[link](x) {")));
        check(b"From: a@b.example\r\nSubject: x\r\n\r\nbody", None, Ok((MediaType::Mail, "")));
        check(b"%PDF-1.7\n", None, Ok((MediaType::Pdf, "")));
        check(b"{\\rtf1 x}", None, Ok((MediaType::Rtf, "")));
        check(b"a,b\n1,2", Some("text/csv"), Ok((MediaType::Csv, "a,b\n1,2")));
    }

    #[test]
    fn disguise_and_unknown_types_are_refused() {
        let disguised: [(&[u8], &str, bool); 7] = [
            (b"%PDF-1.7\n", "application/pdf", true),
            (b"{\\rtf1 x}", "application/rtf", true),
            (b"PK\x03\x04rest", "application/zip", true),
            (b"\x89PNG\r\n\x1a\n", "image/png", false),
            (b"\x7fELF\x02", "application/x-elf", false),
            (b"\x1f\x8b\x08\x00", "application/gzip", false),
            (b"a\0b\0a\0b\0", "application/octet-stream", false),
        ];
        for (bytes, detected, has_parser) in disguised {
            let declared = "text/plain".to_owned();
            check(bytes, Some("text/plain"), Err(PrepareError::DisguisedMediaType { declared, detected }));
            if !has_parser {
                check(bytes, None, Err(PrepareError::UnsupportedMediaType(detected.to_owned())));
            }
        }
        let declared = "application/pdf".to_owned();
        check(
            b"words",
            Some("application/pdf"),
            Err(PrepareError::DisguisedMediaType { declared, detected: "text/plain" }),
        );
        check(b"x", Some("image/png"), Err(PrepareError::UnsupportedMediaType("image/png".to_owned())));
        check(b"", Some("text/plain"), Err(PrepareError::Empty));
        assert!(text(b"abc", Some("text/plain; charset=utf-7")).is_ok(), "ASCII is UTF-8 whatever is declared");
    }

    #[test]
    fn the_accept_list_is_honoured() {
        let accept = |entry: &str| vec![entry.to_owned()];
        assert!(check_accepted(MediaType::Markdown, &accept("text/x-markdown; v=1")).is_ok());
        assert!(check_accepted(MediaType::Csv, &accept("text/*")).is_ok());
        assert!(check_accepted(MediaType::Pdf, &accept("*/*")).is_ok());
        assert!(check_accepted(MediaType::Pdf, &accept("text/*")).is_err());
        assert_eq!(
            check_accepted(MediaType::Plain, &accept("text/markdown")),
            Err(PrepareError::UnsupportedMediaType("text/plain".to_owned()))
        );
    }
}
