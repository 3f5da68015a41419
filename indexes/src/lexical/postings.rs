//! The immutable postings of one segment: a sorted dictionary and one packed list per term.

use std::collections::BTreeMap;

/// Terms, where each one's list starts, and the lists: row gaps and counts as variable-length numbers.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    terms: Vec<Box<str>>,
    /// One more than there are terms.
    starts: Vec<usize>,
    packed: Vec<u8>,
}

impl Postings {
    /// Builds the postings of rows given in order.
    pub(crate) fn build<'a>(rows: impl Iterator<Item = &'a BTreeMap<Box<str>, u32>>) -> Self {
        let mut lists: BTreeMap<&str, Writer> = BTreeMap::new();
        for (row, counts) in (0_u32..).zip(rows) {
            for (term, count) in counts {
                lists.entry(term).or_default().push(row, *count);
            }
        }
        Self::collect(lists.into_iter().map(|(term, list)| (term.into(), list)))
    }

    /// The postings of several segments, one after the other; `rows` gives each old row its new one, rising, or none.
    pub(crate) fn merge(parts: &[(&Self, Vec<Option<u32>>)]) -> Self {
        let mut lists: BTreeMap<&str, Writer> = BTreeMap::new();
        for (postings, rows) in parts {
            for (index, term) in postings.terms.iter().enumerate() {
                for (row, count) in postings.list(index) {
                    let new = usize::try_from(row).ok().and_then(|row| rows[row]);
                    if let Some(new) = new {
                        lists.entry(term).or_default().push(new, count);
                    }
                }
            }
        }
        Self::collect(lists.into_iter().map(|(term, list)| (term.into(), list)))
    }

    fn collect(lists: impl Iterator<Item = (Box<str>, Writer)>) -> Self {
        let mut postings = Self { starts: vec![0], ..Self::default() };
        for (term, list) in lists {
            postings.terms.push(term);
            postings.packed.extend_from_slice(&list.packed);
            postings.starts.push(postings.packed.len());
        }
        postings.packed.shrink_to_fit();
        postings
    }

    /// The rows that have a term, rising, and how often.
    pub(crate) fn rows(&self, term: &str) -> impl Iterator<Item = (u32, u32)> {
        let index = self.terms.binary_search_by(|candidate| (**candidate).cmp(term)).ok();
        index.into_iter().flat_map(|index| self.list(index))
    }

    fn list(&self, index: usize) -> Reader<'_> {
        Reader { packed: &self.packed[self.starts[index]..self.starts[index + 1]], row: 0 }
    }
}

#[derive(Default)]
struct Writer {
    packed: Vec<u8>,
    row: u32,
}

impl Writer {
    fn push(&mut self, row: u32, count: u32) {
        self.number(row - self.row);
        self.number(count);
        self.row = row;
    }

    fn number(&mut self, mut number: u32) {
        while number >= 0x80 {
            self.packed.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
            number >>= 7;
        }
        self.packed.push(u8::try_from(number).expect("seven bits"));
    }
}

struct Reader<'a> {
    packed: &'a [u8],
    row: u32,
}

impl Reader<'_> {
    fn number(&mut self) -> Option<u32> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.packed.split_first()?;
            self.packed = rest;
            number |= u32::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(number);
            }
            shift += 7;
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = (u32, u32);

    fn next(&mut self) -> Option<Self::Item> {
        self.row += self.number()?;
        Some((self.row, self.number()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(terms: &[(&str, u32)]) -> BTreeMap<Box<str>, u32> {
        terms.iter().map(|(term, count)| ((*term).into(), *count)).collect()
    }

    #[test]
    fn gives_back_what_was_put_in_and_merges() {
        let rows = [counts(&[("a", 1), ("b", 300)]), counts(&[]), counts(&[("b", 2)])];
        let postings = Postings::build(rows.iter());
        assert_eq!(postings.rows("b").collect::<Vec<_>>(), [(0, 300), (2, 2)]);
        assert_eq!(postings.rows("c").count(), 0);
        let other = Postings::build([counts(&[("b", 7), ("c", 1)])].iter());
        let merged = Postings::merge(&[(&postings, vec![None, Some(0), Some(1)]), (&other, vec![Some(2)])]);
        assert_eq!(merged.rows("b").collect::<Vec<_>>(), [(1, 2), (2, 7)]);
        assert_eq!(merged.rows("a").count(), 0);
        assert_eq!(merged.rows("c").collect::<Vec<_>>(), [(2, 1)]);
    }
}
