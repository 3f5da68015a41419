//! Digests of rows, and the ledger that sums them up: how the store knows that it reads what it wrote.
//!
//! SQLite has no checksums of its own: a flipped bit in a page would come back as another ACL or another text. Every row therefore carries a hash of its columns and its key, and each tenant a ledger with the exclusive or of the hashes of all its rows, so that a row that was lost or that came back is found as well.
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

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        self
    }

    pub(super) fn finish(self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// The durable revision of a tenant, and the sum of the digests of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Ledger {
    pub(super) revision: u64,
    checksum: [u8; 32],
}

impl Ledger {
    /// The ledger of a row; an error where the row is not what was written.
    pub(super) fn read(tenant: &str, revision: i64, checksum: &[u8], digest: &[u8]) -> Result<Self, StoreError> {
        let fault = || damaged(format!("the ledger of `{tenant}`"));
        let ledger = Self {
            revision: u64::try_from(revision).map_err(|_| fault())?,
            checksum: checksum.try_into().map_err(|_| fault())?,
        };
        if ledger.digest(tenant) == *digest { Ok(ledger) } else { Err(fault()) }
    }

    /// Counts a row in that was out, or out that was in.
    pub(super) fn toggle(&mut self, digest: &[u8; 32]) {
        self.checksum.iter_mut().zip(digest).for_each(|(sum, byte)| *sum ^= byte);
    }

    pub(super) const fn checksum(&self) -> &[u8; 32] {
        &self.checksum
    }

    pub(super) fn digest(&self, tenant: &str) -> [u8; 32] {
        let revision = i64::try_from(self.revision).unwrap_or(i64::MAX);
        RowDigest::of("ledgers").text(tenant).int(revision).bytes(&self.checksum).finish()
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

    #[test]
    fn a_ledger_is_read_back_and_any_change_is_seen() {
        let mut ledger = Ledger { revision: 7, ..Ledger::default() };
        ledger.toggle(&[5; 32]);
        let digest = ledger.digest("acme");
        assert_eq!(Ledger::read("acme", 7, ledger.checksum(), &digest).unwrap(), ledger);
        assert!(Ledger::read("acme", 8, ledger.checksum(), &digest).is_err());
        assert!(Ledger::read("globex", 7, ledger.checksum(), &digest).is_err());
        assert!(Ledger::read("acme", 7, &[4; 32], &digest).is_err());
        ledger.toggle(&[5; 32]);
        assert_eq!(ledger, Ledger { revision: 7, ..Ledger::default() });
    }
}
