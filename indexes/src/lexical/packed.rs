//! Postings of a small segment: a dictionary and one packed list per term, four allocations in all.
//!
//! A tenant may have a class for each document. Postings of a few rows therefore cost little more than their bytes,
//! and whether a term is among them is told by its hash, from one place of the memory.

use std::ops::Range;

use crate::lexical::postings::Word;

/// Where a term's bytes and its list end; they begin where those of the term before it end.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    term: u32,
    list: u32,
}

/// A dictionary in the order of [`Word`], and its lists: the count of rows, then row gaps and counts as variable-length numbers.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    /// The hash of each term, rising.
    hashes: Box<[u32]>,
    terms: Box<str>,
    ends: Box<[Ends]>,
    lists: Box<[u8]>,
}

/// Takes lists in the order of their words.
#[derive(Default)]
pub(crate) struct Builder {
    hashes: Vec<u32>,
    terms: String,
    ends: Vec<Ends>,
    lists: Vec<u8>,
}

impl Builder {
    /// The next word with its rows, rising, and how often each has it.
    pub(crate) fn push(&mut self, word: Word<'_>, rows: &[(u32, u32)]) {
        self.hashes.push(word.hash);
        self.terms.push_str(word.term);
        write(&mut self.lists, small(rows.len()));
        let mut last = 0;
        for (row, count) in rows {
            write(&mut self.lists, row - last);
            write(&mut self.lists, *count);
            last = *row;
        }
        self.ends.push(Ends { term: small(self.terms.len()), list: small(self.lists.len()) });
    }

    pub(crate) fn finish(self) -> Packed {
        Packed {
            hashes: self.hashes.into(),
            terms: self.terms.into(),
            ends: self.ends.into(),
            lists: self.lists.into(),
        }
    }
}

/// A segment has at most some thousand rows of at most some thousand bytes.
fn small(length: usize) -> u32 {
    u32::try_from(length).expect("a segment's postings stay far below 4 GiB")
}

impl Packed {
    /// Where the list of a word lies. Hashes are spread evenly, so the search begins where this one should be.
    pub(crate) fn find(&self, word: Word<'_>) -> Option<usize> {
        let hashes = &*self.hashes;
        let guess = (u64::from(word.hash) * hashes.len() as u64) >> 32;
        let mut index = usize::try_from(guess).expect("a place in the dictionary");
        while index > 0 && hashes[index - 1] >= word.hash {
            index -= 1;
        }
        while index < hashes.len() && hashes[index] < word.hash {
            index += 1;
        }
        let alike = hashes[index..].iter().take_while(|hash| **hash == word.hash).count();
        (index..index + alike).find(|index| self.term(*index) == word.term)
    }

    /// How many terms there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The word at a place of the dictionary.
    pub(crate) fn word(&self, index: usize) -> Word<'_> {
        Word { hash: self.hashes[index], term: self.term(index) }
    }

    fn term(&self, index: usize) -> &str {
        &self.terms[self.range(index, |ends| ends.term)]
    }

    /// How many rows have the term.
    pub(crate) fn count(&self, index: usize) -> u32 {
        read(&mut self.list(index))
    }

    /// The rows that have the term, rising, and how often.
    pub(crate) fn read(&self, index: usize, mut each: impl FnMut(u32, u32)) {
        let mut list = self.list(index);
        let mut row = 0;
        for _ in 0..read(&mut list) {
            row += read(&mut list);
            each(row, read(&mut list));
        }
    }

    /// The rows of each term that begins so. The dictionary is in the order of hashes, so all of it is looked at.
    pub(crate) fn read_beginning(&self, beginning: &str, mut each: impl FnMut(u32, u32)) {
        for index in (0..self.len()).filter(|index| self.term(*index).starts_with(beginning)) {
            self.read(index, &mut each);
        }
    }

    fn list(&self, index: usize) -> &[u8] {
        &self.lists[self.range(index, |ends| ends.list)]
    }

    fn range(&self, index: usize, end: impl Fn(Ends) -> u32) -> Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| end(self.ends[before]));
        start as usize..end(self.ends[index]) as usize
    }
}

fn write(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).expect("seven bits"));
}

fn read(packed: &mut &[u8]) -> u32 {
    let (mut number, mut shift) = (0, 0);
    while let Some((byte, rest)) = packed.split_first() {
        *packed = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            break;
        }
        shift += 7;
    }
    number
}
