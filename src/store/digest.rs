//! Digests of rows: how the store knows that it reads what it wrote.
//!
//! SQLite has no checksums of its own: a flipped bit in a page would come back as another ACL or another text. Every row therefore carries a hash of its columns and its key; [`ledger`](super::ledger) sums them up.
//! This finds accidents, not an attacker who can write the file: that attacker has the data directory.

use crate::store::StoreError;

use super::error::damaged;

/// A hash over the columns of a row, each with its length.
pub(super) struct RowDigest(blake3::Hasher);

impl RowDigest {
    /// Begins the hash of a row of this table.
    pub(super) fn of(table: &str) -> Self {
        Self(blake3::Hasher::new()).bytes(table.as_bytes())
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn maybe_text(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.int(1).text(text),
            None => self.int(0),
        }
    }

    pub(super) fn int(self, number: i64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    pub(super) fn maybe_int(self, number: Option<i64>) -> Self {
        match number {
            Some(number) => self.int(1).int(number),
            None => self.int(0),
        }
    }

    pub(super) fn maybe_bytes(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => self.int(1).bytes(bytes),
            None => self.int(0),
        }
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        self
    }

    pub(super) fn finish(self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// A stored digest.
pub(super) fn digest_of(bytes: &[u8]) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| damaged("a digest of another length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_columns_apart() {
        let rows = [
            RowDigest::of("a").text("xy").text("z"),
            RowDigest::of("a").text("x").text("yz"),
            RowDigest::of("b").text("xy").text("z"),
            RowDigest::of("a").maybe_text(Some("")),
            RowDigest::of("a").maybe_text(None),
            RowDigest::of("a").maybe_int(Some(0)),
            RowDigest::of("a").int(0).int(0),
        ];
        let mut digests: Vec<_> = rows.into_iter().map(RowDigest::finish).collect();
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }
}
