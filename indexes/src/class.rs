//! Classes: all chunks of a tenant with one effective ACL.
//!
//! A policy is evaluated once per class, and only on the classes that name one of the reader's principals:
//! inverted bitmaps lead from a principal to its classes, so the cost follows what the reader may see.

use std::collections::BTreeSet;

use roaring::RoaringBitmap;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use crate::{acl::Acl, id::CollectionId, principal::Principal};

/// A class's name: a keyed hash of its collection and canonical ACL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClassId([u8; 32]);

impl ClassId {
    pub(crate) fn derive(key: &[u8; 32], collection: &CollectionId, acl: &Acl) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key);
        for part in [b"class".as_slice(), collection.as_str().as_bytes(), &acl.canonical_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }
}

/// Where the classes of a snapshot are found. Ordinals are internal: they count, so they never leave.
#[derive(Clone, Debug)]
pub(crate) struct ClassIndex {
    ordinals: HashTrieMapSync<ClassId, u32>,
    taken: RoaringBitmap,
    allow: HashTrieMapSync<Principal, RoaringBitmap>,
    deny: HashTrieMapSync<Principal, RoaringBitmap>,
    collections: RedBlackTreeMapSync<CollectionId, RoaringBitmap>,
}

impl Default for ClassIndex {
    fn default() -> Self {
        Self {
            ordinals: HashTrieMapSync::new_sync(),
            taken: RoaringBitmap::new(),
            allow: HashTrieMapSync::new_sync(),
            deny: HashTrieMapSync::new_sync(),
            collections: RedBlackTreeMapSync::new_sync(),
        }
    }
}

impl ClassIndex {
    /// The ordinal of a class, which is given one if it has none yet.
    pub(crate) fn ordinal(&mut self, id: ClassId, collection: &CollectionId, acl: &Acl) -> u32 {
        if let Some(ordinal) = self.ordinals.get(&id) {
            return *ordinal;
        }
        let ordinal = self.free_ordinal();
        self.taken.insert(ordinal);
        self.ordinals.insert_mut(id, ordinal);
        self.mark(collection, acl, |bitmap| {
            bitmap.insert(ordinal);
        });
        ordinal
    }

    /// The smallest ordinal that is not taken, found by halving: below it, every ordinal is taken.
    fn free_ordinal(&self) -> u32 {
        let (mut low, mut high) = (0, self.taken.max().map_or(0, |largest| largest + 1));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.taken.rank(middle) == u64::from(middle) + 1 {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Forgets a class that has no documents left.
    pub(crate) fn remove(&mut self, id: ClassId, collection: &CollectionId, acl: &Acl) {
        let Some(ordinal) = self.ordinals.get(&id).copied() else { return };
        self.ordinals.remove_mut(&id);
        self.taken.remove(ordinal);
        self.mark(collection, acl, |bitmap| {
            bitmap.remove(ordinal);
        });
    }

    fn mark(&mut self, collection: &CollectionId, acl: &Acl, change: impl Fn(&mut RoaringBitmap)) {
        for (index, principals) in [(&mut self.allow, &acl.allow), (&mut self.deny, &acl.deny)] {
            for principal in principals {
                let mut bitmap = index.get(principal).cloned().unwrap_or_default();
                change(&mut bitmap);
                if bitmap.is_empty() {
                    index.remove_mut(principal);
                } else {
                    index.insert_mut(principal.clone(), bitmap);
                }
            }
        }
        let mut bitmap = self.collections.get(collection).cloned().unwrap_or_default();
        change(&mut bitmap);
        if bitmap.is_empty() {
            self.collections.remove_mut(collection);
        } else {
            self.collections.insert_mut(collection.clone(), bitmap);
        }
    }

    /// The classes of these collections that allow one of these principals and deny none.
    pub(crate) fn candidates<'a>(
        &self,
        principals: &BTreeSet<Principal>,
        collections: impl Iterator<Item = &'a CollectionId>,
    ) -> RoaringBitmap {
        let union = |index: &HashTrieMapSync<Principal, RoaringBitmap>| {
            principals
                .iter()
                .filter_map(|principal| index.get(principal))
                .fold(RoaringBitmap::new(), |all, one| all | one)
        };
        let readable = collections
            .filter_map(|collection| self.collections.get(collection))
            .fold(RoaringBitmap::new(), |all, one| all | one);
        (union(&self.allow) & readable) - union(&self.deny)
    }
}
