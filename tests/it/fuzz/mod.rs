//! The fuzz targets on a stable compiler: a bounded mutation loop over the committed seeds (T15).
//!
//! The long form (`cargo xtask deep fuzz`) goes on for a minute a target, or for `RINGFENCE_FUZZ_SECONDS`.

#[path = "../../../fuzz/src/documents.rs"]
#[expect(unreachable_pub, reason = "the file is part of a crate of its own for libFuzzer")]
mod documents;
#[path = "../../../fuzz/src/envelope.rs"]
#[expect(unreachable_pub, reason = "the file is part of a crate of its own for libFuzzer")]
mod envelope;
mod mutate;

use std::{fs, panic::AssertUnwindSafe, path::PathBuf, time::Duration};

use data_encoding::BASE64;
use tokio::time::Instant;

use self::{
    documents::{TARGETS, Target},
    envelope::genuine_answer,
    mutate::Mutator,
};
use crate::harness::is_deep;

/// Mutations of a target in an ordinary run.
const ROUNDS: u64 = 1_000;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in [root.join("fuzz/seeds").join(target), root.join("fuzz/regressions").join(target)] {
        paths.extend(fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()));
    }
    let extension = match target {
        "pdf" => "pdf",
        "archive" => "docx",
        _ => "",
    };
    let documents = fs::read_dir(root.join("tests/data/documents")).unwrap().map(|entry| entry.unwrap().path());
    paths.extend(documents.filter(|path| path.extension().is_some_and(|own| own == extension)));
    paths.sort();
    assert!(!paths.is_empty(), "the target `{target}` has no seeds");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn deadline() -> Option<Duration> {
    let seconds = std::env::var("RINGFENCE_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    is_deep().then(|| Duration::from_secs(seconds.unwrap_or(60)))
}

/// Runs a target on its seeds and on mutations of them.
fn run((name, target): Target) {
    let seeds = seeds(name);
    let attempt = |data: &[u8], what: &str| {
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| target(data)));
        assert!(outcome.is_ok(), "{name}: {what}: {}", BASE64.encode(&data[..data.len().min(1 << 16)]));
    };
    seeds.iter().enumerate().for_each(|(number, seed)| attempt(seed, &format!("seed {number}")));
    let (started, bound) = (Instant::now(), deadline());
    let mut mutator = Mutator::new(name, seeds);
    let mut round = 0;
    while bound.map_or(round < ROUNDS, |bound| started.elapsed() < bound) {
        let data = mutator.next();
        attempt(&data, &format!("round {round}"));
        mutator.keep(data, round);
        round += 1;
    }
    println!("{name}: {round} mutations in {:.1} s", started.elapsed().as_secs_f64());
}

macro_rules! targets {
    ($($name:ident $index:literal)*) => {
        $(#[test]
        fn $name() {
            run(TARGETS[$index]);
        })*
    };
}

targets! {
    text 0 markdown 1 html 2 csv 3 json 4 mail 5 rtf 6 pdf 7 archive 8 docx 9
    pptx 10 xlsx 11 odt 12 undeclared 13 border 14 sanitizer 15 chunker 16 redactor 17 label 18
}

/// The target that needs the server.
const ENVELOPE: Target = ("envelope", envelope::envelope);

#[test]
fn envelope() {
    run(ENVELOPE);
}

#[test]
fn the_seed_of_the_envelope_is_what_verifies() {
    let seed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/envelope/answer.json");
    if std::env::var_os("RINGFENCE_WRITE_SEEDS").is_some() {
        fs::write(&seed, genuine_answer()).unwrap();
    }
    assert_eq!(fs::read_to_string(seed).unwrap(), genuine_answer());
}

#[test]
fn libfuzzer_has_every_target() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    for (name, _) in TARGETS.into_iter().chain([ENVELOPE]) {
        let source = fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap();
        assert!(source.contains("fuzz_target!"), "{name}");
    }
}
