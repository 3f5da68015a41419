//! Emergency grants: a person or a program is let in for a short time where no ACL lets them in, because somebody declared an emergency.
//!
//! A grant stands in for a collection's `readers` and for the `allow` list of an ACL, for its one holder, and for nothing else: `deny`, requirements, windows and tenant policies that forbid hold against it. It belongs to the snapshot like an ACL, so that its end holds from its acknowledgement on; its own end in time is looked at on every use.
//!
//! It adds to what a reader has of right and never takes part in deciding that, so that nothing changes for anybody else, and nothing is left when it is over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roaring::RoaringBitmap;

use crate::{
    acl::Timestamp,
    collection::{Collection, Selection},
    document::DocumentEntry,
    id::{CollectionId, DocumentId, GrantId},
    policy::Policy,
    principal::{AttributeValue, Principal},
    rules::{Contextual, Question, RequestContext},
};

/// Somebody is let in for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyGrant {
    /// Its name.
    pub id: GrantId,
    /// Who is let in: a user or a service, pinned to the bearer of the name when it was declared.
    pub holder: Principal,
    /// Where.
    pub collection: CollectionId,
    /// To which documents of the collection, those that come later included.
    pub documents: Covered,
    /// It is over at this moment.
    pub expires_at: Timestamp,
}

/// Documents by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Covered {
    /// Every document.
    All,
    /// One document.
    One(DocumentId),
    /// Every document whose name begins so.
    Beginning(String),
}

impl Covered {
    /// Reads a pattern: a document's name, or how names begin with a `*` after it.
    ///
    /// # Errors
    /// [`InvalidName`](crate::InvalidName) where no document has such a name.
    pub fn parse(pattern: &str) -> Result<Self, crate::InvalidName> {
        match pattern.strip_suffix('*') {
            Some("") => Ok(Self::All),
            Some(beginning) => DocumentId::new(beginning).map(|beginning| Self::Beginning(beginning.to_string())),
            None => DocumentId::new(pattern).map(Self::One),
        }
    }

    /// The pattern.
    #[must_use]
    pub fn pattern(&self) -> String {
        match self {
            Self::All => "*".to_owned(),
            Self::One(document) => document.to_string(),
            Self::Beginning(beginning) => format!("{beginning}*"),
        }
    }

    fn covers(&self, document: &DocumentId) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == document,
            Self::Beginning(beginning) => document.as_str().starts_with(beginning.as_str()),
        }
    }
}

impl EmergencyGrant {
    /// Whether it has not ended by itself.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    pub(crate) fn covers(&self, collection: &CollectionId, document: &DocumentId) -> bool {
        self.collection == *collection && self.documents.covers(document)
    }
}

/// The grants of a snapshot, some of which are over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants(Arc<BTreeMap<GrantId, Arc<EmergencyGrant>>>);

impl Grants {
    pub(crate) fn put(&mut self, grant: Arc<EmergencyGrant>) {
        Arc::make_mut(&mut self.0).insert(grant.id.clone(), grant);
    }

    pub(crate) fn end(&mut self, id: &GrantId) {
        Arc::make_mut(&mut self.0).remove(id);
    }

    /// The grants of somebody with these principals, bearers among them.
    fn of(&self, principals: &BTreeSet<Principal>) -> impl Iterator<Item = &Arc<EmergencyGrant>> {
        self.0.values().filter(|grant| principals.contains(&grant.holder))
    }

    /// Those of them that are in force and cover a document.
    pub(crate) fn covering(
        &self,
        principals: &BTreeSet<Principal>,
        (collection, document): (&CollectionId, &DocumentId),
        now: Timestamp,
    ) -> Vec<GrantId> {
        let covering = self.of(principals).filter(|grant| grant.is_in_force(now) && grant.covers(collection, document));
        covering.map(|grant| grant.id.clone()).collect()
    }

    /// Who holds a grant that covers a document.
    pub(crate) fn holders(&self, collection: &CollectionId, document: &DocumentId) -> impl Iterator<Item = &Principal> {
        self.0.values().filter(|grant| grant.covers(collection, document)).map(|grant| &grant.holder)
    }
}

/// What a reader's grants may open, whatever the time and the request.
#[derive(Debug)]
pub(crate) struct Granted {
    grants: Vec<Arc<EmergencyGrant>>,
    collections: BTreeMap<CollectionId, Arc<Collection>>,
    /// The classes that lie in these collections and that nothing but `readers` and `allow` closes.
    classes: RoaringBitmap,
    contextual: Option<Contextual>,
}

/// What a reader's grants open at a moment, to a request.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    pub(crate) grants: Vec<Arc<EmergencyGrant>>,
    pub(crate) classes: RoaringBitmap,
}

impl Policy {
    /// What the grants of somebody with these principals may open; `None` for those without any.
    ///
    /// Decided apart from what they read of right, with a budget of its own: a grant cannot cost them that.
    pub(crate) fn granted(
        &self,
        principals: &BTreeSet<Principal>,
        attributes: &BTreeMap<String, AttributeValue>,
        selection: &Selection,
    ) -> Option<Granted> {
        let grants: Vec<_> =
            self.grants.of(principals).filter(|grant| selection.contains(&grant.collection)).cloned().collect();
        if grants.is_empty() {
            return None;
        }
        let there = |grant: &Arc<EmergencyGrant>| {
            Some((grant.collection.clone(), self.collections.get(&grant.collection)?.clone()))
        };
        let collections: BTreeMap<_, _> = grants.iter().filter_map(there).collect();
        let undenied = self.classes.undenied(principals, collections.keys());
        let mut classes = self.classes.sort(&undenied, attributes).union();
        let mut contextual = None;
        if !self.rules.is_idle() {
            if let Some(reader) = self.rules.reader(principals, attributes) {
                let asked = classes.clone();
                let question =
                    Question { reader: &reader, collections: &collections, classes: &self.classes, asked: &asked };
                classes -= self.rules.judge(&question).forbidden;
                contextual = self.rules.contextual(&Question { asked: &classes, ..question });
            } else {
                // Somebody whom the policies cannot be asked about reads nothing.
                classes.clear();
            }
        }
        Some(Granted { grants, collections, classes, contextual })
    }

    /// What grants open at a moment, to a request.
    pub(crate) fn in_force(&self, granted: &Granted, context: &RequestContext, now: Timestamp) -> InForce {
        let grants: Vec<_> = granted.grants.iter().filter(|grant| grant.is_in_force(now)).cloned().collect();
        if grants.is_empty() {
            return InForce::default();
        }
        let verdict = granted.contextual.as_ref().map(|contextual| contextual.judge(context, now));
        let is_open = |class: &u32| self.classes.acl(*class).is_some_and(|acl| acl.is_open_at(now));
        let mut classes: RoaringBitmap = granted.classes.iter().filter(is_open).collect();
        if let Some(verdict) = verdict {
            classes -= &verdict.forbidden;
        }
        InForce { grants, classes }
    }
}

impl Granted {
    /// The collections in which something may be opened.
    pub(crate) const fn collections(&self) -> &BTreeMap<CollectionId, Arc<Collection>> {
        &self.collections
    }

    /// How much memory it takes, in entries.
    pub(crate) fn weight(&self) -> usize {
        let classes = usize::try_from(self.classes.len()).unwrap_or(usize::MAX);
        let contextual = self.contextual.as_ref().map_or(0, Contextual::weight);
        self.grants.len() + self.collections.len() + classes / 8 + contextual
    }
}

impl InForce {
    /// The grants that open a document, if it is in a class that they may open.
    pub(crate) fn opening<'a>(
        &'a self,
        collection: &'a CollectionId,
        document: &'a DocumentId,
    ) -> impl Iterator<Item = &'a Arc<EmergencyGrant>> {
        self.grants.iter().filter(move |grant| grant.covers(collection, document))
    }

    /// Whether a document is opened.
    pub(crate) fn opens(&self, document: &DocumentEntry) -> bool {
        self.classes.contains(document.class) && self.opening(&document.collection, &document.id).next().is_some()
    }

    /// Whether every document of a collection is.
    pub(crate) fn opens_all_of(&self, collection: &CollectionId) -> bool {
        self.grants.iter().any(|grant| grant.collection == *collection && grant.documents == Covered::All)
    }

    /// Whether a collection is there for the reader.
    pub(crate) fn reaches(&self, collection: &CollectionId) -> bool {
        self.grants.iter().any(|grant| grant.collection == *collection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read_and_written_alike() {
        for (pattern, yes, no) in [("*", "a", None), ("a*", "ab", Some("b")), ("a", "a", Some("ab"))] {
            let covered = Covered::parse(pattern).unwrap();
            assert_eq!(covered.pattern(), pattern);
            assert!(covered.covers(&DocumentId::new(yes).unwrap()));
            assert!(no.is_none_or(|no| !covered.covers(&DocumentId::new(no).unwrap())));
        }
        for pattern in ["", "..", "a\n*"] {
            assert!(Covered::parse(pattern).is_err(), "{pattern:?}");
        }
    }
}
