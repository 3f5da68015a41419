//! What was uploaded before, so that a run goes on where the last one broke off and unchanged files are skipped.
//!
//! A file of JSON lines that grows with each upload and is rewritten at the end; a line that a crash cut off is ignored. It names no content: hashes only.
//! It is a memory, not the truth: what the server does not list with the same content hash is uploaded again.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

/// What is remembered of one upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The document.
    pub(super) id: String,
    /// The hash of what was sent: bytes, media type, ACL.
    pub(super) fingerprint: String,
    /// The content hash that the server answered with.
    pub(super) content_hash: String,
}

/// The uploads to one collection of one server with one key.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
    /// Open for appending once something was uploaded.
    journal: Option<File>,
}

impl State {
    /// Reads the state; none for one that was never written.
    pub(super) fn load(path: PathBuf) -> io::Result<Self> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let entries = text.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok());
        Ok(Self { path, entries: entries.map(|entry| (entry.id.clone(), entry)).collect(), journal: None })
    }

    pub(super) fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// Remembers uploads at once.
    pub(super) fn add(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        let lines: String = entries.iter().map(line).collect();
        self.entries.extend(entries.into_iter().map(|entry| (entry.id.clone(), entry)));
        let journal = match &mut self.journal {
            Some(journal) => journal,
            None => self.journal.insert(open(&self.path)?),
        };
        journal.write_all(lines.as_bytes())
    }

    /// Rewrites the file with one line a document, where anything was added.
    pub(super) fn finish(self) -> io::Result<()> {
        let Some(journal) = self.journal else { return Ok(()) };
        drop(journal);
        let lines: String = self.entries.values().map(line).collect();
        let beside = self.path.with_extension("new");
        fs::write(&beside, lines)?;
        fs::rename(beside, self.path)
    }
}

fn line(entry: &Entry) -> String {
    format!("{}\n", serde_json::to_string(entry).expect("an entry of texts is JSON"))
}

/// Opens for appending; after a torn line it begins a new one.
fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let torn = fs::read(path).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n'));
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    if torn {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Where the state of a server, key and collection lies unless a file is named.
pub(super) fn default_path(server: &str, key_id: &str, collection: &str) -> Option<PathBuf> {
    let folder = env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")))?;
    let name = blake3::hash(format!("{server}\n{key_id}\n{collection}").as_bytes());
    Some(folder.join("ringfence/ingest").join(format!("{}.jsonl", HEXLOWER.encode(&name.as_bytes()[..16]))))
}

/// The hash of what is sent for a file.
pub(super) fn fingerprint(bytes: &[u8], media_type: &str, acl: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [media_type.as_bytes(), acl.as_bytes(), bytes] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, fingerprint: &str) -> Entry {
        Entry { id: id.to_owned(), fingerprint: fingerprint.to_owned(), content_hash: "blake3:x".to_owned() }
    }

    #[test]
    fn what_was_added_is_there_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/state.jsonl");
        let mut state = State::load(path.clone()).unwrap();
        state.add(vec![entry("a", "1"), entry("b", "1")]).unwrap();
        state.add(vec![entry("a", "2")]).unwrap();
        // The process dies here, in the middle of a line.
        drop(state);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"id\":\"c\",\"finge").unwrap();
        let mut state = State::load(path.clone()).unwrap();
        assert_eq!((state.get("a"), state.get("c")), (Some(&entry("a", "2")), None));
        state.add(vec![entry("d", "1")]).unwrap();
        assert!(State::load(path.clone()).unwrap().get("d").is_some());
        state.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }

    #[test]
    fn a_fingerprint_changes_with_everything_that_is_sent() {
        let all = [
            fingerprint(b"a", "text/plain", ""),
            fingerprint(b"b", "text/plain", ""),
            fingerprint(b"a", "text/html", ""),
            fingerprint(b"a", "text/plain", "{}"),
            fingerprint(b"", "text/plaina", ""),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn each_server_key_and_collection_has_its_own_state() {
        let paths = [("s", "k", "c"), ("t", "k", "c"), ("s", "l", "c"), ("s", "k", "d")]
            .map(|(server, key, collection)| default_path(server, key, collection));
        assert_eq!(paths.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }
}
