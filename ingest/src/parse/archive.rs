//! ZIP archives, read so strictly that no two readers can disagree about one.
//!
//! Office files are written by a program in one go, so whatever is unusual about the archive of one was put there: a second entry of a name, entries that share bytes, sizes that do not hold, links, encryption, sixty-four-bit fields. Nothing is ever written to a disk, so paths cannot escape; they are refused all the same.

use std::{cell::Cell, collections::BTreeMap, ops::Range};

use crate::{fault::Fault, media_type::MediaType, parse::package, prepare::PrepareError};

const ENTRIES_MAX: usize = 4096;
/// One unpacked part; an XML part of this size is read within the memory of the cage.
const PART_BYTES_MAX: usize = 48 << 20;
/// All parts that a parser asks for.
const UNPACKED_BYTES_MAX: usize = 128 << 20;
/// Deflate reaches 1032 to 1; XML of Office files stays below 40 to 1.
const RATIO_MAX: usize = 100;
/// Small parts may be of any ratio.
const RATIO_FREE_BYTES: usize = 1 << 20;

const END_BYTES: usize = 22;
const ENTRY_BYTES: usize = 46;
const HEADER_BYTES: usize = 30;

/// An archive whose directory has been read and checked.
pub(crate) struct Archive<'a> {
    bytes: &'a [u8],
    /// By name in lower case: names of parts do not differ by case alone.
    entries: BTreeMap<String, Entry>,
    unpacked: Cell<usize>,
}

struct Entry {
    data: Range<usize>,
    is_deflated: bool,
    size: usize,
    checksum: u32,
}

const fn damaged() -> PrepareError {
    PrepareError::Unparseable(Fault::Archive)
}

impl<'a> Archive<'a> {
    /// Reads the directory.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, PrepareError> {
        let end = find_end(bytes).ok_or_else(damaged)?;
        let count = usize::from(u16_at(bytes, end + 10)?);
        let (size, start) = (usize_at(bytes, end + 12)?, usize_at(bytes, end + 16)?);
        let disks = [u16_at(bytes, end + 4)?, u16_at(bytes, end + 6)?];
        let same_count = u16_at(bytes, end + 8)? == u16_at(bytes, end + 10)?;
        if disks != [0, 0] || !same_count || count > ENTRIES_MAX || start.checked_add(size) != Some(end) {
            return Err(damaged());
        }
        let mut archive = Self { bytes, entries: BTreeMap::new(), unpacked: Cell::new(0) };
        let mut taken: Vec<Range<usize>> = std::iter::once(start..end).collect();
        let mut at = start;
        for _ in 0..count {
            at = archive.take(at, end, &mut taken)?;
        }
        if at != end || overlap(&mut taken) {
            return Err(damaged());
        }
        Ok(archive)
    }

    /// Reads one entry of the directory; yields where the next begins.
    fn take(&mut self, at: usize, end: usize, taken: &mut Vec<Range<usize>>) -> Result<usize, PrepareError> {
        let bytes = self.bytes;
        if bytes.get(at..at + 4) != Some(b"PK\x01\x02") || at + ENTRY_BYTES > end {
            return Err(damaged());
        }
        let (flags, method) = (u16_at(bytes, at + 8)?, u16_at(bytes, at + 10)?);
        let checksum = u32_at(bytes, at + 16)?;
        let (packed, size) = (usize_at(bytes, at + 20)?, usize_at(bytes, at + 24)?);
        let lengths = [28, 30, 32].map(|offset| u16_at(bytes, at + offset).map(usize::from));
        let [name_length, extra_length, comment_length] = lengths;
        let (name_length, rest_length) = (name_length?, extra_length? + comment_length?);
        let mode = u32_at(bytes, at + 38)? >> 16;
        let header = usize_at(bytes, at + 42)?;
        let name = bytes.get(at + ENTRY_BYTES..at + ENTRY_BYTES + name_length).ok_or_else(damaged)?;
        if flags & 1 != 0 {
            return Err(PrepareError::Unparseable(Fault::Encrypted));
        }
        let is_link = mode & 0o170_000 == 0o120_000;
        let same_name =
            header.checked_add(HEADER_BYTES).and_then(|from| bytes.get(from..from + name_length)) == Some(name);
        if is_link || !same_name || !matches!(method, 0 | 8) || bytes.get(header..header + 4) != Some(b"PK\x03\x04") {
            return Err(damaged());
        }
        let skipped = usize::from(u16_at(bytes, header + 26)?) + usize::from(u16_at(bytes, header + 28)?);
        let from = header + HEADER_BYTES + skipped;
        let data = from..from.checked_add(packed).filter(|to| *to <= bytes.len()).ok_or_else(damaged)?;
        taken.push(header..data.end);
        let name = std::str::from_utf8(name).ok().filter(|name| is_plain(name)).ok_or_else(damaged)?.to_owned();
        if !name.ends_with('/') {
            let key = name.to_ascii_lowercase();
            let entry = Entry { data, is_deflated: method == 8, size, checksum };
            if self.entries.insert(key, entry).is_some() {
                return Err(damaged());
            }
        }
        Ok(at + ENTRY_BYTES + name_length + rest_length)
    }

    /// What the archive says that it is.
    pub(crate) fn media_type(&self) -> Result<Option<MediaType>, PrepareError> {
        package::media_type(self)
    }

    /// A part that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<Vec<u8>, PrepareError> {
        self.part(name)?.ok_or(PrepareError::Unparseable(Fault::MissingPart))
    }

    /// A part, unpacked within the limits.
    pub(crate) fn part(&self, name: &str) -> Result<Option<Vec<u8>>, PrepareError> {
        let Some(entry) = self.entries.get(&name.trim_start_matches('/').to_ascii_lowercase()) else { return Ok(None) };
        let unpacked = self.unpacked.get().saturating_add(entry.size);
        let is_bomb = entry.size > RATIO_FREE_BYTES && entry.size / RATIO_MAX > entry.data.len();
        if entry.size > PART_BYTES_MAX || unpacked > UNPACKED_BYTES_MAX || is_bomb {
            return Err(PrepareError::Unparseable(Fault::TooLarge));
        }
        self.unpacked.set(unpacked);
        let packed = &self.bytes[entry.data.clone()];
        let content = if entry.is_deflated {
            miniz_oxide::inflate::decompress_to_vec_with_limit(packed, entry.size).map_err(|_| damaged())?
        } else {
            packed.to_vec()
        };
        if content.len() != entry.size || crc32fast::hash(&content) != entry.checksum {
            return Err(damaged());
        }
        Ok(Some(content))
    }
}

/// The end of the directory: its record ends with the file.
fn find_end(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_BYTES)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last).rev().find(|at| {
        let comment = u16_at(bytes, at + 20).map(usize::from);
        bytes[*at..].starts_with(b"PK\x05\x06") && comment.is_ok_and(|length| at + END_BYTES + length == bytes.len())
    })
}

fn overlap(taken: &mut [Range<usize>]) -> bool {
    taken.sort_by_key(|range| range.start);
    taken.windows(2).any(|pair| pair[0].end > pair[1].start)
}

fn is_plain(name: &str) -> bool {
    let steps = name.strip_suffix('/').unwrap_or(name);
    !steps.contains(['\\', '\0', ':']) && steps.split('/').all(|step| !matches!(step, "" | "." | ".."))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, PrepareError> {
    let field = bytes.get(at..at + 2).and_then(|field| field.try_into().ok()).ok_or_else(damaged)?;
    Ok(u16::from_le_bytes(field))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, PrepareError> {
    let field = bytes.get(at..at + 4).and_then(|field| field.try_into().ok()).ok_or_else(damaged)?;
    Ok(u32::from_le_bytes(field))
}

/// A size or a place; the value that announces a sixty-four-bit field lies beyond every file.
fn usize_at(bytes: &[u8], at: usize) -> Result<usize, PrepareError> {
    usize::try_from(u32_at(bytes, at)?).map_err(|_| damaged())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Archive;
    use crate::{fault::Fault, prepare::PrepareError};

    /// An archive of deflated parts, as an Office program writes it.
    pub(crate) fn pack(parts: &[(&str, &str)]) -> Vec<u8> {
        pack_with(parts, |_, _| {})
    }

    /// [`pack`] with a hand on each entry of the directory.
    fn pack_with(parts: &[(&str, &str)], edit: impl Fn(usize, &mut [u8])) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (index, (name, content)) in parts.iter().enumerate() {
            let packed = miniz_oxide::deflate::compress_to_vec(content.as_bytes(), 6);
            let start = u32::try_from(out.len()).expect("small");
            let mut fields = Vec::new();
            fields.extend([20, 0, 0, 0, 8, 0, 0, 0, 33, 0]);
            fields.extend(crc32fast::hash(content.as_bytes()).to_le_bytes());
            fields.extend(u32::try_from(packed.len()).expect("small").to_le_bytes());
            fields.extend(u32::try_from(content.len()).expect("small").to_le_bytes());
            fields.extend(u16::try_from(name.len()).expect("short").to_le_bytes());
            fields.extend([0, 0]);
            out.extend(b"PK\x03\x04");
            out.extend(&fields);
            out.extend(name.as_bytes());
            out.extend(&packed);
            let mut entry = b"PK\x01\x02\x14\x00".to_vec();
            entry.extend(&fields);
            entry.extend([0; 10]);
            entry.extend(start.to_le_bytes());
            entry.extend(name.as_bytes());
            edit(index, &mut entry);
            directory.extend(entry);
        }
        let start = u32::try_from(out.len()).expect("small");
        let count = u16::try_from(parts.len()).expect("few").to_le_bytes();
        out.extend(&directory);
        out.extend(b"PK\x05\x06\0\0\0\0");
        out.extend([count, count].concat());
        out.extend(u32::try_from(directory.len()).expect("small").to_le_bytes());
        out.extend(start.to_le_bytes());
        out.extend([0, 0]);
        out
    }

    fn refused(bytes: &[u8]) -> Option<Fault> {
        let outcome = Archive::open(bytes).and_then(|archive| archive.part("a.xml"));
        outcome.err().map(|error| match error {
            PrepareError::Unparseable(fault) => fault,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn parts_are_unpacked_by_name_whatever_the_case() {
        let bytes = pack(&[("a.xml", "one"), ("dir/B.xml", "two")]);
        let archive = Archive::open(&bytes).expect("opens");
        assert_eq!(archive.part("/Dir/b.xml").expect("unpacks"), Some(b"two".to_vec()));
        assert_eq!(archive.part("c.xml").expect("unpacks"), None);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let parts = [("a.xml", "one"), ("b.xml", "two")];
        let edited = |at: usize, byte: u8| {
            pack_with(&parts, |index, entry| entry[at] = if index == 0 { byte } else { entry[at] })
        };
        assert_eq!(refused(&pack(&parts)), None);
        assert_eq!(refused(&pack(&[("a.xml", "one"), ("A.XML", "two")])), Some(Fault::Archive), "two of a name");
        for name in ["../a.xml", "/a.xml", "x/../a.xml", "a\\b", "c:a", "x//y", "./a"] {
            assert_eq!(refused(&pack(&[(name, "x")])), Some(Fault::Archive), "{name}");
        }
        assert_eq!(refused(&edited(8, 1)), Some(Fault::Encrypted));
        assert_eq!(refused(&edited(10, 12)), Some(Fault::Archive), "another method");
        assert_eq!(refused(&edited(16, 0)), Some(Fault::Archive), "a wrong checksum");
        assert_eq!(refused(&edited(24, 9)), Some(Fault::Archive), "a size that does not hold");
        assert_eq!(refused(&edited(20, 60)), Some(Fault::Archive), "entries that share bytes");
        assert_eq!(refused(&edited(41, 0xa1)), Some(Fault::Archive), "a link");
        assert_eq!(refused(&edited(46, b'x')), Some(Fault::Archive), "two names of one entry");
        let same = pack_with(&parts, |_, entry| entry[42..46].fill(0));
        assert_eq!(refused(&same), Some(Fault::Archive), "one header for two");
        let bytes = pack(&parts);
        for length in 0..bytes.len() {
            assert!(refused(&bytes[..length]).is_some(), "cut at {length}");
        }
        assert_eq!(refused(&[b"x".as_slice(), &bytes].concat()), Some(Fault::Archive), "bytes before");
    }

    #[test]
    fn bombs_are_refused_before_they_are_unpacked() {
        assert_eq!(refused(&pack(&[("a.xml", &"A".repeat(8 << 20))])), Some(Fault::TooLarge));
        assert_eq!(refused(&pack(&[("a.xml", &"A".repeat(1 << 20))])), None);
    }
}
