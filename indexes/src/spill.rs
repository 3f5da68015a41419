//! Where bytes lie until somebody needs them: exact vectors and passages, in memory or in a file.
//!
//! The file has no name: it is gone with the process, however that ends, so there is nothing to recover and nothing old to trust.
//! What is in it is derived from the store. Each piece has a checksum, with its place in it; a piece that does not come back as it was written is an error,
//! after which its tenant is read from the store anew. Where the file cannot be written, memory serves.

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::error::EngineError;

/// Pieces begin at multiples of this.
const UNIT: usize = 64;

/// A file without a name, with places that are used again.
pub struct Spill {
    file: File,
    space: Mutex<Space>,
}

/// Which places are free.
#[derive(Default)]
struct Space {
    /// Where the used part of the file ends.
    end: u64,
    /// Free places by how many units they have.
    free: HashMap<usize, Vec<u64>>,
    /// Pieces that are there.
    used: usize,
}

/// Bytes that were set aside.
pub(crate) enum Blob {
    Memory(Box<[u8]>),
    File { spill: Arc<Spill>, offset: u64, length: u32, checksum: u32 },
}

impl Spill {
    /// A file in this folder, which nobody else can open.
    ///
    /// # Errors
    /// [`io::Error`] where it cannot be made.
    pub fn create(folder: &Path) -> io::Result<Arc<Self>> {
        let path = folder.join("spill");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        fs::remove_file(&path)?;
        Ok(Arc::new(Self { file, space: Mutex::default() }))
    }

    /// How many bytes of the file are in use or waiting to be used again.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.space().end
    }

    /// Whether nothing was ever written, or everything is gone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Spoils everything that was set aside.
    #[cfg(test)]
    pub(crate) fn spoil(&self) {
        let zeroes = vec![0; usize::try_from(self.len()).unwrap()];
        self.file.write_all_at(&zeroes, 0).unwrap();
    }

    fn take(&self, length: usize) -> u64 {
        let units = length.div_ceil(UNIT);
        let mut space = self.space();
        space.used += 1;
        if let Some(offset) = space.free.get_mut(&units).and_then(Vec::pop) {
            return offset;
        }
        let offset = space.end;
        space.end += (units * UNIT) as u64;
        offset
    }

    fn give_back(&self, offset: u64, length: usize) {
        let mut space = self.space();
        space.used -= 1;
        if space.used == 0 {
            *space = Space::default();
            // Where it cannot be cut, its places are written again from the start.
            let _ = self.file.set_len(0);
        } else {
            space.free.entry(length.div_ceil(UNIT)).or_default().push(offset);
        }
    }

    fn space(&self) -> MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blob {
    /// Sets bytes aside, in the file if there is one.
    pub(crate) fn put(spill: Option<&Arc<Spill>>, bytes: &[u8]) -> Self {
        let (Some(spill), Ok(length)) = (spill, u32::try_from(bytes.len())) else { return Self::Memory(bytes.into()) };
        if bytes.is_empty() {
            return Self::Memory(Box::default());
        }
        let offset = spill.take(bytes.len());
        if let Err(error) = spill.file.write_all_at(bytes, offset) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the spill file cannot be written: memory serves");
            spill.give_back(offset, bytes.len());
            return Self::Memory(bytes.into());
        }
        Self::File { spill: Arc::clone(spill), offset, length, checksum: checksum(bytes, offset) }
    }

    /// The bytes. `room` may be used for them.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] where they did not come back as they were.
    pub(crate) fn read<'a>(&'a self, room: &'a mut Vec<u8>) -> Result<&'a [u8], EngineError> {
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::File { spill, offset, length, checksum: expected } => {
                room.resize(*length as usize, 0);
                let read = spill.file.read_exact_at(room, *offset);
                if read.is_err() || checksum(room, *offset) != *expected {
                    tracing::error!("the spill file is damaged: what was in it is read from the store anew");
                    return Err(EngineError::Damaged);
                }
                Ok(room)
            }
        }
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        if let Self::File { spill, offset, length, .. } = self {
            spill.give_back(*offset, *length as usize);
        }
    }
}

/// Each step is a bijection of what it starts from and of the word it takes, so a change of one word always changes the sum before it is folded.
/// It finds accidents; nobody else can write the file.
fn checksum(bytes: &[u8], offset: u64) -> u32 {
    let step = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(step(bytes.len() as u64, offset), |sum, word| step(sum, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let sum = step(step(sum, u64::from_le_bytes(last)), 1);
    u32::try_from((sum >> 32) ^ (sum & 0xffff_ffff)).expect("32 bits")
}

impl fmt::Debug for Spill {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Spill({} bytes)", self.len())
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(bytes) => write!(formatter, "Blob({} bytes in memory)", bytes.len()),
            Self::File { length, .. } => write!(formatter, "Blob({length} bytes)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_set_aside_and_uses_places_again() {
        let folder = std::env::temp_dir().join(format!("ringfence-spill-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let spill = Spill::create(&folder).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "it has no name");
        let bytes =
            |seed: usize| (0..seed * 37 % 900).map(|at| u8::try_from((at * seed) % 251).unwrap()).collect::<Vec<_>>();
        let blobs: Vec<(Vec<u8>, Blob)> =
            (0..200).map(|seed| (bytes(seed), Blob::put(Some(&spill), &bytes(seed)))).collect();
        let mut room = Vec::new();
        for (expected, blob) in &blobs {
            assert_eq!(blob.read(&mut room).unwrap(), expected);
        }
        let end = spill.len();
        drop(Blob::put(Some(&spill), &bytes(7)));
        let (kept, gone): (Vec<_>, Vec<_>) = blobs.into_iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let lengths: Vec<usize> = gone.iter().map(|(_, (bytes, _))| bytes.len()).collect();
        drop(gone);
        let again: Vec<_> = lengths.iter().map(|length| Blob::put(Some(&spill), &vec![5; *length])).collect();
        assert!(spill.len() <= end + UNIT as u64 * 16);
        // A byte that changes behind it is found.
        let (_, (_, blob)) = &kept[10];
        let Blob::File { offset, .. } = blob else { unreachable!() };
        spill.file.write_all_at(&[0xaa], *offset + 3).unwrap();
        assert!(matches!(blob.read(&mut room), Err(EngineError::Damaged)));
        drop((kept, again));
        assert!(spill.is_empty() && spill.file.metadata().unwrap().len() == 0);
        fs::remove_dir(&folder).unwrap();
    }
}
