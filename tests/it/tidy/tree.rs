//! The checkout as the tidy rules see it: files with their paths, and code without comments and tests.

use std::path::{Path, PathBuf};

/// Folders that are not ours, or not source.
const LEFT_OUT: &[&str] = &[".git", "target", "ringfence-data", "node_modules"];

/// A text file of the checkout.
pub(super) struct File {
    /// From the root of the checkout, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    pub(super) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }

    /// Whether the file is tests, benchmarks or tooling rather than product.
    pub(super) fn is_product(&self) -> bool {
        let in_product = ["src/", "ingest/src/", "indexes/src/"].iter().any(|folder| self.path.starts_with(folder));
        in_product
            && self.has_extension("rs")
            && !self.path.ends_with("/tests.rs")
            && !self.path.ends_with("_tests.rs")
            && !self.path.contains("/tests/")
    }

    /// The file without comments and without the tests at its end.
    pub(super) fn code(&self) -> String {
        let mut code = String::new();
        for line in self.before_tests().lines().filter(|line| !line.trim_start().starts_with("//")) {
            code.push_str(line.split_once(" // ").map_or(line, |(before, _)| before));
            code.push('\n');
        }
        code
    }

    /// The file up to its inline test module.
    pub(super) fn before_tests(&self) -> &str {
        let end = self.text.match_indices("\n#[cfg(test)]\nmod ").find(|(at, opening)| {
            let declaration = self.text[at + opening.len()..].lines().next().unwrap_or_default();
            declaration.ends_with('{')
        });
        end.map_or(&self.text, |(at, _)| &self.text[..=at])
    }
}

/// Every text file of the checkout, in order of path.
pub(super) fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_symlink() || LEFT_OUT.contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    assert!(files.iter().any(|file| file.path == "src/main.rs"), "the checkout was not found");
    files
}

/// The places where `word` stands alone: not as a part of a longer name.
pub(super) fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| !text[..at].ends_with(is_name) && !text[at + word.len()..].starts_with(is_name))
}
