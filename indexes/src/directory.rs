//! The directory: who belongs to what, nested; how users' names stand; which attributes count.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use rpds::HashTrieMapSync;

use crate::{
    principal::{AttributeSource, AttributeValue, Principal, PrincipalKind},
    standing::{Declarations, Standing},
};

/// The directory of one snapshot. Groups are kept in both directions so that a reader's cost follows the reader's own groups.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    members: HashTrieMapSync<Principal, BTreeSet<Principal>>,
    groups: HashTrieMapSync<Principal, BTreeSet<Principal>>,
    /// By plain name. INVARIANT: every name that a user of the directory bears, or ever bore, and every name of a group that was given up.
    standings: HashTrieMapSync<Principal, Arc<Standing>>,
    declarations: Arc<Declarations>,
    known_users_only: bool,
    /// Whether the name of some group was given up.
    gave_up_groups: bool,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            members: HashTrieMapSync::new_sync(),
            groups: HashTrieMapSync::new_sync(),
            standings: HashTrieMapSync::new_sync(),
            declarations: Arc::default(),
            known_users_only: false,
            gave_up_groups: false,
        }
    }
}

impl Directory {
    /// Creates or replaces a group; without members it is gone.
    pub(crate) fn put(&mut self, group: &Principal, members: BTreeSet<Principal>) {
        let before = self.members.get(group).cloned().unwrap_or_default();
        for gone in before.difference(&members) {
            let mut groups = self.groups.get(gone).cloned().unwrap_or_default();
            groups.remove(group);
            if groups.is_empty() {
                self.groups.remove_mut(gone);
            } else {
                self.groups.insert_mut(gone.clone(), groups);
            }
        }
        for new in members.difference(&before) {
            let mut groups = self.groups.get(new).cloned().unwrap_or_default();
            groups.insert(group.clone());
            self.groups.insert_mut(new.clone(), groups);
        }
        if members.is_empty() {
            self.members.remove_mut(group);
        } else {
            self.members.insert_mut(group.clone(), members);
        }
    }

    /// Says how a name stands from now on.
    pub(crate) fn put_standing(&mut self, name: Principal, standing: Standing) {
        self.gave_up_groups |= name.kind() == PrincipalKind::Group;
        self.standings.insert_mut(name, Arc::new(standing));
    }

    /// Declares attributes anew.
    pub(crate) fn declare(&mut self, declarations: Declarations) {
        self.declarations = Arc::new(declarations);
    }

    /// Whether only users that the directory knows may read, from now on.
    pub(crate) const fn require_known_users(&mut self, required: bool) {
        self.known_users_only = required;
    }

    pub(crate) fn declarations(&self) -> &Declarations {
        &self.declarations
    }

    /// Whether the name of some group was given up, so that another may bear it.
    pub(crate) const fn gave_up_groups(&self) -> bool {
        self.gave_up_groups
    }

    pub(crate) const fn requires_known_users(&self) -> bool {
        self.known_users_only
    }

    /// How a plain name stands, if the directory knows it or knew it.
    pub(crate) fn standing(&self, name: &Principal) -> Option<&Standing> {
        self.standings.get(name).map(Arc::as_ref)
    }

    /// Whether the directory lets somebody of this name ask. It says nothing of groups, services and roles.
    pub(crate) fn admits(&self, name: &Principal) -> bool {
        let stands = || self.standing(name).map_or(!self.known_users_only, |standing| standing.is_active);
        name.kind() != PrincipalKind::User || stands()
    }

    /// Who bears a plain name now.
    pub(crate) fn bearer(&self, name: &Principal) -> Principal {
        self.standing(name).map_or_else(|| name.clone(), |standing| name.of_generation(standing.generation))
    }

    /// The plain name of a bearer who bears it now.
    pub(crate) fn named(&self, bearer: &Principal) -> Option<Principal> {
        let name = bearer.name();
        (self.bearer(&name) == *bearer).then_some(name)
    }

    /// The attributes that count for somebody: the directory's before the credential's, each only where it is declared to come from and as what it is declared. Where nothing is declared, the credential's counts as it is.
    pub(crate) fn attributes(
        &self,
        principals: &BTreeSet<Principal>,
        own: &BTreeMap<String, AttributeValue>,
        source: Option<AttributeSource>,
    ) -> BTreeMap<String, AttributeValue> {
        if self.declarations.is_empty() {
            return own.clone();
        }
        let user = principals.iter().find(|principal| principal.kind() == PrincipalKind::User);
        let standing = user.and_then(|name| self.standing(name));
        let held = standing.map(|standing| &standing.attributes);
        let mut counted: BTreeMap<_, _> = own
            .iter()
            .filter(|(name, value)| self.declarations.counts(name, value, source))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        for (name, value) in held.into_iter().flatten() {
            if !self.declarations.is_from(name, AttributeSource::Directory) {
                continue;
            }
            // A value that is not of the declared type is missing, whatever the credential says.
            counted.remove(name);
            if self.declarations.counts(name, value, Some(AttributeSource::Directory)) {
                counted.insert(name.clone(), value.clone());
            }
        }
        counted
    }

    /// These principals and every group they belong to, directly or through other groups; nobody where the directory does not admit one of them. Cycles end.
    ///
    /// Plain names go in; a user or group comes out as the bearer of the name, which is what `allow` is compared with.
    pub(crate) fn closure(&self, principals: &BTreeSet<Principal>) -> BTreeSet<Principal> {
        if self.admits_all(principals) { self.closure_of_bearers(principals) } else { BTreeSet::new() }
    }

    /// The same without any group, for those whose credential names all they belong to.
    pub(crate) fn bearers(&self, principals: &BTreeSet<Principal>) -> BTreeSet<Principal> {
        if self.admits_all(principals) { self.borne(principals.clone()) } else { BTreeSet::new() }
    }

    /// The closure, whether or not the directory admits them.
    pub(crate) fn closure_of_bearers(&self, principals: &BTreeSet<Principal>) -> BTreeSet<Principal> {
        self.borne(self.closure_of_names(principals))
    }

    fn admits_all(&self, principals: &BTreeSet<Principal>) -> bool {
        principals.iter().all(|principal| self.admits(principal))
    }

    /// The bearers of the users' and groups' names among these.
    fn borne(&self, mut principals: BTreeSet<Principal>) -> BTreeSet<Principal> {
        let may_be = |kind| kind == PrincipalKind::User || (kind == PrincipalKind::Group && self.gave_up_groups);
        let is_borne_anew = |name: &&Principal| may_be(name.kind()) && self.bearer(name) != **name;
        let names: Vec<Principal> = principals.iter().filter(is_borne_anew).cloned().collect();
        for name in names {
            principals.insert(self.bearer(&name));
            principals.remove(&name);
        }
        principals
    }

    fn closure_of_names(&self, principals: &BTreeSet<Principal>) -> BTreeSet<Principal> {
        let mut closed = principals.clone();
        let mut pending: Vec<Principal> = principals.iter().cloned().collect();
        while let Some(principal) = pending.pop() {
            for group in self.groups.get(&principal).into_iter().flatten() {
                if closed.insert(group.clone()) {
                    pending.push(group.clone());
                }
            }
        }
        closed
    }

    /// Whether it knows a principal: as a user, or as a direct member of some group.
    pub(crate) fn knows(&self, principal: &Principal) -> bool {
        self.groups.contains_key(principal) || self.standing(principal).is_some_and(|standing| standing.is_active)
    }

    /// The plain names of [`closure`](Self::closure), each with the member that it was come from, by the shortest way.
    pub(crate) fn ways(&self, principals: &BTreeSet<Principal>) -> BTreeMap<Principal, Option<Principal>> {
        let mut ways: BTreeMap<_, _> = principals.iter().map(|principal| (principal.clone(), None)).collect();
        let mut pending: VecDeque<Principal> = principals.iter().cloned().collect();
        while let Some(member) = pending.pop_front() {
            for group in self.groups.get(&member).into_iter().flatten() {
                if !ways.contains_key(group) {
                    ways.insert(group.clone(), Some(member.clone()));
                    pending.push_back(group.clone());
                }
            }
        }
        ways
    }

    /// Every group and every member of one.
    pub(crate) fn principals(&self) -> impl Iterator<Item = Principal> + '_ {
        self.members.keys().chain(self.groups.keys()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<Principal> {
        names.iter().map(|name| Principal::new(name).unwrap()).collect()
    }

    #[track_caller]
    fn check(groups: &[(&str, &[&str])], who: &[&str], expected: &[&str]) {
        let mut directory = Directory::default();
        for (group, members) in groups {
            directory.put(&Principal::new(group).unwrap(), set(members));
        }
        assert_eq!(directory.closure(&set(who)), set(expected));
        assert_eq!(directory.ways(&set(who)).into_keys().collect::<BTreeSet<_>>(), set(expected));
    }

    #[test]
    fn follows_nesting_and_cycles() {
        let nested: &[(&str, &[&str])] =
            &[("group:a", &["user:x", "group:c"]), ("group:b", &["group:a"]), ("group:c", &["group:b"])];
        check(nested, &["user:x"], &["user:x", "group:a", "group:b", "group:c"]);
        check(nested, &["user:y"], &["user:y"]);
        check(nested, &[], &[]);
    }

    #[test]
    fn knows_the_members_of_groups() {
        let mut directory = Directory::default();
        directory.put(&Principal::new("group:a").unwrap(), set(&["user:x"]));
        let knows = |name: &str| directory.knows(&Principal::new(name).unwrap());
        assert_eq!((knows("user:x"), knows("user:y")), (true, false));
    }

    #[test]
    fn forgets_members_that_were_replaced() {
        check(&[("group:a", &["user:x"]), ("group:a", &["user:y"])], &["user:x"], &["user:x"]);
        check(&[("group:a", &["user:x"]), ("group:a", &[])], &["user:x"], &["user:x"]);
    }
}
