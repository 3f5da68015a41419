//! Checking logs offline: the chain, the signatures, and that nothing before a checkpoint is missing.

use std::{collections::BTreeSet, fs, io, path::Path};

use data_encoding::HEXLOWER;

use super::{
    PUBLIC_KEY_FILE,
    format::{GENESIS, Link, read_checkpoint, read_record},
};

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A line that no server wrote, or that was changed.
    #[error("line {line} is not a record or was changed")]
    Record {
        /// The line, from 1.
        line: usize,
    },
    /// A record that does not follow the one before it.
    #[error("line {line} does not follow the line before it")]
    Chain {
        /// The line, from 1.
        line: usize,
    },
    /// The last line has no end: the server was killed while it wrote. It repairs this when it opens the log.
    #[error("the last line is torn")]
    Torn,
    /// A line among the checkpoints that is not signed or does not follow.
    #[error("checkpoint {line} is not signed or does not follow the one before it")]
    Checkpoint {
        /// The line, from 1.
        line: usize,
    },
    /// A checkpoint signs a record that is not there, or another one.
    #[error("record {seq} is not the one that was signed, or is missing")]
    Signed {
        /// The record's number.
        seq: u64,
    },
}

/// What was found in one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// The tenant, or `_server`.
    pub log: String,
    /// How many records are sound.
    pub records: u64,
    /// How many of them lie before the last checkpoint: these cannot have been cut or rewritten.
    pub signed: u64,
    /// What is wrong; empty for a sound log.
    pub problems: Vec<Problem>,
}

/// What was found in a directory of logs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// The logs by name.
    pub logs: Vec<LogReport>,
}

impl VerifyReport {
    /// Whether every log is sound.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.logs.iter().all(|log| log.problems.is_empty())
    }
}

/// Checks every log of a directory with its public key, or with a copy of it that was kept elsewhere.
///
/// # Errors
/// Where a file cannot be read or the key file holds no key.
pub fn verify(dir: &Path, trusted: Option<&[u8; 32]>) -> io::Result<VerifyReport> {
    let public = match trusted {
        Some(key) => key.to_vec(),
        None => HEXLOWER
            .decode(fs::read_to_string(dir.join(PUBLIC_KEY_FILE))?.trim().as_bytes())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
    };
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        let file = entry?.file_name();
        let name = file.to_str().and_then(|name| name.strip_suffix(".log").or(name.strip_suffix(".checkpoints")));
        names.extend(name.map(str::to_owned));
    }
    let logs = names.into_iter().map(|name| verify_log(dir, name, &public)).collect::<io::Result<_>>()?;
    Ok(VerifyReport { logs })
}

fn verify_log(dir: &Path, log: String, public: &[u8]) -> io::Result<LogReport> {
    // Checkpoints first: those that a running server adds meanwhile are not ahead of the records.
    let checkpoints = read_or_empty(&dir.join(format!("{log}.checkpoints")))?;
    let records = read_or_empty(&dir.join(format!("{log}.log")))?;
    let mut problems = Vec::new();
    let signed = follow_checkpoints(&log, &checkpoints, public, &mut problems);
    let mut open = signed.as_slice();
    let mut head = Link::START;
    for (index, line) in records.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some(line) = line.strip_suffix(b"\n") else {
            problems.push(Problem::Torn);
            break;
        };
        let Some((link, previous)) = read_record(line) else {
            problems.push(Problem::Record { line: index + 1 });
            break;
        };
        if link.seq != head.seq + 1 || previous != head.hash {
            problems.push(Problem::Chain { line: index + 1 });
            break;
        }
        head = link;
        while let Some((first, rest)) = open.split_first().filter(|(first, _)| first.seq <= head.seq) {
            if *first != head {
                problems.push(Problem::Signed { seq: first.seq });
            }
            open = rest;
        }
    }
    problems.extend(open.iter().map(|missing| Problem::Signed { seq: missing.seq }));
    let last_signed = signed.iter().rev().find(|link| link.seq <= head.seq).map_or(0, |link| link.seq);
    Ok(LogReport { log, records: head.seq, signed: last_signed, problems })
}

fn follow_checkpoints(log: &str, bytes: &[u8], public: &[u8], problems: &mut Vec<Problem>) -> Vec<Link> {
    let (mut signed, mut before): (Vec<Link>, _) = (Vec::new(), GENESIS);
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let read = line.strip_suffix(b"\n").and_then(|line| read_checkpoint(log, line, public));
        let last = signed.last().map_or(0, |link| link.seq);
        match read {
            Some((head, previous, hash)) if previous == before && head.seq > last => {
                signed.push(head);
                before = hash;
            }
            _ => {
                problems.push(Problem::Checkpoint { line: index + 1 });
                break;
            }
        }
    }
    signed
}

fn read_or_empty(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}
