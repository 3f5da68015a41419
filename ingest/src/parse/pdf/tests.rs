//! Pages made by hand, and what is seen of them.

use super::parse;
use crate::{
    finding::FindingKind::{self, Comment, HiddenText},
    parse::Parsed,
    prepare::PrepareError,
};

/// A file of numbered objects with a table of where they are.
fn file(objects: &[String]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (number, object) in (1..).zip(objects) {
        places.push(out.len());
        out.extend(format!("{number} 0 obj\n{object}\nendobj\n").bytes());
    }
    let table = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    out.extend(places.iter().flat_map(|place| format!("{place:010} 00000 n \n").into_bytes()));
    out.extend(format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1).bytes());
    out
}

fn stream(content: &str) -> String {
    format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len())
}

fn page_with(
    content: &str,
    resources: &str,
    page: &str,
    catalog: &str,
    more: &[String],
) -> Result<Parsed, PrepareError> {
    let mut objects = vec![
        format!("<< /Type /Catalog /Pages 2 0 R {catalog} >>"),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 600 800] >>".to_owned(),
        format!(
            "<< /Type /Page /Parent 2 0 R /Contents 4 0 R {page} /Resources << /Font << /F1 5 0 R >> {resources} >> >>"
        ),
        stream(content),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    objects.extend_from_slice(more);
    parse(&file(&objects))
}

#[track_caller]
fn check_with(content: &str, resources: &str, page: &str, more: &[String], expected: &str, findings: &[FindingKind]) {
    let parsed = page_with(content, resources, page, "", more).expect("parses");
    let expected = if expected.is_empty() { String::new() } else { format!("# Page 1\n\n{expected}") };
    assert_eq!(parsed.text, expected, "{content}");
    assert_eq!(parsed.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), findings, "{content}");
}

#[track_caller]
fn check(content: &str, expected: &str, findings: &[FindingKind]) {
    check_with(content, "", "", &[], expected, findings);
}

#[test]
fn strings_become_lines() {
    check(
        "BT /F1 12 Tf 72 700 Td (Hello) Tj ( world) Tj 0 -14 Td (second line) Tj 0 -40 Td (a paragraph) Tj ET",
        "Hello world\nsecond line\n\na paragraph",
        &[],
    );
    check("BT /F1 12 Tf 72 700 Td [(W)80(or)-20(d)-300(gap)] TJ ET", "Word gap", &[]);
    check("BT /F1 12 Tf 14 TL 72 700 Td (one) Tj T* (two) Tj (three) ' ET", "one\ntwo\nthree", &[]);
    check("BT /F1 1 Tf 12 0 0 12 72 700 Tm (scaled) Tj ET", "scaled", &[]);
    check("BT /F1 12 Tf 0 1 -1 0 300 300 Tm (turned) Tj ( text) Tj ET", "turned text", &[]);
    check("BT /F1 12 Tf 72 700 Td (caf\\351 \\223x\\224) Tj ET", "café “x”", &[]);
    check("BT /F1 12 Tf 72 700 Td (bold) Tj ET BT /F1 12 Tf 72.2 700 Td (bold) Tj ET", "bold", &[]);
    check("q BI /W 1 /H 1 ID \u{1}x EI Q BT /F1 12 Tf 72 700 Td (after) Tj ET", "after", &[]);
}

#[test]
fn what_is_not_seen_is_left_out() {
    let seen = "BT /F1 12 Tf 72 700 Td (seen) Tj ET ";
    for hidden in [
        "BT 3 Tr /F1 12 Tf 72 600 Td (x) Tj ET",
        "BT 7 Tr /F1 12 Tf 72 600 Td (x) Tj ET",
        "BT 1 1 1 rg /F1 12 Tf 72 600 Td (x) Tj ET",
        "BT 0 0 0 0 k /F1 12 Tf 72 600 Td (x) Tj ET",
        "BT .98 g /F1 12 Tf 72 600 Td (x) Tj ET",
        "BT 1 Tr 1 G /F1 12 Tf 72 600 Td (x) Tj ET",
        "BT /F1 .5 Tf 72 600 Td (x) Tj ET",
        "BT /F1 12 Tf .01 0 0 .01 72 600 Tm (x) Tj ET",
        "BT /F1 12 Tf 1 Tz 72 600 Td (x) Tj ET",
        "BT /F1 12 Tf 72 900 Td (x) Tj ET",
        "BT /F1 12 Tf -300 600 Td (x) Tj ET",
        "q 0 0 10 10 re W n BT /F1 12 Tf 72 600 Td (x) Tj ET Q",
        "0 0 .5 rg 70 590 100 30 re f BT 0 0 .5 rg /F1 12 Tf 72 600 Td (x) Tj ET",
        "BT /F1 12 Tf 72 600 Td (x) Tj ET 0 g 70 590 100 30 re f",
    ] {
        check(&format!("{seen}{hidden}"), "seen", &[HiddenText]);
    }
    let clear = "/ExtGState << /E << /ca 0 >> >>";
    check_with(&format!("{seen}/E gs BT /F1 12 Tf 72 600 Td (x) Tj ET"), clear, "", &[], "seen", &[HiddenText]);
}

#[test]
fn light_text_on_something_dark_is_seen() {
    check("0 0 .5 rg 70 590 100 30 re f BT 1 g /F1 12 Tf 72 600 Td (x) Tj ET", "x", &[]);
    let image = ["<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /Length 1 >>\nstream\nx\nendstream".to_owned()];
    let picture = "q 500 0 0 500 0 300 cm /I Do Q BT 1 g /F1 12 Tf 72 600 Td (x) Tj ET";
    check_with(picture, "/XObject << /I 6 0 R >>", "", &image, "x", &[]);
    check("BT /F1 12 Tf 72 600 Td (marked) Tj ET q /E gs 1 1 0 rg 70 700 100 30 re f Q", "marked", &[]);
    let multiply = "/ExtGState << /E << /BM /Multiply >> >>";
    check_with(
        "BT /F1 12 Tf 72 600 Td (marked) Tj ET /E gs 1 1 0 rg 70 590 100 30 re f",
        multiply,
        "",
        &[],
        "marked",
        &[],
    );
}

#[test]
fn composite_fonts_are_read_by_their_map() {
    let map = "1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfrange <0001> <001A> <0061> endbfrange";
    let more = [
        "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /ToUnicode 7 0 R /DescendantFonts [8 0 R] >>".to_owned(),
        stream(map),
        "<< /Type /Font /Subtype /CIDFontType2 /DW 500 /W [1 [600 600] 3 5 400] >>".to_owned(),
    ];
    let content = "BT /F2 12 Tf 72 700 Td <000100020003> Tj ET";
    let parsed = page_with(&content.replace("/F2", "/F1"), "", "", "", &[]).expect("parses");
    assert!(!parsed.text.contains("abc"));
    let font = [
        "<< /Type /Font /Subtype /Type0 /Encoding /Identity-H /ToUnicode 7 0 R /DescendantFonts [8 0 R] >>".to_owned(),
        more[1].clone(),
        more[2].clone(),
    ];
    check_with(
        "/G BMC BT /F2 12 Tf 72 700 Td <000100020003> Tj ET EMC",
        "/Font << /F2 6 0 R >>",
        "",
        &font,
        "abc",
        &[],
    );
}

#[test]
fn layers_that_are_off_are_not_seen() {
    let layer = ["<< /Type /OCG /Name (L) >>".to_owned()];
    let content = "BT /F1 12 Tf 72 700 Td (seen) Tj ET /OC /L BDC BT /F1 12 Tf 72 600 Td (off) Tj ET EMC";
    let properties = "/Properties << /L 6 0 R >>";
    let off = "/OCProperties << /OCGs [6 0 R] /D << /OFF [6 0 R] >> >>";
    let parsed = page_with(content, properties, "", off, &layer).expect("parses");
    assert_eq!((parsed.text.as_str(), parsed.findings.len()), ("# Page 1\n\nseen", 1));
    let parsed = page_with(content, properties, "", "", &layer).expect("parses");
    assert!(parsed.text.ends_with("off") && parsed.findings.is_empty());
}

#[test]
fn remarks_are_reported_and_fields_are_read() {
    let form = "<< /Subtype /Form /BBox [0 0 100 20] /Resources << /Font << /F1 5 0 R >> >> /Length 38 >>\nstream\nBT /F1 12 Tf 2 4 Td (filled in) Tj ET \nendstream".to_owned();
    let annotations = "/Annots [<< /Subtype /Text /Contents (a remark) /Rect [0 0 9 9] >> << /Subtype /Widget /Rect [72 500 172 520] /AP << /N 6 0 R >> >>]";
    check_with("BT /F1 12 Tf 72 700 Td (seen) Tj ET", "", annotations, &[form], "seen\n\nfilled in", &[Comment]);
}

#[test]
fn hostile_files_end() {
    let forms: Vec<String> = (0..12)
        .map(|level| format!("<< /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X {} 0 R >> >> /Length 60 >>\nstream\n{}\nendstream", 7 + level, "/X Do ".repeat(10)))
        .chain([stream("BT ET")])
        .collect();
    assert!(page_with(&"/X Do ".repeat(10), "/XObject << /X 6 0 R >>", "", "", &forms).is_err());
    let itself = ["<< /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 6 0 R >> >> /Length 5 >>\nstream\n/X Do\nendstream".to_owned()];
    assert!(page_with("/X Do", "/XObject << /X 6 0 R >>", "", "", &itself).is_err());
    assert!(page_with(&"q ".repeat(10_000), "", "", "", &[]).is_err());
    check(&"[".repeat(100_000), "", &[]);
    check(&"(".repeat(100_000), "", &[]);
    for broken in ["%PDF-1.7\n", "%PDF-1.7\n1 0 obj\n<<", "%PDF-"] {
        assert!(parse(broken.as_bytes()).is_err());
    }
}
