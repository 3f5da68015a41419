//! Which files there are, what they are called and what they are.
//!
//! Sorted, so that two runs do the same; without hidden files and without following links, so that nothing outside the named folders is uploaded by accident.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ringfence_indexes::DocumentId;
use walkdir::{DirEntry, WalkDir};

use crate::cli::{failure::Failure, output::printable};

/// What an extension says. A server that does not read a format, or a collection that does not take it, answers so.
const MEDIA_TYPES: &[(&str, &str)] = &[
    ("md", "text/markdown"),
    ("markdown", "text/markdown"),
    ("txt", "text/plain"),
    ("text", "text/plain"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("xhtml", "application/xhtml+xml"),
    ("csv", "text/csv"),
    ("tsv", "text/tab-separated-values"),
    ("json", "application/json"),
    ("eml", "message/rfc822"),
    ("rtf", "application/rtf"),
    ("pdf", "application/pdf"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
];

/// A file to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path relative to the named folder, with `/`: the document's id.
    pub(super) id: String,
    /// Where it lies.
    pub(super) path: PathBuf,
    /// What its extension says.
    pub(super) media_type: &'static str,
}

/// What a walk found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    /// Files to upload, by id.
    pub(super) files: Vec<Found>,
    /// How many files have an extension that nothing reads, by extension.
    pub(super) unsupported: BTreeMap<String, u64>,
    /// What cannot be read or has no name that an id could be.
    pub(super) failed: Vec<(String, String)>,
}

/// Walks files and folders. `accept` are the media types that the collection names.
pub(super) fn walk(paths: &[PathBuf], accept: &[String]) -> Result<Walk, Failure> {
    let mut walk = Walk::default();
    for path in paths {
        if !path.exists() {
            return Err(Failure::usage(format!("there is no `{}`", path.display())));
        }
        let root = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new("")) };
        let entries = WalkDir::new(path)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry));
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_type().is_file() => take(&mut walk, root, entry.path(), accept),
                Ok(entry) if entry.depth() == 0 && entry.path().is_file() => {
                    take(&mut walk, root, entry.path(), accept);
                }
                // Folders hold nothing themselves; links and devices are not followed.
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().map_or_else(String::new, |path| path.display().to_string());
                    let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                    walk.failed.push((path, why));
                }
            }
        }
    }
    walk.files.sort_by(|left, right| left.id.cmp(&right.id));
    match walk.files.windows(2).find(|pair| pair[0].id == pair[1].id) {
        Some([first, second]) if first.path != second.path => Err(Failure::usage(format!(
            "`{}` and `{}` would both become the document `{}`",
            first.path.display(),
            second.path.display(),
            printable(&first.id)
        ))
        .with_remedy("ingest them in two runs into different collections, or name a folder above both")),
        _ => {
            walk.files.dedup();
            Ok(walk)
        }
    }
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

fn take(walk: &mut Walk, root: &Path, path: &Path, accept: &[String]) {
    let Some(media_type) = media_type(path).filter(|own| is_accepted(own, accept)) else {
        *walk.unsupported.entry(extension(path)).or_default() += 1;
        return;
    };
    match id(root, path) {
        Ok(id) => walk.files.push(Found { id, path: path.to_owned(), media_type }),
        Err(why) => walk.failed.push((path.display().to_string(), why)),
    }
}

fn media_type(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    MEDIA_TYPES.iter().find(|(own, _)| *own == extension).map(|(_, name)| *name)
}

/// Whether a collection that names media types names this one; one that names none takes all.
fn is_accepted(media_type: &str, accept: &[String]) -> bool {
    let is_whole_family = |accepted: &str| {
        accepted == "*/*" || accepted.strip_suffix('*').is_some_and(|family| media_type.starts_with(family))
    };
    accept.is_empty() || accept.iter().any(|accepted| accepted == media_type || is_whole_family(accepted))
}

/// The extension of a file as it is counted and shown.
pub(super) fn extension(path: &Path) -> String {
    path.extension().map_or_else(
        || "without extension".to_owned(),
        |extension| format!(".{}", printable(&extension.to_string_lossy().to_ascii_lowercase())),
    )
}

/// The path below the root, with `/` between its parts.
fn id(root: &Path, path: &Path) -> Result<String, String> {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    let id = parts.ok_or("its name is not UTF-8")?.join("/");
    DocumentId::new(&id).map(|_| id).map_err(|error| format!("its path cannot be an id: {error}"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        folder
    }

    fn ids(walk: &Walk) -> Vec<&str> {
        walk.files.iter().map(|file| file.id.as_str()).collect()
    }

    #[test]
    fn a_folder_is_walked_in_order_without_hidden_files_and_links() {
        let folder = folder(&[
            "b/z.md",
            "b/a.HTML",
            "a.txt",
            ".git/x.md",
            "b/.secret.md",
            "pic.png",
            "pic2.png",
            "LICENSE",
            "c.xyz",
        ]);
        symlink("/etc/hostname", folder.path().join("link.txt")).unwrap();
        symlink("/etc", folder.path().join("etc")).unwrap();
        let walk = walk(&[folder.path().to_owned()], &[]).unwrap();
        assert_eq!(ids(&walk), ["a.txt", "b/a.HTML", "b/z.md"]);
        assert_eq!(walk.files[1].media_type, "text/html");
        let unsupported: Vec<_> = walk.unsupported.into_iter().collect();
        assert_eq!(unsupported, [(".png".to_owned(), 2), (".xyz".to_owned(), 1), ("without extension".to_owned(), 1)]);
        assert!(walk.failed.is_empty());
    }

    #[test]
    fn a_file_is_named_by_its_own_name() {
        let folder = folder(&["sub/a.md"]);
        let file = folder.path().join("sub/a.md");
        assert_eq!(ids(&walk(&[file.clone(), file], &[]).unwrap()), ["a.md"]);
        assert!(walk(&[folder.path().join("nothing")], &[]).is_err());
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let folder = folder(&["one/a.md", "two/a.md"]);
        let failure = walk(&[folder.path().join("one"), folder.path().join("two")], &[]).unwrap_err().to_string();
        assert!(failure.contains("would both become the document `a.md`"), "{failure}");
    }

    #[test]
    fn a_collection_that_names_formats_gets_no_others() {
        let folder = folder(&["a.md", "b.pdf", "c.txt"]);
        let check = |accept: &[&str], expected: &[&str]| {
            let accept: Vec<String> = accept.iter().map(ToString::to_string).collect();
            assert_eq!(ids(&walk(&[folder.path().to_owned()], &accept).unwrap()), expected, "{accept:?}");
        };
        check(&[], &["a.md", "b.pdf", "c.txt"]);
        check(&["application/pdf"], &["b.pdf"]);
        check(&["text/*"], &["a.md", "c.txt"]);
    }
}
