//! The cage as a whole: real files come out with their words and without what was hidden, hostile files are refused one by one, and nothing gets out.

mod escape;
mod hostile;
mod pool;
mod real;
mod stand_in;

use std::{path::Path, sync::LazyLock};

use ringfence::cage::{Cage, CageError};
use ringfence_ingest::{PrepareError, PrepareOptions, Prepared, UntrustedText, prepare_parsed};
use tokio::runtime::Runtime;

/// One runtime for all tests, because workers are awaited on it.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());

/// A cage whose workers are the built command.
fn cage() -> Cage {
    RUNTIME.block_on(Cage::open(Some(env!("CARGO_BIN_EXE_ringfence").into()))).unwrap()
}

/// Parses a file in a cage and prepares it as the server does.
fn prepare(cage: &Cage, bytes: &[u8], media_type: Option<&str>) -> Result<Prepared, PrepareError> {
    let parsed = match RUNTIME.block_on(cage.parse(bytes, media_type, &[])) {
        Ok(parsed) => parsed,
        Err(CageError::Refused(refusal)) => return Err(refusal),
        Err(unavailable) => panic!("{unavailable}: {:?}", std::error::Error::source(&unavailable)),
    };
    prepare_parsed(None, parsed, &PrepareOptions::default())
}

/// All passages, with the headings that they carry.
#[expect(clippy::disallowed_methods, reason = "the test looks at what would be indexed")]
fn text(prepared: &Prepared) -> String {
    let title = prepared.title.as_ref().map_or("", UntrustedText::expose_untrusted);
    let passages =
        prepared.chunks.iter().map(|chunk| format!("[{}] {}", chunk.heading(), chunk.text().expose_untrusted()));
    std::iter::once(title.to_owned()).chain(passages).collect::<Vec<_>>().join("\n")
}

fn data(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

/// The media type that a client would send for a file of this name.
fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Some("pptx") => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Some("odt") => "application/vnd.oasis.opendocument.text",
        Some("pdf") => "application/pdf",
        Some("html") => "text/html",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}
