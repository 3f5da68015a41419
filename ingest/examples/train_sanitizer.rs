//! Trains the model of the sanitiser and writes its file: `cargo xtask train-sanitizer [--check]`.
//!
//! The same data give the same bytes on every machine. `--check` writes nothing and fails if the file is another.
#![expect(clippy::print_stdout, reason = "a tool says what it did")]

use std::path::Path;

use ringfence_ingest::training::{Data, train_shipped};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("model/sanitizer.bin");
    let data = Data::committed();
    println!(
        "{} instructions of {} families, {} honest texts",
        data.payloads.len(),
        data.families().len(),
        data.honest.len()
    );
    let file = train_shipped();
    let digest = blake3::hash(&file).to_hex();
    let same = std::fs::read(&path).is_ok_and(|own| own == file);
    println!("model {} ({} bytes), {} the committed one", &digest[..8], file.len(), if same { "is" } else { "is not" });
    if std::env::args().any(|argument| argument == "--check") {
        return if same { Ok(()) } else { Err("the committed model is not what training gives".into()) };
    }
    if !same {
        std::fs::write(&path, file)?;
        println!("written to {}", path.display());
    }
    Ok(())
}
