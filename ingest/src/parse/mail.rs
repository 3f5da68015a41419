//! Messages: who, to whom, about what, the body that a mail program shows, and each attachment that has a parser.
//!
//! Where a message has a page and a plain text, a person sees the page; the other one is where a machine would be spoken to.

use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

use crate::{
    fault::Fault,
    media_type::MediaType,
    parse::{self, Parsed, html, text, writer::Writer},
    prepare::PrepareError,
    source::{self, Body},
};

/// A message in a message in a message.
const DEPTH_MAX: usize = 3;
/// Parts of one message.
const PARTS_MAX: usize = 1000;

/// Parses a message.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, PrepareError> {
    parse_at(bytes, 0)
}

fn parse_at(bytes: &[u8], depth: usize) -> Result<Parsed, PrepareError> {
    let message = MessageParser::default().parse(bytes).ok_or(PrepareError::Unparseable(Fault::Mail))?;
    let mut writer = Writer::new();
    write(&message, &mut writer, depth)?;
    writer.finish(message.subject().map(str::to_owned))
}

fn write(message: &Message<'_>, writer: &mut Writer, depth: usize) -> Result<(), PrepareError> {
    if depth > DEPTH_MAX {
        return Err(PrepareError::Unparseable(Fault::TooDeep));
    }
    if message.parts.len() > PARTS_MAX {
        return Err(PrepareError::Unparseable(Fault::TooComplex));
    }
    writer.heading(1, message.subject().unwrap_or_default());
    for (name, address) in [("From", message.from()), ("To", message.to()), ("Cc", message.cc())] {
        let names = address.map(show).unwrap_or_default();
        if !names.is_empty() {
            writer.line(&format!("{name}: {names}"));
        }
    }
    if let Some(date) = message.date() {
        writer.line(&format!("Date: {}", date.to_rfc3339()));
    }
    for part in message.html_bodies() {
        match &part.body {
            PartType::Html(page) => writer.embed(&html::parse(page)?),
            PartType::Text(plain) => writer.embed(&text::parse(plain, false)),
            _ => {}
        }
    }
    message.attachments().try_for_each(|part| attach(part, writer, depth))
}

fn attach(part: &MessagePart<'_>, writer: &mut Writer, depth: usize) -> Result<(), PrepareError> {
    let declared = part
        .content_type()
        .map(|declared| format!("{}/{}", declared.c_type, declared.c_subtype.as_deref().unwrap_or("plain")));
    let child = match &part.body {
        PartType::Message(message) => {
            writer.heading(2, "Attached message");
            return write(message, writer, depth + 1);
        }
        PartType::Text(plain) => child(plain.as_bytes(), declared.as_deref(), depth)?,
        PartType::Html(page) => Some(html::parse(page)?),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => child(bytes, declared.as_deref(), depth)?,
        PartType::Multipart(_) => None,
    };
    if let Some(child) = child {
        writer.heading(2, &format!("Attachment: {}", part.attachment_name().unwrap_or("without a name")));
        writer.embed(&child);
    }
    Ok(())
}

/// An attachment that has a parser. One that has none is left out, as a picture in a document is; one that is refused takes the message with it, because nothing is partly searchable.
fn child(bytes: &[u8], declared: Option<&str>, depth: usize) -> Result<Option<Parsed>, PrepareError> {
    match source::open(bytes, declared) {
        Ok(opened) if opened.media_type == MediaType::Mail => match opened.body {
            Body::Bytes(bytes) => parse_at(bytes, depth + 1).map(Some),
            Body::Text(_) | Body::Archive(_) => Ok(None),
        },
        Ok(opened) => parse::parse(opened).map(Some),
        Err(PrepareError::UnsupportedMediaType(_) | PrepareError::Empty) => Ok(None),
        // The message is what it was declared to be; what is in it is not.
        Err(PrepareError::DisguisedMediaType { .. }) => Err(PrepareError::Unparseable(Fault::Mail)),
        Err(error) => Err(error),
    }
}

fn show(address: &Address<'_>) -> String {
    let one = |addr: &mail_parser::Addr<'_>| match (addr.name(), addr.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => String::new(),
    };
    address.iter().map(one).filter(|shown| !shown.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Whether a text begins with the header of a message: named lines, two of them well known, a blank line.
pub(crate) fn opens_like_a_message(text: &str) -> bool {
    const SURE: [&str; 5] = ["from", "received", "return-path", "message-id", "mime-version"];
    const USUAL: [&str; 7] = ["to", "subject", "date", "cc", "content-type", "delivered-to", "reply-to"];
    let (mut sure, mut usual) = (0, 0);
    for line in text.lines().take(200) {
        if line.is_empty() {
            return sure > 0 && sure + usual > 1;
        }
        if line.starts_with([' ', '\t']) && sure + usual > 0 {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else { return false };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return false;
        }
        let name = name.to_ascii_lowercase();
        sure += usize::from(SURE.contains(&name.as_str()));
        usual += usize::from(USUAL.contains(&name.as_str()));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{opens_like_a_message, parse};
    use crate::{fault::Fault, finding::FindingKind, prepare::PrepareError};

    fn message(lines: &[&str]) -> Vec<u8> {
        lines.join("\r\n").into_bytes()
    }

    #[test]
    fn a_message_shows_its_page_and_its_attachments() {
        let bytes = message(&[
            "From: =?utf-8?q?Ren=C3=A9e?= <renee@example.org>",
            "To: team@example.org, Bo <bo@example.org>",
            "Subject: Keys are rotated",
            "Date: Mon, 2 Nov 2026 09:00:00 +0100",
            "MIME-Version: 1.0",
            "Content-Type: multipart/mixed; boundary=m",
            "",
            "--m",
            "Content-Type: multipart/alternative; boundary=a",
            "",
            "--a",
            "Content-Type: text/plain",
            "",
            "machine only",
            "--a",
            "Content-Type: text/html; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
            "",
            "<p>Shown to caf=C3=A9 guests</p><p style=3D'display:none'>hidden</p>",
            "--a--",
            "--m",
            "Content-Type: text/csv; name=t.csv",
            "Content-Disposition: attachment; filename=t.csv",
            "",
            "a,b",
            "1,2",
            "--m",
            "Content-Type: image/png; name=p.png",
            "Content-Transfer-Encoding: base64",
            "",
            "iVBORw0KGgo=",
            "--m--",
            "",
        ]);
        let parsed = parse(&bytes).expect("parses");
        let expected = "# Keys are rotated\n\nFrom: Renée <renee@example.org>\nTo: team@example.org, Bo <bo@example.org>\nDate: 2026-11-02T09:00:00+01:00\n\nShown to café guests\n\n## Attachment: t.csv\n\na | b\n1 | 2";
        assert_eq!(parsed.text, expected);
        assert_eq!(parsed.title.as_deref(), Some("Keys are rotated"));
        assert_eq!(parsed.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [FindingKind::HiddenText]);
    }

    #[test]
    fn an_attachment_that_is_refused_takes_the_message_with_it() {
        let bytes = message(&[
            "From: a@example.org",
            "Content-Type: multipart/mixed; boundary=m",
            "",
            "--m",
            "Content-Type: application/json; name=x.json",
            "Content-Disposition: attachment",
            "",
            "{broken",
            "--m--",
            "",
        ]);
        assert!(parse(&bytes).is_err());
    }

    #[test]
    fn an_attachment_in_disguise_is_the_fault_of_the_message() {
        let bytes = message(&[
            "From: a@example.org",
            "Content-Type: multipart/mixed; boundary=m",
            "",
            "--m",
            "Content-Type: application/pdf; name=x.pdf",
            "Content-Disposition: attachment",
            "",
            "no PDF",
            "--m--",
            "",
        ]);
        assert_eq!(parse(&bytes).err(), Some(PrepareError::Unparseable(Fault::Mail)));
    }

    #[test]
    fn messages_in_messages_are_bounded() {
        let mut bytes = message(&["From: a@example.org", "Subject: innermost", "", "text"]);
        for _ in 0..6 {
            let head = message(&[
                "From: a@example.org",
                "Content-Type: message/rfc822",
                "Content-Disposition: attachment",
                "",
                "",
            ]);
            bytes = [head, bytes].concat();
        }
        assert!(parse(&bytes).is_err());
    }

    #[test]
    fn a_header_is_told_from_a_text_with_colons() {
        assert!(opens_like_a_message("Received: from x\n by y\nSubject: z\n\nbody"));
        assert!(!opens_like_a_message("Note: this\nDate: today\n\nbody"));
        assert!(!opens_like_a_message("From: me to you\n\nA letter"));
        assert!(!opens_like_a_message("words\nFrom: a\nSubject: b\n\n"));
    }
}
