//! What becomes of a document: its parser, the border of the cage, the sanitiser, the cutter, the redactor.

use std::collections::BTreeSet;

use ringfence_ingest::{
    Content, PrepareError, PrepareOptions, Prepared, RedactionKind, SanitizePolicy, Source, UntrustedText, normalized,
    parse_document, prepare, prepare_parsed, read_answer, redact, sanitize_label, write_answer,
};

/// A target and its name, which is also the folder of its seeds.
pub type Target = (&'static str, fn(&[u8]));

/// The targets of this file.
pub const TARGETS: [Target; 19] = [
    ("text", text),
    ("markdown", markdown),
    ("html", html),
    ("csv", csv),
    ("json", json_file),
    ("mail", mail),
    ("rtf", rtf),
    ("pdf", pdf),
    ("archive", archive),
    ("docx", docx),
    ("pptx", pptx),
    ("xlsx", xlsx),
    ("odt", odt),
    ("undeclared", undeclared),
    ("border", border),
    ("sanitizer", sanitizer),
    ("chunker", chunker),
    ("redactor", redactor),
    ("label", label),
];

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const PPTX: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const ODT: &str = "application/vnd.oasis.opendocument.text";

/// Plain text in any encoding.
pub fn text(data: &[u8]) {
    parser(data, Some("text/plain"));
}

/// Markdown.
pub fn markdown(data: &[u8]) {
    parser(data, Some("text/markdown"));
}

/// The HTML reader.
pub fn html(data: &[u8]) {
    parser(data, Some("text/html"));
}

/// The reader of tables as text.
pub fn csv(data: &[u8]) {
    parser(data, Some("text/csv"));
    parser(data, Some("text/tab-separated-values"));
}

/// The JSON reader.
pub fn json_file(data: &[u8]) {
    parser(data, Some("application/json"));
}

/// The reader of messages and their attachments.
pub fn mail(data: &[u8]) {
    parser(data, Some("message/rfc822"));
}

/// The RTF reader.
pub fn rtf(data: &[u8]) {
    parser(data, Some("application/rtf"));
}

/// The PDF reader.
pub fn pdf(data: &[u8]) {
    parser(data, Some("application/pdf"));
}

/// The reader of archives: the bytes are the archive.
pub fn archive(data: &[u8]) {
    for media_type in [DOCX, ODT] {
        parser(data, Some(media_type));
    }
}

/// The DOCX reader: the bytes are the document's part.
pub fn docx(data: &[u8]) {
    let root = relations(&[("r", "officeDocument", "word/document.xml")]);
    let types = types("/word/document.xml", DOCX);
    let parts: [(&str, &[u8]); 3] =
        [("[Content_Types].xml", types.as_bytes()), ("_rels/.rels", root.as_bytes()), ("word/document.xml", data)];
    parser(&packed(&parts), Some(DOCX));
}

/// The PPTX reader: the bytes are a slide.
pub fn pptx(data: &[u8]) {
    let outline = "<p:presentation xmlns:p='http://schemas.openxmlformats.org/presentationml/2006/main' xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'><p:sldIdLst><p:sldId id='1' r:id='s1'/></p:sldIdLst><p:sldSz cx='9144000' cy='6858000'/></p:presentation>";
    let (root, slides) =
        (relations(&[("r", "officeDocument", "ppt/p.xml")]), relations(&[("s1", "slide", "slides/1.xml")]));
    let types = types("/ppt/p.xml", PPTX);
    let parts: [(&str, &[u8]); 5] = [
        ("[Content_Types].xml", types.as_bytes()),
        ("_rels/.rels", root.as_bytes()),
        ("ppt/p.xml", outline.as_bytes()),
        ("ppt/_rels/p.xml.rels", slides.as_bytes()),
        ("ppt/slides/1.xml", data),
    ];
    parser(&packed(&parts), Some(PPTX));
}

/// The XLSX reader: the bytes are a sheet.
pub fn xlsx(data: &[u8]) {
    const MAIN: &str = "xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main' xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'";
    let book = format!("<workbook {MAIN}><sheets><sheet name='Budget' r:id='s1'/></sheets></workbook>");
    let strings = format!("<sst {MAIN}><si><t>Name</t></si><si><r><t>rich </t></r><r><t>text</t></r></si></sst>");
    let styles = format!(
        "<styleSheet {MAIN}><numFmts><numFmt numFmtId='165' formatCode='yyyy\\-mm\\-dd'/></numFmts><fonts><font/><font><color rgb='FFFFFFFF'/></font></fonts><fills><fill/></fills><cellXfs><xf numFmtId='0'/><xf numFmtId='165'/><xf fontId='1'/></cellXfs></styleSheet>"
    );
    let (root, inner) = (
        relations(&[("r", "officeDocument", "xl/workbook.xml")]),
        relations(&[
            ("s1", "worksheet", "1.xml"),
            ("a", "styles", "styles.xml"),
            ("b", "sharedStrings", "strings.xml"),
        ]),
    );
    let types = types("/xl/workbook.xml", XLSX);
    let parts: [(&str, &[u8]); 7] = [
        ("[Content_Types].xml", types.as_bytes()),
        ("_rels/.rels", root.as_bytes()),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", inner.as_bytes()),
        ("xl/styles.xml", styles.as_bytes()),
        ("xl/strings.xml", strings.as_bytes()),
        ("xl/1.xml", data),
    ];
    parser(&packed(&parts), Some(XLSX));
}

/// The ODT reader: the bytes are the content's part.
pub fn odt(data: &[u8]) {
    parser(&packed(&[("mimetype", ODT.as_bytes()), ("content.xml", data)]), Some(ODT));
}

/// Files whose type the bytes decide.
pub fn undeclared(data: &[u8]) {
    parser(data, None);
}

/// A parser never panics, its answer crosses the border of the cage, and what is prepared from it keeps the guarantees.
fn parser(data: &[u8], media_type: Option<&str>) {
    let outcome = parse_document(data, media_type, &[]);
    let mut answer = Vec::new();
    let parsed = outcome.as_ref().ok().cloned();
    let refusal = outcome.as_ref().err().map(ToString::to_string);
    write_answer(outcome, &mut answer).expect("an answer can be written");
    let crossed = read_answer(&answer, media_type, &[]);
    assert_eq!(crossed.as_ref().err().map(ToString::to_string), refusal, "the border says something else");
    let Some(parsed) = parsed else { return };
    let content = Content::File { bytes: Vec::new(), media_type: None };
    let source = normalized(&content, Some(&parsed)).expect("it was parsed");
    let options = PrepareOptions::default();
    match prepare_parsed(None, parsed, &options) {
        Ok(prepared) => check(&prepared, shown(&source)),
        Err(error) => assert_eq!(error, PrepareError::Empty),
    }
}

/// The worker's answer, which a document that took a parser over may write.
pub fn border(data: &[u8]) {
    if let Ok(parsed) = read_answer(data, Some("text/html"), &["text/html".to_owned()]) {
        let content = Content::File { bytes: Vec::new(), media_type: None };
        let source = normalized(&content, Some(&parsed)).expect("it was parsed");
        if let Ok(prepared) = prepare_parsed(None, parsed, &PrepareOptions::default()) {
            check(&prepared, shown(&source));
        }
    }
}

/// The sanitiser: what it leaves keeps the guarantees, and sanitising it again changes nothing.
pub fn sanitizer(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    for policy in [SanitizePolicy::Strip, SanitizePolicy::Flag, SanitizePolicy::Quarantine] {
        let options = PrepareOptions { policy, ..PrepareOptions::default() };
        let source = Source { title: Some(text.clone()), content: Content::Chunks(vec![text.clone()]) };
        let Ok(once) = prepare(source, &options) else { continue };
        let title = once.title.as_ref().map_or("", shown);
        assert_clean(title);
        if policy != SanitizePolicy::Strip {
            once.chunks.iter().for_each(|chunk| assert_clean(shown(chunk.text())));
            continue;
        }
        for chunk in &once.chunks {
            let text = shown(chunk.text());
            assert_clean(text);
            let again = Source { title: None, content: Content::Chunks(vec![text.to_owned()]) };
            let twice = prepare(again, &options).expect("a chunk has text");
            let texts: Vec<&str> = twice.chunks.iter().map(|chunk| shown(chunk.text())).collect();
            assert_eq!(texts, [text], "sanitising twice is sanitising once");
        }
    }
}

/// The cutter: passages lie in the source, in order, and nothing is cut inside a character.
pub fn chunker(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let content = Content::Text(text);
    let source = normalized(&content, None).expect("a text is its own source");
    if let Ok(prepared) = prepare(Source { title: None, content }, &PrepareOptions::default()) {
        check(&prepared, shown(&source));
    }
}

/// The redactor: what it has masked stays as it is.
pub fn redactor(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let personal = BTreeSet::from(RedactionKind::PERSONAL);
    let once = redact(&text, &personal).text;
    let twice = redact(&once, &personal).text;
    let same = once.bytes().zip(twice.bytes()).take_while(|(one, two)| one == two).count();
    let around = |text: &str| {
        let from = text.floor_char_boundary(same.saturating_sub(80));
        text[from..].chars().take(160).collect::<String>()
    };
    assert!(once == twice, "masking twice is masking once: {:?} {:?}", around(&once), around(&twice));
}

/// The sanitiser of titles, addresses and metadata.
pub fn label(data: &[u8]) {
    let once = sanitize_label(&String::from_utf8_lossy(data));
    assert_clean(&once);
    assert_eq!(sanitize_label(&once), once, "sanitising twice is sanitising once");
}

#[expect(clippy::disallowed_methods, reason = "a test looks at what would be indexed")]
fn shown(text: &UntrustedText) -> &str {
    text.expose_untrusted()
}

/// What holds of every prepared document.
fn check(prepared: &Prepared, source: &str) {
    // Where a placeholder is cut in two, both passages come from the whole value.
    let is_of_one_value = |shared: &std::ops::Range<usize>| {
        prepared.findings.iter().any(|finding| finding.range.start <= shared.start && shared.end <= finding.range.end)
    };
    let mut last = 0;
    for (index, chunk) in prepared.chunks.iter().enumerate() {
        let span = chunk.span();
        let is_after = last <= span.start || (last <= span.end && is_of_one_value(&(span.start..last)));
        let is_place = is_after && span.start <= span.end && span.end <= source.len();
        assert!(
            is_place && source.is_char_boundary(span.start) && source.is_char_boundary(span.end),
            "{span:?} after {last} of {}",
            source.len()
        );
        assert_eq!(usize::try_from(chunk.ordinal()).expect("small"), index);
        assert_clean(shown(chunk.text()));
        assert_clean(chunk.heading());
        last = span.end;
    }
    for finding in &prepared.findings {
        let range = &finding.range;
        assert!(range.start <= range.end && range.end <= source.len(), "{finding:?}");
        assert!(source.is_char_boundary(range.start) && source.is_char_boundary(range.end), "{finding:?}");
    }
    assert_clean(prepared.title.as_ref().map_or("", shown));
}

/// Nothing invisible, no direction overrides, no token of a chat template.
fn assert_clean(text: &str) {
    let is_hidden = |character: char| {
        matches!(
            character,
            '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e001f}'
        )
    };
    assert!(!text.chars().any(is_hidden), "hidden characters are left: {text:?}");
    let folded = text.to_lowercase();
    for token in
        ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "[inst]", "[/inst]", "<<sys>>", "<start_of_turn>", "</s>"]
    {
        assert!(!folded.contains(token), "`{token}` is left: {text:?}");
    }
}

fn relations(entries: &[(&str, &str, &str)]) -> String {
    let entry = |(id, kind, target): &(&str, &str, &str)| {
        format!("<Relationship Id='{id}' Type='http://x/{kind}' Target='{target}'/>")
    };
    let entries: String = entries.iter().map(entry).collect();
    format!(
        "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>{entries}</Relationships>"
    )
}

fn types(part: &str, media_type: &str) -> String {
    format!(
        "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'><Override PartName='{part}' ContentType='{media_type}.main+xml'/></Types>"
    )
}

/// An archive of stored parts.
#[must_use]
pub fn packed(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut local, mut central) = (Vec::new(), Vec::new());
    let long = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    for (name, bytes) in parts {
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend_from_slice(&crc32(bytes).to_le_bytes());
        common.extend_from_slice(&[long(bytes.len()), long(bytes.len())].concat());
        common.extend_from_slice(&[u16::try_from(name.len()).unwrap_or(0).to_le_bytes(), [0; 2]].concat());
        central.extend_from_slice(
            &[b"PK\x01\x02\x14\0", &common[..], &[0; 10], &long(local.len()), name.as_bytes()].concat(),
        );
        local.extend_from_slice(&[b"PK\x03\x04", &common[..], name.as_bytes(), bytes].concat());
    }
    let count = u16::try_from(parts.len()).unwrap_or(0).to_le_bytes();
    let end = [b"PK\x05\x06\0\0\0\0", &count[..], &count, &long(central.len()), &long(local.len()), &[0; 2]].concat();
    [local, central, end].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
