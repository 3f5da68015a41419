//! Files as usual programs write them.

use super::{cage, data, media_type, prepare, text};
use ringfence_ingest::{FindingKind, PrepareError};

#[track_caller]
fn check(name: &str, expected: &[&str], hides: bool) {
    let prepared = prepare(&cage(), &data(&format!("documents/{name}")), Some(media_type(name))).unwrap();
    let text = text(&prepared);
    for words in expected {
        assert!(text.contains(words), "{name} lacks {words:?}:\n{text}");
    }
    assert!(!text.contains("HIDDEN-CANARY"), "{name}:\n{text}");
    assert_eq!(prepared.findings.iter().any(|finding| finding.kind == FindingKind::HiddenText), hides, "{name}");
    assert_eq!(prepared.media_type, media_type(name));
}

const LINES: [&str; 4] = [
    "Signing keys are rotated every ninety days by the platform team.",
    "The old key stays valid for one week, so that services can catch up.",
    "A rotation is announced in the change calendar two days before.",
    "Whoever finds a key in a log revokes it at once and tells the security desk.",
];

#[test]
fn word_documents_come_out_with_their_structure() {
    let structure = ["[Schedule]", LINES[0], LINES[1], "- Announce it\n- Rotate it", "Visible words."];
    check("rotation.docx", &structure, true);
    check("rotation.docx", &["[Schedule › Owners]", "Service | Owner\nbilling | Ada", "Internal handbook"], true);
    check("plain.docx", &["benign control document CANARY-OK"], false);
    check("hidden_text_injection.docx", &["Quarterly report is attached."], true);
    check("utf16_doc.docx", &["utf16 & bom"], false);
    check("rotation.odt", &["[Key rotation]", LINES[0], LINES[3], "Visible words."], true);
}

#[test]
fn slides_and_sheets_say_where_a_passage_stands() {
    check(
        "rotation.pptx",
        &["[Slide 1 › Key rotation]", LINES[0], LINES[2], "[Slide 2 › Owners]", "Service | Owner\nbilling | Ada"],
        true,
    );
    check(
        "budget.xlsx",
        &[
            "[Budget]",
            "Item | Amount | Due | Share",
            "Hosting | 1,234.50 | 2026-11-02 | 25%",
            "Support | 99 | 2026-12-24 | 0.75",
        ],
        true,
    );
}

#[test]
fn pages_come_out_with_their_numbers() {
    check("rotation.pdf", &["[Page 1]", LINES[0], LINES[3], "[Page 2]", "Light words on a dark ground"], true);
    check("plain.pdf", &["benign control CANARY-OK"], false);
    check("invisible_text_render3.pdf", &["Visible invoice text."], true);
    // Encrypted, but open to everybody: readers ask for no password.
    check("encrypted-open.pdf", &["[Page 1]", LINES[1]], false);
}

#[test]
fn what_a_file_is_decides_and_not_its_name() {
    let cage = cage();
    let refused = |name: &str, media_type: &str| {
        prepare(&cage, &data(&format!("documents/{name}")), Some(media_type)).unwrap_err()
    };
    for (name, declared, detected) in [
        ("rotation.docx", "application/pdf", "application/zip"),
        ("rotation.docx", media_type("x.xlsx"), media_type("x.docx")),
        ("rotation.pdf", media_type("x.docx"), "application/pdf"),
        ("make.py", "application/pdf", "text/plain"),
    ] {
        let expected = PrepareError::DisguisedMediaType { declared: declared.to_owned(), detected };
        assert_eq!(refused(name, declared), expected, "{name}");
    }
    let undeclared = prepare(&cage, &data("documents/rotation.pptx"), None).unwrap();
    assert_eq!(undeclared.media_type, media_type("x.pptx"));
}
