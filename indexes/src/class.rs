//! Classes: all chunks of a tenant with one effective ACL.
//!
//! A policy is evaluated once per class, and only on the classes that name one of the reader's principals:
//! inverted bitmaps lead from a principal to its classes, so the cost follows what the reader may see.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roaring::{MultiOps as _, RoaringBitmap};
use rpds::HashTrieMapSync;

use crate::{
    acl::Acl,
    id::CollectionId,
    principal::{AttributeValue, Principal},
};

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
    collections: HashTrieMapSync<CollectionId, RoaringBitmap>,
    /// The classes whose ACL asks for more than principals.
    conditional: RoaringBitmap,
    acls: HashTrieMapSync<u32, Arc<Acl>>,
}

/// Classes by whether the time decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sorted {
    /// Those of all times.
    pub(crate) always: RoaringBitmap,
    /// Those with a window, which is not looked at.
    pub(crate) windowed: RoaringBitmap,
}

impl Sorted {
    pub(crate) fn union(&self) -> RoaringBitmap {
        &self.always | &self.windowed
    }

    /// Those that are in a set.
    pub(crate) fn within(&self, set: &RoaringBitmap) -> Self {
        Self { always: &self.always & set, windowed: &self.windowed & set }
    }

    /// Those that are not in a set.
    pub(crate) fn without(&self, set: &RoaringBitmap) -> Self {
        Self { always: &self.always - set, windowed: &self.windowed - set }
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        self.always |= &other.always;
        self.windowed |= &other.windowed;
    }
}

impl Default for ClassIndex {
    fn default() -> Self {
        Self {
            ordinals: HashTrieMapSync::new_sync(),
            taken: RoaringBitmap::new(),
            allow: HashTrieMapSync::new_sync(),
            deny: HashTrieMapSync::new_sync(),
            collections: HashTrieMapSync::new_sync(),
            conditional: RoaringBitmap::new(),
            acls: HashTrieMapSync::new_sync(),
        }
    }
}

impl ClassIndex {
    /// How many classes there are.
    pub(crate) fn len(&self) -> usize {
        self.ordinals.size()
    }

    /// The ordinal of a class that has one.
    pub(crate) fn find(&self, id: &ClassId) -> Option<u32> {
        self.ordinals.get(id).copied()
    }

    /// Gives a new class an ordinal.
    pub(crate) fn insert(&mut self, id: ClassId, collection: &CollectionId, acl: &Arc<Acl>) -> u32 {
        let ordinal = self.free_ordinal();
        self.taken.insert(ordinal);
        self.ordinals.insert_mut(id, ordinal);
        if acl.has_conditions() {
            self.conditional.insert(ordinal);
        }
        self.acls.insert_mut(ordinal, acl.clone());
        self.mark(collection, acl, |bitmap| {
            bitmap.insert(ordinal);
        });
        ordinal
    }

    /// The smallest ordinal that is not taken, found by halving: below it, every ordinal is taken.
    fn free_ordinal(&self) -> u32 {
        let (mut low, mut high) = (0, self.taken.max().map_or(0, |largest| largest + 1));
        if self.taken.len() == u64::from(high) {
            return high;
        }
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
        let Some(ordinal) = self.find(&id) else { return };
        self.ordinals.remove_mut(&id);
        self.taken.remove(ordinal);
        self.conditional.remove(ordinal);
        self.acls.remove_mut(&ordinal);
        self.mark(collection, acl, |bitmap| {
            bitmap.remove(ordinal);
        });
    }

    fn mark(&mut self, collection: &CollectionId, acl: &Acl, change: impl Fn(&mut RoaringBitmap)) {
        for (index, principals) in [(&mut self.allow, &acl.allow), (&mut self.deny, &acl.deny)] {
            principals.iter().for_each(|principal| mark(index, principal, &change));
        }
        mark(&mut self.collections, collection, &change);
    }

    /// The classes of a collection.
    pub(crate) fn of(&self, collection: &CollectionId) -> Option<&RoaringBitmap> {
        self.collections.get(collection)
    }

    /// Everybody that an ACL names, some of them twice.
    pub(crate) fn principals(&self) -> impl Iterator<Item = &Principal> {
        self.allow.keys().chain(self.deny.keys())
    }

    /// The ACL of a class.
    pub(crate) fn acl(&self, class: u32) -> Option<&Arc<Acl>> {
        self.acls.get(&class)
    }

    /// The classes of these collections that allow one of these principals and deny none.
    ///
    /// The bitmaps stand for the first two conditions of [`Acl::permits`], so that a class costs a bit.
    pub(crate) fn granted<'a>(
        &self,
        principals: &BTreeSet<Principal>,
        collections: impl Iterator<Item = &'a CollectionId>,
    ) -> RoaringBitmap {
        // All at once: somebody in a thousand groups would copy what was found so far a thousand times.
        let allowed = named(&self.allow, principals).union();
        // What is allowed is cut down by the rest, so that the classes of others cost nothing.
        let readable = collections.filter_map(|collection| self.collections.get(collection));
        let readable = readable.fold(RoaringBitmap::new(), |all, one| all | (&allowed & one));
        self.denied(principals).fold(readable, |left, denied| left - denied)
    }

    /// The classes of these collections that deny none of these principals, whomever they allow.
    pub(crate) fn undenied<'a>(
        &self,
        principals: &BTreeSet<Principal>,
        collections: impl Iterator<Item = &'a CollectionId>,
    ) -> RoaringBitmap {
        let all = collections.filter_map(|collection| self.collections.get(collection));
        let all = all.fold(RoaringBitmap::new(), |all, one| all | one);
        self.denied(principals).fold(all, |left, denied| left - denied)
    }

    /// The classes that deny each of these principals. A name is denied whoever bears it.
    fn denied<'a>(&'a self, principals: &'a BTreeSet<Principal>) -> impl Iterator<Item = &'a RoaringBitmap> {
        let borne = principals.iter().filter(|principal| principal.has_generation());
        let by_name = borne.filter_map(|principal| self.deny.get(&principal.name()));
        named(&self.deny, principals).chain(by_name)
    }

    /// Those of these classes whose requirements hold for these attributes.
    pub(crate) fn sort(&self, classes: &RoaringBitmap, attributes: &BTreeMap<String, AttributeValue>) -> Sorted {
        let mut sorted = Sorted { always: classes - &self.conditional, windowed: RoaringBitmap::new() };
        for class in classes & &self.conditional {
            let Some(acl) = self.acls.get(&class) else { continue };
            if !acl.requires_no_more_than(attributes) {
                continue;
            }
            let side = if acl.has_window() { &mut sorted.windowed } else { &mut sorted.always };
            side.insert(class);
        }
        sorted
    }
}

/// The classes that name each of these principals.
fn named<'a>(
    index: &'a HashTrieMapSync<Principal, RoaringBitmap>,
    principals: &'a BTreeSet<Principal>,
) -> impl Iterator<Item = &'a RoaringBitmap> {
    principals.iter().filter_map(|principal| index.get(principal))
}

/// Changes a bitmap in place where this index alone has it.
fn mark<K: Clone + Eq + std::hash::Hash>(
    index: &mut HashTrieMapSync<K, RoaringBitmap>,
    key: &K,
    change: impl Fn(&mut RoaringBitmap),
) {
    if !index.contains_key(key) {
        index.insert_mut(key.clone(), RoaringBitmap::new());
    }
    let bitmap = index.get_mut(key).expect("it was just put there");
    change(bitmap);
    if bitmap.is_empty() {
        index.remove_mut(key);
    }
}
