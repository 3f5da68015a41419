//! How much of what other programs read in real PDF and Office files comes out of the parsers: `cargo xtask bench documents [--write]`.
//!
//! The files are those of packages that other people wrote, fetched at run time and not kept in the repository; `reference.py` beside this file says which, and reads them with other programs. Words are compared as sets: what is in both, in parts of the reference (found) and of both together (overlap). `--write` puts the table into `benches/README.md`. Fails below the goal.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use ringfence_ingest::{Content, normalized, parse_document};
use unicode_normalization::UnicodeNormalization as _;

/// The overlap that is wanted on average.
const GOAL: f64 = 0.97;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let folder = std::env::var("RINGFENCE_BENCH_DOCUMENTS")
        .map_err(|_| "no documents: run this by `cargo xtask bench documents`, which fetches them")?;
    let list = std::fs::read_to_string(Path::new(&folder).join("files.tsv"))?;
    let mut page = String::from("| file | of | words | found | overlap |\n| --- | --- | --- | --- | --- |\n");
    let (mut found_sum, mut overlap_sum, mut count) = (0.0, 0.0, 0_u32);
    for line in list.lines() {
        let [package, file, reference] = *line.split('\t').collect::<Vec<_>>() else {
            return Err(format!("not a file: {line}").into());
        };
        let reference = words(&std::fs::read_to_string(reference)?);
        let own = own_words(Path::new(file))?;
        let common = own.intersection(&reference).count();
        let (found, overlap) = (share(common, reference.len()), share(common, own.union(&reference).count()));
        let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
        writeln!(page, "| {name} | {package} | {} | {found:.3} | {overlap:.3} |", reference.len())?;
        if std::env::args().any(|argument| argument == "--show") {
            let some = |words: Vec<&String>| words.into_iter().take(12).cloned().collect::<Vec<_>>().join(" ");
            println!("{name}: lacks {}", some(reference.difference(&own).collect()));
            println!("{name}: has besides {}", some(own.difference(&reference).collect()));
        }
        found_sum += found;
        overlap_sum += overlap;
        count += 1;
    }
    let (found, overlap) = (found_sum / f64::from(count.max(1)), overlap_sum / f64::from(count.max(1)));
    writeln!(page, "| **mean of {count}** | | | {found:.3} | {overlap:.3} |")?;
    println!("{page}");
    if std::env::args().any(|argument| argument == "--write") {
        put_into_readme(&page)?;
    }
    if count >= 20 && overlap >= GOAL {
        Ok(())
    } else {
        Err(format!("{overlap:.3} of {count} files, wanted {GOAL}").into())
    }
}

/// The words of what a person sees in a document. The headings that say which page or slide follows are ours.
#[expect(clippy::disallowed_methods, reason = "a measurement looks at what would be indexed")]
fn own_words(path: &Path) -> Outcome<BTreeSet<String>> {
    let parsed = parse_document(&std::fs::read(path)?, None, &[])?;
    let text = normalized(&Content::File { bytes: Vec::new(), media_type: None }, Some(&parsed))?;
    let is_numbered = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    let without_number = |line: &str| {
        let rest = ["# Page ", "# Slide "].iter().find_map(|opening| line.strip_prefix(opening));
        match rest.filter(|rest| is_numbered(rest)) {
            Some(rest) => rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).to_owned(),
            None => line.to_owned(),
        }
    };
    let lines: Vec<String> = text.expose_untrusted().lines().map(without_number).collect();
    Ok(words(&lines.join("\n")))
}

fn words(text: &str) -> BTreeSet<String> {
    let plain: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let letters = |character: char| character.is_alphanumeric() || character == '_';
    plain.split(|character| !letters(character)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of words are small")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn put_into_readme(page: &str) -> Outcome<()> {
    const BEGIN: &str = "<!-- documents: written by `cargo xtask bench documents --write` -->\n";
    const END: &str = "<!-- documents: end -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/README.md");
    let text = std::fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("benches/README.md has no section for documents")?;
    let (_, after) = rest.split_once(END).ok_or("the section for documents has no end")?;
    std::fs::write(path, format!("{before}{BEGIN}\n{}\n\n{END}{after}", page.trim_end()))?;
    Ok(())
}
