//! Files that are built to hurt: each is refused or read for what it is, within its limits, and the next document does not notice.

use std::process::Command;

use ringfence_ingest::{Fault, PrepareError};

use super::{cage, data, media_type, prepare, text};

/// What must become of a file.
#[derive(Clone, Copy)]
enum Expected {
    /// 422.
    Refused,
    /// 415.
    NotTaken,
    /// Read, without anything from outside the file.
    Read,
    /// Either; damage that some readers repair.
    Survived,
}

use Expected::{NotTaken, Read, Refused, Survived};

const FILES: [(&str, Expected); 38] = [
    ("billion_laughs.docx", Refused),
    ("deep_xml_100k.docx", Refused),
    ("duplicate_parts.docx", Refused),
    ("entity_recursion.docx", Refused),
    ("external_rel_smb_http.docx", Read),
    ("quadratic_blowup.docx", Refused),
    ("truncated.docx", Refused),
    ("utf7_declared.docx", Refused),
    ("xinclude.docx", Survived),
    ("xxe_file.docx", Refused),
    ("xxe_http_loopback.docx", Refused),
    ("xxe_param_oob.docx", Refused),
    ("zip_slip.docx", Refused),
    ("zipbomb_256MB.docx", Refused),
    ("lying_size.zip", NotTaken),
    ("nested_5x10_100GB.zip", NotTaken),
    ("overlap_32GB.zip", Refused),
    ("symlink_entry.zip", Refused),
    ("count_lie.pdf", Survived),
    ("embedded_file_ref_etc_passwd.pdf", Survived),
    ("flate_bomb_256MB.pdf", Refused),
    ("flate_chain_x3.pdf", Refused),
    ("form_xobject_exponential.pdf", Refused),
    ("header_only.pdf", Refused),
    ("js_openaction.pdf", Survived),
    ("launch_action.pdf", Survived),
    ("length_lie.pdf", Survived),
    ("not_a_pdf.pdf", NotTaken),
    ("page_tree_cycle.pdf", Survived),
    ("ref_self_length.pdf", Survived),
    ("xref_loop.pdf", Survived),
    ("deep_array.pdf", Survived),
    ("deep_dictionary.pdf", Survived),
    ("huge_number.pdf", Survived),
    ("deep.html", Survived),
    ("attribute.html", Survived),
    ("deep.json", Refused),
    ("keys.json", Read),
];

fn file(name: &str) -> Vec<u8> {
    let pdf = |value: String| {
        format!("%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R /X {value} >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n").into_bytes()
    };
    match name {
        "deep_array.pdf" => pdf("[".repeat(200_000) + &"]".repeat(200_000)),
        "deep_dictionary.pdf" => pdf("<</A ".repeat(100_000) + "1" + &">>".repeat(100_000)),
        "huge_number.pdf" => pdf("9".repeat(1_000_000)),
        "deep.html" => "<div>".repeat(100_000).into_bytes(),
        "attribute.html" => format!("<a {}=1>", "x".repeat(1_000_000)).into_bytes(),
        "deep.json" => "[".repeat(100_000).into_bytes(),
        "keys.json" => {
            format!("{{{}\"end\": 1}}", (0..60_000).map(|key| format!("\"{key}\":0,")).collect::<String>()).into_bytes()
        }
        stored => data(&format!("hostile/{stored}")),
    }
}

#[test]
fn hostile_files_are_refused_one_by_one() {
    let cage = cage();
    let plain = data("documents/plain.docx");
    for (name, expected) in FILES {
        let bytes = file(name);
        let prepared = prepare(&cage, &bytes, Some(media_type(name)));
        let is_refused = matches!(prepared, Err(PrepareError::Unparseable(_) | PrepareError::Empty));
        let is_not_taken =
            matches!(prepared, Err(PrepareError::UnsupportedMediaType(_) | PrepareError::DisguisedMediaType { .. }));
        match expected {
            Refused => assert!(is_refused, "{name}: {prepared:?}"),
            NotTaken => assert!(is_not_taken, "{name}: {prepared:?}"),
            Read => assert!(prepared.is_ok(), "{name}: {prepared:?}"),
            Survived => assert!(prepared.is_ok() || is_refused, "{name}: {prepared:?}"),
        }
        if let Ok(prepared) = prepared {
            let text = text(&prepared);
            assert!(!text.contains("root:") && !text.contains("HIDDEN-CANARY"), "{name}: {text}");
        }
        let after = prepare(&cage, &plain, Some(media_type("x.docx"))).unwrap();
        assert!(text(&after).contains("CANARY-OK"), "after {name}");
    }
}

#[test]
fn bombs_are_refused_for_what_they_are() {
    let cage = cage();
    let fault = |name: &str| prepare(&cage, &file(name), Some(media_type(name))).unwrap_err();
    assert_eq!(fault("zipbomb_256MB.docx"), PrepareError::Unparseable(Fault::TooLarge));
    assert_eq!(fault("billion_laughs.docx"), PrepareError::Unparseable(Fault::Doctype));
    assert_eq!(fault("overlap_32GB.zip"), PrepareError::Unparseable(Fault::Archive));
    assert_eq!(fault("deep.json"), PrepareError::Unparseable(Fault::TooDeep));
}

/// The resident memory of this process in KiB.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Run in a process of its own by the test below, because the other tests of this process take memory too.
#[test]
#[ignore = "a_bomb_does_not_grow_the_server runs it"]
fn bombs_under_watch() {
    let cage = cage();
    let bombs = [
        "zipbomb_256MB.docx",
        "flate_bomb_256MB.pdf",
        "flate_chain_x3.pdf",
        "overlap_32GB.zip",
        "form_xobject_exponential.pdf",
    ];
    let bombs = bombs.map(|name| (name, file(name)));
    prepare(&cage, &data("documents/plain.docx"), Some(media_type("x.docx"))).unwrap();
    let before = resident();
    for (name, bytes) in &bombs {
        assert!(prepare(&cage, bytes, Some(media_type(name))).is_err(), "{name}");
        let grown = resident() - before;
        println!("{name}: {grown} KiB");
        assert!(grown.abs() < 10 * 1024, "{name}: {grown} KiB");
    }
}

#[test]
fn a_bomb_does_not_grow_the_server() {
    let watch = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cage::hostile::bombs_under_watch", "--ignored", "--test-threads=1"])
        .output()
        .unwrap();
    assert!(watch.status.success(), "{}", String::from_utf8_lossy(&watch.stdout));
}
