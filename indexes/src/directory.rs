//! The directory of groups: who belongs to what, nested.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rpds::HashTrieMapSync;

use crate::principal::Principal;

/// The groups of one snapshot, kept in both directions so that a reader's cost follows the reader's own groups.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    members: HashTrieMapSync<Principal, BTreeSet<Principal>>,
    groups: HashTrieMapSync<Principal, BTreeSet<Principal>>,
}

impl Default for Directory {
    fn default() -> Self {
        Self { members: HashTrieMapSync::new_sync(), groups: HashTrieMapSync::new_sync() }
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

    /// These principals and every group they belong to, directly or through other groups. Cycles end.
    pub(crate) fn closure(&self, principals: &BTreeSet<Principal>) -> BTreeSet<Principal> {
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

    /// Whether some group has this principal as a direct member.
    pub(crate) fn knows(&self, principal: &Principal) -> bool {
        self.groups.contains_key(principal)
    }

    /// The same principals as [`closure`](Self::closure), each with the member that it was come from, by the shortest way.
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
    fn forgets_members_that_were_replaced() {
        check(&[("group:a", &["user:x"]), ("group:a", &["user:y"])], &["user:x"], &["user:x"]);
        check(&[("group:a", &["user:x"]), ("group:a", &[])], &["user:x"], &["user:x"]);
    }
}
